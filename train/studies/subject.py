"""The subject of a study: a run with its recordings, and the options of the study."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_ecg.datasets.dataset_file import Dataset
from edge_ecg.results import Record
from train.data import BeatSet
from train.run import Run

Say = Callable[[str], None]  # takes a line of progress


@dataclass(frozen=True)
class Options:
    """Options of `train.study`; None is the default, which is less with `quick`."""

    quick: bool = False
    architectures: tuple[str, ...] | None = None  # comparators beside the run's own
    benchmarks: tuple[str, ...] | None = None
    seeds: int | None = None
    draws: int | None = None
    nested: bool = False
    also: tuple[str, ...] = ()  # FOLDER=LABEL
    others: tuple[Path, ...] = ()  # recordings of other people


@dataclass(frozen=True)
class Subject:
    """A run and the recordings that it is studied with."""

    run: Run
    dataset: Dataset
    beats: BeatSet
    options: Options = Options()

    @property
    def architecture(self) -> str:
        return str(self.run.config["settings"]["architecture"])

    @property
    def seed(self) -> int:
        return int(self.run.config["settings"]["seed"])


@dataclass(frozen=True)
class Study:
    """A measurement of a run; a finished study of the same plan is not done again."""

    plan: Callable[[Subject], dict[str, Any]]  # plain values, from the subject and its options
    measure: Callable[[Subject, Path, Say], Record]  # into a folder of its own, which keeps its folds
