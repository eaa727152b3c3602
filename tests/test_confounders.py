"""Confounders: figures agree with brute force, with populations whose numbers are known, and with planted causes."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ecg.results import Confounders, Overview, RunMetrics, read_record
from edge_ecg.storage.files import read_json
from train.data import BeatSet
from train.evaluation.scores import roc_auc
from train.fit.decision import newcombe_interval
from train.run import load_run
from train.studies.confounders import (
    CONFOUNDERS,
    RR,
    RunEvidence,
    Shapes,
    ablated_inputs,
    between_states,
    confounders,
    covered,
    equal_gain,
    equal_heights,
    matched_pairs,
    occlusion,
    share_lost,
    state_axis,
    state_effect,
)
from train.training import OVERVIEW

SAMPLES = 383


def made_up_beats(seed: int = 0, dates: int = 3, recordings: int = 2, beats: int = 3) -> BeatSet:
    """Beats with a QRS and a T wave that comes earlier in the target state, at any gain, offset and heart rate."""
    rng = np.random.default_rng(seed)
    time = np.arange(SAMPLES)
    values, of_recording, names, targets = [], [], [], []
    for date in range(dates):
        for target in (False, True):
            for _ in range(recordings):
                for _ in range(beats):
                    qrs = 900 * np.exp(-0.5 * ((time - 128) / 5) ** 2)
                    t_wave = 250 * np.exp(-0.5 * ((time - 250 + 12 * target) / 25) ** 2)
                    beat = rng.normal(0, 200) + rng.uniform(0.5, 2) * (qrs + t_wave) + rng.normal(0, 5, SAMPLES)
                    values.append([*beat, rng.normal(0.85 - 0.05 * target, 0.05)])
                    of_recording.append(len(names))
                names.append(f"{date:04}")
                targets.append(target)
    return BeatSet(
        np.array(values, np.float32),
        np.array(of_recording),
        np.zeros(len(values)),
        tuple(names),
        np.array(names),
        np.array(targets),
        np.full(len(names), 512.0),
        np.full(len(names), "NaT", "datetime64[D]"),
    )


@pytest.fixture(scope="module")
def judged(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Confounders]:
    """A copy of the small run with its confounders."""
    copy = Path(shutil.copytree(small_run, tmp_path_factory.mktemp("confounders") / "run"))
    found = confounders(load_run(copy))
    assert found == read_record(copy / CONFOUNDERS, Confounders)  # as training left it
    return copy, found


@pytest.mark.parametrize("same_date", [True, False])
@pytest.mark.parametrize("within_ms", [None, 20.0])
def test_matched_pairs_are_those_of_two_loops(same_date: bool, within_ms: float | None) -> None:
    beats = made_up_beats()
    evidence = np.random.default_rng(1).integers(-2, 3, len(beats.values)).astype(float)  # with ties
    pairs, right, shorter = 0, 0.0, 0.0
    rr_ms = 1000 * beats.values[:, RR].astype(float)
    for i in np.flatnonzero(beats.is_target):
        for j in np.flatnonzero(~beats.is_target):
            if (beats.date[i] == beats.date[j]) != same_date:
                continue
            if within_ms is not None and abs(rr_ms[i] - rr_ms[j]) >= within_ms:
                continue
            pairs += 1
            right += 1.0 if evidence[i] > evidence[j] else 0.5 * (evidence[i] == evidence[j])
            shorter += 1.0 if rr_ms[i] < rr_ms[j] else 0.5 * (rr_ms[i] == rr_ms[j])
    row = matched_pairs(beats, evidence, same_date, within_ms)
    assert row is not None
    assert row.pairs == pairs
    assert row.share == pytest.approx(right / pairs)
    assert row.shorter_rr == pytest.approx(shorter / pairs)
    assert row.share_95[0] <= row.share <= row.share_95[1]


def test_what_only_knows_the_heart_rate_is_lost_at_the_same_heart_rate() -> None:
    beats = made_up_beats(recordings=8, beats=20)
    by_rr = -beats.values[:, RR].astype(float)
    free, matched = (matched_pairs(beats, by_rr, True, within_ms) for within_ms in (None, 10.0))
    assert free.share == free.shorter_rr > 0.7  # two normals 50 ms apart, each of 50 ms: 0.76
    assert matched.share == pytest.approx(0.5, abs=0.05)
    by_state = np.where(beats.is_target, 1.0, -1.0)
    certain = matched_pairs(beats, by_state, True, 10.0)
    assert certain.share == 1.0
    assert certain.share_95[0] < 0.97  # all right is not sure to be right
    assert matched_pairs(beats, by_state, True, 0.0) is None


@given(st.floats(0, 1), st.integers(1, 60), st.integers(1, 60))
def test_the_interval_of_an_auc_holds_it_and_is_the_same_from_either_side(auc: float, one: int, other: int) -> None:
    low, high = newcombe_interval(auc, one, other)
    assert 0 <= low <= auc + 1e-8
    assert auc - 1e-8 <= high <= 1
    assert newcombe_interval(1 - auc, one, other) == pytest.approx((1 - high, 1 - low), abs=1e-6)
    assert high - low > 0.01


@pytest.mark.parametrize("separation", [0.0, 1.0, 2.5])
def test_the_interval_of_an_auc_covers_the_true_one(separation: float) -> None:
    from scipy.stats import norm

    rng = np.random.default_rng(0)
    true = norm.cdf(separation / np.sqrt(2))
    is_target, covers = np.arange(40) < 18, 0
    for _ in range(400):
        low, high = newcombe_interval(roc_auc(rng.normal(separation * is_target), is_target), 18, 22)
        covers += low <= true <= high
    assert covers / 400 >= 0.92


def test_drift_finds_the_spreads_that_a_population_has() -> None:
    rng = np.random.default_rng(0)
    dates, targets, level = [], [], []
    for date in range(400):
        for target in (False, True):
            day = rng.normal(0, 0.7)
            for _ in range(rng.integers(1, 6)):
                dates.append(f"{date:04}")
                targets.append(target)
                level.append(3.0 * target + day + rng.normal(0, 0.4))
    beats = made_up_beats()
    many = replace(beats, sources=tuple(dates), dates=np.array(dates), recording_is_target=np.array(targets))
    found = state_effect(many, np.array(level))
    assert found.effect == pytest.approx(3.0, abs=0.1)
    assert found.dates_sd == pytest.approx(0.7, abs=0.05)
    assert found.recordings_sd == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize(("state", "trend"), [(3.0, 0.0), (0.0, 0.5), (2.0, 0.25)])
def test_what_the_order_explains_is_the_trend_within_a_state(state: float, trend: float) -> None:
    """Five recordings of the baseline, then five of the target, so that their means lie five places apart."""
    rng, dates, place = np.random.default_rng(0), 40, np.tile(np.arange(10), 40)
    names = np.repeat([f"{date:04}" for date in range(dates)], 10)
    files = tuple(f"{date}/{number}.csv" for date, number in zip(names, place, strict=True))
    beats = replace(made_up_beats(), sources=files, dates=names, recording_is_target=place >= 5)
    level = (
        state * (place >= 5) + trend * place + rng.normal(0, 0.3, len(place)) + np.repeat(rng.normal(size=dates), 10)
    )
    found = state_effect(beats, level)
    low, high = found.order_95
    true = 5 * trend / (state + 5 * trend)
    assert found.order == pytest.approx(true, abs=0.05)
    assert low < true < high < low + 0.2


def test_drift_says_nothing_where_nothing_can_be_known() -> None:
    alone = made_up_beats(dates=1, recordings=1)
    found = state_effect(alone, np.array([0.0, 1.0]))
    assert found.effect == 1.0
    assert found.effect_sd_between_dates is found.dates_sd is found.recordings_sd is found.order is None


def test_a_covered_part_is_that_of_the_halfway_beat_and_the_rest_is_as_it_was() -> None:
    beats = made_up_beats()
    halfway = between_states(beats.values, beats.is_target)
    part = slice(200, 216)
    changed = covered(beats.values, halfway, part)
    outside = np.setdiff1d(np.arange(384), np.arange(200, 216))
    assert np.array_equal(changed[:, outside], beats.values[:, outside])
    before = Shapes.of(beats.values)
    assert (changed[:, part] - before.offset) / before.scale == pytest.approx(
        np.tile(halfway[part], (len(changed), 1)), abs=1e-4
    )
    assert np.ptp(covered(beats.values, halfway, slice(RR, 384))[:, RR]) == 0


@pytest.mark.parametrize(("gain", "offset_uv"), [(0.2, 500.0), (5.0, -500.0), (1.0, 30.0)])
def test_neither_gain_nor_offset_is_left(gain: float, offset_uv: float) -> None:
    beats = made_up_beats(dates=1).values
    other = beats.copy()
    other[:, :SAMPLES] = gain * beats[:, :SAMPLES] + offset_uv
    for change in (equal_gain, equal_heights):
        assert change(other) == pytest.approx(change(beats), rel=0.02, abs=6)  # but for the 1 uV that keeps flat flat
    higher = equal_gain(beats)
    higher[:, 200:SAMPLES] *= 1.5  # a higher T wave
    assert equal_heights(higher)[:, 200:] == pytest.approx(equal_heights(beats)[:, 200:], rel=0.02, abs=6)


@dataclass
class OneWindow:
    """A model that looks at one window of the beat's shape and at nothing else."""

    training: BeatSet
    window: slice

    def evidence(self, values: np.ndarray) -> np.ndarray:
        seen = Shapes.of(values).shape[:, self.window].mean(1)
        halfway = between_states(self.training.values, self.training.is_target)[self.window].mean()
        return np.asarray(seen - halfway)


def test_occlusion_finds_the_window_that_decides() -> None:
    beats = made_up_beats(recordings=4)  # the target's T wave is higher here, on its rise
    found = occlusion(OneWindow(beats, slice(208, 216)), beats)
    assert found.windows[0].start == 0
    for window in found.windows:
        if window.start <= 208 and window.stop >= 216:
            assert window.lost == pytest.approx(1.0, abs=0.05)
        elif window.start >= 216 or window.stop <= 208:  # a covered QRS moves the scale of the whole beat a little
            assert abs(window.lost) < 0.1
        assert window.lost_95[0] - 1e-9 <= window.lost <= window.lost_95[1] + 1e-9
    parts = {row.name: row.lost for row in found.parts}
    assert parts.pop("ST segment and T wave to its peak") > 0.9
    assert max(map(abs, parts.values())) < 0.1


def test_what_is_withheld_can_no_longer_change_the_decision(small_run: Path) -> None:
    run, beats = RunEvidence(load_run(small_run)), load_run(small_run).validation
    halfway = between_states(run.training.values, run.training.is_target)
    rng = np.random.default_rng(0)
    other_rr, other_samples = beats.values.copy(), beats.values.copy()
    other_rr[:, RR] = rng.uniform(0.5, 1.2, len(other_rr))
    other_samples[:, :SAMPLES] = rng.permutation(other_samples[:, :SAMPLES])
    for part, other in ((slice(RR, 384), other_rr), (slice(0, SAMPLES), other_samples)):

        def change(values: np.ndarray, part: slice = part) -> np.ndarray:
            return covered(values, halfway, part)

        plain = run.evidence_without(change, beats.values)
        # The shape is put back at each beat's own gain, which the model takes out but for 1 uV.
        assert run.evidence_without(change, other) == pytest.approx(plain, abs=0.05)
        assert not np.allclose(run.evidence(other), run.evidence(beats.values), atol=0.05)


def test_the_run_as_recorded_is_the_run_as_trained(judged: tuple[Path, Confounders]) -> None:
    run, found = judged
    metrics = read_record(run / "metrics.json", RunMetrics).validation
    as_recorded = found.without[0]
    assert as_recorded.recordings == metrics.recordings
    assert as_recorded.beats_right == metrics.beats.right
    evidence, truth = np.array(found.recordings.evidence), np.array(found.recordings.is_target)
    assert int(np.sum((evidence > 0) == truth)) == metrics.recordings.right
    config = read_json(run / "config.json")["dataset"]
    for which in ("train", "validation"):
        rows = [row for row in read_record(run / OVERVIEW, Overview).data if row.set == which]
        assert sum(row.baseline + row.target for row in rows) == config["recordings"][which]
        assert sum(row.beats for row in rows) == config["beats"][which]
    assert set(found.recordings.date) == set(config["dates"]["validation"])  # no test date


def test_the_state_axis_runs_from_the_baseline_to_the_target_of_training(small_run: Path) -> None:
    finished = load_run(small_run)
    place = state_axis(RunEvidence(finished))(finished.training)
    is_target = finished.training.recording_is_target
    assert place[~is_target].mean() == pytest.approx(0, abs=1e-5)
    assert place[is_target].mean() == pytest.approx(1, abs=1e-5)


def test_withholding_changes_nothing_where_there_is_nothing_of_it(small_run: Path) -> None:
    rows = ablated_inputs(RunEvidence(load_run(small_run)), load_run(small_run).validation)
    by_name = {row.name.partition(":")[0]: row for row in rows}
    assert by_name["gain equal"].beats_right == by_name["as recorded"].beats_right  # the encoder scales each beat


def test_nothing_is_lost_where_there_was_no_evidence() -> None:
    assert share_lost(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, 4.0])).tolist() == [0.0, 0.0, 0.5]
    assert share_lost(np.float64(1.0), np.float64(4.0)) == 0.75
