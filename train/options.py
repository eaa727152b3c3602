"""Options that several commands of `train` have."""

from pathlib import Path
from typing import Any

import click

from edge_ecg.errors import RunError
from edge_ecg.terminal.interrupts import quitting_at_once
from train.model import NAMES


class ArchitectureName(click.ParamType):
    """The name of an architecture that is there: ours, an installed package's, or `package.module:factory`."""

    name = "architecture"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[{'|'.join(NAMES)}|MODULE:FACTORY]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        with quitting_at_once():
            from train.model.architectures import architecture_of
        try:
            architecture_of(value)
        except RunError as error:
            self.fail(str(error), param, ctx)
        return str(value)


given_beats = click.option(
    "--beats",
    "beats_file",
    type=click.Path(path_type=Path),
    help="A safetensors file with the beats, in place of the recordings (docs/models.md).",
)


def _run_there(context: click.Context, _option: click.Parameter, address: str | None) -> None:
    if address is not None:
        with quitting_at_once():
            from train.parallel import require_dask, tasks_on
        require_dask()
        context.with_resource(tasks_on(address))


on_scheduler = click.option(
    "--scheduler",
    metavar="ADDRESS",
    expose_value=False,
    callback=_run_there,
    help="Run on the workers of a Dask scheduler, which see the same files (docs/cohort.md) [here, one task a core].",
)
