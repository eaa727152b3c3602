"""Levels of both states, fitted on dates that the model had not seen: what a new day may say, and how surely.

Each date was left out once (`train.fit.folds`), and the model of the others said the evidence of its beats. From that
follows what recordings of a state usually say, how much dates differ, and how much recordings of one date do.
`edge_ecg.inference.levels` uses them.

Variance components by the analysis of variance for groups of unequal size (S. R. Searle, G. Casella, C. E. McCulloch,
Variance Components, 1992, chapter 3); a negative one is 0. Every date weighs the same in the mean.
"""

import numpy as np

from edge_ecg.inference.levels import Levels, StateLevels
from train.data import BeatSet

BEATS = (3, 5, 8, 12, 20, 30)  # after so many beats; 30 are a whole recording of 30 s, or nearly
FEWEST_BEATS = 3
FEWEST_DATES = 2  # of a state: one alone has no variance
LEAST_WITHIN = 1e-6  # of the variance between dates: recordings that are all alike are no proof that others will be


def fit_levels(beats: BeatSet, evidence: np.ndarray) -> Levels | None:
    """The levels of both states from the evidence (N,) of beats, or nothing if there are too few dates to tell.

    A recording counts with its first n beats, one that has fewer with all of them.
    """
    states = []
    for target in (False, True):
        levels: list[tuple[float, float, float]] = []
        for count in BEATS:
            by_date = recording_levels(beats, evidence, target, count)
            components = variance_components(by_date)
            if components is None:
                return None
            levels.append(components)
        mean, between, within = zip(*levels, strict=True)
        states.append(StateLevels(len(by_date), mean, between, within))
    return Levels(BEATS, *states)


def recording_levels(beats: BeatSet, evidence: np.ndarray, target: bool, count: int) -> list[np.ndarray]:
    """By date with recordings of a state, their mean evidence after `count` beats."""
    by_date: dict[str, list[float]] = {}
    for number in np.flatnonzero(beats.recording_is_target == target):
        of_recording = evidence[beats.recording == number]
        if len(of_recording) >= FEWEST_BEATS:
            by_date.setdefault(str(beats.dates[number]), []).append(float(of_recording[:count].mean()))
    return [np.array(of_date) for of_date in by_date.values()]


def variance_components(groups: list[np.ndarray]) -> tuple[float, float, float] | None:
    """Mean of groups, variance between and within them; nothing if one group, or one number in each, can't tell."""
    counts = np.array([len(group) for group in groups])
    freedom = int(counts.sum()) - len(groups)
    if len(groups) < FEWEST_DATES or freedom < 1:
        return None
    means = np.array([group.mean() for group in groups])
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups) / freedom
    square = float((counts * (means - np.average(means, weights=counts)) ** 2).sum()) / (len(groups) - 1)
    usual_count = (counts.sum() - (counts**2).sum() / counts.sum()) / (len(groups) - 1)
    between = max(0.0, (square - within) / float(usual_count))
    return float(means.mean()), between, max(within, LEAST_WITHIN * between, 1e-9)
