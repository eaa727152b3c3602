"""`python -m train.study`: everything that the report of a run draws on, in one go.

    RUN/study/PART/         what the command of that part writes, with its folds
    RUN/study/study.json    of each finished part: what it was made from, when, and how long it took
    RUN/confounders.json    as `python -m train.studies.confounders` writes it

A finished part of the same recordings and settings is not done again, and an interrupted one goes on where it was.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import torch

from edge_ecg.datasets.dataset_file import Dataset, read_dataset
from edge_ecg.errors import RunError
from edge_ecg.storage.files import read_json, write_json
from edge_ecg.terminal.console import claim_folder, columns, duration, run_command
from train.data import BeatSet, digest_of, read_sets
from train.evaluation.folds import BASELINES
from train.fit.loop import settings_for
from train.options import DATASET, RUN, given_beats, on_scheduler
from train.run import Run, load_run
from train.studies import crossval, learning_curve
from train.studies import day_baseline as daily_baseline
from train.studies.confounders import CONFOUNDERS, confounders

STUDY, PARTS_FILE = "study", "study.json"
# Half of the time goes into these, and `--quick` is to be quick.
SLOW = ("supervised network",)


@dataclass(frozen=True)
class Study:
    """A run and the recordings that it is studied with."""

    run: Run
    dataset: Dataset
    beats: BeatSet
    quick: bool

    @property
    def architecture(self) -> str:
        return str(self.run.config["settings"]["architecture"])

    @property
    def seed(self) -> int:
        return int(self.run.config["settings"]["seed"])


def crossval_part(study: Study, out: Path, say: Callable[[str], None]) -> None:
    """Every date left out, beside baselines."""
    others = [] if study.quick else [name for name in ("aligned", "positional") if name != study.architecture]
    baselines = [name for name in BASELINES if not (study.quick and name in SLOW)]
    ours = [study.architecture, *others]
    crossval.cross_validate(study.dataset, study.beats, ours, study.seed, out, say, baselines)


def daily_baseline_part(study: Study, out: Path, say: Callable[[str], None]) -> None:
    """The day's baseline and enrolment."""
    seeds = range(study.seed, study.seed + (1 if study.quick else 5))
    trainings = [settings_for(study.architecture, seed) for seed in seeds]
    daily_baseline.day_baseline_study(study.dataset, study.beats, trainings, out, say)


def learning_curve_part(study: Study, out: Path, say: Callable[[str], None]) -> None:
    """By the number of days to learn from."""
    draws, only = (3, ("logistic, T aligned", "comparator")) if study.quick else (12, tuple(learning_curve.METHODS))
    learning_curve.learn_by_days(study.dataset, study.beats, draws, study.seed, out, say, only)


@dataclass(frozen=True)
class Part:
    """One study: what does it, the file that it ends with, and what else it writes."""

    do: Callable[[Study, Path, Callable[[str], None]], None]
    file: str
    writes: tuple[str, ...]


PARTS = {
    "daily_baseline": Part(daily_baseline_part, daily_baseline.FIGURES, daily_baseline.WRITES),
    "crossval": Part(crossval_part, "crossval.json", crossval.WRITES),
    "learning_curve": Part(learning_curve_part, "learning_curve.json", learning_curve.WRITES),
}
NAMES = ("confounders", *PARTS)


def chosen(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """The parts that `--only` names, in our order."""
    if value is None:
        return NAMES
    named = value.split(",")
    if unknown := [name for name in named if name not in NAMES]:
        raise click.BadParameter(f"{', '.join(unknown)!r} is no part; the parts are {', '.join(NAMES)}")
    return tuple(name for name in NAMES if name in named)


@click.command()
@RUN
@DATASET
@click.option("--data", type=click.Path(path_type=Path), help="Where the recordings are [beside DATASET.toml].")
@given_beats
@click.option("--quick", is_flag=True, help="A coarse answer in minutes: fewer trainings, draws and baselines.")
@click.option("--only", "parts", callback=chosen, metavar="PART,PART", help=f"Of {', '.join(NAMES)}.")
@on_scheduler
def study(
    run_folder: Path,
    dataset_file: Path,
    data: Path | None,
    beats_file: Path | None,
    quick: bool,
    parts: tuple[str, ...],
) -> None:
    """Measure what `edge-ecg report RUN` draws: dates left out beside baselines, the day's baseline, days.

    Dates are left out one at a time, test dates among them; the run's own model and its choice see none of this.
    """
    torch.set_num_threads(1)
    began = time.perf_counter()
    run, dataset = load_run(run_folder), read_dataset(dataset_file, data)
    _require_same_dataset(run, dataset)
    studied = Study(run, dataset, read_sets(dataset, beats_file=beats_file), quick)
    claim_folder(run_folder, "train", (STUDY, CONFOUNDERS))
    rows = []
    for number, name in enumerate(parts, 1):
        click.echo(f"part {number} of {len(parts)}: {name}", err=True)
        took_s = _confounders(run) if name == "confounders" else _do(studied, name)
        rows.append([name, "there already" if took_s is None else duration(took_s)])
    rows.append(["all", duration(time.perf_counter() - began)])
    click.echo("\n".join([*columns(rows), f"to see it: edge-ecg report {run_folder} --out report.html"]))


def _require_same_dataset(run: Run, dataset: Dataset) -> None:
    learned = {which: tuple(dates) for which, dates in run.config["dataset"]["dates"].items()}
    if learned != dataset.sessions or run.labels != dataset.labels:
        raise RunError(f"{run.path}: is of other labels or dates than {dataset.name!r}; give the dataset of the run")


def _confounders(run: Run) -> float:
    began = time.perf_counter()
    write_json(run.path / CONFOUNDERS, confounders(run))
    return time.perf_counter() - began


def _do(study: Study, name: str) -> float | None:
    """Do one part and note it; how many seconds it took, or None if it was finished before."""
    folder, part = study.run.path / STUDY, PARTS[name]
    finished = read_json(folder / PARTS_FILE) if (folder / PARTS_FILE).exists() else {}
    # A finer answer serves as a coarser one.
    wanted = {key_of(study, name, quick) for quick in {False, study.quick}}
    if finished.get(name, {}).get("key") in wanted and (folder / name / part.file).exists():
        return None
    began = time.perf_counter()
    claim_folder(folder / name, "train", part.writes)
    part.do(study, folder / name, lambda line: click.echo(line, err=True))
    took_s = time.perf_counter() - began
    note: dict[str, Any] = {
        "key": key_of(study, name, study.quick),
        "quick": study.quick,
        "finished": datetime.now().astimezone().isoformat(timespec="seconds"),
        "took_s": round(took_s, 1),
    }
    write_json(folder / PARTS_FILE, finished | {name: note})
    return took_s


def key_of(study: Study, name: str, quick: bool) -> str:
    """What a finished part must have been made from to be taken as it is."""
    made_from = [digest_of(study.beats), study.dataset.sessions, study.run.config["settings"], name, quick]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()


if __name__ == "__main__":
    run_command(study)
