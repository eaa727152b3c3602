"""Votes and decisions against direct counts, SciPy's densities, linear algebra and simulation."""

from math import exp, inf, isnan, log, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from msgspec import structs
from scipy.stats import t as student

from edge_ecg.contract import VotingConstants
from edge_ecg.errors import ContractError
from edge_ecg.inference.levels import DayLevel, Levels, StateLevels, Student
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import INCONCLUSIVE, Decision, DecisionRule, Tally, Vote, cast_vote

BANK = ReferenceBank(np.ones((10, 2), np.float32), np.arange(10) >= 6)  # 6 of the baseline, 4 of the target
LABELS = ("rest", "load")
LEVELS = Levels(
    (3, 8, 30),
    StateLevels(13, (-3.4, -3.5, -3.6), (2.7, 2.8, 2.9), (1.5, 1.0, 0.6)),
    StateLevels(7, (3.0, 3.1, 3.2), (1.5, 1.4, 1.3), (1.3, 1.2, 1.0)),
)
RULE = DecisionRule(LABELS, LEVELS, VotingConstants(fewest_beats=3, alpha=0.01, beta=0.02))


def soft(evidence: float) -> Vote:
    return Vote(0, 0, False, evidence)


@given(arrays(np.float32, 10, elements=st.floats(-20, 20, width=32)))
def test_a_vote_is_what_its_definition_says(logits: np.ndarray) -> None:
    vote = cast_vote(logits, BANK)
    assert vote.same_as_baseline == sum(float(x) < 0 for x in logits[:6])
    assert vote.same_as_target == sum(float(x) < 0 for x in logits[6:])
    assert vote.hard_target == (vote.same_as_target / 4 > vote.same_as_baseline / 6)
    assert vote.evidence == pytest.approx(np.mean(logits[:6].tolist()) - np.mean(logits[6:].tolist()), abs=1e-6)


def test_a_tie_is_a_vote_for_the_baseline() -> None:
    vote = cast_vote(np.zeros(10, np.float32), BANK)
    assert not vote.hard_target
    assert not vote.soft_target


def test_the_boundaries_are_walds() -> None:
    assert RULE.upper == pytest.approx(log(0.98 / 0.01))
    assert RULE.lower == pytest.approx(log(0.02 / 0.99))
    assert RULE.at(0.9).upper == -RULE.at(0.9).lower == pytest.approx(log(9))


# The levels


@given(st.floats(-50, 50), st.floats(-5, 5), st.floats(0.01, 20), st.integers(1, 100))
def test_the_density_is_students(x: float, location: float, squared_scale: float, freedom: int) -> None:
    expected = student.logpdf(x, freedom, location, squared_scale**0.5)
    assert Student.of(location, squared_scale, freedom).log(x) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.floats(-10, 10), st.integers(1, 60))
def test_without_a_day_a_new_date_differs_as_dates_do(level: float, beats: int) -> None:
    i = 0 if beats < 8 else 1 if beats < 30 else 2
    expected = []
    for state in (LEVELS.target, LEVELS.baseline):
        scale = (state.between[i] * (1 + 1 / state.dates) + state.within[i]) ** 0.5
        expected.append(student.logpdf(level, state.dates - 1, state.mean[i], scale))
    assert LEVELS.log_odds(level, beats) == pytest.approx(expected[0] - expected[1])


@given(st.floats(-10, 10), st.floats(-8, 4), st.integers(1, 6))
def test_with_a_day_the_baseline_is_the_conditional_normal_of_linear_algebra(
    level: float, of_day: float, recordings: int
) -> None:
    """The oracle: k + 1 recordings of one date, jointly normal, the last given the mean of the others."""
    between, within, mean = LEVELS.baseline.between[2], LEVELS.baseline.within[2], LEVELS.baseline.mean[2]
    covariance = np.full((recordings + 1, recordings + 1), between) + within * np.eye(recordings + 1)
    gain = np.linalg.solve(covariance[:-1, :-1], covariance[:-1, -1])
    location = mean + gain @ np.full(recordings, of_day - mean)
    variance = covariance[-1, -1] - gain @ covariance[:-1, -1]
    same = student.logpdf(level, 12, location, variance**0.5)
    different = student.logpdf(level, 6, 3.2, (1.3 * (1 + 1 / 7) + 1.0) ** 0.5)
    assert LEVELS.log_odds(level, 40, DayLevel(of_day, recordings, 35)) == pytest.approx(different - same)


def test_the_same_level_is_read_by_the_days_own() -> None:
    assert LEVELS.log_odds(-1.5, 30, DayLevel(-1.0, 2, 30)) < LEVELS.log_odds(-1.5, 30)
    assert LEVELS.log_odds(-1.5, 30, DayLevel(-5.0, 2, 30)) > LEVELS.log_odds(-1.5, 30)


def test_levels_survive_the_manifest_and_nothing_else_does() -> None:
    good = LEVELS.to_json()
    assert Levels.from_json(good) == LEVELS
    assert Levels.from_json(None) is None
    state = good["target"]
    bad_states = [
        {**state, "dates": 1},
        {**state, "dates": 7.0},
        {**state, "dates": True},
        {**state, "within": (1.0, 0.0, 1.0)},
        {**state, "between": (1.0, -1.0, 1.0)},
        {**state, "mean": (1.0, nan, 1.0)},
        {**state, "mean": (1.0, inf, 1.0)},
        {**state, "mean": (1.0, 2.0)},
        {**state, "more": 1},
        [],
    ]
    bad = [{**good, "target": of} for of in bad_states]
    bad += [{**good, "beats": beats} for beats in ([], [3, 3, 8], [8, 3, 30], [0, 3, 8], [3.0, 8, 30], "abc", None)]
    bad += [{}, [], 3, {**good, "more": 1}]
    for value in bad:
        with pytest.raises(ContractError, match="levels"):
            Levels.from_json(value)


# The decision


def said(evidence: list[float], rule: DecisionRule = RULE, day: DayLevel | None = None) -> list[Decision]:
    """What is known after each beat."""
    tally, decisions = rule.tally(day), []
    for beat, e in enumerate(evidence):
        tally.add(soft(e), 1.0 + beat)
        decisions.append(tally.decision)
    return decisions


@pytest.mark.parametrize(("evidence", "label"), [(9.0, "load"), (-9.0, "rest")])
def test_a_decision_is_provisional_and_must_hold_until_the_end(evidence: float, label: str) -> None:
    decided = said([evidence] * 3)[-1]
    assert (decided.label, decided.provisional) == (label, (label, 3, 3.0))
    later = said([evidence] * 3 + [-evidence] * 30)
    assert later[-1].label == INCONCLUSIVE  # its own later beats say the other state
    assert later[-1].provisional == (label, 3, 3.0)
    assert {decision.label for decision in later} == {label, INCONCLUSIVE}
    back = said([evidence] * 3 + [-evidence] * 3 + [evidence] * 60)[-1]
    assert back.label == label


def test_what_lies_between_the_states_is_inconclusive() -> None:
    decisions = said([-0.2] * 40)
    assert {(d.label, d.provisional) for d in decisions} == {(INCONCLUSIVE, None)}


def test_without_levels_nothing_is_decided() -> None:
    decision = said([9.0] * 40, DecisionRule(LABELS, None))[-1]
    assert (decision.label, decision.confidence, decision.provisional) == (INCONCLUSIVE, 0.5, None)
    assert decision.votes == {"rest": 40, "load": 0}


def test_three_beats_are_the_least() -> None:
    assert [decision.label for decision in said([9.0] * 3)] == [INCONCLUSIVE, INCONCLUSIVE, "load"]


@given(st.lists(st.floats(-20, 20), min_size=3, max_size=40))
def test_the_order_of_beats_changes_only_what_was_provisional(evidence: list[float]) -> None:
    forward, backward = Tally(RULE), Tally(RULE)
    for one, other in zip(evidence, evidence[::-1], strict=True):
        forward.add(soft(one), 0.0)
        backward.add(soft(other), 0.0)
    assert forward.log_odds == pytest.approx(backward.log_odds, rel=1e-6, abs=1e-6)


def test_what_is_unusable_says_nothing_and_holds_back_a_decision_while_it_is_most() -> None:
    tally = RULE.tally()
    for _ in range(4):
        tally.skip()
        assert tally.decision.label == INCONCLUSIVE
    for beats in range(1, 4):
        tally.add(soft(9.0), float(beats))
        decision = tally.decision
        assert (decision.label, decision.beats, decision.unusable) == (INCONCLUSIVE, beats, 4)
        assert decision.confidence == 0.5
    assert tally.level == 9.0
    tally.add(soft(9.0), 4.0)
    assert tally.decision.label == "load"
    tally.skip()
    assert tally.decision.label == INCONCLUSIVE  # most are unusable again


@pytest.mark.parametrize("evidence", [nan, inf, -inf])
def test_a_vote_that_is_no_number_is_an_unusable_beat(evidence: float) -> None:
    tally = RULE.tally()
    for beat in range(3):
        tally.add(soft(9.0), float(beat))
    tally.add(soft(evidence), 3.0)
    decision = tally.decision
    assert (decision.label, decision.beats, decision.unusable) == ("load", 3, 1)
    assert not isnan(decision.confidence)
    assert {decision.label for decision in said([evidence] * 20)} == {INCONCLUSIVE}


def test_confidence_is_bounded_by_the_dates_behind_it() -> None:
    assert said([5.0] * 30)[-1].confidence == 13 / 14  # 13 dates of the baseline were told from it
    assert said([-5.0] * 30)[-1].confidence == 7 / 8
    mild = said([0.3] * 30)[-1]
    odds = LEVELS.log_odds(0.3, 30)
    assert mild.confidence == pytest.approx(min(13 / 14, 1 / (1 + exp(-abs(odds)))))


@pytest.mark.parametrize("with_day", [False, True])
def test_recordings_of_new_dates_are_decided_at_the_stated_rates(with_day: bool) -> None:
    """By simulation: dates and recordings scatter as the levels say, with as many dates that none is in doubt."""
    rng = np.random.default_rng(0)
    count = 4000
    states = [structs.replace(s, dates=10_000) for s in (LEVELS.baseline, LEVELS.target)]
    rule = DecisionRule(LABELS, Levels(LEVELS.beats, *states)).at(0.95)
    wrong = [0, 0]
    for target, state in enumerate(states):
        for _ in range(count):
            own = rng.normal(states[0].mean[2], states[0].between[2] ** 0.5)
            baselines = own + rng.normal(0, states[0].within[2] ** 0.5, 2)
            of_date = own if not target else rng.normal(state.mean[2], state.between[2] ** 0.5)
            level = of_date + rng.normal(0, state.within[2] ** 0.5)
            day = DayLevel(float(baselines.mean()), 2, 30) if with_day else None
            log_odds = rule.levels.log_odds(level, 30, day) if rule.levels else 0.0
            wrong[target] += log_odds >= rule.upper if not target else log_odds <= rule.lower
    assert max(wrong) / count <= 0.05
