"""The public comparator with its published weights, as an architecture of its own: adopted, exported and replayed.

    python -m train.adopt comparator_v5_epoch100.pth examples/apple_watch_ogtt.toml --data FOLDER \\
        --arch examples.public_comparator:public_comparator --references 50 --out public
    python -m export public --out bundle
    python -m examples.public_comparator public examples/apple_watch_ogtt.toml --data FOLDER

The weights are those of github.com/Jiazxu/ecg_glucose_comparator. The last command judges the test dates as their
author did: a beat by the vote of its references, a recording by the vote of its beats. The author's beat holds the
interval to the next R peak, ours that to the previous one, since a stream does not know the next: both are shown.
"""

import re
from pathlib import Path

import click
import numpy as np
from torch import Tensor, cat

from edge_ecg.contract import CONTRACT
from edge_ecg.datasets.dataset_file import read_dataset
from edge_ecg.terminal.console import run_command
from train.data import BeatSet, read_sets
from train.model.model import Architecture, Model, Recipe, compare, embed
from train.model.public_network import EffNetV2Comparator, EffNetV2Encoder
from train.run import load_run

# From the checkpoint's names to those of `train.model.public_network`; both count layers, from other numbers on.
RENAMED = (
    (r"normal_proprecessing", "encoder.normalise", 0),
    (r"features_encoder\.0\.", "encoder.features.", 0),
    (r"features_encoder\.([1-4])\.conv", "encoder.features.{}.layers", 2),
    (r"cat\.", "comparator.features.", 0),
    (r"features_comparator\.0\.([01])", "comparator.features.{}", 3),
    (r"features_comparator\.([1-4])\.conv", "comparator.features.{}.layers", 5),
    (r"conv\.([01])", "comparator.features.{}", 10),
    (r"classifier", "comparator.output", 0),
)


class PublicEncoder(EffNetV2Encoder):
    """The public encoder; the RR interval goes into its batch norm in samples, as the author had it."""

    def forward(self, beat: Tensor) -> Tensor:
        samples, rr_s = beat[:, : CONTRACT.window_samples], beat[:, CONTRACT.window_samples :]
        embedding: Tensor = super().forward(cat([samples, rr_s * CONTRACT.sample_rate_hz], 1))
        return embedding


class PublicComparator(EffNetV2Comparator):
    """The public comparator: the logit as it is, the published sigmoid of which is the probability."""

    def forward(self, embedding: Tensor, references: Tensor) -> Tensor:
        pair = cat([embedding.expand_as(references), references], 1).unflatten(1, (16, 96))
        logit: Tensor = self.output(self.features(pair).mean(2)).squeeze(1)
        return logit


def renamed(key: str) -> str:
    """The name of a checkpoint's entry in our modules."""
    key = key.removeprefix("module.")
    for pattern, name, more in RENAMED:
        if found := re.match(pattern, key):
            place = int(found[1]) + more if found.groups() else None
            return (name.format(place) + key[found.end() :]).replace(".fc.", ".gate.")
    return key


def public_comparator() -> Architecture:
    """What `--arch examples.public_comparator:public_comparator` finds."""
    recipe = Recipe(epochs=40, partners=2, pair_weight=1.0)
    return Architecture(lambda: Model(PublicEncoder(), PublicComparator()), recipe, rename=renamed)


def with_next_rr(beats: BeatSet) -> np.ndarray:
    """(N, 384) the beats with the interval to the next R; the last of a recording keeps that to the previous one."""
    values = beats.values.copy()
    followed = np.append(beats.recording[1:] == beats.recording[:-1], False)
    values[followed, -1] = beats.values[1:, -1][followed[:-1]]
    return values


def published_vote(model: Model, references: np.ndarray, is_target: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(N,) bool, the target: unless more of the baseline references than of the target's call a beat the same."""
    same = compare(model, embed(model, values), embed(model, references)) < 0
    voted: np.ndarray = same[:, ~is_target].sum(1) <= same[:, is_target].sum(1)
    return voted


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("dataset_file", metavar="DATASET.toml", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Where the recordings are [beside DATASET.toml].")
def judge(run_folder: Path, dataset_file: Path, data: Path | None) -> None:
    """Beats and recordings of the test dates that are right by the author's own voting, with 50 + 50 references."""
    run = load_run(run_folder)
    test = read_sets(read_dataset(dataset_file, data), ["test"])
    chosen, _ = run.references(50)
    is_target = run.training.is_target[chosen]
    for name, of_beats in (("previous", lambda beats: beats.values), ("next", with_next_rr)):
        voted = published_vote(run.model, of_beats(run.training)[chosen], is_target, of_beats(test))
        right = voted == test.is_target
        shares = [voted[test.recording == number].mean() for number in range(len(test.sources))]
        recordings = (np.array(shares) > 0.5) == test.recording_is_target
        click.echo(
            f"interval to the {name} R: {right.sum()} of {len(right)} beats ({right.mean():.1%}), "
            f"{recordings.sum()} of {len(recordings)} recordings"
        )


if __name__ == "__main__":
    run_command(judge)
