"""`python -m train.daily_baseline`: what the day's baseline and enrolment are worth on dates that were left out.

Every date is left out once: a model of the others judges it, by levels that the models of the other dates left out
say, with its first two baselines as the day's, without them, and with those of the previous date, which must be worse
(a negative control). What a month does to an ECG is not in the data, so drifts are simulated, alike in what enrols and
in what is judged, with the day's baseline and without it.

    OUT/folds/SEED/DATE/       the model that has not seen DATE; kept for another run
    OUT/folds/SEED/DATE,DATE/  with --nested: the models of the levels have not seen the judged date either
    OUT/daily_baseline.json    the figures
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from edge_ecg.console import claim_folder, run_command
from edge_ecg.datasets.dataset_file import SETS, Dataset, Entry, read_dataset
from edge_ecg.enroll import Sample, enroll_samples
from edge_ecg.errors import DatasetError, RecordingError
from edge_ecg.inference.levels import Levels
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import DecisionRule, Vote, cast_vote
from edge_ecg.jsonfile import write_json
from edge_ecg.readers.find import find_recordings
from edge_ecg.recording import Recording
from edge_ecg.signal.stream import cut_beats
from edge_ecg.simulation.synthetic import STATES, record, synthetic_person
from train.data import BeatSet, read_beats, read_sets
from train.decision.levels import fit_levels
from train.decision.novelty import fit_distribution
from train.decision.references import bank_of, choose_references
from train.evaluation.outcomes import Outcome, baselines_of, day_level, decided, summary, vote_of
from train.evaluation.simulated_drift import DRIFTS, Drift
from train.fit.left_out import evidence_of, train_folds
from train.fit.loop import Settings, settings_for
from train.model.architectures import DEFAULT_ARCHITECTURE
from train.model.model import Model, compare, embed
from train.options import ArchitectureName, given_beats

FIGURES = "daily_baseline.json"
BASELINES = 2  # of each date: they are the day's, and never judged
EARLIER_DATES, EACH = 3, 4  # what enrols: so many baselines of so many dates before
CONFIDENCES = (0.95, 0.90)
SYNTHETIC_PERSONS = 12
NOTES = (
    "The rule was found with date 1008 in view; it wants dates of a person that nobody has looked at.",
    "The day's baseline and most other baseline recordings of a date come from one sitting.",
    "Not every date holds a target recording.",
)


def judged_date(
    beats: BeatSet, date: str, evidence: np.ndarray, rule: DecisionRule, baselines: list[int], judged: Iterable[int]
) -> list[Outcome]:
    """Outcomes on recordings (by number) from the evidence (N,) of all beats, compared with some baselines or none."""
    votes = {n: [vote_of(e) for e in evidence[beats.recording == n]] for n in {*baselines, *judged}}
    day = day_level((votes[n] for n in baselines), rule)
    return [decided(beats, n, votes[n], rule, day) for n in judged]


def decisions(
    beats: BeatSet, evidence: Mapping[str, np.ndarray], levels: Mapping[str, Levels | None], confidence: float
) -> dict[str, list[Outcome]]:
    """Outcomes by plan. evidence: of all beats (N,), by the date that its model has not seen; levels: by that date."""
    dates = sorted(evidence)
    plans: dict[str, list[Outcome]] = {"day's baseline": [], "none": [], "previous date's": [], "none, all": []}
    for place, date in enumerate(dates):
        rule = DecisionRule(STATES, levels[date]).at(confidence)
        own, previous = (baselines_of(beats, [d], BASELINES) for d in (date, dates[place - 1]))
        of_date = np.flatnonzero(beats.dates == date).tolist()
        rest = [n for n in of_date if n not in own]
        for plan, compared, judged in (
            ("day's baseline", own, rest),
            ("none", [], rest),
            ("previous date's", previous, rest),
            ("none, all", [], of_date),
        ):
            plans[plan] += judged_date(beats, date, evidence[date], rule, compared, judged)
    return plans


def left_out_by_date(
    beats: BeatSet, models: Mapping[str, Model], settings: Settings
) -> tuple[dict[str, np.ndarray], dict[str, Levels | None]]:
    """By date, the evidence (N,) of all beats from the model that has not seen it, and levels from the other dates."""
    evidence = {d: evidence_of(m, without(beats, [d]), beats.values, settings) for d, m in models.items()}
    own = np.empty(len(beats.values))
    for date, found in evidence.items():
        own[beats.date == date] = found[beats.date == date]
    return evidence, {d: fit_levels(without(beats, [d]), own[beats.date != d]) for d in models}


def nested_levels(beats: BeatSet, settings: Settings, folder: Path, show: Callable[[str], None]) -> dict[str, Any]:
    """By date, levels of the other dates from models that have seen neither: nothing of the date is in them."""
    dates = sorted(set(beats.dates.tolist()))
    pairs = {",".join(pair): pair for pair in combinations(dates, 2)}
    models = train_folds(beats, {n: set(dates) - set(p) for n, p in pairs.items()}, settings, folder, show)
    own = {date: np.empty(len(beats.values)) for date in dates}
    for name, pair in pairs.items():
        evidence = evidence_of(models[name], without(beats, pair), beats.values, settings)
        for date, other in (pair, pair[::-1]):
            own[date][beats.date == other] = evidence[beats.date == other]
    return {date: fit_levels(without(beats, [date]), own[date][beats.date != date]) for date in dates}


def without(beats: BeatSet, dates: Iterable[str]) -> BeatSet:
    """The recordings of all other dates."""
    return beats.on_dates(set(beats.dates.tolist()) - set(dates))


@dataclass(frozen=True)
class LeftOut:
    """What a bundle would hold that has not seen one date."""

    beats: BeatSet
    date: str
    model: Model
    bank: ReferenceBank
    rule: DecisionRule

    @classmethod
    def of(cls, beats: BeatSet, date: str, model: Model, levels: Levels | None, settings: Settings) -> "LeftOut":
        """Raises ValueError for too few dates to tell what is usual."""
        training = without(beats, [date])
        embeddings = embed(model, training.values)
        bank = bank_of(training, embeddings, choose_references(training, embeddings, settings.references_per_state))
        bank = replace(bank, distribution=fit_distribution([embeddings], [training]))
        return cls(beats, date, model, bank, DecisionRule(STATES, levels))

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
        """Outcomes on the date's recordings but its first baselines, as the watch judges, whatever the calendar says.

        Where none of these can be used, or nothing could enrol (no bank), nothing is decided.
        """
        if bank is None:
            return replace(self, rule=replace(self.rule, levels=None)).outcomes(self.bank, drift, with_day)
        own = baselines_of(self.beats, [self.date], BASELINES)
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


def drifts(folds: Iterable[LeftOut]) -> dict[str, dict[str, dict[str, Any]]]:
    """By drift, before and after enrolment, without and with the day's baseline: the figures of all dates."""
    folds = list(folds)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, drift in DRIFTS.items():
        banks: dict[str, list[ReferenceBank | None]] = {"before": [f.bank for f in folds]}
        banks |= {"after": [f.enrolled(drift) for f in folds]}
        found[name] = {
            when: {
                plan: summary([o for f, bank in zip(folds, of, strict=True) for o in f.outcomes(bank, drift, with_day)])
                for plan, with_day in (("none", False), ("day's baseline", True))
            }
            for when, of in banks.items()
        }
    return found


def left_aside(dataset: Dataset, also: Mapping[str, str]) -> list[Entry]:
    """Recordings in folders that the dataset leaves out; also: the label of each folder. Raises DatasetError."""
    found = []
    for folder, label in also.items():
        if label not in dataset.labels:
            raise DatasetError(f"--also {folder}={label}: the labels are {' and '.join(dataset.labels)}")
        for date in sorted({date for which in SETS for date in dataset.dates[which]}):
            paths = dataset.root.glob(dataset.layout.replace("{date}", date).replace("{label}", folder))
            found += [Entry(path, date, folder, label == dataset.labels[1]) for path in sorted(paths)]
    return found


def judged_aside(
    aside: BeatSet, beats: BeatSet, models: Mapping[str, Model], levels: Mapping[str, Levels | None], settings: Settings
) -> dict[str, list[Outcome]]:
    """Outcomes on recordings that no model has learned from, each by the model that has not seen its date."""
    both = BeatSet.joined([beats, aside])
    plans: dict[str, list[Outcome]] = {"day's baseline": [], "none": []}
    for date in sorted(set(aside.dates.tolist())):
        evidence = evidence_of(models[date], without(beats, [date]), both.values, settings)
        rest = [n for n in range(len(beats.sources), len(both.sources)) if both.dates[n] == date]
        own = baselines_of(beats, [date], BASELINES)
        for plan, compared in (("day's baseline", own), ("none", [])):
            plans[plan] += judged_date(both, date, evidence, DecisionRule(STATES, levels[date]), compared, rest)
    return plans


def synthetic_others() -> list[np.ndarray]:
    """Recordings of synthetic persons."""
    made = [record(synthetic_person(p), state, p, number=1) for p in range(SYNTHETIC_PERSONS) for state in STATES]
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


def line(name: str, figures: Mapping[str, Any]) -> str:
    """One row for a person."""
    after = figures["median_provisional_s"]
    return (
        f"  {name:34} {figures['right']:>6} {figures['wrong']:>6} {figures['inconclusive']:>12}   "
        f"{figures['targets_right']:>3} of {figures['targets']:>3}   {f'{after:.1f} s' if after else '-':>7}"
        + (f"   wrong: {', '.join(figures['wrong_recordings'])}" if figures["wrong_recordings"] else "")
    )


HEAD = f"  {'compared with':34} {'right':>6} {'wrong':>6} {'inconclusive':>12}   {'targets':>10}   {'first':>7}"


@click.command()
@click.argument("dataset_file", metavar="DATASET.toml", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the models and figures.")
@click.option("--data", type=click.Path(path_type=Path), help="Where the recordings are [beside DATASET.toml].")
@given_beats
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(1), help="How many trainings of each fold.")
@click.option("--nested", is_flag=True, help="Seed 0 again, its levels from models that have not seen the date either.")
@click.option("--also", multiple=True, metavar="FOLDER=LABEL", help="Judge a folder that the dataset leaves out.")
@click.option("--others", multiple=True, type=click.Path(path_type=Path), help="Recordings of other people.")
@click.option("--arch", type=ArchitectureName(), default=DEFAULT_ARCHITECTURE, show_default=True)
def daily_baseline(
    dataset_file: Path,
    out: Path,
    data: Path | None,
    beats_file: Path | None,
    seeds: int,
    nested: bool,
    also: tuple[str, ...],
    others: tuple[Path, ...],
    arch: str,
) -> None:
    """Leave every date out, and compare its recordings with its own first baselines, with none, with another date's."""
    torch.set_num_threads(1)
    claim_folder(out, "train", ("folds", FIGURES))
    dataset = read_dataset(dataset_file, data)
    beats = read_sets(dataset, beats_file=beats_file)
    entries = left_aside(dataset, dict(pair.split("=", 1) for pair in also if "=" in pair))
    aside = read_beats(entries) if entries else None
    dates = sorted(set(beats.dates.tolist()))
    result: dict[str, Any] = {
        "dataset": dataset.name,
        "labels": dataset.labels,
        "notes": NOTES,
        "baselines": BASELINES,
        "dates": dates,
        "dates_with_target": sorted(set(beats.dates[beats.recording_is_target].tolist())),
        "seeds": {},
        "left_aside": {},
    }

    def told(name: str) -> None:
        click.echo(f"{name}: trained", err=True)

    for seed in range(seeds):
        settings, folder = settings_for(arch, seed), out / "folds" / str(seed)
        models = train_folds(beats, {d: set(dates) - {d} for d in dates}, settings, folder, told)
        evidence, levels = left_out_by_date(beats, models, settings)
        result["seeds"][seed] = shown(f"Seed {seed}", lambda c: decisions(beats, evidence, levels, c))  # noqa: B023
        if aside:
            result["left_aside"][seed] = {
                plan: summary(o) for plan, o in judged_aside(aside, beats, models, levels, settings).items()
            }
            click.echo("  recordings that the dataset leaves out, at 95 %")
            click.echo("\n".join(line(plan, f) for plan, f in result["left_aside"][seed].items()))
        if seed == 0:
            first = [LeftOut.of(beats, d, models[d], levels[d], settings) for d in dates]
            if nested:
                inner = nested_levels(beats, settings, folder, told)
                of_nested = lambda c: decisions(beats, evidence, inner, c)  # noqa: E731, B023
                result["nested"] = shown("Seed 0, fully nested", of_nested)
    result["mean"] = means(result["seeds"])
    click.echo(f"Mean of {seeds} seeds: right, wrong, inconclusive; most wrong in one of them")
    for confidence, plans in result["mean"].items():
        for plan, (right, wrong, inconclusive, most) in plans.items():
            click.echo(f"  {confidence}  {plan:28} {right:>6.1f} {wrong:>6.1f} {inconclusive:>8.1f} {most:>8}")
    result["drifts"] = drifts(first)
    click.echo("Simulated drifts, seed 0, at 95 %: right, wrong, inconclusive")
    for name, by_time in result["drifts"].items():
        for when, plans in by_time.items():
            click.echo(f"  {name}, {when} enrolment\n" + "\n".join(line(plan, f) for plan, f in plans.items()))
    people = {"synthetic": synthetic_others(), **({"others": other_people(others)} if others else {})}
    result["others"] = {}
    for name, recordings in people.items():
        flagged = [fold.out_of_distribution(recordings) for fold in first]
        count, of = (sum(column) for column in zip(*flagged, strict=True))
        result["others"][name] = count, of
        click.echo(f"{name} people's recordings out of distribution: {count} of {of}, over all folds")
    click.echo("\n".join(NOTES))
    write_json(out / FIGURES, result)


def shown(title: str, outcomes: Callable[[float], dict[str, list[Outcome]]]) -> dict[str, Any]:
    """Say the figures of all plans at each confidence, and return them."""
    figures = {}
    for confidence in CONFIDENCES:
        figures[f"{confidence:.2f}"] = plans = {plan: summary(some) for plan, some in outcomes(confidence).items()}
        click.echo(f"{title}, at {confidence:.0%}\n{HEAD}\n" + "\n".join(line(plan, f) for plan, f in plans.items()))
    return figures


def means(seeds: Mapping[int, Mapping[str, Any]]) -> dict[str, dict[str, tuple[float, ...]]]:
    """By confidence and plan, the means over seeds of right, wrong and inconclusive, and the most wrong of a seed."""
    found: dict[str, dict[str, tuple[float, ...]]] = {}
    each = list(seeds.values())
    for confidence, plans in each[0].items():
        found[confidence] = {}
        for plan in plans:
            rows = [[s[confidence][plan][k] for k in ("right", "wrong", "inconclusive")] for s in each]
            found[confidence][plan] = (*np.mean(rows, axis=0).tolist(), max(row[1] for row in rows))
    return found


if __name__ == "__main__":
    run_command(daily_baseline)
