"""A recording as text: what Apple's Health app exports, in any language, a column of numbers, or a table of them.

Nothing here keeps or repeats the person's name or birth date. No error shows text of the file: of the header
at most a rate's number, of the values a line that is made of numbers alone.
"""

import codecs
import re
import unicodedata

from edge_ecg.errors import RecordingError
from edge_ecg.readers.columns import Rows, is_plain, is_row, number_of_channels, signal_of
from edge_ecg.readers.format import Content, Format, lead_of
from edge_ecg.readers.header import (
    fields_of,
    names_a_rate,
    recorded_at,
    stated_device,
    stated_lead,
    stated_or_override_hz,
    stated_unit,
)
from edge_ecg.recording import Overrides, RawSignal

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
    a rate or column that can't be told.
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
        raise RecordingError("holds binary data; expected text, an Apple ECG file or one value a line")
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
