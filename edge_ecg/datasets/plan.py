"""Plan of sessions: recordings simulated from the variances of a run, decided by the product's rule.

A level of a state is normal between sessions and within one, with the variances that the run found on sessions left
out. Every simulated study estimates its own variances from its own sessions, leaves each out once, and decides its
recordings as `edge_ecg.inference.levels` does. Between the states nothing correlates: in the recordings that were
looked at, nothing did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, lgamma, log, pi

import numpy as np

from edge_ecg.errors import RunError
from edge_ecg.inference.levels import Levels

BASELINE_RECORDINGS = 2  # of each session: they are its baseline, and are not decided
DRAWS = 300  # simulated studies
RECORDINGS = 6  # of each state and session
SESSIONS = (3, 4, 5, 6, 8, 10, 13, 19, 30)
FEWEST_SESSIONS = 2
TOO_FEW = "too few sessions to estimate how much they differ; record both states in more sessions"
ENOUGH = 0.95  # share of recordings decided
LEAST_WITHIN = 1e-6  # of the variance between sessions, as where levels are fitted


@dataclass(frozen=True)
class Simulated:
    """Shares of simulated recordings."""

    decided: float
    wrong: float  # of the decided
    sessions_with_an_error: float  # of sessions and states


def simulate(
    levels: Levels,
    baseline_counts: Sequence[int],
    target_counts: Sequence[int],
    *,
    with_baseline: bool,
    separation: float = 1.0,
    confidence: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Simulated:
    """Decisions on sessions with so many recordings of either state, each left out once.

    separation: of the states, in multiples of that of the levels. At least three sessions have each state.
    """
    rng = np.random.default_rng(seed)
    means = (0.0, separation * (levels.target.mean[-1] - levels.baseline.mean[-1]))
    found = [
        _recordings(rng, mean, state.between[-1], state.within[-1], np.array(counts), draws)
        for mean, state, counts in zip(
            means, (levels.baseline, levels.target), (baseline_counts, target_counts), strict=True
        )
    ]
    decided = wrong = total = sessions = sessions_wrong = 0
    bound = log(confidence / (1 - confidence))
    for session in range(len(baseline_counts)):
        others = np.arange(len(baseline_counts)) != session
        (mean, between, within, count), target = (_components(levels_of[:, others]) for levels_of in found)
        variance = between * (1 + 1 / count) + within
        if with_baseline:
            of_session = found[0][:, session, :BASELINE_RECORDINGS]
            share = between / (between + within / BASELINE_RECORDINGS)
            mean, variance = mean + share * (of_session.mean(1) - mean), between * (1 - share) + within
        target_variance = target[1] * (1 + 1 / target[3]) + target[2]
        for is_target, judged in ((False, found[0][:, session, BASELINE_RECORDINGS:]), (True, found[1][:, session])):
            there = ~np.isnan(judged)
            if not there.any():
                continue
            log_odds = _log_density(judged, target[0], target_variance, target[3] - 1)
            log_odds = log_odds - _log_density(judged, mean, variance, count - 1)
            is_decided = there & (np.abs(log_odds) >= bound)
            is_wrong = is_decided & ((log_odds > 0) != is_target)
            total, decided, wrong = total + there.sum(), decided + is_decided.sum(), wrong + is_wrong.sum()
            sessions, sessions_wrong = sessions + draws, sessions_wrong + is_wrong.any(1).sum()
    return Simulated(float(decided / total), float(wrong / max(1, decided)), float(sessions_wrong / sessions))


def _recordings(
    rng: np.random.Generator, mean: float, between: float, within: float, counts: np.ndarray, draws: int
) -> np.ndarray:
    """Levels (draws, sessions, recordings), NaN where a session has fewer."""
    shape = draws, len(counts), max(1, int(counts.max()))
    of_session = rng.standard_normal(shape[:2])[..., np.newaxis] * between**0.5
    levels = mean + of_session + rng.standard_normal(shape) * within**0.5
    levels[:, np.arange(shape[2]) >= counts[:, np.newaxis]] = np.nan
    return levels


def _components(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Mean, variances between and within sessions, (draws,) each, and how many sessions have any recording.

    As `train.fit.decision.variance_components`, for many studies at once.
    """
    counts = (~np.isnan(levels[0])).sum(1)
    levels, counts = levels[:, counts > 0], counts[counts > 0]
    sessions, total = len(counts), int(counts.sum())
    means = np.nanmean(levels, 2)
    within = np.nansum((levels - means[..., np.newaxis]) ** 2, (1, 2)) / (total - sessions)
    weighted = (means * counts).sum(1, keepdims=True) / total
    square = (counts * (means - weighted) ** 2).sum(1) / (sessions - 1)
    usual_count = (total - (counts**2).sum() / total) / (sessions - 1)
    between = np.maximum(0.0, (square - within) / usual_count)
    return means.mean(1), between, np.maximum(within, LEAST_WITHIN * between), sessions


def _log_density(x: np.ndarray, location: np.ndarray, squared_scale: np.ndarray, freedom: int) -> np.ndarray:
    """The logarithm of Student's density of (draws, recordings), as `edge_ecg.inference.levels.log_density`."""
    scale = lgamma((freedom + 1) / 2) - lgamma(freedom / 2) - 0.5 * np.log(freedom * pi * squared_scale)
    away = (x - location[:, np.newaxis]) ** 2 / squared_scale[:, np.newaxis]
    return np.asarray(scale[:, np.newaxis] - (freedom + 1) / 2 * np.log1p(away / freedom))


@dataclass(frozen=True)
class PlanRow:
    """Decisions after so many sessions with both states."""

    sessions: int
    with_baseline: Simulated
    without: Simulated
    half_as_far: Simulated  # with a baseline, the states half as far apart


@dataclass(frozen=True)
class Plan:
    """Shares decided by the number of sessions, simulated from the variances of those so far."""

    baseline_sessions: int
    target_sessions: int
    recordings: int  # of each state and session
    confidence: float
    rows: tuple[PlanRow, ...]  # the first is of as many sessions as there are

    def sentences(self, labels: tuple[str, str]) -> list[str]:
        """Three sentences for a person."""
        now, *later = self.rows
        enough = next((row for row in later if row.with_baseline.decided >= ENOUGH), later[-1])
        odds = f"{self.confidence / (1 - self.confidence):.0f}:1"
        return [
            f"With {now.sessions} sessions of both states ({self.baseline_sessions} have {labels[0]}, "
            f"{self.target_sessions} {labels[1]}), {now.with_baseline.decided:.0%} of a new session's recordings are "
            f"decided at odds of {odds} with the session's own baseline, and {now.without.decided:.0%} without it; "
            f"{now.with_baseline.wrong:.2%} of these decisions are wrong.",
            f"With {enough.sessions} sessions: {enough.with_baseline.decided:.0%} and "
            f"{enough.without.decided:.0%}; with half the present effect, {enough.half_as_far.decided:.0%} with the "
            "session's own baseline.",
            "These figures are simulated with the model of levels. Without a model, a confidence of "
            f"{self.confidence:.0%} needs {sessions_without_model(self.confidence)} error-free sessions of each state.",
        ]


def plan_from(levels: Levels, recordings: int = RECORDINGS, confidence: float = 0.95) -> Plan:
    """The plan from as many sessions as the levels are from. Raises RunError for fewer than two."""
    so_far = min(levels.baseline.dates, levels.target.dates)
    if so_far < FEWEST_SESSIONS:
        raise RunError(f"{so_far} sessions have both states, expected {FEWEST_SESSIONS} to plan from")

    def row(sessions: int) -> PlanRow:
        counts = [recordings] * (sessions + 1)  # one of them is new, and judged by the others

        def decided(with_baseline: bool, separation: float = 1.0) -> Simulated:
            return simulate(
                levels, counts, counts, with_baseline=with_baseline, separation=separation, confidence=confidence
            )

        return PlanRow(sessions, decided(True), decided(False), decided(True, 0.5))

    rows = tuple(row(sessions) for sessions in (so_far, *(n for n in SESSIONS if n > so_far)))
    return Plan(levels.baseline.dates, levels.target.dates, recordings, confidence, rows)


def sessions_without_model(confidence: float) -> int:
    """Sessions of a state, none with an error, from which a statement without any model reaches a confidence."""
    return ceil(confidence / (1 - confidence) - 1e-9)
