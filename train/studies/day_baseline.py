"""`python -m train.studies.day_baseline`: what the day's baseline and enrolment are worth on dates that were left out.

Every date is left out once: a model of the others judges it, by levels that the models of the other dates left out
say, with its first two baselines as the day's, without them, and with those of the previous date, which must be worse
(a negative control). What a month does to an ECG is not in the data, so drifts are simulated, alike in what enrols and
in what is judged, with the day's baseline and without it.

    OUT/folds/SEED/DATE/       the model that has not seen DATE; kept for another run
    OUT/folds/SEED/DATE,DATE/  with --nested: the models of the levels have not seen the judged date either
    OUT/daily_baseline.json    the figures
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from edge_ecg.datasets.dataset_file import SETS, Dataset, Entry, read_dataset
from edge_ecg.errors import DatasetError
from edge_ecg.inference.levels import Levels
from edge_ecg.inference.votes import DecisionRule
from edge_ecg.simulation.synthetic import STATES
from edge_ecg.storage.files import write_json
from edge_ecg.terminal.console import claim_folder, countdown, run_command, wrapped
from train.data import BeatSet, read_beats, read_sets
from train.decision.fitted import fit_levels
from train.evaluation.drifted import (
    LeftOut,
    Outcome,
    baselines_of,
    day_level,
    decided,
    drifts,
    other_people,
    summary,
    synthetic_others,
    vote_of,
    without,
)
from train.fit.left_out import evidence_of, train_folds
from train.fit.loop import Settings, settings_for
from train.model import DEFAULT_ARCHITECTURE
from train.model.model import Model
from train.options import ArchitectureName, given_beats

FIGURES = "daily_baseline.json"
WRITES = ("folds", FIGURES)
BASELINES = 2  # of each date: they are the day's, and never judged
CONFIDENCES = (0.95, 0.90)
SYNTHETIC_PERSONS = 12


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
        evidence = evidence_of(models[date], without(beats, [date]), both.values, settings)
        rest = [n for n in range(len(beats.sources), len(both.sources)) if both.dates[n] == date]
        own = baselines_of(beats, [date], BASELINES)
        for plan, compared in (("day's baseline", own), ("none", [])):
            plans[plan] += judged_date(both, date, evidence, DecisionRule(STATES, levels[date]), compared, rest)
    return plans


def day_baseline_study(
    dataset: Dataset,
    beats: BeatSet,
    trainings: Sequence[Settings],
    out: Path,
    say: Callable[[str], None],
    nested: bool = False,
    aside: BeatSet | None = None,
    others: Mapping[str, list[np.ndarray]] | None = None,
) -> dict[str, Any]:
    """Leave every date out in each of some trainings, judge it with and without its baselines, and write the figures.

    nested: the first training again, its levels from models that have not seen the date either. aside: recordings
    that no model has learned from. others: recordings of other people, beats (N, 384) each.
    """
    dates = sorted(set(beats.dates.tolist()))
    pairs = len(dates) * (len(dates) - 1) // 2 if nested else 0
    step = countdown(say, len(trainings) * len(dates) + pairs)
    result: dict[str, Any] = {
        "dataset": dataset.name,
        "labels": dataset.labels,
        "baselines": BASELINES,
        "dates": dates,
        "dates_with_target": sorted(set(beats.dates[beats.recording_is_target].tolist())),
        "seeds": {},
        "excluded_recordings": {},
    }
    first: list[LeftOut] = []
    for settings in trainings:
        seed, folder = str(settings.seed), out / "folds" / str(settings.seed)
        models = train_folds(
            beats, {d: set(dates) - {d} for d in dates}, settings, folder, lambda date: step(f"{date} left out")
        )
        evidence, levels = left_out_by_date(beats, models, settings)
        result["seeds"][seed] = at_each_confidence(beats, evidence, levels)
        if aside:
            result["excluded_recordings"][seed] = {
                plan: summary(o) for plan, o in judge_excluded(aside, beats, models, levels, settings).items()
            }
        if not first:
            first = [LeftOut.of(beats, d, models[d], levels[d], settings, BASELINES) for d in dates]
            if nested:
                inner = nested_levels(beats, settings, folder, lambda two: step(f"{two} left out"))
                result["nested"] = at_each_confidence(beats, evidence, inner)
    result["mean"] = means(result["seeds"])
    result["drifts"] = drifts(first)
    people = {"synthetic": synthetic_others(SYNTHETIC_PERSONS), **(others or {})}
    result["others"] = {name: flagged(first, recordings) for name, recordings in people.items()}
    write_json(out / FIGURES, result)
    return result


def flagged(folds: Iterable[LeftOut], recordings: list[np.ndarray]) -> tuple[int, int]:
    """Of recordings of other people, how many are out of distribution for the models of all folds, and of how many."""
    each = [fold.out_of_distribution(recordings) for fold in folds]
    return sum(count for count, _ in each), sum(of for _, of in each)


def at_each_confidence(
    beats: BeatSet, evidence: Mapping[str, np.ndarray], levels: Mapping[str, Levels | None]
) -> dict[str, Any]:
    """The figures of all plans at each confidence."""
    return {
        f"{c:.2f}": {plan: summary(some) for plan, some in decisions(beats, evidence, levels, c).items()}
        for c in CONFIDENCES
    }


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


def daily_baseline_lines(result: dict[str, Any]) -> Iterator[str]:
    """The figures as lines of text."""
    every = {f"Seed {seed}": by_confidence for seed, by_confidence in result["seeds"].items()}
    if "nested" in result:
        every["First seed, fully nested"] = result["nested"]
    for name, by_confidence in every.items():
        for confidence, plans in by_confidence.items():
            yield f"{name}, at {float(confidence):.0%}\n{HEAD}"
            yield from (line(plan, f) for plan, f in plans.items())
    for seed, plans in result["excluded_recordings"].items():
        yield f"Recordings that the dataset leaves out, seed {seed}, at 95 %"
        yield from (line(plan, f) for plan, f in plans.items())
    yield f"Mean of {len(result['seeds'])} seeds: right, wrong, inconclusive; most wrong in one of them"
    for confidence, plans in result["mean"].items():
        for plan, (right, wrong, inconclusive, most) in plans.items():
            yield f"  {float(confidence):.0%}  {plan:28} {right:>6.1f} {wrong:>6.1f} {inconclusive:>8.1f} {most:>8}"
    yield "Simulated drifts, first seed, at 95 %: right, wrong, inconclusive"
    for name, by_time in result["drifts"].items():
        for when, plans in by_time.items():
            yield f"  {name}, {when} enrolment"
            yield from (line(plan, f) for plan, f in plans.items())
    for name, (count, of) in result["others"].items():
        yield f"{name} people's recordings out of distribution: {count} of {of}, over all folds"


def line(name: str, figures: Mapping[str, Any]) -> str:
    """One row for a person, and below it what was wrong."""
    after = figures["median_provisional_s"]
    row = (
        f"  {name:16} {figures['right']:>6} {figures['wrong']:>6} {figures['inconclusive']:>12}   "
        f"{figures['targets_right']:>3} of {figures['targets']:>3}   {f'{after:.1f} s' if after else '-':>7}"
    )
    return "\n".join([row, *(f"      wrong: {name}" for name in figures["wrong_recordings"])])


HEAD = f"  {'compared with':16} {'right':>6} {'wrong':>6} {'inconclusive':>12}   {'targets':>10}   {'first':>7}"


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
    dataset = read_dataset(dataset_file, data)
    beats = read_sets(dataset, beats_file=beats_file)
    claim_folder(out, "train", WRITES)
    entries = excluded_recordings(dataset, dict(pair.split("=", 1) for pair in also if "=" in pair))
    aside = read_beats(entries) if entries else None
    result = day_baseline_study(
        dataset,
        beats,
        [settings_for(arch, seed) for seed in range(seeds)],
        out,
        lambda line: click.echo(line, err=True),
        nested,
        aside,
        {"others": other_people(others)} if others else {},
    )
    click.echo("\n".join(wrapped(line, 6) if len(line) > 80 else line for line in daily_baseline_lines(result)))


if __name__ == "__main__":
    run_command(daily_baseline)
