"""Folds: some dates judged by what a method learned on others, in parallel, each kept in a file.

    OUT/folds/METHOD/FOLD.json     what one method says of the recordings of one fold

A finished fold is a file: an interrupted run goes on where it was. A fold of other beats or settings is done again.
"""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.errors import DatasetError
from edge_ecg.report.findings import fold_file
from edge_ecg.storage.files import read_json, write_json
from edge_ecg.terminal.layout import countdown
from train.data import BeatSet, digest_of
from train.evaluation.baselines import Method
from train.evaluation.scores import RecordingScores
from train.fit.left_out import evidence_of, kept_model
from train.fit.loop import Settings, Trainer
from train.model.architecture import Architecture
from train.parallel import run_tasks


@dataclass(frozen=True)
class Fold:
    """Some dates, judged by what was learned on others."""

    name: str
    learned: tuple[str, ...]
    judged: tuple[str, ...]


def comparator(
    training: BeatSet, judged: BeatSet, settings: Settings, architecture: Architecture | None = None
) -> np.ndarray:
    """A comparator, trained to its last epoch and given references as `train` gives them."""
    with tempfile.TemporaryDirectory() as folder:
        model = Trainer(settings, training, None, Path(folder), architecture).fit()
    return evidence_of(model, training, judged.values, settings)


def kept_comparator(training: BeatSet, judged: BeatSet, settings: Settings, folder: Path) -> np.ndarray:
    """The same, its model kept below a folder for another use."""
    model = kept_model(training, settings, place_of(training, folder))
    return evidence_of(model, training, judged.values, settings)


def place_of(training: BeatSet, folder: Path) -> Path:
    """Where `kept_comparator` keeps the model of some beats."""
    return folder / digest_of(training)[:16]


def leave_one_out(beats: BeatSet) -> list[Fold]:
    """Every date left out once. Raises DatasetError if the dates left have one state only."""
    dates = sorted(set(beats.dates.tolist()))
    for date in dates:
        rest = beats.recording_is_target[beats.dates != date]
        if not 0 < rest.sum() < len(rest):
            raise DatasetError(f"without {date} the dates have one state only, expected both; nothing to train on")
    return [Fold(date, tuple(d for d in dates if d != date), (date,)) for date in dates]


def leave_groups_out(beats: BeatSet, groups: int) -> list[Fold]:
    """Every date left out once, several at a time: quicker, and from fewer dates."""
    dates = sorted(set(beats.dates.tolist()))
    parts = [tuple(dates[first::groups]) for first in range(groups)]
    return [Fold(f"group-{i}", tuple(d for d in dates if d not in part), part) for i, part in enumerate(parts)]


def run_fold(method: Method, settings: Settings, beats: BeatSet, fold: Fold) -> RecordingScores:
    """Let a method learn from some dates, and score the recordings of others."""
    training, judged = beats.on_dates(fold.learned), beats.on_dates(fold.judged)
    return RecordingScores.of(judged, method(training, judged, settings))


def run_folds(
    beats: BeatSet,
    folds: list[Fold],
    methods: dict[str, tuple[Method, Settings]],
    out: Path,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, list[RecordingScores]]:
    """Every fold by every method, in parallel tasks of one thread each. A finished fold is taken from its file."""
    digest = digest_of(beats)
    jobs = {
        fold_file(out.absolute(), name, fold.name): (_key(digest, settings, fold), name, method, settings, fold)
        for name, (method, settings) in reversed(methods.items())  # the longest jobs first
        for fold in folds
    }
    due = {file: job for file, job in jobs.items() if not (file.exists() and read_json(file).get("key") == job[0])}
    if len(due) < len(jobs):
        progress(f"{len(jobs) - len(due)} of {len(jobs)} folds are there already")
    step = countdown(progress, len(due))
    for line in run_tasks(_fold, beats, [(file, *job) for file, job in due.items()]):
        step(line)
    return {name: [_scores_in(fold_file(out, name, fold.name)) for fold in folds] for name in methods}


def _key(digest: str, settings: Settings, fold: Fold) -> str:
    """What a finished fold must have been made from to be taken as it is."""
    return hashlib.sha256(json.dumps([digest, asdict(settings), asdict(fold)]).encode()).hexdigest()


def _fold(beats: BeatSet, file: Path, key: str, name: str, method: Method, settings: Settings, fold: Fold) -> str:
    """Do one fold, write its file, and say how it went."""
    began = time.perf_counter()
    scores = run_fold(method, settings, beats, fold)
    columns = {column: value.tolist() for column, value in asdict(scores).items()}
    write_json(file, {"key": key, "method": name, "date": fold.name, **columns})
    took = time.perf_counter() - began
    return f"{fold.name}  {name}: {scores.right.sum()}/{len(scores.right)} recordings, {took:.0f} s"


def _scores_in(file: Path) -> RecordingScores:
    stored: dict[str, Any] = read_json(file)
    return RecordingScores(**{field.name: np.array(stored[field.name]) for field in fields(RecordingScores)})


def pooled(each: list[RecordingScores]) -> RecordingScores:
    """The recordings of several folds as one."""
    return RecordingScores(
        *(np.concatenate([getattr(s, field.name) for s in each]) for field in fields(RecordingScores))
    )
