"""Votes and decisions on a set of beats as the watch would make them, on many recordings at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import INCONCLUSIVE, Decision, DecisionRule, Vote, cast_vote
from train.data import BeatSet
from train.metrics import Confusion
from train.model.model import Model, compare, embed


@dataclass(frozen=True)
class Decided:
    """What a model and its references say of a set of beats."""

    beats: BeatSet
    labels: tuple[str, str]
    votes: list[Vote]  # by beat
    decisions: list[Decision]  # by recording, without a day's baseline

    @property
    def evidence(self) -> np.ndarray:
        """(N,) soft evidence of each beat."""
        return np.array([vote.evidence for vote in self.votes])

    @property
    def recording_evidence(self) -> np.ndarray:
        """(M,) mean evidence of each recording."""
        totals = np.bincount(self.beats.recording, self.evidence)
        return np.asarray(totals / np.bincount(self.beats.recording))

    def to_json(self) -> dict[str, Any]:
        """Figures by beat and by recording; a recording is the unit that counts, a beat is not."""
        truth, recording_truth = self.beats.is_target, self.beats.recording_is_target
        hard = np.array([vote.hard_target for vote in self.votes])
        hard_share = np.bincount(self.beats.recording, hard) / np.bincount(self.beats.recording)
        decided = np.array([d.label != INCONCLUSIVE for d in self.decisions])
        called = np.array([d.label == self.labels[1] for d in self.decisions])
        return {
            "recordings": Confusion.count(self.recording_evidence > 0, recording_truth).to_json(),
            "recordings_hard_votes": Confusion.count(hard_share > 0.5, recording_truth).to_json(),
            "sequential": {
                "right": int(np.sum(decided & (called == recording_truth))),
                "wrong": int(np.sum(decided & (called != recording_truth))),
                "inconclusive": int(np.sum(~decided)),
                "median_beats": float(
                    np.median([d.provisional.beats if d.provisional else d.beats for d in self.decisions])
                ),
            },
            "beats": Confusion.count(self.evidence > 0, truth).to_json(),
            "beats_hard_votes": Confusion.count(hard, truth).to_json(),
            "dates": sorted(set(self.beats.dates.tolist())),
        }


def decide(model: Model, references: ReferenceBank, beats: BeatSet, rule: DecisionRule) -> Decided:
    """Vote on every beat and decide on every recording."""
    return decide_from_logits(
        compare(model, embed(model, beats.values), references.embeddings), references, beats, rule
    )


def decide_from_logits(logits: np.ndarray, references: ReferenceBank, beats: BeatSet, rule: DecisionRule) -> Decided:
    """Votes and decisions from logits (N, R), whatever engine computed them; no day's baseline is known."""
    votes = [cast_vote(row, references) for row in logits]
    decisions = [
        rule.decide((votes[beat], float(beats.known_at_s[beat])) for beat in np.flatnonzero(beats.recording == number))
        for number in range(len(beats.sources))
    ]
    return Decided(beats, rule.labels, votes, decisions)
