"""The two graphs as ONNX files: short, named after the modules they come from, with int8 weights if asked."""

import ast
from collections import Counter
from functools import lru_cache
from importlib.metadata import version

import numpy as np
import onnx
import torch
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from edge_ecg.bundles.bundle import COMPARATOR, ENCODER, REFERENCES
from edge_ecg.contract import CONTRACT, INTENDED_USE
from edge_ecg.errors import UnsupportedOperationError, first_line
from edge_ecg.inference.engines import OnnxComparator, OnnxEncoder
from edge_ecg.inference.portable import dequantized, quantize_rows
from export.graphs import FLOAT32, INT8, Artifact, Engine, Files, Graph, Graphs, StoredWeight, quiet

OPSET = 18  # that torch converts to; a file asks for the lowest that has its operators
ENCODER_INT8, COMPARATOR_INT8 = "encoder_int8.onnx", "comparator_int8.onnx"
SCOPES = "pkg.torch.onnx.name_scopes"


@lru_cache(maxsize=8)
def to_onnx(graph: Graph) -> bytes:
    """One graph as a self-contained ONNX file. Raises UnsupportedOperationError."""
    if graph.template and (content := _with_weights(to_onnx(graph.template), graph)):
        return content
    try:
        with quiet():
            program = torch.onnx.export(
                graph.program,
                tuple(graph.example().values()),
                input_names=list(graph.inputs),
                output_names=[graph.output],
                opset_version=OPSET,
                external_data=False,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # torch's exporter and its passes share no class
        reason = first_line(error)
        raise UnsupportedOperationError(f"torch can't export the {graph.name} to ONNX: {reason}") from error
    assert program is not None
    return _described(program.model_proto, graph).SerializeToString()


def _with_weights(content: bytes, graph: Graph) -> bytes | None:
    """A file of a graph's template with the graph's own weights and biases, which have the names of its parameters.

    Nothing if the exporter has changed one, as it turns the weight of a linear layer on three axes.
    """
    model = onnx.load_from_string(content)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    parameters = dict(graph.module.named_parameters())
    if not parameters.keys() <= tensors.keys():
        return None
    for name, parameter in parameters.items():
        tensors[name].CopyFrom(numpy_helper.from_array(parameter.detach().numpy(), name))
    return checked(model).SerializeToString()


def _described(model: ModelProto, graph: Graph) -> ModelProto:
    """The model with names of its modules and its intended use, without the exporter's own notes.

    Those notes take twice the bytes of the weights. Names are short for the same reason: `align.3` is the third
    operation of the module `align`, `3` the third of the graph outside its modules.
    """
    body = model.graph
    names = {name: name for name in (*graph.inputs, graph.output, "")}
    tensors = {name for name, _ in (*graph.module.named_parameters(), *graph.module.named_buffers())}
    for tensor in body.initializer:
        names.setdefault(tensor.name, tensor.name if tensor.name in tensors else f"c{len(names)}")
        tensor.name = names[tensor.name]
    counts: Counter[str] = Counter()
    for node in body.node:
        scopes = ast.literal_eval(next((p.value for p in node.metadata_props if p.key == SCOPES), "['']"))
        module = next((f"{scope}." for scope in reversed(scopes[:-1]) if scope), "")
        for output in node.output:
            counts[module] += 1
            node.name = f"{module}{counts[module]}"
            names.setdefault(output, node.name)
        node.input[:] = [names[value] for value in node.input]
        node.output[:] = [names[value] for value in node.output]
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    for field in ("value_info", "metadata_props"):
        body.ClearField(field)
    for field in ("functions", "metadata_props", "doc_string"):
        model.ClearField(field)
    body.name = graph.name
    model.producer_name, model.producer_version = "edge-ecg", version("edge-ecg")
    model.doc_string = INTENDED_USE
    onnx.helper.set_model_props(model, graph.about)
    for feature in (*body.input, *body.output):
        feature.ClearField("metadata_props")
        feature.doc_string = graph.meaning[feature.name]
    return checked(model)


def checked(model: ModelProto) -> ModelProto:
    """The model asking for the lowest opset and IR version that has its operators. Raises if it is not valid ONNX."""
    since = (onnx.defs.get_schema(n.op_type, max_inclusive_version=OPSET).since_version for n in model.graph.node)
    model.opset_import[0].version = max(since)
    model.ir_version = onnx.helper.find_min_ir_version_for(list(model.opset_import))
    onnx.checker.check_model(model, full_check=True)
    return model


def with_int8_weights(graph: Graph) -> bytes:
    """A graph whose weights lie on the int8 grid, with each of them as int8 numbers and a scale for each output."""
    model = onnx.load_from_string(to_onnx(graph))
    body = model.graph
    tensors = {i.name: i for i in body.initializer}
    nodes: list[NodeProto] = []
    for node in body.node:
        if _has_weight(node) and node.input[1] in tensors.keys() - graph.buffers:
            name, axis = node.input[1], _output_axis(node)
            weight = np.moveaxis(numpy_helper.to_array(tensors[name]), axis, 0)
            stored, scale = quantize_rows(weight)
            if not np.allclose(dequantized(stored, scale), weight, rtol=0, atol=1e-6 * np.abs(weight).max()):
                nodes.append(node)  # no weight of a layer, and not on the grid
                continue
            tensors[name] = numpy_helper.from_array(np.ascontiguousarray(np.moveaxis(stored, 0, axis)), f"{name}.int8")
            tensors[f"{name}.scale"] = numpy_helper.from_array(scale, f"{name}.scale")
            inputs = [f"{name}.int8", f"{name}.scale"]
            nodes.append(
                onnx.helper.make_node("DequantizeLinear", inputs, [name], f"{name}.DequantizeLinear", axis=axis)
            )
        nodes.append(node)
    body.ClearField("node")
    body.ClearField("initializer")
    body.node.extend(nodes)
    body.initializer.extend(tensors.values())
    return checked(_shortened(model)).SerializeToString()


def _shortened(model: ModelProto) -> ModelProto:
    """The model with short names, equal constants once, and without attributes that have their default and texts.

    At this size names and texts take more than the weights; the float32 file of the same graph has them.
    """
    body = model.graph
    short = {feature.name: feature.name for feature in (*body.input, *body.output)} | {"": ""}
    constants: dict[tuple[object, ...], str] = {}
    for tensor in list(body.initializer):
        content = (tensor.data_type, *tensor.dims, numpy_helper.to_array(tensor).tobytes())
        if content in constants:
            short[tensor.name] = constants[content]
            body.initializer.remove(tensor)
        else:
            name, tensor.name = tensor.name, f"{len(short):x}"
            short[name] = constants[content] = tensor.name
    for node in body.node:
        for output in node.output:
            short.setdefault(output, f"{len(short):x}")
        node.input[:], node.output[:] = [short[name] for name in node.input], [short[name] for name in node.output]
        node.ClearField("name")
        usual = onnx.defs.get_schema(node.op_type, max_inclusive_version=OPSET).attributes
        kept = [attribute for attribute in node.attribute if not _is_default(attribute, usual[attribute.name])]
        del node.attribute[:]
        node.attribute.extend(kept)
    for feature in (*body.input, *body.output):
        feature.ClearField("doc_string")
    return model


def _is_default(attribute: onnx.AttributeProto, usual: onnx.defs.OpSchema.Attribute) -> bool:
    default = usual.default_value
    return bool(default.type) and onnx.helper.get_attribute_value(default) == onnx.helper.get_attribute_value(attribute)


def stored_weights(content: bytes) -> list[StoredWeight]:
    """The weights of a file's convolutions and linear layers, outputs first."""
    graph = onnx.load_from_string(content).graph
    tensors: dict[str, TensorProto] = {i.name: i for i in graph.initializer}
    quantized = {n.output[0]: n for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in tensors}
    weights = []
    for node in graph.node:
        if not _has_weight(node):
            continue
        name, axis = node.input[1], _output_axis(node)
        if name in quantized:
            stored, scale = (numpy_helper.to_array(tensors[i]) for i in quantized[name].input[:2])
            value = dequantized(np.moveaxis(stored, axis, 0).astype(np.float32), np.atleast_1d(scale))
            weights.append(StoredWeight(value, 8 * stored.itemsize))
        elif name in tensors and len(tensors[name].dims) > 1:
            stored = numpy_helper.to_array(tensors[name])
            weights.append(StoredWeight(np.moveaxis(stored, axis, 0), 8 * stored.itemsize))
    return weights


def _has_weight(node: NodeProto) -> bool:
    return node.op_type in ("Conv", "Gemm", "MatMul")


def _output_axis(node: NodeProto) -> int:
    """Output axis of a node's weight."""
    turned = node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if node.op_type == "Conv" or turned else 1


def _opened(files: Files, encoder: str, comparator: str) -> Engine:
    encode = OnnxEncoder(files[encoder], CONTRACT.beat_length)
    return Engine(encode, OnnxComparator(files[comparator], encode.embedding_length))


def float_files(graphs: Graphs) -> dict[str, bytes]:
    """Both files in float32, by name."""
    return dict(zip((ENCODER, COMPARATOR), map(to_onnx, graphs), strict=True))


def int8_files(graphs: Graphs) -> dict[str, bytes]:
    """Both files with int8 weights, by name."""
    return dict(zip((ENCODER_INT8, COMPARATOR_INT8), map(with_int8_weights, graphs), strict=True))


def _artifact(scheme, names, write) -> Artifact:  # type: ignore[no-untyped-def]
    return Artifact(
        f"onnx {scheme.name}",
        names,
        REFERENCES,
        scheme,
        lambda graphs, _bank: write(graphs),
        lambda files: _opened(files, *names),
        lambda files: [weight for name in names for weight in stored_weights(files[name])],
        timed=True,
    )


ONNX = (
    _artifact(FLOAT32, (ENCODER, COMPARATOR), float_files),
    _artifact(INT8, (ENCODER_INT8, COMPARATOR_INT8), int8_files),
)
