"""`python -m export` or `python -m export.bundle`: a bundle from a training run."""

from pathlib import Path

import click

from edge_ecg.terminal.console import out_option, run_command
from edge_ecg.terminal.interrupts import quitting_at_once
from train.options import RUN

FORMATS = ("onnx", "coreml", "portable")
ON_DEMAND = ("litert",)  # an extra that few install


def _formats(_context: click.Context, _option: click.Parameter, given: str | None) -> list[str]:
    wanted = given.split(",") if given else list(FORMATS)
    if unknown := set(wanted) - {*FORMATS, *ON_DEMAND}:
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: expected some of {','.join((*FORMATS, *ON_DEMAND))}")
    return wanted


@click.command("export")
@RUN
@out_option("bundle", "Folder for the bundle.")
@click.option("--references", "per_state", type=click.IntRange(1), help="References per state [as in the run].")
@click.option("--only", callback=_formats, help=f"Formats to write, litert too [{','.join(FORMATS)}].")
def export_bundle(run_folder: Path, out: Path, per_state: int | None, only: list[str]) -> None:
    """Write a bundle: verified artifacts, references, golden vectors and the manifest.

    The two ONNX graphs in float32 are always included, because Python runs them.
    """
    with quitting_at_once():  # so that `--help` waits for none of it
        from export.bundle import write_bundle_of_run
    write_bundle_of_run(run_folder, out, per_state, only)


if __name__ == "__main__":
    run_command(export_bundle)
