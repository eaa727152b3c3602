"""Enrolment: fresh baseline recordings of three dates move a bundle's references after a drift, without training.

From month to month the level of a person's ECG drifts, and a bundle that has not seen these months is out of date. So
its references, all of them, move by the way from training's baseline to where the fresh one lies, which is the
geometric median of the recordings, every date weighing the same: a minority of odd recordings or dates hardly moves it
(C. Gini, L. Galvani, 1929; by the steps of E. Weiszfeld, Tohoku Math. J. 43, 1937).

Fewer dates than three do not enrol: one that differs from training's may be an ordinary one, and the bundle stays out
of date. That both states drift alike is an assumption. It may hold for what months do to every beat; it does not for
ordinary dates, whose two levels do not move together, and there the day's baseline corrects that of the baseline alone
(`edge_ecg.inference.levels`). `train.studies.day_baseline` measures both, with drift and without.
"""

import datetime
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from edge_ecg.bundles.bundle import (
    GOLDEN,
    PACKED_FROM,
    PERSON,
    REFERENCES,
    REFERENCES_INT8,
    Bundle,
    load_bundle,
    read_files,
    write_bundle,
)
from edge_ecg.errors import BundleError, RecordingError
from edge_ecg.inference.golden import golden_steps
from edge_ecg.inference.novelty import TrainingDistribution
from edge_ecg.inference.person import with_other_references
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.recording import Recording
from edge_ecg.records import to_whole_record
from edge_ecg.watch import embeddings

FEWEST_DATES = 3
MAX_DISTANCE_FACTOR = 2.0  # times the limit of a beat: no drift goes this far, another person and an inverted lead do
FEWEST_BEATS = 5  # of a recording; chosen above the 3 of a decision, since it moves all later ones
STEPS = 100  # of the geometric median; it is there after ten


class GoldenBeat(Struct, frozen=True):
    """The beat of a step of the golden vectors."""

    beat: tuple[float, ...]


class GoldenBeats(Struct, frozen=True):
    """Of the golden vectors, what enrolment computes them from anew."""

    beats: tuple[GoldenBeat, ...]


@dataclass(frozen=True)
class Sample:
    """The beats of one recording that may enrol."""

    source: str
    date: str  # its name; recordings that don't say theirs count as one date
    embeddings: np.ndarray = field(repr=False)  # (N, D), of its usable beats
    day: datetime.date | None = None  # of the calendar, which is known from now on
    rejected: str | None = None  # why it does not count

    @property
    def centre(self) -> np.ndarray:
        """(D,): of every number the median."""
        return np.asarray(np.median(self.embeddings, axis=0))

    def distance(self, distribution: TrainingDistribution) -> float:
        """Median Mahalanobis distance of its beats from the training distribution."""
        return float(np.median(distribution.distances(self.embeddings)))

    def checked(self, distribution: TrainingDistribution) -> "Sample":
        """The same, rejected if it can't enrol."""
        count = len(self.embeddings)
        if count < FEWEST_BEATS:
            return replace(self, rejected=f"{count} usable beats, expected at least {FEWEST_BEATS}")
        if self.distance(distribution) > MAX_DISTANCE_FACTOR * distribution.limit:
            return replace(self, rejected="too far from all that was seen: another person, or worn in another place")
        return self


@dataclass(frozen=True)
class Enrolment:
    """Result of an enrollment: the shift found, and the references moved by it."""

    samples: tuple[Sample, ...]
    references: ReferenceBank = field(repr=False)
    shift: np.ndarray = field(repr=False)  # (D,) by which they moved
    distance: float  # its length, in units of the way from the usual baseline to the usual target

    @property
    def used(self) -> list[Sample]:
        """The recordings that count."""
        return [sample for sample in self.samples if sample.rejected is None]

    @property
    def dates(self) -> list[str]:
        """Their dates."""
        return sorted({sample.date for sample in self.used})

    def to_json(self) -> dict[str, Any]:
        """Entry of the enrolled bundle's manifest."""
        return {
            "recordings": len(self.used),
            "dates": self.dates,
            "rejected": [{"file": Path(s.source).name, "why": s.rejected} for s in self.samples if s.rejected],
            "distance": self.distance,
            "shift": self.shift.tolist(),
            "limit": self.references.distribution and self.references.distribution.limit,
            "note": "Metrics, levels and parity were measured before enrolment; the graphs are the same files.",
        }


def enroll_samples(bank: ReferenceBank, samples: Iterable[Sample]) -> Enrolment:
    """Move a bank with its training distribution, and add the days of the enrolled recordings.

    The limit grows as far as what enrolled lies further from the moved centre than usual beats do, whose distance is 1:
    a drift changes more than the level, and what enrolled is the new usual.
    Raises RecordingError if no sample can be used, or those of fewer than three dates.
    """
    assert bank.distribution is not None
    distribution = bank.distribution
    checked = tuple(sample.checked(distribution) for sample in samples)
    used = [sample for sample in checked if sample.rejected is None]
    rejected = "; ".join(f"{Path(s.source).name}: {s.rejected}" for s in checked if s.rejected)
    if not used:
        raise RecordingError(f"no recording can be enrolled: {rejected or 'there is none'}")
    dates = sorted({sample.date for sample in used})
    if len(dates) < FEWEST_DATES:
        raise RecordingError(
            f"baseline recordings of {FEWEST_DATES} dates are needed, these are of {len(dates)} ({', '.join(dates)}): "
            "one date may differ from training's without a drift. Nothing was enrolled"
            + (f" (not used: {rejected})" if rejected else "")
        )
    shift = baseline_shift(np.array([s.centre for s in used]), [s.date for s in used], distribution)
    moved = bank.moved(shift)
    assert moved.distribution is not None
    still_away = float(np.median([sample.distance(moved.distribution) for sample in used]))
    wider = replace(moved.distribution, limit=distribution.limit * max(1.0, still_away))
    now = wider.with_days(sample.day for sample in used if sample.day)
    between_states = float(np.linalg.norm(distribution.centres[1] - distribution.centres[0]))
    distance = float(np.linalg.norm(shift)) / between_states
    return Enrolment(checked, replace(moved, distribution=now), shift, distance)


def baseline_shift(centres: np.ndarray, dates: Sequence[str], distribution: TrainingDistribution) -> np.ndarray:
    """(D,): from training's usual baseline to that of recordings with (N, D) centres, every date weighing the same."""
    _, which, counts = np.unique(np.array(dates), return_inverse=True, return_counts=True)
    return np.asarray(geometric_median(centres, 1 / counts[which]) - distribution.centres[0])


def geometric_median(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The place (D,) with the least sum of weighted distances to (N, D) points."""
    place = np.asarray(np.average(points, axis=0, weights=weights), np.float64)
    for _ in range(STEPS):
        pull = weights / np.maximum(np.linalg.norm(points - place, axis=1), 1e-9)
        place = np.asarray(np.average(points, axis=0, weights=pull))
    return place


def enroll(bundle: Bundle, recordings: Iterable[Recording]) -> Enrolment:
    """Level of baseline recordings.

    Raises BundleError if the bundle can't be enrolled, RecordingError if no recording can be used.
    """
    if PACKED_FROM in bundle.manifest:
        raise BundleError(f"{bundle.path}: is packed for a device; enrol the whole bundle, and pack what comes of it")
    if bundle.references.distribution is None:
        raise BundleError(f"{bundle.path}: has no training distribution; train on more dates, or export it again")
    if "enrollment" in bundle.manifest:
        raise BundleError(f"{bundle.path}: is enrolled already; give the bundle that training made, and all recordings")
    return enroll_samples(bundle.references, [_sample(bundle, recording) for recording in recordings])


def _sample(bundle: Bundle, recording: Recording) -> Sample:
    beats = [embedding[0] for embedding in embeddings(bundle, recording)]
    return Sample(recording.source, str(recording.day or "unknown"), np.array(beats), recording.day)


def write_enrolled(bundle: Bundle, enrolment: Enrolment, out: Path) -> Bundle:
    """Write the bundle with moved references; return it as read back.

    Golden vectors are computed again, from the new references. `python -m export.parity` compares all artifacts with
    the reference model, its references moved as well.
    """
    manifest, files = read_files(bundle.path)
    enrolled = bundle.with_references(enrolment.references)
    files[REFERENCES] = enrolled.references.to_bytes()
    if REFERENCES_INT8 in files:  # which goes without what training has seen, in every bundle
        files[REFERENCES_INT8] = replace(enrolled.references, distribution=None).to_int8_bytes()
    if PERSON in files:
        files[PERSON] = with_other_references(files[PERSON], bundle.references, enrolled.references)
    if GOLDEN in files:
        beats = _golden_beats(bundle, files[GOLDEN])
        steps = golden_steps(beats, enrolled.encoder, enrolled.comparator, enrolled.references, enrolled.rule)
        files[GOLDEN] = json.dumps({"beats": steps}).encode()
    write_bundle(out, {**manifest, "enrollment": enrolment.to_json()}, files)
    return load_bundle(out)


def _golden_beats(bundle: Bundle, content: bytes) -> np.ndarray:
    """(N, 384): the beats of the golden vectors. Raises BundleError."""
    try:
        golden = to_whole_record(GoldenBeats, json.loads(content), f"{bundle.path}: {GOLDEN}", BundleError)
        beats = np.array([step.beat for step in golden.beats], np.float32)
        return beats.reshape(len(beats), bundle.contract.beat_length)
    except (ValueError, RecursionError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(
            f"{bundle.path}: {GOLDEN} contains no beats of {bundle.contract.beat_length} numbers"
        ) from None


def describe(enrolment: Enrolment) -> Iterable[str]:
    """Lines for a person."""
    for sample in enrolment.samples:
        verdict = sample.rejected or f"{len(sample.embeddings)} beats"
        yield f"{Path(sample.source).name[-36:]:36}  {sample.date:10}  {verdict}"
    many = f"{len(enrolment.used)} recordings of {len(enrolment.dates)} dates"
    yield f"{many}: the references moved by {enrolment.distance:.0%} of the way from the baseline to the target"
