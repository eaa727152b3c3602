"""Times of a sensor's file on the clock of the recordings: order of day and month, time zone. Nothing is guessed.

What the data prove is used, such as a 13 that can be no month; what only the user knows is asked for.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np

from edge_ecg.errors import DatasetError
from edge_ecg.readers.header import recorded_at_in

DATE_ORDERS = ("dmy", "mdy")
MANY_READINGS = 24  # of a day: more than a person makes by hand
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMERIC_DATE = re.compile(r"(?<![\d.:/-])(\d\d?)([-/])(\d\d?)\2(\d{4})(?!\d)")
# As nearly all sensors write it, and six times as fast as the general reader.
_PLAIN = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)[ T](\d\d?):(\d\d)(?::(\d\d))?(?: ?([AaPp])[Mm])?(?: ?(Z|[-+]\d\d:?\d\d))?"
)
_OFFSET = re.compile(r"([-+])(\d\d?):?(\d\d)?")
_UTC = re.compile(r"\s?(?:UTC|GMT)\s?(?:([-+])(\d\d?)(?::?(\d\d))?)?\s*$")
_SHOWN = re.compile(r"[-\d/.: T]{4,40}(?:[AaPp][Mm])?")  # what an error may repeat: other text may be a name
_SINCE_1970 = ((1e8, 1e10, 1), (1e11, 1e13, 1000))  # from 1973 to 2286: seconds and milliseconds do not overlap


class Stamps(NamedTuple):
    """Times as a file states them."""

    wall_s: np.ndarray  # (n,) seconds since 1970 on the clock's own face
    offset_s: np.ndarray | None  # (n,) that face less UTC; None if the file states no zone

    def __getitem__(self, kept: np.ndarray) -> "Stamps":  # type: ignore[override]
        return Stamps(self.wall_s[kept], None if self.offset_s is None else self.offset_s[kept])


def stamps_of(texts: Sequence[str], source: str, header: str = "", date_order: str | None = None) -> Stamps:
    """The times in a column of texts: dates with a time of day, or seconds or milliseconds since 1970.

    header: other text of the file, whose dates may prove the order of day and month. Raises DatasetError for a text
    that is no time, an order that nothing proves, and a zone that only some of the texts state.
    """
    if all(text.replace(".", "", 1).isdigit() for text in texts):
        counts = np.array(texts, float)
        for least, below, per_second in _SINCE_1970:
            if ((counts >= least) & (counts < below)).all():
                return Stamps(counts / per_second, np.zeros(len(counts)))
    day_comes_first = _day_comes_first(texts, source, header, date_order)
    walls, offsets = [], []
    for text in texts:
        stamp = _stamp(text.strip(), day_comes_first)
        if stamp is None:
            shown = repr(text) if _SHOWN.fullmatch(text) else "a text"
            raise DatasetError(f"{source}: has {shown} for a time; expected a date and a time of day")
        walls.append(stamp[0])
        offsets.append(stamp[1])
    stated = [offset for offset in offsets if offset is not None]
    if stated and len(stated) < len(texts):
        raise DatasetError(f"{source}: states a time zone for {len(stated)} of its {len(texts)} times only")
    return Stamps(np.array(walls), np.array(stated) if stated else None)


def _day_comes_first(texts: Sequence[str], source: str, header: str, date_order: str | None) -> bool:
    """The order of dates such as 03-04-2024: proved by a number above 12 or by days in a row, or stated."""
    found = [_NUMERIC_DATE.match(text) for text in texts] + list(_NUMERIC_DATE.finditer(header))
    dates = Counter((int(match[4]), int(match[1]), int(match[3])) for match in found if match)  # with how many readings
    proved = {"dmy" for _, first, _ in dates if first > 12} | {"mdy" for _, _, second in dates if second > 12}
    if date_order:
        proved.add(date_order)
    if len(proved) > 1:
        stated = f", and --date-order states {date_order}" if date_order else " and dates with the month first"
        raise DatasetError(f"{source}: has dates with the {'month' if date_order == 'dmy' else 'day'} first{stated}")
    if not proved and (unclear := sorted(date for date in dates if date[1] != date[2])):
        proved = _order_of_days_in_a_row([date for date, readings in dates.items() if readings >= MANY_READINGS])
        if not proved:
            raise DatasetError(
                f"{source}: nothing shows whether {unclear[0][1]:02}-{unclear[0][2]:02} is day and month or month and "
                "day; --date-order dmy or --date-order mdy states it"
            )
    return "mdy" not in proved


def _order_of_days_in_a_row(dates: Sequence[tuple[int, int, int]]) -> set[str]:
    """The only order in which some days of a sensor that reads all day follow each other; in the other, months lie
    between them."""
    in_a_row = set()
    for order in DATE_ORDERS:
        days = {date(year, *((second, first) if order == "dmy" else (first, second))) for year, first, second in dates}
        if any(day + timedelta(days=1) in days for day in days):
            in_a_row.add(order)
    return in_a_row if len(in_a_row) == 1 else set()


def _stamp(text: str, day_comes_first: bool) -> tuple[float, float | None] | None:
    """Seconds since 1970 on the clock's face, and its offset from UTC; None for what is no time of day on a date."""
    if found := _NUMERIC_DATE.match(text):
        day, month = (found[1], found[3]) if day_comes_first else (found[3], found[1])
        text = f"{found[4]}-{month}-{day}{text[found.end() :]}"
    if not _PLAIN.fullmatch(text):
        text = _UTC.sub(lambda utc: f" {utc[1] or '+'}{(utc[2] or '00').zfill(2)}:{utc[3] or '00'}", text)
        text = recorded_at_in(text) or ""
    plain = _PLAIN.fullmatch(text)
    if not plain:
        return None
    hour = int(plain[4])
    if plain[7]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (plain[7] in "pP")
    try:
        day = int(plain[1]), int(plain[2]), int(plain[3])
        wall = datetime(*day, hour, int(plain[5]), int(plain[6] or 0), tzinfo=UTC)
    except ValueError:  # such as 2024-02-30
        return None
    return (wall - _EPOCH).total_seconds(), _offset_s(plain[8] or "")


def _offset_s(zone: str) -> float | None:
    """Seconds east of UTC of `+0100`, `+01:00` or `Z`; None where there is no zone."""
    if zone == "Z":
        return 0.0
    found = _OFFSET.fullmatch(zone)
    return (-1.0 if found[1] == "-" else 1.0) * (3600 * int(found[2]) + 60 * int(found[3] or 0)) if found else None


def recording_stamp(recorded_at: str) -> tuple[float, float | None] | None:
    """Seconds on the clock's face and its offset of `2024-03-01 08:03:00 +0100`; None without a time of day."""
    return _stamp(recorded_at, day_comes_first=True)


@dataclass(frozen=True)
class Clock:
    """Conversion of times of recordings and sensors to seconds on one axis."""

    zone: tzinfo | None  # of times that state none; None: nothing states one, and all are read off one clock face
    reason: str  # how it is known, for the user

    def seconds(self, stamps: Stamps, source: str) -> tuple[np.ndarray, np.ndarray]:
        """Seconds on the axis (n,), and which of them are known (n,): an hour that a clock repeats is not.

        Raises DatasetError for times that the zone skips, and for a stated zone where the recordings have none.
        """
        everything = np.ones(len(stamps.wall_s), bool)
        if stamps.offset_s is not None:
            if self.zone is None:
                raise DatasetError(f"{source}: states a time zone, and the recordings none; --zone states theirs")
            return stamps.wall_s - stamps.offset_s, everything
        if self.zone is None:
            return stamps.wall_s, everything
        first, second = self._offsets(stamps.wall_s)
        if (skipped := first < second).any():  # a clock that goes forward leaves an hour out
            at = datetime.fromtimestamp(float(stamps.wall_s[skipped][0]), UTC)
            raise DatasetError(f"{source}: has {at:%Y-%m-%d %H:%M}, which the clock of {self.zone} skips; --zone")
        return stamps.wall_s - first, first == second

    def seconds_of_face(self, wall_s: float) -> tuple[float, bool]:
        """The seconds of one time without a zone, and whether they are known."""
        if self.zone is None:
            return wall_s, True
        first, second = self._offsets(np.array([wall_s]))
        return float(wall_s - first[0]), bool(first[0] == second[0])

    def _offsets(self, wall_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Offset from UTC of each time, before a clock is set and after it."""
        quarters, place = np.unique(wall_s // 900, return_inverse=True)  # no zone changes within a quarter of an hour
        faces = [datetime.fromtimestamp(900 * float(quarter), UTC).replace(tzinfo=self.zone) for quarter in quarters]
        first, second = (
            np.array([(face.replace(fold=fold).utcoffset() or timedelta()).total_seconds() for face in faces])
            for fold in (0, 1)
        )
        return first[place], second[place]


def clock_of(recorded_at: Iterable[str], zone: str | None) -> Clock | None:
    """The clock of recordings, such as `2024-03-01 08:03:00 +0100`, for sensors that state no zone.

    It is `zone` where that is given, or that of the recordings where they have one: one offset, or several that are
    summer time and winter time of one place. None if the recordings moved between zones, so that only the user knows.
    """
    if zone is not None:
        return Clock(_zone(zone), f"--zone {zone}")
    stamps = [stamp for text in recorded_at if (stamp := recording_stamp(text))]
    stated = {(wall_s - offset_s, offset_s) for wall_s, offset_s in stamps if offset_s is not None}
    offsets = sorted({offset_s for _, offset_s in stated})
    if not offsets:
        return Clock(None, "one clock without a zone")
    if len(offsets) == 1:
        zone_of_all = timezone(timedelta(seconds=offsets[0]))
        return Clock(zone_of_all, f"{zone_of_all}, as all recordings")
    place = _place(stated) if len(offsets) == 2 else None
    return Clock(place, "summer and winter time, as the recordings") if place else None


def _zone(text: str) -> tzinfo:
    """The zone of a name such as Europe/Berlin, or of an offset such as +01:00. Raises DatasetError."""
    offset_s = _offset_s(text)
    try:
        return ZoneInfo(text) if offset_s is None else timezone(timedelta(seconds=offset_s))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise DatasetError(f"--zone is {text[:40]!r}; expected a name such as Europe/Berlin, or +01:00") from None


def _place(stated: set[tuple[float, float]]) -> ZoneInfo | None:
    """A zone whose clocks show the stated offsets at their times; None if no zone's do, or zones that do disagree.

    stated: seconds since 1970 and offset in seconds. They agree if they set their clocks alike from two days before
    each time to two days after it, so that any of them gives the readings near the recordings the same times.
    """
    by_day = {(instant_s // 86_400, offset_s): instant_s for instant_s, offset_s in stated}
    times = [(datetime.fromtimestamp(instant_s, UTC), offset_s) for (_, offset_s), instant_s in by_day.items()]
    steps = [timedelta(hours=hours) for hours in range(-48, 49)]
    fitting: dict[tuple[timedelta | None, ...], ZoneInfo] = {}
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        if all(_offset_at(at, zone) == timedelta(seconds=offset_s) for at, offset_s in times):
            fitting.setdefault(tuple(_offset_at(at + step, zone) for at, _ in times for step in steps), zone)
    return next(iter(fitting.values())) if len(fitting) == 1 else None


def _offset_at(at: datetime, zone: ZoneInfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()
