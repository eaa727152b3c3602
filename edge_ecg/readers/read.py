"""Read a recording from any supported file, and check that it is usable.

Apple writes the person's name and birth date into each file; no reader keeps them.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge_ecg.errors import EdgeEcgError, RecordingError
from edge_ecg.readers.apple_format import is_apple
from edge_ecg.readers.edf import EDF
from edge_ecg.readers.format import CLINICAL, HEAD_BYTES, Content, Format
from edge_ecg.readers.json_exports import JSON_EXPORTS
from edge_ecg.readers.mat import MAT, NPY
from edge_ecg.readers.opensignals import OPENSIGNALS
from edge_ecg.readers.pdf import PDF
from edge_ecg.readers.text import TEXT, WIDE
from edge_ecg.readers.wfdb import HEADER, SAMPLES, WFDB, header_beside
from edge_ecg.recording import NO_OVERRIDES, Overrides, RawSignal, Recording, to_recording
from edge_ecg.storage.files import path_of

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "edge_ecg.readers"  # of entry points: `name = "package.module:FORMAT"`


@lru_cache
def outside_formats() -> tuple[Format, ...]:
    """The formats of installed packages. Raises RecordingError, naming the package, for one that is no `Format`."""
    return tuple(map(_loaded, entry_points()))


def entry_points() -> "Iterable[EntryPoint]":
    """Entry points of the group."""
    from importlib import metadata  # which takes long to import

    return metadata.entry_points(group=GROUP)


def _loaded(point: "EntryPoint") -> Format:
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


def _read(form: Format, failed: str) -> Callable[[Content, Overrides], RawSignal]:
    def read(content: Content, overrides: Overrides) -> RawSignal:
        with _answering(failed):
            signal = form.read(content, overrides)
        if not isinstance(signal, RawSignal):
            raise RecordingError(f"{failed}: it gave a {type(signal).__name__}, expected a RawSignal")
        if getattr(signal.values, "ndim", None) != 1 or getattr(signal.values, "dtype", None) != "float64":
            raise RecordingError(f"{failed}: its values are no float64 array of one dimension")
        return signal

    return read


@contextmanager
def _answering(failed: str) -> Iterator[None]:
    """Turn any other error of a package's code into one that names the package."""
    try:
        yield
    except EdgeEcgError:
        raise
    except Exception as error:  # its message may quote the recording
        raise RecordingError(f"{failed}: {type(error).__name__}") from error


FORMATS = (WFDB, NPY, EDF, MAT, JSON_EXPORTS, OPENSIGNALS, WIDE, PDF)


def formats(content: Content | None = None) -> Iterator[Format]:
    """All formats, including those of installed packages; the first that matches a file reads it.

    For a `content` of the Health app no package is asked: the search for packages takes longer than the reading.
    """
    yield from FORMATS
    if content is None or not is_apple(content.head):
        yield from outside_formats()
        yield CLINICAL  # an outside format may read one of these
    yield TEXT  # any text may look like a table


def format_of(content: Content) -> Format | None:
    """The format of a file, None if it looks like no recording. Raises RecordingError for a package that fails."""
    return next((form for form in formats(content) if form.knows(content)), None)


MAX_FILE_BYTES = 50_000_000


def read_recording(
    path: str | os.PathLike[str],
    rate_hz: float | None = None,
    unit: str | None = None,
    channel: str | None = None,
    lead: str | None = None,
) -> Recording:
    """Read a recording; the format is recognized by content.

    docs/recordings.md lists the formats.

    :param path: the file; a WFDB record as `100`, `100.hea` or `100.dat`
    :param rate_hz: sample rate of a file without one; if not given, 512 Hz
    :param unit: unit of a file without one, such as `mV`; if not given, microvolts
    :param channel: name, or number from 1, of the ECG's channel or column
    :param lead: lead of a file without one
    :raises RecordingError: naming the file, if it can't be read, has an unknown format, has a rate, unit or lead that
        can't be read or differs from an argument, contains an infinite value, lacks half of its samples, has a rate
        outside 100 to 2000 Hz, lasts less than 4 s, or can't be an ECG in its unit
    """
    path_of(path, RecordingError)
    source, overrides = os.fspath(path), Overrides(rate_hz, unit, channel, lead)
    try:
        return read_content(content_at(source), source, overrides)
    except OSError as error:
        raise RecordingError(f"{source}: cannot be read: {error.strerror}") from None


def read_content(content: Content, source: str, overrides: Overrides = NO_OVERRIDES) -> Recording:
    """The recording in a file, wherever it lies; errors name it as `source`. Raises RecordingError."""
    return read_part(partial(_signal, content, overrides), source, overrides)


def _signal(content: Content, overrides: Overrides) -> RawSignal:
    if not content.head.strip():
        raise RecordingError("is empty; expected a recording")
    if content.head.startswith(b"PK\x03\x04"):
        raise RecordingError("is a zip archive; expected one recording (replay, detect and import read its ECGs)")
    is_json = content.head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[")
    form = format_of(content) or (JSON_EXPORTS if is_json else TEXT)
    return form.read(content, overrides)


def read_part(read: Callable[[], RawSignal], source: str, overrides: Overrides = NO_OVERRIDES) -> Recording:
    """The recording that `read` gives, one of a file; errors name it as `source`. Raises RecordingError."""
    try:
        return to_recording(read(), source, overrides)
    except RecordingError as error:
        named = RecordingError(f"{source}: {error}")
        for note in getattr(error, "__notes__", ()):
            named.add_note(note)
        raise named from None


def content_at(source: str) -> Content:
    """The file at a path, or the header of the WFDB record that it names. Raises RecordingError or OSError."""
    path = Path(source)
    if path.suffix.lower() in {HEADER, *SAMPLES} or not path.exists():
        path = header_beside(path) or path
    size = path.stat().st_size
    if not path.is_file():  # a pipe would wait for ever
        raise RecordingError(f"{source}: is a folder or a device; expected the file of one recording")
    if size > MAX_FILE_BYTES:
        most = f"{MAX_FILE_BYTES / 1e6:.0f} MB"
        raise RecordingError(f"{source}: holds {size / 1e6:.0f} MB; expected one recording of at most {most}")
    with path.open("rb") as file:
        return Content(path.name, file.read(HEAD_BYTES), path.read_bytes, path)
