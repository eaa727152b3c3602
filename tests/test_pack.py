"""A packed bundle is one small file that decides as the bundle's own int8, and is opened only as it was written."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ecg.bundles.bundle import (
    DEVICE_FILES,
    load_bundle,
    packed,
    read_files,
    unpacked,
    write_bundle,
)
from edge_ecg.bundles.manifest import MANIFEST, SCHEMA_VERSION, sealed
from edge_ecg.bundles.pack import pack_bundle
from edge_ecg.bundles.sign import sign_bundle, signature_path, verify_bundle
from edge_ecg.errors import AlteredBundleError, BundleError, BundleVersionError, EdgeEcgError
from edge_ecg.inference.portable import LAYERS, WEIGHTS_INT8, load_portable
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.playback import replay
from edge_ecg.readers.read import read_recording
from tests.commands import edge_ecg
from tests.test_sign import key_pair

WATCH_BYTES = 16_000


@pytest.fixture(scope="module")
def pack(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pack") / "person.ecgbundle"
    done = edge_ecg("pack", small_bundle, "--out", out)
    assert done.returncode == 0, done.stderr
    assert f"{out.stat().st_size:,} bytes" in done.stdout
    return out


def test_it_is_small_and_says_what_a_device_needs(pack: Path, small_bundle: Path) -> None:
    bundle, whole = load_bundle(pack), load_bundle(small_bundle)
    assert pack.stat().st_size <= WATCH_BYTES
    assert (bundle.labels, bundle.contract, bundle.rule) == (whole.labels, whole.contract, whole.rule)
    assert bundle.manifest["intended_use"] == whole.manifest["intended_use"]
    assert bundle.manifest["packed_from"] == whole.sha256
    ours, theirs = bundle.references.distribution, whole.references.distribution
    assert ours
    assert theirs
    assert ours.known_days == theirs.known_days
    assert ours.limit == theirs.limit


def test_it_decides_as_the_bundles_own_int8(pack: Path, small_bundle: Path, small_dataset: Path) -> None:
    """The oracle is put together from the int8 weights and references of the whole bundle."""
    whole, (_, files) = load_bundle(small_bundle), read_files(small_bundle)
    encoder, comparator = load_portable(files[LAYERS], files[WEIGHTS_INT8])
    references = ReferenceBank.from_bytes(whole.references.to_int8_bytes())
    wanted = replace(whole, encoder=encoder, comparator=comparator, references=references, person=None)
    for path in sorted(small_dataset.parent.glob("0309/*/*.csv")):
        got, expected = (replay(bundle, read_recording(path)) for bundle in (load_bundle(pack), wanted))
        assert got.decision == expected.decision
        assert [j.vote for j in got.judged] == [j.vote for j in expected.judged]


def test_a_form_that_ships_no_int8_is_packed_in_float32(small_bundle: Path, tmp_path: Path) -> None:
    manifest, files = read_files(small_bundle)
    kept = {name: content for name, content in files.items() if name != WEIGHTS_INT8}
    write_bundle(tmp_path / "bundle", manifest, kept)
    pack_bundle(tmp_path / "bundle", tmp_path / "a.ecgbundle")
    embeddings = load_bundle(tmp_path / "a.ecgbundle").references.embeddings
    np.testing.assert_array_equal(embeddings, load_bundle(small_bundle).references.embeddings)


@given(data=st.data())
def test_any_changed_byte_is_refused_as_altered(pack: Path, data: st.DataObject) -> None:
    content = bytearray(pack.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    altered = pack.with_name("altered.ecgbundle")
    altered.write_bytes(content)
    with pytest.raises(BundleError, match=r"^[^\n]+$") as refused:
        load_bundle(altered)
    assert not isinstance(refused.value, BundleVersionError)
    if not 0 <= next(k for k, (a, b) in enumerate(zip(content, pack.read_bytes(), strict=True)) if a != b) < 9:
        assert isinstance(refused.value, AlteredBundleError)  # the first nine bytes tell one kind of file from another


def resealed(pack: Path, out: Path, **entries: object) -> Path:
    """A pack that a forger, or another version, sealed with other entries."""
    files = unpacked(pack, pack.read_bytes())
    manifest = json.loads(files[MANIFEST]) | entries
    out.write_bytes(packed({**files, **sealed(manifest)}))
    return out


def test_a_newer_schema_is_another_error_than_an_altered_file(pack: Path, tmp_path: Path) -> None:
    newer = resealed(pack, tmp_path / "newer.ecgbundle", schema=SCHEMA_VERSION + 1)
    with pytest.raises(BundleVersionError, match="schema is 4, this edge_ecg reads 3"):
        load_bundle(newer)
    with pytest.raises(BundleError, match=r"levels is 'none'"):
        load_bundle(resealed(pack, tmp_path / "odd.ecgbundle", levels="none"))


def test_a_form_that_can_not_be_run_is_refused(pack: Path, small_bundle: Path, tmp_path: Path) -> None:
    manifest, files = read_files(small_bundle)
    layers = json.loads(files[LAYERS])
    layers["encoder"]["layers"][0]["inputs"] = ["nothing"]
    spoilt = {**files, LAYERS: json.dumps(layers).encode()}
    write_bundle(tmp_path / "bundle", manifest, spoilt)
    pack_bundle(tmp_path / "bundle", tmp_path / "a.ecgbundle")
    with pytest.raises(BundleError, match="portable form can't be"):
        load_bundle(tmp_path / "a.ecgbundle")


def test_its_signature_is_over_its_own_manifest(pack: Path, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    private, public = key_pair(tmp_path)
    copy = Path(shutil.copyfile(pack, tmp_path / "person.ecgbundle"))
    assert sign_bundle(copy, private) == signature_path(copy) == tmp_path / "person.ecgbundle.sig"
    assert verify_bundle(copy, public) == load_bundle(pack).manifest
    resealed(copy, copy, labels=["other", "labels"])
    with pytest.raises(BundleError, match="not signed by the owner"):
        verify_bundle(copy, public)


def test_nothing_else_is_replaced_or_packed(pack: Path, small_bundle: Path, tmp_path: Path) -> None:
    again = Path(shutil.copyfile(pack, tmp_path / "again.ecgbundle"))
    assert pack_bundle(small_bundle, again) == pack.stat().st_size
    note = tmp_path / "note.txt"
    note.write_text("mine")
    with pytest.raises(EdgeEcgError, match="is there already and is no packed bundle"):
        pack_bundle(small_bundle, note)
    assert note.read_text() == "mine"
    with pytest.raises(EdgeEcgError, match="is packed already"):
        pack_bundle(pack, tmp_path / "twice.ecgbundle")
    manifest, files = read_files(small_bundle)
    write_bundle(tmp_path / "none", manifest, {n: c for n, c in files.items() if n not in DEVICE_FILES[:2]})
    with pytest.raises(BundleError, match="no portable form"):
        pack_bundle(tmp_path / "none", tmp_path / "none.ecgbundle")


def test_it_says_what_it_is(pack: Path) -> None:
    done = edge_ecg("inspect", pack)
    assert done.returncode == 0, done.stderr
    assert "packed        from the bundle" in done.stdout


@pytest.mark.parametrize("command", ["profile", "report", "enroll"])
def test_commands_that_need_the_whole_bundle_say_so(
    pack: Path, small_dataset: Path, tmp_path: Path, command: str
) -> None:
    recordings = [small_dataset.parent / "0309"] if command == "enroll" else []
    out = [] if command == "profile" else ["--out", tmp_path / "out.html"]
    done = edge_ecg(command, pack, *recordings, *out)
    assert done.returncode == 2
    assert "is packed for a device" in done.stderr
    assert not (tmp_path / "out.html").exists()
