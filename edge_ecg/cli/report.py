"""`edge-ecg report`: what was measured of a run or a bundle, as one page."""

from pathlib import Path

import click

from edge_ecg.atomic import refuse_overlap, write_file
from edge_ecg.report.findings import read_findings
from edge_ecg.report.report import report


@click.command("report", short_help="Write what was measured of a run or a bundle as one page.")
@click.argument("source", metavar="RUN_OR_BUNDLE", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The page, such as report.html."
)
@click.option("--crossval", type=click.Path(path_type=Path), help="What python -m train.crossval wrote.")
@click.option("--daily-baseline", type=click.Path(path_type=Path), help="What python -m train.daily_baseline wrote.")
@click.option("--ablations", type=click.Path(path_type=Path), help="What python -m train.ablations wrote.")
@click.option("--learning-curve", type=click.Path(path_type=Path), help="What python -m train.learning_curve wrote.")
def report_command(
    source: Path,
    out: Path,
    crossval: Path | None,
    daily_baseline: Path | None,
    ablations: Path | None,
    learning_curve: Path | None,
) -> None:
    """Write everything that was measured of a training run or a bundle as one page that can be sent.

    The page is one HTML file without scripts or links. What was not measured is said, with the command for it.
    """
    parts = crossval, daily_baseline, ablations, learning_curve
    refuse_overlap(out, [path for path in (source, *parts) if path])
    content = report(read_findings(source, *parts)).encode(errors="backslashreplace")
    write_file(out, content)
    click.echo(f"{out}: written, {len(content):,} bytes")
