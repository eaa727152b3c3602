"""The watch: samples in, judged beats and a decision out. The table of contents of the runtime."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from edge_ecg.bundle import Bundle
from edge_ecg.inference.novelty import OUT_OF_DATE, OUT_OF_DISTRIBUTION
from edge_ecg.inference.votes import Decision, Tally, Vote, cast_vote
from edge_ecg.recording import Recording
from edge_ecg.signal.beats import Beat
from edge_ecg.signal.stream import BeatStream, cut_beats

GAP_AT_ONCE = 65_536  # samples of a declared gap in one push: a long one needs no more memory


@dataclass(frozen=True)
class Judged:
    """One beat, what the references said of it, and what is known since."""

    beat: Beat
    vote: Vote | None  # None: the beat is unusable, and `beat.unusable` says why
    decision: Decision

    @property
    def unusable(self) -> tuple[str, ...]:
        """Why the beat did not vote; empty if it did."""
        return self.beat.unusable


class Watch:
    """Judge a recording while it arrives. Any chunk size gives the same votes and decision, bit for bit.

    day: when it is recorded. If that is out of date for the bundle no beat votes; without it, none is out of date.
    """

    def __init__(self, bundle: Bundle, sample_rate_hz: float = 512.0, day: date | None = None):
        self._bundle = bundle
        self._is_out_of_date = (
            bundle.references.distribution is not None and bundle.references.distribution.is_out_of_date(day)
        )
        self._sample_rate_hz = sample_rate_hz
        self._beats = BeatStream(sample_rate_hz, bundle.contract)
        self._tally = Tally(bundle.labels, bundle.contract.voting)

    def reset(self) -> None:
        """Start a new recording."""
        self._beats.reset()
        self._tally.reset()

    def push(self, samples_uv: np.ndarray) -> list[Judged]:
        """Take the next raw samples in microvolts, any number of them; return the beats judged since.

        A sample that is not a finite number is a missing one. Gaps up to 16 ms are interpolated; what a longer one
        touches, its RR interval included, comes back without a vote.
        """
        return [self._judge(beat) for beat in self._beats.push(samples_uv)]

    def gap(self, seconds: float) -> list[Judged]:
        """Declare that the sensor gave nothing for a while: the same as pushing that many missing samples."""
        missing = round(seconds * self._sample_rate_hz)
        sizes = [GAP_AT_ONCE] * (missing // GAP_AT_ONCE) + [missing % GAP_AT_ONCE]
        return [judged for size in sizes for judged in self.push(np.full(size, np.nan))]

    def _judge(self, beat: Beat) -> Judged:
        if beat.unusable:
            return self._skipped(beat)
        if self._is_out_of_date:
            return self._skipped(replace(beat, unusable=(OUT_OF_DATE,)))
        references, embedding = self._bundle.references, embed(self._bundle, beat)
        if references.distribution and references.distribution.distances(embedding)[0] > references.distribution.limit:
            return self._skipped(replace(beat, unusable=(OUT_OF_DISTRIBUTION,)))
        vote = cast_vote(self._bundle.comparator(embedding, references.embeddings), references)
        return Judged(beat, vote, self._tally.add(vote, beat.known_at_s))

    def _skipped(self, beat: Beat) -> Judged:
        return Judged(beat, None, self._tally.skip())

    @property
    def decision(self) -> Decision:
        """What is known of the recording so far."""
        return self._tally.decision

    @property
    def log_odds(self) -> float:
        """The evidence so far; above 0 speaks for the target."""
        return self._tally.log_odds


def embed(bundle: Bundle, beat: Beat) -> np.ndarray:
    """The embedding (1, D) float32 of one usable beat: how the watch sees it, judging and enrolling alike."""
    return bundle.encoder(beat.values[np.newaxis])


def embeddings(bundle: Bundle, recording: Recording) -> Iterator[np.ndarray]:
    """The embedding (1, D) of each usable beat of a finished recording, in order: what enrolment learns from."""
    return (embed(bundle, beat) for beat in cut_beats(recording, bundle.contract))
