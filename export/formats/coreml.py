"""The two graphs as Core ML packages, written on Linux as well as on a Mac, and run without one."""

import json
import sys
import tempfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.export.graph_signature import InputKind, TensorArgument

from edge_ecg.bundles.bundle import REFERENCES, REFERENCES_INT8
from edge_ecg.contract import CONTRACT, INTENDED_USE
from edge_ecg.errors import UnsupportedOperationError, first_line
from edge_ecg.inference.references import ReferenceBank
from export.graphs import (
    FLOAT16,
    FLOAT32,
    INT8,
    Artifact,
    Engine,
    Files,
    Graph,
    Graphs,
    Scheme,
    StoredWeight,
    embedding_length,
    quiet,
    require_shapes,
)
from export.mil.apple import Model_pb2, ct, cto
from export.mil.program import MilProgram


def minified_mlprogram(content: bytes) -> bytes:
    """A model.mlmodel with its program rewritten; the features that an app sees, and the weights, stay."""
    spec = Model_pb2.Model.FromString(content)
    for function in spec.mlProgram.functions.values():
        for block in function.block_specializations.values():
            _rename(block, {i.name for i in function.inputs} | set(block.outputs))
    slim: bytes = spec.SerializeToString()
    return slim


def _rename(block: Any, kept: set[str]) -> None:
    """Short names for all values but those in `kept`; of equal constants the first serves all."""
    names = {name: name for name in kept}
    constants: dict[bytes, str] = {}
    operations = []
    for operation in block.operations:
        if operation.type == "const" and operation.outputs[0].name not in kept:
            value = operation.attributes["val"].SerializeToString(deterministic=True)
            if value in constants:
                names[operation.outputs[0].name] = constants[value]
                continue
            constants[value] = f"c{len(constants)}"
            names[operation.outputs[0].name] = constants[value]
        for output in operation.outputs:
            output.name = names.setdefault(output.name, f"v{len(names)}")
        for source in operation.inputs.values():
            for argument in source.arguments:
                if argument.WhichOneof("binding") == "name":
                    argument.name = names[argument.name]
        if "name" in operation.attributes:
            operation.attributes["name"].immediateValue.tensor.strings.values[:] = [operation.outputs[0].name]
        operations.append(operation)
    fresh = type(block)(outputs=block.outputs, attributes=block.attributes, operations=operations)
    block.CopyFrom(fresh)


PACKAGES = ("Encoder", "Comparator")
WEIGHTS_ITEM = "Data/com.apple.CoreML/weights"
SUMS_OF_SQUARES = ("reduce_l2_norm", "reduce_sum_square")  # of microvolts: they overflow float16
ON_THIS_MAC = " on this Mac"


def to_coreml(graph: Graph, scheme: Scheme = FLOAT32) -> dict[str, bytes]:
    """One graph as the files of an mlprogram package (watchOS 9, iOS 16, macOS 13), by name inside the package.

    The graph's weights lie on the scheme's grid already. Raises UnsupportedOperationError.
    """
    precision: Any = ct.precision.FLOAT32
    if scheme is FLOAT16:
        precision = ct.transform.FP16ComputePrecision(op_selector=_stands_float16)
    with quiet():
        try:
            model = ct.convert(
                _convertible(graph),
                outputs=[ct.TensorType(name=graph.output)],
                convert_to="mlprogram",
                minimum_deployment_target=ct.target.watchOS9,
                compute_precision=precision,
                compute_units=ct.ComputeUnit.CPU_ONLY,
                skip_model_load=True,
            )
        except (NotImplementedError, ValueError, RuntimeError) as error:
            raise UnsupportedOperationError(
                f"coremltools can't convert the {graph.name}: {first_line(error)}"
            ) from None
        if scheme is INT8:
            op = cto.OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int8", weight_threshold=0)
            every = cto.OptimizationConfig(op_type_configs={"conv": op, "linear": op})
            model = cto.linear_quantize_weights(model, every)
    _describe(model, graph)
    with tempfile.TemporaryDirectory() as scratch:
        package = Path(scratch) / "Model.mlpackage"
        model.save(str(package))
        return _files(package)


def _convertible(graph: Graph) -> torch.export.ExportedProgram:
    """The graph as coremltools takes it: inputs by the contract's names, without views that change nothing."""
    program = deepcopy(graph.decomposed)
    nodes = program.graph_module.graph
    for node in list(nodes.nodes):
        if node.op == "call_function" and node.target is torch.ops.aten.alias.default:
            node.replace_all_uses_with(node.args[0])
            nodes.erase_node(node)
    given = [spec for spec in program.graph_signature.input_specs if spec.kind is InputKind.USER_INPUT]
    placed = {node.name: node for node in nodes.nodes if node.op == "placeholder"}
    for spec, name in zip(given, graph.inputs, strict=True):
        node = placed[spec.arg.name]
        node.name = node.target = name
        spec.arg = TensorArgument(name=node.name)
    return program


def _stands_float16(op: Any) -> bool:
    """Not sums of squares of microvolts, which overflow, nor what is rounded to a place along a beat: 94.3 is 94.25."""
    after = [child for output in op.outputs for child in output.child_ops]
    after += [child for one in after for output in one.outputs for child in output.child_ops]
    before = [value.op for value in op.inputs.values() if getattr(value, "op", None)]
    return op.op_type not in SUMS_OF_SQUARES and not any(o.op_type == "floor" for o in (op, *after, *before))


def _describe(model: Any, graph: Graph) -> None:
    model.author, model.version, model.license = "Edge ECG", version("edge-ecg"), graph.about.get("license", "")
    model.short_description = f"Edge ECG {graph.name}. {INTENDED_USE}"
    for name in graph.inputs:
        model.input_description[name] = graph.meaning[name]
    model.output_description[graph.output] = graph.meaning[graph.output]
    model.user_defined_metadata.clear()
    model.user_defined_metadata["com.github.apple.coremltools.version"] = version("coremltools")
    model.user_defined_metadata["edge_ecg.intended_use"] = INTENDED_USE
    for name, value in graph.about.items():
        model.user_defined_metadata[f"edge_ecg.{name}"] = value


def _files(package: Path) -> dict[str, bytes]:
    """A package's files, by name inside it, without those that no runtime reads."""
    files = {
        file.relative_to(package).as_posix(): file.read_bytes()
        for file in sorted(package.rglob("*"))
        if file.is_file() and file.name != "executorch_debug_handle_mapping.json"
    }
    if not any(name.startswith(f"{WEIGHTS_ITEM}/") for name in files):  # a package without weights: no empty folder
        manifest = json.loads(files["Manifest.json"])
        entries = manifest["itemInfoEntries"]
        manifest["itemInfoEntries"] = {
            key: entry for key, entry in entries.items() if not WEIGHTS_ITEM.endswith(entry["path"])
        }
        files["Manifest.json"] = json.dumps(manifest, indent=4).encode()
    return files | {name: minified_mlprogram(files[name]) for name in files if name.endswith(".mlmodel")}


def opened_package(package: str, files: Files, opener: Callable[[Path], Any] = MilProgram) -> Any:
    """A package of a bundle's files through `opener`, which reads all it needs."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in files.items():
            if name.startswith(f"{package}/"):
                (Path(scratch) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(scratch) / name).write_bytes(content)
        return opener(Path(scratch) / package)


def _through_executor(files: Files, packages: tuple[str, ...]) -> Engine:
    """The packages through the NumPy executor. Raises ParityError if they are not the contract's."""
    encoder, comparator = (opened_package(package, files) for package in packages)
    engine = _by_name(encoder, comparator)
    length = embedding_length(engine.encode)
    require_shapes(packages[0], encoder.inputs, {"beat": [1, CONTRACT.beat_length]})
    require_shapes(packages[1], comparator.inputs, {"embedding": [1, length], "references": [None, length]})
    require_shapes("Core ML", {**encoder.outputs, **comparator.outputs}, {"embedding": [1, length], "logit": [None]})
    return engine


def _through_core_ml(files: Files, packages: tuple[str, ...]) -> Engine:
    """The packages through Core ML itself, on a Mac."""

    def opened(package: Path) -> Callable[..., np.ndarray]:
        model = ct.models.MLModel(str(package), compute_units=ct.ComputeUnit.CPU_ONLY)
        return lambda **inputs: np.asarray(next(iter(model.predict(inputs).values())), np.float32)

    return _by_name(*(opened_package(package, files, opened) for package in packages))


def _by_name(encoder: Callable[..., np.ndarray], comparator: Callable[..., np.ndarray]) -> Engine:
    return Engine(
        lambda beat: encoder(beat=beat),
        lambda embedding, references: comparator(embedding=embedding, references=references),
    )


def _artifact(scheme: Scheme) -> Artifact:
    packages = tuple(f"{name}{'' if scheme is FLOAT32 else f'_{scheme.name}'}.mlpackage" for name in PACKAGES)

    def write(graphs: Graphs, _bank: ReferenceBank) -> dict[str, bytes]:
        return {
            f"{package}/{name}": content
            for package, graph in zip(packages, graphs, strict=True)
            for name, content in to_coreml(graph, scheme).items()
        }

    def weights(files: Files) -> list[StoredWeight]:
        return [StoredWeight(*stored) for package in packages for stored in opened_package(package, files).weights()]

    return Artifact(
        f"coreml {scheme.name}",
        packages,
        REFERENCES_INT8 if scheme is INT8 else REFERENCES,
        scheme,
        write,
        lambda files: _through_executor(files, packages),
        weights,
        half=scheme is FLOAT16,
    )


COREML = tuple(_artifact(scheme) for scheme in (FLOAT32, FLOAT16, INT8))
COREML_ON_THIS_MAC = tuple(
    replace(a, name=a.name + ON_THIS_MAC, open=partial(_through_core_ml, packages=a.parts), timed=True)
    for a in COREML
    if sys.platform == "darwin"
)
