"""Every date tested with models of the other dates, beside benchmark methods.

OUT/folds/METHOD/DATE.json     one method, trained on all other dates, on the recordings of this one
OUT/folds/METHOD/split.json    the same, trained on the dataset file's train dates, on its validation and test dates;
                               not of the run's own comparator, which `train` and `train.evaluate` have measured there
"""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edge_ecg.datasets.dataset_file import Dataset
from edge_ecg.results import Crossval, Split
from train.data import BeatSet
from train.evaluation.folds import (
    BENCHMARKS,
    SLOW,
    Fold,
    Method,
    all_the_same,
    comparator,
    finished_comparator,
    leave_one_out,
    pooled,
    run_folds,
)
from train.evaluation.scores import beside_the_best, method_scores, scores_of, verdict
from train.fit.loop import Settings, settings_for
from train.model import DEFAULT_ARCHITECTURE
from train.studies.subject import Say, Study, Subject

OTHERS = ("aligned", "positional")  # comparators that are benchmark methods beside another one


def methods_for(
    beats: BeatSet,
    architectures: Iterable[str],
    seed: int,
    benchmarks: Iterable[str] = tuple(BENCHMARKS),
    epochs: int | None = None,
    compared: Method = comparator,
) -> dict[str, tuple[Method, Settings]]:
    """Benchmark methods that have something to go by in these recordings, then comparators, each with its settings."""
    silent = all_the_same(beats)
    usual = settings_for(DEFAULT_ARCHITECTURE, seed, epochs)
    return {
        **{name: (BENCHMARKS[name], usual) for name in benchmarks if name not in silent},
        **{name: (compared, settings_for(name, seed, epochs)) for name in architectures},
    }


def cross_validate(
    dataset: Dataset,
    beats: BeatSet,
    architectures: Sequence[str],
    seed: int,
    out: Path,
    say: Say,
    benchmarks: Collection[str] = tuple(BENCHMARKS),
    epochs: int | None = None,
    compared: Method = comparator,
) -> Crossval:
    """Judge every date by models that have not seen it, and the dataset's own split by benchmark methods.

    architectures: ours first, the others are benchmark methods. epochs: in place of the usual number. compared: how a
    comparator is trained and judges.
    """
    methods = methods_for(beats, architectures, seed, benchmarks, epochs, compared)
    split = Fold("split", dataset.sessions["train"], dataset.sessions["validation"] + dataset.sessions["test"])
    scores = {name: pooled(each) for name, each in run_folds(beats, leave_one_out(beats), methods, out, say).items()}
    others = {name: method for name, method in methods.items() if name != architectures[0]}
    return Crossval(
        dataset=dataset.name,
        labels=dataset.labels,
        seed=seed,
        dates=tuple(sorted(set(beats.dates.tolist()))),
        all_the_same=tuple(all_the_same(beats)),
        methods={method: method_scores(v) for method, v in scores.items()},
        split=Split(
            dates=dataset.sessions,
            methods={
                method: {w: scores_of(judged.on_dates(dataset.sessions[w])) for w in ("validation", "test")}
                for method, (judged,) in run_folds(beats, [split], others, out, say).items()
            },
        ),
        beside=beside_the_best(architectures[0], scores),
        verdict=verdict(architectures[0], scores),
    )


def plan(subject: Subject) -> dict[str, Any]:
    """The comparators, the run's own first, and the benchmark methods."""
    options, own = subject.options, subject.architecture
    others, benchmarks = options.architectures, options.benchmarks
    if others is None:
        others = () if options.quick else OTHERS
    if benchmarks is None:
        benchmarks = tuple(name for name in BENCHMARKS if not (options.quick and name in SLOW))
    return {"architectures": [own, *(name for name in others if name != own)], "benchmarks": list(benchmarks)}


def measure(subject: Subject, out: Path, say: Say) -> Crossval:
    """Leave every date out, beside benchmark methods."""
    planned = plan(subject)
    architectures, benchmarks = planned["architectures"], planned["benchmarks"]
    compared = partial(finished_comparator, folder=out.parent / "day_baseline" / "folds")  # which leaves out the same
    return cross_validate(
        subject.dataset, subject.beats, architectures, subject.seed, out, say, benchmarks, compared=compared
    )


CROSSVAL = Study(plan, measure)
