"""The training loop: all pairs of a batch and the decisions that they add up to, stopped early.

The epoch with the lowest loss on the validation dates is kept. On the author's split that loss is nearly flat from the
third epoch on; leaving out one date at a time has no validation set: the last epoch stays. Models that have not seen a
date are kept, so that an interrupted run goes on:

FOLDER/DATE/checkpoint.safetensors   the model that has not seen DATE
FOLDER/DATE/fold.json                the settings and beats it was made from; of others it is made again
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from edge_ecg import results
from edge_ecg.datasets.dataset_file import days_with_both_states, require_days
from edge_ecg.errors import RunError
from edge_ecg.storage.files import plain_file, write_file
from train.data import BeatSet, digest_of
from train.fit.decision import bank_of, choose_references, fit_guards, fit_levels
from train.model import DEFAULT_ARCHITECTURE
from train.model.architectures import (
    WEIGHTS,
    architecture_of,
    build_model,
    read_weights,
    version_of,
    write_weights,
)
from train.model.model import Architecture, Model, Recipe, compare, embed
from train.parallel import run_tasks

FEWEST_STEPS = 50  # of an epoch


def steps_of_epoch(beats: BeatSet, size: int) -> int:
    """Number of batches per epoch: as many as the beats fill, but a small set needs steps as well."""
    return max(FEWEST_STEPS, len(beats.values) // size)


def batches(beats: BeatSet, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """One epoch of index batches: half of each state, its beats equally often."""
    halves = [torch.from_numpy(np.flatnonzero(beats.is_target == target)) for target in (False, True)]
    for _ in range(steps_of_epoch(beats, size)):
        yield torch.cat([half[torch.randint(len(half), (size // 2,), generator=generator)] for half in halves])


def pairs(count: int, partners: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each of `count` beats with `partners` others of its batch, no pair twice: indices (P,), (P,).

    With `partners` of half the batch these are all pairs.
    """
    offsets = 1 + torch.randperm(count // 2, generator=generator)[:partners]
    left = torch.arange(count).repeat(len(offsets))
    right = (left + offsets.repeat_interleave(count)) % count
    keep = (2 * offsets.repeat_interleave(count) != count) | (left < right)  # half way round meets itself
    return left[keep], right[keep]


def evidence_of_other_dates(
    logits: Tensor, left: Tensor, right: Tensor, is_target: Tensor, date: Tensor
) -> tuple[Tensor, Tensor]:
    """(N,) evidence of each beat of a batch with the batch as references, and (N,) whether it has any.

    As the watch decides: mean logit of "different" against the baseline minus that against the target. Only beats of
    other dates are references, as on the watch, where every recording is of a new date: a network that knows the
    date by its electrode finds no help there.
    """
    beat, reference = torch.cat([left, right]), torch.cat([right, left])
    foreign = (date[beat] != date[reference]).to(logits.dtype)
    place = 2 * beat + is_target[reference].long()
    totals = torch.zeros(2 * len(date)).index_add(0, place, foreign * torch.cat([logits, logits]))
    counts = torch.zeros(2 * len(date)).index_add(0, place, foreign)
    mean = (totals / counts.clamp(min=1)).view(-1, 2)
    return mean[:, 0] - mean[:, 1], (counts.view(-1, 2) > 0).all(1)


PROGRESS = "progress.safetensors"  # what resuming needs
WARM_UP, WARM_UP_FROM = 0.15, 0.04  # shares of the steps and of the learning rate; chosen near PyTorch's OneCycleLR


@dataclass(frozen=True, kw_only=True)
class Settings(Recipe):
    """Settings of a training run: a recipe, the architecture and the seed."""

    architecture: str = DEFAULT_ARCHITECTURE
    architecture_version: str = ""  # of one that is not ours
    seed: int = 0
    patience: int = 10  # epochs without a lower validation loss before it stops; with no validation set, never
    references_per_state: int = 16


def settings_for(architecture: str, seed: int, epochs: int | None = None) -> Settings:
    """The settings for an architecture; `epochs` takes the place of its usual number."""
    chosen = architecture_of(architecture)
    recipe = asdict(chosen.recipe)
    if epochs and chosen.fit is None:  # one that is fitted at once has a single epoch
        recipe["epochs"] = epochs
    return Settings(**recipe, architecture=architecture, architecture_version=version_of(architecture), seed=seed)


@dataclass
class History:
    """One row an epoch."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0  # whose weights are kept: the lowest validation loss, or the last without a validation set

    def record(self) -> results.History:
        """The record of it in metrics.json."""
        return results.History(epochs=tuple(results.Epoch(**row) for row in self.epochs), best_epoch=self.best_epoch)

    @property
    def best_loss(self) -> float:
        """The lowest validation loss so far."""
        return min((row.get("validation_loss", np.inf) for row in self.epochs), default=np.inf)


class Trainer:
    """Train one model. Deterministic for a seed; resumed training gives the same weights as uninterrupted.

    architecture: the one that the settings name, if none is given. Raises DatasetError for too few days with both
    states.
    """

    def __init__(
        self,
        settings: Settings,
        training: BeatSet,
        validation: BeatSet | None,
        run: Path,
        architecture: Architecture | None = None,
    ):
        self._architecture = architecture or architecture_of(settings.architecture)
        states = zip(training.dates.tolist(), training.recording_is_target.tolist(), strict=True)
        require_days(states, self._architecture.fewest_days)
        self.settings = settings
        self.history = History()
        self._training, self._validation, self._run = training, validation, run
        torch.use_deterministic_algorithms(True)
        torch.manual_seed(settings.seed)
        self._generator = torch.Generator().manual_seed(settings.seed)
        self.model = self._architecture.build()
        self._architecture.prepare(self.model, torch.from_numpy(training.values))
        self._steps_per_epoch = steps_of_epoch(training, settings.batch_beats)
        learned = [p for p in self.model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(learned, settings.learning_rate, weight_decay=settings.weight_decay)
        self._step = 0

    def fit(self, progress: Callable[[dict[str, float], int], None] = lambda row, of: None) -> Model:
        """Train until the epochs are used up or validation stops improving; return the best weights."""
        while not self._finished():
            row = self._epoch()
            self.history.epochs.append(row)
            if row.get("validation_loss", -np.inf) <= self.history.best_loss:
                self.history.best_epoch = len(self.history.epochs)
                write_weights(self._run / WEIGHTS, self.model)
            self._save()
            progress(row, self.settings.epochs)
        best = self._architecture.build()
        read_weights(self._run / WEIGHTS, best)
        return best.eval()

    def _finished(self) -> bool:
        done = len(self.history.epochs)
        return done >= self.settings.epochs or done - self.history.best_epoch >= self.settings.patience

    def _epoch(self) -> dict[str, float]:
        row = self._fit_at_once() if self._architecture.fit else self._steps()
        if self._validation is not None:
            row["validation_loss"], row["validation_beat_accuracy"], _ = self._decide(self._validation)
        return row

    def _fit_at_once(self) -> dict[str, float]:
        """Hyperparameters that determine the weights, and the number of references."""
        assert self._architecture.fit
        values, is_target = torch.from_numpy(self._training.values), torch.from_numpy(self._training.is_target)
        self._architecture.fit(self.model, values, is_target)
        loss, _, pair_accuracy = self._decide(self._training)
        return {"loss": loss, "pair_accuracy": pair_accuracy}

    def _steps(self) -> dict[str, float]:
        """Every batch once."""
        self.model.train()
        settings = self.settings
        losses, right, count = [], 0, 0
        values = torch.from_numpy(self._training.values)
        is_target = torch.from_numpy(self._training.is_target)
        date = torch.from_numpy(np.unique(self._training.date, return_inverse=True)[1])
        for batch in batches(self._training, settings.batch_beats, self._generator):
            left, right_side = pairs(len(batch), settings.partners, self._generator)
            embeddings = self.model.encoder(values[batch])
            logits = self.model.comparator(embeddings[left], embeddings[right_side])
            differ = (is_target[batch][left] != is_target[batch][right_side]).float()
            evidence, judged = evidence_of_other_dates(logits, left, right_side, is_target[batch], date[batch])
            loss = torch.zeros(())
            if settings.pair_weight or not judged.any():
                loss = loss + settings.pair_weight * binary_cross_entropy_with_logits(logits, differ)
            if judged.any():
                log_odds = settings.decision_scale * evidence[judged]
                loss = loss + binary_cross_entropy_with_logits(log_odds, is_target[batch][judged].float())
            self._update(loss)
            losses.append(loss.item())
            right += int(((logits > 0) == (differ > 0)).sum())
            count += len(differ)
        return {"loss": float(np.mean(losses)), "pair_accuracy": right / count}

    def _update(self, loss: Tensor) -> None:
        settings = self.settings
        for group in self._optimizer.param_groups:
            group["lr"] = settings.learning_rate * self._schedule()
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self._step += 1

    def _schedule(self) -> float:
        """Share of the learning rate: up over the first 15 % of the steps, then down along a cosine."""
        done = self._step / (self._steps_per_epoch * self.settings.epochs)
        if done < WARM_UP:
            return WARM_UP_FROM + (1 - WARM_UP_FROM) * done / WARM_UP
        return 0.5 * (1 + float(np.cos(np.pi * (done - WARM_UP) / (1 - WARM_UP))))

    def _decide(self, beats: BeatSet) -> tuple[float, float, float]:
        """Beats against references: the loss of decisions, the share of beats right, and that of comparisons."""
        embeddings = embed(self.model, self._training.values)
        chosen = choose_references(self._training, embeddings, self.settings.references_per_state)
        bank = bank_of(self._training, embeddings, chosen)
        logits = compare(self.model, embed(self.model, beats.values), bank.embeddings)
        evidence, truth = bank.evidence(logits), beats.is_target
        differ = truth[:, np.newaxis] != bank.is_target
        return (
            float(np.logaddexp(0, self.settings.decision_scale * np.where(truth, -evidence, evidence)).mean()),
            float(np.mean((evidence > 0) == truth)),
            float(np.mean((logits > 0) == differ)),
        )

    def _save(self) -> None:
        """Everything that the next epoch depends on."""
        state = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        state["generator"] = self._generator.get_state()
        for index, moments in self._optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{index}.{k}": torch.as_tensor(v) for k, v in moments.items()}
        facts = {"settings": asdict(self.settings), "step": self._step, "history": asdict(self.history)}
        write_file(self._run / PROGRESS, safetensors.torch.save(state, {"facts": json.dumps(facts)}))

    def resume(self) -> None:
        """Go on where the last finished epoch left off. Raises RunError if that run had other settings."""
        path = self._run / PROGRESS
        try:
            with safetensors.safe_open(plain_file(path, RunError), "pt") as file:
                facts: dict[str, Any] = json.loads(file.metadata()["facts"])
                names = file.keys()
                state = {name: file.get_tensor(name) for name in names}
        except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
            raise RunError(f"{path}: there is no training to resume: {error}") from None
        if facts["settings"] != asdict(self.settings):
            changed = [k for k, v in asdict(self.settings).items() if facts["settings"].get(k) != v]
            raise RunError(f"{path}: was begun with other settings ({', '.join(changed)}); start a new run")

        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

        self.model.load_state_dict(part("model."))
        self._generator.set_state(state["generator"])
        optimizer = self._optimizer.state_dict()
        for name, value in part("optimizer.").items():
            index, moment = name.split(".")
            optimizer["state"].setdefault(int(index), {})[moment] = value
        self._optimizer.load_state_dict(optimizer)
        self.history = History(**facts["history"])
        self._step = facts["step"]


# Every date left out once.

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
    """The stored model of these beats and settings in a folder; None if there is none."""
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
