"""Judge a set of beats as the watch would: the same votes and the same tally, on many recordings at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from edge_ecg.contract import VotingConstants
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import INCONCLUSIVE, Decision, Tally, Vote, cast_vote
from train.data import BeatSet
from train.metrics import Confusion
from train.model.architectures import Model

COMPARED_AT_ONCE = 512  # pairs in one call of the comparator: what they compute fits the cache


def embed(model: Model, values: np.ndarray) -> np.ndarray:
    """Embeddings (N, D) float32 of beats (N, 384)."""
    model.eval()
    with torch.no_grad():
        parts = [model.encoder(part) for part in torch.from_numpy(values).split(1024)]
    return torch.cat(parts).numpy()


def compare(model: Model, embeddings: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Logits (N, R) of "different" for embeddings (N, D) against references (R, D)."""
    model.eval()
    count = len(references)
    rows = []
    with torch.no_grad():
        bank = torch.from_numpy(references)
        for part in torch.from_numpy(embeddings).split(max(1, COMPARED_AT_ONCE // count)):
            logits = model.comparator(part.repeat_interleave(count, 0), bank.repeat(len(part), 1))
            rows.append(logits.view(len(part), count))
    return torch.cat(rows).numpy()


@dataclass(frozen=True)
class Judgement:
    """What a model and its references say of a set of beats."""

    beats: BeatSet
    labels: tuple[str, str]
    votes: list[Vote]  # by beat
    decisions: list[Decision]  # by recording, from the sequential test

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
                "median_beats": float(np.median([d.beats_to_decision or d.beats for d in self.decisions])),
            },
            "beats": Confusion.count(self.evidence > 0, truth).to_json(),
            "beats_hard_votes": Confusion.count(hard, truth).to_json(),
            "dates": sorted(set(self.beats.dates.tolist())),
        }


def judge(
    model: Model, references: ReferenceBank, beats: BeatSet, labels: tuple[str, str], voting: VotingConstants
) -> Judgement:
    """Vote on every beat and decide on every recording."""
    logits = compare(model, embed(model, beats.values), references.embeddings)
    return decide(logits, references, beats, labels, voting)


def decide(
    logits: np.ndarray,
    references: ReferenceBank,
    beats: BeatSet,
    labels: tuple[str, str],
    voting: VotingConstants,
) -> Judgement:
    """Votes and decisions from logits (N, R), whatever engine computed them."""
    votes = [cast_vote(row, references) for row in logits]
    decisions = []
    for recording in range(len(beats.sources)):
        tally = Tally(labels, voting)
        for beat in np.flatnonzero(beats.recording == recording):
            tally.add(votes[beat], float(beats.known_at_s[beat]))
        decisions.append(tally.decision)
    return Judgement(beats, labels, votes, decisions)
