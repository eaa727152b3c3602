"""`python -m train.adopt`: a run from weights that somebody else has trained."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from edge_ecg.datasets.dataset_file import read_dataset
from edge_ecg.datasets.importing import DATASET
from edge_ecg.errors import RunError
from edge_ecg.storage.files import read_small_file, refuse_overlap
from edge_ecg.terminal.console import claim_folder, run_command
from train.data import BeatSet, read_sets
from train.evaluate import metrics_text
from train.fit.loop import PROGRESS, History, evidence_by_date, limits_from, settings_for
from train.model.architectures import MOST_BYTES, WEIGHTS, architecture_of, write_weights
from train.model.model import Model, compare, embed
from train.options import ArchitectureName, given_beats
from train.run import BEATS, CONFIG, METRICS, new_run, write_run
from train.studies.confounders import CONFOUNDERS
from train.training import OVERVIEW, leave_for_the_report

NAMED = 8  # entries of a kind in one error


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The entries of a safetensors file, or of a state dict that torch has saved. Raises RunError.

    Nothing in it is run: a pickle may hold tensors and plain containers only.
    """
    try:
        content = read_small_file(path, MOST_BYTES, RunError)
    except OSError as error:
        raise RunError(f"{path}: can't be read: {error.strerror}") from None
    try:
        if path.suffix == ".safetensors":
            state: Any = safetensors.torch.load(content)
        else:
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # of unpickling, which raises what it likes, and advises to run what the file holds
        raise RunError(
            f"{path}: expected safetensors, or a state dict saved by torch.save(model.state_dict(), ...): tensors and "
            "plain containers alone, since whatever else a pickle holds could run code"
        ) from None
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise RunError(f"{path}: holds {type(state).__name__}, expected a dict of tensors")
    return state


def with_weights(name: str, state: dict[str, Tensor], path: Path) -> Model:
    """A model of the architecture with the weights of a checkpoint. Raises RunError if an entry is missing or over."""
    architecture = architecture_of(name)
    model = architecture.build()
    renamed = {architecture.rename(key): tensor for key, tensor in state.items()}
    wanted = model.state_dict()
    faults = [
        f"{what} {', '.join(sorted(keys)[:NAMED])}{f' and {len(keys) - NAMED} more' if len(keys) > NAMED else ''}"
        for what, keys in (("missing", wanted.keys() - renamed.keys()), ("unexpected", renamed.keys() - wanted.keys()))
        if keys
    ]
    shapes = {key: (list(renamed[key].shape), list(wanted[key].shape)) for key in wanted.keys() & renamed.keys()}
    faults += [f"{key} is {got}, expected {expected}" for key, (got, expected) in shapes.items() if got != expected]
    if faults:
        raise RunError(f"{path}: does not fit {name}: {'; '.join(faults[:NAMED])}")
    if not_real := [key for key in wanted if renamed[key].is_floating_point() != wanted[key].is_floating_point()]:
        kinds = ", ".join(f"{key} is {renamed[key].dtype}, expected {wanted[key].dtype}" for key in not_real[:NAMED])
        raise RunError(f"{path}: does not fit {name}: {kinds}")
    if not_finite := [key for key, tensor in renamed.items() if not tensor.isfinite().all()]:
        raise RunError(f"{path}: {', '.join(not_finite[:NAMED])}: contains numbers that are not finite")
    model.load_state_dict(renamed)
    return model.eval()


def _require_that_it_tells_beats_apart(model: Model, beats: BeatSet, path: Path) -> None:
    """Raises RunError for weights that make nothing of beats: all zero, or so large that numbers overflow."""
    embeddings = embed(model, beats.values)
    if not np.isfinite(embeddings).all():
        raise RunError(f"{path}: with these weights embeddings overflow; expected those of a trained model")
    if not np.ptp(compare(model, embeddings, embeddings[:: max(1, len(embeddings) // 16)])):
        raise RunError(f"{path}: with these weights all beats are alike; expected those of a trained model")


@click.command()
@click.argument("checkpoint", metavar="CHECKPOINT", type=click.Path(path_type=Path))
@click.argument("dataset_file", metavar="[DATASET.toml]", required=False, type=click.Path(path_type=Path))
@click.option("--arch", required=True, type=ArchitectureName(), help="Whose weights they are.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the run.")
@click.option("--data", type=click.Path(path_type=Path), help="Where the recordings are, or their dataset file.")
@given_beats
@click.option(
    "--references", "per_state", type=click.IntRange(1), default=16, show_default=True, help="So many of each state."
)
def adopt(
    checkpoint: Path,
    dataset_file: Path | None,
    arch: str,
    out: Path,
    data: Path | None,
    beats_file: Path | None,
    per_state: int,
) -> None:
    """Make a run from weights trained elsewhere: references of the train dates, levels of train and validation dates.

    Nothing is trained. Each date's level comes from references of the other dates, but from these same weights: where
    they were trained on these dates, decisions are surer than they should be.
    """
    torch.set_num_threads(1)
    if dataset_file is None:
        if data is None:
            raise click.UsageError("give DATASET.toml, or --data with a dataset file or a folder with dataset.toml")
        dataset_file, data = (data / DATASET, data) if data.is_dir() else (data, None)
    refuse_overlap(out, [checkpoint, *([beats_file] if beats_file else [])])
    model = with_weights(arch, read_checkpoint(checkpoint), checkpoint)
    dataset = read_dataset(dataset_file, data)
    sets = {which: read_sets(dataset, [which], beats_file=beats_file) for which in ("train", "validation")}
    settings = replace(settings_for(arch, 0), references_per_state=per_state, epochs=0)
    claim_folder(out, "train", (WEIGHTS, BEATS, METRICS, CONFIG, OVERVIEW, CONFOUNDERS))
    if (out / PROGRESS).exists() or (out / CONFIG).exists():
        raise RunError(f"{out}: contains a run; give another folder")
    both = BeatSet.joined(sets.values())
    _require_that_it_tells_beats_apart(model, both, checkpoint)
    limits = limits_from(both, evidence_by_date(dict.fromkeys(both.dates.tolist(), model), both, settings))
    write_weights(out / WEIGHTS, model)
    run = new_run(out, dataset, settings, sets, model, limits, History(), adopted=checkpoint.name)
    leave_for_the_report(run, dataset)
    metrics = write_run(run, History())
    click.echo(metrics_text({"validation": metrics}, dataset.labels))
    click.echo(f"{model.parameter_count} parameters from {checkpoint.name}, in {out}")


if __name__ == "__main__":
    run_command(adopt)
