"""Simulated drifts: a T wave that comes later or earlier, higher or lower, as months may make it."""

from dataclasses import dataclass

import numpy as np

from edge_ecg.contract import CONTRACT
from train.model.beat import PR_SEGMENT, ST_ENDS


@dataclass(frozen=True)
class Drift:
    """What some months may do to every beat."""

    t_later_ms: float = 0.0
    t_height: float = 1.0

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Beats (N, 384) with the T wave moved and scaled, the rest as it was."""
        index = np.arange(CONTRACT.window_samples)
        t_wave = 1 / (1 + np.exp(-(index - ST_ENDS) / 6.0))
        source = np.clip(index - self.t_later_ms / 1000 * CONTRACT.sample_rate_hz * t_wave, 0, index[-1])
        samples = values[:, index].astype(np.float64)
        baseline = np.median(samples[:, PR_SEGMENT], axis=1, keepdims=True)
        below = np.minimum(source.astype(int), index[-1] - 1)
        moved = samples[:, below] + (source - below) * (samples[:, below + 1] - samples[:, below])
        moved = baseline + (moved - baseline) * (1 + (self.t_height - 1) * t_wave)
        return np.concatenate([moved, values[:, len(index) :]], axis=1).astype(np.float32)


DRIFTS = {
    "no drift": Drift(),
    "T 10 ms later": Drift(t_later_ms=10),
    "T 10 ms earlier": Drift(t_later_ms=-10),
    "T 20 ms later": Drift(t_later_ms=20),
    "T 20 ms earlier": Drift(t_later_ms=-20),
    "T 20 % lower": Drift(t_height=0.8),
    "T 25 % higher": Drift(t_height=1.25),
}
