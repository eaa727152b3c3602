"""The sample rate from a column of times, and where samples are missing."""

import re
from collections.abc import Sequence

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.recording import RATE_RANGE_HZ, is_same_rate

PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
ISO_TIME = len("2023-10-05T08:30:00")
GAP_FACTOR = 1.75  # usual steps: a longer one lost samples
MAX_JITTER_S = 0.02  # between a jittering time and its place: twice that is a T wave's move that matters
MAX_JITTER_STEPS = 1.5  # steps between a time and its place in the grid: times may be rounded to a step
CLOCK = re.compile(
    r"(?:\d{1,4}[-./]\d\d?[-./]\d{1,4}[T ])?(?:(\d\d?):)?(\d\d?):(\d\d(?:[.,]\d{1,9})?) ?(?:([ap])\.?m\.?)?"
    r"(?:Z|[-+]\d\d:?\d\d)?(?=[;,\t])",
    re.IGNORECASE,
)
_ZONE = re.compile(r"(?:Z|[-+]\d\d:?\d\d)$")
_ISO_MARKS = str.maketrans("", "", "0123456789-:.T ")
_TIME_NAME = re.compile(
    r"\btime|stamp\b|\bzeit|\btemps|\btiempo|\btempo|elapsed|\bsec|\b[mμun]s\b|^[tx]\b|时间|時間|время"
)
_TIME_UNIT = re.compile(r"\b(ns|μs|us|ms|msec|s|sec|seconds?|milliseconds?|nanoseconds?|microseconds?)\b")


def is_time_name(heading: str) -> bool:
    """Whether a column with this heading should be times."""
    return _TIME_NAME.search(_words(heading)) is not None


def time_unit(heading: str) -> str | None:
    """The unit that a heading names, a key of PER_SECOND."""
    found = _TIME_UNIT.search(_words(heading))
    if not found:
        return None
    return {"m": "ms", "n": "ns", "s": "s"}.get(found[1][0], "us") if found[1][:5] != "micro" else "us"


def clock_seconds(column: Sequence[str]) -> np.ndarray:
    """Times of day in seconds, on through midnight; those of dates, from the first on."""
    if (times := _iso_seconds(column)) is not None:
        return times
    found = [CLOCK.match(cell + ",") for cell in column]
    if not all(found):
        raise RecordingError("has a column of times that are not all times")
    parts = [match.groups() for match in found if match]
    hours = [int(h or 0) if not half else int(h or 0) % 12 + 12 * (half in "pP") for h, _, _, half in parts]
    seconds = np.array([60 * int(m) + float(s.replace(",", ".")) for _, m, s, _ in parts]) + 3600 * np.array(hours)
    return seconds + 86_400 * np.cumsum(np.diff(seconds, prepend=seconds[0]) < -43_200)


def _iso_seconds(column: Sequence[str]) -> np.ndarray | None:
    """Seconds since the first of dates and times in ISO 8601 of one length and zone, at once; None for others."""
    zone = _ZONE.search(column[0], ISO_TIME) if len(column[0]) > ISO_TIME else None
    cells = [cell.removesuffix(zone[0]) for cell in column] if zone else column
    text = "".join(cells)
    alike = len(text) == len(cells[0]) * len(cells) and text.count("-") == text.count(":") == 2 * len(cells)
    if not alike or text.translate(_ISO_MARKS):
        return None
    try:
        times = np.array(cells, "datetime64[ns]")
    except ValueError:
        return None
    return (times - times[0]) / np.timedelta64(1, "s")


def _words(heading: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", heading.casefold()))


@np.errstate(all="ignore")  # what is no time may be any number
def even_grid(times: np.ndarray, unit: str | None = None) -> tuple[float, np.ndarray] | None:
    """The rate in hertz and the index of each sample, for (n,) times that step evenly but for gaps; None otherwise.

    unit: a key of PER_SECOND; without it the step says which, since no two of them fit a rate of 100 to 2000 Hz.
    """
    times = _spread(times)
    steps = np.diff(times)
    if not _climb(times, steps):
        return None
    usual = _mean(steps[steps <= 3 * np.median(steps)])
    whole = steps <= GAP_FACTOR * usual
    step = _mean(steps[whole])
    if step <= 0:
        return None
    indices = np.concatenate(([0], np.cumsum(np.where(whole, 1, np.rint(steps / step))))).astype(np.int64)
    off = times - times[0] - indices * step
    off -= _mean(off)
    if not np.abs(off).max() <= MAX_JITTER_STEPS * step or not len(times) <= indices[-1] + 1 <= 2 * len(times):
        return None
    if fitting := _fitting(step, unit):
        return _rounded(fitting[0], 2 * float(np.abs(off).max()) / float(times[-1] - times[0])), indices
    return None


@np.errstate(all="ignore")
def infer_sample_grid(times: np.ndarray, unit: str | None = None) -> tuple[float, np.ndarray] | None:
    """Like `even_grid`, also for times that jitter around even ones, as stamped by a receiving computer.

    Their rate is the slope of the line through all of them, and no sample is missing.
    """
    times = _spread(times)
    grid, steps = even_grid(times, unit), np.diff(times)
    if grid or not _climb(times, steps):
        return grid
    places = np.arange(len(times)) - (len(times) - 1) / 2
    off = times - times[0] - _mean(times - times[0])
    step = float(places @ off / (places @ places))
    off = off - step * places
    fitting = _fitting(step, unit) if step > 0 else None
    if not fitting or not np.abs(off).max() <= MAX_JITTER_S * fitting[1]:
        return None
    error = 3 * float(off.std()) / float(np.sqrt(places @ places))  # three standard errors of the slope
    return _rounded(fitting[0], error / step), np.arange(len(times))


def _climb(times: np.ndarray, steps: np.ndarray) -> bool:
    """Whether numbers can be times: at least three, and none before the last."""
    return len(steps) >= 2 and bool(np.isfinite(times).all() and steps.min() >= 0 and steps.max() > 0)


def _fitting(step: float, unit: str | None) -> tuple[float, float] | None:
    """The rate of a step, and how many of its units a second has; None where no unit gives a rate of an ECG."""
    for per_second in (PER_SECOND[unit],) if unit else PER_SECOND.values():
        if RATE_RANGE_HZ[0] * 0.99 <= per_second / step <= RATE_RANGE_HZ[1] * 1.01:
            return per_second / step, per_second
    return None


def may_be_ecg_times(times: np.ndarray, unit: str | None = None) -> bool:
    """Whether so many times in so long may be those of an ECG, even or not."""
    known = times[np.isfinite(times)]
    lasted = float(known.max() - known.min()) if len(known) else 0.0
    return (lasted == 0 and len(known) > 0) or (lasted > 0 and _fitting(lasted / len(times), unit) is not None)


def on_grid(
    values: np.ndarray,
    times: np.ndarray,
    unit: str | None,
    stated_hz: float | None,
    override_hz: float | None,
) -> tuple[np.ndarray, float | None]:
    """The values at even places by their times, NaN where one is missing, and the rate: as stated, or the times'.

    `override_hz` outranks what the times show: the rate is then None where none is stated. Raises RecordingError for
    times without a rate, or with another one than is stated.
    """
    grid = infer_sample_grid(times, unit)
    if grid is None and override_hz is None and len(times) > 2:
        raise RecordingError(_why_uneven(times))
    if grid is None:
        return values, stated_hz
    if override_hz is None and stated_hz is not None and not is_same_rate(stated_hz, grid[0]):
        raise RecordingError(
            f"states {stated_hz:g} Hz, but its times step at {grid[0]:g} Hz; --rate {stated_hz:g} takes what it states"
        )
    return placed(values, grid[1]), stated_hz if stated_hz is not None or override_hz is not None else grid[0]


def _why_uneven(times: np.ndarray) -> str:
    if not np.isfinite(times).all():
        return f"has no time for sample {int(np.isfinite(times).argmin()) + 1}; set it with --rate"
    backwards = np.flatnonzero(np.diff(times) < 0)
    if len(backwards):
        return (
            f"has times that run backwards after sample {backwards[0] + 1}; sort its samples by time, or set "
            "--rate to use them in this order"
        )
    return "has times that do not step evenly at 100 to 2000 Hz; set it with --rate"


def _spread(times: np.ndarray) -> np.ndarray:
    """The times of samples that came in packets of one time each, as a chest strap sends them: even in a packet."""
    starts = np.flatnonzero(np.diff(times, prepend=np.nan) != 0)
    sizes = np.diff(starts)
    if len(sizes) < 4 or sizes[0] < 2 or (sizes != sizes[0]).any():
        return times
    step = float(np.median(np.diff(times[starts]))) / sizes[0]
    return times + step * (np.arange(len(times)) - np.repeat(starts, np.append(sizes, len(times) - starts[-1])))


def by_counter(values: np.ndarray, counter: np.ndarray) -> np.ndarray:
    """The values of samples that are counted, NaN where the counter skips one."""
    indices, steps = counter - counter[0], np.diff(counter)
    if steps.min() < 1 or np.median(steps) != 1 or indices[-1] >= 2 * len(values):
        return values  # it counts something else
    return placed(values, indices.astype(np.int64))


def placed(values: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """The values at their indices; missing ones are NaN."""
    if indices[-1] == len(values) - 1:
        return values
    whole = np.full(indices[-1] + 1, np.nan)
    whole[indices] = values
    return whole


def _rounded(rate_hz: float, uncertain: float) -> float:
    """The nearest whole number of hertz, if the times are consistent with it."""
    near = round(rate_hz)
    return float(near) if abs(rate_hz - near) <= max(uncertain, 1e-9) * rate_hz else rate_hz


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0
