"""R peaks from samples: a causal detector whose answer never depends on how the stream was cut into chunks."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edge_ecg.bandpass import Bandpass
from edge_ecg.contract import CONTRACT, DetectorConstants


@dataclass(frozen=True)
class RPeak:
    """One R peak of the stream."""

    index: int  # 512 Hz samples since the stream began
    confirmed_at: int  # samples the stream had delivered when the peak became certain


class _Candidate(NamedTuple):
    index: int  # a maximum of the envelope
    height: float


class RPeakDetector:
    """TODO"""

    def __init__(self, constants: DetectorConstants = CONTRACT.detector):
        self._constants = constants
        self._bandpass = Bandpass(constants.bandpass_sos)
        reach = constants.envelope_delay + constants.refine_reach + constants.refractory
        self._history_length = int(constants.search_back_rr * constants.rr_max) + constants.learning + reach
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._bandpass.reset()
        self._heard = 0
        self._history = np.zeros(0)
        self._filtered_tail = np.zeros(1)
        self._envelope_tail = np.zeros(2)
        self._pending: _Candidate | None = None
        self._rejected: list[_Candidate] = []
        self._learning: list[_Candidate] | None = []
        self._signal = self._noise = 0.0
        self._last: _Candidate | None = None
        self._rr = self._constants.rr_start
        self._polarity = 0.0
        self._sign = 1.0
        self._found: list[RPeak] = []

    def push(self, samples_uv: np.ndarray) -> list[RPeak]:
        """The R peaks that have become certain. Takes microvolts at 512 Hz, any number of them."""
        if not len(samples_uv):
            return []
        samples = np.asarray(samples_uv, dtype=np.float64)
        candidates = self._candidates(samples)
        self._history = np.concatenate((self._history[-self._history_length :], samples))
        start, self._heard = self._heard, self._heard + len(samples)
        for candidate in candidates:
            self._advance(candidate.index + 1)
            self._consider(candidate)
        self._advance(self._heard)
        found, self._found = self._found, []
        return found

    def finish(self) -> list[RPeak]:
        """The peaks near the end that still waited for samples; the stream is over then."""
        heard = self._heard
        if not heard:
            return []
        c = self._constants
        self._end = heard
        found = self.push(np.full(c.envelope_delay + c.refractory + 2, self._history[-1]))
        if self._learning is not None:
            self._learn(heard)
            found, self._found = found + self._found, []
        return [RPeak(p.index, min(p.confirmed_at, heard)) for p in found if p.index < heard]

    def _candidates(self, samples: np.ndarray) -> list[_Candidate]:
        filtered = np.concatenate((self._filtered_tail, self._bandpass.push(samples)))
        self._filtered_tail = filtered[-1:]
        now, step = filtered[1:], (filtered[1:] - filtered[:-1]) * self._constants.quadrature_gain
        envelope = np.concatenate((self._envelope_tail, np.sqrt(now * now + step * step)))
        self._envelope_tail = envelope[-2:]
        middle = envelope[1:-1]
        maxima = np.flatnonzero((middle > envelope[:-2]) & (middle >= envelope[2:]))
        first = self._heard - 1
        return [
            _Candidate(i + first, h) for i, h in zip(maxima.tolist(), middle[maxima].tolist(), strict=True)
        ]

    def _advance(self, now: int) -> None:
        c = self._constants
        while True:
            pending_due = self._pending.index + c.refractory + 2 if self._pending else now + 1
            if self._learning is not None:
                other_due = c.learning
            elif self._deadline is not None:
                other_due = self._deadline
            else:
                other_due = now + 1
            if min(pending_due, other_due) > now:
                return
            if pending_due <= other_due:
                candidate, self._pending = self._pending, None
                if self._learning is not None:
                    self._learning.append(candidate)
                else:
                    self._decide(candidate, pending_due)
            elif self._learning is not None:
                self._learn(other_due)
            else:
                self._search_back(other_due)

    def _consider(self, candidate: _Candidate) -> None:
        if self._pending is None or candidate.height > self._pending.height:
            self._pending = candidate

    def _learn(self, now: int) -> None:
        learnt, self._learning = self._learning, None
        heights = sorted((x.height for x in learnt), reverse=True) + [0.0, 0.0]
        self._signal = min(heights[0], 2.5 * heights[1]) if heights[1] else heights[0]
        self._noise = 0.1 * self._signal
        self._set_deadline(0)
        for x in learnt:
            if x.height > self._threshold():
                self._refine(x.index, vote=True)
        self._sign = 1.0 if self._polarity >= 0 else -1.0
        for x in learnt:
            self._decide(x, now)

    def _threshold(self) -> float:
        return self._noise + self._constants.threshold * (self._signal - self._noise)

    def _decide(self, x: _Candidate, now: int) -> None:
        c = self._constants
        t_wave = (
            self._last is not None
            and x.index - self._last.index < c.t_wave_reach
            and x.height < c.t_wave_height * self._last.height
        )
        if x.height > self._threshold() and not t_wave:
            self._accept(x, now)
            return
        self._noise += c.adaptation * (min(x.height, self._signal) - self._noise)
        if not t_wave:
            self._rejected.append(x)

    def _search_back(self, now: int) -> None:
        c = self._constants
        best = max(self._rejected, key=lambda x: x.height, default=None)
        if best is not None and best.height > c.search_back_height * self._threshold():
            self._accept(best, now)
        else:
            self._signal *= c.decay
            self._deadline = now + int(self._rr)

    def _accept(self, x: _Candidate, now: int) -> None:
        c = self._constants
        if self._last is not None:
            rr = min(max(x.index - self._last.index, c.rr_min), c.rr_max)
            self._rr += c.adaptation * (rr - self._rr)
        self._signal += c.adaptation * (min(x.height, c.lift * self._signal) - self._signal)
        self._last = x
        self._rejected = [r for r in self._rejected if r.index > x.index + c.refractory]
        self._set_deadline(x.index)
        self._found.append(RPeak(self._refine(x.index, vote=True), now))

    def _set_deadline(self, index: int) -> None:
        c = self._constants
        self._deadline = index + int(c.search_back_rr * self._rr) + c.refractory + 2

    def _refine(self, index: int, vote: bool) -> int:
        c = self._constants
        first = self._heard - len(self._history)
        centre = index - c.envelope_delay
        a, b = max(centre - c.refine_reach, first, 0), centre + c.refine_reach + 1
        window = self._history[a - first : b - first]
        k = 10
        left, right = float(window[:k].mean()), float(window[-k:].mean())
        window = window - (
            left + (right - left) * ((np.arange(len(window)) - (k - 1) / 2) / (len(window) - k))
        )
        up, down = int(window.argmax()), int(window.argmin())
        first, second = (up, down) if up < down else (down, up)
        chosen = first if abs(window[first]) >= c.first_deflection * abs(window[second]) else second
        self._polarity += c.adaptation * ((1.0 if chosen == up else -1.0) - self._polarity)
        if self._learning is None and self._polarity * self._sign < -c.polarity_margin:
            self._sign = -self._sign
        return a + (up if self._sign > 0 else down)


def r_peaks(samples_uv: np.ndarray) -> np.ndarray:
    """R peaks of a whole recording (indices at 512 Hz): the stream in one chunk."""
    detector = RPeakDetector()
    return np.array([peak.index for peak in (*detector.push(samples_uv), *detector.finish())], dtype=np.int64)
