"""Choose the reference beats: typical beats of recordings spread over the training dates."""

import numpy as np

from edge_ecg.inference.references import ReferenceBank
from train.data import BeatSet


def choose_references(beats: BeatSet, embeddings: np.ndarray, per_state: int) -> np.ndarray:
    """Indices of `per_state` beats of each state, the baseline first, dates taking turns.

    beats: N training beats with their embeddings (N, D). Of each date the recordings are taken spread over
    the day, and of a recording the beat whose embedding is nearest to the recording's median.
    """
    chosen = []
    for target in (False, True):
        of_state = beats.recording_is_target == target
        by_date = [np.flatnonzero(of_state & (beats.dates == date)) for date in np.unique(beats.dates[of_state])]
        quotas = [0] * len(by_date)
        while sum(quotas) < min(per_state, of_state.sum()):
            room = [date for date, quota in enumerate(quotas) if quota < len(by_date[date])]
            quotas[min(room, key=quotas.__getitem__)] += 1
        for recordings, quota in zip(by_date, quotas, strict=True):
            spread = ((np.arange(quota) + 0.5) * len(recordings) / max(quota, 1)).astype(int)
            chosen += [_typical_beat(beats, embeddings, recording) for recording in recordings[spread]]
    return np.array(chosen)


def bank_of(beats: BeatSet, embeddings: np.ndarray, chosen: np.ndarray) -> ReferenceBank:
    """The chosen beats' embeddings with their labels."""
    return ReferenceBank(embeddings[chosen].astype(np.float32), beats.is_target[chosen])


def _typical_beat(beats: BeatSet, embeddings: np.ndarray, recording: int) -> int:
    of_recording = np.flatnonzero(beats.recording == recording)
    median = np.median(embeddings[of_recording], axis=0)
    return int(of_recording[np.argmin(np.linalg.norm(embeddings[of_recording] - median, axis=1))])
