"""A recording as text: what Apple's Health app exports, in any language, or a bare column of numbers.

Nothing here keeps or repeats the person's name or birth date. No error shows text of the file: of the header
at most a rate's number, of the values a line that is made of numbers alone.
"""

import codecs
import re
import unicodedata

import numpy as np

from edge_ecg.contract import CONTRACT
from edge_ecg.errors import RecordingError
from edge_ecg.readers.apple_format import LOCALES
from edge_ecg.recording import Signal

_UNITS_KNOWN_BY_SIGHT = {"μv", "uv", "mv", "мкв", "мв"}  # a lone V may be anything

_PERSON_KEYS = {key.casefold() for locale in LOCALES.values() for key in (locale.name, locale.birth)}
_RATE_KEYS = {locale.rate.casefold() for locale in LOCALES.values()}
_UNIT_KEYS = {locale.unit.casefold() for locale in LOCALES.values()}
_RECORDED_KEYS = {locale.recorded.casefold() for locale in LOCALES.values()}

_NUMBER = r"(?<![-\d.,])(\d+(?:[.,]\d+)?)"
_HERTZ = r"\s*(?:hert|herc|hz|赫|ヘルツ|헤르츠|герц|гц|херц|χερτζ|هرتز|הרץ|เฮิรตซ์)"
_RATE = re.compile(_NUMBER + _HERTZ, re.IGNORECASE)
_RATE_OF_KEY = re.compile(f"{_NUMBER}(?:{_HERTZ}.*)?", re.IGNORECASE)
# Hertz in any other language: nothing else in Apple's header is three digits and a word, alone in its field.
_RATE_IN_UNKNOWN_WORDS = re.compile(r"([1-9]\d\d(?:[.,]\d+)?)\s*[^\W\d_][^\d,.;:/]{0,20}")
# The zone is Apple's, and keeps out a birth date under a key in an unknown language.
_TIME = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d"
_RECORDED_AT = re.compile(_TIME + r" ?(?:Z|[-+]\d\d:?\d\d)")
_RECORDED_AT_OF_KEY = re.compile(_TIME)

# What text that is no Unicode may be: the first in which a rate is named.
_ASIAN_ENCODINGS = ("gb18030", "big5", "shift_jis", "euc_kr")
_LEGACY_ENCODINGS = ("latin-1", *_ASIAN_ENCODINGS, "cp1251", "cp1253", "cp1255", "cp1256", "cp874")

_NUMERIC_LINE = re.compile(
    r"(?=.*(?:\d|nan|inf))(?:[-+\d.,; \t]|(?<=[\d.,])e(?=[-+\d])|nan|inf(?:inity)?)+", re.IGNORECASE
)
_PLAIN_COLUMN = re.compile(r"[-+\deE.\n]*")
_SHOWN_NUMBER = re.compile(r"[-+]?\d*\.?\d*(?:e[-+]?\d+)?", re.IGNORECASE)
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1f]")
# Before each value, where the columns are `Lead,Voltage`.
_LEAD_I = re.compile(r"^(?:lead )?I[,;\t]", re.IGNORECASE | re.MULTILINE)
_EMPTY_COLUMNS = ",;\t "  # a spreadsheet pads each line to the header's width
_SAME_CHARACTER = str.maketrans(
    {"\N{MINUS SIGN}": "-", "\N{ARABIC DECIMAL SEPARATOR}": ",", '"': None}
    | dict.fromkeys("\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}\N{ARABIC LETTER MARK}\N{BYTE ORDER MARK}")
)


def parse_apple_csv(data: bytes) -> Signal:
    """The signal in the bytes of an Apple ECG file, or of a column of numbers with any header or none.

    The values begin at the first line made of numbers, and nothing else may follow. The header is searched by
    known keys, then by structure (a number of hertz, a unit, a timestamp with its zone), in any order;
    without a rate it is 512 Hz, without a unit microvolts. A comma is a decimal mark, or follows an index
    that counts 0, 1, 2: the whole file decides.
    Raises RecordingError for text without values, a line that is no finite number, and an ambiguous comma.
    """
    lines = enumerate((line.strip() for line in _decoded(data).splitlines()), 1)
    rows = {number: line for number, line in lines if line}
    start = next((number for number, line in rows.items() if _NUMERIC_LINE.fullmatch(_plain(line))), None)
    if start is None:
        raise RecordingError("no line is a number; expected an Apple ECG file or one value a line")
    fields = _fields([_plain(line).strip() for number, line in rows.items() if number < start])
    values = _values({number: line for number, line in rows.items() if number >= start})
    return Signal(values, _unit(fields), _sample_rate_hz(fields), _recorded_at(fields))


def names_a_rate(head: bytes) -> bool:
    """Whether the beginning of a file names a sample rate in hertz, as an Apple ECG does within its header."""
    try:
        return _named_rate(_header_fields(_decoded(head, whole=False))) is not None
    except RecordingError:
        return False


def _decoded(data: bytes, whole: bool = True) -> str:
    """The text, in Unicode or an older encoding; with `whole` false, the last character may be cut."""
    encodings = ["utf-8-sig"]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif b"\0" in data:  # UTF-16 without its mark: the zero of a digit comes second, or first
        encodings = ["utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"]
    text = _in_encoding(data, encodings[0], whole)
    if text is None:
        texts = filter(None, (_in_encoding(data, encoding, whole) for encoding in _LEGACY_ENCODINGS))
        # Without a rate any will do: the numbers are ASCII, and they are all that is needed.
        text = next((t for t in texts if _named_rate(_header_fields(t))), data.decode("latin-1"))
    if _BINARY.search(text):
        raise RecordingError("holds binary data; expected text, an Apple ECG file or one value a line")
    return text


def _in_encoding(data: bytes, encoding: str, whole: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data, final=whole)
    except UnicodeDecodeError:
        return None


def _header_fields(text: str) -> list[tuple[str, str]]:
    """The fields of the lines before the first number; a header is no longer than this."""
    lines = [_plain(line).strip() for line in text[:4096].splitlines()]
    first = next((i for i, line in enumerate(lines) if _NUMERIC_LINE.fullmatch(line)), len(lines))
    return _fields([line for line in lines[:first] if line])


def _plain(text: str) -> str:
    """One spelling for spaces, wide digits, minus and micro signs; no quotes, no marks that nobody sees."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _LEAD_I.sub("", text.translate(_SAME_CHARACTER))


def _fields(header: list[str]) -> list[tuple[str, str]]:
    """Key and value of each line, the last first; the person's lines are gone."""
    split = (re.split(r"[,;:\t]", line, maxsplit=1) for line in reversed(header))
    fields = [(field[0].strip().casefold(), field[-1].strip()) for field in split]
    return [(key, value) for key, value in fields if key not in _PERSON_KEYS]


def _sample_rate_hz(fields: list[tuple[str, str]]) -> float:
    named = next((value for key, value in fields if key in _RATE_KEYS and value), None)
    if named is not None:
        found = _RATE_OF_KEY.fullmatch(named)
        if not found:
            raise RecordingError("sample rate is not a number of hertz; expected it as in '512 hertz'")
    else:
        found = _named_rate(fields)
        found = found or next(filter(None, (_RATE_IN_UNKNOWN_WORDS.fullmatch(value) for _, value in fields)), None)
    return float(found[1].replace(",", ".")) if found else float(CONTRACT.sample_rate_hz)


def _named_rate(fields: list[tuple[str, str]]) -> re.Match[str] | None:
    """A number of hertz, in a word that is known."""
    return next(filter(None, (_RATE.search(value) for _, value in fields)), None)


def _unit(fields: list[tuple[str, str]]) -> str:
    named = next((value for key, value in fields if key in _UNIT_KEYS and value), None)
    last_words = (re.findall(r"[^\W\d_]+", value)[-1:] for _, value in fields)
    seen = next((word for words in last_words for word in words if word.casefold() in _UNITS_KNOWN_BY_SIGHT), "µV")
    return named or seen


def _recorded_at(fields: list[tuple[str, str]]) -> str | None:
    found = next(filter(None, (_RECORDED_AT.search(value) for _, value in fields)), None)
    named = (_RECORDED_AT_OF_KEY.fullmatch(value) for key, value in fields if key in _RECORDED_KEYS)
    found = found or next(filter(None, named), None)
    return found[0] if found else None


def _values(rows: dict[int, str]) -> np.ndarray:
    """The numbers of the lines, keyed by line number: at once where they are plain, else with patience."""
    body = "\n".join(rows.values())
    try:
        if not _PLAIN_COLUMN.fullmatch(body):
            raise ValueError
        values = np.fromiter(map(float, rows.values()), dtype=np.float64)
    except ValueError:
        plain = (row.rstrip(_EMPTY_COLUMNS) for row in _plain(body).split("\n"))
        values = _patient_values(dict(zip(rows, plain, strict=True)))
    finite = np.isfinite(values)
    if not finite.all():
        first = int(finite.argmin())
        raise RecordingError(f"line {list(rows)[first]} is {values[first]}, not a finite number")
    return values


def _patient_values(rows: dict[int, str]) -> np.ndarray:
    """The numbers of lines with decimal commas or an index, or the error that names the first bad line."""
    column = _without_index(rows)
    has_points = any("." in row for row in column.values())
    values = []
    for number, row in column.items():
        if not _NUMERIC_LINE.fullmatch(rows[number]):
            raise RecordingError(f"line {number} is text, and the values began before it")
        if has_points and "," in row:
            raise RecordingError(f"line {number}{_shown(rows[number])} has a comma; others have points")
        try:
            values.append(_number(row))
        except ValueError:
            raise RecordingError(f"line {number}{_shown(rows[number])} is not one number") from None
    return np.array(values, dtype=np.float64)


def _without_index(rows: dict[int, str]) -> dict[int, str]:
    """The lines without a first column that counts from 0 or 1; all of each line where there is none."""
    for separator in ";\t, ":
        if not any(separator in row for row in rows.values()):
            continue
        columns = {number: row.partition(separator) for number, row in rows.items()}
        try:
            first = np.array([_number(first) for first, _, _ in columns.values()])
        except ValueError:
            continue
        if not _climbs(first):
            continue
        counts = first == np.arange(len(first)) + (first[0] == 1)
        if counts.all():
            return {number: rest for number, (_, _, rest) in columns.items()}
        number = list(rows)[int(counts.argmin())]
        raise RecordingError(
            f"line {number}{_shown(rows[number])} may be two columns or one number: "
            "the first part climbs from line to line, but does not count 0, 1, 2"
        )
    return rows


def _climbs(column: np.ndarray) -> bool:
    """Whether nearly all steps go up, as in an index or in times, even damaged ones; in an ECG half do."""
    with np.errstate(invalid="ignore"):
        return len(column) > 1 and bool(np.mean(np.diff(column) > 0) > 0.9)


def _number(text: str) -> float:
    if "_" in text:  # Python takes 1_000 for a number
        raise ValueError
    return float(text.replace(",", "."))


def _shown(row: str) -> str:
    """The line for an error message, if it can be nothing but numbers (a date, say, is not)."""
    numbers = all(_SHOWN_NUMBER.fullmatch(part) for part in re.split(r"[,;\t]\s*", row))
    return f" ({row[:20]!r})" if numbers else ""
