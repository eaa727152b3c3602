"""Quantization-aware training: where rounding alone costs decisions, the model learns to decide on the grid.

The model is its own teacher. On training beats, embeddings and logits shall stay what they are: embeddings so close
that one bank of references serves every artefact.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.nn.utils.parametrize import register_parametrization, remove_parametrizations

from export.compression.weights import Scheme, layers_of
from export.graphs import fold_batch_norm
from train.model.model import Model

STEPS = 300
BATCH_BEATS, COMPARED = 32, 4  # beats of a step, and references that each of them is compared with
LEARNING_RATE = 3e-4


def finetune(model: Model, scheme: Scheme, beats: np.ndarray, references: np.ndarray) -> Model:
    """The model on a scheme's grid, batch norm folded, its weights and biases moved to make up for the rounding.

    beats: (N, 384) training beats; references: (R, D), what the model's embeddings are compared with. Deterministic.
    """
    student = fold_batch_norm(model)
    layers = layers_of(student)
    for layer in layers:
        register_parametrization(layer, "weight", _Rounded(scheme))
    learned = [parameter for layer in layers for parameter in layer.parameters()]
    optimiser = torch.optim.Adam(learned, LEARNING_RATE)
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
