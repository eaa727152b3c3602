"""A recording as EDF: the channel named ECG or EKG, its rate and unit from the header (needs `edfio`)."""

import warnings
from typing import Any

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.recording import Signal

EDF_VERSION = b"0       "  # the first eight bytes of every EDF file


def parse_edf(data: bytes) -> Signal:
    """The signal in the bytes of an EDF file. Raises RecordingError."""
    try:
        import edfio  # optional
    except ImportError:
        raise RecordingError("is an EDF file, which needs one more package: pip install edge-ecg[edf]") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a file that is shorter than its header says is only warned of
            edf = edfio.read_edf(data, lazy_load_data=False, header_encoding="latin-1")
        labels = [label.casefold() for label in edf.labels]
        ecg = [i for i, label in enumerate(labels) if "ecg" in label or "ekg" in label]
        channel = edf.signals[ecg[0] if ecg else 0]
        if not edf.is_continuous:
            raise RecordingError("is an EDF file with gaps; expected one recording without")
        if not ecg and len(labels) > 1:
            raise RecordingError(f"is an EDF file of {len(labels)} channels, none named ECG or EKG")
        unit = channel.physical_dimension
        return Signal(np.array(channel.data, dtype=np.float64), unit, channel.sampling_frequency, _edf_time(edf))
    except RecordingError:
        raise
    except Exception:  # whatever the parser trips over; its message may quote the header, and so the person
        raise RecordingError("is not a readable EDF file") from None


def _edf_time(edf: Any) -> str | None:
    try:
        return str(edf.startdatetime.isoformat(" ", "seconds"))
    except Exception:  # an anonymised file may have no date
        return None
