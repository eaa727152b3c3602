"""Enrolment: a few fresh baseline recordings move a bundle's references after a drift, without training.

From month to month the level of a person's ECG drifts, for both states alike: scores still rank recordings, and every
one of them lies on the same side. So the references, all of them, move by a share of the way from training's baseline
to where the new baseline lies. How much of the way is believed depends on how far it is, and on how many dates say so:

    share = max(0, 1 - (ORDINARY * usual / D**2) / distance**2)

- `distance` is from training's baseline to the new one. The new one is the geometric median of the recordings, every
  date weighing the same, so that a minority of odd recordings or dates hardly moves it (C. Gini, L. Galvani, 1929; by
  the steps of E. Weiszfeld, Tohoku Math. J. 43, 1937).
- `usual` is the mean squared distance of an ordinary date's baseline, as far as n recordings show it: what training's
  dates differ by, plus what recordings of one date differ by, divided by n.
- The form is the positive-part estimator of W. James and C. Stein (Proc. 4th Berkeley Symp., 1961): what an ordinary
  date could explain does not count as drift. Theirs has a factor of 1; 3 is what 19 of 20 ordinary dates stay below,
  if dates scatter normally, in the four or so directions in which ours do. Enrolling an ordinary date changes nothing.
- D is the number of dates. The mean of D ordinary dates lies D times nearer in the square; the other D is because what
  is then moved in vain does D times less harm. (Chosen on held-out dates and simulated drifts: `train.enrolment`.)
"""

import datetime
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.bundle import GOLDEN, REFERENCES, REFERENCES_INT8, Bundle, load_bundle, read_files, write_bundle
from edge_ecg.errors import BundleError, RecordingError
from edge_ecg.inference.golden import golden_steps
from edge_ecg.inference.novelty import TrainingDistribution
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.recording import Recording
from edge_ecg.watch import embeddings

ORDINARY = 3.0
IMPLAUSIBLE = 2.0  # times the limit of a beat: no drift goes this far, another person and an inverted lead do
FEWEST_BEATS = 5
STEPS = 100  # of the geometric median; it is there after ten


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
        """How far its middle beat lies from what was seen."""
        return float(np.median(distribution.distances(self.embeddings)))

    def checked(self, distribution: TrainingDistribution) -> "Sample":
        """The same, rejected if it can't enrol."""
        count = len(self.embeddings)
        if count < FEWEST_BEATS:
            return replace(self, rejected=f"{count} usable beats, expected at least {FEWEST_BEATS}")
        if self.distance(distribution) > IMPLAUSIBLE * distribution.limit:
            return replace(self, rejected="too far from all that was seen: another person, or worn in another place")
        return self


@dataclass(frozen=True)
class Enrolment:
    """What enrolment found, and the references that follow from it."""

    samples: tuple[Sample, ...]
    references: ReferenceBank = field(repr=False)
    shift: np.ndarray = field(repr=False)  # (D,) by which they moved
    distance: float  # of the new baseline from training's, in units of an ordinary date's
    share: float  # of that way, 0 to 1

    @property
    def used(self) -> list[Sample]:
        """The recordings that count."""
        return [sample for sample in self.samples if sample.rejected is None]

    @property
    def dates(self) -> list[str]:
        """Their dates."""
        return sorted({sample.date for sample in self.used})

    def to_json(self) -> dict[str, Any]:
        """What the manifest of the enrolled bundle says."""
        return {
            "recordings": len(self.used),
            "dates": self.dates,
            "rejected": [{"file": Path(s.source).name, "why": s.rejected} for s in self.samples if s.rejected],
            "distance": self.distance,
            "share": self.share,
            "shift": self.shift.tolist(),
            "limit": self.references.distribution and self.references.distribution.limit,
            "note": "Metrics and parity were measured before enrolment; the graphs are the same files.",
        }


def enroll_samples(bank: ReferenceBank, samples: Iterable[Sample]) -> Enrolment:
    """Move a bank that knows what training has seen. Raises RecordingError if no sample can be used.

    If they move, the limit grows as well, as far as what enrolled lies further from the moved centre than usual beats
    do, whose distance is 1: a drift changes more than the level, and what enrolled is the new usual. Moved or not, the
    bank knows the days of what enrolled.
    """
    assert bank.distribution is not None
    distribution = bank.distribution
    checked = tuple(sample.checked(distribution) for sample in samples)
    used = [sample for sample in checked if sample.rejected is None]
    if not used:
        reasons = "; ".join(f"{Path(s.source).name}: {s.rejected}" for s in checked) or "there is none"
        raise RecordingError(f"no recording can be enrolled: {reasons}")
    shift, distance, share = level_shift(np.array([s.centre for s in used]), [s.date for s in used], distribution)
    moved = distribution.moved(shift)
    still_away = float(np.median([sample.distance(moved) for sample in used]))
    wider = replace(moved, limit=distribution.limit * (1 + share * max(0.0, still_away - 1)))
    now = wider.with_days(sample.day for sample in used if sample.day)
    return Enrolment(checked, replace(bank.moved(shift), distribution=now), shift, distance, share)


def level_shift(
    centres: np.ndarray, dates: Sequence[str], distribution: TrainingDistribution
) -> tuple[np.ndarray, float, float]:
    """How far (D,) recordings with (N, D) centres move the level, their distance in ordinary dates, and the share."""
    names, which, counts = np.unique(np.array(dates), return_inverse=True, return_counts=True)
    away = geometric_median(centres, 1 / counts[which]) - distribution.centres[0]
    squared = float(away @ away)
    usual = distribution.between_dates + distribution.between_recordings * float(np.mean(1 / counts))
    doubt = ORDINARY * usual / len(names) ** 2
    share = 1 - doubt / squared if squared > doubt else 0.0
    return share * away, (squared / usual) ** 0.5, share


def geometric_median(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The place (D,) with the least sum of weighted distances to (N, D) points."""
    place = np.asarray(np.average(points, axis=0, weights=weights), np.float64)
    for _ in range(STEPS):
        pull = weights / np.maximum(np.linalg.norm(points - place, axis=1), 1e-9)
        place = np.asarray(np.average(points, axis=0, weights=pull))
    return place


def enroll(bundle: Bundle, recordings: Iterable[Recording]) -> Enrolment:
    """What baseline recordings say of the level.

    Raises BundleError if the bundle can't be enrolled, RecordingError if no recording can be used.
    """
    if bundle.references.distribution is None:
        raise BundleError(
            f"{bundle.path}: does not say what training has seen; train on more dates, or export it again"
        )
    if "enrolment" in bundle.manifest:
        raise BundleError(f"{bundle.path}: is enrolled already; give the bundle that training made, and all recordings")
    return enroll_samples(bundle.references, [_sample(bundle, recording) for recording in recordings])


def _sample(bundle: Bundle, recording: Recording) -> Sample:
    beats = [embedding[0] for embedding in embeddings(bundle, recording)]
    return Sample(recording.source, str(recording.day or "unknown"), np.array(beats), recording.day)


def write_enrolled(bundle: Bundle, enrolment: Enrolment, out: Path) -> Bundle:
    """Write the bundle with its references moved; return it as it was read back.

    Golden vectors are computed again, from the new references. `python -m export.parity` compares all artefacts with
    the reference model, its references moved as well.
    """
    manifest, files = read_files(bundle.path)
    enrolled = bundle.with_references(enrolment.references)
    files[REFERENCES] = enrolled.references.to_bytes()
    if REFERENCES_INT8 in files:  # which goes without what training has seen, in every bundle
        files[REFERENCES_INT8] = replace(enrolled.references, distribution=None).to_int8_bytes()
    if GOLDEN in files:
        beats = np.array([step["beat"] for step in json.loads(files[GOLDEN])["beats"]], np.float32)
        steps = golden_steps(
            beats, enrolled.encoder, enrolled.comparator, enrolled.references, enrolled.labels, enrolled.contract.voting
        )
        files[GOLDEN] = json.dumps({"beats": steps}).encode()
    write_bundle(out, {**manifest, "enrolment": enrolment.to_json()}, files)
    return load_bundle(out)


def describe(enrolment: Enrolment) -> Iterable[str]:
    """Lines for a person."""
    for sample in enrolment.samples:
        verdict = sample.rejected or f"{len(sample.embeddings)} beats"
        yield f"{Path(sample.source).name[-36:]:36}  {sample.date:10}  {verdict}"
    many = f"{len(enrolment.used)} recordings of {len(enrolment.dates)} dates"
    yield f"{many}: the baseline lies {enrolment.distance:.1f} times as far from training's as an ordinary date's"
    yield f"references moved by {enrolment.share:.0%} of the way" if enrolment.share else "references stay as they were"
