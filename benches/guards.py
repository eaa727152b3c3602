"""What the guards cost and catch, each date judged by a model that has not seen it.

`python -m benches.guards DATASET.toml --data FOLDER --folds DIR/SEED --stranger RECORDING`: the models in DIR/SEED/DATE
are those of `python -m train.studies.day_baseline --out`. Of every recording that is not one of its date's
first two baselines the recordings of `edge_ecg.simulation.meaningless` are made, and all of them decided by a `Watch`
with that baseline; "without" is the same decision by votes alone.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from edge_ecg.bundles.bundle import Bundle
from edge_ecg.contract import CONTRACT
from edge_ecg.datasets.dataset_file import SETS, Dataset, read_dataset
from edge_ecg.errors import RecordingError
from edge_ecg.inference.guards import GuardLimits
from edge_ecg.inference.levels import DayLevel, Levels
from edge_ecg.inference.votes import INCONCLUSIVE, DecisionRule
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Recording
from edge_ecg.simulation.meaningless import MEANINGLESS
from edge_ecg.terminal.console import run_command
from edge_ecg.watch import DayBaseline, Watch
from train.data import BeatSet, read_sets
from train.evaluation.drifted import baselines_of
from train.fit.decision import bank_of, choose_references, fit_distribution
from train.fit.loop import Settings, evidence_by_date, limits_from, settings_for
from train.model import DEFAULT_ARCHITECTURE
from train.model.architectures import WEIGHTS, build_model, read_weights
from train.model.model import Model, compare, embed

REAL = "as recorded"
DAY_BASELINE_RECORDINGS = 2
REFUSED = "baseline refused"


def bundle_without(date: str, model: Model, models: dict[str, Model], beats: BeatSet, settings: Settings) -> Bundle:
    """What would have been exported had the date not been there, with torch for its engines."""
    others = beats.on_dates(set(beats.dates.tolist()) - {date})
    embeddings = embed(model, others.values)
    bank = bank_of(others, embeddings, choose_references(others, embeddings, settings.references_per_state))
    bank = replace(bank, distribution=fit_distribution([embeddings], [others]))
    rest = {name: other for name, other in models.items() if name != date}
    limits = limits_from(others, evidence_by_date(rest, beats, settings))
    rule = DecisionRule(("baseline", "target"), Levels.from_json(limits["levels"]), CONTRACT.voting)
    return Bundle(
        Path(date),
        {},
        CONTRACT,
        rule.labels,
        lambda values: embed(model, values),
        lambda embedding, references: compare(model, embedding, references)[0],
        bank,
        rule,
        GuardLimits.from_json(limits["guards"]),
    )


def first_usable(bundle: Bundle, recordings: list[Recording]) -> tuple[list[Recording], DayLevel]:
    """The first recordings that can be a day's baseline as far as their beats go, and their level."""
    used: list[Recording] = []
    levels, beats = [], []
    for recording in recordings:
        watch = Watch(bundle, recording.sample_rate_hz)
        watch.push(recording.samples_uv)
        if watch.can_decide and len(used) < DAY_BASELINE_RECORDINGS:
            used.append(recording)
            levels.append(watch.level)
            beats.append(watch.decision.beats)
    return used, DayLevel(float(np.mean(levels)), len(used), min(beats))


def judged(
    bundle: Bundle, samples_uv: np.ndarray, level: DayLevel, day: DayBaseline | None
) -> tuple[str, str, tuple[str, ...]]:
    """The label by votes alone, that of the watch, and its reasons; without a baseline nothing is decided."""
    watch = Watch(bundle, day_baseline=day)
    votes = [(beat.vote, beat.beat.known_at_s) for beat in watch.push(samples_uv)]
    alone = bundle.rule.tallied(votes, level).decision
    label, reasons = watch.decision.label, watch.decision.reasons
    return (alone.label, label, reasons) if day else (alone.label, INCONCLUSIVE, (*reasons, REFUSED))


def rows(dataset: Dataset, beats: BeatSet, folds: Path, strangers: list[Recording]) -> Iterator[dict[str, Any]]:
    """One row for each recording and for each that was made of it."""
    settings = settings_for(DEFAULT_ARCHITECTURE, 0)  # of which the references count
    models = {}
    for date in sorted(set(beats.dates.tolist())):
        models[date] = build_model(DEFAULT_ARCHITECTURE)
        read_weights(folds / date / WEIGHTS, models[date])
        models[date].eval()
    recordings = [read_recording(e.path, *e.overrides) for which in SETS for e in dataset.entries(which)]
    set_of = {date: which for which in SETS for date in dataset.sessions[which]}
    random = np.random.default_rng(0)
    for date, model in models.items():
        bundle = bundle_without(date, model, models, beats, settings)
        of_date = np.flatnonzero(beats.dates == date).tolist()
        ordered = [recordings[n] for n in baselines_of(beats, [date])]
        used, level = first_usable(bundle, ordered)
        own = [n for n in of_date if recordings[n] in used]
        facts = {"date": date, "set": set_of[date]}
        try:
            day: DayBaseline | None = DayBaseline.of(bundle, used)
        except RecordingError as error:
            click.echo(f"{date}: {error}", err=True)
            day = None
        for number in of_date:
            if number in own:
                continue
            truth = bundle.labels[int(beats.recording_is_target[number])]
            samples = recordings[number].samples_uv
            there = [n for n in of_date if beats.recording_is_target[n] != beats.recording_is_target[number]]
            anywhere = np.flatnonzero(beats.recording_is_target != beats.recording_is_target[number])
            other = recordings[random.choice(there or anywhere)].samples_uv
            stranger = strangers[number % len(strangers)].samples_uv
            made = {REAL: samples} | {kind: make(samples, other, stranger) for kind, make in MEANINGLESS.items()}
            for kind, samples_uv in made.items():
                alone, label, reasons = judged(bundle, samples_uv, level, day)
                yield {**facts, "kind": kind, "truth": truth, "without": alone, "with": label, "reasons": reasons}
        targets = [n for n in of_date if beats.recording_is_target[n]]
        for pair in zip(targets[::2], targets[1::2], strict=False):
            row = {**facts, "kind": "targets as the day's baseline", "truth": "", "without": "decided"}
            try:
                DayBaseline.of(bundle, [recordings[n] for n in pair])
                yield {**row, "with": "decided"}
            except RecordingError:
                yield {**row, "with": INCONCLUSIVE, "reasons": (REFUSED,)}


def table(found: list[dict[str, Any]]) -> Iterator[str]:
    """Lines by kind: how many are decided, and how many of them rightly, without guards and with them; by which."""
    yield f"{'kind':36} {'n':>5} {'decided':>8} {'right':>6}  {'decided':>8} {'right':>6}  refused by"
    for kind in dict.fromkeys(row["kind"] for row in found):
        of = [row for row in found if row["kind"] == kind]
        counts = []
        for which in ("without", "with"):
            decided = [row for row in of if row[which] != INCONCLUSIVE]
            counts += [len(decided), sum(row[which] == row["truth"] for row in decided)]
        lost = Counter(
            reason for row in of if row["without"] != INCONCLUSIVE == row["with"] for reason in row.get("reasons", ())
        )
        why = ", ".join(f"{reason} {count}" for reason, count in lost.items())
        yield f"{kind:36} {len(of):5} {counts[0]:8} {counts[1]:6}  {counts[2]:8} {counts[3]:6}  {why}"


@click.command()
@click.argument("dataset_file", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path))
@click.option("--folds", required=True, type=click.Path(path_type=Path), help="DIR/SEED of the models left out.")
@click.option("--stranger", "strangers", multiple=True, required=True, type=click.Path(path_type=Path))
@click.option("--json", "out", required=True, type=click.Path(path_type=Path))
def guards(dataset_file: Path, data: Path | None, folds: Path, strangers: tuple[Path, ...], out: Path) -> None:
    """Print the tables of all dates and of the test dates, and write every row."""
    torch.set_num_threads(1)
    dataset = read_dataset(dataset_file, data)
    found = list(rows(dataset, read_sets(dataset), folds, [read_recording(path) for path in strangers]))
    out.write_text(json.dumps(found, indent=0))
    for name, some in (("all dates", found), ("test dates", [row for row in found if row["set"] == "test"])):
        click.echo("\n".join([name, *table(some)]))


if __name__ == "__main__":
    run_command(guards)
