"""The records of a run or a bundle, from the JSON files that training, the studies and the export leave."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.bundles.bundle import MANIFEST, PACKED_FROM, load_bundle
from edge_ecg.errors import EdgeEcgError, RunError
from edge_ecg.results import (
    ArtifactParity,
    Confounders,
    Crossval,
    DatasetFacts,
    DayBaselineDecisions,
    Dose,
    Evaluation,
    FoldScores,
    History,
    LearningCurve,
    Overview,
    Placebo,
    Record,
    Rivals,
    RunConfig,
    RunMetrics,
    SessionPlan,
    SetMetrics,
    StudyNote,
    convert_record,
    read_record,
)

STUDIED, STUDY = "study", "study.json"  # the folder of a run in which `train.study` keeps its records, and their list

Folds = dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]  # by method: date, evidence, is it the target's


@dataclass(frozen=True)
class Findings:
    """All records that a report draws on; None for those not measured. Each comes with the file that it is from."""

    source: Path
    is_bundle: bool
    labels: tuple[str, str]
    dataset: DatasetFacts
    architecture: str
    parameters: int
    settings: dict[str, Any]
    best_epoch: int
    metrics: dict[str, SetMetrics]
    history: History | None
    overview: Overview | None
    confounders: Confounders | None
    evaluation: Evaluation | None  # of the test dates
    crossval: Crossval | None
    folds: Folds
    day_baseline: DayBaselineDecisions | None
    learning_curve: LearningCurve | None
    dose: Dose | None  # where values were measured beside the recordings
    rivals: Rivals | None
    placebo: Placebo | None
    plan: SessionPlan | None
    coarse: tuple[str, ...]  # parts that `train.study --quick` measured
    artifacts: tuple[ArtifactParity, ...] | None
    not_made: dict[str, str]  # by artifact, the operation that its form lacks
    tools: dict[str, str]
    files: dict[str, Path]  # where each part was read

    @property
    def dates(self) -> list[str]:
        """All dates of the dataset."""
        return sorted(date for of_set in self.dataset.dates.values() for date in of_set)

    @property
    def is_group(self) -> bool:
        """Whether sessions are persons, so that the model is of a group."""
        return self.dataset.session == "person"

    def with_bundle(self, bundle: "Findings") -> "Findings | None":
        """This run with the artifacts of a bundle that was made from it, or None if the bundle is of another run."""
        same = bundle.is_bundle and not self.is_bundle and bundle.settings == self.settings
        if not same or bundle.metrics != self.metrics:
            return None
        files = {**self.files, "artifacts": bundle.files["artifacts"]}
        return replace(self, artifacts=bundle.artifacts, not_made=bundle.not_made, tools=bundle.tools, files=files)


STUDIES: dict[str, type[Record]] = {
    "crossval": Crossval,
    "day_baseline": DayBaselineDecisions,
    "learning_curve": LearningCurve,
    "dose": Dose,
    "rivals": Rivals,
    "placebo": Placebo,
    "plan": SessionPlan,
}


def read_findings(path: Path) -> Findings:
    """Read a run with its study, or a bundle.

    Raises EdgeEcgError on what can't be read, and where the parts are not of the same labels, dates and weights.
    """
    parts = _run(path) if (path / "config.json").is_file() else _bundle(path)
    dates = {date for of_set in parts["dataset"].dates.values() for date in of_set}
    study: dict[str, Any] = dict.fromkeys(STUDIES)
    for name, kind in STUDIES.items():
        file = path / STUDIED / name / f"{name}.json"
        if parts["is_bundle"] or not file.exists():
            continue
        parts["files"][name] = file
        study[name] = found = read_record(file, kind)
        labels, of_study = getattr(found, "labels", parts["labels"]), getattr(found, "dates", ())
        if labels != parts["labels"] or not set(of_study) <= dates:
            raise RunError(f"{file}: has other labels or dates than {path}: it is of another dataset")
    folds, crossval = {}, study["crossval"]
    if crossval is not None:
        folds = {method: _folds(path / STUDIED / "crossval", method, crossval.dates) for method in crossval.methods}
    return Findings(source=path, folds=folds, coarse=_coarse(path), **{**parts, **study})


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file whose numbers, each of the right kind, make no sense together."""
    try:
        yield
    except EdgeEcgError:
        raise
    except KeyError as error:
        raise RunError(f"{path}: has no entry {error}, expected what this version writes; make it again") from None
    except (TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise RunError(f"{path}: can't be drawn ({error}); make it again") from None


def _run(path: Path) -> dict[str, Any]:
    files = {"model": path / "config.json", "metrics": path / "metrics.json"}
    config, metrics = read_record(files["model"], RunConfig), read_record(files["metrics"], RunMetrics)
    found: dict[str, Any] = {}
    for name, kind in (("overview", Overview), ("confounders", Confounders), ("evaluation", dict[str, Evaluation])):
        file = path / f"{name}.json"
        found[name] = read_record(file, kind) if file.exists() else None
        files |= {name: file} if found[name] is not None else {}
    found["evaluation"] = (found["evaluation"] or {}).get("test")
    again = {
        "confounders": f"train.study {path} DATASET.toml --only confounders",
        "evaluation": f"train.evaluate {path} DATASET.toml",
    }
    for name, command in again.items():
        if found[name] is not None and found[name].weights_sha256 != weights_sha256(path):
            raise RunError(f"{files[name]}: is of other weights; run python -m {command} again")
    return {
        "is_bundle": False,
        "labels": config.labels,
        "dataset": config.dataset,
        "architecture": str(config.settings.get("architecture")),
        "parameters": config.parameters,
        "settings": config.settings,
        "best_epoch": config.best_epoch,
        "metrics": {"train": metrics.train, "validation": metrics.validation},
        "history": metrics.history if metrics.history.epochs else None,
        **found,
        "artifacts": None,
        "not_made": {},
        "tools": {"torch": config.torch},
        "files": files,
    }


def weights_sha256(run: Path) -> str:
    """Hash of the weights of a run."""
    return hashlib.sha256((run / "checkpoint.safetensors").read_bytes()).hexdigest()


def _coarse(run: Path) -> tuple[str, ...]:
    """The parts that were measured with `--quick`."""
    file = run / STUDIED / STUDY
    return (
        tuple(n for n, note in read_record(file, dict[str, StudyNote]).items() if note.quick) if file.exists() else ()
    )


def _bundle(path: Path) -> dict[str, Any]:
    if path.is_dir() and not (path / MANIFEST).exists():
        raise RunError(
            f"{path}: contains neither config.json nor {MANIFEST}, expected a finished training run or a bundle"
        )
    manifest = load_bundle(path).manifest
    if PACKED_FROM in manifest:
        raise RunError(f"{path}: is packed for a device and has no results; give the whole bundle")
    file = path / MANIFEST
    with naming(file):
        baseline, target = manifest["labels"]
        metrics = dict(manifest["metrics"])
        evaluation = metrics.pop("test", None)
        return {
            "is_bundle": True,
            "labels": (baseline, target),
            "dataset": convert_record(file, manifest["training"]["dataset"], DatasetFacts),
            "architecture": manifest["model"]["architecture"],
            "parameters": manifest["model"]["parameters"],
            "settings": manifest["training"]["settings"],
            "best_epoch": manifest["training"]["best_epoch"],
            "metrics": convert_record(file, metrics, dict[str, SetMetrics]),
            "evaluation": evaluation and convert_record(file, evaluation, Evaluation),
            **dict.fromkeys(("history", "overview", "confounders")),
            "artifacts": convert_record(file, manifest["parity"], tuple[ArtifactParity, ...]),
            "not_made": manifest.get("not_made") or {},
            "tools": manifest["tools"],
            "files": {"model": file, "metrics": file, "artifacts": file},
        }


def fold_file(crossval: Path, method: str, fold: str) -> Path:
    """File of the scores of a method on a fold."""
    return crossval / "folds" / method.replace(" ", "-") / f"{fold}.json"


def _folds(crossval: Path, method: str, dates: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Date, evidence and state of every recording of dates left out, by one method."""
    judged: list[tuple[str, float, bool]] = []
    for date in dates:
        for name in (method, date):  # from a file: it must not lead out of the folder
            if name != Path(name).name or name == "..":
                raise RunError(f"{crossval}: {name!r} is no name of a method or date")
        file = fold_file(crossval, method, date)
        fold = read_record(file, FoldScores)
        with naming(file):
            judged += [(date, *recording) for recording in zip(fold.evidence, fold.is_target, strict=True)]
    return np.array([j[0] for j in judged]), np.array([j[1] for j in judged]), np.array([j[2] for j in judged], bool)
