"""The calibration against populations whose numbers are known: slope, correlation, clip, and the rates that result."""

from dataclasses import replace
from math import log

import numpy as np
import pytest

from edge_ecg.contract import CONTRACT, VotingConstants
from edge_ecg.inference.votes import INCONCLUSIVE, Vote
from train.data import BeatSet
from train.decision.calibrate import CLIPS, calibrate, correlation, decisions, fit_slope, keeps_its_rates
from train.decision.decide import Decided

LABELS = ("rest", "load")


def judged(recordings: int, beats: int, separation: float, shared: float, seed: int = 0) -> Decided:
    """Normal evidence: means +-separation / 2, unit variance, of which the part `shared` is the recording's own."""
    rng = np.random.default_rng(seed)
    is_target = np.arange(recordings) % 2 == 1
    level = np.where(is_target, 0.5, -0.5) * separation + rng.normal(0, np.sqrt(shared), recordings)
    evidence = np.repeat(level, beats) + rng.normal(0, np.sqrt(1 - shared), recordings * beats)
    return from_evidence(evidence, np.repeat(np.arange(recordings), beats), is_target)


def from_evidence(evidence: np.ndarray, recording: np.ndarray, is_target: np.ndarray) -> Decided:
    count = len(is_target)
    names = tuple(f"{number}.csv" for number in range(count))
    empty = np.zeros((len(evidence), 1), np.float32)
    dates, rates, days = np.array(["0101"] * count), np.full(count, 512.0), np.full(count, "NaT", "datetime64[D]")
    beats = BeatSet(empty, recording, np.zeros(len(evidence)), names, dates, is_target, rates, days)
    return Decided(beats, LABELS, [Vote(0, 0, False, float(e)) for e in evidence], [])


def test_the_slope_of_two_normals_is_their_distance() -> None:
    """The log likelihood ratio of two unit normals d apart is d times the evidence."""
    assert fit_slope(judged(2000, 4, 1.7, 0.0)) == pytest.approx(1.7, rel=0.06)


@pytest.mark.parametrize("shared", [0.0, 0.2, 0.6])
def test_the_correlation_is_the_part_that_a_recording_shares(shared: float) -> None:
    judgement = judged(600, 12, 3.0, shared)
    assert correlation(judgement, judgement.evidence) == pytest.approx(shared, abs=0.05)


def test_the_correlation_does_not_see_the_difference_between_the_states() -> None:
    near, far = judged(200, 10, 0.0, 0.3), judged(200, 10, 50.0, 0.3)
    assert correlation(near, near.evidence) == pytest.approx(correlation(far, far.evidence), abs=1e-9)


def test_the_correlation_takes_recordings_of_any_length_and_one_state() -> None:
    lengths = np.arange(2, 40)
    recording = np.repeat(np.arange(len(lengths)), lengths)
    level = np.random.default_rng(0).normal(0, 1, len(lengths))
    judgement = from_evidence(level[recording], recording, np.zeros(len(lengths), bool))
    assert correlation(judgement, judgement.evidence) == 1.0  # all of it shared
    alone = from_evidence(np.zeros(3), np.arange(3), np.array([True, False, True]))
    assert correlation(alone, alone.evidence) == 0.0


@pytest.mark.parametrize("shared", [0.0, 0.3, 0.6])
def test_what_is_calibrated_keeps_its_rates_on_new_recordings(shared: float) -> None:
    voting = calibrate(judged(100, 30, 4.0, shared), CONTRACT.voting)
    fresh = judged(1500, 30, 4.0, shared, seed=1)
    labels = np.array([d.label for d in decisions(fresh, voting)])
    is_target = fresh.beats.recording_is_target
    assert np.mean(labels[~is_target] == "load") <= voting.alpha
    assert np.mean(labels[is_target] == "rest") <= voting.beta
    assert np.mean(labels == INCONCLUSIVE) < 0.35


def wrong_share(judgement: Decided, voting: VotingConstants) -> float:
    truth = judgement.beats.recording_is_target
    return float(np.mean([d.label == LABELS[not t] for d, t in zip(decisions(judgement, voting), truth, strict=True)]))


def test_without_the_correlation_the_rates_would_not_hold() -> None:
    voting = calibrate(judged(100, 30, 1.6, 0.6), CONTRACT.voting)
    fresh = judged(1000, 30, 1.6, 0.6, seed=1)
    assert wrong_share(fresh, voting) <= voting.alpha
    assert wrong_share(fresh, replace(voting, correlation=0.0)) > 2 * voting.alpha


def test_the_clip_shrinks_until_the_bootstrap_is_content() -> None:
    judgement = judged(60, 20, 2.2, 0.0, seed=3)
    voting = calibrate(judgement, CONTRACT.voting)
    boundary = log((1 - voting.beta) / voting.alpha)
    share = voting.clip / boundary
    assert any(share == pytest.approx(clip) for clip in CLIPS)
    assert share == pytest.approx(CLIPS[-1]) or keeps_its_rates(judgement, voting)
    assert not keeps_its_rates(judgement, replace(voting, clip=100.0, slope=50.0, correlation=0.9, fewest_beats=1))


def test_errors_of_the_calibration_are_counted() -> None:
    judgement = judged(400, 20, 2.5, 0.4)
    voting = calibrate(judgement, CONTRACT.voting)
    assert voting.calibration_recordings == 400
    assert voting.calibration_errors == round(400 * wrong_share(judgement, voting)) > 0
    assert voting.offset == 0.0


def test_the_same_recordings_give_the_same_numbers() -> None:
    first, second = (calibrate(judged(50, 20, 3.0, 0.3), CONTRACT.voting) for _ in range(2))
    assert first == second
    assert isinstance(first, VotingConstants)
