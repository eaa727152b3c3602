"""The two graphs of a comparator, ready to be exported, and artifacts: files that are one way to run them."""

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.parametrize import register_parametrization, remove_parametrizations

from edge_ecg.contract import CONTRACT
from edge_ecg.errors import ParityError
from edge_ecg.inference.engines import Comparator, Encoder
from edge_ecg.inference.portable import dequantized, quantize_rows
from edge_ecg.inference.references import ReferenceBank
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
    """A module with the same function in fewer operations."""

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
        """The graph as torch exports it, from which ONNX and the portable form are converted."""
        if self.template:
            return self._with_own_weights(self.template.program)
        count = torch.export.Dim("references", min=1, max=MOST_REFERENCES)
        dynamic = tuple({i: count for i, d in enumerate(shape) if d is None} for shape in self.inputs.values())
        inputs = tuple(self.example().values())
        with quiet():
            return torch.export.export(self.module, inputs, dynamic_shapes=dynamic if any(dynamic) else None)

    @cached_property
    def decomposed(self) -> torch.export.ExportedProgram:
        """The same in fewer kinds of operations, from which Core ML is converted."""
        if self.template:
            return self._with_own_weights(self.template.decomposed)
        with quiet():
            return self.program.run_decompositions({})

    def _with_own_weights(self, program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
        with quiet():
            copied = copy.deepcopy(program)
        copied.state_dict.update(self.module.named_parameters())
        return copied


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


# Weights with fewer bits: each scheme turns a weight into the float32 numbers that a device will compute with.
#
# Every compressed artifact is made from a model whose weights lie on the scheme's grid already. So the artifact can be
# compared with the model that it should be to the last digits, and that model with the trained one by its decisions.


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


# Artifacts: how they are written, run and read back.

Files = Mapping[str, bytes]
Graphs = tuple[Graph, Graph]  # encoder and comparator


class Engine(NamedTuple):
    """One way to run the two graphs."""

    encode: Encoder
    compare: Comparator


class StoredWeight(NamedTuple):
    """A weight as stored in a file: its float32 numbers, and the bits per number."""

    value: np.ndarray
    bits: int


@dataclass(frozen=True)
class Artifact:
    """Files of a bundle that are one way to run the model."""

    name: str  # its format, then how its weights are stored
    parts: tuple[str, ...]  # its files, or the folders of them
    references: str  # the references that it is used with
    scheme: Scheme
    # from graphs whose weights lie on the scheme's grid, and the references
    write: Callable[[Graphs, ReferenceBank], dict[str, bytes]]
    open: Callable[[Files], Engine]
    weights: Callable[[Files], list[StoredWeight]]  # of convolutions and linear layers, found without running it
    half: bool = False  # computes in float16, so it can't agree to the last digits of float32
    timed: bool = False  # its speed here says something about its speed on a device
    folds_factors: bool = False  # a weight may be stored times a constant of the graph, which its values must confirm
    # its faults beside embeddings and logits, from its files, the references that it ships with, and beats (N, 384)
    other_faults: Callable[[Files, ReferenceBank, np.ndarray], list[str]] = lambda files, bank, beats: []

    def files(self, files: Files) -> dict[str, bytes]:
        """Those of a bundle's files that are part of it."""
        return {name: c for name, c in files.items() if any(name == p or name.startswith(f"{p}/") for p in self.parts)}


def require_shapes(what: str, got: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raises ParityError unless inputs or outputs have these names and shapes."""
    if dict(got) != dict(expected):
        raise ParityError(f"{what} has {dict(got)}, expected {dict(expected)}")


def embedding_length(encoder: Callable[..., np.ndarray]) -> int:
    """D, by running an encoder that takes `beat` on zeros."""
    return int(encoder(np.zeros((1, CONTRACT.beat_length), np.float32)).shape[1])
