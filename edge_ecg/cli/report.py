"""`edge-ecg report`: what was measured of a run or a bundle, as one page; of several runs, beside each other."""

from pathlib import Path

import click

from edge_ecg.cli.options import PagePath
from edge_ecg.report.findings import read_findings
from edge_ecg.report.report import report_of
from edge_ecg.storage.atomic import refuse_overlap, write_file


@click.command("report", short_help="Write what was measured of a run or a bundle as one page.")
@click.argument("sources", metavar="RUN_OR_BUNDLE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=PagePath(), help="The page, such as report.html.")
def report_command(sources: tuple[Path, ...], out: Path) -> None:
    """Write everything that was measured of a training run or a bundle as one page that can be sent.

    What `train`, `train.evaluate` and `train.study` left in the run is found there. A run and the bundle that was made
    from it give one page; several runs stand beside each other. The page is one HTML file without scripts or links.
    """
    refuse_overlap(out, sources)
    content = report_of([read_findings(source) for source in sources]).encode(errors="backslashreplace")
    write_file(out, content)
    click.echo(f"{out}: written, {len(content):,} bytes; open it in a browser")
