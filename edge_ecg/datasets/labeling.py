"""Labels of imported recordings, by time of day, folder, table or hand, and the weaknesses of the resulting design."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import takewhile
from pathlib import Path, PurePath

from edge_ecg.datasets.dataset_file import FEWEST_DAYS, Origin, confounding_origins
from edge_ecg.errors import DatasetError
from edge_ecg.inference.votes import INCONCLUSIVE
from edge_ecg.storage.files import read_small_file

MOST_BYTES = 4_000_000  # of a table

FEW_DATES = 8  # below this, one date decides more than a tenth of any figure
FEWEST_DATES = FEWEST_DAYS + 2  # with both states: to learn from, one to stop by and one to test on; docs/faq.md
PART_OF_DAY_H = 4.0
LABELS_HEADER = {"file", "time", "recording", "file-or-time", "file_or_time", "name"}

_LABEL = re.compile(r"[^\W_][\w.+-]{0,39}")
_WINDOW = re.compile(r"(?P<label>[^=]+)=(?P<start>\d\d?:\d\d)-(?P<end>\d\d?:\d\d)")


@dataclass(frozen=True)
class Item:
    """One recording that can be imported."""

    name: str  # as `find_recordings` gave it
    recorded_at: str  # 2024-03-01 08:03:00 +0000
    sample_rate_hz: float
    duration_s: float
    lead: str | None = None
    device: str | None = None

    @property
    def date(self) -> str:
        """Such as 2024-03-01, on the recording's own clock."""
        return self.recorded_at[:10]

    @property
    def time(self) -> str:
        """Such as 08:03:00, on the recording's own clock; empty if only the date is known."""
        return self.recorded_at[11:19]


Labels = dict[str, str]  # of an item's name


def checked_label(label: str) -> str:
    """The label without spaces around it. Raises DatasetError if it can't be the name of a folder."""
    label = label.strip()
    if not _LABEL.fullmatch(label) or label.casefold() == INCONCLUSIVE:
        raise DatasetError(f"label is {label[:40]!r}; expected letters and digits, with - or _ but no space between")
    return label


def by_windows(items: Sequence[Item], windows: Sequence[str]) -> Labels:
    """Labels from times of day such as `fasting=06:00-09:00`; the end is not included, and may be past midnight.

    Recordings without a time of day are in no window. Raises DatasetError for a window that is written otherwise, and
    where two labels claim a recording.

    >>> by_windows([Item("a.csv", "2024-03-01 08:03:00 +0100", 512.0, 30.0)], ["fasting=06:00-09:00"])
    {'a.csv': 'fasting'}
    """
    labels: Labels = {}
    for text in windows:
        found = _WINDOW.fullmatch(text.strip())
        if not found or not all(_is_time(found[part]) for part in ("start", "end")):
            raise DatasetError(f"window is {text!r}; expected LABEL=HH:MM-HH:MM, such as fasting=06:00-09:00")
        label, start, end = checked_label(found["label"]), found["start"].zfill(5), found["end"].zfill(5)
        for item in items:
            time = item.time[:5]
            if not time:
                continue
            if (start <= time < end) if start < end else (time >= start or time < end):
                _give(labels, item, label)
    return labels


def _is_time(text: str) -> bool:
    hours, minutes = map(int, text.split(":"))
    return hours <= 24 and minutes <= 59


def by_table(items: Sequence[Item], path: Path) -> Labels:
    """Labels from a CSV file of `file-or-time,label`: a file's name or its end, or a time from the left.

    A row with an empty label leaves its recordings out; a first row with the columns' names is skipped.
    Raises DatasetError for a row that matches no recording, or a file name that matches several.
    """
    labels: Labels = {}
    for number, wanted, label in table_rows(path):
        matching = _matching(items, wanted)
        if not matching:
            raise DatasetError(f"{path}: line {number} ({wanted[:60]!r}) matches no recording")
        for item in matching if label else []:
            _give(labels, item, checked_label(label))
    return labels


def labels_by_name(path: Path) -> Labels:
    """Labels by path or file name, from the same kind of table, of recordings that are still to be found."""
    return {name: label for _, name, label in table_rows(path) if label}


def table_rows(path: Path, columns: str = "file-or-time,label") -> list[tuple[int, str, str]]:
    """The rows of a table of two columns with their numbers, without a heading and empty ones. Raises DatasetError."""
    try:
        content = read_small_file(path, MOST_BYTES, DatasetError)
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    except OSError as error:
        raise DatasetError(f"{path}: can't be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise DatasetError(f"{path}: expected a CSV file in UTF-8, {columns}") from None
    found = []
    for number, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (number == 1 and cells[0].casefold() in LABELS_HEADER):
            continue
        if len(cells) != 2 or not cells[0]:
            raise DatasetError(f"{path}: line {number} has {len(cells)} columns; expected {columns}")
        found.append((number, cells[0], cells[1]))
    return found


def _matching(items: Sequence[Item], wanted: str) -> list[Item]:
    if exact := [item for item in items if item.name == wanted]:
        return exact
    if re.match(r"\d{4}-\d\d-\d\d", wanted):
        return [item for item in items if f"{item.date} {item.time}".startswith(wanted.replace("T", " ", 1))]
    found = [item for item in items if f"/{item.name}".endswith(f"/{wanted}")]
    if len(found) > 1:
        raise DatasetError(f"{wanted[:60]!r} is the name of {len(found)} recordings; give a time, or more of the path")
    return found


def _give(labels: Labels, item: Item, label: str) -> None:
    if labels.setdefault(item.name, label) != label:
        raise DatasetError(f"{item.date} {item.time} is labeled {labels[item.name]!r} and {label!r}; expected one")


def two_labels(labels: Labels, baseline: str | None, target: str | None = None) -> tuple[str, str]:
    """The baseline and the target: the order in which labels were given, unless `baseline` or `target` names them.

    Raises DatasetError unless there are two, or both are named.
    """
    names = list(dict.fromkeys(labels.values()))
    for option, label in (("baseline", baseline), ("target", target)):
        if label is not None and label not in names:
            raise DatasetError(f"{option} is {label!r}, expected one of {', '.join(names)}")
    if baseline is not None and target is not None and baseline.casefold() != target.casefold():
        return baseline, target
    if len(names) != 2 or len({name.casefold() for name in names}) != 2:
        more = "; --baseline LABEL --target LABEL take two of them" if len(names) > 2 else ""
        found = ", ".join(names) or "none"
        raise DatasetError(f"labels that match a recording are {found}; expected two: a baseline and a target{more}")
    first = baseline or next((name for name in names if target and name != target), names[0])
    return first, next(name for name in names if name != first)


def split_by_date(dates: Mapping[str, set[str]]) -> dict[str, list[str]] | None:
    """Train, validation and test dates, given the labels of each date; None if there are too few.

    The latest dates are held out, since a comparator is used on days after its training. Only dates with both
    states are held out: on another, right answers could be luck with the day.

    >>> both = {"fasting", "after"}
    >>> split_by_date({"2024-03-01": both, "2024-03-02": both, "2024-03-03": both, "2024-03-04": both})
    {'train': ['2024-03-01', '2024-03-02'], 'validation': ['2024-03-03'], 'test': ['2024-03-04']}
    """
    whole = sorted(date for date, labels in dates.items() if len(labels) == 2)
    if len(whole) < FEWEST_DATES:
        return None
    held_out = max(1, round(0.2 * len(whole)))
    test, validation = whole[-held_out:], whole[-2 * held_out : -held_out]
    return {"train": sorted(set(dates) - set(test) - set(validation)), "validation": validation, "test": test}


def weaknesses(items: Sequence[Item], labels: Labels, pair: tuple[str, str]) -> list[str]:
    """Weaknesses of the design that can look like a difference between the states, one sentence each."""
    of: dict[str, dict[str, list[Item]]] = {}
    for item in items:
        if item.name in labels:
            of.setdefault(item.date, {}).setdefault(labels[item.name], []).append(item)
    whole = {date: states for date, states in of.items() if len(states) == 2}
    found = []
    for label in pair:
        alone = sorted(date for date, states in of.items() if set(states) == {label})
        if alone:
            dates = f"{', '.join(alone)} {'has' if len(alone) == 1 else 'have'} {label} only"
            found.append(f"{dates}: the model may learn the day in place of the state")
    if len(whole) < FEWEST_DATES:
        found.append(
            f"{_dates(len(whole))} with both states: training and a split by date need at least {FEWEST_DATES}, "
            f"better {FEW_DATES}"
        )
    elif len(whole) < FEW_DATES:
        found.append(f"{_dates(len(whole))} with both states are few: expect wide intervals, and record more")
    ordered = [
        f"{first} comes before {second} on every date: the model may learn the time of day in place of the state"
        for first, second in ((pair, pair[::-1]) if len(whole) > 1 else ())
        if all(_is_before(states[first], states[second]) for states in whole.values())
    ]
    found += ordered or parts_of_day(items, labels)
    origins = [(labels[i.name], Origin(i.sample_rate_hz, i.lead, i.device)) for i in items if i.name in labels]
    found += confounding_origins(origins, pair)
    counts = [sum(label == name for label in labels.values()) for name in pair]
    if max(counts) > 2 * min(counts):
        found.append(f"{counts[0]} recordings of {pair[0]}, {counts[1]} of {pair[1]}: the larger group weighs more")
    return found


def _is_before(first: list[Item], second: list[Item]) -> bool:
    """Whether all of the first were recorded before the second, as far as times are known."""
    return all(item.time for item in first + second) and max(i.time for i in first) < min(i.time for i in second)


def _dates(count: int) -> str:
    return f"{count} date{'' if count == 1 else 's'}"


def parts_of_day(items: Sequence[Item], labels: Labels) -> list[str]:
    """A sentence for each label whose recordings all come from a part of the day in which no other label has any."""
    found = []
    for label in dict.fromkeys(labels.values()):
        hours = sorted(_hour(item) for item in items if labels.get(item.name) == label and item.time)
        others = [_hour(item) for item in items if labels.get(item.name) not in (label, None) and item.time]
        if len(hours) > 1 and others and hours[-1] - hours[0] <= PART_OF_DAY_H:
            within = sum(hours[0] <= hour <= hours[-1] for hour in others)
            if within == 0:
                span = f"{_clock_text(hours[0])} and {_clock_text(hours[-1])}"
                found.append(
                    f"all {len(hours)} recordings of {label} were made between {span}, and none of the other label: "
                    "the model may learn the time of day in place of the state"
                )
    return found


def _hour(item: Item) -> float:
    return int(item.time[:2]) + int(item.time[3:5]) / 60


def _clock_text(hour: float) -> str:
    return f"{int(hour):02}:{round(hour % 1 * 60):02}"


# Labels by folder: DATE/LABEL, LABEL/DATE, or LABEL alone where the recordings state their dates.

MOST_NAMED = 8
_DIGITS = re.compile(r"\d{4}|\d{6}|\d{8}")
_DAY_NAME = re.compile(r"(\d{4})[-_.]?(\d\d)[-_.]?(\d\d)")


def by_folders(items: Sequence[Item]) -> tuple[Labels, str]:
    """Labels from the folders that recordings lie in, below what all of them have in common, and the layout.

    A folder whose name agrees with the date of each of its recordings is a date; the other level names labels. The
    layout is such as `DATE/LABEL`, or empty where no folder names a label. Raises DatasetError where folders of two
    levels could be labels, where recordings lie at different depths, and for a folder of another date than one in it.
    """
    folders = {item.name: PurePath(item.name).parts[:-1] for item in items}
    common = _common(list(folders.values()))
    below = {name: parts[common:] for name, parts in folders.items()}
    depths = {len(parts): name for name, parts in below.items()}
    if len(depths) > 1:
        two = " and ".join(depths[depth] for depth in sorted(depths)[:2])
        raise DatasetError(f"recordings lie at different depths, such as {two}; expected DATE/LABEL or LABEL folders")
    levels = [sorted({parts[level] for parts in below.values()}) for level in range(max(depths, default=0))]
    kinds = [_kind(level, names, items, below) for level, names in enumerate(levels)]
    if kinds.count("LABEL") > 1:
        named = " and ".join(_few(names) for names, kind in zip(levels, kinds, strict=True) if kind == "LABEL")
        raise DatasetError(f"folders of two levels could be labels: {named}; expected one level of labels and of dates")
    if "LABEL" not in kinds:
        return {}, ""
    level = kinds.index("LABEL")
    labels = {name: checked_label(parts[level]) for name, parts in below.items()}
    return labels, "/".join(kind for kind in kinds if kind)


def folder_day(name: str) -> date | None:
    """The day that a folder of a path names, such as 2024-03-01 or 20240301; None if none does, or several do."""
    days = {day for part in PurePath(name).parts[:-1] if (day := _day(part))}
    return days.pop() if len(days) == 1 else None


def _common(paths: Sequence[tuple[str, ...]]) -> int:
    """Number of leading folders that all paths share."""
    return sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False)))


def _kind(level: int, names: Sequence[str], items: Sequence[Item], below: dict[str, tuple[str, ...]]) -> str:
    """`DATE`, `LABEL`, or nothing for archives and folders of one name. Raises DatasetError for another date."""
    if len(names) < 2 or all(name.lower().endswith(".zip") for name in names):
        return ""
    if not all(_day(name) or _DIGITS.fullmatch(name) for name in names):
        return "LABEL"
    for item in items:
        name = below[item.name][level]
        if re.sub(r"\D", "", name) not in _spellings(item.date):
            raise DatasetError(f"{item.name}: lies in a folder {name!r}, and is of {item.date}")
    return "DATE"


def _day(name: str) -> date | None:
    found = _DAY_NAME.fullmatch(name)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def _spellings(day: str) -> set[str]:
    year, month, of_month = day.split("-")
    return {
        year + month + of_month,
        of_month + month + year,
        month + of_month,
        of_month + month,
        year[2:] + month + of_month,
    }


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
