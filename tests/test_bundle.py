"""A bundle is opened only as it was written: every change is refused with a sentence, nothing is half-written."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from edge_ecg.bundles.bundle import load_bundle, read_files, write_bundle
from edge_ecg.bundles.manifest import MANIFEST
from edge_ecg.cli import cli
from edge_ecg.errors import BundleError, EdgeEcgError
from edge_ecg.inference.references import ReferenceBank
from export.__main__ import export_bundle
from tests.bad_bundles import forge


@pytest.fixture
def copy(small_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_bundle, tmp_path / "bundle"))


def rewritten(bundle: Path, change: Callable[[dict], None], **files: bytes) -> None:
    """Write the bundle anew with a changed manifest or files, sealed as a forger would."""
    manifest, content = read_files(bundle)
    change(manifest)
    shutil.rmtree(bundle)
    write_bundle(bundle, manifest, content | {name.replace("__", "."): value for name, value in files.items()})


def test_what_is_written_can_be_opened(small_bundle: Path) -> None:
    bundle = load_bundle(small_bundle)
    assert bundle.labels == ("fasting", "glucose")
    assert bundle.manifest["model"]["parameters"] < 9000
    assert "medical" in bundle.manifest["intended_use"]


def test_a_zip_is_the_same_bundle(small_bundle: Path, tmp_path: Path) -> None:
    archive = tmp_path / "bundle.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
        for file in small_bundle.rglob("*"):
            z.write(file, file.relative_to(small_bundle).as_posix())
    assert load_bundle(archive).manifest == load_bundle(small_bundle).manifest


@given(data=st.data())
def test_any_changed_byte_is_refused(small_bundle: Path, copy: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(f.relative_to(copy).as_posix() for f in copy.rglob("*") if f.is_file())))
    original = (small_bundle / name).read_bytes()
    place = data.draw(st.integers(0, len(original) - 1))
    changed = bytearray(original)
    changed[place] ^= data.draw(st.integers(1, 255))
    (copy / name).write_bytes(changed)
    with pytest.raises(BundleError, match=r"^[^\n]+$"):
        load_bundle(copy)
    (copy / name).write_bytes(original)


@pytest.mark.parametrize("name", ["encoder.onnx", "references.safetensors", MANIFEST])
@pytest.mark.parametrize("damage", ["missing", "truncated", "longer", "link", "folder"])
def test_damage_is_refused(copy: Path, tmp_path: Path, name: str, damage: str) -> None:
    file = copy / name
    content = file.read_bytes()
    file.unlink()
    if damage == "truncated":
        file.write_bytes(content[:-7])
    elif damage == "longer":
        file.write_bytes(content + b"\0")
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(content)
        file.symlink_to(tmp_path / "elsewhere")
    elif damage == "folder":
        file.mkdir()
    with pytest.raises(BundleError, match="bundle"):
        load_bundle(copy)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../outside", "plain file name"),
        ("/etc/passwd", "plain file name"),
        ("a/../../b", "plain file name"),
        ("a\\b", "plain file name"),
        ("", "plain file name"),
        ("C:x", "plain file name"),
    ],
)
def test_a_name_that_leads_outside_is_refused(copy: Path, name: str, reason: str) -> None:
    manifest = json.loads((copy / MANIFEST).read_bytes())
    manifest["files"][name] = {"bytes": 0, "sha256": ""}
    forge(copy, manifest)
    with pytest.raises(BundleError, match=reason):
        load_bundle(copy)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m["contract"].pop("voting"), "voting"),
        (lambda m: m["contract"].update(version=1), "version"),
        (lambda m: m.update(labels=["one"]), "labels"),
        (lambda m: m.update(labels=["same", "same"]), "labels"),
        (lambda m: m.pop("labels"), "labels"),
        (lambda m: m["labels"].append("third"), "labels is .* expected a list of 2"),
        (lambda m: m.update(labels=["one", 2]), r"labels\[1\] is 2, expected text"),
        (lambda m: m.pop("metrics"), "has no entry 'metrics'"),
        (lambda m: m["model"].update(parameters="many"), "model.parameters is 'many', expected a whole number"),
        (lambda m: m["metrics"]["train"].update(dates="0301"), "metrics.train.dates is '0301', expected a list"),
        (lambda m: m["parity"][0].update(bytes=0), r"parity\[0\].bytes is 0, expected a number above 1e-12"),
        (lambda m: m.update(enrollment={"recordings": 1}), "enrollment has no entry 'dates'"),
        (lambda m: m["contract"].update(before_r_samples=100), "384|356|encoder"),
    ],
)
def test_a_forged_manifest_that_does_not_fit_is_refused(
    copy: Path, change: Callable[[dict], None], reason: str
) -> None:
    rewritten(copy, change)
    with pytest.raises(BundleError, match=reason):
        load_bundle(copy)


def test_a_device_that_has_nothing_now_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux's /proc/kmsg calls itself a plain file, and may give nothing, as does a pipe that is not waited for."""
    end, other = os.pipe()
    os.set_blocking(end, False)
    monkeypatch.setattr("edge_ecg.bundles.bundle.plain_handle", lambda *_: os.dup(end))
    device = tmp_path / "kmsg"
    device.touch()
    try:
        with pytest.raises(BundleError, match="is neither a folder nor a whole zip archive"):
            load_bundle(device)
    finally:
        os.close(end)
        os.close(other)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_references_that_are_not_finite_are_refused(copy: Path, value: float) -> None:
    good = load_bundle(copy).references
    bad = good.embeddings.copy()
    bad[3, 1] = value
    forged = object.__new__(ReferenceBank)  # past the check that would refuse it here already
    object.__setattr__(forged, "embeddings", bad)
    object.__setattr__(forged, "is_target", good.is_target)
    rewritten(copy, lambda m: None, references__safetensors=forged.to_bytes())
    with pytest.raises(BundleError, match="NaN"):
        load_bundle(copy)


@pytest.mark.parametrize("content", [b"", b"no onnx", b"\x08\x07" * 100], ids=["empty", "text", "noise"])
def test_a_graph_that_is_none_is_refused(copy: Path, content: bytes) -> None:
    rewritten(copy, lambda m: None, encoder__onnx=content)
    with pytest.raises(BundleError, match=r"^[^\n]+$"):
        load_bundle(copy)


def test_the_comparator_can_not_stand_in_for_the_encoder(copy: Path) -> None:
    rewritten(copy, lambda m: None, encoder__onnx=(copy / "comparator.onnx").read_bytes())
    with pytest.raises(BundleError, match="encoder graph takes"):
        load_bundle(copy)


def tree(folder: Path) -> dict[str, bytes | str]:
    found = sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in found
    }


OCCUPIED: dict[str, Callable[[Path], object]] = {
    "a file": lambda out: out.write_text("years of work"),
    "something else": lambda out: (out.mkdir(), (out / "thesis.txt").write_text("years of work")),
    "a web app": lambda out: (out.mkdir(), (out / MANIFEST).write_text('{"name": "app"}'), (out / "i.html").touch()),
    "a hidden file in a bundle": lambda out: (out / ".env").write_text("secret"),
    "a folder in a bundle": lambda out: ((out / "mine").mkdir(), (out / "mine/notes.txt").write_text("mine")),
    "a link in a bundle": lambda out: (out / "link").symlink_to("/nowhere"),
    "a changed file of a bundle": lambda out: (out / "golden.json").write_text("tried something"),
    "a bundle without its manifest": lambda out: (out / MANIFEST).unlink(),
    "a bundle that lacks a file": lambda out: (out / "golden.json").unlink(),
}


@pytest.fixture
def occupied(small_bundle: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """OUT with something in it that nobody may lose."""
    out = tmp_path / "out"
    if "bundle" in request.param:
        shutil.copytree(small_bundle, out)
    OCCUPIED[request.param](out)
    return out


@pytest.mark.parametrize("occupied", OCCUPIED, indirect=True)
@pytest.mark.parametrize("command", ["enroll", "export.bundle"])
def test_what_is_no_whole_bundle_is_never_replaced(
    small_bundle: Path, small_dataset: Path, small_run: Path, tmp_path: Path, occupied: Path, command: str
) -> None:
    (tmp_path / "link").symlink_to(occupied)
    before = tree(tmp_path)
    for out in (occupied, tmp_path / "link"):
        if command == "enroll":
            words = ["enroll", str(small_bundle), str(small_dataset.parent / "0308/fasting"), "--out", str(out)]
            done = CliRunner().invoke(cli, words)
        else:
            done = CliRunner().invoke(export_bundle, [str(small_run), "--out", str(out)])
        assert isinstance(done.exception, BundleError)
        assert tree(tmp_path) == before


@pytest.mark.parametrize("command", ["enroll", "export.bundle"])
@pytest.mark.parametrize("place", ["is", "holds", "lies in"])
def test_what_is_read_is_never_replaced(
    copy: Path, small_dataset: Path, small_run: Path, tmp_path: Path, command: str, place: str
) -> None:
    source = copy if command == "enroll" else Path(shutil.copytree(small_run, tmp_path / "run"))
    out = {"is": source, "holds": source.parent, "lies in": source / "new"}[place]
    before = tree(tmp_path)
    if command == "enroll":
        words = ["enroll", str(source), str(small_dataset.parent / "0308/fasting"), "--out", str(out)]
        done = CliRunner().invoke(cli, words)
    else:
        done = CliRunner().invoke(export_bundle, [str(source), "--out", str(out)])
    assert isinstance(done.exception, EdgeEcgError)
    assert f"{place} {source}, which is read" in str(done.exception)
    assert tree(tmp_path) == before


def test_a_whole_bundle_of_any_version_is_replaced_with_its_signature(copy: Path) -> None:
    manifest, files = read_files(copy)
    forge(copy, {**json.loads((copy / MANIFEST).read_bytes()), "schema": 0})
    (copy / "manifest.sig").write_text("of the older one")
    with pytest.raises(BundleError, match="schema is 0"):
        load_bundle(copy)
    write_bundle(copy, manifest, files)
    assert load_bundle(copy).manifest["labels"] == manifest["labels"]
    assert not (copy / "manifest.sig").exists()


def test_a_failed_write_leaves_the_old_bundle(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, files = read_files(copy)
    before = load_bundle(copy).manifest

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="space"):
        write_bundle(copy, manifest, files)
    monkeypatch.undo()
    assert load_bundle(copy).manifest == before
    assert [p.name for p in copy.parent.iterdir()] == ["bundle"]


def test_the_model_card_says_what_the_manifest_says_and_names_no_recording(small_bundle: Path) -> None:
    yaml = pytest.importorskip("yaml")
    manifest = load_bundle(small_bundle).manifest
    _, metadata, text = (small_bundle / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    (result,) = yaml.safe_load(metadata)["model-index"][0]["results"]
    figures = manifest["metrics"]["validation"]
    recordings, decided = figures["recordings"], figures["sequential"]
    decisions, accuracy = result["metrics"]
    assert decisions["value"] == [decided["right"], decided["wrong"], decided["inconclusive"]]
    assert accuracy["value"] == pytest.approx(recordings["accuracy"], abs=1e-4)
    assert f"{recordings['right']} of {recordings['total']}" in accuracy["name"]
    assert f"95 % interval {recordings['accuracy_95'][0]:.1%} to" in accuracy["name"]
    assert "The test dates were not evaluated" in text
    assert manifest["intended_use"] in text
    assert f"| {recordings['right']} of {recordings['total']} |" in text
    for row in manifest["parity"]:
        assert f"| {row['engine']} | {row['bytes']:,} | {row['beat_flips']} of {row['beats']} |" in text
    assert not any(Path(source).name in metadata + text for source in manifest["references"])
