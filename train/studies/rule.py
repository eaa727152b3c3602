"""The decision rule for any method: evidence on sessions left out, levels of the others, the session's baseline.

A method that has no bound of its own is given that of the comparators, 6 tanh(x / 6).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from edge_ecg.inference.votes import DecisionRule
from train.data import BeatSet
from train.evaluation.drifted import ROLES, Outcome, baselines_of, leaving_out
from train.evaluation.folds import Method
from train.fit.decision import fit_levels
from train.fit.loop import Settings
from train.model.model import MOST_LOGIT
from train.studies.day_baseline import DAY_BASELINE_RECORDINGS, judged_date

RISK = 0.15  # of the distribution-free statement: with six sessions of a state to compare with, none is below 1 / 7


def sessions_of(beats: BeatSet) -> list[str]:
    """The names of the sessions, in order."""
    return sorted(set(beats.dates.tolist()))


def left_out_evidence_of(beats: BeatSet, method: Method, settings: Settings) -> np.ndarray:
    """(N,) evidence of every beat by a method that has not seen its session, in log odds within its bound."""
    evidence = np.zeros(len(beats.values))
    for session in sessions_of(beats):
        learned = leaving_out(beats, [session])
        if 0 < learned.recording_is_target.sum() < len(learned.sources):
            of_session = beats.date == session
            evidence[of_session] = method(learned, beats.on_dates([session]), settings)
    return evidence


def bounded_evidence(evidence: np.ndarray) -> np.ndarray:
    """Log odds within the bound of a comparison."""
    return MOST_LOGIT * np.tanh(evidence / MOST_LOGIT)


def decide_left_out(beats: BeatSet, evidence: np.ndarray, confidence: float, seed: int | None = None) -> list[Outcome]:
    """Outcomes of all recordings but the first two baselines of their session, with which they are compared.

    evidence: (N,), on sessions left out. seed: draw the two at random instead. Recordings of a session without a
    baseline, and all where there are too few sessions for levels, are inconclusive.
    """
    rng = np.random.default_rng(seed)
    outcomes: list[Outcome] = []
    for session in sessions_of(beats):
        others = leaving_out(beats, [session])
        levels = fit_levels(others, evidence[beats.date != session])
        rule = DecisionRule(ROLES, levels).at(confidence)
        own = baselines_of(beats, [session], None if seed is not None else DAY_BASELINE_RECORDINGS)
        if seed is not None:
            own = rng.permutation(own)[:DAY_BASELINE_RECORDINGS].tolist()
        rest = [n for n in np.flatnonzero(beats.dates == session).tolist() if n not in own]
        outcomes += judged_date(beats, session, evidence, rule if own else replace(rule, levels=None), own, rest)
    return outcomes


def decide_without_model(
    beats: BeatSet, evidence: np.ndarray, risk: float = RISK
) -> list[tuple[str, bool, bool, bool]]:
    """Session, state, whether it is decided and whether rightly, of each recording, without a model of the levels.

    Hierarchical conformal inference (Y. Lee, R. F. Barber, R. Willett, arXiv:2306.06342) on the difference between a
    recording's level and that of its session's baseline: the p value of a state is the share of recordings of other
    sessions of that state that lie as far towards the other state, each session weighing the same and the new one as
    much as each of them. One state is decided where the other's p value is `risk` at most and its own is above.
    """
    level = np.bincount(beats.recording, evidence) / np.bincount(beats.recording)
    rest: list[int] = []
    for session in sessions_of(beats):
        own = baselines_of(beats, [session], DAY_BASELINE_RECORDINGS)
        if own:
            of_session = np.flatnonzero(beats.dates == session)
            level[of_session] -= level[own].mean()
            rest += [n for n in of_session.tolist() if n not in own]
    found = []
    for number in rest:
        p_baseline, p_target = (
            _p_value([sign * level[ns] for ns in _others(beats, rest, number, state)], sign * level[number])
            for state, sign in ((False, 1.0), (True, -1.0))
        )
        is_decided = (p_baseline <= risk) != (p_target <= risk)
        is_target = bool(beats.recording_is_target[number])
        found.append(
            (str(beats.dates[number]), is_target, is_decided, is_decided and (p_baseline <= risk) == is_target)
        )
    return found


def _others(beats: BeatSet, rest: Sequence[int], number: int, state: bool) -> Iterator[np.ndarray]:
    """By other session with recordings of a state, their numbers."""
    numbers = np.array(rest)
    numbers = numbers[(beats.recording_is_target[numbers] == state) & (beats.dates[numbers] != beats.dates[number])]
    for session in np.unique(beats.dates[numbers]):
        yield numbers[beats.dates[numbers] == session]


def _p_value(groups: Sequence[np.ndarray], value: float) -> float:
    """Of the groups and the new one, the share at or above a value."""
    return (1 + sum(float(np.mean(group >= value)) for group in groups)) / (len(groups) + 1)


def permuted_within_sessions(beats: BeatSet, seed: int) -> BeatSet:
    """The same recordings with the labels of each session shuffled."""
    rng, labels = np.random.default_rng(seed), beats.recording_is_target.copy()
    for session in sessions_of(beats):
        of_session = np.flatnonzero(beats.dates == session)
        labels[of_session] = rng.permutation(labels[of_session])
    return replace(beats, recording_is_target=labels)


def later_half(beats: BeatSet, target: bool) -> BeatSet:
    """The recordings of one state, the later half of each session labeled as the other state."""
    kept = beats.recording_is_target == target
    late = np.zeros(len(kept), bool)
    for session in sessions_of(beats):
        numbers = np.flatnonzero(kept & (beats.dates == session))
        numbers = numbers[np.argsort(beats.place_in_date[numbers], kind="stable")]
        late[numbers[len(numbers) // 2 :]] = True
    return replace(beats, recording_is_target=late).on_recordings(kept)


def matched_recordings(beats: BeatSet, evidence: np.ndarray, within_s: float = 0.010) -> tuple[int, int, int]:
    """Pairs of one session's recordings of either state whose mean RR intervals are alike.

    How many there are, how many rank rightly by evidence (N,), and how many by the shorter RR interval.
    """
    count = np.bincount(beats.recording)
    level, rr_s = (np.bincount(beats.recording, of_beat) / count for of_beat in (evidence, beats.values[:, -1]))
    pairs = right = shorter = 0
    for session in sessions_of(beats):
        of_session = beats.dates == session
        for target in np.flatnonzero(of_session & beats.recording_is_target):
            for baseline in np.flatnonzero(of_session & ~beats.recording_is_target):
                if abs(rr_s[target] - rr_s[baseline]) < within_s:
                    pairs += 1
                    right += int(level[target] > level[baseline])
                    shorter += int(rr_s[target] < rr_s[baseline])
    return pairs, right, shorter
