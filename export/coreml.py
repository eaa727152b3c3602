"""`python -m export.coreml`: the two graphs as Core ML packages, written once they decide as the model."""

from pathlib import Path

import click

from edge_ecg.atomic import write_file
from edge_ecg.console import claim_folder, run_command
from edge_ecg.errors import ParityError
from export.formats.coreml import COREML
from export.pipeline import export_run
from train.run import load_run

WEIGHTS = [artefact.scheme.name for artefact in COREML]


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
@click.option("--weights", multiple=True, type=click.Choice(WEIGHTS), default=WEIGHTS, help="[all]")
def export_coreml(run_folder: Path, out: Path, weights: tuple[str, ...]) -> None:
    """Write both graphs and the references' embeddings, once they have been run and decide as the model."""
    exported = export_run(load_run(run_folder), artefacts=[a for a in COREML if a.scheme.name in weights])
    for row in exported.rows:
        if not row["shipped"]:
            raise ParityError(f"{row['engine']}: {'; '.join(row['faults'])}")
    claim_folder(out, "export", {name.split("/")[0] for name in exported.files})
    for name, content in exported.files.items():
        write_file(out / name, content)
    for artefact in exported.artefacts:
        for part in artefact.parts:
            size = sum(len(content) for name, content in exported.files.items() if name.startswith(part))
            click.echo(f"{out / part}  {size} bytes, {artefact.scheme.name}, decides as the model")


if __name__ == "__main__":
    run_command(export_coreml)
