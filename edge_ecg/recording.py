"""A recording: one lead of ECG in microvolts, found usable, whatever file it came from."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge_ecg.contract import CONTRACT
from edge_ecg.errors import RecordingError

MIN_DURATION_S = 4.0  # the first 3 s settle; less than 1 s after them holds no beat to judge
RATE_RANGE_HZ = (100.0, 2000.0)
MAX_ABS_UV = 1e6  # electrodes on skin give a few millivolts on some hundreds of offset, never 1 V
MIN_SPAN_UV = 20.0  # an ECG spans hundreds; the same numbers in millivolts span less than this
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, eq=False)
class Recording:
    """One lead of ECG as it was recorded.

    >>> Recording(np.zeros(15360), 512.0, "a flat line").duration_s
    30.0
    """

    samples_uv: np.ndarray  # (n,) float64 microvolts, read-only, as recorded
    sample_rate_hz: float  # as recorded, e.g. 511.422
    source: str  # the path as the user gave it
    recorded_at: str | None = None  # the header's own text, e.g. 2021-12-17 12:58:58 +0800

    @property
    def duration_s(self) -> float:
        """Length in seconds, on the recording's own clock."""
        return len(self.samples_uv) / self.sample_rate_hz

    @property
    def day(self) -> date | None:
        """The day it was recorded on: as the header says it, or else the file's name, which in Apple's export does."""
        for said in (*_DAY.findall((self.recorded_at or "")[:10]), *_DAY.findall(Path(self.source).name)[:1]):
            try:
                return date.fromisoformat(said)
            except ValueError:  # such as 2024-02-30
                continue
        return None


class Signal(NamedTuple):
    """What a file says, before it is judged and converted to microvolts."""

    values: np.ndarray
    unit: str = "µV"
    sample_rate_hz: float = CONTRACT.sample_rate_hz
    recorded_at: str | None = None


MICROVOLTS_PER = {
    **dict.fromkeys(("μv", "uv", "microvolt", "microvolts", "mikrovolt", "微伏", "мкв"), 1.0),
    **dict.fromkeys(("mv", "millivolt", "millivolts", "毫伏", "мв"), 1e3),
    **dict.fromkeys(("v", "volt", "volts", "伏"), 1e6),
}  # keys are casefolded, which makes the micro sign the Greek letter


def usable(signal: Signal, source: str) -> Recording:
    """The recording in microvolts, if it can be one. Raises RecordingError."""
    values, rate_hz = signal.values, signal.sample_rate_hz
    if len(values) < 2:
        raise RecordingError(f"holds {len(values) or 'no'} value{'' if len(values) else 's'}; expected a recording")
    finite = np.isfinite(values)
    if not finite.all():
        raise RecordingError(f"value {finite.argmin() + 1} is {values[finite.argmin()]}, not a finite number")
    if not RATE_RANGE_HZ[0] <= rate_hz <= RATE_RANGE_HZ[1]:
        raise RecordingError(f"sample rate is {rate_hz:g} Hz; expected {RATE_RANGE_HZ[0]:g} to {RATE_RANGE_HZ[1]:g} Hz")
    duration_s = len(values) / rate_hz
    if duration_s < MIN_DURATION_S:
        settle_s = CONTRACT.settle_samples / CONTRACT.sample_rate_hz
        raise RecordingError(
            f"lasts {np.floor(duration_s * 10) / 10:.1f} s; at least {MIN_DURATION_S:g} s are needed: "
            f"the first {settle_s:g} s settle"
        )
    samples_uv = _microvolts(values, signal.unit)
    samples_uv.setflags(write=False)
    return Recording(samples_uv, float(rate_hz), source, signal.recorded_at)


def _microvolts(values: np.ndarray, unit: str) -> np.ndarray:
    scale = MICROVOLTS_PER.get(unit.casefold())
    if scale is None:
        raise RecordingError("unit is not known; expected µV, mV or V")  # of a damaged header, it may be a name
    largest_uv = scale * float(np.abs(values).max())
    if largest_uv > MAX_ABS_UV:
        raise RecordingError(f"reaches {largest_uv / 1e6:.3g} V; no ECG exceeds 1 V, so the values can't be in {unit}")
    span_uv = scale * float(np.ptp(values))
    if 0 < span_uv < MIN_SPAN_UV:  # a flat line is a matter of quality, not of units
        larger = "millivolts" if scale == 1 else "a larger unit"
        raise RecordingError(
            f"spans only {span_uv:.3g} µV if its values are in {unit}; an ECG spans hundreds, "
            f"so they are surely in {larger}"
        )
    return values * scale
