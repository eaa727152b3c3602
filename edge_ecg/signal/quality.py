"""Signal quality: why a beat must not vote (missing samples, flat line, lead off, noise, clipping, wander, RR)."""

from math import isfinite

import numpy as np

from edge_ecg.contract import Contract

MISSING, FLAT, LEAD_OFF, NOISE = "missing samples", "flat line", "lead off", "noise"
CLIPPED, WANDER, RHYTHM = "clipped", "baseline wander", "RR out of range"

NOISE_GAIN = 1.5  # the variance of white noise minus the mean of two other samples of it


class Quality:
    """Say of each R peak in turn why its beat is unusable.

    A beat is as good as all that it hangs on: its own window, and the RR interval, which began at the R before. So
    samples must not be missing or flat anywhere from the start of the previous window on (no RR interval spans a
    gap), and what makes the place of an R uncertain spoils the RR interval of the next beat too. A beat's wide
    window of its own must not be clipped or tilted.
    """

    def __init__(self, contract: Contract):
        self._constants = contract.quality
        self._ones = np.ones(self._constants.baseline)  # a product with them is a sum in half the time
        self._window_samples = contract.window_samples
        self._r = contract.before_r_samples
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._uncertain: tuple[str, ...] = ()  # what was wrong around the previous R

    def reasons(self, stretch_uv: np.ndarray, whole_uv: np.ndarray, rr_samples: int) -> tuple[str, ...]:
        """Why the beat at the end of a stretch must not vote; nothing if it may.

        stretch_uv: microvolts at 512 Hz from the start of the previous R's window to the end of this one, as they came;
        whole_uv: the same `interpolated`.
        """
        c = self._constants
        reasons: list[str] = []
        if whole_uv is not stretch_uv and longest_run(~np.isfinite(stretch_uv)) > c.interpolated:
            reasons.append(MISSING)
        steps = whole_uv[1:] - whole_uv[:-1]
        if _has_run(np.abs(steps, steps) <= c.held_uv, c.held):
            reasons.append(FLAT)
        uncertain, shape = self._of_window(whole_uv[-self._window_samples :])
        reasons += dict.fromkeys((*uncertain, *self._uncertain))
        self._uncertain = uncertain
        if not c.rr_min <= rr_samples <= c.rr_max:
            reasons.append(RHYTHM)
        return tuple(dict.fromkeys((*reasons, *shape)))  # the beat before may share a reason

    def _of_window(self, window: np.ndarray) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Faults that make the R position unreliable, and faults of the waveform alone."""
        c = self._constants
        qrs = window[self._r - c.qrs : self._r + c.qrs]
        top, bottom = float(qrs[qrs.argmax()]), float(qrs[qrs.argmin()])
        height = top - bottom
        left = float(window[: c.baseline].dot(self._ones)) / c.baseline
        right = float(window[-c.baseline :].dot(self._ones)) / c.baseline
        span = float(window[window.argmax()] - window[window.argmin()])
        uncertain, shape = [], []
        if not c.least_span_uv <= span <= c.most_span_uv or abs(left) > c.most_offset_uv:
            uncertain.append(LEAD_OFF)
        after = window[self._r + c.qrs :]
        rough = after[: -2 * c.noise_lag] + after[2 * c.noise_lag :]
        rough *= -0.5
        rough += after[c.noise_lag : -c.noise_lag]
        if float(rough.dot(rough)) > NOISE_GAIN * len(rough) * (c.noise_part * height) ** 2:
            uncertain.append(NOISE)
        baseline, near = (left + right) / 2, c.clipped_part * span
        is_high = top - baseline > c.rail_part * span and _has_run(qrs >= top - near, c.clipped)
        is_low = baseline - bottom > c.rail_part * span and _has_run(qrs <= bottom + near, c.clipped)
        if is_high or is_low:
            shape.append(CLIPPED)
        if abs(right - left) > c.wander_part * height:
            shape.append(WANDER)
        return tuple(uncertain), tuple(shape)


def interpolated(samples: np.ndarray) -> np.ndarray:
    """The samples with a straight line across every gap; at the ends the nearest is held; all NaN if none is finite.

    Samples without a gap come back as they are, not copied.
    """
    if isfinite(samples.dot(samples)):
        return samples
    finite = np.isfinite(samples)
    if not finite.any():
        return np.full(len(samples), np.nan)
    at = np.arange(len(samples))
    return np.interp(at, at[finite], samples[finite])


def _has_run(mask: np.ndarray, length: int) -> bool:
    return bool(np.count_nonzero(mask) >= length) and longest_run(mask) >= length


def longest_run(mask: np.ndarray) -> int:
    """Length of the longest run of True in (n,) bool."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return int((edges[1::2] - edges[::2]).max(initial=0))
