"""A recording as a MATLAB file: the ECG among its arrays, rate and unit from variables beside it (needs `scipy`)."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.format import Content, Format, ecg_channel, lead_of
from edge_ecg.readers.header import require_no_scale, stated_or_override_hz, stated_unit
from edge_ecg.readers.times import even_grid, is_time_name, on_grid, time_unit
from edge_ecg.recording import FEWEST_SAMPLES, Overrides, RawSignal

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
    "`.npy`, one dimension of integers, float32 or float64; without rate and unit",
    frozenset({".npy"}),
    lambda head: head.startswith(b"\x93NUMPY"),
    parse_npy,
)


MOST_NUMBERS = 25_000_000  # of all arrays, before any is read
MOST_CHANNELS = 64
READ = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)} | {"double", "single", "char", "cell"}


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
    fields = [(name.casefold(), _statement(value)) for name, value in variables.items() if not _is_long(value)]
    arrays = {name: value for name, value in variables.items() if value.dtype.kind in "fiu" and value.size > 1}
    channels = [(name, values.astype(np.float64)) for name, values in _channels(arrays)]
    times = [(name, values) for name, values in channels if is_time_name(name) or even_grid(values)]
    channels = [(name, values) for name, values in channels if name not in dict(times)]
    if not channels:
        raise RecordingError(
            f"has no array of {FEWEST_SAMPLES} numbers or more; expected an ECG in a variable of its own"
        )
    name, values = channels[ecg_channel([name for name, _ in channels], overrides.channel)]
    require_no_scale(fields, overrides.unit)
    rate_hz = stated_or_override_hz(fields, overrides.rate_hz)
    for called, column in times[:1]:
        if len(column) != len(values):
            raise RecordingError(f"has {len(column)} times and {len(values)} samples; expected as many")
        values, rate_hz = on_grid(values, column, time_unit(called), rate_hz, overrides.rate_hz)
    return RawSignal(values, stated_unit(fields, name), rate_hz, None, lead_of(name))


def _is_long(value: np.ndarray) -> bool:
    return value.dtype.kind in "fiuc" and value.size >= FEWEST_SAMPLES


def _statement(value: np.ndarray) -> str:
    """A variable as one number or word; a question mark where it is anything else."""
    while value.dtype.kind == "O" and value.size == 1 and isinstance(value.ravel()[0], np.ndarray):
        value = value.ravel()[0]  # a cell
    words = {str(word).strip() for word in value.ravel()} if value.dtype.kind in "fiuU" else set()
    return words.pop() if len(words) == 1 else "?"


def _loaded(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of numbers and words, if what the file lists is no more than a recording has."""
    from scipy.io import loadmat, whosmat  # slow to import

    listed = whosmat(io.BytesIO(data))
    kinds = {name: kind for name, _, kind in listed}
    if sum(int(np.prod(shape, dtype=object)) for _, shape, kind in listed if kind in READ) > MOST_NUMBERS:
        raise RecordingError(f"lists more than {MOST_NUMBERS:,} numbers; expected one recording")
    names = [name for name, kind in kinds.items() if kind in READ]
    found: dict[str, Any] = loadmat(io.BytesIO(data), variable_names=names, chars_as_strings=True)
    unread = np.array("?")  # such as a struct, which may state something
    return {name: found[name] if isinstance(found.get(name), np.ndarray) else unread for name in kinds}


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
