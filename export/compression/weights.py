"""Weights with fewer bits: each scheme turns a weight into the float32 numbers that a device will compute with.

Every compressed artifact is made from a model whose weights lie on the scheme's grid already. So the artifact can be
compared with the model that it should be to the last digits, and that model with the trained one by its decisions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.nn.utils.parametrize import register_parametrization, remove_parametrizations

from edge_ecg.inference.portable import dequantized, quantize_rows
from export.graphs import fused_for_export
from train.model.model import Model


@dataclass(frozen=True)
class Scheme:
    """Storage scheme of the weights of convolutions and linear layers; biases stay float32."""

    name: str
    bits: int
    on_grid: Callable[[np.ndarray], np.ndarray]

    def compressed(self, model: Model) -> Model:
        """The model with batch norm folded and its weights on the grid."""
        folded = fused_for_export(model)
        with torch.no_grad():
            for layer in layers_of(folded):
                layer.weight.copy_(torch.from_numpy(self.on_grid(layer.weight.numpy())))
        return folded

    def counts(self, model: Model) -> tuple[int, int]:
        """Count of numbers stored in fewer than 32 bits, and of all numbers of the graphs."""
        folded = fused_for_export(model)
        weights = sum(layer.weight.numel() for layer in layers_of(folded)) if self.bits < 32 else 0
        return weights, sum(p.numel() for p in folded.parameters())


def layers_of(model: nn.Module) -> list[nn.Conv1d | nn.Linear]:
    """The layers whose weights a scheme concerns."""
    return [layer for layer in model.modules() if isinstance(layer, nn.Conv1d | nn.Linear)]


FLOAT32 = Scheme("fp32", 32, lambda weight: weight)
FLOAT16 = Scheme("fp16", 16, lambda weight: weight.astype(np.float16).astype(np.float32))
INT8 = Scheme("int8", 8, lambda weight: dequantized(*quantize_rows(weight)))


STEPS = 300
BATCH_BEATS, COMPARED = 32, 4  # beats of a step, and references that each of them is compared with
LEARNING_RATE = 3e-4


def finetune(
    model: Model,
    scheme: Scheme,
    beats: np.ndarray,
    references: np.ndarray,
    show: Callable[[str], None] = lambda line: None,
) -> Model:
    """The model on a scheme's grid, batch norm folded, its weights and biases moved to make up for the rounding.

    beats: (N, 384) training beats; references: (R, D), what the model's embeddings are compared with; show: is called
    after each of STEPS steps. Deterministic.
    """
    student = fused_for_export(model)
    layers = layers_of(student)
    for layer in layers:
        register_parametrization(layer, "weight", _Rounded(scheme))
    learned = [parameter for layer in layers for parameter in layer.parameters()]
    optimizer = torch.optim.Adam(learned, LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    generator = torch.Generator().manual_seed(0)
    values, bank = torch.from_numpy(beats), torch.from_numpy(references)
    for _ in range(STEPS):
        batch = values[torch.randint(len(values), (BATCH_BEATS,), generator=generator)]
        compared = bank[torch.randperm(len(bank), generator=generator)[:COMPARED]]
        with torch.no_grad():
            embeddings, logits = _outputs(model, batch, compared)
        embedded, judged = _outputs(student, batch, compared)
        loss = _off(embedded, embeddings) + _off(judged, logits)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        show(f"off by {loss.item():.2g}")
    for layer in layers:
        remove_parametrizations(layer, "weight", leave_parametrized=True)
    return student


def _off(got: Tensor, wanted: Tensor) -> Tensor:
    """Squared error, as a share of the variance."""
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
