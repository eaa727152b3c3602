"""Bundles that no loader may open: copies of a good one, each spoilt in one way.

Those that need a manifest of their own seal it again, as an attacker would.
"""

import hashlib
import json
import math
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_ecg.bundles.bundle import REFERENCES
from edge_ecg.bundles.manifest import MANIFEST, SEAL, seal_of, sealed
from edge_ecg.inference.portable import LAYERS


def write_bad_bundles(bundle: Path, out: Path) -> None:
    """Write one copy of a bundle for each of BAD_BUNDLES below `out`, spoilt in that way."""
    for name in BAD_BUNDLES:
        write_bad_bundle(name, bundle, out)


def write_bad_bundle(name: str, bundle: Path, out: Path) -> Path:
    """Write `out/name`, a copy of a bundle spoilt in the way of that name, and return its path."""
    shutil.copytree(bundle, out / name)
    BAD_BUNDLES[name](out / name)
    return out / name


def _edited(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    edit(manifest)
    forge(folder, manifest)


def _replaced(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    facts = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    _edited(folder, lambda m: m["files"].__setitem__(name, facts))


def _safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def _references(shape: list[int], offsets: list[int], data: bytes) -> bytes:
    end = offsets[1]
    return _safetensors(
        {
            "embeddings": {"dtype": "F32", "shape": shape, "data_offsets": offsets},
            "is_target": {"dtype": "U8", "shape": [2], "data_offsets": [end, end + 2]},
        },
        data,
    )


def _flipped(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)


def _linked(folder: Path) -> None:
    content = (folder / REFERENCES).read_bytes()
    (folder / "elsewhere").write_bytes(content)
    (folder / REFERENCES).unlink()
    (folder / REFERENCES).symlink_to("elsewhere")


def _not_finite(folder: Path) -> None:
    content = bytearray((folder / REFERENCES).read_bytes())
    start = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:start])
    start += header["embeddings"]["data_offsets"][0]
    content[start : start + 4] = struct.pack("<f", float("nan"))
    _replaced(folder, REFERENCES, bytes(content))


def forge(folder: Path, manifest: bytes | dict[str, Any]) -> None:
    """Write a manifest with the seal that fits its bytes."""
    raw = manifest if isinstance(manifest, bytes) else sealed(manifest)[MANIFEST]
    (folder / MANIFEST).write_bytes(raw)
    (folder / SEAL).write_bytes(seal_of(raw))


def _spelt(folder: Path, old: bytes, new: bytes) -> None:
    """The manifest with other bytes in one place, sealed."""
    raw = (folder / MANIFEST).read_bytes()
    assert old in raw
    forge(folder, raw.replace(old, new, 1))


def _retyped(folder: Path, tensor: str, kind: str, size: int) -> None:
    """One tensor of the references as zeros of another type."""
    content = (folder / REFERENCES).read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8:start]), content[start:]
    entry, end = header[tensor], len(data)
    more = size * math.prod(entry["shape"])
    header["spare"] = entry
    header[tensor] = {"dtype": kind, "shape": entry["shape"], "data_offsets": [end, end + more]}
    _replaced(folder, REFERENCES, _safetensors(header, data + bytes(more)))


def _relayered(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """The layers, edited."""
    layers = json.loads((folder / LAYERS).read_bytes())
    edit(layers)
    _replaced(folder, LAYERS, json.dumps(layers).encode())


BAD_BUNDLES: dict[str, Callable[[Path], Any]] = {
    "manifest_missing": lambda f: (f / MANIFEST).unlink(),
    "manifest_empty": lambda f: (f / MANIFEST).write_bytes(b""),
    "manifest_not_json": lambda f: (f / MANIFEST).write_bytes(b"{"),
    "manifest_deep": lambda f: (f / MANIFEST).write_bytes(b"[" * 5_000),
    "manifest_altered": lambda f: _flipped(f, MANIFEST),
    "seal_missing": lambda f: (f / SEAL).unlink(),
    "seal_of_other_bytes": lambda f: (f / SEAL).write_bytes(seal_of(b"")),
    "seal_longer": lambda f: (f / SEAL).write_bytes((f / SEAL).read_bytes() + b"\n"),
    "name_twice": lambda f: _spelt(f, b"{", b'{"schema": 3,'),
    "not_a_number": lambda f: _spelt(f, b'"adaptation": 0.125', b'"adaptation": NaN'),
    "number_beyond_all": lambda f: _spelt(f, b'"adaptation": 0.125', b'"adaptation": 1e400'),
    "half_a_surrogate_pair": lambda f: _spelt(f, b'"intended_use": "', b'"intended_use": "\\ud800'),
    "schema_as_a_fraction": lambda f: _edited(f, lambda m: m.update(schema=3.0)),
    "schema_before": lambda f: _edited(f, lambda m: m.update(schema=2)),
    "intended_use_missing": lambda f: _edited(f, lambda m: m.pop("intended_use")),
    "unknown_entry": lambda f: _edited(f, lambda m: m.update(more=1)),
    "count_of_2_to_the_70": lambda f: _edited(f, lambda m: m["model"].update(parameters=2**70)),
    "references_of_float64": lambda f: _retyped(f, "embeddings", "F64", 8),
    "labels_of_int64": lambda f: _retyped(f, "is_target", "I64", 8),
    "negative_shape": lambda f: _relayered(f, lambda form: form["encoder"]["inputs"].update(beat=[-1, 384])),
    "manifest_of_another_schema": lambda f: _edited(f, lambda m: m.update(schema=99)),
    "manifest_without_files": lambda f: _edited(f, lambda m: m.update(files=[])),
    "manifest_without_labels": lambda f: _edited(f, lambda m: m.pop("labels")),
    "labels_alike": lambda f: _edited(f, lambda m: m.update(labels=["a", "a"])),
    "contract_missing": lambda f: _edited(f, lambda m: m.pop("contract")),
    "contract_of_another_version": lambda f: _edited(f, lambda m: m["contract"].update(version=99)),
    "contract_with_an_unknown_entry": lambda f: _edited(f, lambda m: m["contract"].update(more=1)),
    "contract_without_an_entry": lambda f: _edited(f, lambda m: m["contract"].pop("settle_samples")),
    "contract_mistyped": lambda f: _edited(f, lambda m: m["contract"].update(block_samples="128")),
    "contract_of_another_beat": lambda f: _edited(f, lambda m: m["contract"].update(after_r_samples=300)),
    "file_missing": lambda f: (f / REFERENCES).unlink(),
    "file_altered": lambda f: _flipped(f, REFERENCES),
    "file_longer": lambda f: (f / REFERENCES).write_bytes((f / REFERENCES).read_bytes() + b"\0"),
    "file_is_a_link": _linked,
    "name_outside": lambda f: _edited(f, lambda m: m["files"].update({"../x": {"bytes": 0, "sha256": ""}})),
    "name_absolute": lambda f: _edited(f, lambda m: m["files"].update({"/etc/passwd": {"bytes": 0, "sha256": ""}})),
    "size_huge": lambda f: _edited(f, lambda m: m["files"][REFERENCES].update(bytes=2**62)),
    "size_negative": lambda f: _edited(f, lambda m: m["files"][REFERENCES].update(bytes=-1)),
    "references_not_listed": lambda f: _edited(f, lambda m: m["files"].pop(REFERENCES)),
    "references_empty": lambda f: _replaced(f, REFERENCES, b""),
    "references_of_one_state": lambda f: _replaced(f, REFERENCES, _references([2, 1], [0, 8], bytes(10))),
    "references_of_another_length": lambda f: _replaced(f, REFERENCES, _references([2, 1], [0, 8], bytes(9) + b"\1")),
    "references_not_finite": _not_finite,
    "header_longer_than_the_file": lambda f: _replaced(f, REFERENCES, _safetensors({}, length=2**63)),
    "header_deep": lambda f: _replaced(f, REFERENCES, struct.pack("<Q", 5_000) + b"[" * 5_000),
    "offsets_outside": lambda f: _replaced(f, REFERENCES, _references([2, 1], [0, 2**60], bytes(10))),
    "shape_that_overflows": lambda f: _replaced(f, REFERENCES, _references([2**62, 2**62], [0, 8], bytes(10))),
    "shape_that_lies": lambda f: _replaced(f, REFERENCES, _references([2, 1000], [0, 8], bytes(10))),
}
