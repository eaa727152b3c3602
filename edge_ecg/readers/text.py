"""A recording as text: what Apple's Health app exports, in any language, a column of numbers, or a table of them.

Nothing here keeps or repeats the person's name or birth date. No error shows text of the file: of the header
at most a rate's number, of the values a line that is made of numbers alone.
"""

import codecs
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import numpy as np

from edge_ecg.errors import RecordingError
from edge_ecg.readers.columns import Rows, is_plain, is_row, number_of_channels, signal_of
from edge_ecg.readers.format import Content, Format, lead_of
from edge_ecg.readers.header import (
    fields_of,
    names_a_rate,
    recorded_at,
    require_no_scale,
    stated_device,
    stated_lead,
    stated_or_override_hz,
    stated_unit,
)
from edge_ecg.recording import FEWEST_SAMPLES, Overrides, RawSignal

# What text that is no Unicode may be: the first in which a rate is named.
_ASIAN_ENCODINGS = ("gb18030", "big5", "shift_jis", "euc_kr")
_LEGACY_ENCODINGS = ("latin-1", *_ASIAN_ENCODINGS, "cp1251", "cp1253", "cp1255", "cp1256", "cp874")
MOST_HEADER = 16_384  # characters

_BINARY = re.compile(r"[\x00-\x08\x0e-\x1f]")
_CONTROL = bytes([*range(9), *range(14, 32)])
# Before each value, where the columns are `Lead,Voltage`.
_LEAD_I = re.compile(r"^(?:lead )?I[,;\t]", re.IGNORECASE | re.MULTILINE)
_SAME_CHARACTER = str.maketrans(
    {"\N{MINUS SIGN}": "-", "\N{ARABIC DECIMAL SEPARATOR}": ",", '"': None}
    | dict.fromkeys("\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}\N{ARABIC LETTER MARK}\N{BYTE ORDER MARK}")
)


def parse_text(content: Content, overrides: Overrides) -> RawSignal:
    """The signal in an Apple ECG file, or in a column or table of numbers with any header or none.

    The values begin at the first line made of numbers, and nothing else may follow. The header is searched by known
    keys, then by structure (a number of hertz, a unit, a timestamp with its zone), in any order. A column that counts
    is an index, one that steps evenly as times would is times; a comma is a decimal mark or a separator: the whole
    file decides. Raises RecordingError for text without values, a line that is no finite number, an ambiguous comma,
    a rate or column that can't be identified.
    """
    header, rows = _parts(decoded(content.read()))
    if not rows.body.strip():
        is_xml = content.head.lstrip()[:1] == b"<"
        what = "is XML of no app that is known" if is_xml else "no line is a number"
        raise RecordingError(f"{what}; expected an Apple ECG file or one value a line")
    fields = fields_of(header)
    read = signal_of(rows, header, overrides, stated_or_override_hz(fields, overrides.rate_hz))
    unit, time = stated_unit(fields, read.heading), recorded_at(fields) or read.recorded_at
    lead = lead_of(read.heading) or stated_lead(fields)
    return RawSignal(
        read.values, unit, read.rate_hz, time, lead, stated_device("\n".join(value for _, value in fields))
    )


def sniff_text(head: bytes) -> bool:
    """Whether the beginning of a file is that of a recording: it names a rate in hertz, or one column is an ECG's."""
    try:
        header, rows = _parts(decoded(head, whole=False), whole=False)
        names = names_a_rate(fields_of(header)) and bool(rows.body.strip())
        return names or number_of_channels(rows, header) > 0
    except RecordingError:
        return False


def _parts(text: str, whole: bool = True) -> tuple[list[str], Rows]:
    """The lines above the values, and the values' rows; with `whole` false, the last row may be cut."""
    header, size = [], 0
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    for line in text[:MOST_HEADER].splitlines(keepends=True):
        plain = _plain(line).strip()
        if plain.startswith("'"):  # as PhysioNet quotes
            plain = plain.replace("'", "")
        if is_row(plain):
            break
        header.append(plain)
        size += len(line)
    else:
        size = len(text)
    body = text[size:] if whole else text[size:].rpartition("\n")[0]
    first = len(header) + 1
    if not is_plain(body):
        if _LEAD_I.match(body.lstrip('"')):
            header.insert(0, "Lead,Lead I")
        body = _plain("\n".join(body.splitlines())).replace("'", "")
    return list(filter(None, header)), Rows(body, first)


def decoded(data: bytes, whole: bool = True) -> str:
    """A file's text, in Unicode or an older encoding; with `whole` false, the last character may be cut."""
    encodings = ["utf-8-sig"]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif b"\0" in data:  # UTF-16 without its mark: the zero of a digit comes second, or first
        encodings = ["utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"]
    text = _in_encoding(data, encodings[0], whole)
    if text is None:
        texts = filter(None, (_in_encoding(data, encoding, whole) for encoding in _LEGACY_ENCODINGS))
        # Without a rate any will do: the numbers are ASCII, and they are all that is needed.
        text = next((t for t in texts if _head_names_a_rate(t)), data.decode("latin-1"))
    if len(data.translate(None, _CONTROL)) < len(data) and _BINARY.search(text):
        raise RecordingError("contains binary data; expected text, an Apple ECG file or one value per line")
    return text


def _in_encoding(data: bytes, encoding: str, whole: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data, final=whole)
    except UnicodeDecodeError:
        return None


def _head_names_a_rate(text: str) -> bool:
    return names_a_rate(fields_of(_parts(text[:4096])[0]))


def _plain(text: str) -> str:
    """One spelling for spaces, wide digits, minus and micro signs; no quotes, no invisible marks."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_SAME_CHARACTER)
    elif '"' in text:
        text = text.replace('"', "")
    return (
        _LEAD_I.sub("", text) if text[:4].lower() in ("lead", "i,", "i;") or text[:2] in ("I,", "I;", "I\t") else text
    )


TEXT = Format(
    "text",
    "Apple's ECG CSV in any language and encoding; a value a line, or a table, with any header; "
    "rate, unit and time as that states them, the rate also from a column of times",
    frozenset(),
    sniff_text,
    parse_text,
)


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
