"""A synthetic person in two states, with known R peaks, written as Apple Watch files.

The heart is a sum of Gaussians on the cardiac phase, after McSharry, Clifford, Tarassenko and Smith, "A
dynamical model for generating synthetic electrocardiogram signals", IEEE TBME 50(3), 2003, pages 289-294.
Departures:

- The sum is evaluated in closed form around each R peak; nothing is integrated, so the R peaks are known.
- Only the delays of P and T follow the heart rate, and weakly. The model's QRS widens as the heart slows, a
  real one does not; the T delay of the watch recordings we measured goes with RR to the power of about 0.2.
- The T wave is two Gaussians, a slow rise and a quick fall, because that is how it looks on the watch.
- RR intervals are a breathing and a Mayer sinusoid plus jitter, in place of a spectrum with random phases.
- Two states, drift from day to day, ectopic beats and the watch's own settling are ours.

On odd days the target is recorded first, so that neither the order of recording nor the time of day is the state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import numpy as np

from edge_ecg.datasets.dataset_file import dataset_toml
from edge_ecg.errors import EdgeEcgError
from edge_ecg.readers.apple_format import write_apple_csv
from edge_ecg.signal.bandpass import Bandpass

STATES = ("fasting", "glucose")  # the baseline and the target
PREMATURE = 0.35  # how early an ectopic beat comes, in RR intervals; the pause after it makes up for it
RATE_TO_TIMING = 0.2  # P and T delays grow with the RR interval to this power

FIRST_DAY = datetime(2024, 3, 1, tzinfo=UTC)
HOURS = (8, 10)  # of a day's first series, and of its second
BAND_HZ = 40.0  # the watch's own low-pass


@dataclass(frozen=True)
class State:
    """A state's usual heart rate, and the T wave at that rate."""

    heart_rate_bpm: float
    t_delay_ms: float  # R to the summit of T
    t_uv: float


@dataclass(frozen=True)
class Person:
    """One heart, seen in lead I. The two states share everything but their `State`."""

    seed: int
    p_uv: float
    q_uv: float
    r_uv: float
    s_uv: float
    p_delay_ms: float
    breathing_hz: float
    baseline: State
    target: State
    drift: float = 1.0  # how much the days differ, as a multiple of the usual

    def state(self, name: str) -> State:
        """The state of that name. Raises EdgeEcgError for a name that is not in STATES."""
        if name not in STATES:
            raise EdgeEcgError(f"state is {name!r}, expected one of {', '.join(STATES)}")
        return (self.baseline, self.target)[STATES.index(name)]


@dataclass(frozen=True)
class Day:
    """Difference of one day from the person's average: electrodes, posture, sleep. Both states share it."""

    gain: float
    axis: float  # what R gains, S loses
    p_gain: float
    t_gain: float
    t_width: float
    t_shift_ms: float
    heart_rate_bpm: float  # added to either state's usual rate


@dataclass(frozen=True)
class SyntheticRecording:
    """A recording as the watch would hand it over, and the truth behind it."""

    samples_uv: np.ndarray  # (n,) with noise, wander and settling, to three decimals
    clean_uv: np.ndarray  # (n,) the heart alone
    r_peaks: np.ndarray  # (beats,) indices of the R maxima of clean_uv (minima if inverted)
    ectopic: np.ndarray  # (beats,) bool
    sample_rate_hz: float
    heart_rate_bpm: float
    state: str
    recorded_at: datetime


def synthetic_person(seed: int, *, t_earlier_ms: float = 20.0) -> Person:
    """A person drawn from `seed` (0 or more), whose T wave comes `t_earlier_ms` earlier in the target state.

    Each state has its T delay at its own usual heart rate. The rates of the two states overlap from day to
    day, and so do the heights of T: neither is enough to tell them apart.

    >>> made = record(synthetic_person(1), "glucose", day=0, number=1, duration_s=10)
    >>> len(made.samples_uv), made.sample_rate_hz
    (5120, 512.0)
    """
    if not isinstance(seed, int) or seed < 0:
        raise EdgeEcgError(f"seed is {seed!r}, expected a whole number from 0 on")
    draw = np.random.default_rng(seed).uniform
    rate, delay, t_uv = draw(60, 72), draw(245, 265), draw(200, 320)
    return Person(
        seed=seed,
        p_uv=draw(50, 100),
        q_uv=draw(-90, -30),
        r_uv=draw(600, 1200),
        s_uv=draw(-350, -120),
        p_delay_ms=draw(-165, -140),
        breathing_hz=draw(0.2, 0.3),
        baseline=State(rate, delay, t_uv),
        target=State(rate + 7.0, delay - t_earlier_ms, 0.85 * t_uv),
    )


def record(
    person: Person,
    state: str,
    day: int,
    *,
    number: int,
    duration_s: float = 30.0,
    sample_rate_hz: float = 512.0,
    noise_uv: float = 3.0,
    ectopic_rate: float = 0.0,
    inverted: bool = False,
) -> SyntheticRecording:
    """Recording `number` of `person` on `day` (0 is FIRST_DAY); the same arguments give the same samples.

    `noise_uv` is the muscle noise (root mean square); wander and 50 Hz mains keep their proportion to it.
    `ectopic_rate` is the chance that a beat is ectopic, never two in a row. `inverted` is the watch on the
    other wrist. The heart depends on none of noise, sample rate and inversion. Raises EdgeEcgError for
    an unknown state.
    """
    usual = person.state(state)
    rng = np.random.default_rng([person.seed, day, STATES.index(state), number])
    at = FIRST_DAY + timedelta(days=day, hours=HOURS[in_order(day).index(state)], minutes=3 * number)
    return _recorded(person, usual, state, day, at, rng, duration_s, sample_rate_hz, noise_uv, ectopic_rate, inverted)


def in_order(day: int) -> tuple[str, ...]:
    """The states of a day in the order of recording: on even days the baseline first, on odd days the target."""
    return STATES if day % 2 == 0 else STATES[::-1]


def record_between(
    person: Person, share: float, day: int, at: datetime, *, number: int, sample_rate_hz: float = 512.0
) -> SyntheticRecording:
    """Recording `number` of a day, made at a time between the states: 0 is the baseline, 1 the target."""
    one, other, share = person.baseline, person.target, float(np.clip(share, 0, 1))
    usual = State(*(a + share * (b - a) for a, b in zip(astuple(one), astuple(other), strict=True)))
    rng = np.random.default_rng([person.seed, day, len(STATES), number])
    return _recorded(person, usual, STATES[share > 0.5], day, at, rng, 30.0, sample_rate_hz, 3.0, 0.0, False)


def _recorded(
    person: Person,
    usual: State,
    state: str,
    day: int,
    at: datetime,
    rng: np.random.Generator,
    duration_s: float,
    sample_rate_hz: float,
    noise_uv: float,
    ectopic_rate: float,
    inverted: bool,
) -> SyntheticRecording:
    drift = _day(person, day)
    heart_rate = usual.heart_rate_bpm + drift.heart_rate_bpm + rng.normal(0, 3)
    drift_ms = drift.t_shift_ms + rng.normal(0, 1.5)
    stretch = (usual.heart_rate_bpm / heart_rate) ** RATE_TO_TIMING
    t_delay_ms = usual.t_delay_ms * stretch + drift_ms

    r_times_s, ectopic = _rhythm(rng, heart_rate, person.breathing_hz, duration_s, ectopic_rate)
    sinus_wave = _sinus_wave(person, drift, person.p_delay_ms * stretch, t_delay_ms, usual.t_uv)
    ectopic_wave = _ectopic_wave(person, drift)
    chest = 1 + 0.04 * np.sin(2 * np.pi * person.breathing_hz * r_times_s)  # the heart's axis swings with it

    time_s = np.arange(round(duration_s * sample_rate_hz)) / sample_rate_hz
    clean = np.zeros(len(time_s))
    for r_s, is_ectopic, gain in zip(r_times_s, ectopic, chest, strict=True):
        near = slice(*np.searchsorted(time_s, [r_s - 0.4, r_s + 0.6]))
        clean[near] += gain * _gaussians(ectopic_wave if is_ectopic else sinus_wave, time_s[near] - r_s)
    r_peaks, seen = _summits(clean, r_times_s * sample_rate_hz, reach=round(0.02 * sample_rate_hz))

    noise = noise_uv * _noise(rng, time_s, sample_rate_hz, person.breathing_hz)
    samples = clean + _settling(rng, time_s) + noise
    sign = -1.0 if inverted else 1.0
    return SyntheticRecording(
        samples_uv=np.round(sign * samples, 3),
        clean_uv=sign * clean,
        r_peaks=r_peaks,
        ectopic=ectopic[seen],
        sample_rate_hz=sample_rate_hz,
        heart_rate_bpm=heart_rate,
        state=state,
        recorded_at=at,
    )


def _day(person: Person, day: int) -> Day:
    normal, drift = np.random.default_rng([person.seed, day]).normal, person.drift
    return Day(
        gain=np.exp(drift * normal(0, 0.10)),
        axis=drift * normal(0, 0.06),
        p_gain=np.exp(drift * normal(0, 0.15)),
        t_gain=np.exp(drift * normal(0, 0.12)),
        t_width=np.exp(drift * normal(0, 0.05)),
        t_shift_ms=drift * normal(0, 2.5),
        heart_rate_bpm=drift * normal(0, 5.0),
    )


def _rhythm(
    rng: np.random.Generator,
    heart_rate_bpm: float,
    breathing_hz: float,
    duration_s: float,
    ectopic_rate: float,
) -> tuple[np.ndarray, np.ndarray]:
    """R times in seconds, some outside the recording on either side, and which beats are ectopic."""
    mean_s = 60 / heart_rate_bpm
    beats = int(duration_s / mean_s * 1.1) + 4
    nominal_s = mean_s * np.arange(beats)
    breathing, mayer = rng.uniform(0, 2 * np.pi, 2)
    swing = 0.03 * np.sin(2 * np.pi * breathing_hz * nominal_s + breathing)
    swing += 0.02 * np.sin(2 * np.pi * 0.1 * nominal_s + mayer)
    rr_s = mean_s * (1 + swing + rng.normal(0, 0.006, beats))
    r_times_s = np.cumsum(rr_s) - mean_s * rng.uniform(1, 2)

    ectopic = rng.random(beats) < ectopic_rate
    ectopic[1:] &= ~ectopic[:-1]
    return r_times_s - PREMATURE * rr_s * ectopic, ectopic


# Waves are rows of (height in microvolts, delay from R in ms, standard deviation in ms).


def _sinus_wave(person: Person, day: Day, p_delay_ms: float, t_delay_ms: float, t_uv: float) -> np.ndarray:
    t_uv *= day.t_gain
    waves = [
        (person.p_uv * day.p_gain, p_delay_ms, 19.0),
        (person.q_uv, -27.0, 8.0),
        (person.r_uv * (1 + day.axis), 0.0, 10.0),
        (person.s_uv * (1 - day.axis), 29.0, 10.0),
        (0.35 * t_uv, t_delay_ms - 75.0, 42.0 * day.t_width),
        (0.90 * t_uv, t_delay_ms, 34.0 * day.t_width),
    ]
    return np.array(waves) * [day.gain, 1, 1]


def _ectopic_wave(person: Person, day: Day) -> np.ndarray:
    """A ventricular beat: no P, a wide and tall QRS, T against it."""
    waves = [
        (1.2 * person.r_uv, 0.0, 30.0),
        (-0.3 * person.r_uv, 95.0, 35.0),
        (-0.35 * person.r_uv, 290.0, 60.0),
    ]
    return np.array(waves) * [day.gain, 1, 1]


def _gaussians(waves: np.ndarray, since_r_s: np.ndarray) -> np.ndarray:
    height_uv, delay_ms, width_ms = waves.T[..., None]
    return np.sum(height_uv * np.exp(-0.5 * ((1000 * since_r_s - delay_ms) / width_ms) ** 2), axis=0)


def _summits(clean: np.ndarray, centres: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the maxima within `reach` of the centres, and which centres the recording holds."""
    middles = np.round(centres).astype(int)
    seen = (middles >= reach) & (middles < len(clean) - reach)
    windows = middles[seen, None] + np.arange(-reach, reach + 1)
    return windows[np.arange(len(windows)), clean[windows].argmax(axis=1)], seen


def _settling(rng: np.random.Generator, time_s: np.ndarray) -> np.ndarray:
    """The first second, while the watch's high-pass finds the level of the skin."""
    return rng.normal(0, 250) * np.exp(-time_s / 0.35)


def _noise(rng: np.random.Generator, time_s: np.ndarray, rate_hz: float, breathing_hz: float) -> np.ndarray:
    """Muscle noise of unit root mean square, with mains and baseline wander in proportion."""
    phases = rng.uniform(0, 2 * np.pi, 3)
    frequencies_hz, heights = [50.0, breathing_hz, 0.07], [0.25, 6.0, 6.0]
    hum, breath, drift = (
        height * np.sin(2 * np.pi * hz * time_s + phase)
        for hz, height, phase in zip(frequencies_hz, heights, phases, strict=True)
    )
    white = rng.normal(size=len(time_s))
    muscle = Bandpass(_low_pass(BAND_HZ, rate_hz)).push(np.concatenate(([0.0], white)))[1:]  # the 0: from rest
    return muscle / muscle.std() + hum + breath + drift


def _low_pass(cutoff_hz: float, rate_hz: float) -> list[tuple[float, ...]]:
    """Second-order sections of a Butterworth low-pass of order 4, by the bilinear transform."""
    k = np.tan(np.pi * cutoff_hz / rate_hz)
    damping = 2 * k * np.cos(np.pi * np.array([1, 3]) / 8)
    return [
        tuple(np.array([k * k, 2 * k * k, k * k, 1 + d + k * k, 2 * (k * k - 1), 1 - d + k * k]) / (1 + d + k * k))
        for d in damping
    ]


@dataclass(frozen=True)
class FileFormat:
    """Format of a watch's files: their sample rate, and the locale of the phone that exported them."""

    sample_rate_hz: float = 512.0
    locale: str = "en"


DAYS = {"train": range(5), "validation": range(5, 7), "test": range(7, 9)}
FORMATS = {7: FileFormat(511.422, "de")}  # one held-out day from another watch, with another phone


def write_dataset(
    folder: Path,
    person: Person,
    *,
    days: Mapping[str, Sequence[int]] = DAYS,
    recordings_per_state: int = 6,
    labels: tuple[str, str] = STATES,
    formats: Mapping[int, FileFormat] = FORMATS,
) -> Path:
    """Write `person` as Apple Watch files, `DATE/LABEL/ecg_YYYY-MM-DD_N.csv`, and return the `dataset.toml`.

    `days` gives the days of each split, `labels` the folder of (baseline, target), `formats` the days that
    were not written at 512 Hz in English.
    """
    for day in (day for split in days.values() for day in split):
        form = formats.get(day, FileFormat())
        numbers = iter(range(1, 2 * recordings_per_state + 1))  # the watch counts on through the day
        for state in in_order(day):
            label = labels[STATES.index(state)]
            for number in islice(numbers, recordings_per_state):
                made = record(person, state, day, number=number, sample_rate_hz=form.sample_rate_hz)
                path = folder / f"{made.recorded_at:%m%d}/{label}/ecg_{made.recorded_at:%Y-%m-%d}_{number}.csv"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_apple_csv(path, made.samples_uv, form.sample_rate_hz, made.recorded_at, form.locale)
    description = folder / "dataset.toml"
    dates = {split: [f"{FIRST_DAY + timedelta(days=day):%m%d}" for day in of] for split, of in days.items()}
    description.write_text(dataset_toml(f"Synthetic person {person.seed}", labels, dates), encoding="utf-8")
    return description
