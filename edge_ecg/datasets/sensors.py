"""Readings of a glucose sensor, or of anything else that is measured beside ECGs: a table of formats, as of recordings.

LibreView, Dexcom Clarity and other tables are known by the structure of their headings, which survives translation.
A file names its owner: no error repeats its text.
"""

import csv
import io
import json
import re
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edge_ecg.datasets.clock import Stamps, recording_stamp, stamps_of
from edge_ecg.datasets.health_export import Progress, health_chunks, health_records, is_health_export
from edge_ecg.errors import DatasetError
from edge_ecg.storage.files import plain_handle, read_small_file

MOST_BYTES = 64_000_000  # of a table or JSON: five years of readings a minute apart
MOST_HEADER_ROWS = 60
MMOL_PER_MG_DL = 10 / 180.1558800000541  # the molar mass that Apple's unit names
# What a sensor writes beyond its range, 40 to 400 mg/dL, in many languages; the values are those of Dexcom's interface.
LOW = {"low", "lo", "niedrig", "bas", "bajo", "basso", "laag", "lav", "låg", "baixo", "低"}
HIGH = {"high", "hi", "hoch", "haut", "élevé", "alto", "hoog", "høj", "hög", "高"}
LOW_MG_DL, HIGH_MG_DL = 39.0, 401.0
CLEAR_OF_BOTH = (33.3, 36.0)  # no sensor shows 33.3 mmol/L (600 mg/dL) or more, nor 36 mg/dL or less
ERROR_MG_DL = 39.0  # Nightscout's values below are codes of errors
GLUCOSE_EVENTS = {"egv", "egw"}  # Clarity's estimated glucose value; its German heading

_TIME_HEADING = re.compile(
    r"time|date|stamp|zeit|datum|horodat|heure|fecha|hora|tijd|tid\b|tempo|时间|時間|日期|время|дата"
)
_NUMBER = re.compile(r"([-+]?\d+(?:[.,]\d+)?)\s*(\D{0,20})")
_THOUSANDS = re.compile(r"[-+]?\d{1,3},\d{3}")
_IN_BRACKETS = re.compile(r"[\[(]\s*([^\])]{1,20}?)\s*[\])]")
_CLARITY_TIME = re.compile(r"\(\w{4}-\w{2}-\w{2}.{0,4}?hh:mm:ss\)")


@dataclass(frozen=True)
class Quantity:
    """Quantity that a sensor measures."""

    name: str
    heading: re.Pattern[str]  # of its column, in lower case
    health_type: str  # in Apple's export.xml
    unit: str = ""  # that values are converted to; empty: the one that the file states
    per_unit: dict[str, float] = field(default_factory=dict)  # of each unit in lower case, how many of `unit`
    plausible: tuple[float, float] = (-np.inf, np.inf)  # of a median

    def in_unit(self, stated: str, values: np.ndarray, source: str) -> tuple[np.ndarray, str]:
        """The values in the quantity's unit. Raises DatasetError for a unit that is not known."""
        if not self.per_unit:
            return values, stated
        scale = self.per_unit.get(re.sub(r"<[^>]*>|\s", "", stated).casefold())
        if scale is None:
            known = " or ".join(dict.fromkeys(("mg/dL", self.unit)))
            raise DatasetError(f"{source}: has {self.name} in a unit that is not known; expected {known}")
        return values * scale, self.unit


GLUCOSE = Quantity(
    "glucose",
    re.compile(r"glu[ck]|gl[iy][ck]|sgv|\bbg\b|blutzucker|blood sugar|sensor reading|血糖|葡萄糖|глюкоз"),
    "HKQuantityTypeIdentifierBloodGlucose",
    "mmol/L",
    {
        **dict.fromkeys(("mmol/l", "mmol", "毫摩尔/升", "ммоль/л"), 1.0),
        **dict.fromkeys(("mg/dl", "mg", "毫克/分升", "мг/дл"), MMOL_PER_MG_DL),
    },
    (1.5, 35.0),
)
_HEALTH_TYPES = {"temperature": "BodyTemperature", "saturation": "OxygenSaturation"}


def quantity_of(name: str) -> Quantity:
    """The quantity of that name. Raises DatasetError for a name that is none."""
    if not re.fullmatch(r"[A-Za-z]\w{1,39}", name):
        raise DatasetError(f"--measured has {name[:40]!r}; expected NAME=PATH, such as ketones=meter.csv")
    if name.casefold() == GLUCOSE.name:
        return GLUCOSE
    stem = name.casefold().removesuffix("s")
    return Quantity(name, re.compile(re.escape(stem)), f"HKQuantityTypeIdentifier{_HEALTH_TYPES.get(name, name)}")


@dataclass(frozen=True)
class Readings:
    """Contents of one file."""

    stamps: Stamps  # (n,)
    values: np.ndarray  # (n,)
    unit: str
    source: str  # the file's name, as the user gave it
    format: str
    skipped: Counter[str]  # rows that are no reading, by reason


@dataclass(frozen=True)
class SensorFile:
    """One file with its overrides."""

    path: Path
    quantity: Quantity
    date_order: str | None
    progress: Progress

    def text(self) -> str:
        """All of it. Raises DatasetError."""
        data = read_small_file(self.path, MOST_BYTES, DatasetError)
        for encoding in ("utf-16", "utf-8-sig") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                continue
        return data.decode("latin-1")

    def readings(
        self, form: str, stamps: Stamps, values: np.ndarray, unit: str, skipped: Counter[str] | None = None
    ) -> Readings:
        """The values read, in the quantity's unit. Raises DatasetError for none, and for values of another unit."""
        name = self.quantity.name
        if not len(values):
            reasons = "".join(f"; {count} {reason}" for reason, count in (skipped or {}).items())
            raise DatasetError(f"{self.path}: {form} without a reading of {name}{reasons}")
        values, unit = self.quantity.in_unit(unit, values, str(self.path))
        least, most = self.quantity.plausible
        if not least <= np.median(values) <= most:
            median = float(np.median(values))
            raise DatasetError(f"{self.path}: {name} is {median:.3g} {unit} in the median; its unit can't be right")
        return Readings(stamps, values, unit, str(self.path), form, skipped or Counter())


def read_health_export(file: SensorFile) -> Readings:
    """Apple's `export.xml`, alone or in the phone's zip."""
    quantity = file.quantity
    walls, offsets, values, units = array("d"), array("d"), array("d"), set[str]()
    skipped = Counter[str]()
    with health_chunks(file.path, file.progress) as chunks:
        for record in health_records(chunks, quantity.health_type, file.path):
            stamp = recording_stamp(record.get("startDate", ""))
            try:
                value = float(record.get("value", ""))
            except ValueError:
                value = np.nan
            if stamp is None or stamp[1] is None or not np.isfinite(value):
                skipped["without a time or a number"] += 1
                continue
            (converted,), unit = quantity.in_unit(record.get("unit", ""), np.array([value]), str(file.path))
            units.add(unit)
            walls.append(stamp[0])
            offsets.append(stamp[1])
            values.append(converted)
    if len(units) > 1:
        raise DatasetError(f"{file.path}: has {quantity.name} in several units: {', '.join(sorted(units))}")
    stamps = Stamps(np.array(walls), np.array(offsets))
    return file.readings("Apple's export.xml", stamps, np.array(values), units.pop() if units else "", skipped)


def read_nightscout(file: SensorFile) -> Readings:
    """Nightscout's entries, as its API or mongoexport writes them: `sgv` or `mbg` in mg/dL, `date` in milliseconds."""
    entries = _entries(file)
    times, values, skipped = [], [], Counter[str]()
    for entry in entries:
        value = next((entry[key] for key in ("sgv", "mbg") if isinstance(entry.get(key), int | float)), None)
        time = next((_plain_json(entry[key]) for key in ("date", "mills", "dateString") if entry.get(key)), None)
        if value is None or time is None:
            skipped["other entries"] += 1
            continue
        scale = 1 / MMOL_PER_MG_DL if str(entry.get("units", "")).casefold().startswith("mmol") else 1.0
        if value * scale < ERROR_MG_DL:
            skipped["errors of the sensor"] += 1
            continue
        times.append(f"{time:.0f}" if isinstance(time, float) else str(time))
        values.append(value * scale)
    numbers = [time.isdigit() for time in times]
    stamps = Stamps(np.zeros(len(times)), np.zeros(len(times)))
    for kind in {*numbers}:  # one file may have both, of two uploaders
        kept = np.array(numbers) == kind
        some = stamps_of([time for time, keep in zip(times, kept, strict=True) if keep], str(file.path))
        if some.offset_s is None:
            raise DatasetError(f"{file.path}: has entries whose time states no zone; expected `date` in milliseconds")
        stamps.wall_s[kept] = some.wall_s - some.offset_s
    return file.readings("Nightscout", stamps, np.array(values), "mg/dL", skipped)


def _entries(file: SensorFile) -> list[dict[str, Any]]:
    text = file.text()
    try:
        try:
            content = json.loads(text)
        except json.JSONDecodeError:
            content = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        raise DatasetError(f"{file.path}: is not JSON as Nightscout writes it") from None
    if isinstance(content, dict):
        content = content.get("result") or content.get("entries") or [content]
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise DatasetError(f"{file.path}: expected Nightscout's list of entries with sgv and date")
    return content


def _plain_json(value: Any) -> Any:
    """A number, also as mongoexport writes one: `{"$numberLong": "1700188357089"}`."""
    return next(iter(value.values()), None) if isinstance(value, dict) else value


class Table(NamedTuple):
    """Rows below a line of headings."""

    header: list[str]
    rows: list[tuple[int, list[str]]]  # with the number of their line
    above: str  # the text above the headings, and these


def _table(text: str, is_header: Callable[[list[str]], bool]) -> Table | None:
    """The table of a text, at the first row that is its headings, whatever separates its cells."""
    for delimiter in ",;\t|":
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            cells = [(reader.line_num, _trimmed(row)) for row in islice(reader, MOST_HEADER_ROWS)]
            number = next((number for number, (_, row) in enumerate(cells) if is_header(row)), None)
            if number is None:
                continue
            cells += [(reader.line_num, _trimmed(row)) for row in reader]
        except csv.Error:
            continue
        above = "\n".join(" ".join(row) for _, row in cells[: number + 1])
        return Table(cells[number][1], [row for row in cells[number + 1 :] if any(row[1])], above)
    return None


def _trimmed(cells: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in cells]


def _glucose_unit(heading: str) -> str | None:
    return next(
        (unit for unit in GLUCOSE.per_unit if "/" in unit and unit in heading.casefold().replace(" ", "")), None
    )


def _libre_columns(header: list[str]) -> int | None:
    """Start of LibreView's two columns of glucose, historic and scanned, after time and type of record."""
    units = [_glucose_unit(heading) is not None for heading in header]
    return next((place for place in range(2, len(units) - 1) if units[place] and units[place + 1]), None)


def read_libreview(file: SensorFile) -> Readings:
    """LibreView in any language: record type 0 is historic, 1 a scan; a line with the owner's name above."""
    table = _table(file.text(), lambda cells: _libre_columns(cells) is not None)
    place = table and _libre_columns(table.header)
    assert table is not None
    assert place is not None
    rows, skipped = [], Counter[str]()
    for number, cells in table.rows:
        kind = cells[place - 1] if len(cells) > place + 1 else ""
        text = cells[place + int(kind)] if kind in ("0", "1") else ""
        if text:
            rows.append((number, cells[place - 2], text))
        else:
            skipped["rows of other records"] += 1
    return _readings(file, "LibreView", rows, _glucose_unit(table.header[place]) or "", table.above, skipped)


def _is_libreview(file: SensorFile) -> bool:
    table = _table(file.text(), lambda cells: _libre_columns(cells) is not None)
    place = table and _libre_columns(table.header)
    if file.quantity is not GLUCOSE or table is None or place is None:
        return False
    kinds = {cells[place - 1] for _, cells in table.rows if len(cells) > place}
    return bool(kinds) and all(kind.isdigit() for kind in kinds)


def _is_clarity_header(cells: list[str]) -> bool:
    return len(cells) > 5 and bool(_CLARITY_TIME.search(cells[1]))


def read_clarity(file: SensorFile) -> Readings:
    """Dexcom Clarity in any language: rows of the event EGV; rows without a time above them name the owner."""
    table = _table(file.text(), _is_clarity_header)
    assert table is not None
    place = next((place for place, heading in enumerate(table.header) if _glucose_unit(heading)), None)
    if place is None:
        raise DatasetError(f"{file.path}: Dexcom Clarity without a column of glucose in mg/dL or mmol/L")
    rows, skipped = [], Counter[str]()
    for number, cells in table.rows:
        if len(cells) > place and cells[1] and cells[2].casefold() in GLUCOSE_EVENTS and cells[place]:
            rows.append((number, cells[1], cells[place]))
        else:
            skipped["rows of other events"] += 1
    unit = _glucose_unit(table.header[place]) or ""
    return _readings(file, "Dexcom Clarity", rows, unit, table.above, skipped)


def read_table(file: SensorFile) -> Readings:
    """Any table with a column of times and one of the quantity, whose heading or cells name its unit."""
    table = _table(file.text(), lambda cells: bool(_columns(file.quantity, cells)))
    found = table and _columns(file.quantity, table.header)
    if table is None or not found:
        raise DatasetError(
            f"{file.path}: expected a heading of times and one of {file.quantity.name}, such as "
            f"'time,{file.quantity.name} {file.quantity.unit or '(unit)'}'"
        )
    times, values = found
    if len(values) > 1:
        named = ", ".join(table.header[place][:40] for place in values)
        raise DatasetError(f"{file.path}: has several columns of {file.quantity.name}: {named}; leave one")
    heading, rows, skipped = table.header[values[0]], [], Counter[str]()
    for number, cells in table.rows:
        at = " ".join(cells[place] for place in times if place < len(cells)).strip()
        if len(cells) > values[0] and at and cells[values[0]]:
            rows.append((number, at, cells[values[0]]))
        else:
            skipped["rows without a value"] += 1
    named_unit = next((place for place, cell in enumerate(table.header) if cell.casefold() in ("unit", "units")), None)
    if named_unit is not None:
        unit = _one_of({cells[named_unit] for _, cells in table.rows if len(cells) > named_unit}, file)
    else:
        in_brackets = _IN_BRACKETS.search(heading)
        unit = (in_brackets and in_brackets[1]) or _glucose_unit(heading) or ""
    return _readings(file, "a table", rows, unit, table.above, skipped)


def _columns(quantity: Quantity, header: list[str]) -> tuple[list[int], list[int]] | None:
    """Columns of times (a date and a time of day maybe) and of the quantity; None if these are no such headings."""
    if any(re.search(r"\d{4}", heading) for heading in header):
        return None  # a row of values
    names = [heading.casefold() for heading in header]
    values = [place for place, name in enumerate(names) if quantity.heading.search(name)]
    times = [place for place, name in enumerate(names) if _TIME_HEADING.search(name) and place not in values]
    whole = [place for place in times if re.search(r"stamp|datetime|date.*time|datum.*zeit|horodat", names[place])]
    return (whole[:1] or times[:2], values) if times and values else None


def _one_of(units: set[str], file: SensorFile) -> str:
    if len(units) > 1:
        raise DatasetError(f"{file.path}: has {len(units)} units in its column of units; expected one")
    return next(iter(units), "")


def _readings(
    file: SensorFile,
    form: str,
    rows: Sequence[tuple[int, str, str]],  # number of the line, time, value
    unit: str,
    header: str,
    skipped: Counter[str],
) -> Readings:
    """The readings in the rows of a table. Raises DatasetError for a value that is no clear number, or without unit."""
    if not rows:
        return file.readings(form, Stamps(np.zeros(0), None), np.zeros(0), unit, skipped)
    values, beyond_mg_dl, cell_units = np.zeros(len(rows)), np.zeros(len(rows)), set[str]()
    for place, (number, _, text) in enumerate(rows):
        found = _NUMBER.fullmatch(text)
        if file.quantity is GLUCOSE and text.casefold() in LOW | HIGH:
            beyond_mg_dl[place] = LOW_MG_DL if text.casefold() in LOW else HIGH_MG_DL
        elif not found or (file.quantity is not GLUCOSE and _THOUSANDS.fullmatch(found[1])):
            raise DatasetError(f"{file.path}: line {number} has no clear number for {file.quantity.name}")
        else:
            values[place] = float(found[1].replace(",", "."))
            cell_units.add(found[2].strip())
    unit = unit or _one_of(cell_units - {""}, file) or _proved_unit(file, values[beyond_mg_dl == 0])
    if beyond_mg_dl.any():
        in_file_units, _ = GLUCOSE.in_unit(unit, np.ones(1), str(file.path))
        values = np.where(beyond_mg_dl > 0, beyond_mg_dl * MMOL_PER_MG_DL / in_file_units, values)
    stamps = stamps_of([at for _, at, _ in rows], str(file.path), header, file.date_order)
    return file.readings(form, stamps, values, unit, skipped)


def _proved_unit(file: SensorFile, values: np.ndarray) -> str:
    """The unit of glucose whose numbers are of one unit only. Raises DatasetError for any other."""
    if file.quantity is GLUCOSE and len(values) and (values < CLEAR_OF_BOTH[0]).all():
        return "mmol/L"
    if file.quantity is GLUCOSE and len(values) and (values > CLEAR_OF_BOTH[1]).all():
        return "mg/dL"
    raise DatasetError(f"{file.path}: states no unit of {file.quantity.name}; put it into the heading, in brackets")


@dataclass(frozen=True)
class SensorFormat:
    """One format: how its files are known, and what reads them."""

    name: str
    describes: str  # a line for the documentation
    matches: Callable[[SensorFile, bytes], bool]  # of the file and its first 4096 bytes
    read: Callable[[SensorFile], Readings]  # raises DatasetError


SENSOR_FORMATS = (
    SensorFormat(
        "Apple Health",
        "`export.xml`, alone or in the phone's `export.zip`, as a stream",
        lambda _, head: is_health_export(head),
        read_health_export,
    ),
    SensorFormat(
        "Nightscout",
        "JSON of its entries: `sgv` or `mbg` with `date`",
        lambda _, head: head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"[", b"{"),
        read_nightscout,
    ),
    SensorFormat(
        "LibreView",
        "its CSV in any language, mg/dL or mmol/L: historic readings and scans",
        lambda file, _: _is_libreview(file),
        read_libreview,
    ),
    SensorFormat(
        "Dexcom Clarity",
        "its CSV in any language, mg/dL or mmol/L: EGV rows; `Low` and `High` are 39 and 401 mg/dL",
        lambda file, _: _table(file.text(), _is_clarity_header) is not None,
        read_clarity,
    ),
    SensorFormat(
        "table",
        "a heading of times (or of dates and times of day) and one of the quantity with its unit",
        lambda _file, _head: True,
        read_table,
    ),
)


def read_sensor(
    path: Path,
    quantity: Quantity = GLUCOSE,
    date_order: str | None = None,
    progress: Progress = lambda chunks, _: chunks,
) -> Readings:
    """The readings of a quantity in a file, by the first format that matches.

    date_order: `dmy` or `mdy`, of dates that prove neither. Raises DatasetError for a file that can't be read, that
    holds no reading, or whose numbers, units or dates are not clear.
    """
    file = SensorFile(path, quantity, date_order, progress)
    try:
        with open(plain_handle(path, DatasetError), "rb") as stream:  # noqa: PTH123
            head = stream.read(4096)
        return next(form for form in SENSOR_FORMATS if form.matches(file, head)).read(file)
    except OSError as error:
        raise DatasetError(f"{path}: can't be read: {error.strerror or type(error).__name__}") from None
