"""The table of formats: single files, folders and archives are read by it alike. A new format is a line here."""

from edge_ecg.readers.edf import EDF
from edge_ecg.readers.format import Content, Format
from edge_ecg.readers.json_exports import JSON_EXPORTS
from edge_ecg.readers.npy import NPY
from edge_ecg.readers.opensignals import OPENSIGNALS
from edge_ecg.readers.text import TEXT
from edge_ecg.readers.wfdb import WFDB

FORMATS = (WFDB, NPY, EDF, JSON_EXPORTS, OPENSIGNALS, TEXT)  # the first that knows a file reads it


def format_of(content: Content) -> Format | None:
    """The format of a file, None if it looks like no recording."""
    return next((form for form in FORMATS if form.knows(content)), None)
