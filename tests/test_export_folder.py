"""The files of `export.onnx` and `export.coreml` are all that an app needs: graphs, references, decisions."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from edge_ecg.inference.onnx_runtime import onnxruntime
from export.formats.coreml import COREML, opened_package, to_coreml
from export.graphs import graphs_of
from tests.commands import inside
from train.model.architectures import build_model


def logits_from(folder: Path, encode, compare) -> list[tuple[np.ndarray, np.ndarray]]:  # type: ignore[no-untyped-def]
    """Of each golden beat, the logits that the files alone give, and those that are expected."""
    about, steps = (json.loads((folder / name).read_text()) for name in ("comparator.json", "golden.json"))
    references = np.array(about["references"]["embeddings"], np.float32)
    return [
        (compare(encode(np.array([step["beat"]], np.float32)), references), np.array(step["logits"]))
        for step in steps["beats"]
    ]


@pytest.mark.slow
def test_an_app_needs_nothing_but_the_files(small_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "onnx"
    done = inside("export.onnx", small_run, "--out", out, "--weights", "fp32")
    assert done.returncode == 0, done.stderr
    encoder, comparator = (onnxruntime.InferenceSession(out / name) for name in ("encoder.onnx", "comparator.onnx"))
    pairs = logits_from(
        out,
        lambda beat: encoder.run(None, {"beat": beat})[0],
        lambda embedding, references: comparator.run(None, {"embedding": embedding, "references": references})[0],
    )
    assert pairs
    for got, expected in pairs:
        np.testing.assert_allclose(got, expected, atol=1e-5)
    about = json.loads((out / "comparator.json").read_text())
    config = json.loads((small_run / "config.json").read_text())
    assert (about["labels"], about["levels"], about["contract"]) == tuple(
        config[name] for name in ("labels", "levels", "contract")
    )
    np.testing.assert_allclose(
        about["references"]["embeddings"], load_file(out / "references.safetensors")["embeddings"], rtol=1e-6
    )


@pytest.mark.slow
def test_core_ml_comes_in_every_form_with_the_same(small_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "coreml"
    done = inside("export.coreml", small_run, "--out", out)
    assert done.returncode == 0, done.stderr
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    about = json.loads(files["comparator.json"])
    assert {f"coreml {kind}" for kind in ("fp32", "fp16", "int8")} >= set(about["artifacts"]) >= {"coreml fp32"}
    programs = [opened_package(package, files) for package in COREML[0].parts]
    pairs = logits_from(
        out,
        lambda beat: programs[0](beat=beat),
        lambda embedding, references: programs[1](embedding=embedding, references=references),
    )
    for got, expected in pairs:
        np.testing.assert_allclose(got, expected, atol=1e-4)


@pytest.mark.slow
def test_a_package_without_weights_names_no_folder_of_them():
    """Its bundle could not keep the empty folder, and a manifest that names a missing item is not opened."""
    comparator = graphs_of(build_model("linear"))[1]
    files = {f"Model.mlpackage/{name}": content for name, content in to_coreml(comparator).items()}
    embedding, references = np.float32([[5] + [0] * 7]), np.float32([[-6] + [0] * 7, [6] + [1] * 7])
    logits = opened_package("Model.mlpackage", files)(embedding=embedding, references=references)
    np.testing.assert_allclose(logits, [11 - 6, 1 - 6], rtol=1e-5)
