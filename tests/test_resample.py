"""The resampler against functions whose values between samples are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ecg.errors import RecordingError
from edge_ecg.signal.resample import Resampler

RATES_HZ = [128.0, 250.0, 360.0, 511.422, 513.625, 1000.0]


def resample(samples: np.ndarray, rate_hz: float, chunks: tuple[int, ...] = (10**9,)) -> np.ndarray:
    resampler, made, at = Resampler(rate_hz), [], 0
    while at < len(samples):
        for chunk in chunks:
            made.append(resampler.push(samples[at : at + chunk]))
            at += chunk
    return np.concatenate([*made, resampler.finish()])


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_cubics_are_exact_from_the_first_sample_to_the_last(rate_hz):
    cubic = np.polynomial.Polynomial([100, -30, 20, 4])
    made = resample(cubic(np.arange(3 * int(rate_hz)) / rate_hz), rate_hz)
    np.testing.assert_allclose(made, cubic(np.arange(len(made)) / 512), rtol=1e-11)


@pytest.mark.parametrize(("frequency_hz", "most"), [(5, 2e-6), (10, 3e-5), (20, 4e-4), (40, 6e-3)])
def test_sines_of_the_ecg_band_survive(frequency_hz, most):
    made = resample(np.sin(2 * np.pi * frequency_hz * np.arange(3600) / 360), 360)
    wanted = np.sin(2 * np.pi * frequency_hz * np.arange(len(made)) / 512)
    assert np.abs(made - wanted)[2:-2].max() <= most


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_length_is_that_of_the_recording(rate_hz):
    made = resample(np.zeros(15_000), rate_hz)
    assert (len(made) - 1) / 512 <= 14_999 / rate_hz < len(made) / 512


def test_512_hz_passes_unchanged():
    samples = np.random.default_rng(0).normal(size=1000)
    assert np.array_equal(resample(samples, 512.0, (7,)), samples)


@given(rate_hz=st.floats(90, 3000), chunks=st.lists(st.integers(1, 400), min_size=1, max_size=8).map(tuple))
def test_chunks_change_nothing(rate_hz, chunks):
    samples = np.random.default_rng(0).normal(size=1500)
    assert np.array_equal(resample(samples, rate_hz, chunks), resample(samples, rate_hz))


def test_no_drift_and_no_growth_in_an_hour():
    rate_hz, resampler, made = 511.422, Resampler(511.422), 0
    block = np.zeros(51_142)
    for _ in range(36):
        made += len(resampler.push(block))
    assert abs(made - 36 * len(block) * 512 / rate_hz) <= 4
    assert len(resampler._kept) < 8


def test_times_are_on_the_recordings_own_clock():
    resampler = Resampler(360)
    assert resampler.to_source_seconds(512) == 1.0
    assert resampler.to_source_index(5120) == 3600


@pytest.mark.parametrize("rate_hz", [0, -512, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(rate_hz):
    with pytest.raises(RecordingError, match="sampling rate"):
        Resampler(rate_hz)


def test_three_samples_are_too_few():
    assert len(resample(np.ones(3), 360)) == 0
