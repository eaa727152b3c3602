"""LiteRT files decide as the model they come from. Skipped without the extra `[litert]`, or without ExecuTorch."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_ecg.bundles.bundle import REFERENCES, read_files
from edge_ecg.inference.person import OUTPUTS
from edge_ecg.inference.references import ReferenceBank
from export.formats.litert import COMPARATOR, LITERT, PERSON, LiteRT
from export.gate.parity_check import REFERENCE_MODEL, ParityCheck, ReferenceModel
from tests.commands import ROOT, inside
from train.run import load_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exported(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("litert_torch")
    out = tmp_path_factory.mktemp("litert") / "bundle"
    done = inside("export.bundle", small_run, "--out", out, "--only", "litert")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def files(exported: Path) -> dict[str, bytes]:
    return read_files(exported)[1]


@pytest.fixture(scope="module")
def check(files: dict[str, bytes], small_run: Path) -> ParityCheck:
    run = load_run(small_run)
    return ParityCheck(ReferenceModel.from_bytes(files[REFERENCE_MODEL], "aligned"), run.validation, run.rule)


def test_without_the_extra_it_names_what_to_install(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr("export.formats.litert.find_spec", lambda name: there(name) if "litert" not in name else None)
    done = inside("export.bundle", small_run, "--out", tmp_path / "bundle", "--only", "litert")
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "LiteRT needs litert-torch and ai-edge-litert: pip install -e '.[litert]'" in done.stderr


def test_no_beat_and_no_recording_is_decided_otherwise(exported: Path) -> None:
    rows = {row["engine"]: row for row in json.loads((exported / "manifest.json").read_text())["parity"]}
    for artifact in LITERT:
        assert rows[artifact.name]["shipped"]
        assert (rows[artifact.name]["beat_flips"], rows[artifact.name]["recording_flips"]) == (0, 0)


def test_golden_vectors_follow_from_the_person(files: dict[str, bytes]) -> None:
    person = LiteRT(files[PERSON])
    assert set(person.outputs) == set(OUTPUTS)
    for step in json.loads(files["golden.json"])["beats"]:
        outputs = person(beat=np.array([step["beat"]], np.float32))
        np.testing.assert_allclose(outputs["evidence"][0, 0], step["evidence"], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(outputs["logits"][0], step["logits"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [COMPARATOR, PERSON])
def test_one_changed_number_is_refused(files: dict[str, bytes], check: ParityCheck, name: str) -> None:
    """Of those that the head has: found in the file by their bytes."""
    weight = check.reference.model.comparator.hidden.weight.detach().numpy().tobytes()  # type: ignore[union-attr]
    assert files[name].count(weight) == 1
    changed = np.frombuffer(weight, np.float32).copy()
    changed[5] += 0.1
    artifact = next(each for each in LITERT if name in each.parts)
    assert not check.check(artifact, files).faults
    broken = check.check(artifact, {**files, name: files[name].replace(weight, changed.tobytes())})
    assert any("weights are not the model's" in fault for fault in broken.faults)


def test_other_references_are_refused(files: dict[str, bytes], check: ParityCheck) -> None:
    bank = ReferenceBank.from_bytes(files[REFERENCES]).embeddings
    changed = files[PERSON].replace(bank.tobytes(), (bank + np.float32(0.1)).tobytes())
    assert check.check(LITERT[1], {**files, PERSON: changed}).faults


def test_numbers_lie_at_multiples_of_16_bytes(files: dict[str, bytes]) -> None:
    """A Cortex-M may not read them elsewhere."""
    assert files[PERSON].index(ReferenceBank.from_bytes(files[REFERENCES]).embeddings.tobytes()) % 16 == 0


def test_tflite_micro_gives_the_same(files: dict[str, bytes]) -> None:
    micro = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    person, on_a_device = LiteRT(files[PERSON]), micro.Interpreter.from_bytes(files[PERSON], arena_size=16 * 1024)
    for step in json.loads(files["golden.json"])["beats"]:
        beat = np.array([step["beat"]], np.float32)
        on_a_device.set_input(beat, 0)
        on_a_device.invoke()
        got = [on_a_device.get_output(place) for place in range(len(OUTPUTS))]
        for name, wanted in person(beat=beat).items():
            assert any(g.shape == wanted.shape and np.allclose(g, wanted, rtol=1e-5, atol=1e-5) for g in got), name


def test_the_recipe_for_executorch_gives_the_same(small_run: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("executorch.runtime").Runtime.get()
    recipe = [sys.executable, ROOT / "examples/to_executorch.py", small_run, tmp_path / "pte"]
    subprocess.run(recipe, check=True, cwd=ROOT, capture_output=True)
    run = load_run(small_run)
    beats, references = (torch.from_numpy(run.training.values[part]) for part in ([0], run.references()[0]))
    encode, compare = (
        runtime.load_program(tmp_path / f"pte/{name}.pte").load_method("forward").execute
        for name in ("encoder", "comparator")
    )
    with torch.no_grad():
        bank = run.model.encoder(references)
        wanted = run.model.comparator(run.model.encoder(beats), bank)
    torch.testing.assert_close(compare([encode([beats])[0], bank])[0], wanted, rtol=1e-5, atol=1e-5)
