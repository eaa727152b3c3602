"""One file for a watch: of a bundle only what a device needs to judge, its weights as int8.

It is a bundle of its own: its manifest is thinned, lists the files that are in it, is sealed by its own SHA-256, and is
what `edge_ecg.bundles.sign` signs. `packed_from` in it is the SHA-256 of the whole bundle's manifest.
"""

import hashlib
import os
from pathlib import Path

from edge_ecg.bundles.bundle import (
    DEVICE_FILES,
    MANIFEST,
    PACKED_FROM,
    REFERENCES,
    REFERENCES_INT8,
    SCHEMA_VERSION,
    packed,
    read_files,
    sealed,
)
from edge_ecg.errors import BundleError, EdgeEcgError
from edge_ecg.inference.portable import WEIGHTS, WEIGHTS_INT8
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.storage.atomic import refuse_overlap, write_file
from edge_ecg.storage.files import path_of

# What a device reads, says to a person, or must know to refuse a second enrolment.
ENTRIES = ("contract", "enrolment", "intended_use", "labels", "levels", "model")


def pack_bundle(bundle: Path, out: Path) -> int:
    """Write a bundle as one file for a device, read it back, and return its size in bytes.

    Weights and references are int8 if the bundle has them so, which says that they decide as the model; else float32.
    Raises BundleError if the bundle holds no portable form, and if `out` is there and no whole packed bundle.
    """
    bundle, out = path_of(bundle, BundleError), path_of(out, BundleError)
    refuse_overlap(out, [bundle])
    _refuse_to_lose(out)
    manifest, files = read_files(bundle)
    if PACKED_FROM in manifest:
        raise BundleError(f"{bundle}: is packed already")
    if missing := [name for name in DEVICE_FILES if name not in files]:
        raise BundleError(f"{bundle}: holds no {missing[0]}: its network has no portable form, which a device needs")
    chosen = {name: files[name] for name in DEVICE_FILES}
    if WEIGHTS_INT8 in files and REFERENCES_INT8 in files:
        # The bundle's own int8 references go without what training has seen; here that is kept.
        chosen |= {
            WEIGHTS: files[WEIGHTS_INT8],
            REFERENCES: ReferenceBank.from_bytes(files[REFERENCES]).to_int8_bytes(),
        }
    thin = {entry: manifest[entry] for entry in ENTRIES if entry in manifest}
    listed = {name: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for name, c in chosen.items()}
    raw = sealed({**thin, PACKED_FROM: manifest["sha256"], "schema": SCHEMA_VERSION, "files": listed})
    content = packed({MANIFEST: raw, **chosen})
    write_file(Path(os.path.realpath(out)), content)
    read_files(out)
    return len(content)


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
