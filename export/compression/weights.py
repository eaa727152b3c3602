"""Weights with fewer bits: each scheme turns a weight into the float32 numbers that a device will compute with.

Every compressed artefact is made from a model whose weights lie on the scheme's grid already. So the artefact can be
compared with the model that it should be to the last digits, and that model with the trained one by its decisions.
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

    def compressed(self, model: Model) -> Model:
        """The model with batch norm folded and its weights on the grid."""
        folded = fold_batch_norm(model)
        with torch.no_grad():
            for layer in layers_of(folded):
                layer.weight.copy_(torch.from_numpy(self.on_grid(layer.weight.numpy())))
        return folded

    def counts(self, model: Model) -> tuple[int, int]:
        """How many numbers are stored in fewer than 32 bits, of how many that the graphs hold."""
        folded = fold_batch_norm(model)
        weights = sum(layer.weight.numel() for layer in layers_of(folded)) if self.bits < 32 else 0
        return weights, sum(p.numel() for p in folded.parameters())


def layers_of(model: nn.Module) -> list[nn.Conv1d | nn.Linear]:
    """The layers whose weights a scheme concerns."""
    return [layer for layer in model.modules() if isinstance(layer, nn.Conv1d | nn.Linear)]


FLOAT32 = Scheme("fp32", 32, lambda weight: weight)
FLOAT16 = Scheme("fp16", 16, lambda weight: weight.astype(np.float16).astype(np.float32))
INT8 = Scheme("int8", 8, lambda weight: dequantized(*quantize_rows(weight)))
