"""The container of a packed bundle: a safetensors file in which every file of the bundle is a tensor of bytes.

Python and Swift read safetensors anyway, so that neither needs a second parser, and Swift no inflate for a zip.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from edge_ecg.errors import AlteredBundleError

MOST_HEADER_BYTES = 1_000_000


def is_packed(start: bytes) -> bool:
    """Whether a file that begins so (9 bytes) is such a container: a header of JSON of sane length, and no zip."""
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= MOST_HEADER_BYTES


def packed(files: Mapping[str, bytes]) -> bytes:
    """The files, with plain names, as one."""
    content: bytes = safetensors.numpy.save({name: np.frombuffer(files[name], np.uint8) for name in files})
    return content


def unpacked(path: Path, content: bytes) -> dict[str, bytes]:
    """The files by name. Raises AlteredBundleError unless `packed` gives the same bytes of them."""
    try:
        files = {name: tensor.tobytes() for name, tensor in safetensors.numpy.load(content).items()}
        if packed(files) == content:
            return files
    except (safetensors.SafetensorError, LookupError, TypeError, ValueError):
        pass
    raise AlteredBundleError(f"{path}: is no packed bundle as `edge-ecg pack` writes it: it was altered or cut short")
