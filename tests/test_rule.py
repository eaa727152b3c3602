"""The decision rule for any method, its controls, and the statement without a model, on evidence that is made up."""

import numpy as np
import pytest

from train.data import BeatSet
from train.evaluation.drifted import counts
from train.studies.rule import (
    bounded_evidence,
    decide_left_out,
    decide_without_model,
    later_half,
    left_out_evidence_of,
    matched_recordings,
    permuted_within_sessions,
)

SESSIONS, EACH, BEATS = 8, 6, 4


@pytest.fixture
def beats() -> BeatSet:
    """Eight sessions of six recordings of either state, the baseline first; four beats each."""
    count = SESSIONS * 2 * EACH
    session = np.repeat(np.arange(SESSIONS), 2 * EACH)
    place = np.tile(np.arange(2 * EACH), SESSIONS)
    rng = np.random.default_rng(0)
    values = np.zeros((count * BEATS, 384), np.float32)
    values[:, -1] = np.repeat(rng.uniform(0.7, 0.9, count), BEATS)
    return BeatSet(
        values,
        np.repeat(np.arange(count), BEATS),
        np.tile(np.arange(BEATS, dtype=float), count),
        tuple(f"S{s}/x/{p}.csv" for s, p in zip(session, place, strict=True)),
        np.array([f"S{s}" for s in session]),
        place >= EACH,
        np.full(count, 512.0),
        np.full(count, "NaT", "datetime64[D]"),
    )


def evidence_of(beats: BeatSet, apart: float, seed: int, between: float = 1.0, within: float = 0.5) -> np.ndarray:
    """Levels that differ between sessions and recordings, the same for every beat of a recording."""
    rng = np.random.default_rng(seed)
    of_session = dict(zip(np.unique(beats.dates), rng.normal(0, between, SESSIONS), strict=True))
    level = np.array([of_session[s] for s in beats.dates]) + rng.normal(0, within, len(beats.sources))
    return (level + apart * beats.recording_is_target)[beats.recording]


def test_states_that_lie_apart_are_decided_and_shuffled_labels_are_not(beats: BeatSet) -> None:
    evidence = evidence_of(beats, apart=8.0, seed=1)
    found = counts(decide_left_out(beats, evidence, 0.95))
    assert found["wrong"] == 0
    assert found["right"] > 0.9 * SESSIONS * (2 * EACH - 2)
    shuffled = [
        counts(decide_left_out(permuted_within_sessions(beats, seed), evidence_of(beats, 0.0, seed), 0.95))
        for seed in range(8)
    ]
    assert np.mean([c["inconclusive"] / sum(c.values()) for c in shuffled]) > 0.95
    drawn = decide_left_out(beats, evidence, 0.95, seed=3)
    assert {o.source for o in drawn} != {o.source for o in decide_left_out(beats, evidence, 0.95)}


def test_shuffled_labels_keep_their_number_in_each_session(beats: BeatSet) -> None:
    shuffled = permuted_within_sessions(beats, 0)
    assert (shuffled.recording_is_target != beats.recording_is_target).any()
    for session in np.unique(beats.dates):
        assert shuffled.recording_is_target[beats.dates == session].sum() == EACH


def test_the_later_half_of_one_state_becomes_the_other(beats: BeatSet) -> None:
    late = later_half(beats, target=True)
    assert len(late.sources) == SESSIONS * EACH
    for source, is_late in zip(late.sources, late.recording_is_target, strict=True):
        assert is_late == (int(source.split("/")[-1][:-4]) >= EACH + EACH // 2)


@pytest.mark.parametrize("risk", [0.15, 0.3])
def test_a_statement_without_a_model_errs_no_more_often_than_it_states(beats: BeatSet, risk: float) -> None:
    """Sessions are exchangeable, and their levels are not normal: a state is excluded wrongly in `risk` at most."""
    errors = total = 0
    for seed in range(60):
        heavy = evidence_of(beats, 3.0, seed) ** 3 / 10
        found = decide_without_model(beats, heavy, risk)
        errors += sum(decided and not right for _, _, decided, right in found)
        total += len(found)
    assert errors / total <= risk
    found = decide_without_model(beats, evidence_of(beats, 8.0, 1), risk)
    assert np.mean([right for *_, right in found]) > 0.7


def test_without_enough_sessions_nothing_is_stated(beats: BeatSet) -> None:
    """Five other sessions: no p value is below 1 / 6."""
    few = beats.on_dates([f"S{n}" for n in range(6)])
    evidence = evidence_of(beats, 8.0, 1)[np.isin(beats.date, few.dates)]
    assert not any(decided for _, _, decided, _ in decide_without_model(few, evidence, 0.15))
    assert any(decided for _, _, decided, _ in decide_without_model(few, evidence, 0.17))


def test_a_method_never_sees_the_session_that_it_judges(beats: BeatSet) -> None:
    seen: list[tuple[set[str], set[str]]] = []

    def method(training: BeatSet, judged: BeatSet, _settings: object) -> np.ndarray:
        seen.append((set(training.dates), set(judged.dates)))
        return np.full(len(judged.values), float(judged.dates[0][1:]))

    evidence = left_out_evidence_of(beats, method, None)  # type: ignore[arg-type]
    assert len(seen) == SESSIONS
    assert all(len(judged) == 1 and not training & judged for training, judged in seen)
    assert (evidence == [float(date[1:]) for date in beats.date]).all()
    assert (np.abs(bounded_evidence(np.array([-1e9, 0.0, 1e9]))) <= 6).all()


def test_matched_recordings_have_one_heart_rate(beats: BeatSet) -> None:
    pairs, right, shorter = matched_recordings(beats, evidence_of(beats, 30.0, 1))
    rr_s = beats.values[::BEATS, -1]
    expected = sum(
        abs(rr_s[a] - rr_s[b]) < 0.01
        for a in np.flatnonzero(beats.recording_is_target)
        for b in np.flatnonzero(~beats.recording_is_target)
        if beats.dates[a] == beats.dates[b]
    )
    assert 0 < pairs == expected == right
    assert 0 <= shorter <= pairs
