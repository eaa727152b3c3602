"""Weights with fewer bits: each scheme turns a weight into the float32 numbers that a device will compute with.

Every compressed artefact is made from a model whose weights lie on the scheme's grid already. So the artefact can be
held to the model that was meant, to the last digits, and that model to the original by its decisions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from edge_ecg.inference.int8 import dequantized, quantize_rows
from export.graphs import fold_batch_norm
from train.model.model import Model


@dataclass(frozen=True)
class Scheme:
    """How the weights of convolutions and linear layers are stored; biases stay float32."""

    name: str
    bits: int
    on_grid: Callable[[np.ndarray], np.ndarray]
    fewest: int = 1  # weights of fewer numbers stay float32: the palette would be larger than what it saves

    def takes(self, weight: np.ndarray) -> bool:
        """Is this weight compressed?"""
        return weight.size >= self.fewest

    def compressed(self, model: Model) -> Model:
        """The model with batch norm folded and its weights on the grid."""
        folded = fold_batch_norm(model)
        with torch.no_grad():
            for layer in layers_of(folded):
                weight = layer.weight.numpy()
                if self.takes(weight):
                    layer.weight.copy_(torch.from_numpy(self.on_grid(weight)))
        return folded

    def counts(self, model: Model) -> tuple[int, int]:
        """How many numbers are compressed, of how many that the graphs hold."""
        folded = fold_batch_norm(model)
        weights = [layer.weight.numel() for layer in layers_of(folded) if self.takes(layer.weight.detach().numpy())]
        return sum(weights), sum(p.numel() for p in folded.parameters())


def layers_of(model: Model) -> list[nn.Conv1d | nn.Linear]:
    """The layers whose weights a scheme concerns."""
    return [layer for layer in model.modules() if isinstance(layer, nn.Conv1d | nn.Linear)]


def palettized(bits: int) -> Callable[[np.ndarray], np.ndarray]:
    """Each weight becomes the nearest of 2^bits values, found by k-means (Lloyd 1982) from the quantiles on."""

    def on_grid(weight: np.ndarray) -> np.ndarray:
        flat = weight.ravel().astype(np.float64)
        palette = np.unique(np.quantile(flat, (np.arange(2**bits) + 0.5) / 2**bits))
        for _ in range(50):
            nearest = np.searchsorted((palette[1:] + palette[:-1]) / 2, flat)
            members = np.bincount(nearest, minlength=len(palette))
            sums = np.bincount(nearest, flat, len(palette))
            palette = np.sort(np.where(members > 0, sums / np.maximum(members, 1), palette))
        nearest = np.searchsorted((palette[1:] + palette[:-1]) / 2, flat)
        return palette[nearest].astype(np.float32).reshape(weight.shape)

    return on_grid


FLOAT32 = Scheme("fp32", 32, lambda weight: weight, fewest=1 << 60)
FLOAT16 = Scheme("fp16", 16, lambda weight: weight.astype(np.float16).astype(np.float32))
INT8 = Scheme("int8", 8, lambda weight: dequantized(*quantize_rows(weight)))
PALETTE6 = Scheme("6-bit palette", 6, palettized(6), fewest=80)  # 64 entries of 4 bytes
PALETTE4 = Scheme("4-bit palette", 4, palettized(4), fewest=20)
