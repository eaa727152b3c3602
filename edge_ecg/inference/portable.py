"""The portable engine: `portable/layers.json` run in NumPy. This file is the specification of that form.

Two programs, "encoder" and "comparator", each {"inputs": {name: shape}, "output": name, "layers": [...]}. A layer is
{"op", "inputs", "output", "shape", attributes}; run in order, each computes the float32 array `output`. "R" in a shape
is the number of references. An input is a program's input, an earlier output, or a tensor of the weights file. What
`with_defaults` fills in may be left out. A tensor NAME of int8 is multiplied by NAME.scale at loading: one float32
for each index of its first axis.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

import numpy as np
import safetensors.numpy

from edge_ecg.errors import BundleError
from edge_ecg.records import parsed

TYPES = (np.float32, np.uint8, np.int8)  # of tensors in a bundle


def tensors_in(content: bytes) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file. Raises BundleError for other types than a bundle has, SafetensorError."""
    tensors: dict[str, np.ndarray] = safetensors.numpy.load(content)
    for name, tensor in tensors.items():
        if tensor.dtype not in TYPES:
            raise BundleError(f"tensor {name[:60]} is {tensor.dtype}, expected float32, int8 or uint8")
    return tensors


def dequantized(tensor: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The float32 tensor of an int8 tensor and its scales."""
    return np.asarray(tensor * scale.reshape(-1, *[1] * (tensor.ndim - 1)))


def float_tensor(tensors: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """The float32 tensor of that name, also from an int8 tensor and its scales. Raises BundleError."""
    tensor, scale = tensors[name], tensors.get(f"{name}.scale")
    if scale is not None:
        if tensor.dtype != np.int8 or scale.dtype != np.float32 or tensor.ndim == 0 or scale.size != len(tensor):
            raise BundleError(f"tensor {name[:60]} of shape {tensor.shape} has {scale.size} scales")
        tensor = dequantized(tensor, scale)
    if tensor.dtype != np.float32:
        raise BundleError(f"tensor {name[:60]} is {tensor.dtype}, expected float32")
    if not np.isfinite(tensor).all():
        raise BundleError(f"tensor {name[:60]} holds NaN or infinity, expected finite numbers")
    return tensor


def quantize_rows(tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 values, -127 to 127, and the float32 scale of each index of the first axis; a row of zeros has scale 1."""
    rows = tensor.reshape(len(tensor), -1)
    scale = np.abs(rows).max(1) / np.float32(127)
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    values = np.clip(np.rint(rows / scale[:, np.newaxis]), -127, 127).astype(np.int8)
    return values.reshape(tensor.shape), scale


LAYERS, WEIGHTS = "portable/layers.json", "portable/weights.safetensors"
MOST_FLOAT = float(np.finfo(np.float32).max)
FORMAT, WEIGHTS_INT8 = 1, "portable/weights_int8.safetensors"  # the same layers


def _conv1d(layer: dict[str, Any], x: np.ndarray, weight: np.ndarray, *bias: np.ndarray) -> np.ndarray:
    """x (N, I, L), weight (O, I / groups, K), bias (O,): correlation; `padding` zeros before and after x."""
    groups, stride, (outputs, inputs, taps) = layer.get("groups", 1), layer.get("stride", 1), weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), layer.get("padding", (0, 0)))).reshape(len(x), groups, inputs, -1)
    kernels = weight.reshape(groups, outputs // groups, inputs, taps)
    reach = padded.shape[3] - taps + 1  # the first tap takes every `stride`th of so many, the next one sample later
    times = np.multiply if inputs == 1 else np.matmul
    total = sum(times(kernels[..., k], padded[..., k : k + reach : stride]) for k in range(taps))
    output = np.reshape(total, (len(x), outputs, -1))
    return output + bias[0][:, np.newaxis] if bias else output


def _gather(layer: dict[str, Any], x: np.ndarray, places: np.ndarray) -> np.ndarray:
    """x (N, L) at whole-number places (N, K): (N, K). Beyond either end it is the last number there."""
    inside = np.minimum(np.maximum(places, 0), x.shape[-1] - 1)
    if not isfinite(inside.sum()):
        inside = np.nan_to_num(inside)
    indices = inside.astype(np.int64)
    return x.take(indices[0], -1) if len(x) == 1 else np.take_along_axis(x, indices, -1)  # a row needs no second index


def _mean(layer: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """x without an axis, which the layer's shape may keep with size 1."""
    return np.asarray(np.add.reduce(x, layer["axis"]) / np.float32(x.shape[layer["axis"]]))


def _slice(layer: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """A part of one axis; `stop` is not included."""
    return x[(slice(None),) * (layer["axis"] % x.ndim) + (slice(layer["start"], layer["stop"]),)]


def _linear(layer: dict[str, Any], x: np.ndarray, weight: np.ndarray, *bias: np.ndarray) -> np.ndarray:
    """x (..., I), weight (O, I), bias (O,)."""
    return x @ weight.T + bias[0] if bias else x @ weight.T


def _windows(x: np.ndarray, taps: int, stride: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(x, taps, -1)[..., ::stride, :]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))  # 1 / (1 + exp(-x)), which would overflow


def _by_element(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Of one input, or of two, broadcast as in NumPy; a number `value` of the layer is the second."""
    return lambda layer, *x: function(*x, *([np.float32(layer["value"])] if "value" in layer else []))


OPS: dict[str, Callable[..., np.ndarray]] = {
    "conv1d": _conv1d,
    "linear": _linear,
    "avg_pool1d": lambda layer, x: _windows(x, layer["kernel"], layer["stride"]).mean(-1),  # no padding
    "mean": _mean,
    "slice": _slice,
    "gather": _gather,
    "concat": lambda layer, *x: np.concatenate(x, layer["axis"]),
    "reshape": lambda layer, x: x,  # row-major, to `shape`
    "expand": lambda layer, x: x,  # repeated along axes of size 1, to `shape`
    "relu": _by_element(lambda x: np.maximum(x, 0)),
    "sigmoid": _by_element(_sigmoid),
    "silu": _by_element(lambda x: x * _sigmoid(x)),
    **{name: _by_element(getattr(np, name)) for name in ("tanh", "abs", "sqrt", "exp", "floor")},
    **{name: _by_element(getattr(np, name)) for name in ("maximum", "minimum", "add")},
    **{"sub": _by_element(np.subtract), "mul": _by_element(np.multiply), "div": _by_element(np.divide)},
}


def with_defaults(program: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The layers with their defaults filled in.

    "inputs" is the layer before, "output" the layer's place, counted from "0", and "shape" that of the first input.
    """
    shapes, layers, before = dict(program["inputs"]), [], ""
    for place, layer in enumerate(program["layers"]):
        inputs = layer.get("inputs", [before])
        before = layer.get("output", str(place))
        shapes[before] = layer["shape"] if "shape" in layer else shapes[inputs[0]]
        layers.append({**layer, "inputs": inputs, "output": before, "shape": shapes[before]})
    return layers


# Where the shape of the layer decides what becomes of its input.
FIT: dict[str, Callable[..., np.ndarray]] = {"reshape": np.reshape, "mean": np.reshape, "expand": np.broadcast_to}
# The least that an attribute may be: a whole number, or a pair of them.
ATTRIBUTES = {"stride": 1, "groups": 1, "kernel": 1, "axis": 0, "start": 0, "stop": 0, "padding": 0}


def _as_it_is(result: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    raise ValueError(f"a layer of shape {shape}, its inputs give {result.shape}")


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, list) and all(size == "R" or (type(size) is int and size > 0) for size in shape)


def _is_plain(layer: Mapping[str, Any]) -> bool:
    """Whether its attributes are whole numbers of sense, and what it adds or multiplies by is a number."""
    for name, least in ATTRIBUTES.items():
        numbers = layer.get(name, least)
        pair = name == "padding" and isinstance(numbers, list) and len(numbers) == 2
        if name in layer and not all(type(n) is int and n >= least for n in (numbers if pair else [numbers])):
            return False
    return type(layer.get("value", 0)) in (int, float) and abs(layer.get("value", 0)) <= MOST_FLOAT


class Program:
    """One program with its tensors, called with its inputs in order. Raises BundleError for unknown operations."""

    def __init__(self, program: Mapping[str, Any], tensors: Mapping[str, np.ndarray]):
        self.inputs, self._output, layers = program["inputs"], program["output"], with_defaults(program)
        if unknown := {layer["op"] for layer in layers} - OPS.keys():
            raise BundleError(f"the portable form has ops that are not known: {', '.join(sorted(unknown))}")
        names = [*self.inputs, *(layer["output"] for layer in layers)]
        used = {name for layer in layers for name in layer["inputs"]} - set(names)
        self._tensors = {name: float_tensor(tensors, name) for name in used}
        shapes = [*self.inputs.values(), *(layer["shape"] for layer in layers)]
        if len(set(names)) < len(names) or not all(map(_is_shape, shapes)):
            raise BundleError("the portable form defines a name twice, or has a shape that is no list of sizes and R")
        if any(t.size == 0 for t in self._tensors.values()) or not all(map(_is_plain, layers)):
            raise BundleError("the portable form has a layer whose attributes or tensors can't be")
        # Of each layer all that does not depend on the inputs: looked up once, it costs as much as computing.
        self._steps = [
            (
                OPS[layer["op"]],
                layer,
                layer["inputs"],
                layer["output"],
                tuple(layer["shape"]),
                "R" in layer["shape"],
                FIT.get(layer["op"], _as_it_is),
            )
            for layer in layers
        ]

    def __call__(self, *inputs: np.ndarray) -> np.ndarray:
        values = {**self._tensors, **dict(zip(self.inputs, inputs, strict=True))}
        count = len(inputs[-1])
        for operation, layer, names, output, shape, has_references, fit in self._steps:
            result = operation(layer, *[values[name] for name in names])
            if has_references:
                shape = tuple(count if size == "R" else size for size in shape)
            values[output] = result if result.shape == shape else fit(result, shape)
        return values[self._output]


def portable_engines(layers: bytes, weights: bytes, beat_length: int) -> tuple[Program, Program, int]:
    """Encoder, comparator and the numbers in an embedding, of a portable form for such beats. Raises BundleError."""
    encoder, comparator = load_portable(layers, weights)
    try:
        with np.errstate(all="ignore"):  # of a beat of zeros only the shapes are asked
            embedding = encoder(np.zeros((1, beat_length), np.float32))
            logits = comparator(embedding, np.concatenate([embedding, embedding]))
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        raise BundleError(f"the portable form can't be run: {error}") from None
    if embedding.shape[:-1] != (1,) or logits.shape != (2,):
        raise BundleError(f"the portable form gives {embedding.shape} and {logits.shape}, expected (1, D) and (R,)")
    length = embedding.shape[1]
    takes = {**encoder.inputs, **comparator.inputs}
    if takes != {"beat": [1, beat_length], "embedding": [1, length], "references": ["R", length]}:
        raise BundleError(f"the portable form takes {takes}, expected (1, {beat_length}) and (R, {length})")
    return encoder, comparator, length


def load_portable(layers: bytes, weights: bytes) -> tuple[Program, Program]:
    """Encoder and comparator of a portable form. Raises BundleError."""
    try:
        form, tensors = parsed(layers), tensors_in(weights)
        if type(form["format"]) is not int or form["format"] != FORMAT:
            raise BundleError(f"the portable format is {form['format']!s:.60}, this edge_ecg reads {FORMAT}")
        return Program(form["encoder"], tensors), Program(form["comparator"], tensors)
    except (LookupError, AttributeError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise BundleError(f"the portable form can't be read: {error}") from None
