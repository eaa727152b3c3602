"""The study of the day's baseline: a date is judged by what neither learned from it nor took levels from it."""

from pathlib import Path

import numpy as np
import pytest

from edge_ecg.datasets.dataset_file import SETS, read_dataset
from train.data import read_beats
from train.evaluation.drifted import baselines_of, leaving_out
from train.fit.decision import fit_levels
from train.fit.loop import Settings, evidence_of, train_folds
from train.studies import day_baseline

QUICK = Settings(epochs=1)


@pytest.mark.slow
def test_every_figure_is_there_and_no_date_judges_itself(
    small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_baseline, "SYNTHETIC_PERSONS", 1)
    monkeypatch.setattr(day_baseline, "DAY_BASELINE_RECORDINGS", 1)
    dataset = read_dataset(small_dataset)
    beats = read_beats([entry for which in SETS for entry in dataset.entries(which)])
    found = day_baseline.day_baseline_study(dataset, beats, [QUICK], tmp_path, lambda line: None)
    dates = list(found.dates)
    assert len(dates) == 9
    for confidence in ("0.95", "0.90"):
        plans = found.seeds["0"][confidence]
        for plan, count in (("day's baseline", 27), ("none", 27), ("previous date's", 27), ("none, all", 36)):
            assert plans[plan].total == count
            assert sorted(plans[plan].dates) == dates
    amounts = found.amounts["0"]
    assert list(amounts) == ["none", "10 beats", "1 recording", "2 recordings", "3 recordings"]
    assert {decided.total for decided in amounts.values()} == {18}  # the same recordings, without any baseline
    assert amounts["2 recordings"] == amounts["3 recordings"]  # there are two
    for by_time in found.drifts.values():
        assert {*by_time.before, *by_time.after} == {"none", "day's baseline"}

    date, rest = dates[0], leaving_out(beats, dates[:1])
    models = train_folds(beats, {d: set(dates) - {d} for d in dates}, QUICK, tmp_path / "folds" / "0")
    _, levels = day_baseline.left_out_by_date(beats, models, QUICK)
    own = np.concatenate(
        [evidence_of(models[d], leaving_out(beats, [d]), rest.values[rest.date == d], QUICK) for d in dates[1:]]
    )
    order = np.concatenate([np.flatnonzero(rest.date == d) for d in dates[1:]])
    expected = np.empty(len(own))
    expected[order] = own
    again = fit_levels(rest, expected)
    assert again is not None
    np.testing.assert_allclose(levels[date].baseline.mean, again.baseline.mean, rtol=1e-4)


def test_the_first_baselines_are_those_of_the_day(small_dataset: Path) -> None:
    beats = read_beats([entry for which in SETS for entry in read_dataset(small_dataset).entries(which)])
    dates = sorted(set(beats.dates.tolist()))
    first = baselines_of(beats, dates, 1)
    assert len(first) == 9
    for number in first:
        same = (beats.dates == beats.dates[number]) & ~beats.recording_is_target
        assert beats.place_in_date[number] == beats.place_in_date[same].min()
