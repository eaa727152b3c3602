"""From raw samples to beats: resample, find R peaks, cut; one stream for training, replay and the watch."""

import numpy as np

from edge_ecg.contract import CONTRACT, Contract
from edge_ecg.recording import Recording, one_lead, require_recording
from edge_ecg.signal.beats import Beat, BeatCutter
from edge_ecg.signal.resample import Resampler
from edge_ecg.signal.rpeaks import RPeakDetector, r_peaks


class BeatStream:
    """Raw microvolts at any rate in, beats out. Any chunk size gives the same beats, bit for bit.

    The stream wakes every 128 samples of 512 Hz (0.25 s) and works through what it heard by then: a beat
    must wait for its T wave anyway, and a wake costs the same for one sample as for many.
    """

    def __init__(self, sample_rate_hz: float, contract: Contract = CONTRACT):
        self._block_samples = contract.block_samples
        self._resampler = Resampler(sample_rate_hz)
        self._detector = RPeakDetector(contract.detector)
        self._cutter = BeatCutter(self._detector.longest_wait, contract)
        self.reset()

    def reset(self) -> None:
        """Start a new recording."""
        self._resampler.reset()
        self._detector.reset()
        self._cutter.reset()
        self._pending = np.zeros(0)  # since the last wake

    def push(self, samples_uv: np.ndarray) -> list[Beat]:
        """Take the next samples, any number of them; return the beats completed by the last wake.

        Raises RecordingError for what is no list of numbers in one dimension.
        """
        heard = np.concatenate((self._pending, self._resampler.push(one_lead(samples_uv))))
        wakes_at = len(heard) - len(heard) % self._block_samples
        awake, self._pending = heard[:wakes_at], heard[wakes_at:]
        return self._cutter.push(awake, self._detector.push(awake)) if wakes_at else []


def cut_beats(recording: Recording, contract: Contract = CONTRACT) -> list[Beat]:
    """The usable beats of a finished recording: the same stream in one large chunk."""
    require_recording(recording)
    beats = BeatStream(recording.sample_rate_hz, contract).push(recording.samples_uv)
    return [beat for beat in beats if not beat.unusable]


def r_peak_times_s(recording: Recording) -> np.ndarray:
    """All R peaks of a finished recording, in seconds from its first sample."""
    require_recording(recording)
    resampler = Resampler(recording.sample_rate_hz)
    samples_uv = np.concatenate([resampler.push(recording.samples_uv), resampler.finish()])
    return r_peaks(samples_uv) / CONTRACT.sample_rate_hz


def heart_rate_bpm(r_peak_times_s: np.ndarray) -> float:
    """The mean heart rate between the first R peak and the last; NaN for fewer than two."""
    if len(r_peak_times_s) < 2:
        return float("nan")
    return float(60 * (len(r_peak_times_s) - 1) / (r_peak_times_s[-1] - r_peak_times_s[0]))
