"""One ONNX graph as a program of the portable form, node by node."""

from collections.abc import Mapping
from string import ascii_lowercase
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, numpy_helper

from edge_ecg.errors import UnsupportedOperationError
from edge_ecg.inference.onnx_runtime import onnxruntime

BY_ELEMENT = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Abs": "abs", "Sqrt": "sqrt", "Exp": "exp",
    "Floor": "floor",
    "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Max": "maximum", "Min": "minimum",
}  # fmt: skip
SHAPING = ("Reshape", "Unsqueeze", "Squeeze", "Flatten", "Expand", "Identity")


class Translation:
    """One ONNX graph, node by node. Tensors go to `tensors`, which both programs share.

    Names are short, since they weigh as much as the numbers: values are numbers, tensors letters, and what
    `edge_ecg.inference.portable.with_defaults` can fill in is left out.
    """

    def __init__(self, model: ModelProto, tensors: dict[str, np.ndarray]):
        self._graph = model.graph
        self._tensors = tensors
        self._constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
        self._shapes = _shapes(model)
        self.names = {i.name: i.name for i in model.graph.input}
        self._layers: list[dict[str, Any]] = []

    def program(self) -> dict[str, Any]:
        """The program as layers.json has it."""
        output = self._graph.output[0].name
        self.names[output] = output
        for node in self._graph.node:  # what only computes shapes is left out: each layer has its own already
            if node.op_type != "Shape" and any(
                name in self.names and name not in self._constants for name in node.input
            ):
                self._add(node)
        _fuse_silu(self._layers)
        inputs = {i.name: self._shapes[i.name] for i in self._graph.input}
        return {"inputs": inputs, "output": output, "layers": _shortened(self._layers, inputs, output)}

    def _add(self, node: NodeProto) -> None:
        try:
            self._translate(node)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, UnsupportedOperationError):
                raise
            reason = f"the portable form has no {node.op_type} as this graph uses it"
            raise UnsupportedOperationError(reason) from error

    def _translate(self, node: NodeProto) -> None:
        if node.op_type in BY_ELEMENT:
            self._by_element(node)
        elif node.op_type in SHAPING:
            op = "expand" if node.op_type == "Expand" else "reshape"
            self._layer(op, [self._input(node.input[0])], node.output[0])
        elif (translate := getattr(self, f"_{node.op_type.lower()}", None)) is not None:
            translate(node, {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute})
        else:
            raise UnsupportedOperationError(f"the portable form has no op for {node.op_type}")

    def _layer(self, op: str, inputs: list[str], output: str, **attributes: Any) -> None:
        name = self.names.setdefault(output, str(len(self._layers)))
        layer = {"op": op, "inputs": inputs, "output": name, "shape": self._shapes[output], **attributes}
        self._layers.append(layer)

    def _input(self, name: str) -> str:
        """The name that a layer gives to a value; a constant becomes a tensor."""
        if name in self.names:
            return self.names[name]
        return self._tensor(name, self._constants[name])

    def _tensor(self, name: str, value: np.ndarray) -> str:
        more, letter = divmod(len(self._tensors), len(ascii_lowercase))
        self.names[name] = ascii_lowercase[letter] + (str(more) if more else "")
        self._tensors[self.names[name]] = np.ascontiguousarray(value, np.float32)
        return self.names[name]

    def _by_element(self, node: NodeProto) -> None:
        inputs = list(node.input)
        if node.op_type in ("Add", "Mul") and inputs[0] in self._constants:
            inputs.reverse()
        scalar = self._constants.get(inputs[-1])
        if len(inputs) == 2 and scalar is not None and scalar.size == 1 and self._keeps_rank(inputs, scalar):
            value = {"value": float(str(np.float32(scalar.item())))}  # the shortest decimal that is this float32
            self._layer(BY_ELEMENT[node.op_type], [self._input(inputs[0])], node.output[0], **value)
        else:
            self._layer(BY_ELEMENT[node.op_type], [self._input(name) for name in inputs], node.output[0])

    def _keeps_rank(self, inputs: list[str], scalar: np.ndarray) -> bool:
        return scalar.ndim <= len(self._shapes[inputs[0]])

    def _cast(self, node: NodeProto, _: dict[str, Any]) -> None:
        """Nothing to do: it makes indices of whole numbers, and every number of the form is a float32."""
        self.names[node.output[0]] = self.names[node.input[0]]

    def _pow(self, node: NodeProto, _: dict[str, Any]) -> None:
        """A square: x times x."""
        x, exponent = node.input
        if exponent not in self._constants or (self._constants[exponent] != 2).any():
            raise UnsupportedOperationError("the portable form has squares, the graph another power")
        self._by_element(onnx.helper.make_node("Mul", [x, x], [node.output[0]]))

    def _clip(self, node: NodeProto, _: dict[str, Any]) -> None:
        """Never below the least and never above the most: two layers."""
        x, least, most = node.input
        raised = f"{node.output[0]} raised"
        self._shapes[raised] = self._shapes[x]
        self._by_element(onnx.helper.make_node("Max", [x, least], [raised]))
        self._by_element(onnx.helper.make_node("Min", [raised, most], [node.output[0]]))

    def _conv(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        weight = self._constants[node.input[1]]
        if weight.ndim != 3 or attributes.get("dilations", [1]) != [1]:
            raise UnsupportedOperationError(
                f"the portable form has conv1d without dilation, the graph has {attributes}"
            )
        given = {
            "stride": attributes.get("strides", [1])[0],
            "padding": list(attributes.get("pads", [0, 0])),
            "groups": attributes.get("group", 1),
        }
        unusual: dict[str, Any] = {name: value for name, value in given.items() if value not in (1, [0, 0])}
        self._layer("conv1d", [self._input(name) for name in node.input], node.output[0], **unusual)

    def _gemm(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        if attributes.get("alpha", 1) != 1 or attributes.get("beta", 1) != 1 or attributes.get("transA", 0):
            raise UnsupportedOperationError(
                f"the portable form has linear(x, weight, bias), the graph has Gemm with {attributes}"
            )
        x, weight, *bias = node.input
        if not attributes.get("transB", 0):
            self._constants[weight] = self._constants[weight].T
        for name in bias:
            self._constants[name] = self._constants[name].ravel()
        self._layer("linear", [self._input(name) for name in (x, weight, *bias)], node.output[0])

    def _matmul(self, node: NodeProto, _: dict[str, Any]) -> None:
        x, matrix = node.input
        if matrix not in self._constants:
            raise UnsupportedOperationError(
                "the portable form multiplies by fixed matrices, the graph multiplies two values"
            )
        weight = self.names.get(matrix) or self._tensor(matrix, self._constants[matrix].T)
        self._layer("linear", [self._input(x), weight], node.output[0])

    def _batchnormalization(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        """A batch norm that follows no convolution: one multiplication and one addition by channel."""
        x, *constants = node.input
        gain, offset, mean, variance = (self._constants[name].astype(np.float64) for name in constants)
        gain = gain / np.sqrt(variance + attributes.get("epsilon", 1e-5))
        scaled, shape = f"{node.output[0]} scaled", [-1] + [1] * (len(self._shapes[x]) - 2)  # (C, 1) for (N, C, L)
        self._shapes[scaled] = self._shapes[x]
        for op, source, factor, result in (
            ("Mul", x, gain, scaled),
            ("Add", scaled, offset - mean * gain, node.output[0]),
        ):
            self._constants[f"{result} constant"] = factor.reshape(shape).astype(np.float32)
            self._by_element(onnx.helper.make_node(op, [source, f"{result} constant"], [result]))

    def _gatherelements(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        rank = len(self._shapes[node.input[0]])
        if rank != 2 or attributes.get("axis", 0) % rank != 1:
            raise UnsupportedOperationError("the portable form takes numbers at places of the last of two axes")
        self._layer("gather", [self._input(name) for name in node.input], node.output[0])

    def _reducel2(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        """The root of the sum of squares: the root of their mean, times that of their number."""
        x, output = node.input[0], node.output[0]
        squares, mean, root = (f"{output} {step}" for step in ("squares", "mean", "root"))
        self._shapes |= {squares: self._shapes[x], mean: self._shapes[output], root: self._shapes[output]}
        self._by_element(onnx.helper.make_node("Mul", [x, x], [squares]))
        self._reducemean(onnx.helper.make_node("ReduceMean", [squares, *node.input[1:]], [mean]), attributes)
        self._by_element(onnx.helper.make_node("Sqrt", [mean], [root]))
        (axis,) = self._axes(node, attributes)
        self._constants[f"{output} length"] = np.array(int(self._shapes[x][axis]) ** 0.5, np.float32)
        self._by_element(onnx.helper.make_node("Mul", [root, f"{output} length"], [output]))

    def _axes(self, node: NodeProto, attributes: dict[str, Any]) -> list[int]:
        axes = self._constants[node.input[1]].tolist() if len(node.input) > 1 else list(attributes.get("axes", []))
        if len(axes) != 1:
            raise UnsupportedOperationError(f"the portable form reduces one axis, the graph {axes}")
        return [axes[0] % len(self._shapes[node.input[0]])]

    def _reducemean(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        (axis,) = self._axes(node, attributes)
        self._layer("mean", [self._input(node.input[0])], node.output[0], axis=axis)

    def _averagepool(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        if any(attributes.get("pads", [0, 0])) or attributes.get("ceil_mode", 0):
            raise UnsupportedOperationError(
                f"the portable form has avg_pool1d without padding, the graph has {attributes}"
            )
        kernel, stride = attributes["kernel_shape"][0], attributes.get("strides", [1])[0]
        self._layer("avg_pool1d", [self._input(node.input[0])], node.output[0], kernel=kernel, stride=stride)

    def _concat(self, node: NodeProto, attributes: dict[str, Any]) -> None:
        axis = attributes["axis"] % len(self._shapes[node.output[0]])
        self._layer("concat", [self._input(name) for name in node.input], node.output[0], axis=axis)

    def _slice(self, node: NodeProto, _: dict[str, Any]) -> None:
        shape = self._shapes[node.input[0]]
        start, stop, axes, step = ([*(self._constants[n].tolist() for n in node.input[1:]), [1]])[:4]
        size = shape[axes[0]]
        if len(axes) != 1 or step != [1] or not isinstance(size, int):
            raise UnsupportedOperationError(
                f"the portable form slices one axis of known size, the graph slices {axes} by {step}"
            )
        first, last, _step = slice(start[0], stop[0]).indices(size)
        axis = axes[0] % len(shape)
        self._layer("slice", [self._input(node.input[0])], node.output[0], axis=axis, start=first, stop=last)


def _shapes(model: ModelProto) -> dict[str, list[int | str]]:
    """The shape of every value, found by running the graph with two numbers of references."""
    whole = ModelProto.FromString(model.SerializeToString())
    declared = {o.name for o in whole.graph.output}
    whole.graph.output.extend(
        onnx.ValueInfoProto(name=o) for n in whole.graph.node for o in n.output if o not in declared
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    runs = []
    for count in (3, 5):  # no other size of these graphs is 3 here and 5 there
        inputs = {
            i.name: np.ones([d if isinstance(d, int) else count for d in i.shape], np.float32)
            for i in session.get_inputs()
        }
        runs.append({**inputs, **dict(zip(names, session.run(names, inputs), strict=True))})
    return {
        name: [a if a == b else "R" for a, b in zip(first.shape, runs[1][name].shape, strict=True)]
        for name, first in runs[0].items()
    }


def _shortened(layers: list[dict[str, Any]], inputs: Mapping[str, Any], output: str) -> list[dict[str, Any]]:
    """The layers without what follows from their place, from the layer before and from their first input."""
    places = {layer["output"]: str(place) for place, layer in enumerate(layers) if layer["output"] != output}
    shapes, before, short = dict(inputs), "", []
    for layer in layers:
        sources, name, shape = [places.get(i, i) for i in layer["inputs"]], layer["output"], layer["shape"]
        left_out = {
            "inputs": sources == [before],
            "output": name != output,
            "shape": shape == shapes.get(sources[0]),  # a tensor may come first, as in 1 - x
        }
        short.append({key: value for key, value in (layer | {"inputs": sources}).items() if not left_out.get(key)})
        before = places.get(name, name)
        shapes[before] = shape
    return short


def _fuse_silu(layers: list[dict[str, Any]]) -> None:
    """x * sigmoid(x), where nothing else uses the sigmoid, is one layer."""
    uses = [name for layer in layers for name in layer["inputs"]]
    for sigmoid in [layer for layer in layers if layer["op"] == "sigmoid" and uses.count(layer["output"]) == 1]:
        product = next(layer for layer in layers if sigmoid["output"] in layer["inputs"])
        if product["op"] == "mul" and sorted(product["inputs"]) == sorted([*sigmoid["inputs"], sigmoid["output"]]):
            product |= {"op": "silu", "inputs": sigmoid["inputs"]}
            layers.remove(sigmoid)
