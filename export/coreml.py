"""`python -m export.coreml`: the graphs as Core ML packages with what an app needs, once they decide as the model."""

from pathlib import Path

import click

from edge_ecg.console import run_command
from export.folder import export_folder
from export.formats.coreml import COREML

WEIGHTS = [artefact.scheme.name for artefact in COREML]


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
@click.option("--weights", multiple=True, type=click.Choice(WEIGHTS), default=WEIGHTS, help="[all]")
def export_coreml(run_folder: Path, out: Path, weights: tuple[str, ...]) -> None:
    """Write both graphs, the references' embeddings, labels, contract, levels and golden vectors.

    What has been run and decides as the model is written; of the rest it is said why not.
    """
    export_folder(run_folder, out, [artefact for artefact in COREML if artefact.scheme.name in weights])


if __name__ == "__main__":
    run_command(export_coreml)
