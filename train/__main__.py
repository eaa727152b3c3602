"""`python -m train`: from labeled recordings to a run with weights, figures and a picture."""

import os
import time
from pathlib import Path

import click

from edge_ecg.datasets.dataset_file import PERSON, read_dataset, require_days
from edge_ecg.errors import RunError
from edge_ecg.terminal.console import claim_folder, countdown, run_command, unused_path, wrapped
from edge_ecg.terminal.interrupts import quitting_at_once
from train.model import DEFAULT_ARCHITECTURE
from train.options import DATA, DATASET, RUN_HERE, ArchitectureName, given_beats


@click.command()
@DATASET
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the run. [run, numbered if it exists]")
@DATA
@given_beats
@click.option("--arch", type=ArchitectureName(), default=DEFAULT_ARCHITECTURE, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True)
@click.option("--epochs", type=click.IntRange(1), help="Maximum. [10; effnetv2: 40; linear has none]")
@click.option("--resume", is_flag=True, help="Continue an interrupted run, or begin a new one.")
def train(
    dataset_file: Path,
    out: Path | None,
    data: Path | None,
    beats_file: Path | None,
    arch: str,
    seed: int,
    epochs: int | None,
    resume: bool,
) -> None:
    """Train a comparator on the train dates; the validation dates stop it. Test dates are not read.

    Then each of these dates is left out once, to measure the levels of a new date.
    """
    with quitting_at_once():  # so that `--help` waits for none of them
        import torch

        from train.data import mixed, read_sets
        from train.evaluate import metrics_text
        from train.fit.loop import PROGRESS, Trainer, groups_left_out, settings_for
        from train.model.architectures import WEIGHTS, architecture_of
        from train.run import BEATS, CONFIG, FOLDS, METRICS
        from train.studies.confounders import CONFOUNDERS
        from train.training import OVERVIEW, train_run

    began = time.perf_counter()
    torch.set_num_threads(1)  # small matrices: more threads are slower, and one always adds in the same order
    out = out or (RUN_HERE if resume else unused_path(RUN_HERE))
    _refuse_a_run(out / PROGRESS, resume)
    dataset = read_dataset(dataset_file, data)
    fewest = architecture_of(arch).fewest_days
    if not beats_file:  # before they are read
        require_days(((entry.session, entry.label) for entry in dataset.entries("train")), fewest)
    sets = {which: read_sets(dataset, [which], beats_file=beats_file) for which in ("train", "validation")}
    learned = sets["train"]
    days = require_days(zip(learned.dates.tolist(), learned.recording_is_target.tolist(), strict=True), fewest)
    claim_folder(out, "train", (WEIGHTS, PROGRESS, BEATS, METRICS, CONFIG, FOLDS, OVERVIEW, CONFOUNDERS))
    _refuse_a_run(out / PROGRESS, resume)  # that another process finished meanwhile
    click.echo(f"{len(days)} day{'s' if len(days) > 1 else ''} with both states for training")
    if dataset.session == PERSON:
        click.echo("a group model: each person is a session, left out whole and tested with a model of the others")
    for warning in mixed(sets.values(), dataset.labels):
        click.secho(wrapped(f"weak: {warning}", 6), fg="yellow", err=True)
    settings = settings_for(arch, seed, epochs)
    trainer = Trainer(settings, sets["train"], sets["validation"], out)
    if resume and (out / PROGRESS).exists():  # a run that was killed early has nothing to go on with
        trainer.resume()

    dates = sorted({date for beats in sets.values() for date in beats.dates.tolist()})
    groups = len(groups_left_out(dates))
    if groups < len(dates):
        click.echo(f"{len(dates)} dates are left out in {groups} groups", err=True)
    at_a_time = min(groups, os.cpu_count() or 1)
    step = countdown(
        lambda line: click.echo(f"epoch {line}", err=True),
        settings.epochs,
        len(trainer.history.epochs),
        later=settings.epochs * groups / at_a_time,  # each group of dates is left out by a training of its own
    )
    left_out = countdown(lambda line: click.echo(f"date {line}", err=True), groups)

    def show(row: dict[str, float], _of: int) -> None:
        step(
            f"loss {row['loss']:.4f}  validation {row['validation_loss']:.4f}  "
            f"beats {row['validation_beat_accuracy']:.2%}"
        )

    finished, metrics = train_run(trainer, dataset, sets, out, show, lambda date: left_out(f"{date} left out"))
    if finished.config["levels"] is None:
        said = (
            "too few days with both states to tell how much days differ: every recording will be inconclusive; record "
            "both states on more days"
        )
        click.echo(wrapped(said, 2), err=True)
    click.echo(metrics_text({"validation": metrics}, dataset.labels))
    click.echo(f"{finished.model.parameter_count} parameters, {time.perf_counter() - began:.0f} s, in {out}")
    click.echo(f"Next: edge-ecg export {out}")


def _refuse_a_run(progress: Path, resume: bool) -> None:
    if progress.exists() and not resume:
        raise RunError(f"{progress.parent}: contains a run; give --resume to continue it, or another folder")


if __name__ == "__main__":
    run_command(train)
