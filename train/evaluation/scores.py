"""Scores of one method on recordings of dates that it has not seen."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from edge_ecg.results import Accuracy, BesideTheBest, Calibration, MethodScores, Scores
from train.data import BeatSet

DRAWS = 2000  # of the bootstrap
SHUFFLES = 999  # of the permutation test: the smallest p value is 1 / 1000
BINS = 10  # of the expected calibration error


@dataclass(frozen=True)
class RecordingScores:
    """Evidence of one method on M recordings that it was not trained on."""

    dates: np.ndarray  # (M,)
    is_target: np.ndarray  # (M,) bool
    evidence: np.ndarray  # (M,) mean of the beats; above 0 speaks for the target
    beats: np.ndarray  # (M,) how many
    beats_right: np.ndarray  # (M,)

    @property
    def right(self) -> np.ndarray:
        """(M,) bool; evidence of exactly 0 is a call of the baseline."""
        return (self.evidence > 0) == self.is_target

    def on_dates(self, dates: Iterable[str]) -> "RecordingScores":
        """The recordings of some dates."""
        keep = np.isin(self.dates, list(dates))
        return RecordingScores(*(getattr(self, field.name)[keep] for field in fields(self)))

    @classmethod
    def of(cls, beats: BeatSet, evidence: np.ndarray) -> "RecordingScores":
        """From the (N,) evidence of single beats."""
        counts = np.bincount(beats.recording)
        right = np.bincount(beats.recording, (evidence > 0) == beats.is_target)
        mean = np.bincount(beats.recording, evidence) / counts
        return cls(beats.dates, beats.recording_is_target, mean, counts, right.astype(int))


def roc_auc(evidence: np.ndarray, is_target: np.ndarray) -> float | None:
    """Area under the ROC curve: how often a target recording ranks above a baseline one; None for one state only."""
    return _auc_of_ranks(ranks(evidence), is_target)


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, ties at their mean."""
    ordered = np.sort(values)
    return (np.searchsorted(ordered, values) + np.searchsorted(ordered, values, "right") + 1) / 2


def _auc_of_ranks(ranked: np.ndarray, is_target: np.ndarray) -> float | None:
    targets = int(is_target.sum())
    if not 0 < targets < len(is_target):
        return None
    above = ranked[is_target].sum() - targets * (targets + 1) / 2
    return float(above / (targets * (len(is_target) - targets)))


def bootstrap_95(scores: RecordingScores, statistic: Callable[[np.ndarray], float | None]) -> tuple[float, float]:
    """Percentile interval of a statistic of recordings, dates drawn with replacement: recordings of a day are alike.

    statistic: from indices of recordings to a number, or None where a draw has none.
    """
    rng = np.random.default_rng(0)
    by_date = [np.flatnonzero(scores.dates == date) for date in np.unique(scores.dates)]
    drawn = []
    for _ in range(DRAWS):
        chosen = np.concatenate([by_date[i] for i in rng.integers(0, len(by_date), len(by_date))])
        drawn.append(statistic(chosen))
    low, high = np.percentile([value for value in drawn if value is not None], [2.5, 97.5])
    return float(low), float(high)


def permutation_p(scores: RecordingScores, shuffles: int = SHUFFLES, seed: int = 0) -> float:
    """Share of shuffled labels that rank as well as the true ones, with these among them (Phipson & Smyth 2010).

    Labels move by date: all recordings of a date and state, made within the hour, get one label. Shuffled singly they
    would make any two days differ "significantly". The models are not trained anew.
    """
    blocks = [f"{date} {target}" for date, target in zip(scores.dates, scores.is_target, strict=True)]
    _, first, block = np.unique(blocks, return_index=True, return_inverse=True)
    label = scores.is_target[first]
    rng = np.random.default_rng(seed)
    ranked = ranks(scores.evidence)
    truly = _auc_of_ranks(ranked, scores.is_target) or 0.0
    as_good = sum(
        (_auc_of_ranks(ranked, rng.permutation(label)[block]) or 0.0) >= truly - 1e-12 for _ in range(shuffles)
    )
    return (as_good + 1) / (shuffles + 1)


def calibration(scores: RecordingScores) -> dict[str, Any]:
    """Brier score and expected calibration error of the recordings' probabilities, and the bins behind the latter.

    The slope from evidence to log odds is fitted, date by date, on the held-out recordings of all other dates.
    """
    from scipy.optimize import minimize_scalar  # slow to import

    probability = np.empty(len(scores.evidence))
    sign = np.where(scores.is_target, 1.0, -1.0)
    for date in np.unique(scores.dates):
        held_out = scores.dates == date
        evidence, truth = scores.evidence[~held_out], sign[~held_out]

        def loss(log_slope: float, evidence: np.ndarray = evidence, truth: np.ndarray = truth) -> float:
            return float(np.logaddexp(0, -np.exp(log_slope) * truth * evidence).mean())

        slope = np.exp(minimize_scalar(loss, bounds=(-8, 4), method="bounded").x)
        probability[held_out] = 1 / (1 + np.exp(-np.clip(slope * scores.evidence[held_out], -500, 500)))
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    bins = [(probability[place == b], scores.is_target[place == b]) for b in np.unique(place)]
    gaps = [abs(np.sum(said - is_target)) for said, is_target in bins]
    return {
        "brier": float(np.mean((probability - scores.is_target) ** 2)),
        "expected_calibration_error": float(np.sum(gaps) / len(probability)),
        "reliability": tuple(_calibrated(said, is_target) for said, is_target in bins),
        "by_date": {
            date: _calibrated(probability[scores.dates == date], scores.is_target[scores.dates == date])
            for date in np.unique(scores.dates).tolist()
        },
    }


def _calibrated(probability: np.ndarray, is_target: np.ndarray) -> Calibration:
    return Calibration(said=float(probability.mean()), recordings=len(probability), targets=int(is_target.sum()))


def scores_of(scores: RecordingScores) -> Scores:
    """Recordings right, with their interval, the AUC, and beats."""
    return Scores(**_counted(scores))


def _counted(scores: RecordingScores) -> dict[str, Any]:
    return {
        "recordings": Accuracy.of(scores.evidence > 0, scores.is_target),
        "auc": roc_auc(scores.evidence, scores.is_target),
        "beats": int(scores.beats.sum()),
        "beats_right": int(scores.beats_right.sum()),
    }


def method_scores(scores: RecordingScores) -> MethodScores:
    """One method, pooled and by date. Evidence of folds is pooled as it is, without rescaling."""
    v = scores

    def auc(chosen: np.ndarray) -> float | None:
        return roc_auc(v.evidence[chosen], v.is_target[chosen])

    return MethodScores(
        **_counted(v),
        accuracy_95_by_date=bootstrap_95(v, lambda chosen: float(v.right[chosen].mean())),
        auc_95_by_date=bootstrap_95(v, auc),
        permutation_p=permutation_p(v),
        **calibration(v),
        dates={date: scores_of(v.on_dates([date])) for date in np.unique(v.dates).tolist()},
    )


def beside_the_best(ours: str, methods: dict[str, RecordingScores]) -> BesideTheBest:
    """The best of all other methods, and by how much more of the recordings ours is right, over dates."""
    best = max((name for name in methods if name != ours), key=lambda name: _rank(methods[name]))
    more = methods[ours].right.astype(float) - methods[best].right
    (right, auc), (best_right, best_auc) = _rank(methods[ours]), _rank(methods[best])
    return BesideTheBest(
        best=best,
        more=float(np.mean(more)),
        more_95=bootstrap_95(methods[ours], lambda chosen: float(more[chosen].mean())),
        earned=bool(right > best_right and auc > best_auc),
    )


def _rank(scores: RecordingScores) -> tuple[float, float]:
    return float(scores.right.mean()), roc_auc(scores.evidence, scores.is_target) or 0.0


def verdict(ours: str, methods: dict[str, RecordingScores]) -> str:
    """One sentence: is a comparator better than the best of all other methods."""
    beside = beside_the_best(ours, methods)
    mine, best = methods[ours], methods[beside.best]
    low, high = beside.more_95
    if low <= 0 <= high:
        difference = "the difference is not significant over dates"
    else:
        difference = f"the difference is {beside.more:+.1%}, from {low:+.1%} to {high:+.1%} over dates"
    return (
        f"The {ours} comparator is {'better' if beside.earned else 'no better'} than the best other method, "
        f"{beside.best}: {mine.right.sum()} of {len(mine.right)} recordings correct and AUC {_rank(mine)[1]:.4f}, "
        f"against {best.right.sum()} and {_rank(best)[1]:.4f}; {difference}."
    )
