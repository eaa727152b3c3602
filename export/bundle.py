"""`python -m export.bundle`: one folder with everything that a device needs, written when all of it agrees."""

import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np

from edge_ecg.atomic import refuse_overlap
from edge_ecg.bundle import COMPARATOR, ENCODER, GOLDEN, REFERENCES, load_bundle, refuse_to_lose, write_bundle
from edge_ecg.console import run_command
from edge_ecg.contract import INTENDED_USE
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.report.artefact_table import artefact_table
from export.compression.finetune import refined
from export.gate.artefacts import artefact, onnx_engine
from export.gate.parity_check import Trial, require
from export.gate.reference_model import ORIGINAL, Original
from export.golden.beats import golden
from export.quantize import PICTURE, float_files, picture, quantized_files, rows
from export.references import reference_files
from train.data import BeatSet
from train.decision.decide import decide
from train.decision.novelty import USUAL
from train.fit.left_out import left_out_levels
from train.fit.loop import Settings
from train.run import FOLDS, Run, load_run

TOOLS = ("edge-ecg", "torch", "onnx", "onnxruntime", "coremltools", "numpy", "scipy")
REQUIRED = ("onnx fp32", "coreml fp32", "portable fp32")  # of the others only those that decide alike are shipped


def build_bundle(finished: Run, chosen: np.ndarray) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Manifest and files of a bundle with `chosen` training beats as references.

    Raises ParityError unless the float artefacts decide as the model; of the others only those that do are in it.
    """
    original = Original.of_run(finished, chosen)
    files = float_files(finished, original)
    bank = replace(ReferenceBank.from_bytes(files[REFERENCES]), distribution=finished.distribution())
    files |= reference_files(bank)
    trial = Trial(original, finished.validation, finished.rule)
    trial = refined(trial, finished.training.values)
    small, onnx_int8 = quantized_files(finished, files, bank, trial)
    everything = files | small
    found = rows(trial, everything, onnx_int8)
    require(row.parity for row in found if row.parity.engine in REQUIRED)
    shipped = [artefact(row.parity.engine) for row in found if row.shipped]
    kept = {a.references for a in shipped} | {name for a in shipped for name in a.files(everything)}
    content = {name: everything[name] for name in sorted(kept)}
    engine = onnx_engine("onnx fp32", files[ENCODER], files[COMPARATOR])
    rounding = [kind for kind in shipped if kind.rounds]
    content[GOLDEN] = json.dumps(golden(finished, engine, bank, rounding, content)).encode()
    content[ORIGINAL] = trial.original.to_bytes()
    parity = [row.to_json() for row in found]
    content[PICTURE] = picture(parity)
    manifest = {
        "intended_use": INTENDED_USE,
        "labels": list(finished.labels),
        "contract": finished.contract.to_json(),
        "levels": finished.config["levels"],
        "model": {"architecture": original.architecture, "parameters": finished.config["parameters"]},
        "training": {key: finished.config[key] for key in ("settings", "dataset", "best_epoch")},
        "references": [finished.training.sources[finished.training.recording[beat]] for beat in chosen],
        "range": bank.distribution
        and {"limit": bank.distribution.limit, "false_alarms_on_dates_left_out": round(1 - USUAL / 100, 2)},
        "metrics": {
            which: decide(finished.model, bank, beats, finished.rule).to_json()
            for which, beats in (("train", finished.training), ("validation", finished.validation))
        },
        "parity": parity,
        "tools": {tool: version(tool) for tool in TOOLS},
    }
    return manifest, content


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the bundle.")
@click.option("--references", "per_state", type=click.IntRange(1), help="So many of each state [as the run has them].")
def export_bundle(run_folder: Path, out: Path, per_state: int | None) -> None:
    """Write a bundle: every artefact that decides as the model, references, golden vectors and the manifest."""
    refuse_overlap(out, [run_folder])
    refuse_to_lose(out)
    finished = load_run(run_folder)
    chosen = finished.references(per_state)[0]
    if per_state:
        levels = left_out_levels(
            BeatSet.joined([finished.training, finished.validation]),
            Settings(**{**finished.config["settings"], "references_per_state": per_state}),
            finished.path / FOLDS,
        )
        finished = replace(finished, config={**finished.config, "levels": levels and levels.to_json()})
    manifest, files = build_bundle(finished, chosen)
    write_bundle(out, manifest, files)
    bundle = load_bundle(out)
    click.echo("\n".join(artefact_table(manifest["parity"])))
    click.echo(
        f"{out}: {len(files) + 1} files, {sum(map(len, files.values())):,} bytes, "
        f"{len(bundle.references.is_target)} references"
    )


if __name__ == "__main__":
    run_command(export_bundle)
