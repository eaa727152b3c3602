"""Learning curve: recordings right, by the number of days with both states that each method learns from.

    OUT/folds/METHOD/DAYS-DRAW.json    one method, trained on the days of one draw, on all other dates

A day counts that has both states. Draws of days are by the seed; a finished one is a file, so that an interrupted run
goes on where it was.
"""

from collections.abc import Collection
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.datasets.dataset_file import FEWEST_DAYS, Dataset, days_with_both_states
from edge_ecg.errors import DatasetError
from edge_ecg.results import DaysLearned, LearningCurve
from train.data import BeatSet
from train.evaluation.folds import BENCHMARKS, Fold, Method, comparator, pooled, run_folds
from train.evaluation.scores import RecordingScores
from train.fit.loop import Settings
from train.studies.subject import Say, Study, Subject

QUICK = ("logistic, T aligned", "comparator")
METHODS: dict[str, Method] = {
    **{name: BENCHMARKS[name] for name in ("logistic regression", "logistic, T aligned", "same network, no pairs")},
    "comparator": comparator,
}


def draw_days(beats: BeatSet, draws: int, seed: int) -> dict[int, list[Fold]]:
    """By number of days with both states: folds trained on some such days and tested on all other dates.

    Never the same days twice, so that there may be fewer than `draws`. Raises DatasetError if there are too few days.
    """
    dates = sorted(set(beats.dates.tolist()))
    days = days_with_both_states(zip(beats.dates.tolist(), beats.recording_is_target.tolist(), strict=True))
    if len(days) <= FEWEST_DAYS:
        raise DatasetError(f"{len(days)} days have both states, expected {FEWEST_DAYS + 1} at least")
    rng = np.random.default_rng(seed)
    folds = {}
    for number in range(1, len(days)):
        all_draws = list(combinations(days, number))
        chosen = rng.permutation(len(all_draws))[:draws]
        folds[number] = [
            Fold(f"{number}-{draw}", all_draws[index], tuple(d for d in dates if d not in all_draws[index]))
            for draw, index in enumerate(chosen)
        ]
    return folds


def learn_by_days(
    dataset: Dataset,
    beats: BeatSet,
    draws: int,
    seed: int,
    out: Path,
    say: Say,
    only: Collection[str] = tuple(METHODS),
) -> LearningCurve:
    """Let each method learn on every draw of days. only: some of the methods, or all."""
    folds = draw_days(beats, draws, seed)
    methods = {name: (method, Settings(seed=seed)) for name, method in METHODS.items() if name in only}
    rows: dict[str, list[DaysLearned]] = {name: [] for name in methods}
    enough = [days for days in folds if days >= FEWEST_DAYS]
    few = [days for days in folds if days < FEWEST_DAYS]
    for numbers, able in ((few, methods.keys() - {"comparator"}), (enough, methods.keys())):
        together = [fold for days in numbers for fold in folds[days]]
        judged = run_folds(beats, together, {name: methods[name] for name in methods if name in able}, out, say)
        for name, scores in judged.items():
            of_fold = dict(zip((fold.name for fold in together), scores, strict=True))
            rows[name] += [row(days, [of_fold[fold.name] for fold in folds[days]]) for days in numbers]
    methods_rows = {name: tuple(of_method) for name, of_method in rows.items()}
    return LearningCurve(dataset=dataset.name, seed=seed, methods=methods_rows)


def row(days: int, scores: list[RecordingScores]) -> DaysLearned:
    """Recordings of all other dates right: mean, standard deviation and the worst of the draws.

    In the mean each recording counts once, by how often it is right: the more days are learned, the fewer are left to
    judge, and the hard ones among them would weigh more.
    """
    right = [float(s.right.mean()) for s in scores]
    spread = float(np.std(right, ddof=1)) if len(right) > 1 else 0.0
    together = pooled(scores)
    judged_in = {date: sum(date in s.dates for s in scores) for date in set(together.dates.tolist())}
    mean = np.average(together.right, weights=[1 / judged_in[date] for date in together.dates.tolist()])
    return DaysLearned(days=days, draws=len(right), mean=float(mean), sd=spread, worst=min(right))


def plan(subject: Subject) -> dict[str, Any]:
    """Draws of each number of days, and the methods."""
    quick = subject.options.quick
    draws = subject.options.draws or (3 if quick else 12)
    return {"draws": draws, "methods": list(QUICK if quick else METHODS)}


def measure(subject: Subject, out: Path, say: Say) -> LearningCurve:
    """By the number of days to learn from."""
    planned = plan(subject)
    return learn_by_days(subject.dataset, subject.beats, planned["draws"], subject.seed, out, say, planned["methods"])


LEARNING_CURVE = Study(plan, measure)
