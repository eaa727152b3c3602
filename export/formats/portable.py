"""The portable form of the two graphs: layers.json and weights that a few hundred lines of any language can run.

It is translated from the ONNX graph; `edge_ecg.inference.portable` says what each layer means.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import safetensors.numpy
from onnx import ModelProto, NodeProto, numpy_helper

from edge_ecg.bundles.bundle import REFERENCES, REFERENCES_INT8
from edge_ecg.contract import CONTRACT
from edge_ecg.errors import UnsupportedOperationError
from edge_ecg.inference.portable import (
    FORMAT,
    LAYERS,
    WEIGHTS,
    WEIGHTS_INT8,
    float_tensor,
    load_portable,
    quantize_rows,
)
from export.formats.onnx import to_onnx
from export.formats.translation import Translation
from export.graphs import FLOAT32, INT8, Artifact, Engine, Files, Graphs, StoredWeight, embedding_length, require_shapes

OPSET = 18  # in which the axes of a mean are an input


class _Steps:
    """The operations that stand for one node, each named after the node's output."""

    def __init__(self, node: NodeProto):
        self.node = node
        self.attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        self.nodes: list[NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def then(self, op: str, *inputs: str | float | list[int]) -> str:
        """One more operation; an input that is no name is a constant."""
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        output = f"{self.node.output[0]}.{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(op, names, [output]))
        return output

    def _constant(self, value: float | list[int]) -> str:
        name = f"{self.node.output[0]}.c{len(self.constants)}"
        dtype = np.int64 if isinstance(value, list) else np.float32
        self.constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name


def _layer_normalization(steps: _Steps) -> None:
    """From the mean on, in units of the standard deviation, times a gain and plus an offset."""
    if steps.attributes.get("axis", -1) != -1:
        raise UnsupportedOperationError("the portable form has no LayerNormalization over more than the last axis")
    x, *constants = steps.node.input
    centred = steps.then("Sub", x, steps.then("ReduceMean", x, [-1]))
    variance = steps.then("ReduceMean", steps.then("Mul", centred, centred), [-1])
    deviation = steps.then("Sqrt", steps.then("Add", variance, steps.attributes.get("epsilon", 1e-5)))
    scaled = steps.then("Div", centred, deviation)
    for op, constant in zip(("Mul", "Add"), constants, strict=False):
        scaled = steps.then(op, scaled, constant)


def _erf(steps: _Steps) -> None:
    """The error function by M. Abramowitz and I. Stegun, 7.1.26: within 1.5e-7."""
    x = steps.node.input[0]
    size = steps.then("Abs", x)
    t = steps.then("Div", 1.0, steps.then("Add", steps.then("Mul", size, 0.3275911), 1.0))
    polynomial = steps.then("Mul", t, 1.061405429)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial = steps.then("Mul", steps.then("Add", polynomial, coefficient), t)
    tail = steps.then("Mul", polynomial, steps.then("Exp", steps.then("Mul", steps.then("Mul", size, size), -1.0)))
    sign = steps.then("Div", x, steps.then("Max", size, 1e-30))
    steps.then("Mul", steps.then("Sub", 1.0, tail), sign)


EXPANDED: dict[str, Callable[[_Steps], None]] = {"LayerNormalization": _layer_normalization, "Erf": _erf}


def with_lowered_ops(model: ModelProto) -> ModelProto:
    """The same function without the operations of EXPANDED. Raises UnsupportedOperationError."""
    if not any(node.op_type in EXPANDED for node in model.graph.node):
        return model
    model = ModelProto.FromString(model.SerializeToString())
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        if node.op_type not in EXPANDED:
            nodes.append(node)
            continue
        steps = _Steps(node)
        EXPANDED[node.op_type](steps)
        steps.nodes[-1].output[0] = node.output[0]
        nodes += steps.nodes
        model.graph.initializer.extend(steps.constants)
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    model.opset_import[0].version = OPSET
    model.ir_version = max(model.ir_version, onnx.helper.find_min_ir_version_for(list(model.opset_import)))
    return model


def translated(graphs: Graphs) -> tuple[bytes, dict[str, np.ndarray], set[str]]:
    """layers.json, its tensors, and the names of the weights among them. Raises UnsupportedOperationError."""
    tensors: dict[str, np.ndarray] = {}
    form: dict[str, Any] = {"format": FORMAT}
    fixed: set[str] = set()
    for graph in graphs:
        translation = Translation(with_lowered_ops(onnx.load_from_string(to_onnx(graph))), tensors)
        form[graph.name] = translation.program()
        fixed |= {translation.names[name] for name in graph.buffers & translation.names.keys()}
    layers = [*form["encoder"]["layers"], *form["comparator"]["layers"]]
    weights = {layer["inputs"][1] for layer in layers if layer["op"] in ("conv1d", "linear")}
    return json.dumps(form, separators=(",", ":")).encode(), tensors, weights - fixed


def float_files(graphs: Graphs) -> dict[str, bytes]:
    """The portable form with float32 weights, by name."""
    layers, tensors, _ = translated(graphs)
    return {LAYERS: layers, WEIGHTS: safetensors.numpy.save(tensors)}


def int8_files(graphs: Graphs) -> dict[str, bytes]:
    """The same layers with int8 weights, symmetric, with a scale for each index of the first axis."""
    layers, tensors, weights = translated(graphs)
    for name in weights:
        tensors[name], tensors[f"{name}.scale"] = quantize_rows(tensors[name])
    return {LAYERS: layers, WEIGHTS_INT8: safetensors.numpy.save(tensors)}


def _opened(files: Files, weights: str) -> Engine:
    """Both programs through the NumPy interpreter. Raises ParityError if they are not the contract's."""
    encoder, comparator = load_portable(files[LAYERS], files[weights])
    length = embedding_length(encoder)
    require_shapes(LAYERS, encoder.inputs, {"beat": [1, CONTRACT.beat_length]})
    require_shapes(LAYERS, comparator.inputs, {"embedding": [1, length], "references": ["R", length]})
    return Engine(lambda beat: encoder(beat), lambda embedding, references: comparator(embedding, references))


def _stored_weights(content: bytes) -> list[StoredWeight]:
    tensors = safetensors.numpy.load(content)
    return [StoredWeight(float_tensor(tensors, name), 8 * tensor.itemsize) for name, tensor in tensors.items()]


def _artifact(scheme, weights, references, write) -> Artifact:  # type: ignore[no-untyped-def]
    return Artifact(
        f"portable {scheme.name}",
        (LAYERS, weights),
        references,
        scheme,
        lambda graphs, _bank: write(graphs),
        lambda files: _opened(files, weights),
        lambda files: _stored_weights(files[weights]),
    )


PORTABLE = (
    _artifact(FLOAT32, WEIGHTS, REFERENCES, float_files),
    _artifact(INT8, WEIGHTS_INT8, REFERENCES_INT8, int8_files),
)
