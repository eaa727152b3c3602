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
import safetensors

from edge_ecg.contract import CONTRACT, Contract
from edge_ecg.datasets.dataset_file import SETS, Dataset, Entry, Origin, confounding_origins
from edge_ecg.errors import DatasetError
from edge_ecg.readers.read import read_recording
from edge_ecg.signal.stream import cut_beats
from edge_ecg.storage.files import plain_file


@dataclass(frozen=True)
class BeatSet:
    """The beats of some recordings. N beats, M recordings."""

    values: np.ndarray  # (N, 384) float32, as the encoder takes them
    recording: np.ndarray  # (N,) which recording a beat is from
    known_at_s: np.ndarray  # (N,) when the stream had the beat
    sources: tuple[str, ...]  # (M,) file names
    dates: np.ndarray  # (M,) names of sessions, which usually are dates
    recording_is_target: np.ndarray  # (M,) bool
    sample_rates_hz: np.ndarray  # (M,) as recorded, before resampling
    days: np.ndarray  # (M,) datetime64[D], of the calendar; NaT where the recording does not say
    origins: tuple[Origin, ...] = ()  # (M,) what they were made with; none in a run that was read again

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
            np.concatenate([beats.dates for beats in each]),
            np.concatenate([beats.recording_is_target for beats in each]),
            np.concatenate([beats.sample_rates_hz for beats in each]),
            np.concatenate([beats.days for beats in each]),
            tuple(origin for beats in each for origin in beats.origins),
        )

    def on_dates(self, dates: Iterable[str]) -> "BeatSet":
        """The recordings of some dates, with their beats."""
        return self.on_recordings(np.isin(self.dates, list(dates)))

    def on_recordings(self, keep: np.ndarray) -> "BeatSet":
        """The recordings where `keep` (M,) is true, with their beats."""
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
            tuple(origin for origin, kept in zip(self.origins, keep, strict=False) if kept),
        )


def read_beats(entries: Iterable[Entry], contract: Contract = CONTRACT) -> BeatSet:
    """Read recordings and cut their beats. Raises DatasetError for a recording without a beat."""
    values, known_at_s, read, origins, days, counts = [], [], [], [], [], []
    for entry in entries:
        recording = read_recording(entry.path, *entry.overrides)
        beats = cut_beats(recording, contract)
        if not beats:
            raise DatasetError(f"{entry.path}: no beat was found; leave the recording out of the dataset")
        values += [beat.values for beat in beats]
        known_at_s += [beat.known_at_s for beat in beats]
        read.append(entry)
        origins.append(Origin(recording.sample_rate_hz, recording.lead, recording.device))
        days.append(recording.day)
        counts.append(len(beats))
    return BeatSet(
        np.stack(values),
        np.repeat(np.arange(len(read)), counts),
        np.array(known_at_s),
        tuple(f"{entry.date}/{entry.label}/{entry.path.name}" for entry in read),
        np.array([entry.session for entry in read]),
        np.array([entry.is_target for entry in read]),
        np.array([origin.sample_rate_hz for origin in origins]),
        np.array(days, "datetime64[D]"),
        tuple(origins),
    )


def read_sets(
    dataset: Dataset,
    sets: Iterable[str] = SETS,
    contract: Contract = CONTRACT,
    quiet: bool = False,
    beats_file: Path | None = None,
) -> BeatSet:
    """The beats of some sets of a dataset as one, with a progress bar on standard error. Raises DatasetError.

    beats_file: where they have been cut already (`--beats`, docs/models.md).
    """
    if beats_file:
        return read_given_beats(beats_file, dataset, tuple(name for which in sets for name in dataset.sessions[which]))
    entries = [entry for which in sets for entry in dataset.entries(which)]
    with click.progressbar(entries, label="reading recordings", file=sys.stderr, hidden=quiet) as shown:
        return read_beats(shown, contract)


def read_given_beats(path: Path, dataset: Dataset, dates: tuple[str, ...]) -> BeatSet:
    """The beats of some dates of a dataset that somebody has cut already. Raises DatasetError.

    A safetensors file holds `values` (N, 384) float32: 383 samples in microvolts at 512 Hz, R at index 128, then the RR
    interval in seconds; `recording` (N,), the place of each beat's recording in a list; and that list in its metadata,
    as JSON: "recordings": [{"name", "date", "label"}, ...], dates and labels as the dataset file names them.
    """
    try:
        with safetensors.safe_open(plain_file(path, DatasetError), "numpy") as file:
            values, recording = file.get_tensor("values"), file.get_tensor("recording")
            listed = json.loads((file.metadata() or {})["recordings"])
        names, on, labels = ([str(one[key]) for one in listed] for key in ("name", "date", "label"))
    except DatasetError:
        raise
    except (OSError, safetensors.SafetensorError, ValueError, TypeError, KeyError) as error:
        raise DatasetError(
            f"{path}: expected a safetensors file with 'values', 'recording' and a list 'recordings' of name, date "
            f"and label in its metadata; {type(error).__name__}: {error}"
        ) from None
    if values.ndim != 2 or values.shape[1] != CONTRACT.beat_length or values.dtype != np.float32:
        wanted = f"[N, {CONTRACT.beat_length}] float32"
        raise DatasetError(f"{path}: values are {list(values.shape)} {values.dtype}, expected {wanted}")
    if not np.isfinite(values).all():
        raise DatasetError(f"{path}: {(~np.isfinite(values)).any(1).sum()} beats contain numbers that are not finite")
    if recording.shape != (len(values),) or not np.issubdtype(recording.dtype, np.integer):
        raise DatasetError(
            f"{path}: recording is {list(recording.shape)} {recording.dtype}, expected {len(values)} integers"
        )
    if sorted(set(recording.tolist())) != list(range(len(names))) or (np.diff(recording) < 0).any():
        raise DatasetError(f"{path}: recording does not count the {len(names)} recordings of the list in their order")
    if unknown := set(labels) - set(dataset.labels):
        raise DatasetError(f"{path}: labels {sorted(unknown)} are not in the dataset, which has {list(dataset.labels)}")
    if missing := set(dates) - set(on):
        raise DatasetError(f"{path}: has no recording of {', '.join(sorted(missing))}, which the dataset names")
    rr_s = values[:, -1].astype(np.float64)
    begins = np.searchsorted(recording, recording)  # where the recording of each beat begins
    passed_s = np.cumsum(rr_s)
    known_at_s = CONTRACT.settle_samples / CONTRACT.sample_rate_hz + passed_s - (passed_s - rr_s)[begins]
    beats = BeatSet(
        values,
        recording.astype(np.int64),
        known_at_s,
        tuple(f"{date}/{label}/{name}" for date, label, name in zip(on, labels, names, strict=True)),
        np.array(on),
        np.array(labels) == dataset.labels[1],
        np.full(len(names), float(CONTRACT.sample_rate_hz)),
        np.full(len(names), "NaT", "datetime64[D]"),
    )
    return beats.on_dates(dates)


def mixed(sets: Iterable[BeatSet], labels: tuple[str, str]) -> list[str]:
    """Differences of the recordings' origins that could pass for a difference between the states, a sentence each."""
    recorded = [(b.recording_is_target.tolist(), b.origins) for b in sets]
    return confounding_origins(
        [(labels[of], o) for is_target, at in recorded for of, o in zip(is_target, at, strict=False)], labels
    )


def digest_of(beats: BeatSet) -> str:
    """Hash of the beats: their numbers, names and labels."""
    columns = beats.dates, beats.recording_is_target, beats.sample_rates_hz
    labels = json.dumps([beats.sources, *(column.tolist() for column in columns)])
    return hashlib.sha256(beats.values.tobytes() + beats.recording.tobytes() + labels.encode()).hexdigest()
