"""Error of each operation of an artifact beside torch's, given the same inputs.

Both come from one exported program, so their operations stand in the same order: they are paired by kind and shape, in
order. Torch then runs its program and takes, after each paired operation, the artifact's value in place of its own. So
an error stands at the operation that made it, and not at all that follow.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch

from edge_ecg.inference.onnx_runtime import onnxruntime
from edge_ecg.inference.references import ReferenceBank
from export.formats.coreml import opened_package
from export.formats.person import person_graph
from export.graphs import Artifact, Files, Graph, Graphs

# One name for what torch, ONNX and MIL call by three.
KINDS = {
    "gemm": "linear", "matmul": "linear", "conv1d": "conv", "convolution": "conv", "reducemean": "mean",
    "reduce_mean": "mean", "reducel2": "norm", "reduce_l2_norm": "norm", "linalg_vector_norm": "norm",
    "real_div": "div", "gatherelements": "gather", "gather_along_axis": "gather", "clamp": "clip", "cat": "concat",
    "slice_by_index": "slice", "layernormalization": "layer_norm", "reducemin": "min",
}  # fmt: skip
# These only move numbers about, each form in another way: what they move is compared before and after.
MOVES = {
    "view", "reshape", "squeeze", "unsqueeze", "expand_dims", "flatten", "unflatten", "cast", "identity", "transpose",
    "permute", "t", "select", "contiguous", "clone", "alias", "expand", "dropout",
}  # fmt: skip


class Value(NamedTuple):
    """Output of one operation."""

    name: str
    kind: str
    value: np.ndarray


@dataclass(frozen=True)
class LayerError:
    """Error of an operation of an artifact against torch's, given the same inputs."""

    graph: str
    module: str  # of the network; empty outside its modules
    operation: str  # as torch names it
    in_artifact: str  # as the artifact names it
    place: int  # in the order of the graph
    error: float  # the largest, as a share of the largest number


def layer_errors(
    artifact: Artifact, files: Files, graphs: Graphs, bank: ReferenceBank, beats: np.ndarray
) -> list[LayerError]:
    """The operations of an ONNX or Core ML artifact, the worst first, over some beats (N, 384).

    graphs: with the weights that the artifact should have; bank: the references that it should have, or is given.
    """
    encoder, comparator = graphs
    of_beats = [{"beat": beat[np.newaxis]} for beat in beats]
    embeddings = [encoder.run(**given) for given in of_beats]
    of_pairs = [{"embedding": embedding, "references": bank.embeddings} for embedding in embeddings]
    if len(artifact.parts) == 1:
        given_to = [(person_graph(graphs, bank), of_beats)]
    else:
        given_to = [(encoder, of_beats), (comparator, of_pairs)]
    rows: list[LayerError] = []
    for (graph, inputs), part in zip(given_to, artifact.parts, strict=True):
        run = _every_onnx_value(files[part]) if part.endswith(".onnx") else _every_mil_value(part, files)
        rows += _compared(graph, [(given, run(given)) for given in inputs])
    return sorted(rows, key=lambda row: -row.error)


def _compared(graph: Graph, runs: list[tuple[Mapping[str, np.ndarray], list[Value]]]) -> list[LayerError]:
    """Torch's operations beside the artifact's over some runs of a graph: inputs, and the artifact's values."""
    module = graph.program.module()
    arguments = [[torch.from_numpy(given[name]) for name in graph.inputs] for given, _ in runs]
    with torch.no_grad():
        alone = _SubstitutingInterpreter(module, {})
        alone.run(*arguments[0])
        pairs = _paired(alone.values, runs[0][1])
        errors: dict[str, float] = dict.fromkeys(pairs, 0.0)
        for inputs, (_, values) in zip(arguments, runs, strict=True):
            by_name = {value.name: value.value for value in values}
            followed = _SubstitutingInterpreter(module, {name: by_name[theirs] for name, theirs in pairs.items()})
            followed.run(*inputs)
            errors = {name: max(error, followed.errors[name]) for name, error in errors.items()}
    return [
        LayerError(graph.name, followed.modules[name], name, pairs[name], place, error)
        for place, (name, error) in enumerate(errors.items())
    ]


def _paired(expected: list[Value], got: list[Value]) -> dict[str, str]:
    """The artifact's operation by torch's, by name: of the same kind and shape, in the same order."""
    named = [[v for v in values if v.kind not in MOVES] for values in (expected, got)]
    mine, theirs = ([f"{v.kind} {[n for n in v.value.shape if n > 1]}" for v in values] for values in named)
    blocks = SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
    return {named[0][first + i].name: named[1][second + i].name for first, second, size in blocks for i in range(size)}


class _SubstitutingInterpreter(torch.fx.Interpreter):
    """A program in which some operations give the artifact's value; how far that is from theirs is kept."""

    def __init__(self, module: torch.fx.GraphModule, given: Mapping[str, np.ndarray]):
        super().__init__(module)
        self._given = given
        self.values: list[Value] = []
        self.errors: dict[str, float] = {}
        self.modules: dict[str, str] = {}

    def run_node(self, node: torch.fx.Node) -> Any:
        """Torch's value, or the artifact's in its place."""
        result = super().run_node(node)
        if node.op != "call_function" or not isinstance(result, torch.Tensor) or not result.is_floating_point():
            return result
        kind = _kind(str(node.target).split(".")[-2] if "." in str(node.target) else str(node.target))
        self.values.append(Value(node.name, kind, result.numpy()))
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        self.modules[node.name] = stack[-1][0] if stack else ""
        if node.name not in self._given:
            return result
        value = np.asarray(self._given[node.name], np.float32).reshape(result.shape)
        largest = max(float(result.abs().max()), 1e-12)
        self.errors[node.name] = float(np.nan_to_num(np.abs(value - result.numpy()), nan=np.inf).max()) / largest
        return torch.from_numpy(value)


def _kind(name: str) -> str:
    return KINDS.get(name.lower(), name.lower())


def _every_onnx_value(content: bytes) -> Callable[[Mapping[str, np.ndarray]], list[Value]]:
    """Run an ONNX graph and return the output of each operation; those of constants alone are left out."""
    model = onnx.load_from_string(content)
    constant = {tensor.name for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if all(name in constant for name in node.input if name):
            constant |= set(node.output)
        else:
            nodes.append(node)
    kinds = {node.output[0]: _kind(node.op_type) for node in nodes}
    products = {node.output[0] for node in nodes if node.op_type == "MatMul" and node.input[1] in constant}
    for node in nodes:  # torch's linear layer on three axes is a product, then a sum
        if node.op_type == "Add" and products & set(node.input) and constant & set(node.input):
            (product,) = products & set(node.input)
            kinds |= {product: "identity", node.output[0]: "linear"}
    declared = {output.name for output in model.graph.output}
    names = [node.output[0] for node in nodes]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in declared)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def run(given: Mapping[str, np.ndarray]) -> list[Value]:
        found = session.run(names, dict(given))
        return [Value(name, kinds[name], value) for name, value in zip(names, found, strict=True)]

    return run


def _every_mil_value(package: str, files: Files) -> Callable[[Mapping[str, np.ndarray]], list[Value]]:
    """The same of a Core ML package, through the executor."""
    program = opened_package(package, files)

    def run(given: Mapping[str, np.ndarray]) -> list[Value]:
        found = program.run(**given)
        return [Value(step.makes[0], _kind(step.op_type), found[step.makes[0]]) for step in program.steps]

    return run
