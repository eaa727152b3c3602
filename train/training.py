"""From a trainer to a finished run: train, leave each date out for the levels, and keep all of it.

RUN/overview.json    counts by date and state, mean beats, one recording of each; no name of a file, nothing of a header
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge_ecg.datasets.dataset_file import Dataset
from edge_ecg.errors import DatasetError
from edge_ecg.readers.read import read_recording
from edge_ecg.report.contact_sheet import SHOWN_HZ, small_trace
from edge_ecg.results import DateCounts, Examples, Overview, SetMetrics, write_record
from train.data import BeatSet
from train.fit.loop import Trainer, left_out_limits
from train.run import FOLDS, Run, new_run, write_run
from train.studies.confounders import CONFOUNDERS, can_be_judged, confounders, recording_means_uv, rounded

OVERVIEW = "overview.json"


def overview(dataset: Dataset, sets: dict[str, BeatSet]) -> Overview:
    """Counts by date, mean beats with their spread between recordings, and a few seconds of each state."""
    both = BeatSet.joined(sets.values())
    means = recording_means_uv(both)
    of_state = [means[both.recording_is_target == state] for state in (False, True)]
    baseline, target = of_state
    return Overview(
        labels=dataset.labels,
        data=tuple(row for which, beats in sets.items() for row in counted(which, beats)),
        mean_beats_uv=(rounded(baseline.mean(0)), rounded(target.mean(0))),
        spread_uv=(rounded(baseline.std(0)), rounded(target.std(0))),
        examples=examples(dataset),
    )


def counted(which: str, beats: BeatSet) -> list[DateCounts]:
    """Recordings of each state and beats, by date."""
    return [
        DateCounts(
            date=date,
            set=which,
            baseline=int(np.sum((beats.dates == date) & ~beats.recording_is_target)),
            target=int(np.sum((beats.dates == date) & beats.recording_is_target)),
            beats=int(np.sum(beats.date == date)),
        )
        for date in sorted(set(beats.dates.tolist()))
    ]


def examples(dataset: Dataset) -> Examples | None:
    """Seconds of a recording of each state, of the first train date that has both; None where there is none."""
    try:
        entries = dataset.entries("train")
    except DatasetError:  # beats were given in place of recordings
        return None
    for date in dataset.sessions["train"]:
        first = [next((e for e in entries if (e.session, e.label) == (date, label)), None) for label in dataset.labels]
        baseline, target = first
        if baseline and target:
            traces = [small_trace(read_recording(entry.path, *entry.overrides)) for entry in (baseline, target)]
            one, other = (rounded(np.nan_to_num(uv)) for uv in traces)
            return Examples(date=date, rate_hz=SHOWN_HZ, samples_uv=(one, other))
    return None


def train_run(
    trainer: Trainer,
    dataset: Dataset,
    sets: dict[str, BeatSet],
    out: Path,
    show: Callable[[dict[str, float], int], None] = lambda row, of: None,
    left_out: Callable[[str], None] = lambda date: None,
) -> tuple[Run, SetMetrics]:
    """Write a run into a folder; returned with the figures of its validation dates.

    sets: the beats of the train and validation dates. show: is called after each epoch; left_out: after each date.
    """
    model = trainer.fit(show)
    limits = left_out_limits(BeatSet.joined(sets.values()), trainer.settings, out / FOLDS, left_out)
    finished = new_run(out, dataset, trainer.settings, sets, model, limits, trainer.history)
    leave_for_the_report(finished, dataset)
    return finished, write_run(finished, trainer.history)


def leave_for_the_report(run: Run, dataset: Dataset) -> None:
    """Write into a run's folder what costs nothing: its overview, and what may pass for the state."""
    write_record(run.path / OVERVIEW, overview(dataset, {"train": run.training, "validation": run.validation}))
    if can_be_judged(run):
        write_record(run.path / CONFOUNDERS, confounders(run))
