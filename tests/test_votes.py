"""Votes and the sequential decision against direct counts, Wald's bounds and simulation."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import multivariate_normal

from edge_ecg.contract import VotingConstants
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import INCONCLUSIVE, Tally, Vote, cast_vote

BANK = ReferenceBank(np.ones((10, 2), np.float32), np.arange(10) >= 6)  # 6 of the baseline, 4 of the target
LABELS = ("rest", "load")
PLAIN = VotingConstants(
    slope=1.0, offset=0.0, clip=4.0, fewest_beats=1, correlation=0.0, alpha=0.01, beta=0.02, calibration_recordings=98
)


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
    tally = Tally(LABELS, PLAIN)
    assert tally.upper == pytest.approx(log(0.98 / 0.01))
    assert tally.lower == pytest.approx(log(0.02 / 0.99))


@pytest.mark.parametrize(("sign", "label"), [(1, "load"), (-1, "rest")])
def test_a_decision_stays(sign: int, label: str) -> None:
    tally = Tally(LABELS, replace(PLAIN, beta=PLAIN.alpha))
    tally.add(soft(4.0 * sign), 4.0)
    decided = tally.add(soft(4.0 * sign), 5.0)
    assert (decided.label, decided.beats_to_decision, decided.seconds_to_decision) == (label, 2, 5.0)
    later = [tally.add(soft(-4.0 * sign), 6.0 + beat) for beat in range(20)][-1]
    assert (later.label, later.beats_to_decision, later.seconds_to_decision) == (label, 2, 5.0)
    assert later.beats == 22


def test_nothing_said_is_inconclusive() -> None:
    tally = Tally(LABELS, PLAIN)
    for beat in range(100):
        decision = tally.add(soft(0.0), float(beat))
    assert (decision.label, decision.confidence, decision.beats_to_decision) == (INCONCLUSIVE, 0.5, None)


def test_one_wild_beat_does_not_decide() -> None:
    tally = Tally(LABELS, PLAIN)
    assert tally.add(soft(1e9), 4.0).label == INCONCLUSIVE


def test_an_ectopic_beat_and_the_one_after_do_not_decide() -> None:
    tally = Tally(LABELS, replace(PLAIN, fewest_beats=3))
    assert [tally.add(soft(1e9), float(beat)).label for beat in range(3)] == [INCONCLUSIVE, INCONCLUSIVE, "load"]


@settings(deadline=None)
@given(st.floats(0.01, 0.9), st.lists(st.floats(-3, 3), min_size=1, max_size=30))
def test_log_odds_are_the_posterior_of_a_recording_with_an_effect_of_its_own(
    correlation: float, evidence: list[float]
) -> None:
    """The oracle: multivariate normal beats, mean +-1/2, unit variance, the same correlation for every two."""
    tally = Tally(LABELS, replace(PLAIN, clip=1e6, correlation=correlation))
    for one in evidence:
        tally.add(soft(one), 0.0)
    n = len(evidence)
    covariance = (1 - correlation) * np.eye(n) + correlation * np.ones((n, n))
    log_likelihood = [multivariate_normal(np.full(n, m), covariance).logpdf(evidence) for m in (0.5, -0.5)]
    assert tally.log_odds == pytest.approx(log_likelihood[0] - log_likelihood[1], abs=1e-6)


def test_what_is_unusable_says_nothing_and_holds_back_a_decision_while_it_is_most() -> None:
    tally = Tally(LABELS, PLAIN)
    for _ in range(4):
        assert tally.skip().label == INCONCLUSIVE
    for beats in range(1, 4):
        decision = tally.add(soft(4.0), float(beats))
        assert (decision.label, decision.beats, decision.unusable) == (INCONCLUSIVE, beats, 4)
        assert decision.confidence == 0.5
    assert tally.log_odds == 12.0
    assert tally.add(soft(4.0), 4.0).label == "load"


def test_confidence_is_bounded_by_the_recordings_behind_it() -> None:
    tally = Tally(LABELS, PLAIN)
    for beat in range(50):
        decision = tally.add(soft(4.0), float(beat))
    assert decision.confidence <= 99 / 100  # 98 recordings without an error support no more (rule of succession)
    doubted = Tally(LABELS, replace(PLAIN, calibration_errors=10))
    for beat in range(50):
        decision = doubted.add(soft(4.0), float(beat))
    assert decision.confidence == 89 / 100


def test_independent_evidence_keeps_the_stated_error_rates() -> None:
    """Wald's guarantee, by simulation: log likelihood ratios of two normal distributions, one unit apart."""
    rng = np.random.default_rng(0)
    wrong = {"rest": 0, "load": 0}
    for truth, mean in (("rest", -0.5), ("load", 0.5)):
        for _ in range(3000):
            tally = Tally(LABELS, replace(PLAIN, clip=1e6, alpha=0.05, beta=0.05))
            while tally.decision.label == INCONCLUSIVE:
                tally.add(soft(float(rng.normal(mean, 1.0))), 0.0)
            wrong[truth] += tally.decision.label != truth
    assert wrong["rest"] / 3000 <= 0.05
    assert wrong["load"] / 3000 <= 0.05
