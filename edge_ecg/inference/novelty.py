"""Out of distribution, out of date: beats unlike all that training has seen, and days too far from it.

The distance of a beat is Mahalanobis' (P. C. Mahalanobis, "On the generalized distance in statistics", Proc. Natl.
Inst. Sci. India 2, 1936) from the nearer of two centres, the usual beat of either state: differences count in units
of how much beats of one state usually differ in that direction. Departures:

- Its covariance keeps the K directions in which beats differ most, and one variance for all others, as probabilistic
  principal components do (M. E. Tipping, C. M. Bishop, J. R. Stat. Soc. B 61(3), 1999): a full one is neither small
  nor, from some thousand beats, to be trusted in its smallest directions.
- It is divided by the root of the embedding's length, so that usual beats are near 1 whatever the architecture.

No distance finds a drift along the axis on which the states differ: three months after its training the public
comparator was sure, and wrong, of every target recording. Leaving dates out proves a comparator for days among those
it knows. So the calendar says the rest: what was recorded further from all known days than these span is out of date,
until fresh baseline recordings enrol, whose days are then known as well. The day's baseline does not replace that:
under simulated drifts, targets that are held to it alone are called baseline (`train.studies.day_baseline`). (A week is
never too far: within the public recordings, dates a week from all that was learned are no harder than the next day.
docs/experiments.md)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np

from edge_ecg.errors import BundleError

OUT_OF_DISTRIBUTION = "out of distribution"  # why a beat that lies beyond the limit does not vote
OUT_OF_DATE = "out of date"  # why no beat of a recording long before or after the known days does
WEEK = 7.0
PREFIX = "distribution."


def span_of(days: Sequence[float]) -> np.ndarray:
    """The first and the last of some days, or nothing if there is none."""
    return np.array([min(days), max(days)] if days else [], np.float64)


@dataclass(frozen=True)
class TrainingDistribution:
    """Distribution of the training embeddings. Arrays are float64. Raises BundleError for impossible shapes or numbers.

    A beat further away than `limit` must not vote. It is fitted so that, of recordings of a date that the fit has
    not seen, about one in a hundred has most of its beats beyond it (`train.fit.decision`).
    """

    centres: np.ndarray = field(repr=False)  # (2, D): the usual beat of the baseline, and of the target
    directions: np.ndarray = field(repr=False)  # (K, D), orthonormal: where beats of one state differ most, ...
    variances: np.ndarray = field(repr=False)  # (K + 1,): ... how much along each of them, and along any other
    limit: float
    # (2,): the first and the last known day, as date.toordinal counts; (0,) if no recording said its day
    days: np.ndarray = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        shapes = [np.shape(getattr(self, f.name)) for f in fields(self)]
        k, length = shapes[1] if len(shapes[1]) == 2 else (0, 0)
        if shapes[:-1] != [(2, length), (k, length), (k + 1,), ()] or k >= length:
            raise BundleError(
                f"the training distribution has shapes {shapes}, expected (2, D), (K, D), (K + 1,), K < D"
            )
        if shapes[-1] not in [(2,), (0,)] or list(self.days) != sorted(np.clip(self.days, 1, date.max.toordinal())):
            raise BundleError(f"what training has seen has the days {self.days}, expected a first and a last one")
        finite = all(np.isfinite(getattr(self, f.name)).all() for f in fields(self))
        if not finite or min(*np.ravel(self.variances), self.limit) <= 0:
            raise BundleError("the training distribution contains NaN, infinity or a spread of 0")

    def distances(self, embeddings: np.ndarray) -> np.ndarray:
        """Distances (N,) of embeddings (N, D) from the training distribution, near 1 for a usual beat."""
        axes, weights = self.squares
        squared = np.square((embeddings[:, np.newaxis] - self.centres) @ axes) @ weights  # (N, 2)
        return np.asarray(np.sqrt(np.maximum(squared.min(1), 0.0)))

    @cached_property
    def squares(self) -> tuple[np.ndarray, np.ndarray]:
        """The distance as a weighted sum of squares: along each direction, then of the remainder.

        No weight is negative, so that float32 in a graph loses nothing by subtraction.
        """
        length = self.centres.shape[1]
        precisions = 1 / self.variances
        beside = np.eye(length) - self.directions.T @ self.directions
        weights = np.append(np.full(length, precisions[-1]), precisions[:-1])
        return np.hstack((beside, self.directions.T)), weights / length

    def is_out_of_date(self, day: date | None) -> bool:
        """Whether a day is further from all known days than these span, and than a week; never, if none is known."""
        if day is None or not len(self.days):
            return False
        first, last = self.days
        reach = max(last - first, WEEK)
        return not first - reach <= day.toordinal() <= last + reach

    @property
    def known_days(self) -> str:
        """From when to when, for a person; empty if that is not known."""
        return " to ".join(str(date.fromordinal(int(day))) for day in self.days)

    def with_days(self, days: Iterable[date]) -> "TrainingDistribution":
        """The same, knowing these days as well as its own; where its own are not known, nothing can be out of date."""
        known = [*self.days, *(day.toordinal() for day in days)] if len(self.days) else []
        return replace(self, days=span_of(known))

    def moved(self, by: np.ndarray) -> "TrainingDistribution":
        """The same, `by` (D,) further on."""
        return replace(self, centres=self.centres + by)

    def tensors(self) -> dict[str, np.ndarray]:
        """As tensors of the references' file."""
        # safetensors writes memory as it lies, so a turned array must be laid out anew.
        return {PREFIX + f.name: np.array(getattr(self, f.name), np.float32, order="C") for f in fields(self)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> "TrainingDistribution | None":
        """The inverse of `tensors`; None if there are none. Raises BundleError for anything else."""
        found = {n.removeprefix(PREFIX): t for n, t in tensors.items() if n.startswith(PREFIX)}
        if not found:
            return None
        found.setdefault("days", np.empty(0))  # which bundles before did not say
        if found.keys() != {f.name for f in fields(cls)}:
            raise BundleError(f"what training has seen has the entries {sorted(found)}, expected others")
        with np.errstate(invalid="ignore"):  # a signalling NaN, which is refused as any other
            values: dict[str, Any] = {n: t.astype(np.float64) if t.ndim else float(t) for n, t in found.items()}
        return cls(**values)
