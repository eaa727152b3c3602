"""What was measured of a run or a bundle: the JSON files that training, the studies and the export leave."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.bundles.bundle import MANIFEST, PACKED_FROM, load_bundle
from edge_ecg.errors import EdgeEcgError, RunError
from edge_ecg.storage.files import read_json

STUDY = "study"  # the folder of a run in which `train.study` keeps what it measured

Folds = dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]  # by method: date, evidence, is it the target's


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
    overview: dict[str, Any] | None
    confounders: dict[str, Any] | None
    evaluation: dict[str, Any] | None  # of the test dates
    crossval: dict[str, Any] | None
    folds: Folds
    daily_baseline: dict[str, Any] | None
    learning_curve: dict[str, Any] | None
    coarse: tuple[str, ...]  # parts that `train.study --quick` measured
    artefacts: list[dict[str, Any]] | None
    not_made: dict[str, str]  # by artefact, the operation that its form lacks
    tools: dict[str, str]
    files: dict[str, Path]  # where each part was read

    @property
    def dates(self) -> list[str]:
        """All dates of the dataset."""
        return sorted(date for of_set in self.dataset["dates"].values() for date in of_set)

    @property
    def is_group(self) -> bool:
        """Whether sessions are persons, so that the model is of a group."""
        return bool(self.dataset.get("session") == "person")

    def with_bundle(self, bundle: "Findings") -> "Findings | None":
        """This run with the artefacts of a bundle that was made from it, or None if the bundle is of another run."""
        same = bundle.is_bundle and not self.is_bundle and bundle.settings == self.settings
        if not same or bundle.metrics != self.metrics:
            return None
        files = {**self.files, "artefacts": bundle.files["artefacts"]}
        return replace(self, artefacts=bundle.artefacts, not_made=bundle.not_made, tools=bundle.tools, files=files)


def read_findings(path: Path) -> Findings:
    """Read a run with its study, or a bundle.

    Raises EdgeEcgError on what can't be read, and where the parts are not of the same labels, dates and weights.
    """
    parts = _run(path) if (path / "config.json").is_file() else _bundle(path)
    with told(parts["files"]["model"]):
        baseline, target = parts["labels"]
        if not isinstance(baseline, str) or not isinstance(target, str):
            raise RunError(f"{parts['files']['model']}: labels are {parts['labels']}, expected two names")
        dates = {date for of_set in parts["dataset"]["dates"].values() for date in of_set}
    parts["labels"] = (baseline, target)
    study: dict[str, Any] = dict.fromkeys(("crossval", "daily_baseline", "learning_curve"))
    for name in study:
        file = path / STUDY / name / f"{name}.json"
        if parts["is_bundle"] or not file.exists():
            continue
        parts["files"][name] = file
        study[name] = found = read_json(file)
        with told(file):
            other_labels = found.get("labels", [baseline, target]) != [baseline, target]
            if other_labels or not set(found.get("dates", ())) <= dates:
                raise RunError(f"{file}: has other labels or dates than {path}: it is of another dataset")
    folds, crossval = {}, study["crossval"]
    if crossval is not None:
        with told(parts["files"]["crossval"]):
            folds = {m: _folds(path / STUDY / "crossval", m, crossval["dates"]) for m in crossval["methods"]}
    return Findings(source=path, folds=folds, coarse=_coarse(path), **{**parts, **study})


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
    optional: dict[str, Any] = dict.fromkeys(("overview", "confounders", "evaluation"))
    for name in optional:
        if (path / f"{name}.json").exists():
            files[name] = path / f"{name}.json"
            optional[name] = read_json(files[name])
    if optional["evaluation"] is not None:
        optional["evaluation"] = optional["evaluation"].get("test")
    again = {"confounders": f"train.studies.confounders {path}", "evaluation": f"train.evaluate {path} DATASET.toml"}
    for name, command in again.items():
        if optional[name] is not None and optional[name].get("weights_sha256") != weights_sha256(path):
            raise RunError(f"{files[name]}: is of other weights; run python -m {command} again")
    with told(files["metrics"]):
        history = metrics.get("history")
        history = history if history and history["epochs"] else None
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
            "history": history,  # none of adopted weights, which were trained elsewhere
            **optional,
            "artefacts": None,
            "not_made": {},
            "tools": {"torch": config["torch"]},
            "files": files,
        }


def weights_sha256(run: Path) -> str:
    """What tells the weights of a run from those of another."""
    return hashlib.sha256((run / "checkpoint.safetensors").read_bytes()).hexdigest()


def _coarse(run: Path) -> tuple[str, ...]:
    """The parts that were measured with `--quick`."""
    file = run / STUDY / "study.json"
    if not file.exists():
        return ()
    parts = read_json(file)
    with told(file):
        return tuple(name for name, part in parts.items() if part["quick"])


def _bundle(path: Path) -> dict[str, Any]:
    if path.is_dir() and not (path / MANIFEST).exists():
        raise RunError(
            f"{path}: holds neither config.json nor {MANIFEST}, expected a finished training run or a bundle"
        )
    manifest = load_bundle(path).manifest
    if PACKED_FROM in manifest:
        raise RunError(f"{path}: is packed for a device and holds no figures; give the whole bundle")
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
            **dict.fromkeys(("history", "overview", "confounders", "evaluation")),
            "artefacts": manifest["parity"],
            "not_made": manifest.get("not_made") or {},
            "tools": manifest["tools"],
            "files": {"model": file, "metrics": file, "artefacts": file},
        }


def fold_file(crossval: Path, method: str, fold: str) -> Path:
    """Where `train.studies.crossval` keeps what one method says of one fold."""
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
