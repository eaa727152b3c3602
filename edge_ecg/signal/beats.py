"""Beats from samples: cut a fixed window around each R peak out of the unfiltered signal."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from edge_ecg.contract import CONTRACT, Contract
from edge_ecg.signal.buffer import StreamBuffer
from edge_ecg.signal.quality import Quality, interpolated
from edge_ecg.signal.rpeaks import RPeak


@dataclass(frozen=True)
class Beat:
    """One heartbeat as the encoder sees it."""

    r_index: int  # 512 Hz samples since the stream began
    known_at_s: float  # on the recording's own clock: the first wake that had the whole beat
    # (384,) float32: 383 microvolt samples, R upwards at 128, then the RR interval in seconds
    values: np.ndarray = field(repr=False)
    is_turned: bool = False  # R pointed down, so the samples were turned over
    unusable: tuple[str, ...] = ()  # why it must not vote (`edge_ecg.signal.quality`); its values may then be NaN


class BeatCutter:
    """Cut beats while the signal arrives. Any chunk size gives the same beats.

    A beat needs a previous R (for its RR interval), a window that lies wholly after the settling
    time, and the 255 samples from its R on. Its R points upwards: a beat from the other wrist is turned
    over, and says so.
    """

    def __init__(self, longest_wait_samples: int, contract: Contract = CONTRACT):
        """`longest_wait_samples`: how long after it happened a peak may still be found."""
        self._contract = contract
        self._quality = Quality(contract)
        self._ones = np.ones(contract.quality.baseline)
        # A peak that is cut was found after the last push, or waits for the samples behind it.
        wait_samples = max(longest_wait_samples, contract.after_r_samples)
        self._samples_uv = StreamBuffer(wait_samples + contract.quality.rr_max + contract.before_r_samples)
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._quality.reset()
        self._samples_uv.reset()
        self._previous_r: int | None = None
        self._waiting: deque[tuple[RPeak, int]] = deque()  # peaks with their RR interval in samples

    def push(self, samples_uv: np.ndarray, peaks: list[RPeak]) -> list[Beat]:
        """Take the next samples and the peaks that the detector found by then; return the beats completed."""
        self._samples_uv.push(samples_uv)
        for peak in peaks:
            if self._previous_r is not None:
                self._waiting.append((peak, peak.index - self._previous_r))
            self._previous_r = peak.index
        beats = []
        while self._waiting and self._waiting[0][0].index + self._contract.after_r_samples <= self._samples_uv.end:
            peak, rr_samples = self._waiting.popleft()
            if peak.index >= self._contract.before_r_samples:
                beat = self._cut(peak, rr_samples)
                if peak.index - self._contract.before_r_samples >= self._contract.settle_samples:
                    beats.append(beat)
        return beats

    def _cut(self, peak: RPeak, rr_samples: int) -> Beat:
        end = peak.index + self._contract.after_r_samples
        start = peak.index - self._contract.before_r_samples
        stretch = self._samples_uv.between(start - min(rr_samples, self._contract.quality.rr_max), end)
        values = np.empty(self._contract.beat_length, np.float32)
        whole = interpolated(stretch)
        window = whole[-self._contract.window_samples :]
        is_turned = self._points_down(window)
        values[:-1] = -window if is_turned else window
        values[-1] = rr_samples / self._contract.sample_rate_hz
        wakes = -(-max(end, peak.confirmed_at) // self._contract.block_samples)
        known_at_s = wakes * self._contract.block_samples / self._contract.sample_rate_hz
        return Beat(peak.index, known_at_s, values, is_turned, self._quality.reasons(stretch, whole, rr_samples))

    def _points_down(self, window: np.ndarray) -> bool:
        """Whether R lies below the baseline at the window's two ends."""
        ends, r, side = self._contract.quality.baseline, self._contract.before_r_samples, self._contract.quality.r_side
        top = sum(window[r - side : r + side + 1].tolist()) / (2 * side + 1)
        baseline = float(window[:ends].dot(self._ones) + window[-ends:].dot(self._ones)) / (2 * ends)
        return top < baseline
