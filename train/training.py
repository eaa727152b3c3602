"""From a trainer to a finished run: train, leave each date out for the levels, and keep all of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_ecg.datasets.dataset_file import Dataset
from edge_ecg.storage.atomic import write_file
from train.data import BeatSet
from train.fit.history import history_png
from train.fit.left_out import left_out_levels
from train.fit.loop import Trainer
from train.run import FOLDS, HISTORY, Run, new_run, write_run
from train.studies.confounders import leave_for_the_report


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
