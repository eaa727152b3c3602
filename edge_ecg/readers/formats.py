"""The table of formats: files, folders, archives, doctor and documentation go by it. A new format is a line here."""

from collections.abc import Iterator

from edge_ecg.readers.clinical import CLINICAL
from edge_ecg.readers.edf import EDF
from edge_ecg.readers.format import Content, Format
from edge_ecg.readers.json_exports import JSON_EXPORTS
from edge_ecg.readers.mat import MAT
from edge_ecg.readers.npy import NPY
from edge_ecg.readers.opensignals import OPENSIGNALS
from edge_ecg.readers.outside import outside_formats
from edge_ecg.readers.text import TEXT
from edge_ecg.readers.wfdb import WFDB

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
