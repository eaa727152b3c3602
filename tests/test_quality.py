"""RawSignal quality: what must not vote does not, says why, and spoils nothing else, however the stream is cut."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ecg.bundles.bundle import Bundle, load_bundle
from edge_ecg.contract import CONTRACT
from edge_ecg.inference.votes import INCONCLUSIVE
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Recording
from edge_ecg.signal.beats import Beat
from edge_ecg.signal.quality import interpolated, longest_run
from edge_ecg.signal.stream import BeatStream
from edge_ecg.simulation.synthetic import record, synthetic_person
from edge_ecg.watch import Watch, embeddings

MADE = record(synthetic_person(3), "glucose", 0, number=1)
CLEAN_UV = MADE.samples_uv
BEAT_AT = int(MADE.r_peaks[15])  # somewhere in the middle


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


def beats_of(samples_uv: np.ndarray, sizes: tuple[int, ...] = (15360,)) -> list[Beat]:
    stream, beats, start, turn = BeatStream(512.0), [], 0, 0
    while start < len(samples_uv):
        size = sizes[turn % len(sizes)]
        beats += stream.push(samples_uv[start : start + size])
        start, turn = start + size, turn + 1
    return beats


def facts(beats: list[Beat]) -> list[tuple]:
    return [(b.r_index, b.known_at_s, b.unusable, b.values.tobytes()) for b in beats]


@given(st.lists(st.booleans(), max_size=40))
def test_the_longest_run_is_what_text_says(mask: list[bool]) -> None:
    text = "".join("x" if m else " " for m in mask)
    assert longest_run(np.array(mask, bool)) == max(map(len, text.split()), default=0)


def test_a_bridge_is_a_straight_line() -> None:
    line = np.arange(20.0)
    holes = line.copy()
    holes[[3, 4, 5, 11]] = np.nan
    np.testing.assert_allclose(interpolated(holes), line)
    holes[:2] = np.nan
    assert interpolated(holes)[0] == 2.0


def test_a_clean_recording_loses_no_beat() -> None:
    for seed in range(6):
        samples_uv = record(synthetic_person(seed), "fasting", seed, number=1, ectopic_rate=0.05).samples_uv
        assert not any(beat.unusable for beat in beats_of(samples_uv))


def lost(samples_uv: np.ndarray, start: int, end: int) -> np.ndarray:
    samples_uv[start:end] = np.nan
    return samples_uv


def held(samples_uv: np.ndarray, start: int, end: int) -> np.ndarray:
    samples_uv[start:end] = samples_uv[start]
    return samples_uv


def railed(samples_uv: np.ndarray, start: int, end: int) -> np.ndarray:
    samples_uv[start:end] = np.minimum(samples_uv[start:end], 0.5 * samples_uv[start:end].max())
    return samples_uv


def noisy(samples_uv: np.ndarray, start: int, end: int) -> np.ndarray:
    samples_uv[start:end] += np.random.default_rng(0).normal(0, 150, end - start)
    return samples_uv


def tilted(samples_uv: np.ndarray, start: int, end: int) -> np.ndarray:
    samples_uv[start:end] += 1500 * np.sin(np.linspace(0, 2 * np.pi, end - start))
    return samples_uv


@pytest.mark.parametrize(
    ("fault", "start", "end", "reason"),
    [
        (lost, 60, 80, "missing samples"),
        (held, 60, 240, "flat line"),
        (railed, -60, 60, "clipped"),
        (noisy, -128, 255, "noise"),
        (tilted, -250, 500, "baseline wander"),
    ],
)
def test_a_fault_is_named_where_it_is_and_nowhere_else(fault: object, start: int, end: int, reason: str) -> None:
    found = beats_of(fault(CLEAN_UV.copy(), BEAT_AT + start, BEAT_AT + end))  # type: ignore[operator]
    spoilt = [beat for beat in found if beat.unusable]
    assert any(reason in beat.unusable for beat in spoilt if abs(beat.r_index - BEAT_AT) < 5)
    far = [beat for beat in found if abs(beat.r_index - BEAT_AT) > 1400]
    expected = {beat.r_index: beat.values.tobytes() for beat in beats_of(CLEAN_UV)}
    assert not any(beat.unusable for beat in far)
    assert all(expected[beat.r_index] == beat.values.tobytes() for beat in far)
    assert 1 <= len(spoilt) <= 4


def test_a_reason_is_given_once_a_beat() -> None:
    """Also where the beat before has it too: counts of reasons are counts of beats."""
    found = beats_of(noisy(CLEAN_UV.copy(), BEAT_AT - 2000, BEAT_AT + 2000))
    assert sum("noise" in beat.unusable for beat in found) > 3
    assert all(len(set(beat.unusable)) == len(beat.unusable) for beat in found)


@pytest.mark.parametrize(
    "samples_uv",
    [np.zeros(15360), CLEAN_UV * 0.01, np.cumsum(np.random.default_rng(0).normal(0, 400, 15360)), CLEAN_UV + 4e5],
    ids=["nothing", "ten microvolts", "electrode in the air", "an offset of 0.4 V"],
)
def test_a_lead_that_is_off_gives_no_vote(bundle: Bundle, samples_uv: np.ndarray) -> None:
    watch = Watch(bundle)
    judged = watch.push(samples_uv)
    assert not any(j.vote for j in judged)
    assert all(j.unusable for j in judged)
    assert (watch.decision.label, watch.decision.beats) == (INCONCLUSIVE, 0)


@settings(max_examples=30)
@given(start=st.integers(1600, 14000), length=st.integers(1, 1500))
def test_no_rr_interval_spans_a_gap(start: int, length: int) -> None:
    """Each usable beat has the RR interval that the heart had, and no invented samples but short bridges."""
    true_rr = dict(zip(MADE.r_peaks[1:].tolist(), np.diff(MADE.r_peaks).tolist(), strict=True))
    for beat in beats_of(lost(CLEAN_UV.copy(), start, start + length)):
        if not beat.unusable:
            nearest = min(true_rr, key=lambda r: abs(r - beat.r_index))
            assert abs(nearest - beat.r_index) <= 5
            assert abs(beat.values[-1] * 512 - true_rr[nearest]) <= 8
            window = CLEAN_UV[beat.r_index - 128 : beat.r_index + 255].astype(np.float32)
            assert np.count_nonzero(window != beat.values[:-1]) <= CONTRACT.quality.interpolated


@settings(max_examples=15)
@given(
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=6),
    start=st.integers(0, 14000),
    length=st.integers(1, 2000),
    drop=st.sampled_from([0.0, 0.003]),
)
def test_chunking_changes_nothing_with_faults_either(sizes: list[int], start: int, length: int, drop: float) -> None:
    samples_uv = lost(CLEAN_UV.copy(), start, start + length)
    samples_uv[np.random.default_rng(start).random(len(samples_uv)) < drop] = np.nan
    assert facts(beats_of(samples_uv, tuple(sizes))) == facts(beats_of(samples_uv))


def test_a_declared_gap_is_a_stretch_of_missing_samples(bundle: Bundle) -> None:
    declared, pushed = Watch(bundle), Watch(bundle)
    first, second = CLEAN_UV[:6000], CLEAN_UV[6000:]
    ours = declared.push(first) + declared.gap(2.0) + declared.push(second)
    theirs = pushed.push(np.concatenate([first, np.full(1024, np.nan), second]))
    assert facts([j.beat for j in ours]) == facts([j.beat for j in theirs])
    assert [j.decision for j in ours] == [j.decision for j in theirs]
    assert sum("missing samples" in j.unusable for j in ours) in range(1, 4)


@pytest.mark.parametrize("end", [6000, 7000, 8000, 9100])
def test_after_a_gap_the_third_beat_votes_again(end: int) -> None:
    usable = [b.r_index for b in beats_of(lost(CLEAN_UV.copy(), 5000, end)) if not b.unusable]
    assert min(r for r in usable if r >= end) <= MADE.r_peaks[MADE.r_peaks >= end][2] + 5


def test_single_lost_samples_are_bridged() -> None:
    samples_uv = CLEAN_UV.copy()
    samples_uv[np.random.default_rng(0).random(len(samples_uv)) < 0.01] = np.nan
    beats = beats_of(samples_uv)
    assert sum(not beat.unusable for beat in beats) == len(beats_of(CLEAN_UV))


def test_the_other_wrist_gives_the_same_beats() -> None:
    assert facts(beats_of(-CLEAN_UV)) == facts(beats_of(CLEAN_UV))


def test_enrolment_sees_beats_as_judging_does(bundle: Bundle) -> None:
    recording = Recording(lost(CLEAN_UV.copy(), 5000, 5600), 512.0, "synthetic")
    seen: list[np.ndarray] = []

    def encoder(beat: np.ndarray) -> np.ndarray:
        seen.append(bundle.encoder(beat))
        return seen[-1]

    Watch(replace(bundle, encoder=encoder, person=None)).push(recording.samples_uv)
    enrolled = list(embeddings(bundle, recording))
    assert np.concatenate(enrolled).tobytes() == np.concatenate(seen).tobytes()


def test_real_recordings_lose_practically_no_beat(ecg_data: Path) -> None:
    files = sorted((ecg_data / "watch").glob("*/*/*.csv"))[::3]
    beats = [beat for file in files for beat in beats_of(read_recording(file).samples_uv)]
    assert len(files) > 80
    assert sum(bool(beat.unusable) for beat in beats) / len(beats) < 0.002
