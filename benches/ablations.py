"""`python -m benches.ablations`: the default comparator with one thing taken away or changed, over several seeds.

    OUT/folds/NAME-SEED/DATE.json   what one variant, trained on all other dates, says of this one
    OUT/ablations.json              by variant: mean and spread over the seeds

Dates are left out one at a time among the train and validation dates; test dates are not read. An interrupted run goes
on where it was.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn

from edge_ecg.datasets.dataset_file import Dataset, read_dataset
from edge_ecg.storage.files import write_json
from edge_ecg.terminal.console import claim_folder, columns, run_command
from train.data import BeatSet, read_sets
from train.evaluation.folds import Fold, Method, comparator, leave_one_out, pooled, run_folds
from train.evaluation.scores import RecordingScores, roc_auc
from train.fit.loop import Settings
from train.model.aligned import AlignedEncoder, AlignTWave, means_of_four
from train.model.architectures import whiten
from train.model.model import SAMPLES, Architecture, DistanceComparator, Model, centred_rr, millivolts
from train.options import DATA, on_scheduler


class Unaligned(AlignTWave):
    """The T wave stays where it is."""

    SHORTENING = 0.0


class UnalignedEncoder(AlignedEncoder):
    """Without alignment."""

    def __init__(self) -> None:
        super().__init__()
        self.align = Unaligned()


class WithoutRR(AlignedEncoder):
    """Without the RR interval beside the samples."""

    def features(self, beat: Tensor) -> Tensor:
        samples = super().features(beat)[:, :-1]
        return torch.cat([samples, torch.zeros_like(samples[:, :1])], 1)


class WithAmplitude(AlignedEncoder):
    """Without taking out the gain; the factor brings millivolts to the same order."""

    def features(self, beat: Tensor) -> Tensor:
        return torch.cat([5 * self.align(means_of_four(millivolts(beat)), beat[:, SAMPLES:]), centred_rr(beat)], 1)


class Unwhitened(AlignedEncoder):
    """One linear map alone."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(self.FEATURES, self.EMBEDDING))


ABLATED = {
    "T wave not aligned": Architecture(lambda: _model(UnalignedEncoder()), prepare=whiten),
    "no RR interval beside the samples": Architecture(lambda: _model(WithoutRR()), prepare=whiten),
    "not whitened": Architecture(lambda: _model(Unwhitened())),
    "amplitude kept": Architecture(lambda: _model(WithAmplitude()), prepare=whiten),
}


def _model(encoder: AlignedEncoder) -> Model:
    return Model(encoder, DistanceComparator(AlignedEncoder.EMBEDDING))


WRITES = ("folds", "ablations.json")
DEFAULT = Settings()
VARIANTS: dict[str, tuple[Method, Settings]] = {
    "default": (comparator, DEFAULT),
    **{name: (partial(comparator, architecture=ablated), DEFAULT) for name, ablated in ABLATED.items()},
    "convolutions instead (positional)": (comparator, replace(DEFAULT, architecture="positional")),
    "loss of pairs beside that of decisions": (comparator, replace(DEFAULT, pair_weight=0.01)),
    "loss of pairs alone": (comparator, replace(DEFAULT, pair_weight=1e4)),
    "twice the epochs": (comparator, replace(DEFAULT, epochs=2 * DEFAULT.epochs)),
}


def ablate(
    dataset: Dataset,
    beats: BeatSet,
    seeds: int,
    out: Path,
    say: Callable[[str], None],
    folds: list[Fold] | None = None,
) -> dict[str, Any]:
    """Judge dates by every variant that has not seen them, and write the figures. folds: if not given, each date."""
    folds = folds or leave_one_out(beats)
    jobs = {
        f"{name} {seed}": (method, replace(settings, seed=seed))
        for name, (method, settings) in VARIANTS.items()
        for seed in range(seeds)
    }
    scores = run_folds(beats, folds, jobs, out, say)
    rows = [row(name, [pooled(scores[f"{name} {seed}"]) for seed in range(seeds)]) for name in VARIANTS]
    result = {"dataset": dataset.name, "dates": sorted(set(beats.dates.tolist())), "rows": rows}
    write_json(out / "ablations.json", result)
    return result


def row(name: str, seeds: list[RecordingScores]) -> dict[str, Any]:
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


def ablations_text(rows: list[dict[str, Any]]) -> str:
    """The rows as lines of text."""
    cells = [["", "seeds", "right, mean", "spread", "of", "AUC, mean", "spread"]]
    for r in rows:
        right = f"{r['right_mean']:.1f}", str(r["right_spread"]), str(r["of"])
        cells.append([r["name"], str(r["seeds"]), *right, f"{r['auc_mean']:.4f}", f"{r['auc_spread']:.4f}"])
    return "\n".join(columns(cells))


@click.command()
@click.argument("dataset_file", metavar="DATASET.toml", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for scores and figures.")
@DATA
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="How many, from 0 on.")
@on_scheduler
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def ablations(dataset_file: Path, out: Path, data: Path | None, seeds: int, as_json: bool) -> None:
    """Change one thing at a time and leave out one date at a time: what does each step bring?"""
    dataset = read_dataset(dataset_file, data)
    beats = read_sets(dataset, ("train", "validation"))
    claim_folder(out, "train", WRITES)
    result = ablate(dataset, beats, seeds, out, lambda line: click.echo(line, err=True))
    click.echo(json.dumps(result) if as_json else ablations_text(result["rows"]))


if __name__ == "__main__":
    run_command(ablations)
