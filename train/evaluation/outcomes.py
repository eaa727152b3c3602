"""Decisions on dates that were left out, and how many of them are right, wrong or inconclusive."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np

from edge_ecg.inference.levels import DayLevel
from edge_ecg.inference.votes import INCONCLUSIVE, DecisionRule, Vote
from train.data import BeatSet


@dataclass(frozen=True)
class Outcome:
    """What a rule says of one recording."""

    source: str
    date: str
    is_target: bool
    is_decided: bool
    is_right: bool  # decided, and rightly
    probability: float  # of the target
    provisional_s: float | None


def decided(
    beats: BeatSet, number: int, votes: Sequence[Vote | None], rule: DecisionRule, day: DayLevel | None
) -> Outcome:
    """The outcome of a recording, by its number, from the votes of its beats; None is a beat that does not vote."""
    tally = rule.tally(day)
    times = beats.known_at_s[beats.recording == number]
    for vote, time_s in zip(votes, times, strict=True):
        _ = tally.skip() if vote is None else tally.add(vote, float(time_s))
    decision, is_target = tally.decision, bool(beats.recording_is_target[number])
    return Outcome(
        beats.sources[number],
        str(beats.dates[number]),
        is_target,
        decision.label != INCONCLUSIVE,
        decision.label == rule.labels[is_target],
        1 / (1 + exp(-max(-700.0, min(700.0, tally.log_odds)))),
        decision.provisional and decision.provisional.seconds,
    )


def day_level(recordings: Iterable[Sequence[Vote | None]], rule: DecisionRule) -> DayLevel | None:
    """The level of the day's baseline recordings that can be used, from the votes of their beats."""
    levels, counts = [], []
    for votes in recordings:
        tally = rule.tally()
        for vote in votes:
            _ = tally.skip() if vote is None else tally.add(vote, 0.0)
        if tally.is_enough:
            levels.append(tally.level)
            counts.append(tally.beats)
    return DayLevel(float(np.mean(levels)), len(levels), min(counts)) if levels else None


def vote_of(evidence: float) -> Vote:
    """A vote of which only the soft evidence is known."""
    return Vote(0, 0, bool(evidence > 0), float(evidence))


def baselines_of(beats: BeatSet, dates: Iterable[str], first: int | None = None) -> list[int]:
    """Numbers of the baseline recordings of dates, in the order of the day; only the first ones if told."""
    found: list[int] = []
    for date in dates:
        numbers = np.flatnonzero((beats.dates == date) & ~beats.recording_is_target)
        found += sorted(numbers.tolist(), key=beats.place_in_date.__getitem__)[:first]
    return found


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures of some outcomes, by recording and by date."""
    dates = sorted({o.date for o in outcomes})
    of_date = {date: [o for o in outcomes if o.date == date] for date in dates}
    brier = {date: float(np.mean([(o.probability - o.is_target) ** 2 for o in some])) for date, some in of_date.items()}
    times = [o.provisional_s for o in outcomes if o.is_right and o.provisional_s is not None]
    return {
        **counts(outcomes),
        "targets_right": sum(o.is_right and o.is_target for o in outcomes),
        "targets": sum(o.is_target for o in outcomes),
        "wrong_recordings": [o.source for o in outcomes if o.is_decided and not o.is_right],
        "dates_with_an_error": sum(any(o.is_decided and not o.is_right for o in some) for some in of_date.values()),
        "median_provisional_s": float(np.median(times)) if times else None,
        "brier_by_recording": float(np.mean([(o.probability - o.is_target) ** 2 for o in outcomes])),
        "brier_by_date": float(np.mean(list(brier.values()))),
        "dates": {date: counts(some) for date, some in of_date.items()},
    }


def counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many are right, wrong and inconclusive."""
    right = sum(o.is_right for o in outcomes)
    inconclusive = sum(not o.is_decided for o in outcomes)
    return {"right": right, "wrong": len(outcomes) - right - inconclusive, "inconclusive": inconclusive}
