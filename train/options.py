"""Options that several commands of `train` have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_ecg.errors import RunError
from edge_ecg.terminal.interrupts import quitting_at_once
from train.evaluation import BENCHMARK_NAMES
from train.model import NAMES

Result = TypeVar("Result")


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


def _run_here(_context: click.Context, _argument: click.Parameter, given: Path | None) -> Path:
    if given is None and not RUN_HERE.is_dir():
        raise click.UsageError("give a RUN: there is no folder `run` here, as `edge-ecg train` makes it")
    return given or RUN_HERE


def _dataset_here(_context: click.Context, _argument: click.Parameter, given: Path | None) -> Path:
    if given is not None:
        return given
    found = sorted({*Path().glob("dataset.toml"), *Path().glob("*/dataset.toml")})
    if len(found) != 1:
        listed = (
            f"here are {', '.join(map(str, found))}"
            if found
            else "here is no dataset.toml, as `edge-ecg import` makes it"
        )
        raise click.UsageError(f"give a DATASET.toml: {listed}")
    click.echo(f"data set: {found[0]}", err=True)
    return found[0]


RUN_HERE = Path("run")
RUN = click.argument(
    "run_folder", metavar="[RUN]", required=False, callback=_run_here, type=click.Path(path_type=Path)
)  # without it, the folder `run` here
DATASET = click.argument(
    "dataset_file", metavar="[DATASET.toml]", required=False, callback=_dataset_here, type=click.Path(path_type=Path)
)  # without it, the one data set here
DATA = click.option("--data", type=click.Path(path_type=Path), help="Folder of the recordings [that of DATASET.toml].")


def compared(
    architectures: tuple[str, ...] | None, benchmarks: tuple[str, ...] | None, arch_help: str, shown: str
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Options --arch and --benchmark with these defaults; `shown` describes those of --benchmark."""

    def with_both(command: Callable[..., Result]) -> Callable[..., Result]:
        arch = click.option(
            "--arch",
            "architectures",
            multiple=True,
            type=ArchitectureName(),
            default=architectures,
            show_default=True,
            help=arch_help,
        )
        benchmark = click.option(
            "--benchmark",
            "benchmarks",
            multiple=True,
            type=click.Choice(BENCHMARK_NAMES),
            default=benchmarks,
            metavar="NAME",
            show_default=shown,
            help=f"A benchmark method; may be given again: {', '.join(BENCHMARK_NAMES)}.",
        )
        return arch(benchmark(command))

    return with_both


given_beats = click.option(
    "--beats",
    "beats_file",
    type=click.Path(path_type=Path),
    help="A safetensors file of beats, in place of recordings (docs/models.md).",
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
    help="Run on the workers of a Dask scheduler with the same files (docs/cohort.md) [locally, one task per core].",
)
