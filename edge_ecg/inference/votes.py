"""From comparisons to a decision: each beat votes, the tally grows, and Wald's test says when it is enough.

Two voting rules of the field stand side by side in `Vote`: hard votes (how many references of each
state call the beat "same") and soft evidence (mean logit of "different" against the baseline minus
that against the target). The sequential decision uses the soft one; hard votes are counted beside it.

Sequential test: A. Wald, "Sequential Tests of Statistical Hypotheses", Ann. Math. Statist. 16(2), 1945.
Departures:
- Wald's beats are independent; those of one recording share an electrode, a posture and a day. n beats that
  correlate by r say as much as n / (1 + (n - 1) r) independent ones (the design effect of L. Kish, Survey Sampling,
  1965; the exact posterior where a recording has an effect of its own and both are normal). So a recording can
  say only so much, however long it is, and one of doubtful level stays inconclusive.
- A beat's log odds are clipped and three beats are the least, so that none decides alone, nor an ectopic one with the
  beat after its pause.
- What is unusable says nothing, and nothing is decided while most beats are.
"""

from dataclasses import dataclass
from math import exp, log
from typing import NamedTuple

import numpy as np

from edge_ecg.contract import CONTRACT, VotingConstants
from edge_ecg.inference.references import ReferenceBank

INCONCLUSIVE = "inconclusive"


class Vote(NamedTuple):
    """What the references say of one beat."""

    same_as_baseline: int  # references of the baseline that call it "same"
    same_as_target: int
    hard_target: bool  # the hard vote: a larger share of the target's references call it "same"
    evidence: float  # soft: above 0 speaks for the target

    @property
    def soft_target(self) -> bool:
        """The soft vote of this beat alone; a tie, here as there, is a vote for the baseline."""
        return self.evidence > 0


def cast_vote(logits: np.ndarray, references: ReferenceBank) -> Vote:
    """The vote of one beat from its (R,) logits of "different" against every reference."""
    same = logits < 0
    same_as_target = int(np.count_nonzero(same & references.is_target))
    same_as_baseline = int(np.count_nonzero(same)) - same_as_target
    # Shares, since the two states may differ in references; compared without a division.
    hard_target = same_as_target * references.baseline_count > same_as_baseline * references.target_count
    return Vote(same_as_baseline, same_as_target, hard_target, float(references.weights @ logits))


@dataclass(frozen=True)
class Decision:
    """What is known so far of a recording."""

    label: str  # one of the two labels, or "inconclusive"
    confidence: float  # 0.5 to 1: how sure of the label; of the likelier one while inconclusive, 0.5 with too few beats
    beats: int  # beats judged
    beats_to_decision: int | None
    seconds_to_decision: float | None  # on the recording's own clock
    votes: dict[str, int]  # hard votes by label
    unusable: int = 0  # beats that were found and not judged


class Tally:
    """Add up beats until the evidence crosses a boundary; a decision once made stays."""

    def __init__(self, labels: tuple[str, str], constants: VotingConstants = CONTRACT.voting):
        self._labels = labels
        self._constants = constants
        self.upper = log((1 - constants.beta) / constants.alpha)  # at or above: the target
        self.lower = log(constants.beta / (1 - constants.alpha))  # at or below: the baseline
        # A rate that n recordings with k errors can support (Laplace's rule of succession).
        n, k = constants.calibration_recordings, constants.calibration_errors
        self._most_confident = max(0.5, (n - k + 1) / (n + 2))
        self.reset()

    def reset(self) -> None:
        """Forget the recording."""
        self.log_odds = 0.0
        self._said = 0.0
        self._hard_votes = [0, 0]
        self._unusable = 0
        self._decided: tuple[str, float, int, float] | None = None

    def add(self, vote: Vote, time_s: float) -> Decision:
        """Count one beat's vote, known at `time_s` of the recording, and return what is known by then."""
        c = self._constants
        self._hard_votes[vote.hard_target] += 1
        beats = sum(self._hard_votes)
        self._said += min(c.clip, max(-c.clip, c.slope * vote.evidence + c.offset))
        self.log_odds = self._said / (1 + (beats - 1) * c.correlation)
        if self._decided is None and self._is_enough() and not self.lower < self.log_odds < self.upper:
            label = self._labels[self.log_odds > 0]
            self._decided = label, self._confidence(), beats, time_s
        return self.decision

    def skip(self) -> Decision:
        """Count one beat that must not vote, and return what is known by then."""
        self._unusable += 1
        return self.decision

    @property
    def decision(self) -> Decision:
        """What is known now."""
        label, confidence, beats, seconds = self._decided or (INCONCLUSIVE, self._confidence(), None, None)
        votes = dict(zip(self._labels, self._hard_votes, strict=True))
        return Decision(label, confidence, sum(self._hard_votes), beats, seconds, votes, self._unusable)

    def _is_enough(self) -> bool:
        """Whether there are beats enough to say anything, and most of those found were usable."""
        return sum(self._hard_votes) >= max(self._constants.fewest_beats, self._unusable)

    def _confidence(self) -> float:
        if not self._is_enough():
            return 0.5
        return min(self._most_confident, 1 / (1 + exp(-abs(self.log_odds))))
