"""Causal band-pass with carried memory, for the R-peak detector only."""

from collections.abc import Sequence

import numpy as np
from scipy.signal import sosfilt

try:  # the loop of sosfilt, whose checks take ten times as long as 128 samples do (25 us against 2.5)
    from scipy.signal._sosfilt import _sosfilt as sosfilt_in_place
except ImportError:  # a SciPy that keeps it elsewhere

    def sosfilt_in_place(sos: np.ndarray, samples: np.ndarray, memory: np.ndarray) -> None:
        """Filter samples (1, n), knowing and leaving the memory (1, sections, 2)."""
        samples[0], memory[0] = sosfilt(sos, samples[0], zi=memory[0])


class Bandpass:
    """Causal band-pass for a live ECG. Any chunk size gives the same output, bit for bit.

    The sections are b0 b1 b2 a0 a1 a2 with a0 = 1, run one after the other as transposed direct form II. The
    filter starts as if the first sample had lasted for ever, so that an electrode offset makes no swing: a
    band-pass answers a constant with zero, and subtracting the first sample from all others is the same as
    that memory.
    """

    def __init__(self, sos: Sequence[Sequence[float]]):
        self._sos = np.array(sos, np.float64)
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._origin: float | None = None
        self._memory = np.zeros((1, len(self._sos), 2))

    def push(self, samples: np.ndarray) -> np.ndarray:
        """The filtered samples, as many as came in."""
        if not len(samples):
            return np.zeros(0)
        if self._origin is None:
            self._origin = float(samples[0])
        filtered = (samples - self._origin)[np.newaxis]
        sosfilt_in_place(self._sos, filtered, self._memory)
        return filtered[0]
