"""`python -m export.quantize`: the same model with fewer bits, and what each way of doing it costs and saves."""

import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from matplotlib.figure import Figure

from edge_ecg.atomic import write_file
from edge_ecg.bundle import REFERENCES
from edge_ecg.console import run_command
from edge_ecg.inference.portable import WEIGHTS_INT8
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.report.artefact_table import artefact_table
from export.compression.finetune import refined
from export.compression.qdq import to_int8
from export.compression.weights import INT8
from export.coreml import coreml_files
from export.formats.packages import CORE_ML_FLOAT, VARIANTS
from export.formats.portable import portable_files
from export.gate.artefacts import ARTEFACTS, Artefact, Files, artefact
from export.gate.parity_check import Parity, Trial
from export.gate.reference_model import Original
from export.onnx import onnx_files
from export.references import reference_files
from train.run import Run, load_run

PICTURE = "quantization.png"


@dataclass(frozen=True)
class Row:
    """One artefact: what it weighs and what it does to the decisions."""

    parity: Parity
    bytes: int  # its files
    bytes_with_references: int
    quantized_weights: int  # numbers stored in fewer than 32 bits ...
    weights: int  # ... of so many
    kept_float: tuple[str, ...]  # nodes that int8 would have cost decisions
    finetuned: bool  # rounding alone cost votes, so the weights were trained on their grid

    @property
    def shipped(self) -> bool:
        """Only what decides as the model is."""
        return not self.parity.faults

    def to_json(self) -> dict[str, Any]:
        """The row as the manifest holds it."""
        facts = {key: value for key, value in vars(self).items() if key != "parity"}
        return {**self.parity.to_json(), **facts, "shipped": self.shipped}


def float_files(finished: Run, original: Original) -> dict[str, bytes]:
    """Every artefact in float32 and the references."""
    files = onnx_files(finished.model)
    say("Core ML, fp32")
    files |= portable_files(files) | coreml_files(finished, original, CORE_ML_FLOAT)
    return files | reference_files(original.bank())


def quantized_files(
    finished: Run, files: Files, bank: ReferenceBank, trial: Trial
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Every artefact with fewer bits, and what is to be said about the ONNX one."""
    rounded = onnx_files(trial.original.compressed(INT8))
    made = {WEIGHTS_INT8: portable_files(rounded)[WEIGHTS_INT8]}
    say("ONNX, int8: what does each node cost?")
    int8 = to_int8(finished, rounded, bank, lambda made: trial.passes(artefact("onnx int8"), {**files, **made}))
    made |= int8.files
    for variant in VARIANTS:
        if variant is not CORE_ML_FLOAT:
            say(f"Core ML, {variant.title}")
            made |= coreml_files(finished, trial.original, variant, bank)
    _, weights = INT8.counts(finished.model)
    return made, {"kept_float": tuple(int8.kept), "quantized_weights": int8.quantized, "weights": weights}


def rows(trial: Trial, files: Files, onnx_int8: dict[str, Any]) -> list[Row]:
    """Check every artefact that these files hold."""
    found = []
    for kind in [kind for kind in ARTEFACTS if kind.files(files)]:
        say(f"{kind.name} on {len(trial.beats.values)} beats")
        facts = weighed(kind, trial.original, files) | (onnx_int8 if kind.name == "onnx int8" else {"kept_float": ()})
        parity = trial.check(kind, files)
        if not facts["quantized_weights"] and kind.scheme.bits <= 8:
            parity = replace(parity, faults=(*parity.faults, "no node stands int8"))
        found.append(Row(parity, **facts))
    return found


def weighed(kind: Artefact, original: Original, files: Files) -> dict[str, Any]:
    """What can be said of an artefact without running it."""
    size = sum(map(len, kind.files(files).values()))
    facts = {"bytes": size, "bytes_with_references": size + len(files[kind.references])}
    facts["finetuned"] = kind.scheme.name in original.finetuned
    if kind.name != "onnx int8":  # which keeps some nodes in float
        facts["quantized_weights"], facts["weights"] = kind.scheme.counts(original.model)
    return facts


def picture(found: list[dict[str, Any]]) -> bytes:
    """Bytes against error, an artefact a point; those that are not shipped are hollow."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for row in found:
        if row["logit_rms"] > 1e6:
            continue
        colour = {"onnx": "tab:blue", "core": "tab:orange", "port": "tab:green"}[row["engine"][:4]]
        size, error = row["bytes_with_references"] / 1024, max(row["logit_rms"], 1e-7)
        axes.plot(size, error, "o", color=colour, fillstyle="full" if row["shipped"] else "none")
        label = f" {row['engine']}, {row['beat_flips']}/{row['beats']} beats"
        axes.annotate(label, (size, error), fontsize=8, rotation=20)
    axes.set_yscale("log")
    axes.set_xlabel("what a device carries: graphs and references, KiB")
    axes.set_ylabel("RMS error of a logit against the model")
    axes.set_title("Bytes, error, and beats that vote otherwise (hollow: changes a decision, not shipped)", fontsize=9)
    axes.margins(0.2)
    axes.grid(alpha=0.3)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110)
    return image.getvalue()


def say(what: str) -> None:
    """Progress, on standard error."""
    click.echo(f"  {what}", err=True)


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for files, table and picture.")
def quantize(run_folder: Path, out: Path) -> None:
    """Quantize in every way, measure each on the validation beats, write what decides as the model."""
    finished = load_run(run_folder)
    original = Original.of_run(finished)
    files = float_files(finished, original)
    trial = Trial(original, finished.validation, finished.rule)
    trial = refined(trial, finished.training.values)
    small, onnx_int8 = quantized_files(finished, files, ReferenceBank.from_bytes(files[REFERENCES]), trial)
    measured = rows(trial, files | small, onnx_int8)
    found = [row.to_json() for row in measured]
    for row in [row for row in measured if row.shipped]:
        for name, content in artefact(row.parity.engine).files(files | small).items():
            write_file(out / name, content)
    write_file(out / PICTURE, picture(found))
    write_file(out / "quantization.json", json.dumps(found, indent=1).encode())
    click.echo("\n".join(artefact_table(found)))


if __name__ == "__main__":
    run_command(quantize)
