"""From comparisons to a decision: each beat votes, and their mean evidence is compared with the levels of both states.

`Vote` has two voting rules of the field: hard votes (how many references of each state call the
beat "same") and soft evidence (mean logit of "different" against the baseline minus that against the target). The
decision uses the soft one; hard votes are counted beside it.

The boundaries are those of A. Wald, "Sequential Tests of Statistical Hypotheses", Ann. Math. Statist. 16(2), 1945.
Departures:
- Wald adds up independent observations. The beats of a recording share their electrode, their posture and their day, so
  their mean is one observation, with the variances between recordings and dates (`edge_ecg.inference.levels`).
- Crossing a boundary does not end the test. The first crossing is provisional: at the end of the recording, the log
  odds must still be beyond the same boundary. Otherwise the recording is inconclusive.
- At least three beats are required, so that an ectopic beat and the one after its pause do not decide. Unusable beats
  do not vote, and there is no decision while most beats are unusable.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from html import escape
from math import exp, isfinite, log
from typing import NamedTuple

import numpy as np
from msgspec import structs

from edge_ecg.contract import CONTRACT, VotingConstants
from edge_ecg.inference.levels import DayLevel, Levels
from edge_ecg.inference.references import ReferenceBank

INCONCLUSIVE = "inconclusive"
COLORS = ("#0072b2", "#c04f00")  # of baseline and target, as in every picture
NOT_A_NUMBER = "not a number"  # why a beat does not vote whose embedding or logits an engine did not give


class Vote(NamedTuple):
    """Vote of one beat, from its comparison with the references."""

    same_as_baseline: int  # references of the baseline that call it "same"
    same_as_target: int
    hard_target: bool  # the hard vote: a larger share of the target's references call it "same"
    evidence: float  # soft: above 0 speaks for the target

    @property
    def soft_target(self) -> bool:
        """The soft vote of this beat alone; a tie counts for the baseline."""
        return self.evidence > 0


def cast_vote(logits: np.ndarray, references: ReferenceBank) -> Vote:
    """The vote of one beat from its (R,) logits of "different" against every reference."""
    same_as_baseline, same_as_target = ((logits < 0) @ references.by_state).tolist()
    return vote_of(same_as_baseline, same_as_target, float(references.evidence(logits)), references)


def vote_of(same_as_baseline: int, same_as_target: int, evidence: float, references: ReferenceBank) -> Vote:
    """The vote of one beat from its numbers of "same" references, and its soft evidence."""
    # Shares, since the two states may differ in references; compared without a division.
    hard_target = same_as_target * references.baseline_count > same_as_baseline * references.target_count
    return Vote(same_as_baseline, same_as_target, hard_target, evidence)


class Provisional(NamedTuple):
    """The first decision, before the recording ends."""

    label: str
    beats: int  # that had voted by then
    seconds: float  # on the recording's own clock


@dataclass(frozen=True)
class Decision:
    """Decision on a recording so far, final if the recording ends here."""

    label: str  # one of the two labels, or "inconclusive"
    confidence: float  # 0.5 to 1: how sure of the label; of the likelier one while inconclusive, 0.5 with too few beats
    beats: int  # beats judged
    provisional: Provisional | None  # None: the evidence was never enough
    votes: dict[str, int]  # hard votes by label
    unusable: int = 0  # beats that were found and not judged
    reasons: tuple[str, ...] = ()  # why the recording as a whole is not decided (`edge_ecg.inference.guards`)
    covered_s: float = 0.0  # by the beats judged, their RR intervals included

    def __str__(self) -> str:
        if self.label == INCONCLUSIVE:
            return ": ".join(filter(None, [INCONCLUSIVE, ", ".join(self.reasons)]))
        return f"{self.label}, {self.confidence:.1%}"

    def __repr__(self) -> str:
        return f"<Decision {self}; {self.beats} beats>"

    def _repr_html_(self) -> str:
        color = dict(zip(self.votes, COLORS, strict=False)).get(self.label, "#5b6470")
        chip = f"background:{color};color:white;border-radius:1em;padding:.2em .8em"
        return f'<span style="{chip}">{escape(str(self))}</span> {self.beats} beats'


@dataclass(frozen=True)
class DecisionRule:
    """Rule that turns the votes of one model into decisions. Without levels all recordings are inconclusive."""

    labels: tuple[str, str]  # baseline, target
    levels: Levels | None
    constants: VotingConstants = CONTRACT.voting

    @property
    def upper(self) -> float:
        """Log odds at or above which it is the target."""
        return log((1 - self.constants.beta) / self.constants.alpha)

    @property
    def lower(self) -> float:
        """Log odds at or below which it is the baseline."""
        return log(self.constants.beta / (1 - self.constants.alpha))

    @property
    def dates(self) -> dict[str, int] | None:
        """Number of dates of each label behind the levels."""
        if self.levels is None:
            return None
        return dict(zip(self.labels, (self.levels.baseline.dates, self.levels.target.dates), strict=True))

    def at(self, confidence: float) -> "DecisionRule":
        """The same rule at another confidence, from 0.5 to 1: its complement is the accepted rate of either error."""
        return replace(self, constants=structs.replace(self.constants, alpha=1 - confidence, beta=1 - confidence))

    def tally(self, day: DayLevel | None = None) -> "Tally":
        """An empty tally, with or without a day's baseline."""
        return Tally(self, day)

    def tallied(self, votes: Iterable[tuple[Vote | None, float]], day: DayLevel | None = None) -> "Tally":
        """The tally of one recording from the votes and times of its beats; None for an unusable beat."""
        tally = self.tally(day)
        for vote, time_s in votes:
            if vote is None:
                tally.skip()
            else:
                tally.add(vote, time_s)
        return tally

    def describe(self, day: DayLevel | None = None) -> str:
        """The rule in words."""
        if self.levels is None:
            return "no levels: too few dates"
        if day is None:
            return "no baseline of the day"
        return f"day's baseline, {day.recordings} recording{'s' if day.recordings > 1 else ''}"


class Counted(NamedTuple):
    """Beats of one recording so far."""

    votes: tuple[int, int] = (0, 0)  # hard votes, for the baseline and the target
    beats: int = 0  # that have voted
    unusable: int = 0
    log_odds: float = 0.0
    provisional: Provisional | None = None


class Tally:
    """Add up the votes of one recording to a decision."""

    def __init__(self, rule: DecisionRule, day: DayLevel | None = None):
        self._rule, self._labels, self._levels = rule, rule.labels, rule.levels
        self._densities = rule.levels.densities(day) if rule.levels else []
        self._upper, self._lower = rule.upper, rule.lower
        self.reset()

    def reset(self) -> None:
        """Start a new recording."""
        self._evidence = 0.0
        self.counted = Counted()  # another one after each beat

    def add(self, vote: Vote, time_s: float) -> None:
        """Add the vote of one beat, known at `time_s` of the recording. A beat without finite evidence is unusable."""
        if not isfinite(vote.evidence):
            return self.skip()
        (baseline, target), beats, unusable, log_odds, provisional = self.counted
        votes, beats = (baseline, target + 1) if vote.hard_target else (baseline + 1, target), beats + 1
        self._evidence += vote.evidence
        if self._levels is not None:
            log_odds = self._densities[self._levels.index(beats)].log_odds(self._evidence / beats)
        self.counted = Counted(votes, beats, unusable, log_odds, provisional)
        if provisional is None and (label := self._label(self.counted)) != INCONCLUSIVE:
            self.counted = self.counted._replace(provisional=Provisional(label, beats, time_s))

    def skip(self) -> None:
        """Count one unusable beat."""
        votes, beats, unusable, log_odds, provisional = self.counted
        self.counted = Counted(votes, beats, unusable + 1, log_odds, provisional)

    @property
    def beats(self) -> int:
        """Number of beats that have voted."""
        return self.counted.beats

    @property
    def log_odds(self) -> float:
        """Log odds of the beats so far; above 0 speaks for the target."""
        return self.counted.log_odds

    @property
    def level(self) -> float:
        """Mean evidence of the beats so far; 0 if there is none."""
        return self._evidence / max(1, self.beats)

    @property
    def decision(self) -> Decision:
        """The decision now."""
        return self.decided(self.counted)

    def decided(self, counted: Counted) -> Decision:
        """The decision after these beats, of this recording or of one before."""
        provisional = counted.provisional
        holds = provisional is not None and self._label(counted) == provisional.label
        label = provisional.label if provisional and holds else INCONCLUSIVE
        votes = dict(zip(self._labels, counted.votes, strict=True))
        return Decision(label, self._confidence(counted), counted.beats, provisional, votes, counted.unusable)

    @property
    def is_enough(self) -> bool:
        """Whether enough beats have voted, and most of those found were usable."""
        return self._is_enough(self.counted)

    def _is_enough(self, counted: Counted) -> bool:
        return counted.beats >= max(self._rule.constants.fewest_beats, counted.unusable)

    def _label(self, counted: Counted) -> str:
        """The label that the log odds support, ignoring earlier decisions."""
        if not self._is_enough(counted) or self._lower < counted.log_odds < self._upper:
            return INCONCLUSIVE
        return self._labels[counted.log_odds > 0]

    def _confidence(self, counted: Counted) -> float:
        if self._levels is None or not self._is_enough(counted):
            return 0.5
        log_odds = counted.log_odds
        return min(self._levels.most_confident(log_odds > 0), 1 / (1 + exp(-abs(log_odds))))
