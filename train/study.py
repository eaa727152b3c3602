"""`python -m train.study`: everything that the report of a run draws on, in one go, or the studies that `--only` names.

    RUN/study/NAME/NAME.json    the record of a study, with its folds beside it
    RUN/study/study.json        of each finished study: what it was made from, when, and how long it took
    RUN/confounders.json        the record of confounders, which training leaves as well

A finished study of the same recordings, settings and options is not done again, and an interrupted one goes on.
"""

import hashlib
import json
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click
import torch

from edge_ecg.datasets.dataset_file import Dataset, read_dataset
from edge_ecg.errors import RunError
from edge_ecg.report.findings import STUDIED, STUDY, read_findings
from edge_ecg.report.summary import summary
from edge_ecg.results import StudyNote, read_record, write_record
from edge_ecg.terminal.console import claim_folder, columns, duration, run_command, wrapped
from train.data import digest_of, read_sets
from train.evaluation.folds import SLOW
from train.options import DATA, DATASET, RUN, compared, given_beats, on_scheduler
from train.run import Run, load_run
from train.studies.confounders import CONFOUNDERS, confounders
from train.studies.controls import PLACEBO, PLAN, RIVALS
from train.studies.crossval import CROSSVAL, OTHERS
from train.studies.day_baseline import DAY_BASELINE
from train.studies.dose import DOSE
from train.studies.learning_curve import LEARNING_CURVE
from train.studies.subject import Options, Study, Subject

STUDIES: dict[str, Study] = {
    "day_baseline": DAY_BASELINE,
    "rivals": RIVALS,
    "placebo": PLACEBO,
    "plan": PLAN,
    "crossval": CROSSVAL,
    "learning_curve": LEARNING_CURVE,
    "dose": DOSE,
}
NAMES = ("confounders", *STUDIES)


def chosen(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """The studies that `--only` names, in our order."""
    if value is None:
        return NAMES
    named = value.split(",")
    if unknown := [name for name in named if name not in NAMES]:
        raise click.BadParameter(f"{', '.join(unknown)!r} is no part; the parts are {', '.join(NAMES)}")
    return tuple(name for name in NAMES if name in named)


def pairs(_context: click.Context, _option: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """FOLDER=LABEL, each."""
    if wrong := [pair for pair in value if "=" not in pair]:
        raise click.BadParameter(f"{wrong[0]!r} is not FOLDER=LABEL")
    return value


@click.command()
@RUN
@DATASET
@DATA
@given_beats
@click.option("--quick", is_flag=True, help="Rough figures in minutes: fewer trainings, draws and benchmark methods.")
@click.option("--only", "names", callback=chosen, metavar="PART,PART", help=f"Some of {', '.join(NAMES)}.")
@compared(
    None,
    None,
    f"crossval: a comparator beside the run's own; may be given again [{', '.join(OTHERS)}; --quick: none].",
    f"all; --quick: all but {', '.join(SLOW)}",
)
@click.option("--seeds", type=click.IntRange(1), help="day_baseline: trainings of each fold [5; --quick: 1].")
@click.option(
    "--nested", is_flag=True, help="day_baseline: also fully nested, with levels from models without the date."
)
@click.option(
    "--also",
    multiple=True,
    callback=pairs,
    metavar="FOLDER=LABEL",
    help="day_baseline: also decide on a folder that the dataset file leaves out.",
)
@click.option(
    "--others", multiple=True, type=click.Path(path_type=Path), help="day_baseline: recordings of other people."
)
@click.option("--draws", type=click.IntRange(1), help="learning_curve: draws per number of days [12; --quick: 3].")
@on_scheduler
def study(
    run_folder: Path,
    dataset_file: Path,
    data: Path | None,
    beats_file: Path | None,
    quick: bool,
    names: tuple[str, ...],
    architectures: tuple[str, ...],
    benchmarks: tuple[str, ...],
    seeds: int | None,
    nested: bool,
    also: tuple[str, ...],
    others: tuple[Path, ...],
    draws: int | None,
) -> None:
    """Measure the results of `edge-ecg report`: dates left out, benchmark methods, the day's baseline, training days.

    With measured values (edge-ecg import --glucose), dose measures whether the evidence follows them. Dates are left
    out one at a time, including test dates; the run's own model is not changed.
    """
    torch.set_num_threads(1)
    began = time.perf_counter()
    run, dataset = load_run(run_folder), read_dataset(dataset_file, data)
    _require_same_dataset(run, dataset)
    options = Options(quick, architectures or None, benchmarks or None, seeds, draws, nested, also, others)
    subject = Subject(run, dataset, read_sets(dataset, beats_file=beats_file), options)
    if names is NAMES and dataset.measured is None:
        names = tuple(name for name in NAMES if name != "dose")
    claim_folder(run_folder, "train", (STUDIED, CONFOUNDERS))
    rows = []
    for number, name in enumerate(names, 1):
        click.echo(f"part {number} of {len(names)}: {name}", err=True)
        took_s = _confounders(run) if name == "confounders" else _measure(subject, name)
        rows.append([name, "there already" if took_s is None else duration(took_s)])
    rows.append(["all", duration(time.perf_counter() - began)])
    for question, answer in summary(read_findings(run_folder)):
        click.echo(f"{question}\n{wrapped(f'  {answer}', 2)}")
    click.echo("\n".join([*columns(rows), f"to see it: edge-ecg report {run_folder} --out report.html"]))


def _require_same_dataset(run: Run, dataset: Dataset) -> None:
    learned = {which: tuple(dates) for which, dates in run.config["dataset"]["dates"].items()}
    if learned != dataset.sessions or run.labels != dataset.labels:
        raise RunError(f"{run.path}: is of other labels or dates than {dataset.name!r}; give the dataset of the run")


def _confounders(run: Run) -> float:
    began = time.perf_counter()
    write_record(run.path / CONFOUNDERS, confounders(run))
    return time.perf_counter() - began


def _measure(subject: Subject, name: str) -> float | None:
    """Do one study, write its record and note it; how many seconds it took, or None if it was finished before."""
    folder, quick = subject.run.path / STUDIED, subject.options.quick
    finished = read_record(folder / STUDY, dict[str, StudyNote]) if (folder / STUDY).exists() else {}
    record_file = folder / name / f"{name}.json"
    # A finer answer serves as a coarser one.
    wanted = {key_of(replace(subject, options=replace(subject.options, quick=q)), name) for q in {False, quick}}
    if name in finished and finished[name].key in wanted and record_file.exists():
        return None
    began = time.perf_counter()
    claim_folder(folder / name, "train", ("folds", record_file.name))
    write_record(record_file, STUDIES[name].measure(subject, folder / name, lambda line: click.echo(line, err=True)))
    took_s = time.perf_counter() - began
    note = StudyNote(
        key=key_of(subject, name),
        quick=quick,
        finished=datetime.now().astimezone().isoformat(timespec="seconds"),
        took_s=round(took_s, 1),
    )
    write_record(folder / STUDY, finished | {name: note})
    return took_s


def key_of(subject: Subject, name: str) -> str:
    """Hash of all inputs of a study; a finished study with the same hash is reused."""
    plan, settings = STUDIES[name].plan(subject), subject.run.config["settings"]
    made_from = [digest_of(subject.beats), subject.dataset.sessions, settings, name, plan]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()


if __name__ == "__main__":
    run_command(study)
