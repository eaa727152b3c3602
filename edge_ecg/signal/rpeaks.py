"""R peaks from samples: a causal detector that gives the same answer however the stream is cut."""

from dataclasses import dataclass
from math import inf, isfinite
from typing import NamedTuple

import numpy as np

from edge_ecg.contract import CONTRACT, DetectorConstants
from edge_ecg.signal.bandpass import Bandpass
from edge_ecg.signal.buffer import StreamBuffer


@dataclass(frozen=True)
class RPeak:
    """One R peak of the stream."""

    index: int  # 512 Hz samples since the stream began
    confirmed_at: int  # samples the stream had delivered when the peak became certain


class _Candidate(NamedTuple):
    at: int  # where the envelope has a maximum
    height: float


class RPeakDetector:
    """Find R peaks in a live ECG. Any chunk size gives the same peaks, confirmed at the same moments.

    The road: band-pass; envelope sqrt(y^2 + (gain * step of y)^2), whose two terms are a quarter period
    apart, so that one QRS makes one hump; its maxima in time order are the candidates. A candidate that stays
    the highest for the refractory time is judged against an adaptive threshold; an R peak is then placed on
    the raw samples. Whatever happens, happens at a candidate or at a deadline counted in samples, never at
    the end of a chunk.

    A peak is confirmed about 0.23 s after R, and before `CONTRACT.after_r_samples` unless it was found by
    search-back (at most `longest_wait` samples, 3.05 s) or in the first 2 s, which teach the levels. Peaks
    come in order of time.

    After J. Pan, W. J. Tompkins, "A Real-Time QRS Detection Algorithm", IEEE Trans. Biomed. Eng. 32(3), 1985,
    with the median levels of P. S. Hamilton, W. J. Tompkins, ibid. 33(12), 1986. Departures:
    - 8 to 20 Hz instead of 5 to 15 (M. Elgendi, PLoS ONE 8(9):e73557, 2013): less T wave.
    - The two-term envelope instead of squaring and a moving window: no second filter, no running
      sum, and not the 75 ms by which that window lags.
    - Heights enter the level capped, and the threshold fades while nothing is found; faded to its least, the
      levels are learnt again: no artifact blinds it for long.
    - The T-wave rule compares envelope heights: this envelope is a slope already.
    - One mean RR interval, not a second one for regular beats: irregular rhythms are no exception here.
    - R is the first deflection of the QRS unless that is a q wave: a lead with a deep S keeps its R, and the
      inverted lead has the same one. The side is a vote of recent beats, so that beats stay aligned.

    Tuned on the six MIT-BIH records of the benchmark, clean and with added noise (threshold, fade,
    search_back_rr; all flat, but search_back_rr below 1.6 calls T waves in the pause after a premature beat),
    and on the watch recordings (envelope_delay, refine_reach, first_deflection). The rest is physiology or
    custom.
    """

    def __init__(self, constants: DetectorConstants = CONTRACT.detector):
        self._constants = c = constants
        self._bandpass = Bandpass(c.bandpass_sos)
        self._memory_samples = int(c.search_back_rr * c.rr_max) + c.refractory + 2
        self._ones = np.ones(c.baseline_samples)
        self._ramp = np.arange(2.0 * (c.refine_reach + c.smooth_samples))
        self.longest_wait = self._memory_samples + c.envelope_delay + c.refine_reach + c.smooth_samples
        self._raw = StreamBuffer(self.longest_wait)  # as far back as an R peak may still be placed
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._bandpass.reset()
        self._raw.reset()
        self._filtered = 0.0  # the last sample of the last push
        self._envelope = np.zeros(2)  # the last two
        self._pending: _Candidate | None = None  # the highest of late, until the refractory time is over
        self._rejected: list[_Candidate] = []  # what search-back may return to
        self._last: _Candidate | None = None  # the last QRS, its height capped
        self._learning: list[_Candidate] | None = []
        self._deadline = self._constants.learning  # when learning ends, later when search-back begins
        self._heights: list[float] = []  # of recent QRS
        self._level = 0.0  # their median
        self._noise = 0.0
        self._fade = 1.0
        self._rr = self._constants.rr_start
        self._polarity_score = 0.0  # recent beats' say on the side of R, -1 down to 1 up
        self._polarity = 1  # the side that counts
        self._found: list[RPeak] = []

    def push(self, samples_uv: np.ndarray) -> list[RPeak]:
        """The R peaks that have become certain, from microvolts at 512 Hz, any number of them.

        A sample that is not a finite number counts as the one before it: a gap is a flat stretch.
        """
        samples = self._finite(np.asarray(samples_uv, dtype=np.float64))
        if not len(samples):
            return []
        places, heights = self._candidates(samples)
        first, faintest = self._raw.end - 1, self._constants.faintest_uv
        self._raw.push(samples)
        highest, due = self._highest(), self._due()
        for place, height in zip(places, heights, strict=True):
            if height > highest or first + place + 1 >= due:
                if height <= faintest:
                    continue
                if first + place + 1 >= due:
                    self._wait_until(first + place + 1)
                    highest, due = self._highest(), self._due()
                if height > highest:
                    self._pending = _Candidate(first + place, height)
                    highest, due = height, self._due()
        self._wait_until(self._raw.end)
        found, self._found = self._found, []
        return found

    def _highest(self) -> float:
        """The height that makes another candidate the highest of late."""
        return self._pending.height if self._pending else 0.0

    def _due(self) -> float:
        """Time at which the highest recent candidate is decided, or of the deadline if that is earlier."""
        judged_at = self._pending.at + self._constants.refractory + 2 if self._pending else inf
        return min(judged_at, self._deadline)

    def finish(self) -> list[RPeak]:
        """The peaks near the end that still waited for samples, as if the last were held; ends the stream."""
        heard, c = self._raw.end, self._constants
        if not heard:
            return []
        found = self.push(np.full(c.envelope_delay + c.refine_reach + c.refractory, self._last_sample()))
        if self._learning:
            self._learn(heard)
            found, self._found = self._found, []
        whole = (p for p in found if p.index < heard - c.smooth_samples // 2)
        return [RPeak(p.index, min(p.confirmed_at, heard)) for p in whole]

    def _finite(self, samples: np.ndarray) -> np.ndarray:
        if isfinite(samples.dot(samples)):
            return samples
        finite = np.isfinite(samples)
        source = np.maximum.accumulate(np.where(finite, np.arange(1, len(samples) + 1), 0))
        return np.concatenate(([self._last_sample()], samples))[source]

    def _last_sample(self) -> float:
        return float(self._raw.between(self._raw.end - 1, self._raw.end)[0]) if self._raw.end else 0.0

    def _candidates(self, samples: np.ndarray) -> tuple[list[int], list[float]]:
        """Places and heights of the maxima of the envelope, from one sample before these."""
        filtered = self._bandpass.push(samples)
        step, squared, envelope = np.empty_like(filtered), filtered * filtered, np.empty(len(filtered) + 2)
        step[0] = filtered[0] - self._filtered
        np.subtract(filtered[1:], filtered[:-1], step[1:])
        step *= self._constants.quadrature_gain
        step *= step
        squared += step
        envelope[:2] = self._envelope
        np.sqrt(squared, envelope[2:])
        self._filtered, self._envelope = float(filtered[-1]), envelope[-2:]
        is_rising = envelope[1:] > envelope[:-1]
        (maxima,) = (is_rising[:-1] > is_rising[1:]).nonzero()
        return maxima.tolist(), envelope[1:][maxima].tolist()

    def _wait_until(self, now: int) -> None:
        """Let the deadlines pass that fall due up to `now`, in their order."""
        while (due := self._due()) <= now:
            if self._pending and self._pending.at + self._constants.refractory + 2 == due:
                candidate, self._pending = self._pending, None
                if self._learning is None:
                    self._judge(candidate, int(due))
                else:
                    self._learning.append(candidate)
            elif self._learning is not None:
                self._learn(self._deadline)
            else:
                self._search_back(self._deadline)

    def _learn(self, now: int) -> None:
        """Set the levels from the first candidates, then decide on these."""
        c = self._constants
        if not self._learning:
            self._deadline = now + c.learning  # nothing heard yet: an electrode that is still off
            return
        learnt, self._learning = self._learning, None
        highest, second = sorted([0.0, *(x.height for x in learnt)])[:-3:-1]
        # A settling transient towers over the second highest, which then is a QRS.
        level = min(highest, c.transient * second) if second else highest
        self._remember([level])
        self._set_deadline(0, now)
        strong = [x for x in learnt if x.height > self._threshold()]
        weights = [min(x.height, second or highest) for x in strong]
        sides = [self._deflections(x)[2] for x in strong]
        self._polarity_score = sum(w * side for w, side in zip(weights, sides, strict=True)) / sum(weights)
        # On a tie the latest decides: a rule that the inverted lead shares.
        self._polarity = (1 if self._polarity_score > 0 else -1) if self._polarity_score != 0 else sides[-1]
        for candidate in learnt:
            self._judge(candidate, now)

    def _remember(self, heights: list[float]) -> None:
        self._heights, self._level = heights, sorted(heights)[(len(heights) - 1) // 2]

    def _threshold(self, part: float = 1.0) -> float:
        c = self._constants
        level = self._level * self._fade
        return self._noise + part * c.threshold * (level - self._noise)

    def _judge(self, candidate: _Candidate, now: int) -> None:
        c = self._constants
        last = self._last
        is_t_wave = (
            last is not None
            and candidate.at - last.at < c.t_wave_reach
            and candidate.height < c.t_wave_height * last.height
        )
        if not is_t_wave and candidate.height > self._threshold():
            self._accept(candidate, now)
            return
        self._noise += c.adaptation * (min(candidate.height, self._level) - self._noise)
        if not is_t_wave:
            self._rejected.append(candidate)

    def _search_back(self, now: int) -> None:
        c = self._constants
        self._rejected = [x for x in self._rejected if x.at > now - self._memory_samples]
        best = max(self._rejected, key=lambda x: x.height, default=None)
        if best is not None and best.height > self._threshold(c.search_back_part):
            self._accept(best, now)
        elif self._fade > c.least_fade:
            self._fade = max(c.fade * self._fade, c.least_fade)
            self._deadline = now + int(self._rr)
        else:  # what was learnt was no heart, but noise
            self._noise, self._fade, self._learning, self._deadline = 0.0, 1.0, [], now + c.learning

    def _accept(self, candidate: _Candidate, now: int) -> None:
        c = self._constants
        if self._last is not None:
            rr = min(max(float(candidate.at - self._last.at), c.rr_min), c.rr_max)
            self._rr += c.adaptation * (rr - self._rr)
        height = min(candidate.height, c.cap * self._level)
        self._remember([*self._heights[1 - c.level_beats :], height])
        self._fade = 1.0
        self._last = _Candidate(candidate.at, height)
        self._rejected = [x for x in self._rejected if x.at > candidate.at]
        self._set_deadline(candidate.at, now)
        top, bottom, side = self._deflections(candidate)
        self._polarity_score += c.adaptation * (side - self._polarity_score)
        if self._polarity_score * self._polarity < -c.side_margin:
            self._polarity = -self._polarity
        r_index = top if self._polarity > 0 else bottom
        # At the very start of the stream only the end of a QRS may be left.
        if r_index > c.smooth_samples // 2:
            self._found.append(RPeak(r_index, now))

    def _set_deadline(self, index: int, now: int) -> None:
        c = self._constants
        self._deadline = max(index + int(c.search_back_rr * self._rr) + c.refractory + 2, now)

    def _deflections(self, candidate: _Candidate) -> tuple[int, int, int]:
        """Indices of the highest and lowest raw sample around a QRS, and the polarity of its R (1 up, -1 down)."""
        c = self._constants
        centre = candidate.at - c.envelope_delay
        margin = c.refine_reach + c.smooth_samples // 2
        first = max(centre - margin, 0)
        raw = self._raw.between(first, centre + margin + 1)
        # A short mean against muscle noise, as a sum in a fixed order; the scale does not matter here.
        length = len(raw) - c.smooth_samples + 1
        window = raw[:length].copy()
        for tap in range(1, c.smooth_samples):
            window += raw[tap : tap + length]
        # The baseline is the line through the two ends.
        ends = c.baseline_samples
        left, right = (float(end.dot(self._ones)) / ends for end in (window[:ends], window[-ends:]))
        window -= (right - left) / (length - ends) * self._ramp[:length]
        top, bottom = int(window.argmax()), int(window.argmin())
        early, late = min(top, bottom), max(top, bottom)
        is_first = abs(float(window[early]) - left) >= c.first_deflection * abs(float(window[late]) - left)
        r = early if is_first else late
        start = first + c.smooth_samples // 2
        return start + top, start + bottom, 1 if r == top else -1


def r_peaks(samples_uv: np.ndarray) -> np.ndarray:
    """R peaks of a whole recording, as indices at 512 Hz: the same stream in one chunk."""
    detector = RPeakDetector()
    return np.array([peak.index for peak in detector.push(samples_uv) + detector.finish()], dtype=np.int64)
