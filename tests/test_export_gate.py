"""The gate bites: whatever is changed in an artefact, it is no longer the model's, and is refused by name."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.numpy
from onnx import numpy_helper

pytest.importorskip("coremltools")

from click.testing import CliRunner

from edge_ecg.bundle import COMPARATOR, ENCODER, GOLDEN, REFERENCES, REFERENCES_INT8, read_files, write_bundle
from edge_ecg.contract import Contract
from edge_ecg.errors import ParityError
from edge_ecg.portable import LAYERS, WEIGHTS, WEIGHTS_INT8
from export.artefacts import ARTEFACTS, artefact
from export.original import ORIGINAL, Original
from export.parity import Parity, Trial, parity, require
from train.checkpoint import load_run

Files = dict[str, bytes]
FLOAT = ("onnx fp32", "coreml fp32", "portable fp32")


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> tuple[dict, Files]:
    return read_files(small_bundle)


@pytest.fixture(scope="module")
def trial(bundle: tuple[dict, Files], small_run: Path) -> Trial:
    """Three recordings of each state are enough to find a fault."""
    manifest, files = bundle
    original = Original.from_bytes(files[ORIGINAL], manifest["model"]["architecture"])
    beats = load_run(small_run).validation
    return Trial(original, beats, tuple(manifest["labels"]), Contract.from_json(manifest["contract"]).voting)


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


def refused(trial: Trial, name: str, files: Files) -> Parity:
    result = trial.check(artefact(name), files)
    assert result.faults, f"{name} was changed and passed"
    with pytest.raises(ParityError, match=name):
        result.require()
    return result


def test_what_the_bundle_ships_passes(bundle, trial):
    manifest, files = bundle
    shipped = [row["engine"] for row in manifest["parity"] if row["shipped"]]
    assert set(FLOAT) <= set(shipped)
    for name in shipped:
        result = trial.check(artefact(name), files)
        assert result.faults == ()
        assert result.recording_flips == 0


def test_one_changed_weight_is_refused(bundle, trial):
    files = bundle[1]
    is_kernel = lambda v: v.dtype == np.float32 and v.ndim == 3  # noqa: E731
    refused(trial, "onnx fp32", {**files, ENCODER: edited_onnx(files[ENCODER], add_to_one, is_kernel)})

    def one_step(tensors):
        tensors["a"].flat[3] += np.int8(1) if tensors["a"].flat[3] < 127 else np.int8(-1)

    refused(trial, "portable int8", {**files, WEIGHTS_INT8: edited_tensors(files[WEIGHTS_INT8], one_step)})


def test_a_transposed_kernel_is_refused(bundle, trial):
    files = bundle[1]
    is_kernel = lambda v: v.dtype == np.float32 and v.ndim == 3 and v.shape[2] > 1  # noqa: E731
    flipped = edited_onnx(files[ENCODER], lambda kernel: kernel[:, :, ::-1], is_kernel)
    refused(trial, "onnx fp32", {**files, ENCODER: flipped})

    def transpose(tensors):
        name = next(n for n, t in tensors.items() if t.ndim == 2 and min(t.shape) > 1)
        tensors[name] = tensors[name].T.reshape(tensors[name].shape)

    refused(trial, "portable fp32", {**files, WEIGHTS: edited_tensors(files[WEIGHTS], transpose)})


@pytest.mark.parametrize("file", [REFERENCES, REFERENCES_INT8])
def test_a_swapped_reference_is_refused(bundle, trial, file):
    files = bundle[1]

    def swap(tensors):
        tensors["embeddings"][[0, 1]] = tensors["embeddings"][[1, 0]]
        if "embeddings.scale" in tensors:
            tensors["embeddings.scale"][[0, 1]] = tensors["embeddings.scale"][[1, 0]]

    name = next(a.name for a in ARTEFACTS if a.references == file and trial.passes(a, files))
    result = refused(trial, name, {**files, file: edited_tensors(files[file], swap)})
    assert "2 references are not the original's" in result.faults[0]


def test_a_swapped_label_is_refused(bundle, trial):
    files = bundle[1]

    def swap(tensors):
        tensors["is_target"][[0, -1]] = tensors["is_target"][[-1, 0]]

    refused(trial, "onnx fp32", {**files, REFERENCES: edited_tensors(files[REFERENCES], swap)})


def test_a_wrong_scale_is_refused(bundle, trial):
    files = bundle[1]

    def louder(tensors):
        tensors["a.scale"][0] *= np.float32(1.01)

    refused(trial, "portable int8", {**files, WEIGHTS_INT8: edited_tensors(files[WEIGHTS_INT8], louder)})
    if "encoder_int8.onnx" in files:
        is_scale = lambda v: v.dtype == np.float32 and v.ndim == 1 and v.size > 1  # noqa: E731
        content = edited_onnx(files["encoder_int8.onnx"], lambda v: v * np.float32(1.02), is_scale)
        refused(trial, "onnx int8", {**files, "encoder_int8.onnx": content})


@pytest.mark.parametrize("name", ["coreml fp32", "coreml int8"])
def test_one_changed_byte_of_a_core_ml_weights_file_is_refused(bundle, trial, name):
    files = bundle[1]
    kind = artefact(name)
    if not kind.files(files):
        pytest.skip(f"{name} was not shipped")
    weights = next(n for n in kind.files(files) if n.startswith("Encoder") and n.endswith("weight.bin"))
    content = bytearray(files[weights])
    content[64 + 64 + 7] ^= 0x40  # behind the file's header and the blob's: a number of the first kernel
    refused(trial, name, {**files, weights: bytes(content)})


def test_a_layer_left_out_is_refused_by_name(bundle, trial):
    files = bundle[1]
    form = json.loads(files[LAYERS])
    form["encoder"]["layers"] = [layer for layer in form["encoder"]["layers"] if layer["op"] != "relu"]
    result = refused(trial, "portable fp32", {**files, LAYERS: json.dumps(form).encode()})
    assert result.beat_flips > 0


def test_swapped_graphs_are_refused_for_their_names_and_shapes(bundle, trial):
    files = bundle[1]
    result = refused(trial, "onnx fp32", {**files, ENCODER: files[COMPARATOR], COMPARATOR: files[ENCODER]})
    assert "the contract wants beat [1, 384] -> embedding" in result.faults[0]


def test_nan_is_refused(bundle, trial):
    files = bundle[1]
    content = edited_onnx(files[COMPARATOR], lambda v: v * np.float32(np.nan), lambda v: v.ndim == 2)
    refused(trial, "onnx fp32", {**files, COMPARATOR: content})


def test_all_faults_of_all_artefacts_are_one_error(bundle, trial):
    files = dict(bundle[1])
    files[ENCODER] = edited_onnx(files[ENCODER], lambda v: -v, lambda v: v.dtype == np.float32 and v.ndim == 3)
    del files[WEIGHTS]
    results = [trial.check(artefact(name), files) for name in FLOAT]
    with pytest.raises(ParityError) as caught:
        require(results)
    message = str(caught.value)
    order = [message.index(w) for w in ("embeddings are off", "logits are off", "recordings are decided", "is missing")]
    assert order == sorted(order)
    assert "coreml fp32" not in message


def test_a_changed_bundle_is_refused_by_the_command_even_if_its_hashes_were_made_anew(bundle, small_dataset, tmp_path):
    manifest, everything = bundle
    always = {GOLDEN, ORIGINAL, REFERENCES, *(n for name in FLOAT for n in artefact(name).files(everything))}
    files = {name: everything[name] for name in always}
    rows = [{**row, "shipped": row["engine"] in FLOAT} for row in manifest["parity"]]
    manifest = {**manifest, "parity": rows}
    honest, forged = tmp_path / "honest", tmp_path / "forged"
    write_bundle(honest, manifest, files)
    options = [str(small_dataset), "--set", "test", "--json"]
    passed = CliRunner().invoke(parity, [str(honest), *options], catch_exceptions=False)
    assert all(row["recording_flips"] == 0 for row in json.loads(passed.stdout))
    changed = edited_onnx(files[ENCODER], add_to_one, lambda v: v.dtype == np.float32 and v.ndim == 3)
    write_bundle(forged, manifest, {**files, ENCODER: changed})
    with pytest.raises(ParityError, match="onnx fp32: embeddings are off"):
        CliRunner().invoke(parity, [str(forged), *options], catch_exceptions=False)


def test_an_original_of_another_architecture_is_refused(bundle):
    with pytest.raises(ParityError, match="effnetv2"):
        Original.from_bytes(bundle[1][ORIGINAL], "effnetv2")


def test_the_picture_is_a_picture(bundle):
    from matplotlib.image import imread

    assert imread(io.BytesIO(bundle[1]["quantization.png"])).shape[2] == 4
