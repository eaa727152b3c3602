"""Options and the loop over recordings that several commands share."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from edge_ecg.console import report_error
from edge_ecg.errors import EdgeEcgError
from edge_ecg.readers.find import find_recordings
from edge_ecg.recording import Recording

Result = TypeVar("Result")
RECORDINGS = click.argument("recordings", metavar="RECORDING...", nargs=-1, required=True)
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
    paths: Iterable[str], work: Callable[[Recording], Result], show: Callable[[Result], str] | None = None
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
                    if show:
                        click.echo(show(result))
                except EdgeEcgError as error:
                    code = report_error(error)
        except EdgeEcgError as error:
            code = report_error(error)
    return code
