"""A recording as a NumPy file: one dimension of numbers."""

import io

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.format import Content, Format
from edge_ecg.recording import Overrides, RawSignal

KINDS = {f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)} | {"f4", "f8"}  # what Swift reads as well


def parse_npy(content: Content, _overrides: Overrides) -> RawSignal:
    """The signal in a `.npy` file. Raises RecordingError."""
    try:
        values = np.lib.format.read_array(io.BytesIO(content.read()), allow_pickle=False)
    except Exception:  # whatever the parser trips over, it is the file's fault
        raise RecordingError("is not a readable .npy file of numbers") from None
    if values.ndim != 1 or values.dtype.str[1:] not in KINDS:
        raise RecordingError(f"holds {values.dtype} of shape {values.shape}; expected a 1-D array of numbers")
    return RawSignal(values.astype(np.float64))


NPY = Format(
    "NumPy",
    "`.npy`, one dimension of integers, float32 or float64; says neither rate nor unit",
    frozenset({".npy"}),
    lambda head: head.startswith(b"\x93NUMPY"),
    parse_npy,
)
