"""Rows of numbers: which mark is decimal, which column is an index, times, or the ECG."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.format import ecg_channel, names_ecg
from edge_ecg.readers.header import recorded_at_in
from edge_ecg.readers.times import (
    CLOCK,
    by_counter,
    clock_seconds,
    even_grid,
    infer_sample_grid,
    is_time_name,
    may_be_ecg_times,
    on_grid,
    time_unit,
)
from edge_ecg.recording import FEWEST_SAMPLES, Overrides, is_same_rate

FEWEST_ROWS = 20  # in the beginning of a file that looks like a recording
FEWEST_ROWS_UNNAMED = 100  # of numbers in columns without names
BEGINNING = 20_000  # characters of it
EPOCH_MS = 1e11  # a count of milliseconds since 1970 is above it, one of rows is not

_NUMERIC = re.compile(r"(?=.*(?:\d|nan|inf))(?:[-+\d.,; \t]|(?<=[\d.,])e(?=[-+\d])|nan|inf(?:inity)?)+", re.IGNORECASE)
_NUMBERS = re.compile(r"[-+\d.,; \t\n]*")
_SHOWN = re.compile(r"[-+]?\d*\.?\d*(?:e[-+]?\d+)?", re.IGNORECASE)
_SEPARATORS = ",; \t"
_COUNTER = re.compile(r"\b(?:index|idx|samples?|points?|frames?|rows?|count(?:er)?|seq(?:uence)?|packets?|no?|nr)\b|#")


def is_row(line: str) -> bool:
    """Whether a line is numbers, perhaps after the time of day."""
    clock = CLOCK.match(line)
    return _NUMERIC.fullmatch(line[clock.end() + 1 :] if clock else line) is not None


@dataclass(frozen=True)
class Rows:
    """The lines of values; the first is line `first` of the file."""

    body: str
    first: int

    @cached_property
    def texts(self) -> list[str]:
        """The lines that are not empty."""
        if is_plain(self.body):
            return self.body.split()
        return [text for text in map(str.strip, self.body.split("\n")) if text]

    def line(self, index: int) -> int:
        """The number of a row's line in the file."""
        return [n for n, text in enumerate(self.body.split("\n"), self.first) if text.strip()][index]

    def error(self, index: int, says: str) -> RecordingError:
        """The error about a row; the row is shown if it contains only numbers, so no personal data."""
        row = self.texts[index]
        numbers = all(_SHOWN.fullmatch(part) for part in re.split(r"[,;\t]\s*", row))
        return RecordingError(f"line {self.line(index)}{f' ({row[:20]!r})' if numbers else ''} {says}")


class ColumnSignal(NamedTuple):
    """Contents of rows of numbers."""

    values: np.ndarray
    rate_hz: float | None
    heading: str = ""  # of the column of values
    recorded_at: str | None = None


def signal_of(rows: Rows, header: Sequence[str], overrides: Overrides, rate_hz: float | None) -> ColumnSignal:
    """The ECG in the rows, and its rate: `rate_hz` as stated, or else from a column of times.

    Raises RecordingError for a row that is not numbers, and where the ECG's column or its times can't be identified.
    """
    values = _plain_column(rows)
    if values is not None:
        return ColumnSignal(_finite(values, rows), rate_hz, _headings(header, ",", 1)[0])
    cells, separator = _split(rows)
    if len(cells) == 1:
        return ColumnSignal(_finite(_numbers(cells[0], rows), rows), rate_hz, _headings(header, ",", 1)[0])
    if len(cells) >= FEWEST_SAMPLES:
        raise RecordingError(
            f"has {len(cells)} columns; for one recording a row, number them in a first line: v1, v2, v3 and so on"
        )
    headings = _headings(header, separator, len(cells))
    columns, times, counters = _sorted(cells, headings, rows)
    if not columns:
        raise RecordingError("has no column that could be an ECG; expected numbers that are neither index nor times")
    which = ecg_channel(headings, overrides.channel, columns)
    values = _numbers(cells[which], rows, may_be_empty=True)
    clock = next((recorded_at_in(column[0]) for column in cells if CLOCK.match(column[0] + ",")), None)
    if times:
        number = _finest(times, headings, overrides.rate_hz is not None)
        values, rate_hz = on_grid(values, times[number], time_unit(headings[number]), rate_hz, overrides.rate_hz)
    elif counters:
        values = by_counter(values, next(iter(counters.values())))
    return ColumnSignal(values, rate_hz, headings[which], clock)


def number_of_channels(rows: Rows, header: Sequence[str]) -> int:
    """Number of columns at the beginning of a file that may be an ECG; 0 if it is not a recording."""
    if rows.body.count("\n") < FEWEST_ROWS - 1:
        return 0
    if _plain_column(rows) is not None:
        return 1
    if any(not is_row(text) for text in rows.texts):
        return 0
    cells, separator = _split(rows)
    if len(cells) == 1:
        return 1
    headings = _headings(header, separator, len(cells))
    columns, times, _ = _sorted(cells, headings, rows)
    if times:
        is_one = any(may_be_ecg_times(column, time_unit(headings[number])) for number, column in times.items())
    else:
        is_one = len(columns) == 1 or len(rows.texts) >= FEWEST_ROWS_UNNAMED
    return len(columns) if is_one or any(names_ecg(headings[column]) for column in columns) else 0


def _plain_column(rows: Rows) -> np.ndarray | None:
    """The numbers, at once, where there are points and no columns."""
    return _decimal_commas(rows.body) if "," in rows.body else _floats(rows.body)


def _decimal_commas(body: str) -> np.ndarray | None:
    """The numbers, at once, where commas can only be decimal: what comes before them falls, as no index does."""
    try:
        first = [float(line.partition(",")[0]) for line in body[:BEGINNING].split("\n")[:-1]]
    except ValueError:
        return None
    if "." in body or len(first) < FEWEST_ROWS or np.mean(np.diff(first) < 0) < 0.1:
        return None
    return _floats(body.replace(",", "."))


def _floats(body: str) -> np.ndarray | None:
    """The numbers of a plain column; None if a line is not a number."""
    lines = body.split()
    try:
        return np.fromiter(map(float, lines), np.float64, len(lines)) if is_plain(body) else None
    except ValueError:
        return None


def is_plain(body: str) -> bool:
    """Whether nothing but a column of numbers with points can be in it."""
    return body.isascii() and not body.encode().translate(None, b"0123456789+-.eE\n")


def _finite(values: np.ndarray, rows: Rows) -> np.ndarray:
    finite = np.isfinite(values)
    if not finite.all():
        first = int(finite.argmin())
        raise RecordingError(f"line {rows.line(first)} is {values[first]}, not a finite number")
    return values


def _split(rows: Rows) -> tuple[list[list[str]], str]:
    """The cells of each column, and what separates them. Raises RecordingError for rows that are not alike."""
    bad = None if _NUMBERS.fullmatch(rows.body) else next((i for i, t in enumerate(rows.texts) if not is_row(t)), None)
    if bad is not None:
        raise RecordingError(f"line {rows.line(bad)} is text, and the values began before it")
    texts = _without_padding(rows.texts)
    body = "\n".join(texts)
    for separator in ";\t":
        if separator in body:
            return _cells(texts, separator, rows), separator
    if "," in body and "." in body:
        if any("," not in text for text in texts):
            raise rows.error(next(i for i, text in enumerate(texts) if "," in text), "has a comma; others have points")
        return _cells(texts, ",", rows), ","
    if "," in body:
        return _at_commas(texts, rows), ","
    if " " in body:
        return _cells([" ".join(text.split()) for text in texts], " ", rows), " "
    return [texts], ","


def _without_padding(texts: list[str]) -> list[str]:
    """The rows without the empty columns that a spreadsheet adds; an empty cell of a table stays."""
    while all(text and text[-1] in _SEPARATORS for text in texts):
        texts = [text[:-1] for text in texts]
    separator = next((mark for mark in ";\t," if mark in texts[0]), ",")
    if len({text.count(separator) for text in texts}) == 1:
        return texts
    return [text.rstrip(_SEPARATORS) for text in texts]


def _cells(texts: list[str], separator: str, rows: Rows) -> list[list[str]]:
    counts = [text.count(separator) for text in texts]
    usual = max(set(counts), key=counts.count)
    if min(counts) != max(counts):
        bad = next(i for i, count in enumerate(counts) if count != usual)
        says = f"has {counts[bad] + 1} columns; others have {usual + 1}" if usual else "is not one number"
        raise rows.error(bad, says)
    cells = separator.join(texts).split(separator)
    return [[cell.strip() for cell in cells[column :: usual + 1]] for column in range(usual + 1)]


def _at_commas(texts: list[str], rows: Rows) -> list[list[str]]:
    """Columns where commas may be decimal: an index that counts, or times, come before one; else all are."""
    parts = [text.partition(",") for text in texts]
    try:
        first = np.fromiter((float(part[0]) for part in parts), np.float64, len(parts))
    except ValueError:
        return [texts]
    if len(first) < 2:
        return [texts]
    if first[0] % 1 == 0 and (np.diff(first) == 1).all():
        bad = next((i for i, part in enumerate(parts) if not part[1]), None)
        if bad is not None:
            raise rows.error(bad, "is not one number; others have an index before it")
        return [[part[0] for part in parts], [part[2] for part in parts]]
    commas = {text.count(",") for text in texts}
    if len(commas) == 1 and np.mean(np.diff(first) == 1) < 0.9 and even_grid(first):
        return _cells(texts, ",", rows)
    with np.errstate(invalid="ignore"):
        climbs = np.mean(np.diff(first) > 0) > 0.9  # as in damaged times; in an ECG half do
    if climbs:
        expected = np.arange(len(first)) + (first[0] == 1)
        raise rows.error(
            int((first != expected).argmax()),
            "may be two columns or one number: the first part climbs from line to line, but does not count 0, 1, 2",
        )
    if len(commas) == 1 and commas.pop() > 1:
        return _cells(texts, ",", rows)
    return [texts]


def _is_counter(column: np.ndarray, heading: str) -> bool:
    """Whether whole numbers count rows, samples or packets, from whatever number on: a counter is no clock."""
    if (
        len(column) < 3
        or not np.isfinite(column).all()
        or (column % 1 != 0).any()
        or (is_time_name(heading) and column[0] > EPOCH_MS)
    ):
        return False
    steps = np.diff(column)
    return bool(np.mean(steps == 1) > 0.9 or (_COUNTER.search(heading.casefold()) and (steps >= 0).all()))


def _headings(header: Sequence[str], separator: str, columns: int) -> list[str]:
    """The names above the columns, perhaps their units in a line below; empty where there are none."""
    found: list[list[str]] = []
    for line in header[-1 if columns == 1 else -3 :]:
        if columns == 1 and re.search(r"[,;:=\t]", line):  # a key and its value
            continue
        names = [name.strip(" #'") for name in (line.split(separator) if separator != " " else line.split())]
        if len(names) == columns:
            found.append(names)
    return [" ".join(names).strip() for names in zip(*found, strict=True)] if found else [""] * columns


def _sorted(
    cells: list[list[str]], headings: list[str], rows: Rows
) -> tuple[list[int], dict[int, np.ndarray], dict[int, np.ndarray]]:
    """The columns that may be the ECG, and those that may be times or count the rows, with their numbers."""
    columns, times, counters = [], {}, {}
    for number, (column, heading) in enumerate(zip(cells, headings, strict=True)):
        if CLOCK.match(column[0] + ","):
            times[number] = clock_seconds(column)
            headings[number] = "s"  # whatever it was called
            continue
        values = _numbers(column, rows, may_be_empty=True)
        if time_unit(heading) is None and _is_counter(values, heading):
            counters[number] = values
            continue
        if is_time_name(heading) or even_grid(values):  # what steps evenly is no ECG
            times[number] = values
        elif np.nanmin(values, initial=np.inf) < np.nanmax(values, initial=-np.inf):  # a constant is no signal
            columns.append(number)
    return columns, times, counters


def _finest(times: dict[int, np.ndarray], headings: list[str], is_rate_given: bool) -> int:
    """The number of the column of times with the most exact rate.

    Raises RecordingError if two columns of times differ, unless the rate is given.
    """
    grids = {
        number: grid
        for number, column in times.items()
        if (grid := infer_sample_grid(column, time_unit(headings[number])))
    }
    rates = [rate_hz for rate_hz, _ in grids.values()]
    if not is_rate_given and any(not is_same_rate(rate_hz, rates[0]) for rate_hz in rates):
        raise RecordingError("has two columns of times that step at different rates; set it with --rate")
    return min(grids or times, key=lambda number: len(np.unique(np.diff(times[number]))))


def _numbers(cells: list[str], rows: Rows, may_be_empty: bool = False) -> np.ndarray:
    """The numbers of a column, with one decimal mark; an empty cell is a missing sample."""
    body = "\n".join(cells)
    if "," in body and "." in body:
        raise rows.error(next(i for i, cell in enumerate(cells) if "," in cell), "has a comma; others have points")
    plain = body.replace(",", ".").split("\n") if "," in body else cells
    try:
        return np.fromiter(map(float, plain), np.float64, len(plain))
    except ValueError:
        return np.array([_number(cell, i, rows, may_be_empty) for i, cell in enumerate(plain)])


def _number(cell: str, index: int, rows: Rows, may_be_empty: bool) -> float:
    if may_be_empty and not cell:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        raise rows.error(index, "is not one number") from None
