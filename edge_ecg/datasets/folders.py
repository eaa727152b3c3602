"""Labels by folder: DATE/LABEL, LABEL/DATE, or LABEL alone where the recordings state their dates."""

import re
from collections.abc import Sequence
from datetime import date
from itertools import takewhile
from pathlib import PurePath

from edge_ecg.datasets.labeling import Item, Labels, checked_label
from edge_ecg.errors import DatasetError

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
