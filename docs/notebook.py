"""A notebook run from its first cell to its last, with what it prints and draws: `executed(NOTEBOOK, FOLDER)`."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

TIMEOUT_S = 600  # of a cell, on a crowded machine


def executed(path: Path, folder: Path) -> nbformat.NotebookNode:
    """The notebook with fresh outputs, its code run in a folder, where its files are expected."""
    notebook, place = nbformat.read(path, as_version=4), {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=TIMEOUT_S, resources=place, record_timing=False).execute()
    return notebook
