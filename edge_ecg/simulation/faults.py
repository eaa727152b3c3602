"""Faults of a sensor, added to a recording: lost samples, gaps, noise, an inverted lead, another clock."""

from dataclasses import dataclass, replace

import numpy as np

from edge_ecg.contract import CONTRACT
from edge_ecg.recording import Recording
from edge_ecg.signal.resample import Resampler


@dataclass(frozen=True)
class Faults:
    """Faults to simulate. The same faults and seed do the same to the same recording."""

    drop: float = 0.0  # share of the samples that are lost, each on its own
    gap_s: float = 0.0  # one stretch without any sample, anywhere after the settling time
    noise_db: float | None = None  # white noise, this far below the recording's own power
    invert: bool = False  # the watch on the other wrist
    rate_hz: float | None = None  # the same signal through a sensor with this clock
    seed: int = 0

    def __call__(self, recording: Recording) -> Recording:
        """The recording with the faults; lost samples are NaN."""
        rng = np.random.default_rng(self.seed)
        samples_uv, rate_hz = recording.samples_uv, recording.sample_rate_hz
        if self.rate_hz is not None:
            samples_uv, rate_hz = _clocked(samples_uv, rate_hz, self.rate_hz), self.rate_hz
        samples_uv = -samples_uv if self.invert else samples_uv.copy()
        if self.noise_db is not None:
            samples_uv += rng.normal(0, samples_uv.std() * 10 ** (-self.noise_db / 20), len(samples_uv))
        settled = round(CONTRACT.settle_samples / CONTRACT.sample_rate_hz * rate_hz)
        gap = min(round(self.gap_s * rate_hz), max(0, len(samples_uv) - settled))
        start = int(rng.integers(settled, max(settled, len(samples_uv) - gap) + 1))
        samples_uv[start : start + gap] = np.nan
        samples_uv[rng.random(len(samples_uv)) < self.drop] = np.nan
        samples_uv.setflags(write=False)
        return replace(recording, samples_uv=samples_uv, sample_rate_hz=rate_hz)


def _clocked(samples_uv: np.ndarray, rate_hz: float, wanted_hz: float) -> np.ndarray:
    """The samples that a clock of `wanted_hz` would have taken: the runtime's own interpolation, run to that rate."""
    resampler = Resampler(rate_hz * CONTRACT.sample_rate_hz / wanted_hz)
    return np.concatenate([resampler.push(samples_uv), resampler.finish()])
