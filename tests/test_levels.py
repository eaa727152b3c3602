"""Levels of states: what is fitted is what simulated dates and recordings were drawn from."""

from pathlib import Path

import numpy as np
import pytest

from train.data import BeatSet
from train.fit.decision import BEATS, fit_levels, variance_components
from train.fit.loop import Settings, left_out_limits


def simulated(rng: np.random.Generator, dates: int, each: int = 6, beats: int = 30) -> tuple[BeatSet, np.ndarray]:
    """Recordings of both states on every date; variance 2 between dates, 0.5 within one, 1 of beats."""
    count = dates * each * 2
    of_date = np.repeat(np.arange(dates), each * 2)
    is_target = np.tile(np.repeat([False, True], each), dates)
    by_date = rng.normal(0, 2**0.5, (dates, 2))[of_date, is_target.astype(int)]
    level = np.where(is_target, 3.0, -3.0) + by_date + rng.normal(0, 0.5**0.5, count)
    recording = np.repeat(np.arange(count), beats)
    evidence = level[recording] + rng.normal(0, 1, len(recording))
    nothing = np.zeros(len(recording))
    names = tuple(f"{n}.csv" for n in range(count))
    days = np.full(count, np.datetime64("NaT"), "datetime64[D]")
    dates_of = of_date.astype(str)
    return BeatSet(
        nothing[:, None], recording, nothing, names, dates_of, is_target, np.full(count, 512.0), days
    ), evidence


def test_variance_components_are_those_that_dates_were_drawn_from() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        sizes = rng.integers(1, 12, 8)
        found.append(variance_components([rng.normal(0, 2**0.5) + rng.normal(0, 1, n) for n in sizes]))
    mean, between, within = np.mean([each for each in found if each], axis=0)
    assert mean == pytest.approx(0, abs=0.15)
    assert between == pytest.approx(2, abs=0.3)
    assert within == pytest.approx(1, abs=0.1)


def test_levels_know_how_much_few_beats_scatter() -> None:
    levels = fit_levels(*simulated(np.random.default_rng(1), dates=200))
    assert levels is not None
    assert levels.beats == BEATS
    for state, mean in ((levels.baseline, -3), (levels.target, 3)):
        assert state.dates == 200
        assert state.mean[-1] == pytest.approx(mean, abs=0.3)
        for beats, between, within in zip(BEATS, state.between, state.within, strict=True):
            assert between == pytest.approx(2, abs=0.5)
            assert within == pytest.approx(0.5 + 1 / beats, rel=0.15)


def test_a_short_recording_counts_with_what_it_has() -> None:
    beats, evidence = simulated(np.random.default_rng(2), dates=5, beats=10)
    levels = fit_levels(beats, evidence)
    assert levels is not None
    assert levels.baseline.within[3:] == (levels.baseline.within[3],) * 3  # after 12, 20 and 30 beats: all 10


def test_one_date_or_one_recording_a_date_can_not_tell() -> None:
    rng = np.random.default_rng(3)
    assert fit_levels(*simulated(rng, dates=1)) is None
    assert fit_levels(*simulated(rng, dates=5, each=1)) is None
    assert variance_components([np.ones(3)]) is None
    assert variance_components([np.ones(1), np.zeros(1)]) is None


def test_recordings_that_are_all_alike_leave_a_variance() -> None:
    found = variance_components([np.ones(3), np.zeros(3)])
    assert found is not None
    assert found[2] > 0


def test_where_no_date_can_be_left_out_there_are_no_levels(tmp_path: Path) -> None:
    """Two days with both states: without either, one is left, of which nothing can be learned."""
    beats, _ = simulated(np.random.default_rng(4), dates=2)
    assert left_out_limits(beats, Settings(epochs=1), tmp_path) == {"levels": None, "guards": None}
    assert not list(tmp_path.iterdir())
