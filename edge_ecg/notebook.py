"""Training and export as functions for notebooks and scripts, with the defaults of the commands."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import click

from edge_ecg.errors import EdgeEcgError
from edge_ecg.terminal.console import unused_path


def train(
    dataset: str | Path | None = None,
    *,
    out: str | Path | None = None,
    data: str | Path | None = None,
    arch: str | None = None,
    seed: int = 0,
    epochs: int | None = None,
    resume: bool = False,
) -> Path:
    """Train a comparator like `edge-ecg train`, and return the folder of the run. Imports torch when called.

    :param dataset: the dataset file; if not given, the only `dataset.toml` in the working folder or one folder below
    :param out: folder for the run; if not given, `run`, numbered if it exists
    :param data: folder of the recordings; if not given, that of the dataset file
    :param arch: architecture; if not given, the default of the command
    :param seed: seed of the weights and the order of the batches
    :param epochs: maximum number of epochs; if not given, that of the architecture
    :param resume: continue an interrupted run, `run` if `out` is not given
    :raises EdgeEcgError: for bad input, in one sentence
    """
    folder = Path(out or ("run" if resume else unused_path(Path("run"))))
    options = {"--out": folder, "--data": data, "--arch": arch, "--seed": seed, "--epochs": epochs}
    _run("train", [*_given(dataset), *_options(options), *["--resume"] * resume])
    return folder


def export(
    run: str | Path | None = None,
    *,
    out: str | Path | None = None,
    references: int | None = None,
    only: Sequence[str] = (),
) -> Path:
    """Write a bundle like `edge-ecg export`, and return its folder. Imports torch when called.

    :param run: folder of a finished run; if not given, `run` in the working folder
    :param out: folder for the bundle; if not given, `bundle`, numbered if it exists
    :param references: reference beats per state; if not given, as in the run
    :param only: formats, out of `onnx`, `coreml`, `portable` and `litert`; if not given, all but the last
    :raises EdgeEcgError: for bad input, or if an artifact in float32 changes decisions
    """
    folder = Path(out or unused_path(Path("bundle")))
    options = {"--out": folder, "--references": references, "--only": ",".join(only) or None}
    _run("export", [*_given(run), *_options(options)])
    return folder


def _given(argument: str | Path | None) -> list[str]:
    return [] if argument is None else [str(argument)]


def _options(values: Mapping[str, object]) -> list[str]:
    return [word for name, value in values.items() if value is not None for word in (name, str(value))]


def _run(command: str, arguments: list[str]) -> None:
    """Run a command inside this process. Its package is above the runtime, so that it is found by its name."""
    cli = import_module("edge_ecg.cli").cli
    try:
        cli.main([command, *arguments], standalone_mode=False)
    except click.ClickException as error:
        raise EdgeEcgError(error.format_message()) from None
