"""A bundle on a date that it has not seen: under simulated drift, after enrollment, and on other people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp
from pathlib import Path

import numpy as np

from edge_ecg.contract import CONTRACT
from edge_ecg.enroll import Sample, enroll_samples
from edge_ecg.errors import RecordingError
from edge_ecg.inference.levels import DayLevel, Levels
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import INCONCLUSIVE, DecisionRule, Vote, cast_vote
from edge_ecg.readers.find import find_recordings
from edge_ecg.recording import Recording
from edge_ecg.results import BeforeAndAfter, Decisions, PlanDecisions, count_decisions
from edge_ecg.signal.stream import cut_beats
from edge_ecg.simulation.synthetic import STATES, record, synthetic_person
from train.data import BeatSet
from train.fit.decision import bank_of, choose_references, fit_distribution
from train.fit.loop import Settings
from train.model.model import PR_SEGMENT, ST_ENDS, Model, compare, embed
from train.parallel import run_tasks

ROLES = ("baseline", "target")  # labels of the rule, whatever a data set calls its states


@dataclass(frozen=True)
class Outcome:
    """Decision of a rule on one recording."""

    source: str
    date: str
    is_target: bool
    is_decided: bool
    is_right: bool  # decided, and rightly
    probability: float  # of the target
    provisional_s: float | None


def decided(
    beats: BeatSet, number: int, votes: Sequence[Vote | None], rule: DecisionRule, day: DayLevel | None
) -> Outcome:
    """The outcome of a recording, by its number, from the votes of its beats; None is a beat that does not vote."""
    times_s = beats.known_at_s[beats.recording == number].tolist()
    tally = rule.tallied(zip(votes, times_s, strict=True), day)
    decision, is_target = tally.decision, bool(beats.recording_is_target[number])
    return Outcome(
        beats.sources[number],
        str(beats.dates[number]),
        is_target,
        decision.label != INCONCLUSIVE,
        decision.label == rule.labels[is_target],
        1 / (1 + exp(-max(-700.0, min(700.0, tally.log_odds)))),
        decision.provisional and decision.provisional.seconds,
    )


def day_level(recordings: Iterable[Sequence[Vote | None]], rule: DecisionRule) -> DayLevel | None:
    """The level of the day's baseline recordings that can be used, from the votes of their beats."""
    tallies = [rule.tallied((vote, 0.0) for vote in votes) for votes in recordings]
    usable = [(tally.level, tally.beats) for tally in tallies if tally.is_enough]
    return DayLevel.of(usable) if usable else None


def vote_of(evidence: float) -> Vote:
    """A vote of which only the soft evidence is known."""
    return Vote(0, 0, bool(evidence > 0), float(evidence))


def baselines_of(beats: BeatSet, dates: Iterable[str], first: int | None = None) -> list[int]:
    """Numbers of the baseline recordings of dates, in the order of the day; optionally only the first ones."""
    found: list[int] = []
    for date in dates:
        numbers = np.flatnonzero((beats.dates == date) & ~beats.recording_is_target)
        found += sorted(numbers.tolist(), key=beats.place_in_date.__getitem__)[:first]
    return found


def plan_decisions(outcomes: Sequence[Outcome]) -> PlanDecisions:
    """Decisions on some recordings, and by date."""
    dates = sorted({o.date for o in outcomes})
    of_date = {date: [o for o in outcomes if o.date == date] for date in dates}
    brier = {date: float(np.mean([(o.probability - o.is_target) ** 2 for o in some])) for date, some in of_date.items()}
    times = [o.provisional_s for o in outcomes if o.is_right and o.provisional_s is not None]
    return PlanDecisions(
        **counts(outcomes),
        targets_right=sum(o.is_right and o.is_target for o in outcomes),
        targets=sum(o.is_target for o in outcomes),
        wrong_recordings=tuple(o.source for o in outcomes if o.is_decided and not o.is_right),
        dates_with_an_error=sum(any(o.is_decided and not o.is_right for o in some) for some in of_date.values()),
        median_provisional_s=float(np.median(times)) if times else None,
        brier_by_recording=float(np.mean([(o.probability - o.is_target) ** 2 for o in outcomes])),
        brier_by_date=float(np.mean(list(brier.values()))),
        dates={date: Decisions(**counts(some)) for date, some in of_date.items()},
    )


def counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Right, wrong and inconclusive, by name."""
    return count_decisions([o.is_decided for o in outcomes], [o.is_right for o in outcomes])


@dataclass(frozen=True)
class Drift:
    """Simulated effect of some months on every beat."""

    t_later_ms: float = 0.0
    t_height: float = 1.0

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Beats (N, 384) with the T wave moved and scaled, the rest as it was."""
        index = np.arange(CONTRACT.window_samples)
        t_wave = 1 / (1 + np.exp(-(index - ST_ENDS) / 6.0))
        source = np.clip(index - self.t_later_ms / 1000 * CONTRACT.sample_rate_hz * t_wave, 0, index[-1])
        samples = values[:, index].astype(np.float64)
        baseline = np.median(samples[:, PR_SEGMENT], axis=1, keepdims=True)
        below = np.minimum(source.astype(int), index[-1] - 1)
        moved = samples[:, below] + (source - below) * (samples[:, below + 1] - samples[:, below])
        moved = baseline + (moved - baseline) * (1 + (self.t_height - 1) * t_wave)
        return np.concatenate([moved, values[:, len(index) :]], axis=1).astype(np.float32)


DRIFTS = {
    "no drift": Drift(),
    "T 10 ms later": Drift(t_later_ms=10),
    "T 10 ms earlier": Drift(t_later_ms=-10),
    "T 20 ms later": Drift(t_later_ms=20),
    "T 20 ms earlier": Drift(t_later_ms=-20),
    "T 20 % lower": Drift(t_height=0.8),
    "T 25 % higher": Drift(t_height=1.25),
}


EARLIER_DATES, EACH = 3, 4  # what enrols: so many baselines of so many dates before


def leaving_out(beats: BeatSet, dates: Iterable[str]) -> BeatSet:
    """The recordings of all other dates."""
    return beats.on_dates(set(beats.dates.tolist()) - set(dates))


@dataclass(frozen=True)
class LeftOut:
    """Contents of a bundle that has not seen one date."""

    beats: BeatSet
    date: str
    model: Model
    bank: ReferenceBank
    rule: DecisionRule
    baselines: int  # how many of the date's first baselines are the day's, and never judged

    @classmethod
    def of(
        cls, beats: BeatSet, date: str, model: Model, levels: Levels | None, settings: Settings, baselines: int
    ) -> "LeftOut":
        """Raises ValueError for too few dates."""
        training = leaving_out(beats, [date])
        embeddings = embed(model, training.values)
        bank = bank_of(training, embeddings, choose_references(training, embeddings, settings.references_per_state))
        bank = replace(bank, distribution=fit_distribution([embeddings], [training]))
        return cls(beats, date, model, bank, DecisionRule(ROLES, levels), baselines)

    def enrolled(self, drift: Drift) -> ReferenceBank | None:
        """The references after baselines of the dates before have enrolled; the first dates take the last ones.

        None if they were refused.
        """
        dates = sorted(set(self.beats.dates.tolist()))
        place = dates.index(self.date)
        earlier = [dates[place - back] for back in range(1, EARLIER_DATES + 1)]
        samples = [
            Sample(self.beats.sources[n], str(self.beats.dates[n]), self._embeddings(n, drift))
            for n in baselines_of(self.beats, earlier, EACH)
        ]
        try:
            return enroll_samples(self.bank, samples).references
        except RecordingError:
            return None

    def outcomes(self, bank: ReferenceBank | None, drift: Drift, with_day: bool) -> list[Outcome]:
        """Decisions on the date's recordings without its first baseline recordings, ignoring the calendar.

        Where none of these can be used, or nothing could enrol (no bank), nothing is decided.
        """
        if bank is None:
            return replace(self, rule=replace(self.rule, levels=None)).outcomes(self.bank, drift, with_day)
        own = baselines_of(self.beats, [self.date], self.baselines)
        rest = [n for n in np.flatnonzero(self.beats.dates == self.date).tolist() if n not in own]
        day = day_level((self._votes(n, bank, drift) for n in own), self.rule) if with_day else None
        rule = replace(self.rule, levels=None) if with_day and day is None else self.rule
        return [decided(self.beats, n, self._votes(n, bank, drift), rule, day) for n in rest]

    def _embeddings(self, number: int, drift: Drift) -> np.ndarray:
        return embed(self.model, drift(self.beats.values[self.beats.recording == number]))

    def _votes(self, number: int, bank: ReferenceBank, drift: Drift) -> list[Vote | None]:
        embeddings, distribution = self._embeddings(number, drift), bank.distribution
        assert distribution is not None
        outside = distribution.distances(embeddings) > distribution.limit
        logits = compare(self.model, embeddings, bank.embeddings)
        return [None if out else cast_vote(row, bank) for row, out in zip(logits, outside, strict=True)]

    def out_of_distribution(self, recordings: Iterable[np.ndarray]) -> tuple[int, int]:
        """Of recordings of other people, beats (N, 384) each, how many are out of distribution, and of how many."""
        assert self.bank.distribution is not None
        distances = [np.median(self.bank.distribution.distances(embed(self.model, each))) for each in recordings]
        return int(np.sum(np.array(distances) > self.bank.distribution.limit)), len(distances)


def drifts(folds: Iterable[LeftOut]) -> dict[str, BeforeAndAfter]:
    """By drift, before and after enrolment, without and with the day's baseline: the figures of all dates."""
    folds = list(folds)
    found = dict(run_tasks(_under, folds, [(name,) for name in DRIFTS]))
    return {name: found[name] for name in DRIFTS}


def _under(folds: list[LeftOut], name: str) -> tuple[str, BeforeAndAfter]:
    """The figures under one drift."""
    drift = DRIFTS[name]
    banks: dict[str, list[ReferenceBank | None]] = {"before": [fold.bank for fold in folds]}
    banks |= {"after": [fold.enrolled(drift) for fold in folds]}
    plans = {
        when: {
            plan: plan_decisions(
                [o for f, bank in zip(folds, of, strict=True) for o in f.outcomes(bank, drift, with_day)]
            )
            for plan, with_day in (("none", False), ("day's baseline", True))
        }
        for when, of in banks.items()
    }
    return name, BeforeAndAfter(**plans)


def synthetic_others(persons: int) -> list[np.ndarray]:
    """Recordings of synthetic persons, beats (N, 384) each."""
    made = [record(synthetic_person(p), state, p, number=1) for p in range(persons) for state in STATES]
    return [_values(Recording(m.samples_uv, m.sample_rate_hz, "synthetic")) for m in made]


def other_people(paths: Iterable[Path]) -> list[np.ndarray]:
    """Every third 30 s of other people's recordings that have beats."""
    found = []
    for path in paths:
        for each in find_recordings(str(path)):
            recording = each.read()
            length = round(30 * recording.sample_rate_hz)
            for start in range(0, len(recording.samples_uv) - length + 1, 3 * length):
                part = recording.samples_uv[start : start + length]
                values = _values(Recording(part, recording.sample_rate_hz, recording.source))
                found += [values] if len(values) else []
    return found


def _values(recording: Recording) -> np.ndarray:
    return np.array([beat.values for beat in cut_beats(recording)])
