"""Labels by measurement: the value of a sensor at the time of a recording, below one threshold or above another."""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge_ecg.datasets.clock import Clock, clock_of, recording_stamp
from edge_ecg.datasets.labeling import Item, Labels, checked_label
from edge_ecg.datasets.sensors import CLEAR_OF_BOTH, GLUCOSE, Quantity, Readings
from edge_ecg.errors import DatasetError
from edge_ecg.storage.files import read_small_file

MEASURED = "measured.csv"
BETWEEN = "between"  # the folder of recordings between the thresholds
MOST_BYTES = 4_000_000
MOST_BETWEEN_MIN = 15.0  # two readings so far apart are interpolated
MOST_FROM_NEAREST_MIN = 10.0
MOST_LAG_MIN = 60.0
_THRESHOLD = re.compile(r"(?P<label>[^=]+)=\s*(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>\D\S{0,19})?")


class Threshold(NamedTuple):
    """A label, and the value that a recording of it must be below, or above."""

    label: str
    value: float


@dataclass(frozen=True)
class Rule:
    """Rule that turns a measured value into a label."""

    below: Threshold
    above: Threshold
    lag_min: float  # how much later the sensor shows what the blood has

    def label(self, value: float) -> str | None:
        """The label of a value; None between the thresholds."""
        if value < self.below.value:
            return self.below.label
        return self.above.label if value > self.above.value else None

    def distance(self, value: float) -> float:
        """Distance of a labeled value from its threshold."""
        return max(self.below.value - value, value - self.above.value)


@dataclass(frozen=True)
class Curve:
    """A measured quantity over time."""

    quantity: Quantity
    unit: str
    times_s: np.ndarray  # (n,) increasing, on the axis of the clock
    values: np.ndarray  # (n,)
    clock: Clock
    summary: str  # files, readings, what was left out, and the clock

    def at(self, time_s: float) -> float | None:
        """The value at a time: between two readings at most 15 min apart, or the nearest within 10 min, or none."""
        after = int(np.searchsorted(self.times_s, time_s))
        if after < len(self.times_s) and self.times_s[after] == time_s:
            return float(self.values[after])
        near = [place for place in (after - 1, after) if 0 <= place < len(self.times_s)]
        if len(near) == 2 and self.times_s[after] - self.times_s[after - 1] <= 60 * MOST_BETWEEN_MIN:
            return float(np.interp(time_s, self.times_s[near], self.values[near]))
        nearest = min(near, key=lambda place: abs(self.times_s[place] - time_s))
        is_near = abs(self.times_s[nearest] - time_s) <= 60 * MOST_FROM_NEAREST_MIN
        return float(self.values[nearest]) if is_near else None

    def time_s(self, recorded_at: str) -> float | None:
        """The time of a recording on the axis of the clock; None if its time of day is not known."""
        stamp = recording_stamp(recorded_at)
        if stamp is None:
            return None
        wall_s, offset_s = stamp
        if offset_s is not None:
            return wall_s - offset_s
        seconds, known = self.clock.seconds_of_face(wall_s)
        return seconds if known else None


@dataclass(frozen=True)
class MeasuredLabels:
    """Labels of recordings from a curve and a rule."""

    curve: Curve
    rule: Rule
    labels: Labels
    values: dict[str, float]  # by the name of each recording that has one
    left_out: dict[str, int]  # by reason

    def to_toml(self) -> str:
        """The table [measured] of a dataset file: where the values are, and what made labels of them."""
        curve, rule = self.curve, self.rule
        facts = {"file": MEASURED, "quantity": curve.quantity.name, "unit": curve.unit, "clock": curve.clock.reason}
        numbers = {"below": rule.below.value, "above": rule.above.value, "lag_min": rule.lag_min}
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()]
        lines += [f"{key} = {value:.6g}" for key, value in numbers.items()]
        return "\n".join(["", "[measured]  # health data: the file stays in this folder", *lines, ""])


def curve_of(files: Sequence[Readings], quantity: Quantity, recorded_at: Iterable[str], zone: str | None) -> Curve:
    """The readings of several files as one curve, on the clock of the recordings.

    Equal times are one reading, of their mean: an export has some twice, and two sensors may show different values.
    Raises DatasetError where times state no zone and nothing shows which, and for units that differ.
    """
    if len(units := sorted({readings.unit for readings in files})) > 1:
        raise DatasetError(f"{quantity.name} comes in {' and '.join(units)}; expected one unit")
    recorded_at = list(recorded_at)
    clock = clock_of(recorded_at, zone)
    if clock is None:
        stamps = [stamp for text in recorded_at if (stamp := recording_stamp(text))]
        without = next((readings.source for readings in files if readings.stamps.offset_s is None), None)
        if without or any(offset_s is None for _, offset_s in stamps):
            raise DatasetError(
                f"{without or 'a recording'}: states no time zone, and the recordings were made in several; "
                "--zone states it, such as Europe/Berlin"
            )
        clock = Clock(UTC, "UTC")
    times, values, lines = [], [], []
    for readings in files:
        seconds, known = clock.seconds(readings.stamps, readings.source)
        times.append(seconds[known])
        values.append(readings.values[known])
        skipped = readings.skipped + (type(readings.skipped)({"in an hour that the clock repeats": (~known).sum()}))
        reasons = "".join(f", {count:,} {reason}" for reason, count in skipped.items() if count)
        place = clock.reason if readings.stamps.offset_s is None else "its own zone"
        lines.append(f"{readings.source}: {readings.format}, {known.sum():,} readings, times in {place}{reasons}")
    all_times, order = np.unique(np.concatenate(times), return_inverse=True)
    mean = np.bincount(order, np.concatenate(values)) / np.bincount(order)
    return Curve(quantity, units[0], all_times, mean, clock, "\n".join(lines))


def threshold_of(text: str, option: str, quantity: Quantity, unit: str) -> Threshold:
    """The threshold of `fasting=5.6` or `fasting=100mg/dL`. Raises DatasetError.

    A number without a unit is in the unit of the readings; of glucose in the only unit that it can be in.
    """
    found = _THRESHOLD.fullmatch(text.strip())
    if not found:
        raise DatasetError(f"{option} is {text[:60]!r}; expected LABEL=VALUE, such as fasting=5.6")
    label, value, stated = checked_label(found["label"]), float(found["value"]), (found["unit"] or "").strip()
    if quantity is GLUCOSE:
        if not stated and CLEAR_OF_BOTH[0] <= value <= CLEAR_OF_BOTH[1]:
            raise DatasetError(f"{option} is {text!r}; mmol/L or mg/dL? Such as {label}=100mg/dL")
        stated = stated or ("mmol/L" if value < CLEAR_OF_BOTH[0] else "mg/dL")
        (value,), _ = quantity.in_unit(stated, np.array([value]), option)
    elif stated and stated.casefold() != unit.casefold():
        raise DatasetError(f"{option} is {text!r}; the readings are in {unit}")
    return Threshold(label, float(value))


def rule_of(below: str, above: str, lag_min: float, quantity: Quantity, unit: str) -> Rule:
    """The rule of two thresholds. Raises DatasetError for one label twice, thresholds that overlap, too long a lag."""
    rule = Rule(threshold_of(below, "--below", quantity, unit), threshold_of(above, "--above", quantity, unit), lag_min)
    if rule.below.label.casefold() == rule.above.label.casefold():
        raise DatasetError(f"--below and --above both give {rule.below.label!r}; expected two labels")
    if BETWEEN in (rule.below.label.casefold(), rule.above.label.casefold()):
        raise DatasetError(f"a label is {BETWEEN!r}, which is the folder of recordings between the thresholds")
    if rule.below.value > rule.above.value:
        raise DatasetError(f"below {rule.below.value:.4g} and above {rule.above.value:.4g} {unit} overlap")
    if not 0 <= lag_min <= MOST_LAG_MIN:
        raise DatasetError(f"--lag is {lag_min:g} min; expected 0 to {MOST_LAG_MIN:g}")
    return rule


def label_by_measurement(items: Sequence[Item], curve: Curve, rule: Rule) -> MeasuredLabels:
    """Labels of the recordings whose value is below the one threshold or above the other; the rest is counted."""
    labels, values = Labels(), dict[str, float]()
    left_out = {"between the thresholds": 0, "without a reading": 0, "without a time of day": 0}
    for item in items:
        at_s = curve.time_s(item.recorded_at)
        value = None if at_s is None else curve.at(at_s + 60 * rule.lag_min)
        if value is None:
            left_out["without a time of day" if at_s is None else "without a reading"] += 1
            continue
        values[item.name] = value
        label = rule.label(value)
        if label is None:
            left_out["between the thresholds"] += 1
        else:
            labels[item.name] = label
    return MeasuredLabels(curve, rule, labels, values, left_out)


def summary_rows(items: Sequence[Item], measured: MeasuredLabels) -> list[list[str]]:
    """By label: recordings, sessions, and how far the values lie from the threshold, with a heading."""
    rows = [["label", "recordings", "sessions", f"{measured.curve.unit} from the threshold: median, least"]]
    for threshold in (measured.rule.below, measured.rule.above):
        of_label = [item for item in items if measured.labels.get(item.name) == threshold.label]
        distances = [measured.rule.distance(measured.values[item.name]) for item in of_label]
        apart = f"{np.median(distances):.2g}, {min(distances):.2g}" if distances else "-"
        rows.append([threshold.label, str(len(of_label)), str(len({item.date for item in of_label})), apart])
    return rows


def measured_csv(curve: Curve, values: Mapping[str, float]) -> bytes:
    """The values of a data set's files as the table that stays beside them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", f"{curve.quantity.name} {curve.unit}".strip()])
    writer.writerows([name, f"{value:.4g}"] for name, value in sorted(values.items()))
    return text.getvalue().encode()


def read_measured(path: Path) -> tuple[str, dict[str, float]]:
    """The heading of the quantity, and its value by file below the data set's root. Raises DatasetError."""
    try:
        rows = list(csv.reader(io.StringIO(read_small_file(path, MOST_BYTES, DatasetError).decode())))
        values = {name: float(value) for name, value in rows[1:] if len(name.split("/")) == 3}
        heading = rows[0][1]
    except OSError as error:
        raise DatasetError(f"{path}: can't be read: {error.strerror}") from None
    except (ValueError, IndexError, csv.Error):
        raise DatasetError(f"{path}: expected the table of file and value that edge-ecg import writes") from None
    if len(values) < len(rows) - 1 or not np.isfinite(list(values.values())).all():
        raise DatasetError(f"{path}: expected rows of DATE/LABEL/FILE and a finite number, each file once")
    return heading, values
