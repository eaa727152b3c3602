"""A training run on disk: weights, settings, beats and metrics, each file moved into place when it is whole.

    checkpoint.safetensors   the best weights so far        config.json    settings, dataset, contract, limits
    beats.safetensors        training and validation beats  metrics.json   figures by set
    folds/DATE/              a model that has not seen DATE; the levels in config.json are from these
    progress.safetensors     what --resume needs

No pickle anywhere. An architecture that is not ours is imported by its name: SECURITY.md.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import torch

from edge_ecg.contract import CONTRACT, Contract
from edge_ecg.datasets.dataset_file import UNKNOWN, Dataset
from edge_ecg.errors import ContractError, EdgeEcgError, RunError
from edge_ecg.inference.guards import GuardLimits
from edge_ecg.inference.levels import Levels
from edge_ecg.inference.novelty import TrainingDistribution
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import DecisionRule
from edge_ecg.results import RunMetrics, SetMetrics, write_record
from edge_ecg.storage.files import plain_file, read_json, write_file, write_json
from train.data import BeatSet
from train.fit.decision import bank_of, choose_references, decide, fit_distribution
from train.fit.loop import History, Settings
from train.model.architectures import WEIGHTS, build_model, read_weights
from train.model.model import Model, embed

CONFIG, BEATS, METRICS = "config.json", "beats.safetensors", "metrics.json"
FOLDS = "folds"


@dataclass(frozen=True)
class Run:
    """A finished training run."""

    path: Path
    config: dict[str, Any]
    model: Model
    training: BeatSet
    validation: BeatSet
    contract: Contract
    labels: tuple[str, str]

    @property
    def rule(self) -> DecisionRule:
        """The decision rule: levels from dates left out, constants from the contract."""
        return DecisionRule(self.labels, Levels.from_json(self.config["levels"]), self.contract.voting)

    def references(self, per_state: int | None = None) -> tuple[np.ndarray, ReferenceBank]:
        """Indices of the chosen training beats, and their embeddings as a bank."""
        embeddings = embed(self.model, self.training.values)
        wanted = per_state or self.config["settings"]["references_per_state"]
        chosen = choose_references(self.training, embeddings, wanted)
        return chosen, bank_of(self.training, embeddings, chosen)

    def distribution(self) -> TrainingDistribution | None:
        """Distribution of training and validation beats; None if they have too few dates."""
        sets = (self.training, self.validation)
        return fit_distribution([embed(self.model, beats.values) for beats in sets], sets)


def new_run(
    out: Path,
    dataset: Dataset,
    settings: Settings,
    sets: dict[str, BeatSet],
    model: Model,
    limits: dict[str, Any],
    history: History,
    **facts: Any,
) -> Run:
    """A run of trained weights; nothing is written.

    limits: from `train.fit.loop.limits_from`; facts: more of what config.json says.
    """
    config = {
        "labels": dataset.labels,
        "settings": asdict(settings),
        "dataset": {
            "name": dataset.name,
            "dates": dataset.sessions,
            "session": dataset.session,
            "recordings": {w: len(b.sources) for w, b in sets.items()},
            "beats": {w: len(b.values) for w, b in sets.items()},
            "leads": sorted({origin.lead or UNKNOWN for b in sets.values() for origin in b.origins}),
            "devices": sorted({origin.device or UNKNOWN for b in sets.values() for origin in b.origins}),
        },
        **limits,
        "parameters": model.parameter_count,
        "best_epoch": history.best_epoch,
        "torch": torch.__version__,
        **facts,
    }
    return Run(out, config, model, sets["train"], sets["validation"], CONTRACT, dataset.labels)


def write_run(run: Run, history: History) -> SetMetrics:
    """Write the files of a run beside its weights; return the metrics of the validation dates.

    config.json comes last: a folder that has it is a finished run, and never one without its levels.
    """
    sets = {"train": run.training, "validation": run.validation}
    _, references = run.references()
    metrics = {which: decide(run.model, references, beats, run.rule).metrics() for which, beats in sets.items()}
    write_beats(run.path / BEATS, sets)
    write_record(run.path / METRICS, RunMetrics(**metrics, history=history.record()))
    write_json(run.path / CONFIG, {**run.config, "contract": run.contract.to_json()})
    return metrics["validation"]


def write_beats(path: Path, sets: dict[str, BeatSet]) -> None:
    """Store beat sets in one safetensors file, the names of recordings in its metadata."""
    tensors, names = {}, {}
    for which, beats in sets.items():
        tensors[f"{which}.values"] = beats.values
        tensors[f"{which}.recording"] = beats.recording.astype(np.int32)
        tensors[f"{which}.known_at_s"] = beats.known_at_s
        tensors[f"{which}.recording_is_target"] = beats.recording_is_target.astype(np.uint8)
        tensors[f"{which}.sample_rates_hz"] = beats.sample_rates_hz
        days = np.datetime_as_string(beats.days).tolist()
        names[which] = {"sources": beats.sources, "dates": beats.dates.tolist(), "days": days}
    # One entry: safetensors writes those of metadata now in this order, now in that.
    write_file(path, safetensors.numpy.save(tensors, {"sets": json.dumps(names)}))


def read_beats(path: Path) -> dict[str, BeatSet]:
    """Read what `write_beats` wrote. Raises RunError."""
    try:
        with safetensors.safe_open(plain_file(path, RunError), "numpy") as file:
            sets = {}
            for which, names in json.loads(file.metadata()["sets"]).items():
                sets[which] = BeatSet(
                    file.get_tensor(f"{which}.values"),
                    file.get_tensor(f"{which}.recording").astype(np.int64),
                    file.get_tensor(f"{which}.known_at_s"),
                    tuple(names["sources"]),
                    np.array(names["dates"]),
                    file.get_tensor(f"{which}.recording_is_target").astype(bool),
                    file.get_tensor(f"{which}.sample_rates_hz"),
                    np.array(names["days"], "datetime64[D]"),
                )
            return sets
    except RunError:
        raise
    except (OSError, safetensors.SafetensorError, ValueError, KeyError) as error:
        raise RunError(f"{path}: can't be read as the beats of a run: {error}") from None


def load_run(path: str | Path) -> Run:
    """Open a finished run. Raises RunError on anything missing or unfit."""
    path = Path(path)
    if not (path / CONFIG).exists():
        raise RunError(f"{path}: holds no {CONFIG}, expected the folder of a finished training run")
    config = read_json(path / CONFIG)
    try:
        contract = Contract.from_json(config["contract"])
        baseline, target = config["labels"]
        Levels.from_json(config["levels"])
        GuardLimits.from_json(config["guards"])
        settings = config["settings"]
        model = build_model(settings["architecture"], settings.get("architecture_version", ""))
        read_weights(path / WEIGHTS, model)
        sets = read_beats(path / BEATS)
        training, validation = sets["train"], sets["validation"]
    except ContractError as error:
        raise RunError(f"{path / CONFIG}: {error}; train again with this version") from None
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, EdgeEcgError):
            raise
        raise RunError(f"{path / CONFIG}: lacks an entry or has a wrong one: {error}") from None
    model.eval()
    return Run(path, config, model, training, validation, contract, (baseline, target))
