"""The gate bites: whatever is changed in an artifact, it is no longer the model's, and is refused by name.

Who can make hashes anew can do more; what is left then is `export.parity`, which compares all files with the reference
model and the bundle's own claims with what follows. If the reference model itself is exchanged, with all that follows
from it, only a signature tells. Nor can parity tell a wrong limit of the training distribution, or training facts.
"""

import copy
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.numpy
import torch
from onnx import numpy_helper

pytest.importorskip("coremltools")

from click.testing import CliRunner

from edge_ecg.bundles.bundle import (
    COMPARATOR,
    ENCODER,
    GOLDEN,
    REFERENCES,
    REFERENCES_INT8,
    load_bundle,
    read_files,
    write_bundle,
)
from edge_ecg.enroll import Enrolment, write_enrolled
from edge_ecg.errors import ParityError
from edge_ecg.inference.portable import LAYERS, WEIGHTS, WEIGHTS_INT8, dequantized
from edge_ecg.results import ArtifactParity
from export.__main__ import export_bundle
from export.formats.onnx import float_files
from export.gate.parity_check import REFERENCE_MODEL, ParityCheck, ReferenceModel, require
from export.graphs import graphs_of
from export.parity import BundleAudit, parity, same
from export.pipeline import ARTIFACTS, artifact
from train.model.architectures import build_model
from train.run import load_run

Files = dict[str, bytes]
FLOAT = ("onnx fp32", "coreml fp32", "portable fp32")


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> tuple[dict, Files]:
    return read_files(small_bundle)


@pytest.fixture(scope="module")
def check(bundle: tuple[dict, Files], small_run: Path) -> ParityCheck:
    """Three recordings of each state are enough to find a fault."""
    manifest, files = bundle
    reference = ReferenceModel.from_bytes(files[REFERENCE_MODEL], manifest["model"]["architecture"])
    run = load_run(small_run)
    return ParityCheck(reference, run.validation, run.rule)


def edited_onnx(content: bytes, edit: Callable[[np.ndarray], np.ndarray], shape_of: Callable) -> bytes:
    """An ONNX file in which the first constant that `shape_of` picks is edited."""
    model = onnx.load_from_string(content)
    for tensor in model.graph.initializer:
        value = numpy_helper.to_array(tensor)
        if shape_of(value):
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(edit(value)), tensor.name))
            return model.SerializeToString()
    raise AssertionError("nothing to edit")


def edited_tensors(content: bytes, edit: Callable[[dict], None]) -> bytes:
    tensors = {name: tensor.copy() for name, tensor in safetensors.numpy.load(content).items()}
    edit(tensors)
    return safetensors.numpy.save(tensors)


def add_to_one(value: np.ndarray, what: float = 0.01) -> np.ndarray:
    value = value.copy()
    value.flat[value.size // 2] += what * np.abs(value).max()
    return value


def is_weight(value: np.ndarray) -> bool:
    return value.dtype == np.float32 and value.ndim > 1 and min(value.shape) > 1


def refused(check: ParityCheck, name: str, files: Files) -> ArtifactParity:
    result = check.check(artifact(name), files)
    assert result.faults, f"{name} was changed and passed"
    with pytest.raises(ParityError, match=name):
        require([result])
    return result


def test_what_the_bundle_ships_passes(bundle, check):
    manifest, files = bundle
    shipped = [row["engine"] for row in manifest["parity"] if row["shipped"]]
    assert set(FLOAT) <= set(shipped)
    for name in shipped:
        result = check.check(artifact(name), files)
        assert result.faults == ()
        assert result.recording_flips == 0


def test_one_changed_weight_is_refused(bundle, check):
    files = bundle[1]
    refused(check, "onnx fp32", {**files, ENCODER: edited_onnx(files[ENCODER], add_to_one, is_weight)})

    def one_step(tensors):
        weight = next(tensor for tensor in tensors.values() if tensor.dtype == np.int8)
        weight.flat[3] += np.int8(1) if weight.flat[3] < 127 else np.int8(-1)

    refused(check, "portable int8", {**files, WEIGHTS_INT8: edited_tensors(files[WEIGHTS_INT8], one_step)})


def test_a_turned_weight_is_refused(bundle, check):
    files = bundle[1]
    flipped = edited_onnx(files[ENCODER], lambda weight: weight[:, ::-1], is_weight)
    refused(check, "onnx fp32", {**files, ENCODER: flipped})

    def transpose(tensors):
        name = next(n for n, t in tensors.items() if t.ndim == 2 and min(t.shape) > 1)
        tensors[name] = np.ascontiguousarray(tensors[name].T.reshape(tensors[name].shape))

    refused(check, "portable fp32", {**files, WEIGHTS: edited_tensors(files[WEIGHTS], transpose)})


@pytest.mark.parametrize("file", [REFERENCES, REFERENCES_INT8])
def test_a_swapped_reference_is_refused(bundle, check, file):
    files = bundle[1]

    def swap(tensors):
        tensors["embeddings"][[0, 1]] = tensors["embeddings"][[1, 0]]
        if "embeddings.scale" in tensors:
            tensors["embeddings.scale"][[0, 1]] = tensors["embeddings.scale"][[1, 0]]

    name = next(a.name for a in ARTIFACTS if a.references == file and check.check(a, files).shipped)
    result = refused(check, name, {**files, file: edited_tensors(files[file], swap)})
    assert "2 references are not the reference model's" in result.faults[0]


def test_a_swapped_label_is_refused(bundle, check):
    files = bundle[1]

    def swap(tensors):
        tensors["is_target"][[0, -1]] = tensors["is_target"][[-1, 0]]

    refused(check, "onnx fp32", {**files, REFERENCES: edited_tensors(files[REFERENCES], swap)})


def test_labels_the_other_way_round_are_refused(bundle, check):
    files = bundle[1]

    def flip(tensors):
        tensors["is_target"] = 1 - tensors["is_target"]

    refused(check, "onnx fp32", {**files, REFERENCES: edited_tensors(files[REFERENCES], flip)})
    refused(check, "portable int8", {**files, REFERENCES_INT8: edited_tensors(files[REFERENCES_INT8], flip)})


def test_a_wrong_scale_is_refused(bundle, check):
    files = bundle[1]

    def louder_reference(tensors):
        tensors["embeddings.scale"][0] *= np.float32(1.02)

    changed = edited_tensors(files[REFERENCES_INT8], louder_reference)
    result = refused(check, "portable int8", {**files, REFERENCES_INT8: changed})
    assert "1 references are not the reference model's" in result.faults[0]

    def louder(tensors):
        scale = next(n for n in tensors if n.endswith(".scale"))
        tensors[scale][0] *= np.float32(1.01)

    refused(check, "portable int8", {**files, WEIGHTS_INT8: edited_tensors(files[WEIGHTS_INT8], louder)})
    graph = onnx.load_from_string(files["encoder_int8.onnx"]).graph
    scale = next(n.input[1] for n in graph.node if n.op_type == "DequantizeLinear")
    steps = next(numpy_helper.to_array(t) for t in graph.initializer if t.name == scale)
    content = edited_onnx(
        files["encoder_int8.onnx"], lambda v: v * np.float32(1.02), lambda v: np.array_equal(v, steps)
    )
    refused(check, "onnx int8", {**files, "encoder_int8.onnx": content})


def test_int8_that_is_stored_as_float_is_refused(bundle, check):
    files = bundle[1]

    def as_float(tensors):
        for name in [n for n, t in tensors.items() if t.dtype == np.int8]:
            tensors[name] = dequantized(tensors[name], tensors.pop(f"{name}.scale"))

    changed = edited_tensors(files[WEIGHTS_INT8], as_float)
    assert "weights are not the model's" in refused(check, "portable int8", {**files, WEIGHTS_INT8: changed}).faults[0]


def test_a_changed_bias_is_refused(bundle, check):
    files = bundle[1]
    graph = onnx.load_from_string(files[ENCODER]).graph
    biases = {n.input[2] for n in graph.node if n.op_type in ("Conv", "Gemm") and len(n.input) > 2}
    is_bias = lambda v: v.ndim == 1 and v.dtype == np.float32 and v.size > 1  # noqa: E731
    assert any(is_bias(numpy_helper.to_array(t)) for t in graph.initializer if t.name in biases)
    refused(check, "onnx fp32", {**files, ENCODER: edited_onnx(files[ENCODER], add_to_one, is_bias)})

    def louder(tensors):
        tensors["b"][0] += 0.01 * np.abs(tensors["b"]).max()

    refused(check, "portable fp32", {**files, WEIGHTS: edited_tensors(files[WEIGHTS], louder)})


@pytest.mark.slow
def test_graphs_of_two_models_are_refused(bundle, check):
    manifest, files = bundle
    torch.manual_seed(1)
    other = float_files(graphs_of(build_model(manifest["model"]["architecture"]).eval()))
    for name in (ENCODER, COMPARATOR):
        refused(check, "onnx fp32", {**files, name: other[name]})


@pytest.mark.parametrize("name", ["coreml fp32", "coreml int8"])
def test_one_changed_byte_of_a_core_ml_weights_file_is_refused(bundle, check, name):
    files = bundle[1]
    kind = artifact(name)
    if not kind.files(files):
        pytest.skip(f"{name} was not shipped")
    weights = next(n for n in kind.files(files) if n.startswith("Encoder") and n.endswith("weight.bin"))
    content = bytearray(files[weights])
    content[64 + 64 + 7] ^= 0x40  # behind the file's header and the blob's: a number of the first kernel
    refused(check, name, {**files, weights: bytes(content)})


@pytest.mark.parametrize(("program", "op"), [("encoder", "floor"), ("encoder", "sqrt"), ("comparator", "relu")])
def test_a_layer_that_does_nothing_is_refused_by_name(bundle, check, program, op):
    files = bundle[1]
    form = json.loads(files[LAYERS])
    next(layer for layer in form[program]["layers"] if layer["op"] == op)["op"] = "reshape"
    refused(check, "portable fp32", {**files, LAYERS: json.dumps(form).encode()})


def test_swapped_graphs_are_refused_for_their_names_and_shapes(bundle, check):
    files = bundle[1]
    result = refused(check, "onnx fp32", {**files, ENCODER: files[COMPARATOR], COMPARATOR: files[ENCODER]})
    assert "the contract wants beat [1, 384] -> embedding" in result.faults[0]


def test_nan_is_refused(bundle, check):
    files = bundle[1]
    content = edited_onnx(files[COMPARATOR], lambda v: v * np.float32(np.nan), lambda v: v.ndim == 2)
    refused(check, "onnx fp32", {**files, COMPARATOR: content})


def test_all_faults_of_all_artifacts_are_one_error(bundle, check):
    files = dict(bundle[1])
    files[ENCODER] = edited_onnx(files[ENCODER], lambda v: -v, lambda v: v.ndim == 2 and min(v.shape) > 1)
    del files[WEIGHTS]
    results = [check.check(artifact(name), files) for name in FLOAT]
    with pytest.raises(ParityError) as caught:
        require(results)
    message = str(caught.value)
    order = [message.index(w) for w in ("embeddings are off", "logits are off", "vote otherwise", "is missing")]
    assert order == sorted(order)
    assert "coreml fp32" not in message


def only_float(bundle: tuple[dict, Files]) -> tuple[dict, Files]:
    """The bundle as if nothing else were shipped: quicker to check."""
    manifest, everything = bundle
    always = {GOLDEN, REFERENCE_MODEL, REFERENCES, *(n for name in FLOAT for n in artifact(name).files(everything))}
    rows = [{**row, "shipped": row["engine"] in FLOAT} for row in manifest["parity"]]
    return copy.deepcopy({**manifest, "parity": rows}), {name: everything[name] for name in always}


def run_parity(path: Path, dataset: Path, which: str) -> Any:
    options = [str(path), str(dataset), "--set", which, "--json"]
    return json.loads(CliRunner().invoke(parity, options, catch_exceptions=False).stdout)


def test_a_changed_bundle_is_refused_by_the_command_even_if_its_hashes_were_made_anew(bundle, small_dataset, tmp_path):
    manifest, files = only_float(bundle)
    write_bundle(tmp_path / "honest", manifest, files)
    for which in ("test", "validation"):
        assert all(row["recording_flips"] == 0 for row in run_parity(tmp_path / "honest", small_dataset, which))
    changed = edited_onnx(files[ENCODER], add_to_one, is_weight)
    write_bundle(tmp_path / "forged", manifest, {**files, ENCODER: changed})
    with pytest.raises(ParityError, match="onnx fp32: embeddings are off"):
        run_parity(tmp_path / "forged", small_dataset, "test")


def changed_metric(manifest):
    manifest["metrics"]["validation"]["recordings"]["right"] = 0


def changed_flips(manifest):
    next(row for row in manifest["parity"] if row["engine"] == "coreml fp32")["beat_flips"] = 7


def changed_bytes(manifest):
    next(row for row in manifest["parity"] if row["engine"] == "portable fp32")["bytes"] -= 1000


def changed_parameters(manifest):
    manifest["model"]["parameters"] = 100


def changed_labels(manifest):
    manifest["labels"].reverse()


def changed_levels(manifest):
    manifest["levels"]["baseline"]["mean"] = [level + 1 for level in manifest["levels"]["baseline"]["mean"]]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (changed_metric, "the metrics of validation are not those of the model"),
        (changed_flips, "coreml fp32 has another beat_flips"),
        (changed_bytes, "portable fp32 has another bytes"),
        (changed_parameters, "the model has"),
        (changed_labels, "golden.json: does not follow"),
        (changed_levels, "golden.json: does not follow"),
    ],
)  # fmt: skip
def test_a_changed_figure_in_the_manifest_is_refused(bundle, small_dataset, tmp_path, change, fault):
    manifest, files = only_float(bundle)
    change(manifest)
    write_bundle(tmp_path / "forged", manifest, files)
    with pytest.raises(ParityError, match=fault):
        run_parity(tmp_path / "forged", small_dataset, "validation")


def test_changed_golden_vectors_are_refused(bundle):
    manifest, files = bundle
    golden = json.loads(files[GOLDEN])
    assert list(BundleAudit(manifest, files).golden()) == []
    for entry, value in golden["beats"][-1].items():
        spoilt = copy.deepcopy(golden)
        spoilt["beats"][-1][entry] = "else" if isinstance(value, str) else (np.array(value) * 1.1).tolist()
        faults = list(BundleAudit(manifest, {**files, GOLDEN: json.dumps(spoilt).encode()}).golden())
        assert faults == ["golden.json: does not follow from its beats"], entry


def test_an_enrolled_bundle_is_compared_with_the_reference_model_with_moved_references(bundle, small_dataset, tmp_path):
    manifest, files = only_float(bundle)
    write_bundle(tmp_path / "before", manifest, files)
    before = load_bundle(tmp_path / "before")
    shift = np.linspace(-0.2, 0.2, before.references.embeddings.shape[1])
    moved = before.references.moved(shift)
    write_enrolled(before, Enrolment((), moved, shift, 0.5), tmp_path / "enrolled")
    assert all(row["recording_flips"] == 0 for row in run_parity(tmp_path / "enrolled", small_dataset, "validation"))
    told, others = read_files(tmp_path / "enrolled")
    told["enrollment"]["shift"][0] += 0.1
    write_bundle(tmp_path / "forged", {k: v for k, v in told.items() if k not in ("files", "sha256")}, others)
    with pytest.raises(ParityError, match="references are not the reference model's"):
        run_parity(tmp_path / "forged", small_dataset, "validation")


def test_a_reference_model_of_another_architecture_is_refused(bundle):
    with pytest.raises(ParityError, match="effnetv2"):
        ReferenceModel.from_bytes(bundle[1][REFERENCE_MODEL], "effnetv2")


def test_a_bundle_of_imported_recordings_passes_though_its_dates_are_no_numbers(bundle, small_dataset, tmp_path):
    """`edge-ecg import` names dates as ISO has them."""
    manifest, files = only_float(bundle)
    iso = lambda date: f"2024-{date[:2]}-{date[2:]}"  # noqa: E731
    for metrics in manifest["metrics"].values():
        metrics["dates"] = [iso(date) for date in metrics["dates"]]
    write_bundle(tmp_path / "bundle", manifest, files)
    text = small_dataset.read_text(encoding="utf-8")
    for date in [folder for folder in small_dataset.parent.iterdir() if folder.is_dir()]:
        shutil.copytree(date, tmp_path / "data" / iso(date.name))
        text = text.replace(f'"{date.name}"', f'"{iso(date.name)}"')
    (tmp_path / "data/dataset.toml").write_text(text, encoding="utf-8")
    assert run_parity(tmp_path / "bundle", tmp_path / "data/dataset.toml", "validation")
    manifest["metrics"]["validation"]["dates"][0] = "2024-12-24"
    write_bundle(tmp_path / "forged", manifest, files)
    with pytest.raises(ParityError, match="the metrics of validation"):
        run_parity(tmp_path / "forged", tmp_path / "data/dataset.toml", "validation")


@pytest.mark.parametrize(
    ("said", "got", "alike"),
    [
        ([1.0, 2.0001], [1.0, 2.0], True),
        ([1.0, 2.1], [1.0, 2.0], False),
        (["2024-03-01"], ["2024-03-01"], True),
        (["2024-03-01"], ["2024-03-02"], False),
        (["0301"], ["301"], False),
        (None, 1.0, False),
        (1, 1.0, True),
        (True, 1, False),
        ([], [], True),
        ([[1.0, 2.0]], [[1.0, 2.0]], True),
    ],
)
def test_values_are_the_same_to_rounding(said, got, alike):
    assert same(said, got) is alike


@pytest.mark.slow
def test_a_bundle_of_one_format_holds_that_and_the_float_graphs(small_run, tmp_path):
    options = [str(small_run), "--out", str(tmp_path / "bundle"), "--only", "portable"]
    CliRunner().invoke(export_bundle, options, catch_exceptions=False)
    manifest, files = read_files(tmp_path / "bundle")
    assert {row["engine"] for row in manifest["parity"]} == {
        "onnx fp32",
        "portable fp32",
        "portable int8",
        "person fp32",
    }
    assert not any(".mlpackage/" in name or "_int8.onnx" in name for name in files)
    assert load_bundle(tmp_path / "bundle").labels == tuple(manifest["labels"])
    refused = CliRunner().invoke(export_bundle, [*options[:-1], "tflite"])
    assert "tflite: expected some of onnx,coreml,portable" in refused.output


def test_the_picture_is_a_picture(bundle):
    from matplotlib.image import imread

    assert imread(io.BytesIO(bundle[1]["quantization.png"])).shape[2] == 4
