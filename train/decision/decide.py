"""Votes and decisions on a set of beats as the watch would make them, on many recordings at once."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import INCONCLUSIVE, Decision, DecisionRule, Vote, cast_vote
from edge_ecg.results import wilson_interval
from train.data import BeatSet
from train.model.model import Model, compare, embed

Z_95 = 1.959964  # two-sided 95 % of the normal distribution


@dataclass(frozen=True)
class Confusion:
    """Counts of right and wrong calls; positive means the target state."""

    true_target: int
    false_target: int
    true_baseline: int
    false_baseline: int

    @classmethod
    def count(cls, called_target: np.ndarray, is_target: np.ndarray) -> "Confusion":
        """Compare calls with labels, both (N,) bool."""
        return cls(
            int(np.sum(called_target & is_target)),
            int(np.sum(called_target & ~is_target)),
            int(np.sum(~called_target & ~is_target)),
            int(np.sum(~called_target & is_target)),
        )

    @property
    def right(self) -> int:
        return self.true_target + self.true_baseline

    @property
    def total(self) -> int:
        return self.right + self.false_target + self.false_baseline

    def to_json(self) -> dict[str, Any]:
        """Counts, accuracy with its 95 % interval, sensitivity and specificity."""
        return {
            "right": self.right,
            "total": self.total,
            "accuracy": _share(self.right, self.total),
            "accuracy_95": wilson_interval(self.right, self.total),
            "sensitivity": _share(self.true_target, self.true_target + self.false_baseline),
            "specificity": _share(self.true_baseline, self.true_baseline + self.false_target),
            "confusion": asdict(self),
        }


def newcombe_interval(auc: float, targets: int, baselines: int) -> tuple[float, float]:
    """95 % interval of an AUC of so many recordings of each state; unlike a bootstrap it has a width at 1.

    R. G. Newcombe, Stat. Med. 25(4), 2006, part 2, method 5: the AUCs that lie within 1.96 of their own standard error,
    in the form of Hanley and McNeil (Radiology 143(1), 1982), of the one that was seen.
    """
    others = (targets + baselines) / 2 - 1

    def beyond(true: float) -> float:
        spread = true * (1 - true) * (1 + others * ((1 - true) / (2 - true) + true / (1 + true)))
        return (true - auc) ** 2 - Z_95**2 * spread / (targets * baselines)

    inside = min(max(auc, 1e-9), 1 - 1e-9)  # at 0 and 1 themselves a true AUC has no spread
    low = brentq(beyond, 0.0, inside) if beyond(0.0) > 0 else 0.0
    high = brentq(beyond, inside, 1.0) if beyond(1.0) > 0 else 1.0
    return float(low), float(high)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


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
