"""What training has seen: centre and spread of embeddings, and the limit beyond which a beat is out of distribution.

Everything is fitted on the training and validation recordings; test dates are not read. Every date weighs the same: a
long day is still one day.
"""

from collections.abc import Sequence

import numpy as np

from edge_ecg.inference.novelty import TrainingDistribution, span_of
from train.data import BeatSet

MOST_DIRECTIONS = 16
FEWEST_DATES = 3  # with the baseline; fewer can't say what usually changes from one date to the next
USUAL = 99  # percentile of recordings that the limit lets pass when their date is left out


def fit_distribution(embeddings: Sequence[np.ndarray], sets: Sequence[BeatSet]) -> TrainingDistribution | None:
    """What the embeddings (N, D) of each beat set show, or nothing if they have too few dates."""
    values = np.concatenate(embeddings).astype(np.float64)
    is_target = np.concatenate([beats.is_target for beats in sets])
    date = np.concatenate([beats.date for beats in sets])
    firsts = np.cumsum([0] + [len(beats.sources) for beats in sets])
    recording = np.concatenate([first + beats.recording for first, beats in zip(firsts, sets, strict=False)])
    dates = np.unique(date)
    if len(np.unique(date[~is_target])) < FEWEST_DATES or len(np.unique(date[is_target])) < FEWEST_DATES:
        return None
    centres, directions, variances = _shape(values, is_target, date)
    distances = np.empty(len(values))
    for left_out in dates:
        held = date == left_out
        shape = _shape(values[~held], is_target[~held], date[~held])
        distances[held] = TrainingDistribution(*shape, limit=1.0).distances(values[held])
    of_recordings = [float(np.median(distances[recording == r])) for r in np.unique(recording)]
    limit = float(np.percentile(of_recordings, USUAL))
    days = span_of([day.toordinal() for beats in sets for day in beats.days[~np.isnat(beats.days)].tolist()])
    return TrainingDistribution(centres, directions, variances, limit, days)


def recording_centres(embeddings: np.ndarray, recording: np.ndarray) -> np.ndarray:
    """The middle of each recording's embeddings, in the order of their numbers: (M, D), a median of every number."""
    return np.stack([np.median(embeddings[recording == number], axis=0) for number in np.unique(recording)])


def _shape(values: np.ndarray, is_target: np.ndarray, date: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres of both states, and the directions and variances around them."""
    centres, covariances = [], []
    for state in (False, True):
        by_date = [values[(is_target == state) & (date == d)] for d in np.unique(date[is_target == state])]
        centre = np.mean([of_date.mean(0) for of_date in by_date], axis=0)
        centres.append(centre)
        covariances += [(of_date - centre).T @ (of_date - centre) / len(of_date) for of_date in by_date]
    length = values.shape[1]
    variances, directions = np.linalg.eigh(np.mean(covariances, axis=0))  # ascending
    kept = min(MOST_DIRECTIONS, length // 2)
    elsewhere = max(float(variances[: length - kept].mean()), 1e-9 * float(variances.sum()), 1e-12)
    strongest = np.maximum(variances[::-1][:kept], elsewhere)
    return np.array(centres), directions.T[::-1][:kept], np.append(strongest, elsewhere)
