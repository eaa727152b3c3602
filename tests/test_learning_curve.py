"""How many days: those with both states count, too few are refused, and draws of days never judge what they learned."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edge_ecg.datasets.dataset_file import SETS, days_with_both_states, read_dataset
from edge_ecg.errors import DatasetError
from edge_ecg.report.findings import fold_file
from edge_ecg.terminal.console import run_command
from train.__main__ import train
from train.data import BeatSet, read_beats
from train.evaluation.folds import BENCHMARKS
from train.fit.loop import Settings, Trainer
from train.studies import learning_curve


@pytest.fixture(scope="module")
def beats(small_dataset: Path) -> BeatSet:
    dataset = read_dataset(small_dataset)
    return read_beats([entry for which in SETS for entry in dataset.entries(which)])


def one_state_on(beats: BeatSet, dates: set[str]) -> BeatSet:
    """Without the target recordings of some dates."""
    keep = ~(np.isin(beats.dates, list(dates)) & beats.recording_is_target)
    renamed = np.where(keep, beats.dates, "nowhere")
    columns = {**vars(beats), "dates": renamed}
    return BeatSet(**columns).on_dates(set(renamed) - {"nowhere"})


def test_a_day_counts_that_has_both_states() -> None:
    recordings = [("02", "fast"), ("01", "fast"), ("01", "fast"), ("02", "fed"), ("03", "fed"), ("01", "fed")]
    assert days_with_both_states(recordings) == ["01", "02"]
    assert days_with_both_states([]) == []


def test_training_on_one_day_with_both_states_is_refused(
    small_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = small_dataset.read_text()
    dates = read_dataset(small_dataset).dates["train"]
    one_day = tmp_path / "one.toml"
    one_day.write_text(text.replace(json.dumps(list(dates)), json.dumps(list(dates[:1]))))
    assert read_dataset(one_day, small_dataset.parent).dates["train"] == dates[:1]
    options = [str(one_day), "--data", str(small_dataset.parent), "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as caught:
        run_command(train, options)
    assert caught.value.code == 2
    assert f"both states on {dates[0]}, expected at least 2 such days" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_days_with_one_state_do_not_make_up_for_it(beats: BeatSet, tmp_path: Path) -> None:
    dates = sorted(set(beats.dates.tolist()))
    with pytest.raises(DatasetError, match=f"both states on {dates[0]}, expected"):
        Trainer(Settings(epochs=1), one_state_on(beats, set(dates[1:])), None, tmp_path)


def test_draws_are_of_days_with_both_states_and_judge_all_others(beats: BeatSet) -> None:
    dates = sorted(set(beats.dates.tolist()))
    some = one_state_on(beats, {dates[0], dates[4]})
    folds = learning_curve.draw_days(some, 5, seed=1)
    assert list(folds) == [1, 2, 3, 4, 5, 6]  # of seven days with both states
    for days, of_days in folds.items():
        assert len(of_days) == len({fold.learned for fold in of_days}) == 5
        for fold in of_days:
            assert len(fold.learned) == days
            assert not {dates[0], dates[4]} & set(fold.learned)
            assert sorted(fold.learned + fold.judged) == dates
    assert folds == learning_curve.draw_days(some, 5, seed=1) != learning_curve.draw_days(some, 5, seed=2)
    assert len(learning_curve.draw_days(some, 50, seed=1)[6]) == 7  # no more ways to leave one out
    with pytest.raises(DatasetError, match="2 days have both states, expected 3"):
        learning_curve.draw_days(one_state_on(beats, set(dates[2:])), 5, seed=1)


@pytest.mark.slow
def test_it_draws_what_it_says_and_nothing_twice(
    small_dataset: Path, beats: BeatSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods = {name: learning_curve.METHODS[name] for name in ("logistic regression", "comparator")}
    monkeypatch.setattr(learning_curve, "METHODS", methods)
    monkeypatch.setattr(learning_curve, "Settings", partial(Settings, epochs=1))
    dataset, said = read_dataset(small_dataset), []
    result = learning_curve.learn_by_days(dataset, beats, 2, 0, tmp_path, said.append, tuple(methods))
    rows = result.methods
    assert [row.days for row in rows["logistic regression"]] == list(range(1, 9))
    assert [row.days for row in rows["comparator"]] == list(range(2, 9))  # one day is refused
    for name, of_method in rows.items():
        for row in of_method:
            assert row.draws == 2
            by_draw, by_date = [], {}
            for draw in range(2):
                fold = json.loads((fold_file(tmp_path, name, f"{row.days}-{draw}")).read_text())
                right = (np.array(fold["evidence"]) > 0) == np.array(fold["is_target"])
                by_draw.append(right.mean())
                for date in set(fold["dates"]):
                    by_date.setdefault(date, []).append(right[np.array(fold["dates"]) == date].mean())
            mean = np.mean([np.mean(of_date) for of_date in by_date.values()])  # all dates have as many recordings
            assert (row.mean, row.worst) == pytest.approx((mean, min(by_draw)))
    said.clear()
    assert learning_curve.learn_by_days(dataset, beats, 2, 0, tmp_path, said.append, tuple(methods)) == result
    assert not any("; at most" in line for line in said)


def test_the_network_without_pairs_learns_what_a_state_looks_like(beats: BeatSet) -> None:
    dates = sorted(set(beats.dates.tolist()))
    judged = beats.on_dates(dates[-2:])
    evidence = BENCHMARKS["same network, no pairs"](beats.on_dates(dates[:-2]), judged, Settings(epochs=4))
    assert ((evidence > 0) == judged.is_target).mean() > 0.9
