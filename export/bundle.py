"""`python -m export.bundle`: one folder with everything that a device needs, written when all of it agrees."""

import json
import runpy
from collections.abc import Collection
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import jinja2
import msgspec
import numpy as np

from edge_ecg.bundles.bundle import GOLDEN, load_bundle, refuse_to_lose, write_bundle
from edge_ecg.contract import INTENDED_USE
from edge_ecg.errors import RunError
from edge_ecg.report.artifact_table import artifact_table
from edge_ecg.report.findings import weights_sha256
from edge_ecg.results import Evaluation, percent, read_record, upper_bound_95
from edge_ecg.storage.files import refuse_overlap, require_place
from export.formats.litert import require_litert
from export.gate.parity_check import REFERENCE_MODEL
from export.gate.pictures import PICTURE, picture
from export.pipeline import ARTIFACTS, ON_DEMAND, REFERENCE_ARTIFACT, Exported, export_run, golden
from train.data import BeatSet
from train.evaluate import EVALUATION
from train.fit.decision import RECORDINGS_PASSED_PERCENTILE, decide
from train.fit.loop import Settings, left_out_limits
from train.run import FOLDS, Run, load_run

CARD = "README.md"


def model_card(manifest: dict[str, Any]) -> bytes:
    """The card in Markdown with a metadata block. It names dates, never files or persons."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("export"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
    )
    levels = manifest["levels"] or {}
    text = environment.get_template("model_card.md").render(
        m={"enrollment": None, **manifest},
        sets=[_of_set(which, figures) for which, figures in manifest["metrics"].items()],
        dates=[levels.get(state, {}).get("dates", 0) for state in ("baseline", "target")],
    )
    return text.encode()


def _of_set(which: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Figures of a set for the card; where no decision is wrong, with how many dates may err all the same."""
    sessions, decided = len(figures["dates"]), figures["sequential"]
    wrong = f"{decided['wrong']} wrong"
    if which != "train" and not decided["wrong"]:
        wrong += f" (up to {percent(upper_bound_95(0, sessions))} of dates may err)"
    return {"set": which, "wrong": wrong, **figures}


TOOLS = ("edge-ecg", "torch", "onnx", "onnxruntime", "coremltools", "numpy", "scipy")


def build_bundle(run: Run, chosen: np.ndarray, exported: Exported) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Manifest and files of a bundle of artifacts with `chosen` training beats as references."""
    distribution = exported.bank.distribution
    files = {
        **exported.files,
        GOLDEN: json.dumps(golden(run, exported)).encode(),
        REFERENCE_MODEL: exported.reference.to_bytes(),
        PICTURE: picture(exported.parities),
    }
    manifest = {
        "intended_use": INTENDED_USE,
        "labels": list(run.labels),
        "contract": run.contract.to_json(),
        "levels": run.config["levels"],
        "guards": run.config["guards"],
        "model": {"architecture": exported.reference.architecture, "parameters": run.config["parameters"]},
        "training": {key: run.config[key] for key in ("settings", "dataset", "best_epoch")},
        "references": [run.training.sources[run.training.recording[beat]] for beat in chosen],
        "range": distribution
        and {
            "limit": distribution.limit,
            "false_alarms_on_dates_left_out": round(1 - RECORDINGS_PASSED_PERCENTILE / 100, 2),
        },
        "metrics": {
            which: msgspec.to_builtins(decide(run.model, exported.bank, beats, run.rule).metrics())
            for which, beats in (("train", run.training), ("validation", run.validation))
        }
        | evaluated(run),
        "parity": msgspec.to_builtins(exported.parities),
        "not_made": exported.not_made,
        "tools": {tool: version(tool) for tool in TOOLS},
    }
    return manifest, {**files, CARD: model_card(manifest)}


def evaluated(run: Run) -> dict[str, Any]:
    """Metrics of the test dates by `train.evaluate`, if it was run on these weights and references."""
    file = run.path / EVALUATION
    test = read_record(file, dict[str, Evaluation]).get("test") if file.exists() else None
    per_state = run.config["settings"]["references_per_state"]
    if test is None or test.weights_sha256 != weights_sha256(run.path) or test.references_per_state != per_state:
        return {}
    return {"test": msgspec.to_builtins(test)}


def with_references_per_state(run: Run, per_state: int) -> Run:
    """The run with another number of references of each state, and limits for them from the models that it kept."""
    if "adopted" in run.config:  # its levels go with its references, and there is nothing to train others from
        raise RunError(f"{run.path}: adopted weights; give --references to python -m train.adopt")
    settings = {**run.config["settings"], "references_per_state": per_state}
    limits = left_out_limits(BeatSet.joined([run.training, run.validation]), Settings(**settings), run.path / FOLDS)
    return replace(run, config={**run.config, "settings": settings, **limits})


def write_bundle_of_run(run_folder: Path, out: Path, per_state: int | None, only: Collection[str]) -> None:
    """The work of `python -m export.bundle`; `only` are the formats to write."""
    if "litert" in only:
        require_litert()
    refuse_overlap(out, [run_folder])
    refuse_to_lose(out)
    require_place(out)
    run = load_run(run_folder)
    if per_state:
        run = with_references_per_state(run, per_state)
    chosen = run.references()[0]
    known = (*ARTIFACTS, *ON_DEMAND)
    artifacts = tuple(a for a in known if a.name == REFERENCE_ARTIFACT or a.name.split()[0] in only)
    exported = export_run(run, chosen, artifacts)
    manifest, files = build_bundle(run, chosen, exported)
    write_bundle(out, manifest, files)
    bundle = load_bundle(out)
    click.echo("\n".join(artifact_table(exported.parities, exported.not_made)))
    click.echo(
        f"{out}: {len(files) + 1} files, {sum(map(len, files.values())):,} bytes, "
        f"{len(bundle.references.is_target)} references"
    )
    click.echo(f"Next: edge-ecg replay {out} RECORDING...")


if __name__ == "__main__":
    runpy.run_module("export", run_name="__main__")
