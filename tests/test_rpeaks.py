"""The R-peak detector against annotated records, against itself in other chunks, and against artifacts."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt

from benches.detectors import MITBIH_RECORDS, ours, read_mitbih
from benches.matching import Score, match
from edge_ecg.contract import CONTRACT
from edge_ecg.signal.bandpass import Bandpass
from edge_ecg.signal.rpeaks import RPeak, RPeakDetector, r_peaks

RATE_HZ = CONTRACT.sample_rate_hz


def pulse_train(r_indices: np.ndarray, length: int, noise_uv: float = 5.0) -> np.ndarray:
    """Beats of Gaussian bumps: P, a QRS with a small q and an s, T; each R exactly at its index."""
    t = np.arange(length)[:, None] - np.asarray(r_indices)[None, :]
    bumps = [
        (-85, 12, 90),
        (-13, 4, -90),
        (0, 5, 1000),
        (13, 5, -200),
        (140, 25, 250),
    ]  # delay, width, microvolts
    ecg = sum(height * np.exp(-0.5 * ((t - at) / width) ** 2) for at, width, height in bumps).sum(axis=1)
    return ecg + np.random.default_rng(0).normal(scale=noise_uv, size=length)


def stream(samples_uv: np.ndarray, chunks: list[int]) -> list[RPeak]:
    """The peaks when the chunk sizes are repeated to the end."""
    detector, found, at = RPeakDetector(), [], 0
    while at < len(samples_uv):
        for chunk in chunks:
            found += detector.push(samples_uv[at : at + chunk])
            at += chunk
    return found + detector.finish()


REGULAR = np.arange(200, 30 * RATE_HZ - 200, 410)
ECG = pulse_train(REGULAR, 30 * RATE_HZ)


@pytest.fixture(scope="module")
def mitbih_scores(ecg_data: Path) -> dict[str, Score]:
    scores = {}
    for record in MITBIH_RECORDS:
        samples_uv, rate_hz, beats_s = read_mitbih(ecg_data / "mitbih", record)
        scores[record] = match(beats_s, ours(samples_uv, rate_hz))
    return scores


def test_cardiologists_agree(mitbih_scores):
    pooled = sum(mitbih_scores.values(), Score(np.zeros(0), 0, 0))
    assert pooled.f1 >= 0.997
    assert np.median(np.abs(pooled.errors_s)) <= 0.004


@pytest.mark.parametrize(("record", "f1"), [("100", 0.999), ("106", 0.998), ("119", 0.998), ("200", 0.998)])
def test_no_record_is_lost(mitbih_scores, record, f1):
    assert mitbih_scores[record].f1 >= f1


def test_real_stream_does_not_depend_on_chunks(ecg_data):
    samples_uv = np.loadtxt(next((ecg_data / "watch").glob("0927/glucose1/*.csv")))[: 12 * RATE_HZ]
    whole = stream(samples_uv, [len(samples_uv)])
    assert len(whole) > 10
    for chunks in ([1], [128], [3, 509, 64]):
        assert stream(samples_uv, chunks) == whole


@given(
    chunks=st.lists(st.integers(1, 3000), min_size=1, max_size=12),
    seed=st.integers(0, 2**32 - 1),
    gap=st.integers(0, 4 * RATE_HZ),
    spike_uv=st.sampled_from([0.0, 10_000.0, float("nan"), float("inf")]),
)
def test_chunks_change_nothing(chunks, seed, gap, spike_uv):
    random = np.random.default_rng(seed)
    samples_uv = ECG[: 14 * RATE_HZ] + random.normal(scale=random.choice([0, 30, 300]), size=14 * RATE_HZ)
    start = random.integers(0, 8 * RATE_HZ)
    samples_uv[start : start + gap] = samples_uv[start]
    samples_uv[start] += spike_uv
    assert stream(samples_uv, chunks) == stream(samples_uv, [len(samples_uv)])


def test_every_r_of_a_clean_train_is_found_to_the_sample():
    found = r_peaks(ECG)
    assert len(found) == len(REGULAR)
    assert np.abs(found - REGULAR).max() <= 1


@pytest.mark.parametrize("bpm", [35, 50, 80, 120, 180, 220])
def test_any_heart_rate(bpm):
    interval = RATE_HZ * 60 / bpm
    truth = np.arange(300, 20 * RATE_HZ - 300, interval).round()
    ecg = pulse_train(truth, 20 * RATE_HZ) if bpm < 130 else pulse_train_without_t(truth, 20 * RATE_HZ)
    score = match(truth, r_peaks(ecg), tolerance_s=3)  # in samples here
    assert score.false_negatives == 0
    assert score.false_positives == 0


def pulse_train_without_t(r_indices: np.ndarray, length: int) -> np.ndarray:
    """At high rates the bumps of neighbors would overlap: QRS alone."""
    t = np.arange(length)[:, None] - r_indices[None, :]
    return (1000 * np.exp(-0.5 * (t / 5) ** 2)).sum(axis=1)


def test_inverted_lead_has_the_same_peaks():
    assert np.array_equal(r_peaks(-ECG), r_peaks(ECG))


def test_deep_s_wave_keeps_its_r():
    ecg = ECG.copy()
    for r in REGULAR:
        ecg[r + 5 : r + 30] -= 1500 * np.hanning(25)
    assert np.abs(r_peaks(ecg) - REGULAR).max() <= 2
    assert np.array_equal(r_peaks(-ecg), r_peaks(ecg))


@pytest.mark.parametrize("gain", [0.1, 10])
def test_amplitude_does_not_matter(gain):
    assert np.abs(r_peaks(ECG * gain) - REGULAR).max() <= 1


def test_muscle_noise_hardly_moves_r():
    muscle = sosfilt(
        butter(2, (15, 120), "bandpass", fs=RATE_HZ, output="sos"),
        np.random.default_rng(1).normal(size=len(ECG)),
    )
    found = r_peaks(ECG + 50 * muscle / muscle.std())
    assert len(found) == len(REGULAR)
    assert np.mean(np.abs(found - REGULAR) <= 2) >= 0.95


def artifact(kind: str, ecg: np.ndarray, at: int) -> int:
    """Spoil the recording from `at` on; returns where that ends."""
    if kind == "10 mV spike":
        ecg[at : at + 3] += 10_000
        return at + 3
    end = at + 4 * RATE_HZ
    if kind == "settling transient":
        ecg[at:end] += 30_000 * np.exp(-np.arange(end - at) / 60)
        return at + RATE_HZ
    ecg[at:end] = {"flat": 0.0, "railed": 32_767.0, "missing": np.nan}[kind]
    return end


@pytest.mark.parametrize("kind", ["10 mV spike", "settling transient", "flat", "railed", "missing"])
@pytest.mark.parametrize("at_s", [0, 1, 12])
def test_recovers_within_2_s_of_an_artifact(kind, at_s):
    ecg = ECG.copy()
    recovered = artifact(kind, ecg, at_s * RATE_HZ) + 2 * RATE_HZ
    found = r_peaks(ecg)
    score = match(REGULAR[recovered < REGULAR], found[found > recovered - 100], tolerance_s=3)
    assert score.false_negatives == 0
    assert score.false_positives <= 1  # the peak just before `recovered`


@pytest.mark.parametrize("noise_uv", [5_000, 50_000, 300_000])
@pytest.mark.parametrize("at_s", [0, 12])
def test_ten_seconds_of_strong_noise_blind_it_for_no_longer_than_they_last(noise_uv, at_s):
    r_indices = np.arange(200, 50 * RATE_HZ - 200, 410)
    ecg = pulse_train(r_indices, 50 * RATE_HZ)
    noisy = slice(at_s * RATE_HZ, (at_s + 10) * RATE_HZ)
    ecg[noisy] += np.random.default_rng(1).normal(scale=noise_uv, size=10 * RATE_HZ)
    after = (at_s + 20) * RATE_HZ
    found = r_peaks(ecg)
    assert np.array_equal(found[found > after], r_indices[r_indices > after])


def test_delay_is_bounded_and_peaks_come_in_order(ecg_data):
    samples_uv, _, _ = read_mitbih(ecg_data / "mitbih", "106")
    detector = RPeakDetector()
    peaks = detector.push(samples_uv[: 600 * 360])
    r, confirmed = np.array([(p.index, p.confirmed_at) for p in peaks]).T
    waited = (confirmed - r)[r > CONTRACT.detector.learning]
    assert (np.diff(r) > 0).all()
    assert (np.diff(confirmed) >= 0).all()
    assert waited.max() <= detector.longest_wait
    assert np.mean(waited <= CONTRACT.after_r_samples) >= 0.95


def test_memory_does_not_grow():
    def numbers_kept(detector: RPeakDetector) -> int:
        return sum(np.size(v) for v in vars(detector).values() if isinstance(v, list | np.ndarray))

    detector, sizes = RPeakDetector(), []
    noise = np.random.default_rng(0).normal(scale=0.01, size=60 * RATE_HZ)  # electrode off: search-back finds nothing
    ecg = np.tile(ECG, 2)
    for minute in range(60):
        block = ecg if minute % 2 == 0 else noise
        for start in range(0, len(block), 512):
            detector.push(block[start : start + 512])
        sizes.append(numbers_kept(detector))
    assert max(sizes[2:]) <= max(sizes[:2]) + 20


def test_reset_forgets_the_stream():
    detector = RPeakDetector()
    first = detector.push(ECG * 20 + 500) + detector.finish()
    detector.reset()
    second = detector.push(ECG) + detector.finish()
    assert [p.index for p in first] == [p.index for p in second]
    assert second == stream(ECG, [len(ECG)])


@pytest.mark.parametrize("length", [0, 1, 2, 20, 300, 700])
def test_short_recordings_raise_nothing(length):
    found = r_peaks(ECG[:length])
    assert len(found) == {300: 1, 700: 2}.get(length, 0)
    assert np.allclose(found, REGULAR[: len(found)], atol=1)


def test_bandpass_coefficients_are_scipys():
    wanted = butter(2, (8, 20), "bandpass", fs=RATE_HZ, output="sos")
    np.testing.assert_allclose(CONTRACT.detector.bandpass_sos, wanted, rtol=1e-12)


def test_bandpass_is_sosfilt_from_a_settled_start():
    bandpass = Bandpass(CONTRACT.detector.bandpass_sos)
    filtered = np.concatenate([bandpass.push(part) for part in np.split(ECG + 1e5, [1, 2, 100, 5000])])
    wanted = sosfilt(np.array(CONTRACT.detector.bandpass_sos), ECG - ECG[0])
    np.testing.assert_allclose(filtered, wanted, atol=1e-6)


@pytest.mark.parametrize("chunk", [1, 7, 64, 100])
def test_chunk_size_changes_no_bit_of_the_bandpass(chunk):
    whole, parts = (Bandpass(CONTRACT.detector.bandpass_sos) for _ in range(2))
    filtered = np.concatenate([parts.push(ECG[at : at + chunk]) for at in range(0, 5000, chunk)])
    assert filtered.tobytes() == whole.push(ECG)[: len(filtered)].tobytes()


def test_matching_is_one_to_one():
    score = match(np.array([1.0, 2.0, 3.0]), np.array([0.9, 1.01, 3.1, 7.0]))
    np.testing.assert_allclose(score.errors_s, [0.01, 0.1])
    assert (score.false_negatives, score.false_positives) == (1, 2)
    assert score.sensitivity == pytest.approx(2 / 3)
    assert score.positive_predictivity == 0.5
