"""Compare detected beats with the true ones, one to one."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Score:
    """How well detected beats agree with the true ones."""

    errors_s: np.ndarray  # detected minus true, of each matched pair
    false_positives: int
    false_negatives: int

    @property
    def sensitivity(self) -> float:
        """True beats that were detected."""
        return _share(len(self.errors_s), self.false_negatives)

    @property
    def positive_predictivity(self) -> float:
        """Detected beats that were true."""
        return _share(len(self.errors_s), self.false_positives)

    @property
    def f1(self) -> float:
        """The harmonic mean of the two."""
        return _share(2 * len(self.errors_s), self.false_positives + self.false_negatives)

    def __add__(self, other: "Score") -> "Score":
        return Score(
            np.concatenate((self.errors_s, other.errors_s)),
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )


def match(true_s: np.ndarray, detected_s: np.ndarray, tolerance_s: float = 0.15) -> Score:
    """Pair beats one to one within the tolerance, nearest pairs first; times in seconds, any order.

    The 150 ms window is that of ANSI/AAMI EC57. Its learning period is not left out: every beat counts.
    """
    true_s, detected_s = np.sort(np.asarray(true_s, float)), np.sort(np.asarray(detected_s, float))
    pairs = []
    starts = np.searchsorted(detected_s, true_s - tolerance_s)
    for t, (time, start) in enumerate(zip(true_s, starts, strict=True)):
        for d in range(start, len(detected_s)):
            if detected_s[d] - time > tolerance_s:
                break
            pairs.append((abs(detected_s[d] - time), t, d))
    matched: dict[int, int] = {}
    taken = set()
    for _, t, d in sorted(pairs):
        if t not in matched and d not in taken:
            matched[t] = d
            taken.add(d)
    errors = np.array([detected_s[d] - true_s[t] for t, d in sorted(matched.items())])
    return Score(errors, len(detected_s) - len(matched), len(true_s) - len(matched))


def _share(right: int, wrong: int) -> float:
    return right / (right + wrong) if right + wrong else 1.0
