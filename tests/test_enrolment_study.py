"""The enrolment study: a date is judged by what a bundle would hold that neither learned nor calibrated on it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_ecg.datasets.dataset_file import SETS, read_dataset
from edge_ecg.errors import DatasetError
from train import enrolment
from train.data import read_beats
from train.fit.loop import Settings


def test_no_date_is_judged_by_what_it_taught(
    small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolment, "settings_for", lambda arch, seed: Settings(architecture=arch, seed=seed, epochs=1))
    monkeypatch.setattr(enrolment, "SYNTHETIC_PERSONS", 1)
    options = [str(small_dataset), "--out", str(tmp_path)]
    CliRunner().invoke(enrolment.enrolment, options, catch_exceptions=False)
    dataset = read_dataset(small_dataset)
    entries = [entry for which in SETS for entry in dataset.entries(which)]
    figures = json.loads((tmp_path / "enrolment.json").read_text())["dates"]
    assert set(figures) == {entry.date for entry in entries}
    for date, of_date in figures.items():
        learned, calibrated = json.loads((tmp_path / "folds" / date / "fold.json").read_text())["dates"]
        assert date not in learned + calibrated
        assert set(calibrated) == set(dataset.dates["validation"]) - {date}
        assert set(learned) == set(figures) - set(dataset.dates["validation"]) - {date}
        for when in ("before", "after"):
            c = of_date["drift: no drift"][when]
            assert c["right"] + c["wrong"] + c["inconclusive"] == sum(entry.date == date for entry in entries)


def test_a_date_that_alone_calibrates_can_not_be_held_out(small_dataset: Path, tmp_path: Path) -> None:
    beats = read_beats(read_dataset(small_dataset).entries("train"))
    date = str(beats.dates[0])
    with pytest.raises(DatasetError, match=f"without {date} there is no validation date left"):
        enrolment.HeldOutDate(beats, date, [date], Settings(epochs=1), tmp_path)


def test_a_model_of_other_beats_is_trained_again(small_dataset: Path, tmp_path: Path) -> None:
    dataset = read_dataset(small_dataset)
    training, validation = (read_beats(dataset.entries(which)) for which in ("train", "validation"))
    scaled = replace(training, values=training.values * np.float32(1.5))
    made = []
    for beats in (training, training, scaled):
        enrolment.model_of(beats, validation, Settings(epochs=1), tmp_path)
        made.append((tmp_path / "progress.safetensors").stat().st_mtime_ns)
    assert made[0] == made[1] < made[2]
