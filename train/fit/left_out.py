"""Every date left out once: models that have not seen it, and the evidence that they find in its beats.

FOLDER/DATE/checkpoint.safetensors   the model that has not seen DATE; kept, so that an interrupted run goes on
FOLDER/DATE/fold.json                the settings and beats it was made from; of others it is made again
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.datasets.dataset_file import days_with_both_states
from edge_ecg.storage.files import write_file
from train.data import BeatSet, digest_of
from train.decision.fitted import bank_of, choose_references, fit_guards, fit_levels
from train.fit.loop import Settings, Trainer
from train.model.architectures import WEIGHTS, architecture_of, build_model, read_weights
from train.model.model import Model, compare, embed
from train.parallel import run_tasks

KEY = "fold.json"
MOST_GROUPS = 15


def left_out_limits(
    beats: BeatSet, settings: Settings, folder: Path, progress: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """`limits_from` models that each have not seen one date; they are kept below `folder` for another time."""
    return limits_from(*left_out_evidence(beats, settings, folder, progress))


def limits_from(beats: BeatSet, evidence: np.ndarray) -> dict[str, Any]:
    """Levels and limits of guards, as config.json and the manifest have them, from the evidence (N,) of beats."""
    levels, guards = fit_levels(beats, evidence), fit_guards(beats, evidence)
    return {"levels": levels and levels.to_json(), "guards": guards and guards.to_json()}


def left_out_evidence(
    beats: BeatSet, settings: Settings, folder: Path, progress: Callable[[str], None] = lambda line: None
) -> tuple[BeatSet, np.ndarray]:
    """The beats of all dates that can be left out, and their evidence from the models that had not seen them."""
    dates = sorted(set(beats.dates.tolist()))
    states = list(zip(beats.dates.tolist(), beats.recording_is_target.tolist(), strict=True))
    fewest = architecture_of(settings.architecture).fewest_days
    groups = {
        name: group
        for name, group in groups_left_out(dates).items()
        if len(days_with_both_states(state for state in states if state[0] not in group)) >= fewest
    }
    jobs = {name: sorted(set(dates) - set(group)) for name, group in groups.items()}
    models = train_folds(beats, jobs, settings, folder, progress)
    of_date = {date: models[name] for name, group in groups.items() for date in group}
    return beats.on_dates(of_date), evidence_by_date(of_date, beats, settings)


def groups_left_out(dates: Sequence[str]) -> dict[str, list[str]]:
    """By name, the dates that one model leaves out: one each up to MOST_GROUPS dates, beyond that several.

    Every model learns from all the others, so that one for each date would make the work grow with their square.
    """
    if len(dates) <= MOST_GROUPS:
        return {date: [date] for date in dates}
    return {f"group-{number + 1}": list(dates[number::MOST_GROUPS]) for number in range(MOST_GROUPS)}


def evidence_by_date(models: Mapping[str, Model], beats: BeatSet, settings: Settings) -> np.ndarray:
    """(N,) the evidence of the beats of some dates, each from its date's model, with references of all other dates."""
    judged, dates = beats.on_dates(models), set(beats.dates.tolist())
    evidence = np.empty(len(judged.values))
    for date, model in models.items():
        of_date = judged.date == date
        others = beats.on_dates(dates - {date})
        evidence[of_date] = evidence_of(model, others, judged.values[of_date], settings)
    return evidence


def evidence_of(model: Model, training: BeatSet, values: np.ndarray, settings: Settings) -> np.ndarray:
    """(N,) evidence of beats (N, 384) from a model with references of the beats that it learned from."""
    embeddings = embed(model, training.values)
    chosen = choose_references(training, embeddings, settings.references_per_state)
    bank = bank_of(training, embeddings, chosen)
    return bank.evidence(compare(model, embed(model, values), bank.embeddings))


def train_folds(
    beats: BeatSet,
    learned: Mapping[str, Iterable[str]],
    settings: Settings,
    folder: Path,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Model]:
    """By name, a model trained on some dates; one of the same beats and settings is taken from its folder."""
    jobs = [(name, tuple(dates), settings, folder.absolute() / name) for name, dates in learned.items()]
    for name in run_tasks(_train, beats, jobs):
        progress(name)
    return {name: _stored(settings, folder / name) for name in learned}


def _train(beats: BeatSet, name: str, dates: tuple[str, ...], settings: Settings, folder: Path) -> str:
    """Train on some dates, unless it is done."""
    _train_unless_there(beats.on_dates(dates), settings, folder)
    return name


def kept_model(training: BeatSet, settings: Settings, folder: Path) -> Model:
    """A model of all these beats, trained to its last epoch and kept in a folder for another time."""
    _train_unless_there(training, settings, folder)
    return _stored(settings, folder)


def finished_model(training: BeatSet, settings: Settings, folder: Path) -> Model | None:
    """The model of all these beats that a folder holds; None if it holds none of these beats and settings."""
    is_there = (folder / KEY).exists() and (folder / KEY).read_bytes() == _key(training, settings)
    return _stored(settings, folder) if is_there else None


def _key(training: BeatSet, settings: Settings) -> bytes:
    # Without a validation set the references play no part in training.
    used = asdict(replace(settings, references_per_state=0))
    return json.dumps({"settings": used, "beats": digest_of(training)}).encode()


def _train_unless_there(training: BeatSet, settings: Settings, folder: Path) -> None:
    if finished_model(training, settings, folder) is None:
        Trainer(settings, training, None, folder).fit()
        write_file(folder / KEY, _key(training, settings))


def _stored(settings: Settings, folder: Path) -> Model:
    model = build_model(settings.architecture, settings.architecture_version)
    read_weights(folder / WEIGHTS, model)
    return model.eval()
