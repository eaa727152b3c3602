"""A recording as EDF or BDF: the ECG's channel, its rate and unit from the header (needs `edfio`)."""

import re
import warnings
from typing import Any

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.format import Content, Format, ecg_channel, lead_of, of_volts
from edge_ecg.readers.times import placed
from edge_ecg.recording import Overrides, RawSignal

EDF_VERSION = b"0       "  # the first eight bytes of every EDF file
BDF_VERSION = b"\xffBIOSEMI"
_FIXED, _OF_CHANNEL = 256, 256  # bytes of the header: once, and for each channel
_UNIT, _NUMBERS = slice(96, 104), slice(104, 136)  # of a channel's: physical dimension; its and digital limits
_ONSET = re.compile(rb"([+-]\d+(?:\.\d*)?)[\x14\x15]")  # of a data record: the first of its annotations


def parse_edf(content: Content, overrides: Overrides) -> RawSignal:
    """The signal in an EDF or BDF file. Raises RecordingError."""
    try:
        import edfio  # optional
    except ImportError:
        raise RecordingError("is an EDF file, which needs edfio: pip install -e '.[edf]' in the clone") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a file that is shorter than its header says is only warned of
            data = tidied(content.read())
            edf = (
                edfio.read_bdf(data, header_encoding="latin-1")
                if content.head.startswith(BDF_VERSION)
                else edfio.read_edf(data, lazy_load_data=False, header_encoding="latin-1")
            )
        which = ecg_channel(edf.labels, overrides.channel, of_volts(one.physical_dimension for one in edf.signals))
        channel = edf.signals[which]
        limits = channel.physical_min, channel.physical_max, channel.digital_min, channel.digital_max
        if not np.isfinite(limits).all() or limits[0] == limits[1] or limits[2] >= limits[3]:
            raise RecordingError("has no limits from which its scale follows; expected those of its header")
        unit = channel.physical_dimension or None
        values = np.array(channel.data, dtype=np.float64)
        if not edf.is_continuous:
            values = _with_gaps(values, edf, channel.sampling_frequency)
        return RawSignal(values, unit, channel.sampling_frequency, _edf_time(edf), lead_of(edf.labels[which]))
    except RecordingError:
        raise
    except Exception:  # whatever the parser trips over; its message may quote the header, and so the person
        raise RecordingError("is not a readable EDF file") from None


def _with_gaps(values: np.ndarray, edf: Any, rate_hz: float) -> np.ndarray:
    """The samples of an EDF+ file with gaps between data records, which are missing samples."""
    began = edf._timekeeping_signal.digital.reshape(edf.num_data_records, -1)
    onsets_s = np.array([float(_ONSET.match(record.tobytes())[1]) for record in began])  # type: ignore[index]
    firsts = np.rint((onsets_s - onsets_s[0]) * rate_hz).astype(np.int64)
    count = len(values) // len(firsts)
    if (np.diff(firsts) < count).any():
        raise RecordingError("is an EDF+ file whose data records overlap or run backwards")
    if firsts[-1] + count > 2 * len(values):
        raise RecordingError("is an EDF+ file with more gaps than samples; expected one recording")
    return placed(values, (firsts[:, None] + np.arange(count)).ravel())


def tidied(data: bytes) -> bytes:
    """The file with points in its header's numbers and a unit in one byte a letter, as the format asks for.

    Some programs write decimal commas as their region does, and the micro sign in UTF-8.
    """
    channels = int(data[252:256])
    header = bytearray(data[: _FIXED + _OF_CHANNEL * channels])
    unit, first, last = (_FIXED + channels * at for at in (_UNIT.start, _NUMBERS.start, _NUMBERS.stop))
    for start, stop in ((244, 252), (first, last)):  # the duration of a data record, the limits of all channels
        header[start:stop] = header[start:stop].replace(b",", b".")
    try:
        record_s = float(header[244:252])
    except ValueError:
        record_s = float("nan")
    if not 0 < record_s < float("inf"):
        raise RecordingError(f"states data records of {record_s:g} s, from which no sample rate follows")
    for start in range(unit, first, _UNIT.stop - _UNIT.start):
        field = header[start : start + 8]
        for micro in ("\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"):
            field = field.replace(micro.encode(), b"u").ljust(8)
        header[start : start + 8] = field
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
