"""What `export.onnx` and `export.coreml` write: the graphs of one format, and all that an app needs beside them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from edge_ecg.bundles.bundle import GOLDEN
from edge_ecg.contract import INTENDED_USE
from edge_ecg.report.artefact_table import artefact_table
from edge_ecg.storage.atomic import refuse_overlap, write_file
from edge_ecg.terminal.console import claim_folder
from export.formats.artefact import Artefact
from export.pipeline import Exported, export_run, golden
from train.run import Run, load_run

COMPARATOR = "comparator.json"


def export_command(format_of: str, artefacts: Sequence[Artefact]) -> click.Command:
    """The command that writes one format's artefacts of a run."""
    weights_of = [artefact.scheme.name for artefact in artefacts]

    @click.command(format_of)
    @click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
    @click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
    @click.option("--weights", multiple=True, type=click.Choice(weights_of), default=weights_of, help="[all]")
    def command(run_folder: Path, out: Path, weights: tuple[str, ...]) -> None:
        """Write both graphs, the references' embeddings, labels, contract, levels and golden vectors.

        What has been run and decides as the model is written; of the rest it is said why not.
        """
        refuse_overlap(out, [run_folder])
        run = load_run(run_folder)
        exported = export_run(run, artefacts=[artefact for artefact in artefacts if artefact.scheme.name in weights])
        files = {
            **exported.files,
            COMPARATOR: json.dumps(comparator_json(run, exported)).encode(),
            GOLDEN: json.dumps(golden(run, exported)).encode(),
        }
        write_files(out, files)
        click.echo("\n".join(artefact_table(exported.rows, exported.not_made)))
        click.echo(f"{out}: {', '.join(sorted({name.split('/')[0] for name in files}))}")

    return command


def write_files(out: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder, in place of those of an earlier export. Raises EdgeEcgError for anybody else's."""
    claim_folder(out, "export", {name.split("/")[0] for name in files})
    for name, content in files.items():
        write_file(out / name, content)


def comparator_json(run: Run, exported: Exported) -> dict[str, Any]:
    """What turns a graph's logits into decisions, in a form that any language reads without a library.

    references: the embeddings (R, D) as rows of numbers, and whether each is of the target.
    """
    return {
        "intended_use": INTENDED_USE,
        "labels": list(run.labels),
        "contract": run.contract.to_json(),
        "levels": run.config["levels"],
        "artefacts": {a.name: {"graphs": list(a.parts), "references": a.references} for a in exported.artefacts},
        "references": {
            "is_target": exported.bank.is_target.tolist(),
            "embeddings": exported.bank.embeddings.tolist(),
        },
    }
