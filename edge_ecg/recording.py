"""Where everything begins: a recording, read from any supported file and found usable.

The person's name and birth date, which Apple writes into each file, go no further than this door.
"""

import io
import os
import re
import warnings
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.apple_csv import MICROVOLTS_PER, Signal, parse_apple_csv
from edge_ecg.contract import CONTRACT
from edge_ecg.errors import RecordingError

MIN_DURATION_S = 4.0  # the first 3 s settle; less than 1 s after them holds no beat to judge
RATE_RANGE_HZ = (100.0, 2000.0)
MAX_FILE_BYTES = 50_000_000
MAX_ABS_UV = 1e6  # electrodes on skin give a few millivolts on some hundreds of offset, never 1 V
_EDF_VERSION = b"0       "
MIN_SPAN_UV = 20.0  # an ECG spans hundreds; the same numbers in millivolts span less than this
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, eq=False)
class Recording:
    """One lead of ECG as it was recorded.

    >>> Recording(np.zeros(15360), 512.0, "a flat line").duration_s
    30.0
    """

    samples_uv: np.ndarray  # (n,) float64 microvolts, read-only, as recorded
    sample_rate_hz: float  # as recorded, e.g. 511.422
    source: str  # the path as the user gave it
    recorded_at: str | None = None  # the header's own text, e.g. 2021-12-17 12:58:58 +0800

    @property
    def duration_s(self) -> float:
        """Length in seconds, on the recording's own clock."""
        return len(self.samples_uv) / self.sample_rate_hz

    @property
    def day(self) -> date | None:
        """The day it was recorded on: as the header says it, or else the file's name, which in Apple's export does."""
        for said in (*_DAY.findall((self.recorded_at or "")[:10]), *_DAY.findall(Path(self.source).name)[:1]):
            try:
                return date.fromisoformat(said)
            except ValueError:  # such as 2024-02-30
                continue
        return None


def read_recording(path: str | os.PathLike[str]) -> Recording:
    """The recording in `path`, chosen by content and extension.

    An Apple ECG file in any language (its own rate and unit), a column of numbers or a 1-D `.npy` (512 Hz,
    microvolts), the ECG channel of an EDF file (needs `edfio`), or the first channel of a WFDB record given as
    `100`, `100.hea` or `100.dat` (needs `wfdb`).

    Raises RecordingError, naming the file, if it can't be read, is not one of these, holds a value that is
    not finite, has a rate outside 100 to 2000 Hz, lasts less than 4 s, or can't be an ECG in its unit.
    """
    source = os.fspath(path)
    try:
        return _judged(_signal(Path(source)), source)
    except RecordingError as error:
        raise RecordingError(f"{source}: {error}") from None
    except OSError as error:
        raise RecordingError(f"{source}: cannot be read: {error.strerror}") from None


def parse_recording(data: bytes, source: str) -> Recording:
    """The recording in the bytes of an Apple ECG file or of a column of numbers. Raises RecordingError."""
    try:
        return _judged(parse_apple_csv(data), source)
    except RecordingError as error:
        raise RecordingError(f"{source}: {error}") from None


def _signal(path: Path) -> Signal:
    record = path.with_suffix("") if path.suffix in {".hea", ".dat"} else path
    if Path(f"{record}.hea").is_file() and (record != path or not path.is_file()):
        return _read_wfdb(record)
    data = _read_bytes(path)
    if not data.strip():
        raise RecordingError("is empty; expected a recording")
    if data.startswith(b"\x93NUMPY") or path.suffix == ".npy":
        return _parse_npy(data)
    if data.startswith(b"PK\x03\x04"):
        raise RecordingError("is a zip archive; expected one recording (replay, detect and import read its ECGs)")
    if data.startswith(_EDF_VERSION):
        return _parse_edf(data)
    return parse_apple_csv(data)


def _read_bytes(path: Path) -> bytes:
    size = path.stat().st_size
    if not path.is_file():
        raise RecordingError("is a folder or a device; expected the file of one recording")
    if size > MAX_FILE_BYTES:
        raise RecordingError(
            f"holds {size / 1e6:.0f} MB; expected one recording of at most {MAX_FILE_BYTES / 1e6:.0f} MB"
        )
    return path.read_bytes()


def _parse_npy(data: bytes) -> Signal:
    try:
        values = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception:  # whatever the parser trips over, it is the file's fault
        raise RecordingError("is not a readable .npy file of numbers") from None
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise RecordingError(f"holds {values.dtype} of shape {values.shape}; expected a 1-D array of numbers")
    with np.errstate(all="ignore"):  # a long double may not fit; the result is then not finite, and refused
        return Signal(values.astype(np.float64))


def _parse_edf(data: bytes) -> Signal:
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


def _read_wfdb(record: Path) -> Signal:
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


def _judged(signal: Signal, source: str) -> Recording:
    """The recording in microvolts, if it can be one."""
    values, rate_hz = signal.values, signal.sample_rate_hz
    if len(values) < 2:
        raise RecordingError(f"holds {len(values) or 'no'} value{'' if len(values) else 's'}; expected a recording")
    finite = np.isfinite(values)
    if not finite.all():
        raise RecordingError(f"value {finite.argmin() + 1} is {values[finite.argmin()]}, not a finite number")
    if not RATE_RANGE_HZ[0] <= rate_hz <= RATE_RANGE_HZ[1]:
        raise RecordingError(f"sample rate is {rate_hz:g} Hz; expected {RATE_RANGE_HZ[0]:g} to {RATE_RANGE_HZ[1]:g} Hz")
    duration_s = len(values) / rate_hz
    if duration_s < MIN_DURATION_S:
        settle_s = CONTRACT.settle_samples / CONTRACT.sample_rate_hz
        raise RecordingError(
            f"lasts {np.floor(duration_s * 10) / 10:.1f} s; at least {MIN_DURATION_S:g} s are needed: "
            f"the first {settle_s:g} s settle"
        )
    samples_uv = _microvolts(values, signal.unit)
    samples_uv.setflags(write=False)
    return Recording(samples_uv, float(rate_hz), source, signal.recorded_at)


def _microvolts(values: np.ndarray, unit: str) -> np.ndarray:
    scale = MICROVOLTS_PER.get(unit.casefold())
    if scale is None:
        raise RecordingError("unit is not known; expected µV, mV or V")  # of a damaged header, it may be a name
    largest_uv = scale * float(np.abs(values).max())
    if largest_uv > MAX_ABS_UV:
        raise RecordingError(f"reaches {largest_uv / 1e6:.3g} V; no ECG exceeds 1 V, so the values can't be in {unit}")
    span_uv = scale * float(np.ptp(values))
    if 0 < span_uv < MIN_SPAN_UV:  # a flat line is a matter of quality, not of units
        larger = "millivolts" if scale == 1 else "a larger unit"
        raise RecordingError(
            f"spans only {span_uv:.3g} µV if its values are in {unit}; an ECG spans hundreds, "
            f"so they are surely in {larger}"
        )
    return values * scale
