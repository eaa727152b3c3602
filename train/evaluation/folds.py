"""Folds: some dates tested with a method trained on the others, in parallel, each stored in a file.

    OUT/folds/METHOD/FOLD.json     what one method says of the recordings of one fold

A finished fold is a file: an interrupted run goes on where it was. A fold of other beats or settings is done again.
"""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from edge_ecg.errors import DatasetError
from edge_ecg.report.findings import fold_file
from edge_ecg.results import FoldScores, read_record, write_record
from edge_ecg.terminal.console import countdown
from train.data import BeatSet, digest_of
from train.evaluation.scores import RecordingScores
from train.fit.loop import Settings, Trainer, batches, evidence_of, finished_model, kept_model, steps_of_epoch
from train.model.aligned import AlignedEncoder
from train.model.model import SAMPLES, Architecture
from train.model.public_network import MBConv
from train.parallel import run_tasks

Method = Callable[[BeatSet, BeatSet, Settings], np.ndarray]  # training beats, beats to judge -> evidence of these


def majority(training: BeatSet, judged: BeatSet, settings: Settings) -> np.ndarray:
    """The state that has more training recordings, whatever the beat."""
    share = training.recording_is_target.mean()
    return np.full(len(judged.values), 1.0 if share > 0.5 else -1.0)


def sample_rate(training: BeatSet, judged: BeatSet, settings: Settings) -> np.ndarray:
    """Logistic regression on the recording's sampling rate: is each state from another watch?"""
    return _logistic(training, judged, lambda beats: beats.sample_rates_hz[beats.recording, None])


def recording_order(training: BeatSet, judged: BeatSet, settings: Settings) -> np.ndarray:
    """Logistic regression on how many recordings came before on the same date: how much the protocol gives away."""
    return _logistic(training, judged, lambda beats: beats.place_in_date[beats.recording, None])


def rr_only(training: BeatSet, judged: BeatSet, settings: Settings) -> np.ndarray:
    """Logistic regression on the RR interval: how much of the state is heart rate."""
    return _logistic(training, judged, lambda beats: beats.values[:, SAMPLES:])


def amplitude_only(training: BeatSet, judged: BeatSet, settings: Settings) -> np.ndarray:
    """Logistic regression on the beat's highest and lowest value: how much of the state is electrode and posture."""

    def extremes(beats: BeatSet) -> np.ndarray:
        samples = beats.values[:, :SAMPLES] - beats.values[:, :SAMPLES].mean(1, keepdims=True)
        return np.stack([samples.max(1), samples.min(1)], 1)

    return _logistic(training, judged, extremes)


def logistic_regression(training: BeatSet, judged: BeatSet, settings: Settings) -> np.ndarray:
    """Logistic regression on every fourth sample and the RR interval, each standardized."""
    every_fourth = [*range(0, SAMPLES, 4), SAMPLES]
    return _logistic(training, judged, lambda beats: beats.values[:, every_fourth])


def aligned_logistic(training: BeatSet, judged: BeatSet, settings: Settings) -> np.ndarray:
    """Logistic regression on the default comparator's features: how much of its result is the alignment alone."""
    features = AlignedEncoder().features
    return _logistic(training, judged, lambda beats: features(torch.from_numpy(beats.values)).numpy())


def supervised_network(training: BeatSet, judged: BeatSet, settings: Settings) -> np.ndarray:
    """The classic way: a network in EfficientNetV2 style of 8,395 parameters that names the state of one beat.

    The public repository's other model has this shape and about this size.
    """
    torch.manual_seed(settings.seed)
    return _supervised(SupervisedNetwork(), training, judged, settings)


def without_pairs(training: BeatSet, judged: BeatSet, settings: Settings) -> np.ndarray:
    """The default comparator's layers, but naming the state of one beat: what comparing pairs brings is the difference.

    Its head reads an embedding, where the comparator's reads two distances of embeddings.
    """
    torch.manual_seed(settings.seed)
    encoder = AlignedEncoder()
    encoder.whiten(torch.from_numpy(training.values))
    head = nn.Sequential(nn.Linear(AlignedEncoder.EMBEDDING, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    return _supervised(nn.Sequential(encoder, head), training, judged, settings)


def _supervised(network: nn.Module, training: BeatSet, judged: BeatSet, settings: Settings) -> np.ndarray:
    """Learn the states of single beats with the comparator's epochs, batches and learning rates; logits of others."""
    generator = torch.Generator().manual_seed(settings.seed)
    values, is_target = torch.from_numpy(training.values), torch.from_numpy(training.is_target).float()
    steps = settings.epochs * steps_of_epoch(training, settings.batch_beats)
    learned = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, steps, pct_start=0.15)
    for _ in range(settings.epochs):
        for batch in batches(training, settings.batch_beats, generator):
            optimizer.zero_grad()
            binary_cross_entropy_with_logits(network(values[batch]), is_target[batch]).backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        parts = [network(part) for part in torch.from_numpy(judged.values).split(1024)]
    return torch.cat(parts).numpy().astype(np.float64)


class SupervisedNetwork(nn.Module):
    """Beats (N, 384) -> logits (N,) of the target: the convolution blocks of `effnetv2`, a mean over time, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm1d(1)
        self.features = nn.Sequential(
            nn.Conv1d(1, 8, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm1d(8),
            nn.SiLU(),
            MBConv(8, 1, 1, gated=False),
            MBConv(8, 4, 2, gated=False),
            *(MBConv(8, 4, stride, gated=True) for stride in (2, 1, 2, 1, 1)),
        )
        self.widen = nn.Sequential(nn.Conv1d(8, 40, 1, bias=False), nn.BatchNorm1d(40), nn.SiLU())
        self.output = nn.Linear(40, 1)

    def forward(self, beat: Tensor) -> Tensor:
        features = self.widen(self.features(self.normalise(beat.unsqueeze(1))))
        logit: Tensor = self.output(features.mean(2)).squeeze(1)
        return logit


BENCHMARKS: dict[str, Method] = {
    "majority": majority,
    "sample rate": sample_rate,
    "recording order": recording_order,
    "RR interval": rr_only,
    "amplitude": amplitude_only,
    "logistic regression": logistic_regression,
    "logistic, T aligned": aligned_logistic,
    "supervised network": supervised_network,
    "same network, no pairs": without_pairs,
}
SLOW = ("supervised network",)  # takes half of the time of all of them
SEE_NO_ECG = ("sample rate", "recording order")  # what these decide rightly, the protocol gives away


def all_the_same(beats: BeatSet) -> list[str]:
    """Benchmark methods with nothing to go by: their input is the same in all recordings."""
    seen = {"sample rate": beats.sample_rates_hz, "recording order": beats.place_in_date}
    return [name for name, values in seen.items() if np.ptp(values) == 0]


def _logistic(training: BeatSet, judged: BeatSet, features: Callable[[BeatSet], np.ndarray]) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression  # slow to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    model.fit(features(training), training.is_target)
    evidence: np.ndarray = model.decision_function(features(judged))
    return evidence


@dataclass(frozen=True)
class Fold:
    """Some dates, tested with a method trained on the others."""

    name: str
    learned: tuple[str, ...]
    judged: tuple[str, ...]


def comparator(
    training: BeatSet, judged: BeatSet, settings: Settings, architecture: Architecture | None = None
) -> np.ndarray:
    """A comparator, trained to its last epoch and given references as `train` gives them."""
    with tempfile.TemporaryDirectory() as folder:
        model = Trainer(settings, training, None, Path(folder), architecture).fit()
    return evidence_of(model, training, judged.values, settings)


def kept_comparator(training: BeatSet, judged: BeatSet, settings: Settings, folder: Path) -> np.ndarray:
    """The same, its model kept below a folder for another use."""
    model = kept_model(training, settings, place_of(training, folder))
    return evidence_of(model, training, judged.values, settings)


def finished_comparator(training: BeatSet, judged: BeatSet, settings: Settings, folder: Path) -> np.ndarray:
    """The same of a single session, its model taken from FOLDER/SEED/SESSION if another study has left it there."""
    sessions = sorted(set(judged.dates.tolist()))
    model = (
        finished_model(training, settings, folder / str(settings.seed) / sessions[0]) if len(sessions) == 1 else None
    )
    if model is None:
        return comparator(training, judged, settings)
    return evidence_of(model, training, judged.values, settings)


def place_of(training: BeatSet, folder: Path) -> Path:
    """Folder in which `kept_comparator` keeps the model of some beats."""
    return folder / digest_of(training)[:16]


def leave_one_out(beats: BeatSet) -> list[Fold]:
    """Every date left out once. Raises DatasetError if the dates left have one state only."""
    dates = sorted(set(beats.dates.tolist()))
    for date in dates:
        rest = beats.recording_is_target[beats.dates != date]
        if not 0 < rest.sum() < len(rest):
            raise DatasetError(f"without {date} the dates have one state only, expected both; nothing to train on")
    return [Fold(date, tuple(d for d in dates if d != date), (date,)) for date in dates]


def run_fold(method: Method, settings: Settings, beats: BeatSet, fold: Fold) -> RecordingScores:
    """Let a method learn from some dates, and score the recordings of others."""
    training, judged = beats.on_dates(fold.learned), beats.on_dates(fold.judged)
    return RecordingScores.of(judged, method(training, judged, settings))


def run_folds(
    beats: BeatSet,
    folds: list[Fold],
    methods: dict[str, tuple[Method, Settings]],
    out: Path,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, list[RecordingScores]]:
    """Every fold by every method, in parallel tasks of one thread each. A finished fold is taken from its file."""
    digest = digest_of(beats)
    jobs = {
        fold_file(out.absolute(), name, fold.name): (_key(digest, settings, fold), name, method, settings, fold)
        for name, (method, settings) in reversed(methods.items())  # the longest jobs first
        for fold in folds
    }
    due = {
        file: job for file, job in jobs.items() if not (file.exists() and read_record(file, FoldScores).key == job[0])
    }
    if len(due) < len(jobs):
        progress(f"{len(jobs) - len(due)} of {len(jobs)} folds are there already")
    step = countdown(progress, len(due))
    for line in run_tasks(_fold, beats, [(file, *job) for file, job in due.items()]):
        step(line)
    return {name: [_scores_in(fold_file(out, name, fold.name)) for fold in folds] for name in methods}


def _key(digest: str, settings: Settings, fold: Fold) -> str:
    """Hash of the inputs of a fold; a finished one of the same inputs is not done again."""
    return hashlib.sha256(json.dumps([digest, asdict(settings), asdict(fold)]).encode()).hexdigest()


def _fold(beats: BeatSet, file: Path, key: str, name: str, method: Method, settings: Settings, fold: Fold) -> str:
    """Do one fold, write its file, and return a line of progress."""
    began = time.perf_counter()
    scores = run_fold(method, settings, beats, fold)
    columns = {column: tuple(value.tolist()) for column, value in asdict(scores).items()}
    write_record(file, FoldScores(key=key, method=name, date=fold.name, **columns))
    took = time.perf_counter() - began
    return f"{fold.name}  {name}: {scores.right.sum()}/{len(scores.right)} recordings, {took:.0f} s"


def _scores_in(file: Path) -> RecordingScores:
    stored = read_record(file, FoldScores)
    return RecordingScores(**{field.name: np.array(getattr(stored, field.name)) for field in fields(RecordingScores)})


def pooled(each: list[RecordingScores]) -> RecordingScores:
    """The recordings of several folds as one."""
    return RecordingScores(
        *(np.concatenate([getattr(s, field.name) for s in each]) for field in fields(RecordingScores))
    )
