"""The graphs as LiteRT files (`.tflite`, once TensorFlow Lite), by the packages of the extra `[litert]`.

`litert-torch` converts the graphs that torch exports; `ai-edge-litert` runs the files here as on Android and Linux. The
comparator takes as many references as it was made for.
"""

import contextlib
import io
import logging
import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from edge_ecg.bundles.bundle import REFERENCES
from edge_ecg.contract import CONTRACT, INTENDED_USE
from edge_ecg.errors import EdgeEcgError, UnsupportedOperationError, first_line
from edge_ecg.inference.references import ReferenceBank
from export.formats.person import Outputs, as_two, faults_of, person_graph
from export.graphs import FLOAT32, Artifact, Engine, Files, Graph, Graphs, StoredWeight, quiet, require_shapes

ENCODER, COMPARATOR, PERSON = "encoder.tflite", "comparator.tflite", "person.tflite"
NEEDED = {"litert_torch": "litert-torch", "ai_edge_litert": "ai-edge-litert"}  # by module, what installs it
IDENTIFIER = b"TFL3"  # of the file format


def require_litert() -> None:
    """Raises EdgeEcgError unless the packages of the extra are installed."""
    if missing := [package for module, package in NEEDED.items() if not find_spec(module)]:
        raise EdgeEcgError(f"LiteRT needs {' and '.join(missing)}: pip install -e '.[litert]' in the clone")


class _Named(torch.nn.Module):
    """A graph whose only output has its name."""

    def __init__(self, graph: Graph):
        super().__init__()
        self.module, self.output = graph.module, graph.output

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        return {self.output: self.module(*inputs.values())}


def to_litert(graph: Graph, references: int) -> bytes:
    """One graph as a LiteRT file. Raises UnsupportedOperationError, and EdgeEcgError without the extra."""
    require_litert()
    try:
        with quiet(), _silent():
            import litert_torch

            module = graph.module if graph.name == "person" else _Named(graph).eval()
            content = litert_torch.convert(module, sample_kwargs=graph.example(references)).model_content()
    except Exception as error:  # the converter and its passes share no class
        raise UnsupportedOperationError(f"litert-torch can't convert the {graph.name}: {first_line(error)}") from error
    return _shortened(content)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Suppress the progress of the converter and the output of its libraries."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # warnings
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # it prints a line before that is read
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)


def _shortened(content: bytes) -> bytes:
    """The file with what a device needs: no names inside it, which take a quarter, and no operation without effect."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    class Buffer(schema.BufferT):
        """Numbers that begin at a multiple of 16 bytes, as the format asks and the generated code forgets."""

        def Pack(self, builder: Any) -> Any:
            if self.data is not None:
                builder.Prep(16, len(self.data))
            return super().Pack(builder)

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    (graph,) = model.subgraphs
    _without_wrapping(schema, model, graph)
    used = {i for step in graph.operators for i in (*step.inputs, *step.outputs) if i >= 0}
    taken = sorted(used | {*graph.inputs, *graph.outputs})
    place = {-1: -1} | {old: new for new, old in enumerate(taken)}
    buffers: dict[bytes, int] = {b"": 0}
    for old in taken:
        tensor, data = graph.tensors[old], model.buffers[graph.tensors[old].buffer].data
        tensor.name = tensor.name if old in (*graph.inputs, *graph.outputs) else None
        tensor.buffer = buffers.setdefault(b"" if data is None else bytes(data), len(buffers))
    for step in graph.operators:
        step.inputs, step.outputs = [place[i] for i in step.inputs], [place[i] for i in step.outputs]
    for named in (*model.signatureDefs[0].inputs, *model.signatureDefs[0].outputs):
        named.tensorIndex = place[named.tensorIndex]
    graph.inputs, graph.outputs = [place[i] for i in graph.inputs], [place[i] for i in graph.outputs]
    graph.tensors = [graph.tensors[old] for old in taken]
    model.buffers = [Buffer(data=np.frombuffer(data, np.uint8) if data else None) for data in buffers]
    model.description, model.metadata = INTENDED_USE, None
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _without_wrapping(schema: Any, model: Any, graph: Any) -> None:
    """Remove what turns an index below 0 into one from the end, where none can be below 0.

    The converter writes it for every gather. TFLite Micro lacks its SELECT, and runs the rest.
    """
    kinds = schema.BuiltinOperator
    makers = {step.outputs[0]: step for step in graph.operators}

    def kind(step: Any) -> int:
        return int(model.operatorCodes[step.opcodeIndex].builtinCode)

    def numbers(tensor: int) -> np.ndarray:
        """The integers of a constant; none of anything else."""
        data = model.buffers[graph.tensors[tensor].buffer].data
        is_constant = data is not None and graph.tensors[tensor].type == schema.TensorType.INT32
        return np.frombuffer(bytes(data), np.int32) if is_constant else np.zeros(0, np.int32)

    def is_positive(tensor: int) -> bool:
        """Whether its integers are known to be 0 or more."""
        if tensor not in makers:
            return bool(numbers(tensor).size and numbers(tensor).min() >= 0)
        of_inputs = [is_positive(i) for i in makers[tensor].inputs]
        operation = kind(makers[tensor])
        return (
            any(of_inputs) if operation == kinds.MAXIMUM else operation in (kinds.MINIMUM, kinds.ADD) and all(of_inputs)
        )

    same: dict[int, int] = {}
    for step in graph.operators:
        step.inputs = [same.get(i, i) for i in step.inputs]
        condition = makers.get(step.inputs[0])
        if kind(step) == kinds.SELECT and condition and kind(condition) == kinds.LESS:
            index, bound = condition.inputs
            if index == step.inputs[2] and is_positive(index) and numbers(bound).tolist() == [0]:
                same[step.outputs[0]] = index
    needed, kept = {*graph.outputs}, []
    for step in reversed(graph.operators):
        if needed & {*step.outputs}:
            kept.append(step)
            needed |= {*step.inputs}
    graph.operators = kept[::-1]


class LiteRT:
    """A LiteRT file, run on one thread. Raises EdgeEcgError without the extra."""

    def __init__(self, content: bytes):
        require_litert()
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        with quiet():
            self._interpreter = Interpreter(
                model_content=content,
                num_threads=1,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
        self._interpreter.allocate_tensors()
        runner = self._interpreter.get_signature_runner()
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
        self.inputs = {name: inputs[name]["shape"].tolist() for name in inputs}
        self.outputs = {name: outputs[name]["shape"].tolist() for name in outputs}
        self._inputs = {name: inputs[name]["index"] for name in inputs}
        self._outputs = {name: outputs[name]["index"] for name in outputs}

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Its outputs by name."""
        for name, value in inputs.items():
            self._interpreter.set_tensor(self._inputs[name], value)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}


def stored_weights(content: bytes) -> list[StoredWeight]:
    """The weights of a file's convolutions and linear layers, outputs first."""
    require_litert()
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    (graph,) = model.subgraphs
    kinds, weights = schema.BuiltinOperator, []
    for step in graph.operators:
        kind = model.operatorCodes[step.opcodeIndex].builtinCode
        if kind not in (kinds.FULLY_CONNECTED, kinds.CONV_2D, kinds.DEPTHWISE_CONV_2D):
            continue
        tensor = graph.tensors[step.inputs[1]]
        data = model.buffers[tensor.buffer].data
        if data is None or tensor.type != schema.TensorType.FLOAT32:
            continue
        value = np.frombuffer(bytes(data), np.float32).reshape(tensor.shape)
        if kind == kinds.CONV_2D:  # outputs, 1, width, inputs
            value = value[:, 0].transpose(0, 2, 1)
        elif kind == kinds.DEPTHWISE_CONV_2D:  # 1, 1, width, outputs
            value = value[0].transpose(2, 0, 1)
        weights.append(StoredWeight(value, 32))
    return weights


def _pair_files(graphs: Graphs, bank: ReferenceBank) -> dict[str, bytes]:
    names = (ENCODER, COMPARATOR)
    return {name: to_litert(graph, len(bank.is_target)) for name, graph in zip(names, graphs, strict=True)}


def _pair_opened(files: Files) -> Engine:
    """Both files. Raises ParityError if they are not the contract's."""
    encoder, comparator = LiteRT(files[ENCODER]), LiteRT(files[COMPARATOR])
    length = encoder.outputs["embedding"][1]
    count = len(ReferenceBank.from_bytes(files[REFERENCES]).is_target)
    require_shapes(ENCODER, encoder.inputs, {"beat": [1, CONTRACT.beat_length]})
    require_shapes(COMPARATOR, comparator.inputs, {"embedding": [1, length], "references": [count, length]})
    return Engine(
        lambda beat: encoder(beat=beat)["embedding"],
        lambda embedding, references: comparator(embedding=embedding, references=references)["logit"],
    )


def _person_outputs(files: Files) -> Outputs:
    person = LiteRT(files[PERSON])
    require_shapes(PERSON, person.inputs, {"beat": [1, CONTRACT.beat_length]})
    return lambda beat: person(beat=beat)


LITERT = (
    Artifact(
        "litert fp32",
        (ENCODER, COMPARATOR),
        REFERENCES,
        FLOAT32,
        _pair_files,
        _pair_opened,
        lambda files: [*stored_weights(files[ENCODER]), *stored_weights(files[COMPARATOR])],
        timed=True,
        folds_factors=True,
    ),
    Artifact(
        "litert person fp32",
        (PERSON,),
        REFERENCES,
        FLOAT32,
        lambda graphs, bank: {PERSON: to_litert(person_graph(graphs, bank), len(bank.is_target))},
        lambda files: as_two(_person_outputs(files)),
        lambda files: stored_weights(files[PERSON]),
        timed=True,
        folds_factors=True,
        other_faults=lambda files, bank, beats: faults_of(_person_outputs(files), bank, beats),
    ),
)
