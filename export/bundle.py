"""`python -m export.bundle`: one folder with everything that a device needs, written when all of it agrees."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from edge_ecg.bundle import COMPARATOR, ENCODER, GOLDEN, REFERENCES, load_bundle, write_bundle
from edge_ecg.console import run
from edge_ecg.contract import INTENDED_USE
from edge_ecg.references import ReferenceBank
from export.artefacts import ARTEFACTS, onnx_engine
from export.golden import golden
from export.original import ORIGINAL, Original
from export.parity import Trial, require
from export.quantize import PICTURE, float_files, picture, quantized_files, rows, table
from train.checkpoint import METRICS, Run, load_run, read_json

TOOLS = ("edge-ecg", "torch", "onnx", "onnxruntime", "coremltools", "numpy", "scipy")
REQUIRED = ("onnx fp32", "coreml fp32", "portable fp32")  # of the others only those that decide alike are shipped


def build_bundle(finished: Run) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Manifest and files of a run's bundle. Raises ParityError unless the float artefacts decide as the model."""
    original = Original.of_run(finished)
    files = float_files(finished, original)
    bank = ReferenceBank.from_bytes(files[REFERENCES])
    small, onnx_int8 = quantized_files(finished, files, bank)
    everything = files | small
    trial = Trial(original, finished.validation, finished.labels, finished.contract.voting)
    found = rows(trial, everything, onnx_int8)
    require(row.parity for row in found if row.parity.engine in REQUIRED)
    shipped = [artefact for artefact, row in zip(ARTEFACTS, found, strict=True) if row.shipped]
    kept = {a.references for a in shipped} | {name for a in shipped for name in a.files(everything)}
    content = {name: everything[name] for name in sorted(kept)}
    engine = onnx_engine("onnx fp32", files[ENCODER], files[COMPARATOR])
    rounding = [artefact for artefact in shipped if artefact.rounds]
    content[GOLDEN] = json.dumps(golden(finished, engine, bank, rounding, content)).encode()
    content[ORIGINAL] = original.to_bytes()
    parity = [row.to_json() for row in found]
    content[PICTURE] = picture(parity)
    metrics = read_json(finished.path / METRICS)
    manifest = {
        "intended_use": INTENDED_USE,
        "labels": list(finished.labels),
        "contract": finished.contract.to_json(),
        "model": {"architecture": original.architecture, "parameters": finished.config["parameters"]},
        "training": {key: finished.config[key] for key in ("settings", "dataset", "best_epoch")},
        "references": [
            finished.training.sources[finished.training.recording[beat]] for beat in finished.references()[0]
        ],
        "metrics": {which: metrics[which] for which in ("train", "validation")},
        "parity": parity,
        "tools": {tool: version(tool) for tool in TOOLS},
    }
    return manifest, content


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the bundle.")
def export_bundle(run_folder: Path, out: Path) -> None:
    """Write a bundle: every artefact that decides as the model, references, golden vectors and the manifest."""
    manifest, files = build_bundle(load_run(run_folder))
    write_bundle(out, manifest, files)
    bundle = load_bundle(out)
    click.echo("\n".join(table(manifest["parity"])))
    click.echo(
        f"{out}: {len(files) + 1} files, {sum(map(len, files.values())):,} bytes, "
        f"{len(bundle.references.is_target)} references"
    )


if __name__ == "__main__":
    run(export_bundle)
