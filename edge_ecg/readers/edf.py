"""A recording as EDF or BDF: the ECG's channel, its rate and unit from the header (needs `edfio`)."""

import warnings
from typing import Any

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.format import Content, Format, ecg_channel, lead_of, of_volts
from edge_ecg.recording import Overrides, RawSignal

EDF_VERSION = b"0       "  # the first eight bytes of every EDF file
BDF_VERSION = b"\xffBIOSEMI"
_FIXED, _OF_CHANNEL = 256, 256  # bytes of the header: once, and for each channel
_NUMBERS = slice(104, 136)  # of a channel's: physical and digital limits


def parse_edf(content: Content, overrides: Overrides) -> RawSignal:
    """The signal in an EDF or BDF file. Raises RecordingError."""
    try:
        import edfio  # optional
    except ImportError:
        raise RecordingError("is an EDF file, which needs edfio: pip install -e '.[edf]' in the clone") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a file that is shorter than its header says is only warned of
            data = with_points(content.read())
            edf = (
                edfio.read_bdf(data, header_encoding="latin-1")
                if content.head.startswith(BDF_VERSION)
                else edfio.read_edf(data, lazy_load_data=False, header_encoding="latin-1")
            )
        if not edf.is_continuous:
            raise RecordingError("is an EDF file with gaps; expected one recording without")
        which = ecg_channel(edf.labels, overrides.channel, of_volts(one.physical_dimension for one in edf.signals))
        channel = edf.signals[which]
        limits = channel.physical_min, channel.physical_max, channel.digital_min, channel.digital_max
        if not np.isfinite(limits).all() or limits[0] == limits[1] or limits[2] >= limits[3]:
            raise RecordingError("has no limits from which its scale follows; expected those of its header")
        unit = channel.physical_dimension or None
        values, rate_hz = np.array(channel.data, dtype=np.float64), channel.sampling_frequency
        return RawSignal(values, unit, rate_hz, _edf_time(edf), lead_of(edf.labels[which]))
    except RecordingError:
        raise
    except Exception:  # whatever the parser trips over; its message may quote the header, and so the person
        raise RecordingError("is not a readable EDF file") from None


def with_points(data: bytes) -> bytes:
    """The file with decimal points in its header's numbers: some programs write them as their region does."""
    channels = int(data[252:256])
    header = bytearray(data[: _FIXED + _OF_CHANNEL * channels])
    first, last = (_FIXED + channels * at for at in (_NUMBERS.start, _NUMBERS.stop))
    for start, stop in ((244, 252), (first, last)):  # the duration of a data record, the limits of all channels
        header[start:stop] = header[start:stop].replace(b",", b".")
    return bytes(header) + data[len(header) :]


def _edf_time(edf: Any) -> str | None:
    try:
        return str(edf.startdatetime.isoformat(" ", "seconds"))
    except Exception:  # an anonymised file may have no date
        return None


EDF = Format(
    "EDF",
    "EDF, EDF+ and BDF; rate, unit and time from its header",
    frozenset({".edf", ".bdf"}),
    lambda head: head.startswith((EDF_VERSION, BDF_VERSION)),
    parse_edf,
    needs="edfio",
)
