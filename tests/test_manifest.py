"""The record of a manifest, its JSON Schema and the page that prints it say the same."""

import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest

from docs.schema import PAGE, with_schema
from edge_ecg.bundles.bundle import load_bundle, read_files, write_bundle
from edge_ecg.bundles.manifest import MANIFEST, SEAL, PackedManifest, read_manifest, schema, sealed
from edge_ecg.errors import BundleError, BundleVersionError, EdgeEcgError
from edge_ecg.records import parsed, schema_of
from tests.shape_cases import shape_cases


def test_the_page_prints_the_schema() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_schema(page) == page, "run python -m docs.schema"


@pytest.mark.slow
def test_a_manifest_is_of_its_schema_and_what_is_not_is_refused(small_bundle: Path) -> None:
    """jsonschema is the oracle: what it refuses, the record refuses; the record knows limits that hang on others."""
    manifest, _ = read_files(small_bundle)
    jsonschema.validate(manifest, schema())
    device = {k: v for k, v in manifest.items() if k in PackedManifest.__struct_fields__} | {"packed_from": "0" * 64}
    validator = jsonschema.Draft202012Validator(schema_of(PackedManifest))
    taken = {True: 0, False: 0}
    for name, case in shape_cases(device):
        try:
            read_manifest(case)
        except EdgeEcgError:
            taken[False] += 1
        else:
            assert validator.is_valid(case), name
            taken[True] += 1
    assert taken[True] > 300
    assert taken[False] > 2000


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 1, "a": 2}', b'{"a": NaN}', b'"\\ud800"', b"[" * 65 + b"]" * 65, b"\xef\xbb\xbf{}", b'"\xff"',
        b"1" * 1001, "{}".encode("utf-16"), b"[1,]", b"",
    ],
)  # fmt: skip
def test_json_is_read_strictly(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parsed(raw)


def test_the_seal_is_what_sha256sum_checks(small_bundle: Path) -> None:
    done = subprocess.run(["sha256sum", "-c", SEAL], cwd=small_bundle, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_bundle_of_before_is_refused_with_the_way_to_a_new_one_and_may_be_replaced(
    small_bundle: Path, tmp_path: Path
) -> None:
    old = Path(shutil.copytree(small_bundle, tmp_path / "old"))
    manifest, files = read_files(old)
    (old / SEAL).unlink()
    (old / MANIFEST).write_text(json.dumps({**manifest, "schema": 2, "sha256": "0" * 64}))
    with pytest.raises(BundleVersionError, match=r"schema is 2, .* make the bundle again: python -m export"):
        load_bundle(old)
    write_bundle(old, manifest, files)
    assert load_bundle(old).labels == ("fasting", "glucose")


def test_the_name_of_a_file_that_no_encoding_explains_is_no_broken_text() -> None:
    raw = sealed({"references": [b"caf\xe9.csv".decode(errors="surrogateescape")]})[MANIFEST]
    assert parsed(raw) == {"references": ["caf\\udce9.csv"]}


def test_the_same_bytes_are_written_again(small_bundle: Path, tmp_path: Path) -> None:
    manifest, files = read_files(small_bundle)
    write_bundle(tmp_path / "again", manifest, files)
    assert (tmp_path / "again" / MANIFEST).read_bytes() == (small_bundle / MANIFEST).read_bytes()
    with pytest.raises(BundleError, match="unknown entry 'more'"):
        read_manifest({**manifest, "more": 1})
