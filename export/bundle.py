"""`python -m export.bundle`: one folder with everything that a device needs, written when all of it agrees."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np

from edge_ecg.bundle import COMPARATOR, ENCODER, GOLDEN, REFERENCES, load_bundle, write_bundle
from edge_ecg.console import run
from edge_ecg.contract import INTENDED_USE
from edge_ecg.portable import LAYERS, WEIGHTS
from edge_ecg.references import ReferenceBank
from edge_ecg.votes import Tally, cast_vote
from export.coreml import coreml_files
from export.onnx import checked_onnx, onnx_engine
from export.parity import Engine, check, embed_references, torch_engine
from export.portable import portable_engine, portable_files
from export.references import REFERENCES_INT8, int8_references
from train.checkpoint import METRICS, Run, load_run, read_json

TOOLS = ("edge-ecg", "torch", "onnx", "onnxruntime", "coremltools", "numpy", "scipy")
GOLDEN_BEATS = 8


def build_bundle(finished: Run) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Manifest and files of a run's bundle. Raises ParityError unless the exported graphs decide as the model."""
    files = checked_onnx(finished)
    engine = onnx_engine(files[ENCODER], files[COMPARATOR], finished.contract.beat_length)
    references = embed_references(finished, engine)
    files |= coreml_files(finished)
    files |= portable_files(files)
    check(finished, torch_engine(finished.model), portable_engine(files[LAYERS], files[WEIGHTS])).require(1e-5)
    files[REFERENCES] = references.to_bytes()
    files[REFERENCES_INT8] = int8_references(references)
    files[GOLDEN] = json.dumps(golden(finished, engine, references)).encode()
    metrics = read_json(finished.path / METRICS)
    manifest = {
        "intended_use": INTENDED_USE,
        "labels": list(finished.labels),
        "contract": finished.contract.to_json(),
        "model": {
            "architecture": finished.config["settings"]["architecture"],
            "parameters": finished.config["parameters"],
        },
        "training": {key: finished.config[key] for key in ("settings", "dataset", "best_epoch")},
        "references": [
            finished.training.sources[finished.training.recording[beat]] for beat in finished.references()[0]
        ],
        "metrics": {which: metrics[which] for which in ("train", "validation")},
        "parity": [check(finished, torch_engine(finished.model), engine).to_json()],
        "tools": {tool: version(tool) for tool in TOOLS},
    }
    return manifest, files


def golden(finished: Run, engine: Engine, references: ReferenceBank) -> dict[str, Any]:
    """Beats of one validation recording with all that must follow from them, for any port of the runtime to check."""
    beats = np.flatnonzero(finished.validation.recording == 0)[:GOLDEN_BEATS]
    tally = Tally(finished.labels, finished.contract.voting)
    steps = []
    for beat in beats:
        values = finished.validation.values[beat]
        embedding = engine.encode(values[np.newaxis])
        logits = engine.compare(embedding, references.embeddings)
        vote = cast_vote(logits, references)
        decision = tally.add(vote, float(finished.validation.known_at_s[beat]))
        steps.append(
            {
                "beat": values.tolist(),
                "embedding": embedding[0].tolist(),
                "logits": logits.tolist(),
                "evidence": vote.evidence,
                "hard_vote": finished.labels[vote.hard_target],
                "log_odds": tally.log_odds,
                "decision": decision.label,
            }
        )
    return {"beats": steps}


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the bundle.")
def export_bundle(run_folder: Path, out: Path) -> None:
    """Write a bundle: ONNX, Core ML, reference embeddings, golden vectors and the manifest."""
    manifest, files = build_bundle(load_run(run_folder))
    write_bundle(out, manifest, files)
    bundle = load_bundle(out)
    parity = manifest["parity"][0]
    click.echo(
        f"{out}: {len(files) + 1} files, {sum(map(len, files.values()))} bytes, "
        f"{len(bundle.references.is_target)} references\n"
        f"ONNX against torch on {parity['recordings']} validation recordings ({parity['beats']} beats): "
        f"logits within {parity['logit_max_abs']:.1g}, {parity['recording_flips']} decisions changed"
    )


if __name__ == "__main__":
    run(export_bundle)
