"""A recording that means nothing is not decided, and says why; a whole one is not hindered."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ecg.bundles.bundle import Bundle, load_bundle
from edge_ecg.errors import ContractError, RecordingError
from edge_ecg.inference.guards import (
    ANOTHER_PERSON,
    CHANGE,
    COPIES,
    IRREGULAR,
    OWN_BASELINE,
    TOO_LITTLE,
    GuardLimits,
    largest_change,
    usual_rr_change,
)
from edge_ecg.inference.votes import INCONCLUSIVE, Decision
from edge_ecg.playback import replay
from edge_ecg.recording import Recording
from edge_ecg.simulation.meaningless import MEANINGLESS
from edge_ecg.simulation.synthetic import record, synthetic_person
from edge_ecg.watch import DayBaseline, Watch

EXPECTED = {
    "another person from the middle on": ANOTHER_PERSON,
    "another person in the last 35 %": ANOTHER_PERSON,
    "the other state in the last 20 %": CHANGE,
    "one beat repeated": COPIES,
    "five beats repeated": COPIES,
    "RR intervals jittered by 10 %": IRREGULAR,
    "flat but for seconds 4 to 8": TOO_LITTLE,
}


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


def own(state: str, number: int = 1, day: int = 1) -> np.ndarray:
    """A recording of the person of the bundle, in the state and on a day that training had seen."""
    return record(synthetic_person(1), state, day, number=number).samples_uv


def decided(bundle: Bundle, samples_uv: np.ndarray, day_baseline: DayBaseline | None = None) -> Decision:
    watch = Watch(bundle, day_baseline=day_baseline)
    watch.push(samples_uv)
    return watch.decision


def baseline_of(bundle: Bundle, *recordings: np.ndarray) -> DayBaseline:
    return DayBaseline.of(bundle, [Recording(x, 512.0, f"baseline {n}") for n, x in enumerate(recordings)])


@pytest.mark.parametrize("state", ["fasting", "glucose"])
def test_a_whole_recording_is_decided(bundle: Bundle, state: str) -> None:
    decisions = [decided(bundle, own(state, number)) for number in (1, 2)]
    assert [(d.label, d.reasons) for d in decisions] == [(state, ())] * 2
    assert all(d.covered_s > 20 for d in decisions)


@pytest.mark.parametrize("kind", MEANINGLESS)
def test_what_means_nothing_is_not_decided_and_says_why(bundle: Bundle, kind: str) -> None:
    stranger = record(synthetic_person(3), "fasting", 0, number=1, duration_s=32.0).samples_uv
    made = MEANINGLESS[kind](own("fasting"), own("glucose"), stranger)
    decision = decided(bundle, made)
    assert decision.label == INCONCLUSIVE
    assert EXPECTED[kind] in decision.reasons


def test_reasons_are_in_the_json_of_a_replay(bundle: Bundle) -> None:
    flat = MEANINGLESS["flat but for seconds 4 to 8"](own("glucose"), own("glucose"), own("glucose"))
    line = replay(bundle, Recording(flat, 512.0, "flat")).to_json()
    assert (line["decision"], line["reasons"], line["duration_s"]) == (INCONCLUSIVE, [TOO_LITTLE], 30.0)
    assert 0 < line["covered_s"] < 6


def test_the_days_baseline_is_checked_by_what_it_holds(bundle: Bundle) -> None:
    first, second = own("fasting", 1), own("fasting", 2)
    day = baseline_of(bundle, first, second)
    assert decided(bundle, own("fasting", 3), day).reasons == ()
    assert decided(bundle, second, day).reasons == (OWN_BASELINE,)
    with pytest.raises(RecordingError, match="baseline 1: is the same recording as baseline 0"):
        baseline_of(bundle, first, first)
    with pytest.raises(RecordingError, match=r"baseline 0, baseline 1: .* is that of glucose rather than of fasting"):
        baseline_of(bundle, own("glucose", 1), own("glucose", 2))
    with pytest.raises(RecordingError, match=f"baseline 0: can't be the day's baseline: {COPIES}"):
        baseline_of(bundle, MEANINGLESS["one beat repeated"](first, first, first))


def test_a_baseline_without_a_date_is_named(bundle: Bundle) -> None:
    recording, day = Recording(own("glucose"), 512.0, "glucose"), baseline_of(bundle, own("fasting", 2))
    assert replay(bundle, recording, day_baseline=day).rule == "day's baseline, 1 recording, undated"


def test_without_limits_rhythm_and_parts_are_not_watched(bundle: Bundle) -> None:
    made = MEANINGLESS["RR intervals jittered by 10 %"](own("fasting"), own("glucose"), own("glucose"))
    assert decided(replace(bundle, guards=None), made).label == "fasting"


@given(st.lists(st.floats(-10, 10), max_size=40))
def test_the_largest_change_is_the_largest_of_all_places(evidence: list[float]) -> None:
    n = len(evidence)
    each = [
        abs(np.mean(evidence[:k]) - np.mean(evidence[k:])) * np.sqrt(k * (n - k) / n) for k in range(4, n - 3) if n >= 8
    ]
    assert largest_change(evidence, 4) == pytest.approx(max(each, default=0.0), abs=1e-9)


def test_one_premature_beat_is_no_irregular_rhythm() -> None:
    regular = np.full(30, 0.8)
    premature = regular.copy()
    premature[14:16] = 0.5, 1.1
    assert usual_rr_change(regular) == usual_rr_change(premature) == 0


@pytest.mark.parametrize("value", [{}, {"change": 1.0}, {"change": 0.0, "rr_change": 0.1}, [1, 2]])
def test_limits_that_make_no_sense_are_refused(value: object) -> None:
    with pytest.raises(ContractError, match="guards"):
        GuardLimits.from_json(value)
