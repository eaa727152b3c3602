"""A recording as a NumPy file: one dimension of numbers, 512 Hz, microvolts."""

import io

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.recording import Signal


def parse_npy(data: bytes) -> Signal:
    """The signal in the bytes of a `.npy` file. Raises RecordingError."""
    try:
        values = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception:  # whatever the parser trips over, it is the file's fault
        raise RecordingError("is not a readable .npy file of numbers") from None
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise RecordingError(f"holds {values.dtype} of shape {values.shape}; expected a 1-D array of numbers")
    with np.errstate(all="ignore"):  # a long double may not fit; the result is then not finite, and refused
        return Signal(values.astype(np.float64))
