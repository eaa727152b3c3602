"""A comparator: an encoder for one beat, and a head with the log odds that two beats differ in state."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edge_ecg.contract import CONTRACT
from edge_ecg.datasets.dataset_file import FEWEST_DAYS

SAMPLES = CONTRACT.window_samples
# 121 to 66 ms before R: the electrocardiographer's baseline. The mean of the beat moves with its S and T wave.
PR_SEGMENT = slice(66, 94)
USUAL_RR_S, RR_PER_S = 0.8, 10.0
ST_ENDS = CONTRACT.before_r_samples + 56  # 110 ms after R, where the T wave begins


def millivolts(beat: Tensor) -> Tensor:
    """Beats (N, 384) -> samples (N, 383) from the PR segment's level on; a square of microvolts overflows float16."""
    samples = beat[:, :SAMPLES] * 1e-3
    return samples - samples[:, PR_SEGMENT].mean(1, keepdim=True)


def unit_scale(samples: Tensor) -> Tensor:
    """Samples (N, L) in millivolts with a root mean square of 1."""
    return samples / ((samples * samples).mean(1, keepdim=True).sqrt() + 1e-3)  # 1 uV: a flat beat stays flat


def centred_rr(beat: Tensor) -> Tensor:
    """The RR interval (N, 1) from 0.8 s on, in units of 0.1 s."""
    return (beat[:, SAMPLES:] - USUAL_RR_S) * RR_PER_S


MOST_LOGIT = 6.0


def bounded(logit: Tensor) -> Tensor:
    """At most 6 either way: one comparison of two beats never claims odds above 400 to 1."""
    return MOST_LOGIT * torch.tanh(logit / MOST_LOGIT)


class DistanceComparator(nn.Module):
    """A two-layer head on |a - b| and (a - b)^2: the order of the two beats can't matter."""

    def __init__(self, embedding: int = 32, hidden: int = 16):
        super().__init__()
        self.hidden = nn.Linear(2 * embedding, hidden)
        self.output = nn.Linear(hidden, 1)

    def forward(self, embedding: Tensor, references: Tensor) -> Tensor:
        difference = references - embedding
        distances = torch.cat([difference.abs(), difference * difference], 1)
        return bounded(self.output(torch.relu(self.hidden(distances))).squeeze(1))


COMPARED_AT_ONCE = 512  # pairs in one call of the comparator: what they compute fits the cache


class Model(nn.Module):
    """An encoder and a comparator that are trained together and exported apart.

    encoder: beats (N, 384) in microvolts and seconds -> embeddings (N, D).
    comparator: embeddings (N, D) or (1, D), references (N, D) -> logits (N,) that the states differ.
    """

    def __init__(self, encoder: nn.Module, comparator: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.comparator = comparator

    @property
    def parameter_count(self) -> int:
        """Number of parameters: trained, fitted or fixed."""
        return sum(p.numel() for p in self.parameters())


def embed(model: Model, values: np.ndarray) -> np.ndarray:
    """Embeddings (N, D) float32 of beats (N, 384)."""
    model.eval()
    with torch.no_grad():
        parts = [model.encoder(part) for part in torch.from_numpy(values).split(1024)]
    return torch.cat(parts).numpy()


def compare(model: Model, embeddings: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Logits (N, R) of "different" for embeddings (N, D) against references (R, D)."""
    model.eval()
    count = len(references)
    rows = []
    with torch.no_grad():
        bank = torch.from_numpy(references)
        for part in torch.from_numpy(embeddings).split(max(1, COMPARED_AT_ONCE // count)):
            logits = model.comparator(part.repeat_interleave(count, 0), bank.repeat(len(part), 1))
            rows.append(logits.view(len(part), count))
    return torch.cat(rows).numpy()


MOST_PARAMETERS = 9_000


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Training recipe of an architecture."""

    # Chosen on the train and validation dates of the public recordings; docs/experiments.md has what else was tried.
    epochs: int = 10
    batch_beats: int = 96
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    partners: int = 48  # other beats of its batch that each beat is compared with; half of the batch makes all pairs
    decision_scale: float = 2.0  # log odds of the target for one unit of evidence, in the loss of decisions
    pair_weight: float = 0.0  # of the loss of single pairs beside that of decisions


def _nothing(model: Model, beats: Tensor) -> None:
    pass


@dataclass(frozen=True)
class Architecture:
    """A comparator that can be trained.

    build: a fresh model. prepare: takes what it needs, without labels, from training beats (N, 384) before the first
    step. fit: takes the place of the steps, for a model that beats and their states (N,) determine. fewest_days: with
    both states, to learn from. rename: from a checkpoint's name of an entry to the model's, for weights trained
    elsewhere.
    """

    build: Callable[[], Model]
    recipe: Recipe = Recipe()
    prepare: Callable[[Model, Tensor], None] = _nothing
    rename: Callable[[str], str] = str
    fit: Callable[[Model, Tensor, Tensor], None] | None = None
    fewest_days: int = FEWEST_DAYS
