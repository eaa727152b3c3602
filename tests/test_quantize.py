"""Fewer bits: weights lie on the grid that is claimed, files are smaller, and what an app reads is still there."""

import onnx
import pytest
import torch
from onnx import TensorProto

pytest.importorskip("coremltools")

from edge_ecg.bundles.bundle import COMPARATOR, ENCODER, read_files
from edge_ecg.contract import CONTRACT, INTENDED_USE
from export.formats.onnx import COMPARATOR_INT8, ENCODER_INT8
from export.graphs import INT8, fused_for_export
from export.mil.apple import Model_pb2
from export.pipeline import ARTIFACTS
from train.run import Run, load_run

ONNX_FILES = (ENCODER, COMPARATOR, ENCODER_INT8, COMPARATOR_INT8)


@pytest.fixture(scope="module")
def run(small_run) -> Run:
    return load_run(small_run)


@pytest.fixture(scope="module")
def files(small_bundle) -> dict[str, bytes]:
    return read_files(small_bundle)[1]


def test_an_int8_weight_moves_an_embedding_by_no_more_than_half_a_step_of_each_number(run):
    """The samples that the one linear map takes have length 1, so the sum of their sizes is at most the root of 95."""
    beats = torch.from_numpy(run.validation.values)
    exact, small = fused_for_export(run.model).encoder, INT8.compressed(run.model).encoder
    half_step = exact.project.weight.abs().amax(1) / 127 / 2
    with torch.no_grad():
        off = (small(beats) - exact(beats)).abs().amax(0)
    assert (off > 0).all()
    assert (off <= half_step * (95**0.5 + beats[:, 383].max()) * 1.001).all()


@pytest.mark.parametrize("artifact", [a for a in ARTIFACTS if a.scheme is INT8], ids=lambda a: a.name)
def test_nearly_every_weight_is_int8_in_the_file(small_bundle, files, artifact):
    row = next(r for r in read_files(small_bundle)[0]["parity"] if r["engine"] == artifact.name)
    if not row["shipped"]:
        pytest.skip(f"{artifact.name} was not shipped")
    int8 = sum(weight.value.size for weight in artifact.weights(files) if weight.bits == 8)
    assert int8 >= row["quantized_weights"] >= 0.95 * row["weights"]


def test_int8_onnx_is_weights_alone(files):
    for name in (ENCODER_INT8, COMPARATOR_INT8):
        graph = onnx.load_from_string(files[name]).graph
        int8 = {t.name for t in graph.initializer if t.data_type == TensorProto.INT8}
        assert int8 == {n.input[0] for n in graph.node if n.op_type == "DequantizeLinear"}
        assert not any(n.op_type == "QuantizeLinear" for n in graph.node)
    assert sum(len(files[n]) for n in ONNX_FILES[2:]) < 0.8 * sum(len(files[n]) for n in ONNX_FILES[:2])


def test_a_package_tells_an_app_what_it_takes_and_what_it_is_for(files):
    for package, inputs, output in (
        ("Encoder", {"beat"}, "embedding"),
        ("Comparator", {"embedding", "references"}, "logit"),
    ):
        spec = Model_pb2.Model.FromString(files[f"{package}.mlpackage/Data/com.apple.CoreML/model.mlmodel"])
        assert {feature.name for feature in spec.description.input} == inputs
        assert [feature.name for feature in spec.description.output] == [output]
        described = [f.shortDescription for f in (*spec.description.input, *spec.description.output)]
        assert all(described)
        metadata = spec.description.metadata
        assert metadata.author
        assert metadata.versionString
        assert metadata.license == "Apache-2.0"
        assert metadata.userDefined["edge_ecg.contract"] == str(CONTRACT.version)
        assert metadata.userDefined["edge_ecg.labels"] == "fasting, glucose"
        assert metadata.userDefined["com.github.apple.coremltools.version"]
        assert metadata.userDefined["edge_ecg.intended_use"] == INTENDED_USE
    assert "microvolts" in described[0] or "embedding" in described[0]


@pytest.mark.parametrize("name", ONNX_FILES)
def test_an_onnx_file_asks_for_no_more_than_its_operators_need(files, name):
    """onnxruntime 1.17 reads IR version 9 at most; version 8 came with opset 15."""
    model = onnx.load_from_string(files[name])
    assert model.ir_version <= 8
    (opset,) = model.opset_import
    newest = max(onnx.defs.get_schema(n.op_type, max_inclusive_version=18).since_version for n in model.graph.node)
    assert opset.version == newest


@pytest.mark.parametrize("name", ONNX_FILES)
def test_onnx_nodes_are_named_after_the_modules_they_come_from(files, run, name):
    model = onnx.load_from_string(files[name])
    model_as_exported = fused_for_export(run.model)
    owner = model_as_exported.encoder if "encoder" in name else model_as_exported.comparator
    modules = {module for module, _ in owner.named_modules() if module}
    names = [node.name for node in model.graph.node]
    if "int8" in name:  # whose names are short: its float32 file has them
        assert not any(names)
        return
    assert len(set(names)) == len(names)
    within = {node_name.rpartition(".")[0] for node_name in names} - {""}
    assert {w for w in within if not w.endswith(("weight", "bias"))} <= modules
    assert within & modules


@pytest.mark.parametrize("name", ONNX_FILES)
def test_an_onnx_file_says_what_it_is_and_what_it_is_for(files, name):
    model = onnx.load_from_string(files[name])
    assert model.doc_string == INTENDED_USE
    about = {prop.key: prop.value for prop in model.metadata_props}
    assert about == {"contract": str(CONTRACT.version), "labels": "fasting, glucose", "license": "Apache-2.0"}
    has_texts = [bool(feature.doc_string) for feature in (*model.graph.input, *model.graph.output)]
    assert all(has_texts) if "int8" not in name else not any(has_texts)
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
