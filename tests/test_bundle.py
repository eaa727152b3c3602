"""A bundle is opened only as it was written: every change is refused with a sentence, nothing is half-written."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_ecg.bundle import MANIFEST, load_bundle, read_files, write_bundle
from edge_ecg.errors import BundleError
from edge_ecg.inference.references import ReferenceBank


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
    assert bundle.labels == ("baseline", "target")
    assert bundle.manifest["model"]["parameters"] < 9000
    assert "medical" in bundle.manifest["intended_use"]


def test_a_zip_is_the_same_bundle(small_bundle: Path, tmp_path: Path) -> None:
    archive = tmp_path / "bundle.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
        for file in small_bundle.rglob("*"):
            z.write(file, file.relative_to(small_bundle).as_posix())
    assert load_bundle(archive).manifest == load_bundle(small_bundle).manifest


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    from edge_ecg.bundle import sealed

    (copy / MANIFEST).write_bytes(sealed(manifest))
    with pytest.raises(BundleError, match=reason):
        load_bundle(copy)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m["contract"].pop("voting"), "voting"),
        (lambda m: m["contract"].update(version=2), "version"),
        (lambda m: m.update(labels=["one"]), "labels"),
        (lambda m: m.update(labels=["same", "same"]), "labels"),
        (lambda m: m.pop("labels"), "labels"),
        (lambda m: m["contract"].update(before_r_samples=100), "384|356|encoder"),
    ],
)
def test_a_forged_manifest_that_does_not_fit_is_refused(
    copy: Path, change: Callable[[dict], None], reason: str
) -> None:
    rewritten(copy, change)
    with pytest.raises(BundleError, match=reason):
        load_bundle(copy)


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


def test_writing_over_something_else_is_refused(copy: Path, tmp_path: Path) -> None:
    manifest, files = read_files(copy)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="no bundle"):
        write_bundle(mine, manifest, files)
    assert (mine / "thesis.txt").read_text() == "years of work"


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
