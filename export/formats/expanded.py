"""An ONNX graph in fewer kinds of operations: what the portable form lacks, from what it has."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, numpy_helper

from edge_ecg.errors import UnsupportedOperationError

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


def expanded(model: ModelProto) -> ModelProto:
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
