"""From evidence to log odds: fit the sequential decision on recordings that training has not seen.

Everything is fitted on the validation recordings, with training's references; test dates are not read.

- slope: temperature scaling (Guo et al. 2017) of a beat's evidence, every recording weighing the same. There is no
  offset: on dates that drift it moves more than two validation dates could tell, and without it a beat's sign stays
  that of its vote.
- correlation: of two beats of one recording and state, the intraclass correlation of what they say (one-way analysis of
  variance; R. A. Fisher, Statistical Methods for Research Workers, 1925). It holds what neighbours share and what
  the whole recording shares: electrode, posture, and in part the day. Where all recordings of a state are on its side
  and only differ in how strongly, it would leave a perfect model inconclusive, so no more than a half is discounted.
- clip: the largest of CLIPS, as a share of the nearer boundary, that keeps the stated error rates. Each recording is
  judged from every third beat on, as a ring, and recordings are drawn anew 1,000 times within their state; the 95th
  percentile of the error rate must stay within alpha on the baseline and beta on the target. All are below 1: no
  beat decides alone. Below 0.6 a recording whose beats correlate could never decide.

What this cannot see: dates. Two validation dates are two, however many recordings they hold; leaving out one date at
a time (docs/experiments.md) shows what a new date does.
"""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from edge_ecg.contract import VotingConstants
from edge_ecg.inference.votes import INCONCLUSIVE, Decision, Tally
from train.decision.decide import Decided

PRIOR_RECORDINGS = 1.0  # imagined recordings that are wrong by a typical amount: keep the slope finite
MOST_DISCOUNTED = 0.5  # a recording says as much as two beats at least; how strongly it speaks varies, and is no error
CLIPS = (0.9, 0.8, 0.7, 0.6)
DRAWS = 1000
EVERY = 3  # beats from one start to the next


def calibrate(judgement: Decided, voting: VotingConstants) -> VotingConstants:
    """The voting constants for what `judgement` holds, at the error rates that `voting` states."""
    slope = fit_slope(judgement)
    boundary = min(Tally(judgement.labels, voting).upper, -Tally(judgement.labels, voting).lower)
    for share in CLIPS:
        fitted = replace(voting, slope=slope, offset=0.0, clip=share * boundary)
        said = np.clip(slope * judgement.evidence, -fitted.clip, fitted.clip)
        fitted = replace(fitted, correlation=min(MOST_DISCOUNTED, correlation(judgement, said)))
        if keeps_its_rates(judgement, fitted):
            break
    truth = [judgement.labels[target] for target in judgement.beats.recording_is_target.astype(int)]
    wrong = [d.label not in (t, INCONCLUSIVE) for d, t in zip(decisions(judgement, fitted), truth, strict=True)]
    return replace(fitted, calibration_recordings=len(wrong), calibration_errors=sum(wrong))


def fit_slope(judgement: Decided) -> float:
    """Log odds of the target for one unit of a single beat's evidence."""
    beats = judgement.beats
    sign = np.where(beats.is_target, 1.0, -1.0)
    weight = 1 / np.bincount(beats.recording)[beats.recording]

    def loss(log_slope: float) -> float:
        slope = np.exp(log_slope)
        mistaken = np.logaddexp(0, -slope * sign * judgement.evidence)
        prior = PRIOR_RECORDINGS * np.logaddexp(0, slope * np.std(judgement.evidence))
        return float(np.sum(weight * mistaken) + prior)

    return float(np.exp(minimize_scalar(loss, bounds=(-8, 4), method="bounded").x))


def correlation(judgement: Decided, said: np.ndarray) -> float:
    """The intraclass correlation of (N,) numbers of beats: 0 if recordings of one state do not differ."""
    beats = judgement.beats
    counts = np.bincount(beats.recording)
    means = np.bincount(beats.recording, said) / counts
    within = np.sum((said - means[beats.recording]) ** 2) / max(1, len(said) - len(counts))
    between, freedom = 0.0, 0
    for state in (False, True):
        of_state = beats.recording_is_target == state
        if of_state.any():
            centre = np.average(means[of_state], weights=counts[of_state])
            between += float(np.sum(counts[of_state] * (means[of_state] - centre) ** 2))
            freedom += int(of_state.sum()) - 1
    typical = (len(said) - np.sum(counts**2) / len(said)) / max(1, len(counts) - 1)
    shared = max(0.0, (between / max(1, freedom) - within) / typical)
    return float(shared / (shared + within)) if shared else 0.0


def keeps_its_rates(judgement: Decided, voting: VotingConstants) -> bool:
    """Whether the bootstrap's 95th percentile of the error rates is within alpha and beta."""
    is_target = judgement.beats.recording_is_target
    errors = np.mean(
        [
            [
                d.label == judgement.labels[not target]
                for d, target in zip(decisions(judgement, voting, start), is_target, strict=True)
            ]
            for start in range(0, int(np.bincount(judgement.beats.recording).max()), EVERY)
        ],
        axis=0,
    )
    rng = np.random.default_rng(0)
    for state, rate in ((False, voting.alpha), (True, voting.beta)):
        of_state = errors[is_target == state]
        if len(of_state):
            drawn = of_state[rng.integers(0, len(of_state), (DRAWS, len(of_state)))].mean(1)
            if np.percentile(drawn, 95) > rate:
                return False
    return True


def decisions(judgement: Decided, voting: VotingConstants, start: int = 0) -> list[Decision]:
    """The decision on each recording, its beats taken from `start` on as a ring."""
    tally = Tally(judgement.labels, voting)
    decided = []
    for recording in range(len(judgement.beats.sources)):
        beats = np.flatnonzero(judgement.beats.recording == recording)
        tally.reset()
        for number, beat in enumerate(np.roll(beats, -start)):
            decision = tally.add(judgement.votes[beat], float(number))
            if decision.label != INCONCLUSIVE:
                break
        decided.append(decision)
    return decided
