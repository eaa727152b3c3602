"""One file for a device: the parts of a bundle that it needs, with int8 or float32 weights.

It is a bundle of its own: its manifest is thinned, lists the files that are in it, has its SHA-256 in the header,
and is what `edge_ecg.bundles.sign` signs. `packed_from` in it is the SHA-256 of the whole bundle's manifest.
"""

import hashlib
import os
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from edge_ecg.bundles.bundle import (
    DEVICE_FILES,
    REFERENCES,
    REFERENCES_INT8,
    Bundle,
    packed,
    read_files,
    read_whole,
)
from edge_ecg.bundles.manifest import PACKED_FROM, SCHEMA_VERSION, sealed
from edge_ecg.errors import BundleError, EdgeEcgError
from edge_ecg.inference.portable import WEIGHTS, WEIGHTS_INT8
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.storage.files import path_of, refuse_overlap, write_file

# What a device reads, says to a person, or must know to refuse a second enrolment.
ENTRIES = ("contract", "enrollment", "guards", "intended_use", "labels", "levels", "model")


def pack_bundle(bundle: Path, out: Path, weights: str | None = None) -> int:
    """Write a bundle as one file for a device, read it back, and return its size in bytes.

    `weights` are int8 or float32; without it int8 if the bundle has them so, which means that they decide as the model.
    Raises BundleError if the bundle holds no portable form, and if `out` is there and no whole packed bundle.
    """
    bundle, out = path_of(bundle, BundleError), path_of(out, BundleError)
    refuse_overlap(out, [bundle])
    _refuse_to_lose(out)
    content = packed_content(bundle, weights)
    write_file(Path(os.path.realpath(out)), content)
    read_files(out)
    return len(content)


def packed_content(bundle: Path, weights: str | None = None) -> bytes:
    """Content of the file that `pack_bundle` writes, with the same errors."""
    raw, manifest, files = read_whole(bundle)
    if PACKED_FROM in manifest:
        raise BundleError(f"{bundle}: is packed already")
    form = weights or default_weights(files)
    chosen = _device_files(bundle, files)
    if form == "int8":
        if default_weights(files) != form:
            raise BundleError(f"{bundle}: has no int8 weights, because they changed decisions; give --weights float32")
        # The bundle's own int8 references go without what training has seen; here that is kept.
        references = ReferenceBank.from_bytes(files[REFERENCES]).to_int8_bytes()
        chosen |= {WEIGHTS: files[WEIGHTS_INT8], REFERENCES: references}
    return pack_files(manifest, hashlib.sha256(raw).hexdigest(), chosen)


def default_weights(files: Container[str]) -> str:
    """The smallest form of the weights in a bundle."""
    return "int8" if WEIGHTS_INT8 in files and REFERENCES_INT8 in files else "float32"


def packed_as_loaded(bundle: Bundle) -> bytes:
    """A loaded bundle with its references and rule, for the compiled core. Raises BundleError."""
    manifest, files = read_files(bundle.path)
    contract = {**manifest["contract"], "voting": bundle.rule.constants.to_json()}
    chosen = {**_device_files(bundle.path, files), REFERENCES: bundle.references.to_bytes()}
    return pack_files({**manifest, "contract": contract}, manifest.get(PACKED_FROM, bundle.sha256), chosen)


def _device_files(bundle: Path, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The float32 files that a device needs; of a packed bundle its own."""
    if missing := [name for name in DEVICE_FILES if name not in files]:
        raise BundleError(f"{bundle}: holds no {missing[0]}: its network has no portable form, which a device needs")
    return {name: files[name] for name in DEVICE_FILES}


def pack_files(manifest: Mapping[str, Any], packed_from: str, chosen: Mapping[str, bytes]) -> bytes:
    """A packed bundle of these files, with the entries of `manifest` that a device needs."""
    thin = {entry: manifest[entry] for entry in ENTRIES if entry in manifest}
    listed = {name: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for name, c in chosen.items()}
    facts = {PACKED_FROM: packed_from, "schema": SCHEMA_VERSION, "files": listed}
    return packed({**sealed({**thin, **facts}), **chosen})


def _refuse_to_lose(out: Path) -> None:
    """Raise unless nothing is at `out`, or a whole packed bundle."""
    if not os.path.lexists(out):
        return
    try:
        if out.is_file() and PACKED_FROM in read_files(out)[0]:
            return
    except EdgeEcgError:
        pass
    raise BundleError(f"{out}: is there already and is no packed bundle; give a new name")
