"""Beats with their labels: cut by the runtime's own code, kept together by recording and date."""

import hashlib
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from edge_ecg.contract import CONTRACT, Contract
from edge_ecg.datasets.dataset_file import SETS, Dataset, Entry
from edge_ecg.errors import DatasetError
from edge_ecg.readers.read import read_recording
from edge_ecg.signal.stream import cut_beats


@dataclass(frozen=True)
class BeatSet:
    """The beats of some recordings. N beats, M recordings."""

    values: np.ndarray  # (N, 384) float32, as the encoder takes them
    recording: np.ndarray  # (N,) which recording a beat is from
    known_at_s: np.ndarray  # (N,) when the stream had the beat
    sources: tuple[str, ...]  # (M,) file names
    dates: np.ndarray  # (M,) names of dates
    recording_is_target: np.ndarray  # (M,) bool
    sample_rates_hz: np.ndarray  # (M,) as recorded, before resampling
    days: np.ndarray  # (M,) datetime64[D], of the calendar; NaT where the recording does not say

    @property
    def is_target(self) -> np.ndarray:
        """(N,) bool: the label of each beat is that of its recording."""
        return self.recording_is_target[self.recording]

    @property
    def date(self) -> np.ndarray:
        """(N,) the date of each beat."""
        return self.dates[self.recording]

    @property
    def place_in_date(self) -> np.ndarray:
        """(M,) how many recordings of the same date came before, by the numbers in their file names."""
        numbers = [[int(digits) for digits in re.findall(r"\d+", Path(source).name)] for source in self.sources]
        place = np.empty(len(self.sources), int)
        for date in np.unique(self.dates):
            of_date = np.flatnonzero(self.dates == date)
            place[sorted(of_date, key=numbers.__getitem__)] = np.arange(len(of_date))
        return place

    @classmethod
    def joined(cls, sets: Iterable["BeatSet"]) -> "BeatSet":
        """The recordings of several sets as one."""
        each = list(sets)
        firsts = np.cumsum([0] + [len(beats.sources) for beats in each])
        return cls(
            np.concatenate([beats.values for beats in each]),
            np.concatenate([first + beats.recording for first, beats in zip(firsts, each, strict=False)]),
            np.concatenate([beats.known_at_s for beats in each]),
            tuple(source for beats in each for source in beats.sources),
            *(np.concatenate([getattr(b, n) for b in each]) for n in ("dates", "recording_is_target")),
            *(np.concatenate([getattr(b, n) for b in each]) for n in ("sample_rates_hz", "days")),
        )

    def on_dates(self, dates: Iterable[str]) -> "BeatSet":
        """The recordings of some dates, with their beats."""
        keep = np.isin(self.dates, list(dates))
        beats = keep[self.recording]
        return BeatSet(
            self.values[beats],
            (np.cumsum(keep) - 1)[self.recording[beats]],
            self.known_at_s[beats],
            tuple(source for source, kept in zip(self.sources, keep, strict=True) if kept),
            self.dates[keep],
            self.recording_is_target[keep],
            self.sample_rates_hz[keep],
            self.days[keep],
        )


def read_beats(entries: Iterable[Entry], contract: Contract = CONTRACT) -> BeatSet:
    """Read recordings and cut their beats. Raises DatasetError for a recording without a beat."""
    values, known_at_s, read, rates, days, counts = [], [], [], [], [], []
    for entry in entries:
        recording = read_recording(entry.path)
        beats = cut_beats(recording, contract)
        if not beats:
            raise DatasetError(f"{entry.path}: no beat was found; leave the recording out of the dataset")
        values += [beat.values for beat in beats]
        known_at_s += [beat.known_at_s for beat in beats]
        read.append(entry)
        rates.append(recording.sample_rate_hz)
        days.append(recording.day)
        counts.append(len(beats))
    return BeatSet(
        np.stack(values),
        np.repeat(np.arange(len(read)), counts),
        np.array(known_at_s),
        tuple(f"{entry.date}/{entry.label}/{entry.path.name}" for entry in read),
        np.array([entry.date for entry in read]),
        np.array([entry.is_target for entry in read]),
        np.array(rates),
        np.array(days, "datetime64[D]"),
    )


def read_sets(
    dataset: Dataset, sets: Iterable[str] = SETS, contract: Contract = CONTRACT, quiet: bool = False
) -> BeatSet:
    """The beats of some sets of a dataset as one, with a progress bar on standard error. Raises DatasetError."""
    entries = [entry for which in sets for entry in dataset.entries(which)]
    with click.progressbar(entries, label="reading recordings", file=sys.stderr, hidden=quiet) as shown:
        return read_beats(shown, contract)


def digest_of(beats: BeatSet) -> str:
    """What tells these beats from others: the hash of their numbers, names and labels."""
    columns = beats.dates, beats.recording_is_target, beats.sample_rates_hz
    labels = json.dumps([beats.sources, *(column.tolist() for column in columns)])
    return hashlib.sha256(beats.values.tobytes() + beats.recording.tobytes() + labels.encode()).hexdigest()
