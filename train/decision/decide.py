"""Votes and decisions on a set of beats as the watch would make them, on many recordings at once."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import INCONCLUSIVE, Decision, DecisionRule, Vote, cast_vote
from edge_ecg.results import Accuracy, SequentialDecisions, SetMetrics, count_decisions
from train.data import BeatSet
from train.model.model import Model, compare, embed

Z_95 = 1.959964  # two-sided 95 % of the normal distribution


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


@dataclass(frozen=True)
class Decided:
    """Votes and decisions of a model and its references on a set of beats."""

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

    def metrics(self) -> SetMetrics:
        """By beat and by recording; a recording is the unit that counts, a beat is not."""
        truth, recording_truth = self.beats.is_target, self.beats.recording_is_target
        hard = np.array([vote.hard_target for vote in self.votes])
        hard_share = np.bincount(self.beats.recording, hard) / np.bincount(self.beats.recording)
        labels = [self.labels[is_target] for is_target in recording_truth.tolist()]
        return SetMetrics(
            recordings=Accuracy.of(self.recording_evidence > 0, recording_truth),
            recordings_hard_votes=Accuracy.of(hard_share > 0.5, recording_truth),
            sequential=SequentialDecisions(
                **count_decisions(
                    [d.label != INCONCLUSIVE for d in self.decisions],
                    [d.label == label for d, label in zip(self.decisions, labels, strict=True)],
                ),
                median_beats=float(
                    np.median([d.provisional.beats if d.provisional else d.beats for d in self.decisions])
                ),
            ),
            beats=Accuracy.of(self.evidence > 0, truth),
            beats_hard_votes=Accuracy.of(hard, truth),
            dates=tuple(sorted(set(self.beats.dates.tolist()))),
        )


def decide(model: Model, references: ReferenceBank, beats: BeatSet, rule: DecisionRule) -> Decided:
    """Vote on every beat and decide on every recording."""
    return decide_from_logits(
        compare(model, embed(model, beats.values), references.embeddings), references, beats, rule
    )


def decide_from_logits(logits: np.ndarray, references: ReferenceBank, beats: BeatSet, rule: DecisionRule) -> Decided:
    """Votes and decisions from logits (N, R), whatever engine computed them; no day's baseline is known."""
    votes = [cast_vote(row, references) for row in logits]
    decisions = [
        rule.tallied(
            (votes[beat], float(beats.known_at_s[beat])) for beat in np.flatnonzero(beats.recording == number)
        ).decision
        for number in range(len(beats.sources))
    ]
    return Decided(beats, rule.labels, votes, decisions)
