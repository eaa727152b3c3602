"""Recordings as a table of one ECG a row: headings number the samples, and name what else a row states."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.format import Content, Format, lead_of
from edge_ecg.readers.header import (
    fields_of,
    recorded_at,
    require_no_scale,
    stated_device,
    stated_lead,
    stated_or_override_hz,
    stated_unit,
)
from edge_ecg.readers.text import decoded
from edge_ecg.recording import FEWEST_SAMPLES, Overrides, RawSignal

SEPARATORS = "\t;,"
FEWEST_HEADINGS = 20  # numbered ones in the beginning of a file
_NUMBERED = re.compile(r"(.*?)(\d{1,9})\D{0,5}")


def parse_wide(content: Content, overrides: Overrides) -> RawSignal:
    """The one recording in such a table, or the row that `overrides.channel` numbers. Raises RecordingError."""
    rows = list(parse_each(content, overrides))
    if len(rows) == 1:
        return rows[0]()
    which = int(overrides.channel) if overrides.channel and re.fullmatch(r"[0-9]{1,9}", overrides.channel) else 0
    if not 1 <= which <= len(rows):
        raise RecordingError(f"holds {len(rows)} recordings, one a row; --channel 1 to {len(rows)} says which")
    return rows[which - 1]()


def parse_each(content: Content, overrides: Overrides) -> Iterator[Callable[[], RawSignal]]:
    """Readers of each row. Raises RecordingError if there is none."""
    heading, *rows = decoded(content.read()).splitlines()
    separator = _separator(heading)
    names = [name.strip(" \"'") for name in heading.split(separator)]
    samples = _numbered(names)
    if samples.stop - samples.start < FEWEST_SAMPLES:
        raise RecordingError(f"has a row of {samples.stop - samples.start} samples; expected a recording a row")
    rows = [row for row in rows if row.strip()]
    if not rows:
        raise RecordingError("has headings of samples, and no row below them")
    for number, row in enumerate(rows, 2):
        yield partial(_signal, names, samples, row.split(separator), number, overrides)


def _signal(names: list[str], samples: slice, cells: list[str], line: int, overrides: Overrides) -> RawSignal:
    if len(cells) != len(names):
        raise RecordingError(f"line {line} has {len(cells)} columns; the headings are {len(names)}")
    cells = [cell.strip(" \"'") for cell in cells]
    try:
        values = np.array([float(cell.replace(",", ".") or "nan") for cell in cells[samples]])
    except ValueError:
        raise RecordingError(f"line {line} has a sample that is not one number") from None
    values = values[: len(values) - int(np.isnan(values[::-1]).argmin())]  # a shorter recording than the longest
    beside = [*range(samples.start), *range(samples.stop, len(names))]
    fields = fields_of([f"{names[column]}: {cells[column]}" for column in beside if cells[column]])
    require_no_scale(fields, overrides.unit)
    stem = names[samples.start].rstrip("0123456789")
    return RawSignal(
        values,
        stated_unit(fields, stem),
        stated_or_override_hz(fields, overrides.rate_hz),
        recorded_at(fields),
        lead_of(stem) or stated_lead(fields),
        stated_device("\n".join(value for _, value in fields)),
    )


def _separator(heading: str) -> str:
    return max(SEPARATORS, key=heading.count)


def _numbered(names: list[str]) -> slice:
    """The longest run of columns that are numbered one after the other, such as v1, v2, v3."""
    found = [_NUMBERED.fullmatch(name) for name in names]
    follows = [bool(a and b and a[1] == b[1] and int(b[2]) == int(a[2]) + 1) for a, b in pairwise(found)]
    longest, start = slice(0, 0), 0
    for at, does in enumerate([*follows, False]):
        if not does:
            if at + 1 - start > longest.stop - longest.start:
                longest = slice(start, at + 1)
            start = at + 1
    return longest


def _sniff(head: bytes) -> bool:
    heading, _, rest = head.decode("utf-8-sig", "replace").partition("\n")
    separator = _separator(heading)
    names = [name.strip(" \"'\r") for name in heading.split(separator)][: None if rest else -1]  # the last may be cut
    numbered = _numbered(names)
    is_named = not all(name.isdecimal() for name in names)  # a row of values may count by chance
    return is_named and numbered.stop - numbered.start >= FEWEST_HEADINGS


WIDE = Format(
    "wide",
    "a table of one ECG a row: columns `v1`, `v2`, ... are samples; rate, unit, lead and time from columns beside them",
    frozenset(),
    _sniff,
    parse_wide,
    each=parse_each,
)
