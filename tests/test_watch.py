"""The stream: any chunking gives the same beats, votes and decision, bit for bit, in bounded memory."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ecg.bundles.bundle import Bundle, load_bundle
from edge_ecg.contract import CONTRACT
from edge_ecg.errors import EdgeEcgError
from edge_ecg.playback import replay
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Recording
from edge_ecg.signal.stream import BeatStream, cut_beats, r_peak_times_s
from edge_ecg.simulation.synthetic import record, synthetic_person
from edge_ecg.watch import Judged, Watch

ODD_RATE_HZ = 511.422


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


def synthetic(seed: int = 3, rate_hz: float = 512.0, **options: float) -> Recording:
    made = record(synthetic_person(seed), "glucose", 0, number=1, sample_rate_hz=rate_hz, **options)  # type: ignore[arg-type]
    return Recording(made.samples_uv, rate_hz, "synthetic")


def pushed(stream: BeatStream | Watch, samples_uv: np.ndarray, sizes: list[int]) -> list:
    """Everything that a stream gives when the samples come in chunks of these sizes, over and over."""
    given, start, turn = [], 0, 0
    while start < len(samples_uv):
        given += stream.push(samples_uv[start : start + sizes[turn % len(sizes)]])
        start += sizes[turn % len(sizes)]
        turn += 1
    return given


def facts(judged: list[Judged]) -> list[tuple]:
    return [(j.beat.r_index, j.beat.known_at_s, j.beat.values.tobytes(), j.vote, j.decision) for j in judged]


@pytest.mark.parametrize("rate_hz", [512.0, ODD_RATE_HZ])
@settings(max_examples=12)
@given(sizes=st.lists(st.integers(1, 4000), min_size=1, max_size=8))
def test_chunking_does_not_change_votes_or_decision(bundle: Bundle, rate_hz: float, sizes: list[int]) -> None:
    recording = synthetic(rate_hz=rate_hz, ectopic_rate=0.1)
    whole = Watch(bundle, rate_hz)
    expected = facts(whole.push(recording.samples_uv))
    watch = Watch(bundle, rate_hz)
    assert facts(pushed(watch, recording.samples_uv, sizes)) == expected
    assert watch.decision == whole.decision
    assert len(expected) > 20


@settings(max_examples=6)
@given(sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=8))
@pytest.mark.parametrize("name", ["0926/fast1/ecg_2023-09-26.csv", "1007/glucose1/ecg_2023-10-07_5.csv"])
def test_chunking_does_not_change_real_votes(bundle: Bundle, ecg_data: Path, name: str, sizes: list[int]) -> None:
    samples_uv = read_recording(ecg_data / "watch" / name).samples_uv
    expected = facts(Watch(bundle).push(samples_uv))
    assert facts(pushed(Watch(bundle), samples_uv, sizes)) == expected
    assert len(expected) > 20


def test_one_sample_at_a_time(bundle: Bundle) -> None:
    samples_uv = synthetic().samples_uv[: 512 * 10]
    assert facts(pushed(Watch(bundle), samples_uv, [1])) == facts(Watch(bundle).push(samples_uv))


def test_a_reset_watch_is_a_new_watch(bundle: Bundle) -> None:
    watch, samples_uv = Watch(bundle), synthetic().samples_uv
    first = facts(watch.push(samples_uv))
    watch.reset()
    assert facts(watch.push(samples_uv)) == first


def test_the_decision_of_a_beat_is_that_of_its_time_whenever_it_is_asked_for(bundle: Bundle) -> None:
    samples_uv = synthetic(1).samples_uv  # of the bundle
    watch, at_once = Watch(bundle), []
    for start in range(0, len(samples_uv), 64):
        at_once += [judged.decision for judged in watch.push(samples_uv[start : start + 64])]
    kept = Watch(bundle)
    judged = kept.push(samples_uv)
    kept.push(synthetic(4).samples_uv)
    kept.reset()
    assert [each.decision for each in judged] == at_once
    assert len({decision.beats for decision in at_once}) > 20


def test_beats_are_raw_samples_around_the_true_r() -> None:
    made = record(synthetic_person(5), "fasting", 2, number=4)
    beats = cut_beats(Recording(made.samples_uv, 512.0, "synthetic"))
    true_r = made.r_peaks[made.r_peaks >= CONTRACT.settle_samples + CONTRACT.before_r_samples]
    true_r = true_r[true_r + CONTRACT.after_r_samples <= len(made.samples_uv)]
    assert len(beats) == len(true_r)
    for beat, r in zip(beats, true_r, strict=True):
        assert abs(beat.r_index - r) <= 2
        window = made.samples_uv[beat.r_index - 128 : beat.r_index + 255]
        np.testing.assert_array_equal(beat.values[:-1], window.astype(np.float32))
    rr_s = np.array([beat.values[-1] for beat in beats])
    np.testing.assert_allclose(np.diff([beat.r_index for beat in beats]) / 512, rr_s[1:], rtol=1e-6)


def test_no_beat_touches_the_settling_time() -> None:
    first = min(beat.r_index for seed in range(6) for beat in cut_beats(synthetic(seed)))
    assert first - CONTRACT.before_r_samples >= CONTRACT.settle_samples


def test_a_beat_is_known_at_a_wake_and_never_before_its_last_sample() -> None:
    for beat in cut_beats(synthetic()):
        wait_s = beat.known_at_s - (beat.r_index + CONTRACT.after_r_samples) / 512
        assert wait_s >= 0
        assert (beat.known_at_s * 512) % CONTRACT.block_samples == 0


@pytest.mark.parametrize("rate_hz", [256.0, 360.0, ODD_RATE_HZ, 513.625])
def test_r_peaks_stand_on_the_recordings_own_clock(rate_hz: float) -> None:
    made = record(synthetic_person(2), "fasting", 1, number=2, sample_rate_hz=rate_hz)
    found_s = r_peak_times_s(Recording(made.samples_uv, rate_hz, "synthetic"))
    true_s = made.r_peaks / rate_hz
    inner = true_s[(true_s > 0.3) & (true_s < 29.5)]
    assert np.abs(found_s[:, None] - inner).min(0).max() < 0.008


def test_memory_does_not_grow_with_the_stream() -> None:
    def size(seconds: int) -> int:
        stream = BeatStream(ODD_RATE_HZ)
        samples_uv = np.tile(synthetic(rate_hz=ODD_RATE_HZ).samples_uv, seconds // 30)
        pushed(stream, samples_uv, [640])
        return len(pickle.dumps(stream))  # a pickle holds all state and nothing else

    assert size(1800) < 1.2 * size(120)


@pytest.mark.slow
def test_the_authors_beat_counts(ecg_data: Path) -> None:
    """The counts that the public model's author gives for each set and label, within 3 %."""
    author = {
        ("0921 0923 0925 0927 0928 0930 1005 1008", "fast1"): 3069,
        ("0921 0923 0925 0927 0928 0930 1005 1008", "glucose1"): 2294,
        ("0924 1006", "fast1"): 978,
        ("0924 1006", "glucose1"): 1193,
        ("0926 1002 1007", "fast1"): 779,
        ("0926 1002 1007", "glucose1"): 230,
    }
    for (dates, label), count in author.items():
        files = [f for date in dates.split() for f in (ecg_data / "watch" / date / label).glob("*.csv")]
        found = sum(len(cut_beats(read_recording(file))) for file in files)
        assert abs(found - count) <= 0.03 * count, (dates, label)


@pytest.mark.parametrize("shape", [(2, 512), (512, 1), ()])
def test_samples_have_one_dimension(bundle: Bundle, shape: tuple[int, ...]) -> None:
    with pytest.raises(EdgeEcgError, match=r"expected one dimension"):
        Watch(bundle).push(np.zeros(shape))


def test_what_a_person_prints_is_short(bundle: Bundle) -> None:
    replayed = replay(bundle, synthetic())
    for thing in (bundle, synthetic(), replayed, replayed.judged[0], bundle.references):
        assert len(repr(thing)) < 700
        assert "\n" not in repr(thing)
