"""The watch: from samples to beats, votes and a decision. Start here to read the runtime."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from edge_ecg.bundles.bundle import Bundle
from edge_ecg.errors import BundleError, RecordingError
from edge_ecg.inference.guards import Fingerprint, Guards, Seen
from edge_ecg.inference.levels import DayLevel
from edge_ecg.inference.novelty import OUT_OF_DATE, OUT_OF_DISTRIBUTION
from edge_ecg.inference.person import Answer
from edge_ecg.inference.votes import INCONCLUSIVE, NOT_A_NUMBER, Counted, Decision, Tally, Vote, vote_of
from edge_ecg.recording import RATE_RANGE_HZ, MicrovoltCheck, Recording, is_finite, require_recording
from edge_ecg.signal.beats import Beat
from edge_ecg.signal.stream import BeatStream, cut_beats

GAP_AT_ONCE = 65_536  # samples of a declared gap in one push: a long one needs no more memory


@dataclass(frozen=True)
class Judged:
    """One beat, its vote, and the decision after it."""

    beat: Beat
    vote: Vote | None  # None: the beat does not vote, and `unusable` says why
    unusable: tuple[str, ...]  # why the beat did not vote: of the signal, or of what the watch knows
    _so_far: "SoFar" = field(repr=False)

    @cached_property
    def decision(self) -> Decision:
        """The decision on the recording up to this beat, computed when it is asked for."""
        return self._so_far.decision_after(self.beat.known_at_s)


class SoFar(Protocol):
    """A recording up to one of its beats."""

    def decision_after(self, seconds: float) -> Decision:
        """The decision if the recording ends after so many seconds."""


class _SoFar(NamedTuple):
    """The same as the votes and guards of this package counted it."""

    tally: Tally
    counted: Counted
    guards: Guards
    seen: Seen

    def decision_after(self, seconds: float) -> Decision:
        """The decision if the recording ends after so many seconds: inconclusive where a guard has a reason."""
        decision, reasons = self.tally.decided(self.counted), self.guards.reasons(seconds, self.seen)
        label = INCONCLUSIVE if reasons else decision.label
        return replace(decision, label=label, reasons=reasons, covered_s=self.seen.covered_s)


ENOUGH_BEATS = 10  # of the day's baseline: more add little, and fewer serve (docs/evidence.md has the figures)


@dataclass(frozen=True)
class DayBaseline:
    """The day's baseline: level of baseline recordings of the same day."""

    level: DayLevel
    sources: tuple[str, ...]
    day: date | None = None  # None: no recording said its day
    fingerprints: tuple[Fingerprint, ...] = ()

    @classmethod
    def of(cls, bundle: Bundle, recordings: Iterable[Recording]) -> "DayBaseline":
        """The day's baseline from its recordings.

        Raises RecordingError for an unusable or repeated recording, for two days, and for a level of the target.
        """
        sources, levels, days = [], [], {}
        found: dict[Fingerprint, str] = {}
        if not isinstance(recordings, Iterable):
            raise RecordingError(f"recordings are a {type(recordings).__name__}, expected a list of them")
        for recording in recordings:
            require_recording(recording)
            watch = Watch(bundle, recording.sample_rate_hz, recording.day)
            judged = watch.push(recording.samples_uv)
            decision, fingerprint = watch.decision, watch.fingerprint
            if not watch.can_decide or decision.reasons:
                why = _why_not(judged, bundle) if not watch.can_decide else ", ".join(decision.reasons)
                raise RecordingError(f"{recording.source}: can't be the day's baseline: {why}")
            if fingerprint in found:
                raise RecordingError(f"{recording.source}: is the same recording as {found[fingerprint]}; give it once")
            found[fingerprint] = recording.source
            sources.append(recording.source)
            levels.append((watch.level, decision.beats))
            if recording.day:
                days[recording.day] = recording.source
        if not sources:
            raise RecordingError("there is no recording for the day's baseline")
        if len(days) > 1:
            told = ", ".join(f"{source} of {day}" for day, source in sorted(days.items()))
            raise RecordingError(f"the day's baseline must be of one day, not {told}")
        level = DayLevel.of(levels)
        if bundle.rule.levels and bundle.rule.levels.log_odds(level.level, level.beats) > 0:
            baseline, target = bundle.labels
            raise RecordingError(
                f"{', '.join(sources)}: can't be the day's baseline: the level, {level.level:+.1f}, is that of "
                f"{target} rather than of {baseline}"
            )
        return cls(level, tuple(sources), next(iter(days), None), tuple(found))


def _why_not(judged: list[Judged], bundle: Bundle) -> str:
    votes, reasons = sum(j.vote is not None for j in judged), Counter(r for j in judged for r in j.unusable)
    if votes < bundle.contract.voting.fewest_beats and not reasons:
        return f"{votes} usable beats, expected at least {bundle.contract.voting.fewest_beats}"
    reason = reasons.most_common(1)[0][0]
    advice = " (enroll recent baselines of three dates first)" if reason == OUT_OF_DATE else ""
    return f"{len(judged) - votes} of {len(judged)} beats are unusable: {reason}{advice}"


def require_watchable(
    bundle: Bundle, sample_rate_hz: float, day: date | None, day_baseline: DayBaseline | None
) -> None:
    """Raises BundleError or RecordingError for what no watch can be made of."""
    if not isinstance(bundle, Bundle):
        raise BundleError(f"bundle is a {type(bundle).__name__}, expected what load_bundle returns")
    low, high = RATE_RANGE_HZ
    if not is_finite(sample_rate_hz) or not low <= sample_rate_hz <= high:
        raise RecordingError(f"sample rate is {sample_rate_hz!r}, expected {low:g} to {high:g} Hz")
    if not isinstance(day_baseline, DayBaseline | None):
        raise RecordingError(f"day_baseline is a {type(day_baseline).__name__}, expected DayBaseline.of(...)")
    if day is not None and (not isinstance(day, date) or isinstance(day, datetime)):
        raise RecordingError(f"day is {day!r}, expected a datetime.date or None")
    if day_baseline and day_baseline.day and day and day_baseline.day != day:
        raise RecordingError(f"the day's baseline is of {day_baseline.day}, the recording of {day}")


class Watch:
    """Decide on a recording while it arrives. Any chunk size gives the same votes and decision, bit for bit.

    :param bundle: the bundle
    :param sample_rate_hz: rate of the samples
    :param day: date of the recording; if it is out of date for the bundle, no beat votes; without it, this is not
        checked
    :param day_baseline: baseline of the same day, to compare with
    :raises RecordingError: if the baseline is of another day, and for an invalid sample rate or day
    """

    def __init__(
        self,
        bundle: Bundle,
        sample_rate_hz: float = 512.0,
        day: date | None = None,
        day_baseline: DayBaseline | None = None,
    ):
        require_watchable(bundle, sample_rate_hz, day, day_baseline)
        self._bundle = bundle
        self._is_out_of_date = (
            bundle.references.distribution is not None and bundle.references.distribution.is_out_of_date(day)
        )
        self._sample_rate_hz = sample_rate_hz
        self._microvolts = MicrovoltCheck(sample_rate_hz)
        self._beats = BeatStream(sample_rate_hz, bundle.contract)
        self._tally = bundle.rule.tally(day_baseline.level if day_baseline else None)
        self._guards = Guards(
            bundle.contract.guards,
            bundle.guards,
            bundle.contract.settle_samples / bundle.contract.sample_rate_hz,
            day_baseline.fingerprints if day_baseline else (),
        )
        self._pushed_samples = 0

    def __repr__(self) -> str:
        return f"<Watch {self._bundle.path}: {self.decision}; {self._pushed_samples / self._sample_rate_hz:.1f} s>"

    def _repr_html_(self) -> str:
        return f"{self.decision._repr_html_()} after {self._pushed_samples / self._sample_rate_hz:.1f} s"

    def reset(self) -> None:
        """Start a new recording of the same day."""
        self._microvolts.reset()
        self._beats.reset()
        self._tally.reset()
        self._guards.reset()
        self._pushed_samples = 0

    def push(self, samples_uv: np.ndarray) -> list[Judged]:
        """Take the next raw samples in microvolts, any number of them; return the beats completed since.

        A sample that is not a finite number is missing. Gaps up to 16 ms are interpolated; beats with a longer gap in
        their window or RR interval do not vote. Raises RecordingError unless samples are numbers in one dimension, and
        after ten seconds with a range too small for microvolts.
        """
        beats = self._beats.push(samples_uv)  # which are checked there
        self._microvolts.push(np.asarray(samples_uv))
        self._pushed_samples += len(samples_uv)
        return self.judge(beats) if beats else []

    def judge(self, beats: Sequence[Beat]) -> list[Judged]:
        """Take the next beats, cut elsewhere, in one call of the model."""
        asked = [beat.values for beat in beats if not (beat.unusable or self._is_out_of_date)]
        answers = self._bundle.judge(np.array(asked)).rows() if asked else iter(())
        return [self._judge(beat, answers) for beat in beats]

    def gap(self, seconds: float) -> list[Judged]:
        """Declare a gap of the sensor: the same as pushing that many missing samples."""
        if not is_finite(seconds) or seconds < 0:
            raise RecordingError(f"a gap lasts {seconds!r} s, expected a number from 0 on")
        missing = round(float(seconds) * self._sample_rate_hz)
        sizes = [GAP_AT_ONCE] * (missing // GAP_AT_ONCE) + [missing % GAP_AT_ONCE]
        return [judged for size in sizes for judged in self.push(np.full(size, np.nan))]

    def _judge(self, beat: Beat, answers: Iterator[Answer]) -> Judged:
        """One beat, of those that can be asked about the next of the answers."""
        if beat.unusable:
            return self._skipped(beat, *beat.unusable)
        if self._is_out_of_date:
            return self._skipped(beat, OUT_OF_DATE)
        references, answer = self._bundle.references, next(answers)
        if references.distribution and answer.distance > references.distribution.limit:
            return self._skipped(beat, OUT_OF_DISTRIBUTION)
        if not answer.is_finite:
            return self._skipped(beat, NOT_A_NUMBER)
        vote = vote_of(answer.same_as_baseline, answer.same_as_target, answer.evidence, references)
        return self._voted(beat, vote)

    def _voted(self, beat: Beat, vote: Vote) -> Judged:
        self._tally.add(vote, beat.known_at_s)
        self._guards.add(beat.values, vote.evidence)
        return Judged(beat, vote, (), self._so_far)

    def _skipped(self, beat: Beat, *reasons: str) -> Judged:
        self._tally.skip()
        self._guards.skip(reasons)
        return Judged(beat, None, reasons, self._so_far)

    @property
    def _so_far(self) -> _SoFar:
        return _SoFar(self._tally, self._tally.counted, self._guards, self._guards.seen)

    @property
    def decision(self) -> Decision:
        """The decision so far; final after all samples were pushed."""
        return self._so_far.decision_after(self._pushed_samples / self._sample_rate_hz)

    @property
    def fingerprint(self) -> Fingerprint:
        """Hash of the beats that voted: equal only for the same recording."""
        return self._guards.seen.fingerprint

    @property
    def log_odds(self) -> float:
        """Log odds of the beats so far; above 0 for the target."""
        return self._tally.log_odds

    @property
    def level(self) -> float:
        """Mean evidence of the beats so far."""
        return self._tally.level

    @property
    def can_decide(self) -> bool:
        """Whether enough beats have voted so far."""
        return self._tally.is_enough

    @property
    def is_baseline_enough(self) -> bool:
        """Whether the recording so far would do as the day's baseline, so that it may end."""
        return self.can_decide and self.decision.beats >= ENOUGH_BEATS and not self.decision.reasons


def embed(bundle: Bundle, beat: Beat) -> np.ndarray:
    """The embedding (1, D) float32 of one usable beat: how the watch sees it, judging and enrolling alike."""
    return bundle.encoder(beat.values[np.newaxis])


def embeddings(bundle: Bundle, recording: Recording) -> Iterator[np.ndarray]:
    """The embedding (1, D) of each usable beat of a finished recording, in order: what enrolment learns from."""
    return (embed(bundle, beat) for beat in cut_beats(recording, bundle.contract))
