"""A recording as text: what Apple's Health app exports, in any language, or a bare column of numbers.

Nothing here keeps or repeats the person's name or birth date. No error shows text of the file: of the header
at most a rate's number and a unit's one word, of the values a line that is made of numbers alone.
"""

import codecs
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge_ecg.contract import CONTRACT
from edge_ecg.errors import RecordingError


class Signal(NamedTuple):
    """What a file says, before it is judged and converted to microvolts."""

    values: np.ndarray
    unit: str = "µV"
    sample_rate_hz: float = CONTRACT.sample_rate_hz
    recorded_at: str | None = None


@dataclass(frozen=True)
class Locale:
    """The words and the decimal mark that one language and region put into the file."""

    name: str
    birth: str
    recorded: str
    classification: str
    sinus_rhythm: str
    symptoms: str
    software: str
    device: str
    rate: str
    lead: str
    lead_i: str
    unit: str
    hertz: str  # as it follows the number, its space included
    decimal: str


_ENGLISH = Locale(
    "Name", "Date of Birth", "Recorded Date", "Classification", "Sinus Rhythm", "Symptoms",
    "Software Version", "Device", "Sample Rate", "Lead", "Lead I", "Unit", " hertz", ".",
)  # fmt: skip

# Keys from real exports; in Chinese only name, date and rate are. Other languages are read by structure.
LOCALES = {
    "en": _ENGLISH,
    "en-DE": replace(_ENGLISH, hertz="\N{NO-BREAK SPACE}hertz", decimal=","),
    "de": Locale(
        "Name", "Geburtstag", "Aufzeichnungsdatum", "Klassifizierung", "Sinusrhythmus", "Symptome",
        "Softwareversion", "Gerät", "Messrate", "Ableitung", "Ableitung I", "Einheit",
        "\N{NO-BREAK SPACE}hertz", ",",
    ),
    "zh": Locale(
        "姓名", "出生日期", "记录日期", "分类", "窦性心律", "症状",
        "软件版本", "设备", "采样率", "导联", "导联 I", "单位", "赫兹", ".",
    ),
}  # fmt: skip

MICROVOLTS_PER = {
    **dict.fromkeys(("μv", "uv", "microvolt", "microvolts", "mikrovolt", "微伏"), 1.0),
    **dict.fromkeys(("mv", "millivolt", "millivolts", "毫伏"), 1e3),
    **dict.fromkeys(("v", "volt", "volts", "伏"), 1e6),
}  # keys are casefolded, which makes the micro sign the Greek letter
_UNITS_KNOWN_BY_SIGHT = {"μv", "uv", "mv"}  # a lone V may be anything

_PERSON_KEYS = {key.casefold() for locale in LOCALES.values() for key in (locale.name, locale.birth)}
_RATE_KEYS = {locale.rate.casefold() for locale in LOCALES.values()}
_UNIT_KEYS = {locale.unit.casefold() for locale in LOCALES.values()}

_NUMBER = r"(?<![-\d.,])(\d+(?:[.,]\d+)?)"
_HERTZ = r"\s*(?:hertz|herc|hz|赫|ヘルツ|헤르츠|герц|гц|هرتز|הרץ|เฮิรตซ์)"
_RATE = re.compile(_NUMBER + _HERTZ, re.IGNORECASE)
_RATE_OF_KEY = re.compile(f"{_NUMBER}(?:{_HERTZ}.*)?", re.IGNORECASE)
# The zone is Apple's, and keeps out a birth date under a key in an unknown language.
_RECORDED_AT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d ?(?:Z|[-+]\d\d:?\d\d)")

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


def write_apple_csv(
    path: str | Path,
    samples_uv: Sequence[float] | np.ndarray,
    sample_rate_hz: float,
    recorded_at: datetime | str,
    locale: str = "en",
    name: str = "Synthetic Person",
) -> None:
    """Write a recording as Apple's Health app would in `locale`, a key of LOCALES; for synthetic people.

    As in Apple's files, numbers have up to three decimals, no zeros at the end. A time without a zone is UTC.
    Raises RecordingError for an unknown locale.
    """
    if locale not in LOCALES:
        raise RecordingError(f"locale is {locale!r}; expected one of {', '.join(LOCALES)}")
    words = LOCALES[locale]
    if isinstance(recorded_at, datetime):
        recorded_at = f"{recorded_at:%Y-%m-%d %H:%M:%S} " + (f"{recorded_at:%z}" or "+0000")
    lines = [
        f"{words.name},{''.join(filter(str.isprintable, name))}",
        f'{words.birth},"Synthetic Date"',
        f"{words.recorded},{recorded_at}",
        f"{words.classification},{words.sinus_rhythm}",
        f"{words.symptoms},",
        f"{words.software},1.90",
        f'{words.device},"Watch0,0"',
        f"{words.rate},{_written(sample_rate_hz, words.decimal)}{words.hertz}",
        "",
        "",
        f"{words.lead},{words.lead_i}",
        f"{words.unit},µV",
        "",
        *(_written(value, words.decimal) for value in np.asarray(samples_uv, dtype=np.float64)),
    ]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _written(value: float, decimal: str) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".").replace(".", decimal)


def _decoded(data: bytes) -> str:
    """UTF-8 or UTF-16; what is neither has its numbers in ASCII, and they are all that is needed of it."""
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            text = data.decode("utf-16")
        elif b"\0" in data:  # UTF-16 without its mark: the zero of a digit comes second, or first
            text = data.decode("utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be")
        else:
            text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if _BINARY.search(text):
        raise RecordingError("holds binary data; expected text, an Apple ECG file or one value a line")
    return text


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
        found = next(filter(None, (_RATE.search(value) for _, value in fields)), None)
    return float(found[1].replace(",", ".")) if found else float(CONTRACT.sample_rate_hz)


def _unit(fields: list[tuple[str, str]]) -> str:
    named = next((value for key, value in fields if key in _UNIT_KEYS and value), None)
    last_words = (re.findall(r"[^\W\d_]+", value)[-1:] for _, value in fields)
    seen = next((word for words in last_words for word in words if word.casefold() in _UNITS_KNOWN_BY_SIGHT), "µV")
    return named or seen


def _recorded_at(fields: list[tuple[str, str]]) -> str | None:
    found = next(filter(None, (_RECORDED_AT.search(value) for _, value in fields)), None)
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
        if has_points and "," in row:
            raise RecordingError(f"line {number}{_shown(rows[number])} has a comma; others have points")
        try:
            values.append(_number(row))
        except ValueError:
            if not _NUMERIC_LINE.fullmatch(rows[number]):
                raise RecordingError(f"line {number} is text, and the values began before it") from None
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
