"""A recording as a MATLAB file: the ECG among its arrays, rate and unit from variables beside it (needs `scipy`)."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.format import Content, Format, ecg_channel, lead_of
from edge_ecg.readers.header import stated_rate_hz, stated_unit
from edge_ecg.readers.times import is_time_name, rate_of
from edge_ecg.recording import FEWEST_SAMPLES, Overrides, RawSignal

MOST_NUMBERS = 25_000_000  # of all arrays, before any is read
MOST_CHANNELS = 64
NUMERIC = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)} | {"double", "single"}


def parse_mat(content: Content, overrides: Overrides) -> RawSignal:
    """The ECG in a MATLAB file up to version 7: a vector, or a row or column of a matrix. Raises RecordingError."""
    if content.head.startswith(b"MATLAB 7.3"):
        raise RecordingError("is a MATLAB file of version 7.3, which is HDF5; save it with -v7")
    try:
        import scipy.io  # noqa: F401 - optional
    except ImportError:
        raise RecordingError("is a MATLAB file, which needs scipy: pip install -e '.[mat]' in the clone") from None
    try:
        variables = _loaded(content.read())
    except RecordingError:
        raise
    except Exception:  # whatever the parser trips over
        raise RecordingError("is not a readable MATLAB file") from None
    said = [(name.casefold(), str(value.ravel()[0])) for name, value in variables.items() if value.size == 1]
    arrays = {name: value for name, value in variables.items() if value.dtype.kind in "fiu" and value.size > 1}
    rates = (rate_of(value.ravel().astype(np.float64)) for name, value in arrays.items() if is_time_name(name))
    channels = [(name, values) for name, values in _channels(arrays) if not is_time_name(name)]
    if not channels:
        raise RecordingError(
            f"has no array of {FEWEST_SAMPLES} numbers or more; expected an ECG in a variable of its own"
        )
    name, values = channels[ecg_channel([name for name, _ in channels], overrides.channel)]
    rate_hz = stated_rate_hz(said) or next(filter(None, rates), None)
    return RawSignal(values.astype(np.float64), stated_unit(said, name), rate_hz, None, lead_of(name))


def _loaded(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of numbers and words, if what the file lists is no more than a recording has."""
    from scipy.io import loadmat, whosmat  # slow to import

    listed = [(name, shape) for name, shape, kind in whosmat(io.BytesIO(data)) if kind in NUMERIC | {"char"}]
    if sum(int(np.prod(shape, dtype=object)) for _, shape in listed) > MOST_NUMBERS:
        raise RecordingError(f"lists more than {MOST_NUMBERS:,} numbers; expected one recording")
    found: dict[str, Any] = loadmat(
        io.BytesIO(data), variable_names=[name for name, _ in listed], chars_as_strings=True
    )
    return {name: found[name] for name, _ in listed if isinstance(found.get(name), np.ndarray)}


def _channels(arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Name and values of each vector, and of each row or column of a matrix, whichever is longer."""
    for name, array in arrays.items():
        rows = array if array.ndim != 2 or array.shape[0] <= array.shape[1] else array.T
        if rows.ndim != 2 or rows.shape[1] < FEWEST_SAMPLES or len(rows) > MOST_CHANNELS:
            continue
        for number, values in enumerate(rows, 1):
            yield (name if len(rows) == 1 else f"{name} {number}"), values


MAT = Format(
    "MATLAB",
    "`.mat` up to version 7: a vector, or a row or column of a matrix; rate and unit from variables such as `fs`",
    frozenset({".mat"}),
    lambda head: head.startswith((b"MATLAB 5.0 MAT-file", b"MATLAB 7.3")),
    parse_mat,
    needs="scipy",
)
