"""Where everything begins: a recording, read from any supported file and found usable.

The person's name and birth date, which Apple writes into each file, go no further than this door.
"""

import os
from pathlib import Path

from edge_ecg.errors import RecordingError
from edge_ecg.readers.apple_csv import parse_apple_csv
from edge_ecg.readers.edf import EDF_VERSION, parse_edf
from edge_ecg.readers.npy import parse_npy
from edge_ecg.readers.wfdb import read_wfdb
from edge_ecg.recording import Recording, Signal, usable

MAX_FILE_BYTES = 50_000_000


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
        return usable(_signal(Path(source)), source)
    except RecordingError as error:
        raise RecordingError(f"{source}: {error}") from None
    except OSError as error:
        raise RecordingError(f"{source}: cannot be read: {error.strerror}") from None


def parse_recording(data: bytes, source: str) -> Recording:
    """The recording in the bytes of an Apple ECG file or of a column of numbers. Raises RecordingError."""
    try:
        return usable(parse_apple_csv(data), source)
    except RecordingError as error:
        raise RecordingError(f"{source}: {error}") from None


def _signal(path: Path) -> Signal:
    record = path.with_suffix("") if path.suffix in {".hea", ".dat"} else path
    if Path(f"{record}.hea").is_file() and (record != path or not path.is_file()):
        return read_wfdb(record)
    data = _read_bytes(path)
    if not data.strip():
        raise RecordingError("is empty; expected a recording")
    if data.startswith(b"\x93NUMPY") or path.suffix == ".npy":
        return parse_npy(data)
    if data.startswith(b"PK\x03\x04"):
        raise RecordingError("is a zip archive; expected one recording (replay, detect and import read its ECGs)")
    if data.startswith(EDF_VERSION):
        return parse_edf(data)
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
