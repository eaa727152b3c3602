"""What training leaves for the report that costs nothing: counts by date and state, mean beats, one recording of each.

RUN/overview.json    numbers alone, no name of a file and nothing of a header
"""

from typing import Any

import numpy as np

from edge_ecg.datasets.dataset_file import Dataset
from edge_ecg.errors import DatasetError
from edge_ecg.readers.read import read_recording
from edge_ecg.report.contact_sheet import SHOWN_HZ, small_trace
from train.data import BeatSet
from train.model.model import PR_SEGMENT, SAMPLES

OVERVIEW = "overview.json"


def overview(dataset: Dataset, sets: dict[str, BeatSet]) -> dict[str, Any]:
    """Counts by date, mean beats with their spread between recordings, and a few seconds of each state."""
    both = BeatSet.joined(sets.values())
    means = recording_means_uv(both)
    of_state = [means[both.recording_is_target == state] for state in (False, True)]
    return {
        "labels": dataset.labels,
        "data": [row for which, beats in sets.items() for row in counted(which, beats)],
        "mean_beats_uv": [rounded(of.mean(0)) for of in of_state],
        "spread_uv": [rounded(of.std(0)) for of in of_state],
        "examples": examples(dataset),
    }


def counted(which: str, beats: BeatSet) -> list[dict[str, Any]]:
    """Recordings of each state and beats, by date."""
    return [
        {
            "date": date,
            "set": which,
            "baseline": int(np.sum((beats.dates == date) & ~beats.recording_is_target)),
            "target": int(np.sum((beats.dates == date) & beats.recording_is_target)),
            "beats": int(np.sum(beats.date == date)),
        }
        for date in sorted(set(beats.dates.tolist()))
    ]


def recording_means_uv(beats: BeatSet) -> np.ndarray:
    """(M, 383) the mean beat of each recording, its PR segment at 0."""
    samples = beats.values[:, :SAMPLES] - beats.values[:, PR_SEGMENT].mean(1, keepdims=True)
    return np.stack([samples[beats.recording == number].mean(0) for number in range(len(beats.sources))])


def examples(dataset: Dataset) -> dict[str, Any] | None:
    """Seconds of a recording of each state, of the first train date that has both; None where there is none."""
    try:
        entries = dataset.entries("train")
    except DatasetError:  # beats were given in place of recordings
        return None
    for date in dataset.dates["train"]:
        first = [next((e for e in entries if (e.date, e.label) == (date, label)), None) for label in dataset.labels]
        baseline, target = first
        if baseline and target:
            traces = [small_trace(read_recording(entry.path, *entry.told)) for entry in (baseline, target)]
            return {"date": date, "rate_hz": SHOWN_HZ, "samples_uv": [rounded(np.nan_to_num(uv)) for uv in traces]}
    return None


def rounded(values: np.ndarray) -> list[float]:
    """Microvolts with one digit after the point."""
    return [round(float(value), 1) for value in values]
