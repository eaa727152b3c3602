"""The table of formats: files, folders, archives, doctor and documentation go by it. A new format is a line here.

An installed package adds one by an entry point of the group `edge_ecg.readers`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from edge_ecg.errors import EdgeEcgError, RecordingError
from edge_ecg.readers.clinical import CLINICAL
from edge_ecg.readers.edf import EDF
from edge_ecg.readers.format import Content, Format
from edge_ecg.readers.json_exports import JSON_EXPORTS
from edge_ecg.readers.mat import MAT
from edge_ecg.readers.npy import NPY
from edge_ecg.readers.opensignals import OPENSIGNALS
from edge_ecg.readers.text import TEXT
from edge_ecg.readers.wfdb import WFDB
from edge_ecg.recording import Signal, Told

GROUP = "edge_ecg.readers"  # of entry points: `name = "package.module:FORMAT"`


@lru_cache
def outside_formats() -> tuple[Format, ...]:
    """The formats of installed packages. Raises RecordingError, naming the package, for one that is no `Format`."""
    return tuple(map(_loaded, entry_points(group=GROUP)))


def _loaded(point: EntryPoint) -> Format:
    package = point.dist.name if point.dist else point.module
    try:
        form = point.load()
    except Exception as error:  # whatever the import of somebody else's module raises
        raise RecordingError(f"reader {point.name} of {package} can't be loaded: {type(error).__name__}") from error
    if not isinstance(form, Format):
        expected = "expected an edge_ecg.readers.format.Format"
        raise RecordingError(f"reader {point.name} of {package} is a {type(form).__name__}, {expected}")
    failed = f"reader {point.name} of {package} failed"
    return replace(form, sniff=_sniff(form, failed), read=_read(form, failed))


def _sniff(form: Format, failed: str) -> Callable[[bytes], bool]:
    def sniff(head: bytes) -> bool:
        with _answering(failed):
            return bool(form.sniff(head))

    return sniff


def _read(form: Format, failed: str) -> Callable[[Content, Told], Signal]:
    def read(content: Content, told: Told) -> Signal:
        with _answering(failed):
            signal = form.read(content, told)
        if not isinstance(signal, Signal):
            raise RecordingError(f"{failed}: it gave a {type(signal).__name__}, expected a Signal")
        if getattr(signal.values, "ndim", None) != 1 or getattr(signal.values, "dtype", None) != "float64":
            raise RecordingError(f"{failed}: its values are no float64 array of one dimension")
        return signal

    return read


@contextmanager
def _answering(failed: str) -> Iterator[None]:
    """Whatever else the code of a package raises is an error that names it."""
    try:
        yield
    except EdgeEcgError:
        raise
    except Exception as error:  # its message may quote the recording
        raise RecordingError(f"{failed}: {type(error).__name__}") from error


FORMATS = (WFDB, NPY, EDF, MAT, JSON_EXPORTS, OPENSIGNALS)


def formats() -> Iterator[Format]:
    """All formats, those of installed packages among them; the first that knows a file reads it."""
    yield from FORMATS
    yield from outside_formats()
    yield CLINICAL  # an outside format may read one of these
    yield TEXT  # any text may look like a table


def format_of(content: Content) -> Format | None:
    """The format of a file, None if it looks like no recording. Raises RecordingError for a package that fails."""
    return next((form for form in formats() if form.knows(content)), None)
