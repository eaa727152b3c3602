"""Levels: usual evidence of recordings of either state, its variation between days, and the log odds that follow.

The level of a recording is the mean evidence of its beats. Recordings of one date share a part of it that more beats
never average away, so the date is a random effect. Of each state, from recordings of dates that the model had not
seen, the manifest holds by number of beats n: `mean` over the dates, variance `between` dates, variance `within` a
date, and the number of `dates`. For a recording of level x after n beats, its log odds of the target are

    log t(x; m1, v1, dates of the target - 1) - log t(x; m0, v0, dates of the baseline - 1)

    target:                     m1 = mean, v1 = between (1 + 1/dates) + within
    baseline, nothing known:    m0 = mean, v0 = between (1 + 1/dates) + within
    baseline, known of the day: m0 = mean + share (a - mean of an), v0 = between (1 - share) + within

where t is Student's density with location m and squared scale v. `a` is the mean level of the day's k baseline
recordings, and share = between / (between + within / k) how much of its distance from the usual the day keeps: the best
linear prediction of a random effect (C. R. Henderson, Biometrics 31(2), 1975; G. K. Robinson, Stat. Sci. 6(1), 1991).
`share` and `mean of an` are those for as many beats as the shortest of the k recordings has. Adding a constant by
daily calibration is known in noninvasive sensing (M. Zanon et al., J Diabetes Sci Technol 12(3), 2018); here it is a
likelihood. The target's level is not moved: on dates with both states the two do not move together.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma, log, log1p, pi
from typing import Annotated, Any, NamedTuple

from msgspec import Meta

from edge_ecg.errors import ContractError
from edge_ecg.records import MOST_COUNT, MOST_NUMBER, Number, Record, to_whole_record


class StateLevels(Record, frozen=True):
    """The levels of one state; an entry of each tuple for each number of beats."""

    dates: Annotated[int, Meta(ge=2, le=100_000)]
    mean: tuple[Number, ...]
    between: tuple[Annotated[float, Meta(ge=0, le=MOST_NUMBER)], ...]  # variance of dates
    within: tuple[Annotated[float, Meta(ge=1e-12, le=MOST_NUMBER)], ...]  # variance of recordings of one date

    @property
    def most_confident(self) -> float:
        """Highest confidence that so many dates support: one error in one date more."""
        return self.dates / (self.dates + 1)


@dataclass(frozen=True)
class DayLevel:
    """The level of the day's baseline recordings."""

    level: float  # mean over the recordings
    recordings: int
    beats: int  # of the shortest of them

    @classmethod
    def of(cls, recordings: Sequence[tuple[float, int]]) -> "DayLevel":
        """From the level and the number of beats of each recording, of one at least."""
        levels, beats = zip(*recordings, strict=True)
        return cls(sum(levels) / len(levels), len(levels), min(beats))


class Levels(Record, frozen=True):
    """The levels of both states after each of the numbers in `beats`; between two, the smaller one applies."""

    beats: Annotated[tuple[Annotated[int, Meta(ge=1, le=MOST_COUNT)], ...], Meta(min_length=1)]  # ascending
    baseline: StateLevels
    target: StateLevels

    def __post_init__(self) -> None:
        if list(self.beats) != sorted(set(self.beats)):
            raise ValueError("beats do not ascend")
        for state in (self.baseline, self.target):
            if {len(state.mean), len(state.between), len(state.within)} != {len(self.beats)}:
                raise ValueError("a state does not have a number for each of beats")

    def log_odds(self, level: float, beats: int, day: DayLevel | None = None) -> float:
        """Log odds that a recording with this mean evidence of so many beats is of the target state."""
        return self.densities(day)[self.index(beats)].log_odds(level)

    def densities(self, day: DayLevel | None = None) -> "list[Densities]":
        """Distributions that a level is compared with, for each of the numbers in `beats`."""
        share = usual = 0.0
        if day is not None:
            usual, between, within, _ = self._parameters(self.baseline, self.index(day.beats))
            share = between / (between + within / day.recordings)
        pairs = []
        for i in range(len(self.beats)):
            mean, between, within, dates = self._parameters(self.baseline, i)
            usual_variance = between * (1 + 1 / dates) if day is None else between * (1 - share)
            moved = mean if day is None else mean + share * (day.level - usual)
            same = Student.of(moved, usual_variance + within, dates - 1)
            mean, between, within, dates = self._parameters(self.target, i)
            pairs.append(Densities(same, Student.of(mean, between * (1 + 1 / dates) + within, dates - 1)))
        return pairs

    def most_confident(self, is_target: bool) -> float:
        """The highest confidence for a label, limited by the number of dates of the other state."""
        return (self.baseline if is_target else self.target).most_confident

    def index(self, beats: int) -> int:
        """Index of the number in `beats` that applies to so many."""
        return max(0, bisect_right(self.beats, beats) - 1)

    @staticmethod
    def _parameters(state: StateLevels, i: int) -> tuple[float, float, float, int]:
        return state.mean[i], state.between[i], state.within[i], state.dates

    @classmethod
    def from_json(cls, value: Any) -> "Levels | None":
        """The inverse of `to_json`; None if there were too few dates. Raises ContractError for anything else."""
        return None if value is None else to_whole_record(cls, value, "levels", ContractError)


class Student(NamedTuple):
    """Student's density, what does not depend on the place computed once."""

    location: float
    squared_scale: float
    freedom: int
    log_scale: float

    @classmethod
    def of(cls, location: float, squared_scale: float, freedom: int) -> "Student":
        """The density with a location, squared scale and degrees of freedom."""
        log_scale = lgamma((freedom + 1) / 2) - lgamma(freedom / 2) - 0.5 * log(freedom * pi * squared_scale)
        return cls(location, squared_scale, freedom, log_scale)

    def log(self, x: float) -> float:
        """The logarithm of the density at a place."""
        away = (x - self.location) ** 2 / self.squared_scale
        return self.log_scale - (self.freedom + 1) / 2 * log1p(away / self.freedom)


class Densities(NamedTuple):
    """Expected levels of recordings like the baseline, and like the target, after some number of beats."""

    same: Student
    different: Student

    def log_odds(self, level: float) -> float:
        """Log odds of the target for a level."""
        return self.different.log(level) - self.same.log(level)
