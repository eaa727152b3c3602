"""A fault made by hand in an artifact is found at its own layer, and nowhere else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper

from edge_ecg.inference.references import ReferenceBank
from export.gate.layers import layer_errors
from export.gate.parity_check import ReferenceModel
from export.graphs import Artifact, Graph, graphs_of
from export.pipeline import artifact
from train.run import load_run

pytestmark = pytest.mark.slow
ROUNDING = 1e-5


@pytest.fixture(scope="module")
def reference(small_run: Path) -> ReferenceModel:
    return ReferenceModel.of_run(load_run(small_run))


@pytest.fixture(scope="module")
def bank(reference: ReferenceModel, small_run: Path) -> ReferenceBank:
    return replace(reference.bank, distribution=load_run(small_run).distribution())


def graphs_for(reference: ReferenceModel, kind: Artifact) -> tuple[Graph, Graph]:
    return reference.graphs([kind.scheme])[kind.scheme]


def with_tensor(content: bytes, name: str, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    model = onnx.load_from_string(content)
    if name.endswith(".scale"):  # int8 files have short names: by the number of outputs
        scales = {node.input[1] for node in model.graph.node if node.op_type == "DequantizeLinear"}
        outputs = {"project.weight.scale": 8, "output.weight.scale": 1}[name]
        name = next(t.name for t in model.graph.initializer if t.name in scales and list(t.dims) == [outputs])
    tensor: TensorProto = next(t for t in model.graph.initializer if t.name == name)
    tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor).copy()), name))
    return model.SerializeToString()


def one_changed(weight: np.ndarray) -> np.ndarray:
    weight[1, 2] += 0.1 * np.abs(weight).max()
    return weight


@pytest.mark.parametrize("name", ["onnx fp32", "onnx int8", "person fp32", "coreml fp32", "coreml int8"])
def test_without_a_fault_every_layer_is_that_of_torch(
    reference: ReferenceModel, bank: ReferenceBank, name: str
) -> None:
    kind = artifact(name)
    graphs = graphs_for(reference, kind)
    beats = reference.reference_beats[:3]
    rows = layer_errors(kind, kind.write(graphs, bank), graphs, bank, beats)
    assert {"align", "project", "hidden", "output"} <= {row.module.split(".")[-1] for row in rows}
    assert max(row.error for row in rows) < ROUNDING


@pytest.mark.parametrize(
    ("name", "file", "tensor", "change", "layer"),
    [
        ("onnx fp32", "comparator.onnx", "hidden.weight", one_changed, ("comparator", "hidden")),
        ("onnx fp32", "encoder.onnx", "project.weight", lambda w: w[:, ::-1].copy(), ("encoder", "project")),
        ("onnx fp32", "encoder.onnx", "align.by_rr", lambda w: w * 1.5, ("encoder", "align")),
        ("onnx int8", "encoder_int8.onnx", "project.weight.scale", lambda w: w / 2, ("encoder", "project")),
        ("onnx int8", "comparator_int8.onnx", "output.weight.scale", lambda w: w / 2, ("comparator", "output")),
        ("person fp32", "person.onnx", "comparator.hidden.weight", one_changed, ("person", "comparator.hidden")),
        ("person fp32", "person.onnx", "directions", one_changed, ("person", "")),
    ],
)
def test_a_fault_is_found_at_its_layer(  # type: ignore[no-untyped-def]
    reference: ReferenceModel, bank: ReferenceBank, name: str, file: str, tensor: str, change, layer: tuple[str, str]
) -> None:
    kind = artifact(name)
    graphs = graphs_for(reference, kind)
    beats = reference.reference_beats[:3]
    files = kind.write(graphs, bank)
    files[file] = with_tensor(files[file], tensor, change)
    faulty = [row for row in layer_errors(kind, files, graphs, bank, beats) if row.error > ROUNDING]
    assert faulty
    assert (faulty[0].graph, faulty[0].module) == layer
    assert {(row.graph, row.module) for row in faulty} == {layer}


@pytest.mark.parametrize("module", ["hidden", "output"])
def test_a_fault_in_a_core_ml_package_is_found_at_its_layer(
    reference: ReferenceModel, bank: ReferenceBank, module: str
) -> None:
    kind = artifact("coreml fp32")
    graphs = graphs_for(reference, kind)
    damaged = graphs_of(reference.model)
    with torch.no_grad():
        getattr(damaged[1].module, module).weight[0, 1] += 0.5
    faulty = [
        row
        for row in layer_errors(kind, kind.write(damaged, bank), graphs, bank, reference.reference_beats[:3])
        if row.error > ROUNDING
    ]
    assert {(row.graph, row.module) for row in faulty} == {("comparator", module)}
