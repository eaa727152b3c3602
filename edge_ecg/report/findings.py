"""What was measured of a run or a bundle: the JSON files that training and the studies leave."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.bundle import MANIFEST, load_bundle
from edge_ecg.errors import EdgeEcgError, RunError
from edge_ecg.jsonfile import read_json


@dataclass(frozen=True)
class Findings:
    """All that a report may draw on; what was not measured is None. Each part comes with the file that it is from."""

    source: Path
    is_bundle: bool
    labels: tuple[str, str]
    dataset: dict[str, Any]  # name, dates by set, recordings and beats by set
    architecture: str
    parameters: int
    settings: dict[str, Any]
    best_epoch: int
    metrics: dict[str, Any]  # by set
    history: dict[str, Any] | None
    confounders: dict[str, Any] | None
    crossval: dict[str, Any] | None
    folds: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]  # by method: date, evidence, is it the target's
    daily_baseline: dict[str, Any] | None
    ablations: dict[str, Any] | None
    learning_curve: dict[str, Any] | None
    artefacts: list[dict[str, Any]] | None
    tools: dict[str, str]
    files: dict[str, Path]  # where each part was read


def read_findings(
    path: Path,
    crossval: Path | None = None,
    daily_baseline: Path | None = None,
    ablations: Path | None = None,
    learning_curve: Path | None = None,
) -> Findings:
    """Read a run or a bundle, and what is given beside it.

    Raises EdgeEcgError on what can't be read, and where the parts are not of the same labels and dates.
    """
    parts = _run(path) if (path / "config.json").is_file() else _bundle(path)
    files: dict[str, Path] = parts["files"]
    labels, dataset = parts["labels"], parts["dataset"]
    with told(files["model"]):
        baseline, target = labels
        if not isinstance(baseline, str) or not isinstance(target, str):
            raise RunError(f"{files['model']}: labels are {labels}, expected two names")
        dates = {date for of_set in dataset["dates"].values() for date in of_set}
    parts["labels"] = (baseline, target)
    more: dict[str, Any] = dict.fromkeys(("crossval", "daily_baseline", "ablations", "learning_curve"))
    more["folds"] = {}
    if crossval is not None:
        files["crossval"] = crossval / "crossval.json"
        found = more["crossval"] = read_json(files["crossval"])
        with told(files["crossval"]):
            if found["labels"] != [baseline, target] or not set(found["dates"]) <= dates:
                raise RunError(f"{files['crossval']}: has other labels or dates than {path}: it is of another dataset")
            more["folds"] = {method: _folds(crossval, method, found["dates"]) for method in found["methods"]}
    if daily_baseline is not None:
        files["daily_baseline"] = daily_baseline / "daily_baseline.json"
        found = more["daily_baseline"] = read_json(files["daily_baseline"])
        with told(files["daily_baseline"]):
            if not set(found["dates"]) <= dates:
                raise RunError(f"{files['daily_baseline']}: has other dates than {path}: it is of another dataset")
    if ablations is not None:
        files["ablations"] = ablations / "ablations.json" if ablations.is_dir() else ablations
        more["ablations"] = read_json(files["ablations"])
    if learning_curve is not None:
        files["learning_curve"] = learning_curve / "learning_curve.json"
        more["learning_curve"] = read_json(files["learning_curve"])
    return Findings(source=path, **{**parts, **more})


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What goes wrong in the block is an entry that `path` lacks or that is of the wrong kind: say so in one line."""
    try:
        yield
    except EdgeEcgError:
        raise
    except KeyError as error:
        raise RunError(f"{path}: has no entry {error}, expected what this version writes; make it again") from None
    except (TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise RunError(f"{path}: holds an entry of the wrong kind ({error}); make it again") from None


def _run(path: Path) -> dict[str, Any]:
    files = {"model": path / "config.json", "metrics": path / "metrics.json"}
    config, metrics = read_json(files["model"]), read_json(files["metrics"])
    confounders = None
    if (path / "confounders.json").exists():
        files["confounders"] = path / "confounders.json"
        confounders = read_json(files["confounders"])
        if (
            confounders.get("weights_sha256")
            != hashlib.sha256((path / "checkpoint.safetensors").read_bytes()).hexdigest()
        ):
            raise RunError(f"{files['confounders']}: is of other weights; run python -m train.confounders {path} again")
    with told(files["model"]):
        return {
            "is_bundle": False,
            "labels": config["labels"],
            "dataset": config["dataset"],
            "architecture": config["settings"]["architecture"],
            "parameters": config["parameters"],
            "settings": config["settings"],
            "best_epoch": config["best_epoch"],
            "metrics": {which: metrics[which] for which in ("train", "validation")},
            "history": metrics.get("history"),
            "confounders": confounders,
            "artefacts": None,
            "tools": {"torch": config["torch"]},
            "files": files,
        }


def _bundle(path: Path) -> dict[str, Any]:
    if path.is_dir() and not (path / MANIFEST).exists():
        raise RunError(
            f"{path}: holds neither config.json nor {MANIFEST}, expected a finished training run or a bundle"
        )
    manifest = load_bundle(path).manifest
    file = path / MANIFEST
    with told(file):
        return {
            "is_bundle": True,
            "labels": manifest["labels"],
            "dataset": manifest["training"]["dataset"],
            "architecture": manifest["model"]["architecture"],
            "parameters": manifest["model"]["parameters"],
            "settings": manifest["training"]["settings"],
            "best_epoch": manifest["training"]["best_epoch"],
            "metrics": manifest["metrics"],
            "history": None,
            "confounders": None,
            "artefacts": manifest["parity"],
            "tools": manifest["tools"],
            "files": {"model": file, "metrics": file, "artefacts": file},
        }


def fold_file(crossval: Path, method: str, fold: str) -> Path:
    """Where `train.crossval` keeps what one method says of one fold."""
    return crossval / "folds" / method.replace(" ", "-") / f"{fold}.json"


def _folds(crossval: Path, method: str, dates: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a method says of every recording of dates left out."""
    judged: list[tuple[str, float, bool]] = []
    for date in dates:
        for name in (method, date):  # from a file: it must not lead out of the folder
            if name != Path(name).name or name == "..":
                raise RunError(f"{crossval}: {name!r} is no name of a method or date")
        file = fold_file(crossval, method, date)
        fold = read_json(file)
        with told(file):
            for evidence, is_target in zip(fold["evidence"], fold["is_target"], strict=True):
                judged.append((date, float(evidence), bool(is_target)))
    return np.array([j[0] for j in judged]), np.array([j[1] for j in judged]), np.array([j[2] for j in judged], bool)
