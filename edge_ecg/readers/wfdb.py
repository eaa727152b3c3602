"""A recording as a WFDB record, its rate and unit from the header (needs `wfdb`)."""

from pathlib import Path

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.recording import Signal


def read_wfdb(record: Path) -> Signal:
    """The signal of a WFDB record, given by its path without a suffix. Raises RecordingError."""
    try:
        import wfdb  # optional, and slow to import: it brings pandas
    except ImportError:
        raise RecordingError("is a WFDB record, which needs one more package: pip install edge-ecg[wfdb]") from None
    try:
        read = wfdb.rdrecord(str(record), channels=[0])
        values = np.array(read.p_signal[:, 0], dtype=np.float64)
        time = read.base_datetime and read.base_datetime.isoformat(" ")
        return Signal(values, str(read.units[0]), float(read.fs), time)
    except Exception as error:  # as above; its message may quote the header, and so the person
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise RecordingError(f"wfdb cannot read this record: {reason}") from None
