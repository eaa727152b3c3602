"""Fewer bits: weights lie on the grid that is claimed, files are smaller, and what an app reads is still there."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

pytest.importorskip("coremltools")

from edge_ecg.bundle import COMPARATOR, ENCODER, read_files
from edge_ecg.contract import CONTRACT, INTENDED_USE
from edge_ecg.inference.session import Session
from export.apple import Model_pb2
from export.compression.qdq import COMPARATOR_INT8, ENCODER_INT8, quantizable, to_int8
from export.compression.weights import FLOAT16, INT8, PALETTE4, PALETTE6, layers_of
from export.gate.reference_model import Original
from export.gate.stored import stored_weights
from export.graphs import graphs_of
from export.onnx import onnx_files
from train.model.model import Model
from train.run import Run, load_run


@pytest.fixture(scope="module")
def finished(small_run) -> Run:
    return load_run(small_run)


@pytest.fixture(scope="module")
def int8(finished):
    """Both files with every node in int8, as if none of them cost a vote."""
    files = onnx_files(INT8.compressed(finished.model))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("export.compression.qdq.MOST_FLIPS", np.inf)
        return files, to_int8(finished, files, Original.of_run(finished).bank(), lambda made: True)


def weights_of(model: Model) -> list[np.ndarray]:
    return [layer.weight.detach().numpy() for layer in layers_of(model)]


@pytest.mark.parametrize(("scheme", "most"), [(PALETTE6, 64), (PALETTE4, 16)])
def test_a_palette_has_so_many_values(finished, scheme, most):
    for weight in weights_of(scheme.compressed(finished.model)):
        assert not scheme.takes(weight) or len(np.unique(weight)) <= most


def test_a_palette_entry_is_the_mean_of_its_weights():
    """That is where k-means stands still."""
    weight = np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32)
    palettized = PALETTE4.on_grid(weight)
    for entry in np.unique(palettized):
        assert weight[palettized == entry].mean() == pytest.approx(entry, abs=0.02)


def test_a_compressed_model_is_near_the_model(finished):
    beats = finished.training.values[:20]
    encoder, _ = graphs_of(finished.model)
    exact = np.concatenate([encoder.run(beat=beat[np.newaxis]) for beat in beats])
    errors = []
    for scheme in (FLOAT16, INT8, PALETTE4):
        small, _ = graphs_of(scheme.compressed(finished.model))
        got = np.concatenate([small.run(beat=beat[np.newaxis]) for beat in beats])
        errors.append(np.abs(got - exact).max() / np.abs(exact).max())
    assert errors == sorted(errors)  # fewer bits, larger error
    assert errors[0] < 0.01
    assert errors[1] < 0.1


def test_int8_onnx_is_smaller_and_close(finished, int8):
    files, small = int8
    for name, small_name in ((ENCODER, ENCODER_INT8), (COMPARATOR, COMPARATOR_INT8)):
        assert len(small.files[small_name]) < len(files[name])
    beat = finished.validation.values[:1]
    exact, got = Session(files[ENCODER]).run(beat=beat), Session(small.files[ENCODER_INT8]).run(beat=beat)
    assert 0 < np.abs(got - exact).max() < 0.2 * np.abs(exact).max()


def test_nodes_are_quantized_or_named(int8):
    files, small = int8
    nodes = sum(len(quantizable(onnx.load_from_string(files[name]))) for name in (ENCODER, COMPARATOR))
    dequantized = 0
    for name in (ENCODER_INT8, COMPARATOR_INT8):
        graph = onnx.load_from_string(small.files[name]).graph
        constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
        weights = [n for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in constants]
        dequantized += sum(constants[n.input[0]].dtype == np.int8 for n in weights)
    assert dequantized + len(small.kept) == nodes
    assert small.quantized > 0


def test_every_weight_is_found_in_the_files_again(finished, int8):
    _, small = int8
    stored = stored_weights(small.files)
    for weight in weights_of(INT8.compressed(finished.model)):
        assert any(s.shape == weight.shape and np.allclose(s, weight, atol=1e-6) for s in stored)


def test_a_package_tells_an_app_what_it_takes_and_what_it_is_for(small_bundle):
    _, files = read_files(small_bundle)
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
        assert metadata.userDefined["edge_ecg.contract_version"] == str(CONTRACT.version)
        assert metadata.userDefined["edge_ecg.intended_use"] == INTENDED_USE
    assert "microvolts" in described[0] or "embedding" in described[0]


def test_onnx_files_hold_no_names_or_metadata_that_nobody_reads(small_bundle):
    _, files = read_files(small_bundle)
    for name in (ENCODER, COMPARATOR):
        model = onnx.load_from_string(files[name])
        assert not model.metadata_props
        assert not any(node.name or node.metadata_props or node.doc_string for node in model.graph.node)
        assert len({i.raw_data for i in model.graph.initializer}) == len(model.graph.initializer)
