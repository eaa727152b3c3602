"""`python -m train.ablations`: the default comparator with one thing taken away or changed, over several seeds.

    OUT/verdicts/NAME-SEED.json   what one variant says of every date, trained on all others
    OUT/ablations.json            by variant: mean and spread over the seeds

Dates are left out one at a time among the train and validation dates; test dates are not read. Finished verdicts are a
file: an interrupted run goes on where it was.
"""

import json
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from edge_ecg.console import run
from train.checkpoint import read_beats as read_stored_beats
from train.checkpoint import read_json, write_beats, write_json
from train.crossval import digest_of, judge_with, one_thread_each, require_both_states
from train.data import read_beats
from train.dataset import read_dataset
from train.loop import Settings
from train.pairs import Variation
from train.verdicts import Verdicts, roc_auc

DEFAULT = Settings()
VARIANTS = {
    "default": DEFAULT,
    "T wave not aligned": replace(DEFAULT, architecture="aligned, without alignment"),
    "no RR interval beside the samples": replace(DEFAULT, architecture="aligned, without RR"),
    "not whitened": replace(DEFAULT, architecture="aligned, without whitening"),
    "amplitude kept": replace(DEFAULT, architecture="aligned, with amplitude"),
    "convolutions instead (`positional`)": replace(DEFAULT, architecture="positional"),
    "loss of pairs alone": replace(DEFAULT, pair_weight=1e4),
    "loss of decisions alone": replace(DEFAULT, pair_weight=0.0),
    "beats not varied": replace(DEFAULT, variation=Variation(0, 0.0, 0.0, 0.0)),
    "weights not averaged": replace(DEFAULT, averaging=0.0),
    "twice the epochs": replace(DEFAULT, epochs=2 * DEFAULT.epochs),
}


def judge_all_dates(beats_file: Path, settings: Settings, out: Path, key: str) -> None:
    """Leave each date out once, with one variant and seed, and write what it says of the recordings."""
    torch.set_num_threads(1)
    beats = read_stored_beats(beats_file)["all"]
    dates = sorted(set(beats.dates.tolist()))
    each = [judge_with(settings, beats.on_dates(set(dates) - {d}), beats.on_dates([d])) for d in dates]
    columns = {name: np.concatenate([getattr(v, name) for v in each]).tolist() for name in asdict(each[0])}
    write_json(out, {"key": key, **columns})


def row(name: str, seeds: list[Verdicts]) -> dict[str, Any]:
    """Mean and spread (largest minus smallest) over seeds."""
    right = [int(v.right.sum()) for v in seeds]
    auc = [roc_auc(v.evidence, v.is_target) or 0.0 for v in seeds]
    return {
        "name": name,
        "seeds": len(seeds),
        "right_mean": float(np.mean(right)),
        "right_spread": int(np.ptp(right)),
        "of": len(seeds[0].right),
        "auc_mean": float(np.mean(auc)),
        "auc_spread": float(np.ptp(auc)),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as lines of text."""
    lines = [f"{'':38}{'seeds':>6}{'right, mean':>13}{'spread':>8}{'of':>6}{'AUC, mean':>11}{'spread':>8}"]
    lines += [
        f"{r['name']:38}{r['seeds']:>6}{r['right_mean']:>13.1f}{r['right_spread']:>8}{r['of']:>6}"
        f"{r['auc_mean']:>11.4f}{r['auc_spread']:>8.4f}"
        for r in rows
    ]
    return "\n".join(lines)


@click.command()
@click.argument("dataset_file", metavar="DATASET.toml", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for verdicts and figures.")
@click.option("--data", type=click.Path(path_type=Path), help="Where the recordings are [beside DATASET.toml].")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="How many, from 0 on.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def ablations(dataset_file: Path, out: Path, data: Path | None, seeds: int, as_json: bool) -> None:
    """Change one thing at a time and leave out one date at a time: what does each step bring?"""
    dataset = read_dataset(dataset_file, data)
    entries = [entry for which in ("train", "validation") for entry in dataset.entries(which)]
    with click.progressbar(entries, label="reading recordings", file=sys.stderr) as bar:
        beats = read_beats(bar)
    require_both_states(beats)
    stored = out / "beats.safetensors"
    write_beats(stored, {"all": beats})
    digest = digest_of(beats)
    jobs = {}
    for number, (name, settings) in enumerate(VARIANTS.items()):
        for seed in range(seeds):
            seeded = replace(settings, seed=seed)
            file = out / "verdicts" / f"{number}-{seed}.json"
            jobs[name, seed] = seeded, file, json.dumps([digest, asdict(seeded)])
    due = [job for job in jobs.values() if not (job[1].exists() and read_json(job[1])["key"] == job[2])]
    with ProcessPoolExecutor(one_thread_each(len(due)), get_context("spawn")) as pool:
        futures = [pool.submit(judge_all_dates, stored, *job) for job in due]
        for done, future in enumerate(as_completed(futures), 1):
            future.result()
            click.echo(f"{done:3}/{len(due)}", err=True)
    rows = []
    for name in VARIANTS:
        read = [read_json(jobs[name, seed][1]) for seed in range(seeds)]
        columns = [{k: np.array(v) for k, v in found.items() if k != "key"} for found in read]
        rows.append(row(name, [Verdicts(**found) for found in columns]))
    result = {"dataset": dataset.name, "dates": sorted(set(beats.dates.tolist())), "rows": rows}
    write_json(out / "ablations.json", result)
    click.echo(json.dumps(result) if as_json else table(rows))


if __name__ == "__main__":
    run(ablations)
