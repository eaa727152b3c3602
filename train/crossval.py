"""`python -m train.crossval`: every date judged by models that have not seen it, beside baselines in one table.

    OUT/beats.safetensors          the beats of all dates
    OUT/folds/METHOD/DATE.json     what one method, trained on all other dates, says of the recordings of this one
    OUT/folds/METHOD/split.json    the same, trained on the dataset file's train dates, of its validation and test dates
    OUT/crossval.json, .txt        the figures, and as a table

A finished fold is a file: an interrupted run goes on where it was. A fold of other beats or settings is done again.
"""

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from edge_ecg.console import run_command
from edge_ecg.contract import CONTRACT
from edge_ecg.datasets.dataset_file import SETS, read_dataset
from edge_ecg.errors import DatasetError
from edge_ecg.report.findings import fold_file
from train.data import BeatSet, read_beats
from train.decision.decide import decide
from train.decision.references import bank_of, choose_references
from train.evaluation.baselines import BASELINES, all_the_same
from train.evaluation.scores import RecordingScores, counts, earned_its_place, figures, table
from train.fit.loop import Settings, Trainer, recipe
from train.model.architectures import ARCHITECTURES, DEFAULT_ARCHITECTURE
from train.model.model import embed
from train.run import read_beats as read_stored_beats
from train.run import read_json, write_beats, write_file, write_json


def methods_for(beats: BeatSet, architectures: Iterable[str], seed: int) -> dict[str, Settings]:
    """Every baseline that has something to go by in these recordings, then the comparators, each with its settings."""
    silent = all_the_same(beats)
    baselines = {name: Settings(seed=seed) for name in BASELINES if name not in silent}
    return {**baselines, **{architecture: recipe(architecture, seed) for architecture in architectures}}


@dataclass(frozen=True)
class Fold:
    """Some dates, judged by what was learned on others."""

    name: str
    learned: tuple[str, ...]
    judged: tuple[str, ...]


def leaving_out(beats: BeatSet, date: str) -> Fold:
    """The fold that judges one date. Raises DatasetError if the others have one state only."""
    rest = beats.recording_is_target[beats.dates != date]
    if not 0 < rest.sum() < len(rest):
        raise DatasetError(f"without {date} the dates have one state only, expected both; nothing to train on")
    return Fold(date, tuple(sorted(set(beats.dates.tolist()) - {date})), (date,))


def leave_one_out(beats: BeatSet) -> list[Fold]:
    """Every date left out once. Raises DatasetError."""
    return [leaving_out(beats, date) for date in sorted(set(beats.dates.tolist()))]


def run_fold(method: str, settings: Settings, beats: BeatSet, fold: Fold) -> RecordingScores:
    """Train a method, a baseline's name or any other for a comparator, and let it judge what it has not seen."""
    training, held_out = beats.on_dates(fold.learned), beats.on_dates(fold.judged)
    if method in BASELINES:
        return RecordingScores.of(held_out, BASELINES[method](training, held_out, settings.seed))
    return comparator_scores(settings, training, held_out)


def comparator_scores(settings: Settings, training: BeatSet, held_out: BeatSet) -> RecordingScores:
    """Train a comparator on some beats, and let it judge others."""
    with tempfile.TemporaryDirectory() as folder:
        model = Trainer(settings, training, None, Path(folder)).fit()
    embeddings = embed(model, training.values)
    references = bank_of(training, embeddings, choose_references(training, embeddings, settings.references_per_state))
    judgement = decide(model, references, held_out, ("baseline", "target"), CONTRACT.voting)
    return RecordingScores.of(held_out, judgement.evidence)


def cross_validate(
    beats: BeatSet, methods: dict[str, Settings], out: Path, progress: Callable[[str], None] = lambda line: None
) -> dict[str, RecordingScores]:
    """Every date by every method that has not seen it, as `run_folds` does it; all dates as one."""
    return {m: pooled(each) for m, each in run_folds(beats, leave_one_out(beats), methods, out, progress).items()}


def run_folds(
    beats: BeatSet, folds: list[Fold], methods: dict[str, Settings], out: Path, progress: Callable[[str], None]
) -> dict[str, list[RecordingScores]]:
    """Every fold by every method, in parallel processes of one thread each.

    methods: by name, as `run_fold` takes them. A finished fold is taken from its file.
    """
    write_beats(out / "beats.safetensors", {"all": beats})
    digest = digest_of(beats)
    jobs = {
        fold_file(out, method, fold.name): (_key(digest, settings, fold), method, settings, fold)
        for method, settings in reversed(methods.items())  # the longest jobs first
        for fold in folds
    }
    due = {file: job for file, job in jobs.items() if not (file.exists() and read_json(file).get("key") == job[0])}
    if len(due) < len(jobs):
        progress(f"{len(jobs) - len(due)} of {len(jobs)} folds are there already")
    with ProcessPoolExecutor(one_thread_each(len(due)), get_context("spawn")) as pool:
        futures = [pool.submit(_fold, out, file, *job) for file, job in due.items()]
        try:
            for done, future in enumerate(as_completed(futures), 1):
                progress(f"{done:3}/{len(due)}  {future.result()}")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return {method: [_scores_of(read_json(fold_file(out, method, f.name))) for f in folds] for method in methods}


def _key(digest: str, settings: Settings, fold: Fold) -> str:
    """What a finished fold must have been made from to be taken as it is."""
    return hashlib.sha256(json.dumps([digest, asdict(settings), asdict(fold)]).encode()).hexdigest()


def one_thread_each(jobs: int) -> int:
    """How many processes there shall be for some jobs; those that begin from now on have one thread."""
    os.environ["OMP_NUM_THREADS"] = "1"
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(cores, jobs))


def digest_of(beats: BeatSet) -> str:
    """What tells these beats from others: the hash of their numbers, names and labels."""
    columns = beats.dates, beats.recording_is_target, beats.sample_rates_hz
    labels = json.dumps([beats.sources, *(column.tolist() for column in columns)])
    return hashlib.sha256(beats.values.tobytes() + beats.recording.tobytes() + labels.encode()).hexdigest()


@cache
def _stored(path: Path) -> BeatSet:
    return read_stored_beats(path)["all"]


def _fold(out: Path, file: Path, key: str, method: str, settings: Settings, fold: Fold) -> str:
    """Do one fold in a process of its own, write its file, and say how it went."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    scores = run_fold(method, settings, _stored(out / "beats.safetensors"), fold)
    columns = {name: value.tolist() for name, value in asdict(scores).items()}
    write_json(file, {"key": key, "method": method, "date": fold.name, **columns})
    took = time.perf_counter() - began
    return f"{fold.name}  {method}: {scores.right.sum()}/{len(scores.right)} recordings, {took:.0f} s"


def _scores_of(stored: dict[str, Any]) -> RecordingScores:
    return RecordingScores(**{field.name: np.array(stored[field.name]) for field in fields(RecordingScores)})


def pooled(each: list[RecordingScores]) -> RecordingScores:
    """The recordings of several folds as one."""
    return RecordingScores(
        *(np.concatenate([getattr(v, field.name) for v in each]) for field in fields(RecordingScores))
    )


@click.command()
@click.argument("dataset_file", metavar="DATASET.toml", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for folds and figures.")
@click.option("--data", type=click.Path(path_type=Path), help="Where the recordings are [beside DATASET.toml].")
@click.option(
    "--arch",
    "architectures",
    multiple=True,
    type=click.Choice(list(ARCHITECTURES)),
    default=(DEFAULT_ARCHITECTURE, "positional"),
    show_default=True,
    help="The comparator; given again, one more baseline.",
)
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def crossval(
    dataset_file: Path, out: Path, data: Path | None, architectures: tuple[str, ...], seed: int, as_json: bool
) -> None:
    """How comparators and baselines decide on dates that they have not seen: each left out once, then by the split."""
    dataset = read_dataset(dataset_file, data)
    entries = [entry for which in SETS for entry in dataset.entries(which)]
    with click.progressbar(entries, label="reading recordings", file=sys.stderr) as bar:
        beats = read_beats(bar)
    methods = methods_for(beats, architectures, seed)
    split = Fold("split", dataset.dates["train"], dataset.dates["validation"] + dataset.dates["test"])
    folds = [*leave_one_out(beats), split]
    judged = run_folds(beats, folds, methods, out, lambda line: click.echo(line, err=True))
    scores = {method: pooled(each[:-1]) for method, each in judged.items()}
    result = {
        "dataset": dataset.name,
        "labels": dataset.labels,
        "seed": seed,
        "dates": sorted(set(beats.dates.tolist())),
        "all_the_same": all_the_same(beats),
        "methods": {method: figures(v) for method, v in scores.items()},
        "split": {
            "dates": dataset.dates,
            "methods": {
                method: {which: counts(each[-1].on_dates(dataset.dates[which])) for which in ("validation", "test")}
                for method, each in judged.items()
            },
        },
        "verdict": earned_its_place(architectures[0], scores),
    }
    write_json(out / "crossval.json", result)
    write_file(out / "crossval.txt", (table(result) + "\n").encode())
    click.echo(json.dumps(result) if as_json else table(result))


if __name__ == "__main__":
    run_command(crossval)
