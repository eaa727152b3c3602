"""`python -m export.quantize`: the same model with fewer bits, and what each way of doing it costs and saves."""

import json
from pathlib import Path

import click

from edge_ecg.report.artefact_table import artefact_table
from edge_ecg.storage.atomic import refuse_overlap
from edge_ecg.terminal.console import run_command
from export.folder import write_files
from export.gate.pictures import PICTURE, picture
from export.pipeline import export_run
from train.run import load_run


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for files, table and picture.")
def quantize(run_folder: Path, out: Path) -> None:
    """Measure every artefact on the validation beats, and write those that decide as the model, table and picture."""
    refuse_overlap(out, [run_folder])
    exported = export_run(load_run(run_folder))
    table = json.dumps(exported.rows, indent=1).encode()
    files = {**exported.files, PICTURE: picture(exported.rows), "quantization.json": table}
    write_files(out, files)
    click.echo("\n".join(artefact_table(exported.rows, exported.not_made)))


if __name__ == "__main__":
    run_command(quantize)
