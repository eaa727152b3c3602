"""Guards: reasons against any decision on a recording.

A beat that can't be trusted has its own reasons (`edge_ecg.signal.quality`, `edge_ecg.inference.novelty`). These are
the reasons of a recording, which no single beat shows:

- `TOO_LITTLE`: the beats that voted cover too small a part of its time: it is flat, or not this person's, elsewhere.
- `ANOTHER_PERSON`: many beats in succession are out of distribution, as where another person's ECG begins.
- `CHANGE`: its parts disagree, as where a recording of the other state begins. The statistic is that of a change in the
  mean at an unknown place (A. Sen, M. S. Srivastava, Ann. Statist. 3(1), 1975), in units of evidence.
- `COPIES`: beats are copies of others. Two different beats are never so alike, even of a quiet recording.
- `IRREGULAR`: successive RR intervals differ more than this person's do, as in atrial fibrillation.
- `OWN_BASELINE`: it is among the recordings of the day's baseline that it is compared with.

A T wave that comes 16 ms early looks as in the other state: no guard can find that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Annotated, Any, NamedTuple

import numpy as np
from msgspec import Meta

from edge_ecg.contract import GuardConstants
from edge_ecg.errors import ContractError
from edge_ecg.inference.novelty import OUT_OF_DISTRIBUTION
from edge_ecg.records import MOST_NUMBER, Record, to_whole_record

TOO_LITTLE, ANOTHER_PERSON, CHANGE = "too little of it usable", "long out of distribution", "its parts disagree"
COPIES, IRREGULAR, OWN_BASELINE = "repeated beats", "irregular rhythm", "its own day's baseline"
SAME_EVIDENCE, SAME_SECONDS = 1e-4, 1e-6  # of a beat, in which engines differ; of a recording

Above = Annotated[float, Meta(gt=0, le=MOST_NUMBER)]


class GuardLimits(Record, frozen=True):
    """Limits of this person's recordings, from training (`train.fit.decision`)."""

    change: Above  # of evidence within a recording, which few recordings exceed
    rr_change: Above  # by which part of itself an RR interval usually differs from the one before, at most

    @classmethod
    def from_json(cls, value: Any) -> "GuardLimits | None":
        """The inverse of `to_json`; None if there were too few recordings. Raises ContractError for anything else."""
        return None if value is None else to_whole_record(cls, value, "guards", ContractError)


@dataclass(frozen=True)
class Fingerprint:
    """Fingerprint that two recordings share only if they have the same beats."""

    beats: int
    evidence: float  # the sum over the beats
    covered_s: float

    def matches(self, other: "Fingerprint") -> bool:
        """Whether it is of the same beats, whatever engine took it."""
        is_covered_alike = abs(self.covered_s - other.covered_s) < SAME_SECONDS
        return (
            self.beats == other.beats
            and is_covered_alike
            and abs(self.evidence - other.evidence) <= SAME_EVIDENCE * self.beats
        )


class Seen(NamedTuple):
    """Beats of one recording so far, as far as guards need them."""

    beats: int = 0  # that voted
    covered_s: float = 0.0  # by them
    total: float = 0.0  # of their evidence
    evidence: tuple[float, ...] = ()  # of the latest
    copies: int = 0
    rr_pairs: int = 0
    irregular_pairs: int = 0
    longest_strange: int = 0  # out of distribution in succession

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(self.beats, self.total, self.covered_s)


class Guards:
    """Watch one recording for reasons not to decide. Its memory does not grow with the recording."""

    def __init__(
        self,
        constants: GuardConstants,
        limits: GuardLimits | None,
        settle_s: float,
        baseline: tuple[Fingerprint, ...] = (),
    ):
        """limits: without them, changes and rhythm are not watched; baseline: of the day's baseline recordings."""
        self._constants, self._limits, self._settle_s, self._baseline = constants, limits, settle_s, baseline
        self.reset()

    def reset(self) -> None:
        """Forget the recording."""
        self.seen = Seen()  # another one after each beat
        self._asked: tuple[Seen, tuple[str, ...]] | None = None  # the latest question, and its answer
        self._shapes = np.zeros((self._constants.compared_beats, 0))  # of the latest beats, length 1 each
        self._strange = 0
        self._previous_rr_s: float | None = None

    def add(self, values: np.ndarray, evidence: float) -> None:
        """A beat (384,) that voted, and its evidence."""
        beats, covered_s, total, latest, copies, pairs, irregular, longest_strange = self.seen
        rr_s = float(values[-1])
        if self._limits and self._previous_rr_s is not None:
            pairs += 1
            irregular += abs(rr_s - self._previous_rr_s) > self._limits.rr_change * rr_s
        self._strange, self._previous_rr_s = 0, rr_s
        copies += self._is_copy(values[:-1])
        latest = (*latest[1 - self._constants.change_beats :], evidence)
        self.seen = Seen(
            beats + 1, covered_s + rr_s, total + evidence, latest, copies, pairs, irregular, longest_strange
        )

    def skip(self, reasons: tuple[str, ...]) -> None:
        """A beat that did not vote, and why."""
        self._previous_rr_s = None
        self._strange = self._strange + 1 if reasons == (OUT_OF_DISTRIBUTION,) else 0
        if self._strange > self.seen.longest_strange:
            self.seen = self.seen._replace(longest_strange=self._strange)

    def _is_copy(self, samples_uv: np.ndarray) -> bool:
        shape = samples_uv[:: self._constants.compared_step].astype(np.float64)
        shape -= np.add.reduce(shape) / len(shape)
        shape /= sqrt(shape.dot(shape)) or 1.0
        if not self._shapes.shape[1]:
            self._shapes = np.zeros((len(self._shapes), len(shape)))
        alike = self._shapes.dot(shape)
        self._shapes[self.seen.beats % len(self._shapes)] = shape
        return bool(alike[alike.argmax()] > 1 - self._constants.copy)

    def reasons(self, seconds: float, seen: Seen) -> tuple[str, ...]:
        """Why a recording is not decided if it ends after so many seconds with these beats; nothing if it may be."""
        if self._asked is None or self._asked[0] is not seen:
            self._asked = seen, self._reasons_of_beats(seen)
        is_too_little = seen.covered_s < self._constants.coverage * (seconds - self._settle_s)
        return (TOO_LITTLE, *self._asked[1]) if is_too_little else self._asked[1]

    def _reasons_of_beats(self, seen: Seen) -> tuple[str, ...]:
        """Those that only another beat can change."""
        c, limits = self._constants, self._limits
        doubts = {
            ANOTHER_PERSON: seen.longest_strange >= c.strange_beats,
            CHANGE: limits is not None and largest_change(seen.evidence, c.part_beats) > limits.change,
            COPIES: seen.copies > c.copies * seen.beats,
            IRREGULAR: seen.irregular_pairs * 2 > max(seen.rr_pairs, c.part_beats),
            OWN_BASELINE: seen.beats > 0 and any(map(seen.fingerprint.matches, self._baseline)),
        }
        return tuple(reason for reason, is_so in doubts.items() if is_so)


def largest_change(evidence: "Sequence[float] | np.ndarray", part_beats: int) -> float:
    """max over k of |mean of the first k - mean of the rest| sqrt(k (n - k) / n), each part of `part_beats` or more."""
    n = len(evidence)
    k = np.arange(part_beats, n - part_beats + 1)
    if not len(k):
        return 0.0
    sums = np.cumsum(evidence)
    first = sums[k - 1]
    return float((np.abs(first / k - (sums[-1] - first) / (n - k)) * np.sqrt(k * (n - k) / n)).max())


def usual_rr_change(rr_s: np.ndarray) -> float:
    """The median part of itself by which an RR interval differs from the one before; 0 for a single one."""
    return float(np.median(np.abs(np.diff(rr_s)) / rr_s[1:])) if len(rr_s) > 1 else 0.0
