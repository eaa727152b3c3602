"""The whole story in one place: samples in, beats judged, a decision out."""

from dataclasses import dataclass

import numpy as np

from edge_ecg.beats import Beat
from edge_ecg.bundle import Bundle
from edge_ecg.stream import BeatStream
from edge_ecg.votes import Decision, Tally, Vote, cast_vote


@dataclass(frozen=True)
class Judged:
    """One beat, what the references said of it, and what is known since."""

    beat: Beat
    vote: Vote
    decision: Decision


class Watch:
    """Judge a recording while it arrives. Any chunk size gives the same votes and decision, bit for bit."""

    def __init__(self, bundle: Bundle, sample_rate_hz: float = 512.0):
        self._bundle = bundle
        self._beats = BeatStream(sample_rate_hz, bundle.contract)
        self._tally = Tally(bundle.labels, bundle.contract.voting)

    def reset(self) -> None:
        """Start a new recording."""
        self._beats.reset()
        self._tally.reset()

    def push(self, samples_uv: np.ndarray) -> list[Judged]:
        """Take the next raw samples in microvolts, any number of them; return the beats judged since."""
        return [self._judge(beat) for beat in self._beats.push(samples_uv)]

    def _judge(self, beat: Beat) -> Judged:
        references = self._bundle.references
        embedding = self._bundle.encoder(beat.values[np.newaxis])
        vote = cast_vote(self._bundle.comparator(embedding, references.embeddings), references)
        return Judged(beat, vote, self._tally.add(vote, beat.known_at_s))

    @property
    def decision(self) -> Decision:
        """What is known of the recording so far."""
        return self._tally.decision
