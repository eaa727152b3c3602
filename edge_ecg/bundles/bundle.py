"""The bundle: everything a device needs of one person's comparator, verified before it is used.

A bundle is a folder, the same files in one zip, or one file with the parts for a device (`edge-ecg pack`).
`manifest.json` contains the contract, and the size and SHA-256 of every other file. There is no executable code: ONNX,
safetensors and JSON.
"""

import hashlib
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from edge_ecg.bundles.manifest import (
    MANIFEST,
    MOST_FILE_BYTES,
    PACKED_FROM,
    SCHEMA_VERSION,
    SEAL,
    read_manifest,
    seal_of,
    sealed,
)
from edge_ecg.contract import Contract
from edge_ecg.errors import (
    AlteredBundleError,
    BundleError,
    BundleVersionError,
    ContractError,
    EdgeEcgError,
    first_line,
)
from edge_ecg.inference.engines import Comparator, Encoder, OnnxComparator, OnnxEncoder, has_onnx_runtime
from edge_ecg.inference.guards import GuardLimits
from edge_ecg.inference.person import Answers, OnnxPerson, TwoGraphs
from edge_ecg.inference.portable import LAYERS, WEIGHTS, Program, portable_engines
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import DecisionRule
from edge_ecg.records import parsed
from edge_ecg.storage.files import atomic_folder, opened_zip, path_of, plain_handle, read_small_file

MOST_HEADER_BYTES = 1_000_000
SHA256_DIGITS = 64


def is_packed(start: bytes) -> bool:
    """Whether a file that begins so (9 bytes) is such a container: a header of JSON of sane length, and no zip."""
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= MOST_HEADER_BYTES


def packed(files: Mapping[str, bytes]) -> bytes:
    """The files, with plain names, as one; the seal of the manifest is a field of its header."""
    tensors = {name: np.frombuffer(files[name], np.uint8) for name in files if name != SEAL}
    seal = {SEAL: files[SEAL][:SHA256_DIGITS].decode()} if SEAL in files else None
    content: bytes = safetensors.numpy.save(tensors, seal)
    return content


def unpacked(path: Path, content: bytes) -> dict[str, bytes]:
    """The files by name. Raises AlteredBundleError unless `packed` gives the same bytes of them."""
    try:
        files = {name: tensor.tobytes() for name, tensor in safetensors.numpy.load(content).items()}
        fields = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__") or {}
        if seal := fields.get(SEAL):
            files[SEAL] = f"{seal}  {MANIFEST}\n".encode()
        if packed(files) == content:
            return files
    except (safetensors.SafetensorError, LookupError, TypeError, ValueError):
        pass
    raise AlteredBundleError(f"{path}: is no packed bundle as `edge-ecg pack` writes it: it was altered or cut short")


SIGNATURE = "manifest.sig"
ENCODER, COMPARATOR, PERSON = "encoder.onnx", "comparator.onnx", "person.onnx"
REFERENCES, REFERENCES_INT8, GOLDEN = "references.safetensors", "references_int8.safetensors", "golden.json"
REQUIRED_FILES = (ENCODER, COMPARATOR, REFERENCES)
DEVICE_FILES = (LAYERS, WEIGHTS, REFERENCES)
MOST_MANIFEST_BYTES = 4_000_000
MOST_FILES = 1000

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,7}")


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, ready to run on beats."""

    path: Path
    manifest: dict[str, Any] = field(repr=False)
    sha256: str = field(repr=False)  # of the manifest's bytes
    contract: Contract = field(repr=False)
    labels: tuple[str, str]  # baseline, target
    encoder: Encoder = field(repr=False)
    comparator: Comparator = field(repr=False)
    references: ReferenceBank
    rule: DecisionRule = field(repr=False)
    guards: GuardLimits | None = field(default=None, repr=False)  # None: too few recordings to know them
    person: OnnxPerson | None = field(default=None, repr=False)  # None: the two graphs judge

    def __repr__(self) -> str:
        return (
            f"<Bundle {self.path}: {self.labels[0]} or {self.labels[1]}, {len(self.references.is_target)} references>"
        )

    def _repr_html_(self) -> str:
        dates = self.rule.dates or {}
        rows = {
            "bundle": str(self.path),
            "states": " and ".join(f"{label}{f' ({dates[label]} dates)' if dates else ''}" for label in self.labels),
            "references": str(len(self.references.is_target)),
            "intended use": str(self.manifest.get("intended_use", "")),
        }
        cells = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in rows.items())
        return f"<table>{cells}</table>"

    @property
    def is_portable(self) -> bool:
        """Whether the portable engine is used: for a packed bundle, or without ONNX Runtime."""
        return isinstance(self.encoder, Program)

    def judge(self, beats: np.ndarray) -> Answers:
        """Evidence of usable beats (N, 384) float32; a batch gives the same bits as single beats."""
        return (self.person or self._two_graphs)(beats)

    @cached_property
    def _two_graphs(self) -> TwoGraphs:
        return TwoGraphs(self.encoder, self.comparator, self.references)

    def with_references(self, references: ReferenceBank) -> "Bundle":
        """The same bundle with other references."""
        return replace(self, references=references, person=self.person and self.person.with_references(references))


def load_bundle(path: str | Path) -> Bundle:
    """Open and verify a bundle: a folder, a zip, or a packed bundle, which runs on the portable engine.

    :param path: the folder or file
    :raises BundleError: if anything is missing or unsafe; `AlteredBundleError` if a file was changed,
        `BundleVersionError` for another schema
    """
    path = path_of(path, BundleError)
    raw, manifest, files = read_whole(path)
    try:
        if PACKED_FROM in manifest or not has_onnx_runtime():
            return assembled(path, raw, _with_portable(files), on_portable)
        bundle = assembled(path, raw, files, on_onnx)
        if PERSON not in files:
            return bundle
        return replace(bundle, person=OnnxPerson(files[PERSON], bundle.references, bundle.contract.beat_length))
    except EdgeEcgError as error:
        raise BundleError(f"{path}: {error}") from None
    except Exception as error:  # ONNX Runtime's own errors share no useful base class
        raise BundleError(f"{path}: a graph can't be opened: {first_line(error)}") from None


def assembled(
    path: Path,
    raw: bytes,
    files: Mapping[str, bytes],
    engines: Callable[[Mapping[str, bytes], Contract], tuple[Encoder, Comparator, int]],
) -> Bundle:
    """A bundle from its manifest's bytes and its files; `engines` opens its graphs. Raises EdgeEcgError."""
    manifest = parsed(raw)
    record = read_manifest(manifest)
    contract = record.contract
    rule = DecisionRule(record.labels, record.levels, contract.voting)
    references = ReferenceBank.from_bytes(files[REFERENCES])
    encoder, comparator, length = engines(files, contract)
    if references.embeddings.shape[1] != length:
        raise ContractError(
            f"references have {references.embeddings.shape[1]} numbers each, the encoder gives {length}"
        )
    sha256 = hashlib.sha256(raw).hexdigest()
    return Bundle(path, manifest, sha256, contract, rule.labels, encoder, comparator, references, rule, record.guards)


def _with_portable(files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The files, if the portable engine can run them."""
    if not {LAYERS, WEIGHTS} <= files.keys():
        raise BundleError("has no portable form, and ONNX Runtime is not installed; install onnxruntime")
    return files


def on_onnx(files: Mapping[str, bytes], contract: Contract) -> tuple[Encoder, Comparator, int]:
    """The graphs in ONNX Runtime, and how many numbers an embedding has."""
    encoder = OnnxEncoder(files[ENCODER], contract.beat_length)
    return encoder, OnnxComparator(files[COMPARATOR], encoder.embedding_length), encoder.embedding_length


def on_portable(files: Mapping[str, bytes], contract: Contract) -> tuple[Encoder, Comparator, int]:
    """The same in the portable engine."""
    return portable_engines(files[LAYERS], files[WEIGHTS], contract.beat_length)


def read_files(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A bundle's manifest and the verified content of every file that it lists. Raises BundleError."""
    _, manifest, files = read_whole(path)
    return manifest, files


def read_whole(path: Path) -> tuple[bytes, dict[str, Any], dict[str, bytes]]:
    """The same, with the bytes of the manifest before it. Raises BundleError."""
    path = path_of(path, BundleError)
    try:
        if path.is_dir():
            return _verified(path, partial(_read_below, path))
        with os.fdopen(plain_handle(path, BundleError), "rb") as stream:
            start = stream.read(9) or b""  # None of a device that has nothing now, such as /proc/kmsg
        if is_packed(start):
            content = read_small_file(path, MOST_FILE_BYTES, BundleError)
            return _verified(path, partial(_read_packed, path, unpacked(path, content)))
        with opened_zip(path, BundleError) as archive:
            return _verified(path, partial(_read_member, archive))
    except FileNotFoundError as error:
        missing = Path(error.filename or path).name
        is_what = _other_folder(path) if missing == MANIFEST else None
        raise BundleError(f"{path}: {is_what or f'{missing} is missing, expected a bundle with its files'}") from None
    except OSError as error:
        raise BundleError(f"{path}: can't be read: {error.strerror or error}") from None


def _other_folder(path: Path) -> str | None:
    """Name a folder without a manifest that another command wrote, and the command that makes a bundle of it."""
    if (path / "config.json").is_file():
        return f"is a training run, not a bundle; `edge-ecg export {path}` makes a bundle from it"
    if (path / "dataset.toml").is_file():
        return "is a data set, not a bundle; `edge-ecg train` and `edge-ecg export` make a bundle from it"
    return None


def looks_like_bundle(path: Path) -> bool:
    """Whether a path is a folder, a zip or a packed file with a bundle's manifest; its content is not verified."""
    try:
        if path.is_dir():
            return (path / MANIFEST).is_file()
        with path.open("rb") as file:
            return is_packed(file.read(9)) or (
                zipfile.is_zipfile(file) and MANIFEST in zipfile.ZipFile(file).namelist()
            )
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def write_bundle(path: str | Path, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Write a bundle folder beside `path` and move it into place, so that a crash leaves the old one or none.

    `manifest` gets the schema version, and the files' sizes and hashes. Raises BundleError if
    something else than a bundle would be lost (`refuse_to_lose`).
    """
    path = path_of(path, BundleError)
    refuse_to_lose(path)
    listed = {n: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in sorted(files.items())}
    sealed_manifest = sealed({**manifest, "schema": SCHEMA_VERSION, "files": listed})
    with atomic_folder(path) as fresh:
        for name, content in {**sealed_manifest, **files}.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_bytes(content)
        read_files(fresh)  # what is moved into place has been read back
        refuse_to_lose(path)  # it may have changed meanwhile


def refuse_to_lose(path: Path) -> None:
    """Raise BundleError unless `path` may be replaced by a bundle.

    It may if nothing is there, or an empty folder, or a bundle, of any version, that is as it was written and holds
    nothing else than the files that it lists and its signature.
    """
    path = Path(os.path.realpath(path))
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        raise BundleError(f"{path}: is there already and is no folder; give a new name")
    there = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_symlink() or not p.is_dir()}
    if not any(path.iterdir()):
        return
    try:
        read = partial(_read_below, path)
        files = _listed_files(path, _sealed_manifest(path, read, any_version=True)[1], read)
    except (BundleError, OSError) as error:
        raise BundleError(f"{path}: is not empty and no whole bundle; give an empty folder or a new name") from error
    if foreign := sorted(there - files.keys() - {MANIFEST, SEAL, SIGNATURE}):
        raise BundleError(f"{path}: holds {foreign[0]!r}, which is not of the bundle; move it, or give a new name")


def _verified(path: Path, read: Callable[[str, int], bytes]) -> tuple[bytes, dict[str, Any], dict[str, bytes]]:
    """Manifest and files of a bundle that this version reads."""
    raw, manifest = _sealed_manifest(path, read)
    files = _listed_files(path, manifest, read)
    for name in DEVICE_FILES if PACKED_FROM in manifest else REQUIRED_FILES:
        if name not in files:
            raise BundleError(f"{path}: the manifest lists no {name}")
    return raw, manifest, files


def _sealed_manifest(
    path: Path, read: Callable[[str, int], bytes], any_version: bool = False
) -> tuple[bytes, dict[str, Any]]:
    """The manifest as written: its bytes and entries."""
    raw = read(MANIFEST, MOST_MANIFEST_BYTES)
    try:
        manifest = parsed(raw)
        if not isinstance(manifest, dict) or len(raw) > MOST_MANIFEST_BYTES:
            raise ValueError("no entries by name")
    except (ValueError, RecursionError):
        raise AlteredBundleError(f"{path}: {MANIFEST} is not JSON as a bundle has it") from None
    schema, seal, again = manifest.get("schema"), seal_of(raw), ""
    try:
        seal = read(SEAL, MOST_MANIFEST_BYTES)
    except (FileNotFoundError, AlteredBundleError):
        if type(schema) is not int or not 0 <= schema < SCHEMA_VERSION:
            raise
        again = "; make the bundle again: python -m export.bundle RUN --out BUNDLE, then edge-ecg pack"
    if seal != seal_of(raw):
        raise AlteredBundleError(f"{path}: {MANIFEST} does not match {SEAL}: it was altered")
    if not any_version and (type(schema) is not int or schema != SCHEMA_VERSION):
        raise BundleVersionError(f"{path}: schema is {schema!s:.60}, this edge_ecg reads {SCHEMA_VERSION}{again}")
    return raw, manifest


def _listed_files(path: Path, manifest: dict[str, Any], read: Callable[[str, int], bytes]) -> dict[str, bytes]:
    """The files that a manifest lists, as they were written."""
    listed = manifest.get("files")
    if not isinstance(listed, dict) or len(listed) > MOST_FILES:
        raise BundleError(f"{path}: the manifest lists no files, expected at least {', '.join(REQUIRED_FILES)}")
    files = {}
    for name, facts in listed.items():
        if not _PLAIN_NAME.fullmatch(name):
            raise BundleError(f"{path}: {name!r} is no plain file name inside the bundle")
        size = facts.get("bytes") if isinstance(facts, dict) else None
        if type(size) is not int or not 0 <= size <= MOST_FILE_BYTES:
            raise BundleError(f"{path}: {name} declares {size!s:.60} bytes, expected 0 to {MOST_FILE_BYTES}")
        content = read(name, size)
        if len(content) != size or hashlib.sha256(content).hexdigest() != facts.get("sha256"):
            raise AlteredBundleError(
                f"{path}: {name} does not match its size and SHA-256 in the manifest: it was altered"
            )
        files[name] = content
    return files


def _read_below(folder: Path, name: str, most: int) -> bytes:
    """At most `most` + 1 bytes of a regular file below `folder`, through no link."""
    file = folder
    for part in name.split("/"):
        file /= part
        if file.is_symlink():
            raise BundleError(f"{folder}: {name} goes through a link, expected a plain file")
    with os.fdopen(plain_handle(file, BundleError), "rb") as stream:
        return stream.read(most + 1)


def _read_packed(path: Path, files: Mapping[str, bytes], name: str, most: int) -> bytes:
    """At most `most` + 1 bytes of a packed bundle's file."""
    if name not in files:
        raise AlteredBundleError(f"{path}: {name} is missing: it was altered")
    return files[name][: most + 1]


def _read_member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """At most `most` + 1 bytes of a zip's member."""
    try:
        with archive.open(name) as stream:
            return stream.read(most + 1)
    except KeyError:
        raise FileNotFoundError(2, "missing", name) from None
    except (zipfile.BadZipFile, RuntimeError, EOFError, ValueError, zlib.error):
        raise BundleError(f"{archive.filename}: {name} can't be unpacked: the zip is damaged") from None
