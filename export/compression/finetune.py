"""Quantization-aware training: where rounding alone costs a vote, the model learns to decide on the grid.

The model is its own teacher. On training beats, embeddings and logits shall stay what they are: embeddings so close
that one bank of references serves every artefact.
"""

from collections.abc import Iterable
from dataclasses import replace

import click
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.nn.utils.parametrize import register_parametrization, remove_parametrizations

from export.compression.weights import INT8, PALETTE4, PALETTE6, Scheme, layers_of
from export.gate.parity_check import Trial
from export.graphs import fold_batch_norm
from train.model.model import Model

SCHEMES = (INT8, PALETTE6, PALETTE4)
STEPS = 300
BATCH_BEATS, COMPARED = 32, 4  # beats of a step, and references that each of them is compared with
LEARNING_RATE, PALETTE_RATE = 3e-4, 1e-3  # a palette has further to go


def refined(trial: Trial, training: np.ndarray, schemes: Iterable[Scheme] = SCHEMES) -> Trial:
    """The trial with a fine-tuned model for each scheme whose rounding changes a vote or a decision; no other.

    training: (N, 384) beats of the training dates.
    """
    original, references = trial.original, trial.original.bank().embeddings
    finetuned = {}
    for scheme in schemes:
        beats, recordings = trial.flips(scheme)
        if beats or recordings:
            flipped = f"{beats} beats and {recordings} recordings"
            click.echo(f"  fine-tuning for {scheme.name}, whose rounding flips {flipped}", err=True)
            finetuned[scheme.name] = finetune(original.model, scheme, training, references)
    return trial.holding_to(replace(original, finetuned=finetuned))


def finetune(model: Model, scheme: Scheme, beats: np.ndarray, references: np.ndarray) -> Model:
    """The model on a scheme's grid, batch norm folded, its weights and biases moved to make up for the rounding.

    beats: (N, 384) training beats; references: (R, D), what the model's embeddings are compared with. Deterministic.
    """
    student = fold_batch_norm(model)
    layers = [layer for layer in layers_of(student) if scheme.takes(layer.weight.detach().numpy())]
    for layer in layers:
        register_parametrization(layer, "weight", _Rounded(scheme) if scheme is INT8 else _Shared(scheme, layer.weight))
    learned = [parameter for layer in layers_of(student) for parameter in layer.parameters()]
    optimiser = torch.optim.Adam(learned, LEARNING_RATE if scheme is INT8 else PALETTE_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    generator = torch.Generator().manual_seed(0)
    values, bank = torch.from_numpy(beats), torch.from_numpy(references)
    for _ in range(STEPS):
        batch = values[torch.randint(len(values), (BATCH_BEATS,), generator=generator)]
        compared = bank[torch.randperm(len(bank), generator=generator)[:COMPARED]]
        with torch.no_grad():
            embeddings, logits = _outputs(model, batch, compared)
        embedded, judged = _outputs(student, batch, compared)
        loss = _off(embedded, embeddings) + _off(judged, logits)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    for layer in layers:
        remove_parametrizations(layer, "weight", leave_parametrized=True)
    return student


def _off(got: Tensor, wanted: Tensor) -> Tensor:
    """Squared error, as a share of what there is to explain."""
    return mse_loss(got, wanted) / wanted.var()


def _outputs(model: Model, beats: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings of beats, and logits of each against each reference."""
    embeddings = model.encoder(beats)
    pairs = embeddings.repeat_interleave(len(references), 0), references.repeat(len(beats), 1)
    return embeddings, model.comparator(*pairs)


class _Rounded(nn.Module):
    """A weight on its grid; the gradient passes straight through the rounding (Bengio et al., arXiv:1308.3432)."""

    def __init__(self, scheme: Scheme):
        super().__init__()
        self._on_grid = scheme.on_grid

    def forward(self, weight: Tensor) -> Tensor:
        return torch.from_numpy(self._on_grid(weight.detach().numpy())) + (weight - weight.detach())


class _Shared(nn.Module):
    """A palettized weight: numbers that share an entry of the palette move as one (Han et al., arXiv:1510.00149).

    Clustering again at each step instead, with the gradient passed straight through, left twice the error.
    """

    def __init__(self, scheme: Scheme, weight: Tensor):
        super().__init__()
        palette, entry = np.unique(scheme.on_grid(weight.detach().numpy()), return_inverse=True)
        self._entry = torch.from_numpy(entry.reshape(-1))
        self._members = torch.bincount(self._entry, minlength=len(palette))

    def forward(self, weight: Tensor) -> Tensor:
        totals = torch.zeros(len(self._members)).index_add(0, self._entry, weight.flatten())
        return (totals / self._members)[self._entry].view_as(weight)
