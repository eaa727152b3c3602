"""A recording: one lead of ECG in microvolts, found usable, whatever file it came from."""

import re
from dataclasses import dataclass, field
from datetime import date
from html import escape
from importlib import import_module
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_ecg.contract import CONTRACT
from edge_ecg.errors import RecordingError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIN_DURATION_S = 4.0  # the first 3 s settle; less than 1 s after them holds no beat to judge
RATE_RANGE_HZ = (100.0, 2000.0)
FEWEST_SAMPLES = int(MIN_DURATION_S * RATE_RANGE_HZ[0])  # of the shortest recording at the lowest rate
SAME_RATE = 0.01  # a nominal rate and a measured one differ by less
MAX_ABS_UV = 1e6  # electrodes on skin give a few millivolts on some hundreds of offset, never 1 V
MIN_SPAN_UV = 20.0  # an ECG spans hundreds; the same numbers in millivolts span less than this
CHECKED_S = 10.0  # of a stream, for its unit
# An ECG spans less if its millivolts are taken for microvolts; what an amplifier makes with its lead off spans more.
STREAM_SPAN_UV = 6.0
MIN_FINITE_SHARE = 0.5  # missing samples are NaN, and the runtime knows gaps; but a recording is more than gaps
_LEAD = re.compile(r"(?:^| )(m?l?i{1,3}|d[123]|av[rlf]|m?v[1-9]r?|cm[1-6]|cc5|cs[1-6])$", re.ASCII)
_DAY = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)", re.ASCII)


@dataclass(frozen=True, eq=False)
class Recording:
    """One lead of ECG as it was recorded.

    >>> Recording(np.zeros(15360), 512.0, "a flat line").duration_s
    30.0
    """

    # (n,) float64 microvolts, read-only, as recorded; a missing sample is NaN
    samples_uv: np.ndarray = field(repr=False)
    sample_rate_hz: float  # as recorded, e.g. 511.422
    source: str  # the path as the user gave it
    recorded_at: str | None = None  # as the file says it, e.g. 2021-12-17 12:58:58 +0800, or the day alone
    rate_is_assumed: bool = False  # neither the file nor the user said one
    lead: str | None = None  # such as I, II, V5 or MLII; None where nobody said it
    device: str | None = None  # its model, such as Watch5,1
    stated_heart_rate_bpm: float | None = None  # the mean, as the file states it
    details: str | None = None  # how it was drawn, in numbers, for a report of what was read wrong

    @property
    def duration_s(self) -> float:
        """Length in seconds, on the recording's own clock."""
        return len(self.samples_uv) / self.sample_rate_hz

    def __repr__(self) -> str:
        lead = f", lead {self.lead}" if self.lead else ""
        return f"<Recording {self.source[-80:]}: {self.duration_s:.1f} s at {self.sample_rate_hz:g} Hz{lead}>"

    def _repr_html_(self) -> str:
        return f"<div>{escape(repr(self)[1:-1])}<br>{trace_svg(self)}</div>"

    def plot(self) -> "Figure":
        """The recording on ECG paper, as a matplotlib figure. Raises EdgeEcgError without matplotlib."""
        figure: Figure = import_module("edge_ecg.report.plot").plot(self)  # pages are above the runtime
        return figure

    @property
    def day(self) -> date | None:
        """Date of the recording, from the file or, as in Apple's export, from its name."""
        return day_in((self.recorded_at or "")[:10]) or day_in(Path(self.source).name)


def trace_svg(recording: Recording, shown_s: float = 10.0) -> str:
    """The first seconds of a recording as a small picture for a notebook; gaps stay gaps."""
    samples_uv = recording.samples_uv[: round(shown_s * recording.sample_rate_hz)]
    step = max(1, len(samples_uv) // 1500)
    shown = samples_uv[::step]
    if not np.isfinite(shown).any():
        return ""
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    points = [
        f"{700 * place / len(shown):.1f},{75 - 70 * (value - low) / max(high - low, 1.0):.1f}" if value == value else ""
        for place, value in enumerate(shown.tolist())
    ]
    lines = " ".join(f"M{part.strip().replace(' ', ' L')}" for part in " ".join(points).split("  ") if part.strip())
    path = f'<path d="{lines}" fill="none" stroke="#15181c"/>'
    return f'<svg viewBox="0 0 700 80" width="700" role="img" aria-label="trace, {shown_s:g} s">{path}</svg>'


def require_recording(recording: object) -> None:
    """Raises RecordingError for anything else than a recording."""
    if not isinstance(recording, Recording):
        raise RecordingError(f"recording is a {type(recording).__name__}, expected what read_recording returns")


def one_lead(samples_uv: object) -> np.ndarray:
    """Samples as numbers in one dimension. Raises RecordingError."""
    try:
        samples = np.asarray(samples_uv)
        if samples.dtype.kind not in "fiu" and len(samples):
            raise RecordingError(f"samples are of the type {samples.dtype}, expected numbers in microvolts")
    except (TypeError, ValueError):
        raise RecordingError("samples are no list of numbers, expected one dimension of microvolts") from None
    if samples.ndim != 1:
        one = f"; push one lead, such as samples[:, 0] of {samples.shape[1]}" if samples.ndim == 2 else ""
        raise RecordingError(f"samples have the shape {samples.shape}, expected one dimension of microvolts{one}")
    return samples


def is_finite(value: object) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, Real) and bool(np.isfinite(float(value)))


def day_in(text: str) -> date | None:
    """The first YYYY-MM-DD of a text that is a day; None if there is none, or its calendar is not known.

    >>> day_in("ecg_2566-10-05_2.csv")
    datetime.date(2023, 10, 5)
    """
    for year, month, of_month in _DAY.findall(text):
        gregorian = gregorian_year(int(year))
        try:
            return date(gregorian or 0, int(month), int(of_month))
        except ValueError:  # such as 2024-02-30
            continue
    return None


def gregorian_year(year: int) -> int | None:
    """The year in which a day was recorded, from the year of a calendar that has the same months and days.

    These are the Buddhist calendar (2566), the Japanese one (5, of Reiwa) and Taiwan's (112): a phone that is set to
    one of them writes its years. Others have other months as well, and give None.
    """
    for first, last, shift in ((1970, 2200, 0), (2513, 2743, -543), (1, 59, 2018), (100, 189, 1911)):
        if first <= year <= last:
            return year + shift
    return None


class RawSignal(NamedTuple):
    """Raw contents of a recording file, before checks and conversion; None where the file does not state it."""

    values: np.ndarray
    unit: str | None = None
    sample_rate_hz: float | None = None
    recorded_at: str | None = None
    lead: str | None = None
    device: str | None = None  # its model; never a name that somebody gave to it
    heart_rate_bpm: float | None = None  # the mean
    details: str | None = None  # how it was drawn, in numbers; nothing of the person


class Overrides(NamedTuple):
    """Overrides: facts that the user states about recordings whose files do not."""

    rate_hz: float | None = None
    unit: str | None = None
    channel: str | None = None
    lead: str | None = None


NO_OVERRIDES = Overrides()

UNKNOWN = "unknown"  # a lead or device that a recording does not state
MICROVOLTS_PER = {
    **dict.fromkeys(("nv", "nanovolt", "nanovolts"), 1e-3),
    **dict.fromkeys(("μv", "uv", "mcv", "microvolt", "microvolts", "mikrovolt", "微伏", "мкв"), 1.0),
    **dict.fromkeys(("mv", "millivolt", "millivolts", "毫伏", "мв"), 1e3),
    **dict.fromkeys(("v", "volt", "volts", "伏"), 1e6),
}  # keys are casefolded, which makes the micro sign the Greek letter


def to_recording(signal: RawSignal, source: str, overrides: Overrides = NO_OVERRIDES) -> Recording:
    """The recording in microvolts, if it can be one. Raises RecordingError."""
    values, rate_hz = signal.values, _rate_hz(signal.sample_rate_hz, overrides.rate_hz)
    if len(values) < 2:
        raise RecordingError(f"holds {len(values) or 'no'} value{'' if len(values) else 's'}; expected a recording")
    if not RATE_RANGE_HZ[0] <= rate_hz <= RATE_RANGE_HZ[1]:
        why = "; at a lower one R peaks and T waves are placed too roughly" if rate_hz < RATE_RANGE_HZ[0] else ""
        expected = f"expected {RATE_RANGE_HZ[0]:g} to {RATE_RANGE_HZ[1]:g} Hz"
        raise RecordingError(f"sample rate is {rate_hz:g} Hz; {expected}{why}")
    duration_s = len(values) / rate_hz
    if duration_s < MIN_DURATION_S:
        settle_s = CONTRACT.settle_samples / CONTRACT.sample_rate_hz
        raise RecordingError(
            f"lasts {np.floor(duration_s * 10) / 10:.1f} s; at least {MIN_DURATION_S:g} s are needed: "
            f"the first {settle_s:g} s settle"
        )
    _check_finite(values)
    samples_uv = _microvolts(values, _unit(signal.unit, overrides.unit))
    samples_uv.setflags(write=False)
    is_assumed = signal.sample_rate_hz is None and overrides.rate_hz is None
    lead = _lead(signal.lead, overrides.lead)
    return Recording(
        samples_uv,
        float(rate_hz),
        source,
        signal.recorded_at,
        is_assumed,
        lead,
        signal.device,
        signal.heart_rate_bpm,
        signal.details,
    )


class MicrovoltCheck:
    """Whether a stream can be in microvolts: by what its first seconds span. Any chunk size gives the same answer."""

    def __init__(self, sample_rate_hz: float):
        self._wanted = round(CHECKED_S * sample_rate_hz)
        self.reset()

    def reset(self) -> None:
        """Start a new recording."""
        self._first: list[np.ndarray] | None = []  # None: checked
        self._heard = 0

    def push(self, samples_uv: np.ndarray) -> None:
        """Take the next samples. Raises RecordingError once the first seconds span too little for an ECG."""
        if self._first is None:
            return
        self._first.append(samples_uv[: self._wanted - self._heard].copy())  # the caller may use its buffer again
        self._heard += len(samples_uv)
        if self._heard < self._wanted:
            return
        first, self._first = np.concatenate(self._first), None
        finite = first[np.isfinite(first)]
        span_uv = float(finite.max() - finite.min()) if len(finite) else 0.0
        if 0 < span_uv < STREAM_SPAN_UV:  # a flat line is a matter of quality
            raise RecordingError(
                f"the first {CHECKED_S:g} s span only {span_uv:.3g} µV; an ECG spans hundreds, so the samples are "
                "surely in millivolts; push 1000 times as much"
            )


def _rate_hz(stated: float | None, override: float | None) -> float:
    """The rate that a file states, or else the one that the user gives, or else an Apple Watch's."""
    if override is not None and not _is_rate(override):
        raise RecordingError(f"sample rate is {override!r}, expected hertz such as 512.0")
    if stated is not None and not _is_rate(stated):
        if override is None:
            raise RecordingError(f"states a sample rate of {stated:g} Hz, which is none; --rate gives the right one")
        return override
    if stated is not None and override is not None and not is_same_rate(stated, override):
        raise RecordingError(f"states a sample rate of {stated:g} Hz, but --rate is {override:g}; give none for it")
    return next(rate for rate in (stated, override, float(CONTRACT.sample_rate_hz)) if rate is not None)


def _is_rate(value: object) -> bool:
    return isinstance(value, Real) and 0 < float(value) < float("inf")


def is_same_rate(one_hz: float, other_hz: float) -> bool:
    """Whether two statements of a rate may mean the same clock."""
    return abs(one_hz - other_hz) <= SAME_RATE * max(one_hz, other_hz)


def _check_finite(values: np.ndarray) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        raise RecordingError(f"value {infinite.argmax() + 1} is {values[infinite.argmax()]}, not a finite number")
    missing = np.count_nonzero(np.isnan(values))
    if missing > (1 - MIN_FINITE_SHARE) * len(values):
        raise RecordingError(f"{missing} of its {len(values)} samples are missing; expected most of them")


def _unit(stated: str | None, override: str | None) -> str:
    """The unit's name, which an error may show: it is one of ours."""
    if override is not None and not isinstance(override, str):
        raise RecordingError(f"unit is {override!r}; expected uV, mV or V")
    names = [unit for unit in (stated, override) if unit is not None and unit.casefold() in MICROVOLTS_PER]
    if override is not None and override.casefold() not in MICROVOLTS_PER:
        raise RecordingError(f"--unit is {override!r}; expected uV, mV or V")
    if len({MICROVOLTS_PER[name.casefold()] for name in names}) > 1:
        raise RecordingError(f"states the unit {names[0]}, but --unit is {names[1]}; give none for it")
    if stated is not None and not names:  # of a damaged header it may be a name, and is not shown
        raise RecordingError("unit is not known; expected µV, mV or V; set it with --unit")
    return names[0] if names else "µV"


def _lead(stated: str | None, override: str | None) -> str | None:
    if override is not None and (not isinstance(override, str) or not lead_in(override)):
        raise RecordingError(f"--lead is {override!r:.40}; expected a lead such as I, II or V5")
    override = override and lead_in(override)
    if stated and override and stated != override:
        raise RecordingError(f"states lead {stated}, but --lead is {override}; give none for it")
    return stated or override


def lead_in(name: str) -> str | None:
    """The lead that a channel's name is, or ends with, as the field writes it; None if it names none.

    >>> lead_in("Lead I"), lead_in("ECG mlii"), lead_in("avf"), lead_in("ECG 1")
    ('I', 'MLII', 'aVF', None)
    """
    found = _LEAD.search(" ".join(re.findall(r"[^\W_]+", name.casefold())))
    if not found:
        return None
    lead = {"d1": "i", "d2": "ii", "d3": "iii"}.get(found[1], found[1])
    return f"aV{lead[2:].upper()}" if lead.startswith("av") else lead.upper()


def _microvolts(values: np.ndarray, unit: str) -> np.ndarray:
    scale = MICROVOLTS_PER[unit.casefold()]
    largest_uv = scale * float(np.nanmax(np.abs(values)))
    if largest_uv > MAX_ABS_UV:
        raise RecordingError(f"reaches {largest_uv / 1e6:.3g} V; no ECG exceeds 1 V, so the values can't be in {unit}")
    span_uv = scale * float(np.nanmax(values) - np.nanmin(values))
    if 0 < span_uv < MIN_SPAN_UV:  # a flat line is a matter of quality, not of units
        larger = "millivolts" if scale == 1 else "a larger unit"
        raise RecordingError(
            f"spans only {span_uv:.3g} µV if its values are in {unit}; an ECG spans hundreds, "
            f"so they are surely in {larger}; set it with --unit"
        )
    return values * scale
