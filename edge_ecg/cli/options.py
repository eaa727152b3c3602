"""Options and the loop over recordings that several commands share."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_ecg.console import report_error
from edge_ecg.errors import EdgeEcgError
from edge_ecg.readers.find import find_recordings
from edge_ecg.recording import Recording

Result = TypeVar("Result")
RECORDINGS = click.argument("recordings", metavar="RECORDING...", nargs=-1, required=True)
LABELS = click.option(
    "--labels", "labels_file", type=click.Path(path_type=Path), help="CSV of file,label. [folder names]"
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a recording on standard output.")


class Quantity(click.ParamType):
    """A number that may carry its unit, such as 2s or 20dB."""

    def __init__(self, unit: str):
        self.name = self._unit = unit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip().lower().removesuffix(self._unit.lower()).strip()
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not abs(number) < float("inf"):
            self.fail(f"{value!r} is not a number of {self._unit}", param, ctx)
        return number


def for_each(
    paths: Iterable[str], work: Callable[[Recording], Result | None], show: Callable[[Result], str] | None = None
) -> int:
    """Work on each recording and print what `show` makes of it; a bad one is reported and the others still run.

    Returns the exit code.
    """
    code = 0
    for path in paths:
        try:
            for found in find_recordings(path):
                try:
                    result = work(found.read())
                    if show and result is not None:
                        click.echo(show(result))
                except EdgeEcgError as error:
                    code = report_error(error)
        except EdgeEcgError as error:
            code = report_error(error)
    return code


def read_labels(path: Path) -> dict[str, str]:
    """Labels by path or file name, from a CSV of two columns; a heading is no harm."""
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EdgeEcgError(f"{path}: can't be read as a CSV of file,label: {error}") from None
    if not rows or any(len(row) != 2 for row in rows):
        raise EdgeEcgError(f"{path}: expected two columns in every row: file,label")
    return {file.strip(): label.strip() for file, label in rows}
