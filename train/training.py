"""From a trainer to a finished run: train, leave each date out for the levels, and keep all of it.

RUN/overview.json    counts by date and state, mean beats, one recording of each; no name of a file, nothing of a header
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from edge_ecg.datasets.dataset_file import Dataset
from edge_ecg.errors import DatasetError
from edge_ecg.readers.read import read_recording
from edge_ecg.report.contact_sheet import SHOWN_HZ, small_trace
from edge_ecg.storage.atomic import write_file
from edge_ecg.storage.files import write_json
from train.data import BeatSet
from train.evaluation.occlusion import recording_means_uv, rounded
from train.fit.left_out import left_out_levels
from train.fit.loop import History, Trainer
from train.run import FOLDS, HISTORY, Run, new_run, write_run
from train.studies.confounders import CONFOUNDERS, can_be_judged, confounders

OVERVIEW = "overview.json"


def overview(dataset: Dataset, sets: dict[str, BeatSet]) -> dict[str, Any]:
    """Counts by date, mean beats with their spread between recordings, and a few seconds of each state."""
    both = BeatSet.joined(sets.values())
    means = recording_means_uv(both)
    of_state = [means[both.recording_is_target == state] for state in (False, True)]
    return {
        "labels": dataset.labels,
        "data": [row for which, beats in sets.items() for row in counted(which, beats)],
        "mean_beats_uv": [rounded(of.mean(0)) for of in of_state],
        "spread_uv": [rounded(of.std(0)) for of in of_state],
        "examples": examples(dataset),
    }


def counted(which: str, beats: BeatSet) -> list[dict[str, Any]]:
    """Recordings of each state and beats, by date."""
    return [
        {
            "date": date,
            "set": which,
            "baseline": int(np.sum((beats.dates == date) & ~beats.recording_is_target)),
            "target": int(np.sum((beats.dates == date) & beats.recording_is_target)),
            "beats": int(np.sum(beats.date == date)),
        }
        for date in sorted(set(beats.dates.tolist()))
    ]


def examples(dataset: Dataset) -> dict[str, Any] | None:
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
            return {"date": date, "rate_hz": SHOWN_HZ, "samples_uv": [rounded(np.nan_to_num(uv)) for uv in traces]}
    return None


def history_png(history: History) -> bytes:
    """Two curves over the epochs, the chosen epoch marked."""
    epochs = range(1, len(history.epochs) + 1)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    columns = (
        (loss, "loss", "loss", "validation_loss"),
        (accuracy, "accuracy", "pair_accuracy", "validation_beat_accuracy"),
    )
    for axes, title, training, validation in columns:
        axes.plot(epochs, [row[training] for row in history.epochs], label=f"training ({training})", color="0.6")
        axes.plot(epochs, [row[validation] for row in history.epochs], label=validation, color="tab:blue")
        axes.axvline(history.best_epoch, color="tab:orange", linewidth=1, label=f"kept: epoch {history.best_epoch}")
        axes.set_xlabel("epoch")
        axes.set_title(title)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    loss.set_yscale("log")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()


def train_run(
    trainer: Trainer,
    dataset: Dataset,
    sets: dict[str, BeatSet],
    out: Path,
    show: Callable[[dict[str, float], int], None] = lambda row, of: None,
    left_out: Callable[[str], None] = lambda date: None,
) -> tuple[Run, dict[str, Any]]:
    """Write a run into a folder; returned with the figures of its validation dates.

    sets: the beats of the train and validation dates. show: is called after each epoch; left_out: after each date.
    """
    model = trainer.fit(show)
    levels = left_out_levels(BeatSet.joined(sets.values()), trainer.settings, out / FOLDS, left_out)
    finished = new_run(out, dataset, trainer.settings, sets, model, levels, trainer.history)
    write_file(out / HISTORY, history_png(trainer.history))
    leave_for_the_report(finished, dataset)
    return finished, write_run(finished, trainer.history)


def leave_for_the_report(run: Run, dataset: Dataset) -> None:
    """Write into a run's folder what costs nothing: its overview, and what may pass for the state."""
    write_json(run.path / OVERVIEW, overview(dataset, {"train": run.training, "validation": run.validation}))
    if can_be_judged(run):
        write_json(run.path / CONFOUNDERS, confounders(run))
