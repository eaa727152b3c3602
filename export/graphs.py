"""The two graphs of a comparator, ready to be exported: names, shapes and folded weights."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edge_ecg.contract import CONTRACT
from train.model.model import Model

MOST_REFERENCES = 512  # the comparator takes 1 to this many references


@dataclass(frozen=True)
class Graph:
    """One graph with the names and shapes that the contract gives it."""

    name: str  # "encoder" or "comparator"
    module: nn.Module
    inputs: dict[str, tuple[int | None, ...]]  # None is the number of references
    output: str
    meaning: dict[str, str]  # of each input and of the output, with units

    def example(self, references: int = 3) -> dict[str, Tensor]:
        """Inputs of the right shapes."""
        return {n: torch.ones([references if d is None else d for d in s]) for n, s in self.inputs.items()}

    def run(self, **inputs: np.ndarray) -> np.ndarray:
        """The graph through torch."""
        with torch.no_grad():
            output: np.ndarray = self.module(*(torch.from_numpy(inputs[name]) for name in self.inputs)).numpy()
        return output


def graphs_of(model: Model, fold: bool = True) -> tuple[Graph, Graph]:
    """Encoder and comparator of a trained model; to export, batch norm is folded into the convolutions."""
    model = fold_batch_norm(model) if fold else model.eval()
    beat = (1, CONTRACT.beat_length)
    with torch.no_grad():
        length = model.encoder(torch.zeros(beat)).shape[1]
    beat_meaning = (
        f"{CONTRACT.window_samples} raw samples in microvolts at {CONTRACT.sample_rate_hz} Hz, R at index "
        f"{CONTRACT.before_r_samples}, then the RR interval in seconds"
    )
    encoder = Graph(
        "encoder",
        model.encoder,
        {"beat": beat},
        "embedding",
        {"beat": beat_meaning, "embedding": f"{length} numbers that describe the beat"},
    )
    comparator = Graph(
        "comparator",
        model.comparator,
        {"embedding": (1, length), "references": (None, length)},
        "logit",
        {
            "embedding": "the embedding of the beat that is judged",
            "references": f"embeddings of 1 to {MOST_REFERENCES} reference beats",
            "logit": "log odds that the beat and each reference are from different states",
        },
    )
    return encoder, comparator


def fold_batch_norm(model: Model) -> Model:
    """A copy in which linear layers in a row are one, also a convolution and its batch norm; the same function."""
    folded = copy.deepcopy(model).eval()
    for parent in list(folded.modules()):
        if not isinstance(parent, nn.Sequential):
            continue
        layers: list[nn.Module] = []
        for layer in parent:
            if isinstance(layer, nn.BatchNorm1d) and layers and isinstance(layers[-1], nn.Conv1d):
                layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
                _pass_bias_on(layers)
            elif isinstance(layer, nn.Linear) and layers and isinstance(layers[-1], nn.Linear):
                layers[-1] = _one_linear(layers[-1], layer)
            else:
                layers.append(layer)
        parent._modules.clear()
        for index, layer in enumerate(layers):
            parent.add_module(str(index), layer)
    return folded


def _one_linear(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    both = nn.Linear(first.in_features, second.out_features)
    with torch.no_grad():
        both.weight.copy_(second.weight.double() @ first.weight.double())
        both.bias.copy_(second.weight.double() @ first.bias.double() + second.bias.double())
    return both


def _pass_bias_on(layers: list[nn.Module]) -> None:
    """Where the last layer takes single samples of a convolution's output, what that one adds can be added later."""
    if len(layers) < 2 or not isinstance(layers[-2], nn.Conv1d) or not isinstance(layers[-1], nn.Conv1d):
        return
    first, last = layers[-2], layers[-1]
    pointwise = last.kernel_size == (1,) and last.padding == (0,) and last.groups == 1
    if pointwise and first.bias is not None and last.bias is not None:
        with torch.no_grad():
            last.bias += last.weight[:, :, 0] @ first.bias
        first.bias = None
