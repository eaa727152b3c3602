"""The day's baseline and enrollment on dates that were left out.

Every date is left out once: a model of the others judges it, by levels from the models of the other dates left out,
with its first two baselines as the day's, without them, and with those of the previous date, which must be worse
(a negative control). What a month does to an ECG is not in the data, so drifts are simulated, alike in what enrolls and
in what is judged, with the day's baseline and without it.

    OUT/folds/SEED/DATE/       the model that has not seen DATE; kept for another run
    OUT/folds/SEED/DATE,DATE/  with --nested: the models of the levels have not seen the judged date either
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.datasets.dataset_file import SETS, Dataset, Entry
from edge_ecg.errors import DatasetError
from edge_ecg.inference.levels import Levels
from edge_ecg.inference.votes import DecisionRule
from edge_ecg.results import DayBaselineDecisions, Decisions, MeanDecisions, Plans
from edge_ecg.terminal.console import countdown
from edge_ecg.watch import ENOUGH_BEATS
from train.data import BeatSet, read_beats
from train.evaluation.drifted import (
    ROLES,
    LeftOut,
    Outcome,
    baselines_of,
    counts,
    day_level,
    decided,
    drifts,
    leaving_out,
    other_people,
    plan_decisions,
    synthetic_others,
    vote_of,
)
from train.fit.decision import fit_levels
from train.fit.loop import Settings, evidence_of, settings_for, train_folds
from train.model.model import Model
from train.studies.subject import Say, Study, Subject

DAY_BASELINE_RECORDINGS = 2  # of each date: they are the day's, and never judged
CONFIDENCES = (0.95, 0.90)
SYNTHETIC_PERSONS = 12
MOST_AMOUNT = 3  # baseline recordings of a date, where it is asked how much of a baseline is enough


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
        rule = DecisionRule(ROLES, levels[date]).at(confidence)
        own, previous = (baselines_of(beats, [d], DAY_BASELINE_RECORDINGS) for d in (date, dates[place - 1]))
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


def by_amount(
    beats: BeatSet, evidence: Mapping[str, np.ndarray], levels: Mapping[str, Levels | None], confidence: float
) -> dict[str, Decisions]:
    """Decisions by how much of the day's baseline is known; the first three baselines of a date are never judged."""
    amounts: dict[str, list[Outcome]] = {}
    for date in sorted(evidence):
        rule = DecisionRule(ROLES, levels[date]).at(confidence)
        first = baselines_of(beats, [date], MOST_AMOUNT)
        rest = [n for n in np.flatnonzero(beats.dates == date).tolist() if n not in first]
        votes = {n: [vote_of(e) for e in evidence[date][beats.recording == n]] for n in {*first, *rest}}
        known = {"none": [], f"{ENOUGH_BEATS} beats": [votes[n][:ENOUGH_BEATS] for n in first[:1]]}
        known |= {f"{k} recording{'s' * (k > 1)}": [votes[n] for n in first[:k]] for k in range(1, MOST_AMOUNT + 1)}
        for name, baselines in known.items():
            day = day_level(baselines, rule)
            amounts.setdefault(name, []).extend(decided(beats, n, votes[n], rule, day) for n in rest)
    return {name: Decisions(**counts(outcomes)) for name, outcomes in amounts.items()}


def left_out_by_date(
    beats: BeatSet, models: Mapping[str, Model], settings: Settings
) -> tuple[dict[str, np.ndarray], dict[str, Levels | None]]:
    """By date, the evidence (N,) of all beats from the model that has not seen it, and levels from the other dates."""
    evidence = {d: evidence_of(m, leaving_out(beats, [d]), beats.values, settings) for d, m in models.items()}
    own = np.empty(len(beats.values))
    for date, found in evidence.items():
        own[beats.date == date] = found[beats.date == date]
    return evidence, {d: fit_levels(leaving_out(beats, [d]), own[beats.date != d]) for d in models}


def nested_levels(beats: BeatSet, settings: Settings, folder: Path, show: Callable[[str], None]) -> dict[str, Any]:
    """By date, levels of the other dates from models that have seen neither: nothing of the date is in them."""
    dates = sorted(set(beats.dates.tolist()))
    pairs = {",".join(pair): pair for pair in combinations(dates, 2)}
    models = train_folds(beats, {n: set(dates) - set(p) for n, p in pairs.items()}, settings, folder, show)
    own = {date: np.empty(len(beats.values)) for date in dates}
    for name, pair in pairs.items():
        evidence = evidence_of(models[name], leaving_out(beats, pair), beats.values, settings)
        for date, other in (pair, pair[::-1]):
            own[date][beats.date == other] = evidence[beats.date == other]
    return {date: fit_levels(leaving_out(beats, [date]), own[date][beats.date != date]) for date in dates}


def excluded_recordings(dataset: Dataset, also: Mapping[str, str]) -> list[Entry]:
    """Recordings in folders that the dataset leaves out; also: the label of each folder. Raises DatasetError."""
    found = []
    for folder, label in also.items():
        if label not in dataset.labels:
            raise DatasetError(f"--also {folder}={label}: the labels are {' and '.join(dataset.labels)}")
        for date in sorted({date for which in SETS for date in dataset.dates[which]}):
            paths = dataset.root.glob(dataset.layout.replace("{date}", date).replace("{label}", folder))
            found += [Entry(path, date, folder, label == dataset.labels[1], date) for path in sorted(paths)]
    return found


def judge_excluded(
    aside: BeatSet, beats: BeatSet, models: Mapping[str, Model], levels: Mapping[str, Levels | None], settings: Settings
) -> dict[str, list[Outcome]]:
    """Outcomes on recordings that no model has learned from, each by the model that has not seen its date."""
    both = BeatSet.joined([beats, aside])
    plans: dict[str, list[Outcome]] = {"day's baseline": [], "none": []}
    for date in sorted(set(aside.dates.tolist())):
        evidence = evidence_of(models[date], leaving_out(beats, [date]), both.values, settings)
        rest = [n for n in range(len(beats.sources), len(both.sources)) if both.dates[n] == date]
        own = baselines_of(beats, [date], DAY_BASELINE_RECORDINGS)
        for plan, compared in (("day's baseline", own), ("none", [])):
            plans[plan] += judged_date(both, date, evidence, DecisionRule(ROLES, levels[date]), compared, rest)
    return plans


def day_baseline_study(
    dataset: Dataset,
    beats: BeatSet,
    trainings: Sequence[Settings],
    out: Path,
    say: Say,
    nested: bool = False,
    aside: BeatSet | None = None,
    others: Mapping[str, list[np.ndarray]] | None = None,
) -> DayBaselineDecisions:
    """Leave out every date in each of several trainings, and decide on it with and without its baseline.

    nested: the first training again, its levels from models that have not seen the date either. aside: recordings
    that no model has learned from. others: recordings of other people, beats (N, 384) each.
    """
    dates = sorted(set(beats.dates.tolist()))
    pairs = len(dates) * (len(dates) - 1) // 2 if nested else 0
    step = countdown(say, len(trainings) * len(dates) + pairs)
    seeds: dict[str, dict[str, Plans]] = {}
    amounts: dict[str, dict[str, Decisions]] = {}
    excluded: dict[str, Plans] = {}
    inner: dict[str, Plans] | None = None
    first: list[LeftOut] = []
    for settings in trainings:
        seed, folder = str(settings.seed), out / "folds" / str(settings.seed)
        models = train_folds(
            beats, {d: set(dates) - {d} for d in dates}, settings, folder, lambda date: step(f"{date} left out")
        )
        evidence, levels = left_out_by_date(beats, models, settings)
        seeds[seed] = at_each_confidence(beats, evidence, levels)
        amounts[seed] = by_amount(beats, evidence, levels, CONFIDENCES[0])
        if aside:
            excluded[seed] = {
                plan: plan_decisions(o) for plan, o in judge_excluded(aside, beats, models, levels, settings).items()
            }
        if not first:
            first = [LeftOut.of(beats, d, models[d], levels[d], settings, DAY_BASELINE_RECORDINGS) for d in dates]
            if nested:
                nested_by = nested_levels(beats, settings, folder, lambda two: step(f"{two} left out"))
                inner = at_each_confidence(beats, evidence, nested_by)
    people = {"synthetic": synthetic_others(SYNTHETIC_PERSONS), **(others or {})}
    return DayBaselineDecisions(
        dataset=dataset.name,
        labels=dataset.labels,
        baselines=DAY_BASELINE_RECORDINGS,
        dates=tuple(dates),
        dates_with_target=tuple(sorted(set(beats.dates[beats.recording_is_target].tolist()))),
        seeds=seeds,
        nested=inner,
        mean=means(list(seeds.values())),
        amounts=amounts,
        excluded_recordings=excluded,
        drifts=drifts(first),
        others={name: flagged(first, recordings) for name, recordings in people.items()},
    )


def flagged(folds: Iterable[LeftOut], recordings: list[np.ndarray]) -> tuple[int, int]:
    """Of recordings of other people, how many are out of distribution for the models of all folds, and of how many."""
    each = [fold.out_of_distribution(recordings) for fold in folds]
    return sum(count for count, _ in each), sum(of for _, of in each)


def at_each_confidence(
    beats: BeatSet, evidence: Mapping[str, np.ndarray], levels: Mapping[str, Levels | None]
) -> dict[str, Plans]:
    """Decisions by all plans at each confidence."""
    return {
        f"{c:.2f}": {plan: plan_decisions(some) for plan, some in decisions(beats, evidence, levels, c).items()}
        for c in CONFIDENCES
    }


def means(seeds: Sequence[Mapping[str, Plans]]) -> dict[str, dict[str, MeanDecisions]]:
    """By confidence and plan, means over seeds."""
    found: dict[str, dict[str, MeanDecisions]] = {}
    for confidence, plans in seeds[0].items():
        found[confidence] = {}
        for name in plans:
            each = [of_seed[confidence][name] for of_seed in seeds]
            right, wrong, left_open = np.mean([(d.right, d.wrong, d.inconclusive) for d in each], axis=0).tolist()
            most = max(d.wrong for d in each)
            found[confidence][name] = MeanDecisions(right=right, wrong=wrong, inconclusive=left_open, most_wrong=most)
    return found


def plan(subject: Subject) -> dict[str, Any]:
    """Seeds of the trainings, and additional recordings to decide on."""
    options = subject.options
    seeds = options.seeds or (1 if options.quick else 5)
    return {
        "seeds": list(range(subject.seed, subject.seed + seeds)),
        "nested": options.nested,
        "also": list(options.also),
        "others": [str(path) for path in options.others],
    }


def measure(subject: Subject, out: Path, say: Say) -> DayBaselineDecisions:
    """Compare recordings of dates left out with their own day's first baselines, with none, with another date's."""
    planned, options = plan(subject), subject.options
    entries = excluded_recordings(subject.dataset, dict(pair.split("=", 1) for pair in options.also))
    return day_baseline_study(
        subject.dataset,
        subject.beats,
        [settings_for(subject.architecture, seed) for seed in planned["seeds"]],
        out,
        say,
        options.nested,
        read_beats(entries) if entries else None,
        {"others": other_people(options.others)} if options.others else {},
    )


DAY_BASELINE = Study(plan, measure)
