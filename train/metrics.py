"""How well decisions fit the labels: counts first, an interval beside every accuracy."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from edge_ecg.results import wilson_interval

Z_95 = 1.959964  # two-sided 95 % of the normal distribution


@dataclass(frozen=True)
class Confusion:
    """Counts of right and wrong calls; positive means the target state."""

    true_target: int
    false_target: int
    true_baseline: int
    false_baseline: int

    @classmethod
    def count(cls, called_target: np.ndarray, is_target: np.ndarray) -> "Confusion":
        """Compare calls with labels, both (N,) bool."""
        return cls(
            int(np.sum(called_target & is_target)),
            int(np.sum(called_target & ~is_target)),
            int(np.sum(~called_target & ~is_target)),
            int(np.sum(~called_target & is_target)),
        )

    @property
    def right(self) -> int:
        return self.true_target + self.true_baseline

    @property
    def total(self) -> int:
        return self.right + self.false_target + self.false_baseline

    def to_json(self) -> dict[str, Any]:
        """Counts, accuracy with its 95 % interval, sensitivity and specificity."""
        return {
            "right": self.right,
            "total": self.total,
            "accuracy": _share(self.right, self.total),
            "accuracy_95": wilson_interval(self.right, self.total),
            "sensitivity": _share(self.true_target, self.true_target + self.false_baseline),
            "specificity": _share(self.true_baseline, self.true_baseline + self.false_target),
            "confusion": asdict(self),
        }


def newcombe_interval(auc: float, targets: int, baselines: int) -> tuple[float, float]:
    """95 % interval of an AUC of so many recordings of each state; unlike a bootstrap it has a width at 1.

    R. G. Newcombe, Stat. Med. 25(4), 2006, part 2, method 5: the AUCs that lie within 1.96 of their own standard error,
    in the form of Hanley and McNeil (Radiology 143(1), 1982), of the one that was seen.
    """
    others = (targets + baselines) / 2 - 1

    def beyond(true: float) -> float:
        spread = true * (1 - true) * (1 + others * ((1 - true) / (2 - true) + true / (1 + true)))
        return (true - auc) ** 2 - Z_95**2 * spread / (targets * baselines)

    inside = min(max(auc, 1e-9), 1 - 1e-9)  # at 0 and 1 themselves a true AUC has no spread
    low = brentq(beyond, 0.0, inside) if beyond(0.0) > 0 else 0.0
    high = brentq(beyond, inside, 1.0) if beyond(1.0) > 0 else 1.0
    return float(low), float(high)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
