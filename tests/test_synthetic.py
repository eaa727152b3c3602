"""The synthetic person is what it says it is: rhythm, T wave, ectopic beats and files are measured back."""

import tomllib

import numpy as np
import pytest

from edge_ecg.errors import EdgeEcgError
from edge_ecg.readers.read import read_recording
from edge_ecg.simulation.synthetic import (
    DAYS,
    PREMATURE,
    STATES,
    FileFormat,
    record,
    synthetic_person,
    write_dataset,
)

PERSON = synthetic_person(1)
SETTLED = 1536


def t_summit_ms(recording) -> float:
    """From R to the summit of T in the average beat, by the parabola through the three highest samples."""
    inside = recording.r_peaks[(recording.r_peaks > SETTLED) & (recording.r_peaks < len(recording.samples_uv) - 256)]
    beat = np.mean([recording.samples_uv[r : r + 256] for r in inside], axis=0)
    summit = 60 + beat[60:].argmax()
    before, top, after = beat[summit - 1 : summit + 2]
    return (summit + (before - after) / (before - 2 * top + after) / 2) / 0.512


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ectopic_rate", [0.0, 0.1])
def test_r_peaks_are_the_maxima_of_the_clean_signal(seed, ectopic_rate):
    made = record(synthetic_person(seed), "glucose", seed, number=1, ectopic_rate=ectopic_rate)
    around = made.clean_uv[made.r_peaks[:, None] + np.arange(-10, 11)]
    assert (around.argmax(axis=1) == 10).all()
    # Between two R peaks nothing is half as high: no beat is missing from the list.
    assert all(
        made.clean_uv[a + 60 : b - 60].max() < 0.5 * made.clean_uv[[a, b]].min()
        for a, b in zip(made.r_peaks, made.r_peaks[1:], strict=False)
    )


@pytest.mark.parametrize("state", STATES)
def test_rr_intervals_have_the_asked_mean_and_both_rhythms(state):
    made = record(PERSON, state, 0, number=1, duration_s=300)
    rr_s = np.diff(made.r_peaks) / 512
    assert 60 / rr_s.mean() == pytest.approx(made.heart_rate_bpm, rel=0.005)
    assert 0.015 < rr_s.std() / rr_s.mean() < 0.045

    power = np.abs(np.fft.rfft(rr_s - rr_s.mean())) ** 2
    hz = np.fft.rfftfreq(len(rr_s), rr_s.mean())
    for rhythm_hz in (0.1, PERSON.breathing_hz):
        assert power[abs(hz - rhythm_hz) < 0.02].max() > 20 * np.median(power)


def test_heart_rates_of_the_states_differ_less_than_they_vary():
    rates = {s: [record(PERSON, s, d, number=1, duration_s=5).heart_rate_bpm for d in range(40)] for s in STATES}
    assert 4 < np.mean(rates["glucose"]) - np.mean(rates["fasting"]) < 10
    assert min(rates["glucose"]) < np.mean(rates["fasting"])
    assert max(rates["fasting"]) > np.mean(rates["glucose"])


@pytest.mark.parametrize("earlier_ms", [0.0, 20.0])
def test_t_wave_of_the_target_comes_earlier_by_the_asked_time(earlier_ms):
    person = synthetic_person(1, t_earlier_ms=earlier_ms)
    pairs = [[t_summit_ms(record(person, state, day, number=1)) for state in STATES] for day in range(30)]
    difference = -np.diff(pairs)
    assert difference.mean() == pytest.approx(earlier_ms, abs=1.5)
    assert difference.std() < 5


def test_days_differ_but_the_two_states_of_a_day_drift_together():
    t_ms = np.array([[t_summit_ms(record(PERSON, s, day, number=1)) for s in STATES] for day in range(30)])
    assert 1 < t_ms[:, 0].std() < 6
    assert np.corrcoef(t_ms.T)[0, 1] > 0.4


def test_an_ectopic_beat_is_early_and_wide_and_the_pause_makes_up_for_it():
    plain = record(PERSON, "fasting", 0, number=1, duration_s=60)
    made = record(PERSON, "fasting", 0, number=1, duration_s=60, ectopic_rate=0.1)
    assert 2 <= made.ectopic.sum() <= 12
    assert not (made.ectopic[1:] & made.ectopic[:-1]).any()

    # The sinus beats stay where they were; an ectopic one comes early by the stated part of its RR interval.
    early = plain.r_peaks - made.r_peaks
    rr = np.diff(plain.r_peaks, prepend=plain.r_peaks[0])
    assert abs(early[~made.ectopic]).max() <= 1
    np.testing.assert_allclose(early[made.ectopic], PREMATURE * rr[made.ectopic], atol=4)

    width = [(made.clean_uv[r - 60 : r + 61] > 0.5 * made.clean_uv[r]).sum() for r in made.r_peaks[1:-1]]
    assert np.median(np.array(width)[made.ectopic[1:-1]]) > 2 * np.median(width)


def test_no_noise_leaves_the_heart_and_a_transient_that_settles():
    made = record(PERSON, "fasting", 0, number=1, noise_uv=0)
    residue = abs(made.samples_uv - made.clean_uv)
    assert residue[0] > 10
    assert residue[SETTLED:].max() < 0.5
    np.testing.assert_array_equal(made.samples_uv, np.round(made.samples_uv, 3))


def test_noise_has_the_asked_level_and_the_band_of_the_watch():
    made = record(PERSON, "fasting", 0, number=1, noise_uv=10)
    noise = (made.samples_uv - made.clean_uv)[SETTLED:]
    hz = np.fft.rfftfreq(len(noise), 1 / 512)
    power = 2 * np.abs(np.fft.rfft(noise) / len(noise)) ** 2
    mains = power[abs(hz - 50) < 0.1].sum()
    assert np.sqrt(power[(hz > 1) & (abs(hz - 50) > 0.1)].sum()) == pytest.approx(10, rel=0.1)
    assert np.sqrt(mains) == pytest.approx(2.5 / np.sqrt(2), rel=0.2)
    assert power[hz > 80].sum() < 0.01 * power[hz > 1].sum()


def test_the_heart_does_not_depend_on_noise_wrist_or_sample_rate():
    plain = record(PERSON, "glucose", 3, number=2)
    inverted = record(PERSON, "glucose", 3, number=2, noise_uv=30, inverted=True)
    np.testing.assert_array_equal(inverted.clean_uv, -plain.clean_uv)
    np.testing.assert_array_equal(inverted.r_peaks, plain.r_peaks)

    other = record(PERSON, "glucose", 3, number=2, sample_rate_hz=511.422)
    assert len(other.samples_uv) == 15343
    np.testing.assert_allclose(other.r_peaks / 511.422, plain.r_peaks / 512, atol=0.002)


def test_same_arguments_same_bytes_and_any_other_argument_another_recording():
    def samples(seed=1, state="fasting", day=0, number=1):
        return record(synthetic_person(seed), state, day, number=number).samples_uv.tobytes()

    assert samples() == samples()
    assert len({samples(), samples(seed=2), samples(state="glucose"), samples(day=1), samples(number=2)}) == 5


def test_an_unknown_state_is_named():
    with pytest.raises(EdgeEcgError, match="'baseline', expected one of fasting, glucose"):
        record(PERSON, "baseline", 0, number=1)


def test_written_files_read_back_as_they_were_made(tmp_path):
    described = write_dataset(
        tmp_path,
        PERSON,
        days={"train": [0], "test": [7]},
        recordings_per_state=2,
        labels=("before", "after lunch"),
        formats={7: FileFormat(511.422, "de")},
    )
    dataset = tomllib.loads(described.read_text(encoding="utf-8"))
    assert dataset["labels"] == {"before": ["before"], "after lunch": ["after lunch"]}
    assert list(dataset["labels"]) == ["before", "after lunch"]
    assert dataset["split"] == {"train": ["0301"], "test": ["0308"]}

    for day, number, rate_hz in ((0, 3, 512.0), (7, 1, 511.422)):  # the third of an even day, the first of an odd one
        made = record(PERSON, "glucose", day, number=number, sample_rate_hz=rate_hz)
        folder = tmp_path / f"{made.recorded_at:%m%d}" / "after lunch"
        read = read_recording(folder / f"ecg_{made.recorded_at:%Y-%m-%d}_{number}.csv")
        assert read.sample_rate_hz == pytest.approx(rate_hz)
        np.testing.assert_allclose(read.samples_uv, made.samples_uv, rtol=0, atol=1e-9)
    assert len(list(tmp_path.rglob("*.csv"))) == 8


def test_neither_the_order_nor_the_time_of_day_is_the_state():
    first = [min(STATES, key=lambda state: record(PERSON, state, day, number=1).recorded_at) for day in range(4)]
    assert first == ["fasting", "glucose"] * 2
    times = {s: {record(PERSON, s, day, number=1).recorded_at.time() for day in range(4)} for s in STATES}
    assert times["fasting"] == times["glucose"]


def test_the_default_split_puts_no_day_in_two_sets():
    days = [day for split in DAYS.values() for day in split]
    assert list(DAYS) == ["train", "validation", "test"]
    assert len(set(days)) == len(days)
