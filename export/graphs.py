"""The two graphs of a comparator, ready to be exported: names, shapes and folded weights."""

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edge_ecg.contract import CONTRACT
from train.model.model import Model

LICENSE = "Apache-2.0"  # of the code that wrote the file; the numbers are those of the person who trained it
MOST_REFERENCES = 512  # the comparator takes 1 to this many references


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without torch's own deprecations while it exports, and progress bars of a few milliseconds each."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@runtime_checkable
class Fusible(Protocol):
    """A module that knows the same function in fewer operations."""

    def fused(self) -> nn.Module: ...


@dataclass(frozen=True, eq=False)
class Graph:
    """One graph with the names and shapes that the contract gives it."""

    name: str  # "encoder" or "comparator"
    module: nn.Module
    inputs: dict[str, tuple[int | None, ...]]  # None is the number of references
    output: str
    meaning: dict[str, str]  # of each input and of the output, with units
    about: dict[str, str] = field(default_factory=dict)  # what a file says of itself
    template: "Graph | None" = None  # the same graph with other weights, which is exported once for all

    def example(self, references: int = 3) -> dict[str, Tensor]:
        """Inputs of the right shapes."""
        return {n: torch.ones([references if d is None else d for d in s]) for n, s in self.inputs.items()}

    def run(self, **inputs: np.ndarray) -> np.ndarray:
        """The graph through torch."""
        with torch.no_grad():
            output: np.ndarray = self.module(*(torch.from_numpy(inputs[name]) for name in self.inputs)).numpy()
        return output

    @property
    def buffers(self) -> set[str]:
        """Names of its fixed numbers, which are no weights."""
        return {name for name, _ in self.module.named_buffers()}

    @cached_property
    def program(self) -> torch.export.ExportedProgram:
        """The graph as torch exports it, from which ONNX and Core ML are converted."""
        if self.template:
            with quiet():
                program = copy.deepcopy(self.template.program)
            program.state_dict.update(self.module.named_parameters())
            return program
        count = torch.export.Dim("references", min=1, max=MOST_REFERENCES)
        dynamic = tuple({i: count for i, d in enumerate(shape) if d is None} for shape in self.inputs.values())
        inputs = tuple(self.example().values())
        with quiet():
            return torch.export.export(self.module, inputs, dynamic_shapes=dynamic if any(dynamic) else None)


def with_weights_of(model: Model, graphs: tuple[Graph, Graph]) -> tuple[Graph, Graph]:
    """The same graphs with the weights of another model of their architecture."""
    model, (encoder, comparator) = fused_for_export(model), graphs
    return (
        replace(encoder, module=model.encoder, template=encoder),
        replace(comparator, module=model.comparator, template=comparator),
    )


def graphs_of(model: Model, labels: tuple[str, str] | None = None) -> tuple[Graph, Graph]:
    """Encoder and comparator of a trained model, batch norm folded into the convolutions; the labels to be named."""
    about = {"contract": str(CONTRACT.version), "license": LICENSE} | ({"labels": ", ".join(labels)} if labels else {})
    model = fused_for_export(model)
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
        about,
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
        about,
    )
    return encoder, comparator


def fused_for_export(model: Model) -> Model:
    """A copy in which linear layers in a row are one, also a convolution and its batch norm; the same function.

    An encoder or comparator that knows how to do with fewer operations (`fused`) is replaced by that.
    """
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
    for name, part in list(folded.named_children()):
        if isinstance(part, Fusible):
            folded.add_module(name, part.fused())
    return folded.eval()


def _one_linear(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    both = nn.Linear(first.in_features, second.out_features)
    with torch.no_grad():
        both.weight.copy_(second.weight.double() @ first.weight.double())
        both.bias.copy_(second.weight.double() @ first.bias.double() + second.bias.double())
    return both


def _pass_bias_on(layers: list[nn.Module]) -> None:
    """Move a convolution's bias behind the last layer, if that takes single samples of its output."""
    if len(layers) < 2 or not isinstance(layers[-2], nn.Conv1d) or not isinstance(layers[-1], nn.Conv1d):
        return
    first, last = layers[-2], layers[-1]
    pointwise = last.kernel_size == (1,) and last.padding == (0,) and last.groups == 1
    if pointwise and first.bias is not None and last.bias is not None:
        with torch.no_grad():
            last.bias += last.weight[:, :, 0] @ first.bias
        first.bias = None
