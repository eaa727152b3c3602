"""ONNX in int8: weights and activations of the nodes that stand it, found by measuring what each one costs.

Static quantization in QDQ form: int8 activations with a zero point (ranges from training beats), symmetric int8
weights with a scale for each output channel, int32 biases. A node that costs decisions stays float32, and is named.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import ModelProto, NodeProto, numpy_helper
from scipy.special import ndtr

from edge_ecg.bundle import COMPARATOR, ENCODER
from edge_ecg.inference.int8 import quantize_rows
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.session import Session
from train.model.model import compare, embed
from train.run import Run

ENCODER_INT8, COMPARATOR_INT8 = "encoder_int8.onnx", "comparator_int8.onnx"
INT8_NAMES = {ENCODER: ENCODER_INT8, COMPARATOR: COMPARATOR_INT8}
CALIBRATION_BEATS = 256
MEASURED_BEATS, RANKING_BEATS = 1000, 125
MOST_ERROR = 0.0125  # RMS, of what the evidence of training beats spreads ...
MOST_FLIPS = 0.0005  # ... or whatever flips no more than these, where beats lie far from the line
QUANTIZED = ("Conv", "Gemm")

Node = tuple[str, int]  # a file and the place of a node in its graph
Ranges = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Int8:
    """The two int8 files, and which nodes of them stayed float32."""

    files: dict[str, bytes]
    kept: list[str]
    quantized: int  # weights in int8


def to_int8(
    finished: Run, files: Mapping[str, bytes], bank: ReferenceBank, passes: Callable[[dict[str, bytes]], bool]
) -> Int8:
    """Quantize both graphs; nodes go back to float32, the costliest first, until the evidence is as before.

    Ranges and costs are measured on training beats, and so is how many nodes go back: by the size of errors and the
    flips that errors of this size cause on average, since a count of one or two says little. If the files do not pass
    the gate after all (`passes`), more nodes follow.
    """
    beats = _spread(finished.training.values, CALIBRATION_BEATS)
    measured = _spread(finished.training.values, MEASURED_BEATS)
    embeddings = embed(finished.model, beats)
    ranges = {
        ENCODER: _ranges(files[ENCODER], [{"beat": beat[np.newaxis]} for beat in beats]),
        COMPARATOR: _ranges(
            files[COMPARATOR], [{"embedding": e[np.newaxis], "references": bank.embeddings} for e in embeddings]
        ),
    }
    nodes = [(file, i) for file in ranges for i in quantizable(onnx.load_from_string(files[file]))]
    exact = _evidence(compare(finished.model, embed(finished.model, measured), bank.embeddings), bank)
    few = slice(None, None, max(1, len(measured) // RANKING_BEATS))

    def made(kept: set[Node]) -> dict[str, bytes]:
        return {
            INT8_NAMES[file]: quantized(files[file], ranges[file], {i for name, i in kept if name == file})
            for file in ranges
        }

    def cost(node: Node) -> float:
        """RMS error of the evidence when this node alone is int8."""
        evidence = _run(made({n for n in nodes if n != node}), measured[few], bank)
        return float(np.sqrt(np.mean((evidence - exact[few]) ** 2)))

    def decides_alike(kept: set[Node]) -> bool:
        error = np.sqrt(np.mean((_run(made(kept), measured, bank) - exact) ** 2))
        flips = np.mean(ndtr(-np.abs(exact) / error))  # the part of a normal error that reaches beyond 0
        return bool(error <= MOST_ERROR * exact.std() or flips <= MOST_FLIPS)

    costly = sorted(nodes, key=cost, reverse=True)
    count = bisect_left(range(len(nodes)), True, key=lambda count: decides_alike(set(costly[:count])))
    while count < len(nodes) and not passes(made(set(costly[:count]))):
        count = min(len(nodes), count + max(1, count // 4))
    kept = set(costly[:count])
    graphs = {file: onnx.load_from_string(files[file]).graph for file in ranges}
    return Int8(
        made(kept),
        [f"{file.removesuffix('.onnx')} {_title(graphs[file], i)}" for file, i in sorted(kept)],
        sum(_weight(graphs[file], graphs[file].node[i]).size for file, i in nodes if (file, i) not in kept),
    )


def quantizable(model: ModelProto) -> list[int]:
    """The nodes with a fixed weight that int8 is meant for."""
    constants = {i.name for i in model.graph.initializer}
    return [i for i, n in enumerate(model.graph.node) if n.op_type in QUANTIZED and n.input[1] in constants]


def quantized(file: bytes, ranges: Ranges, kept: set[int]) -> bytes:
    """A graph with quantized nodes, but for those in `kept`."""
    model = onnx.load_from_string(file)
    graph, chosen = model.graph, set(quantizable(model)) - kept
    old = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    constants: dict[str, np.ndarray] = {}
    names: dict[tuple[Any, ...], str] = {}
    nodes: list[NodeProto] = []

    def constant(value: np.ndarray) -> str:
        """Equal constants are one."""
        key = (value.dtype.str, value.shape, value.tobytes())
        name = names.setdefault(key, f"k{len(names)}")
        constants[name] = value
        return name

    def dequantized(stored: np.ndarray, scale: np.ndarray) -> str:
        output = f"d{len(nodes)}"
        nodes.append(onnx.helper.make_node("DequantizeLinear", [constant(stored), constant(scale)], [output], axis=0))
        return output

    passed: dict[str, tuple[str, np.float32]] = {}  # values that went through int8 already

    def through_int8(value: str) -> tuple[str, np.float32]:
        if value not in passed:
            scale, zero = _grid(ranges[value])
            how = [constant(np.array(scale)), constant(np.array(zero))]
            nodes.append(onnx.helper.make_node("QuantizeLinear", [value, *how], [f"q{len(nodes)}"]))
            nodes.append(onnx.helper.make_node("DequantizeLinear", [nodes[-1].output[0], *how], [f"q{len(nodes)}"]))
            passed[value] = nodes[-1].output[0], scale
        return passed[value]

    for i, node in enumerate(graph.node):
        if i in chosen:
            x, _, *bias = node.input
            taken, scale = through_int8(x)
            stored, steps = quantize_rows(_weight(graph, node))
            inputs = [taken, dequantized(stored, steps)]
            if bias:
                bias_steps = (scale * steps).astype(np.float32)
                inputs.append(dequantized(np.rint(old[bias[0]] / bias_steps).astype(np.int32), bias_steps))
            node.input[:] = inputs
            for attribute in node.attribute:
                if attribute.name == "transB":
                    attribute.i = 1
        nodes.append(node)
    used = {name for node in nodes for name in node.input}
    tensors = {name: old[name] for name in old if name in used} | constants
    graph.ClearField("node")
    graph.ClearField("initializer")
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in tensors.items())
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def _weight(graph: onnx.GraphProto, node: NodeProto) -> np.ndarray:
    """A node's weight with the output channels first."""
    weight = next(numpy_helper.to_array(i) for i in graph.initializer if i.name == node.input[1])
    turned = node.op_type == "Gemm" and not any(a.name == "transB" and a.i for a in node.attribute)
    return weight.T if turned else weight


def _title(graph: onnx.GraphProto, index: int) -> str:
    """A node as a person can find it: its kind, its place among its kind, the shape of its weight."""
    node = graph.node[index]
    place = sum(n.op_type == node.op_type for n in graph.node[:index])
    return f"{node.op_type} {place} {'x'.join(map(str, _weight(graph, node).shape))}"


def _grid(range_: tuple[float, float]) -> tuple[np.float32, np.int8]:
    """Scale and zero point of int8 numbers from -128 to 127 that hold a range and 0 exactly."""
    low, high = min(range_[0], 0.0), max(range_[1], 0.0)
    scale = np.float32((high - low) / 255 or 1.0)
    return scale, np.int8(np.clip(round(-128 - low / float(scale)), -128, 127))


def _ranges(file: bytes, inputs: list[dict[str, np.ndarray]]) -> Ranges:
    """The smallest and largest number that each value takes."""
    model = onnx.load_from_string(file)
    names = [n.input[0] for n in (model.graph.node[i] for i in quantizable(model))]
    declared = {v.name for v in (*model.graph.output, *model.graph.input)}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names) if name not in declared)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    ranges: Ranges = {}
    for feeds in inputs:
        values = feeds | dict(zip((o.name for o in session.get_outputs()), session.run(None, feeds), strict=True))
        for name in names:
            low, high = ranges.get(name, (np.inf, -np.inf))
            ranges[name] = min(low, float(values[name].min())), max(high, float(values[name].max()))
    return ranges


def _run(files: Mapping[str, bytes], beats: np.ndarray, bank: ReferenceBank) -> np.ndarray:
    """(N,) evidence of beats."""
    encoder, comparator = Session(files[ENCODER_INT8]), Session(files[COMPARATOR_INT8])
    embeddings = [encoder.run(beat=beat[np.newaxis]) for beat in beats]
    return _evidence(np.stack([comparator.run(embedding=e, references=bank.embeddings) for e in embeddings]), bank)


def _evidence(logits: np.ndarray, bank: ReferenceBank) -> np.ndarray:
    return np.asarray(logits[:, ~bank.is_target].mean(1) - logits[:, bank.is_target].mean(1))


def _spread(values: np.ndarray, count: int) -> np.ndarray:
    """At most `count` beats, spread over all."""
    return values[np.unique(np.linspace(0, len(values) - 1, min(count, len(values))).astype(int))]
