"""The dataset file: which recordings, with which labels, in which set; split by date."""

import json
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from msgspec import Meta, Struct, to_builtins

from edge_ecg.errors import DatasetError
from edge_ecg.recording import NO_OVERRIDES, UNKNOWN, Overrides
from edge_ecg.records import to_record
from edge_ecg.storage.files import read_small_file

MOST_BYTES = 4_000_000
SETS = ("train", "validation", "test")
Of = TypeVar("Of")
DATE, SITTING, PERSON = SESSIONS = ("date", "sitting", "person")  # what a folder in place of the date stands for


@dataclass(frozen=True)
class Entry:
    """One recording of a dataset."""

    path: Path
    date: str
    label: str
    is_target: bool
    session: str  # recordings made together: left out as a whole, and with a baseline of their own; usually the date
    overrides: Overrides = NO_OVERRIDES  # what the dataset file says of it


@dataclass(frozen=True)
class Dataset:
    """A dataset file: two labels, the baseline first, and a split by date."""

    name: str
    root: Path
    labels: tuple[str, str]
    folders: dict[str, tuple[str, ...]]  # by label
    dates: dict[str, tuple[str, ...]]  # by set
    layout: str  # such as "{date}/{label}/*.csv", below the root
    exclude: tuple[str, ...]  # folders that are left out on purpose
    # Of files that match a pattern below the root; the first that does.
    overrides: tuple[tuple[str, Overrides], ...] = ()
    session: str = DATE  # one of SESSIONS
    sittings: tuple[tuple[str, str, str], ...] = ()  # date, session and pattern: of a date with more than one session
    measured: str | None = None  # the table of measured values below the root, which never leaves it

    @cached_property
    def sessions(self) -> dict[str, tuple[str, ...]]:
        """The names of the sessions of each set: its dates, where [sessions] does not divide them."""
        divided = {date for date, _, _ in self.sittings}
        return {
            which: tuple(
                name
                for date in dates
                for name in (dict.fromkeys(e.session for e in self._of_date(date)) if date in divided else (date,))
            )
            for which, dates in self.dates.items()
        }

    def entries(self, which: str) -> list[Entry]:
        """The recordings of one set, in the order of date, label and name.

        Raises DatasetError if a date has no recordings, the set lacks a state, an [[override]] matches nothing,
        or a file is in two places of the dataset: in two sets, or with two labels. Files are told apart by where links
        lead.
        """
        found = self._found(which)
        for label in self.labels:
            if not any(entry.label == label for entry in found):
                raise DatasetError(f"{self.root}: the {which} set has no recording of {label!r}")
        place: dict[str, tuple[str, Entry]] = {}
        for name in SETS:
            for entry in found if name == which else self._found(name, may_be_empty=True):
                other, first = place.setdefault(os.path.realpath(entry.path), (name, entry))
                if first is not entry:
                    places = f"{other} as {first.label} of {first.date} and in {name} as {entry.label} of {entry.date}"
                    raise DatasetError(f"{entry.path}: stands in {places}")
        for pattern, _ in self.overrides:
            if not any(self._matches(entry.path, pattern) for _, entry in place.values()):
                raise DatasetError(f"{self.root}: [[override]] of {pattern!r} matches no recording of the dataset")
        for date, session, pattern in self.sittings:
            if not any(entry.session == session for _, entry in place.values()):
                raise DatasetError(f"{self.root}: [sessions] {session!r}: {pattern!r} matches no recording of {date}")
        return found

    def _found(self, which: str, may_be_empty: bool = False) -> list[Entry]:
        """The recordings of one set."""
        found = []
        for date in self.dates[which]:
            of_date = self._of_date(date)
            if not of_date and not may_be_empty:
                pattern = self._pattern(date, "|".join(sum(self.folders.values(), ())))
                raise DatasetError(f"{self.root}: no recordings of {date} ({which}), looked for {pattern}")
            found += of_date
        return found

    def _of_date(self, date: str) -> list[Entry]:
        return [
            Entry(path, date, label, label == self.labels[1], self.session_of(date, path), self._overrides(path))
            for label in self.labels
            for folder in self.folders[label]
            for path in self._files(date, folder)
        ]

    def session_of(self, date: str, path: Path) -> str:
        """The session of a file of a date."""
        fits = (name for on, name, pattern in self.sittings if on == date and self._matches(path, pattern))
        return next(fits, date)

    def _overrides(self, path: Path) -> Overrides:
        return next((overrides for pattern, overrides in self.overrides if self._matches(path, pattern)), NO_OVERRIDES)

    def _matches(self, path: Path, pattern: str) -> bool:
        return fnmatchcase(path.relative_to(self.root).as_posix(), pattern)

    def _files(self, date: str, folder: str) -> list[Path]:
        pattern = self._pattern(date, folder)
        try:
            return sorted(self.root.glob(pattern))
        except (NotImplementedError, ValueError):
            raise DatasetError(f"{self.root}: {pattern!r} is no pattern of files below it") from None

    def _pattern(self, date: str, folder: str) -> str:
        return self.layout.replace("{date}", date).replace("{label}", folder)


Names = tuple[str, ...]
Text = Annotated[str, Meta(min_length=1)]


class _Split(Struct, forbid_unknown_fields=True):
    train: Names
    validation: Names
    test: Names


class _Files(Struct, frozen=True):
    root: str = "."
    layout: str = "{date}/{label}/*.csv"
    exclude: Names = ()


class _Measured(Struct):
    file: str


class _Override(Struct, forbid_unknown_fields=True):
    match: str
    rate_hz: Annotated[float, Meta(gt=0, le=1e6)] = 0.0
    unit: Text = ""
    channel: Text = ""
    column: Text = ""  # another word for channel
    lead: Text = ""


class _File(Struct):
    """The entries of a dataset file; sessions and overrides are read by themselves, with an example in errors."""

    labels: dict[str, Names]
    split: _Split
    name: str | None = None
    files: _Files = _Files()
    override: list[Any] = []
    session: str = DATE
    sessions: Any = {}
    measured: _Measured | None = None


def read_dataset(path: str | Path, root: str | Path | None = None) -> Dataset:
    """Read a dataset file; `root` is where the recordings are (default: beside the file).

    Raises DatasetError on anything missing or mistyped, and on a date that stands in two sets.
    """
    path = Path(path)
    file = to_record(_File, read_toml(path, "dataset"), f"{path}:", DatasetError)
    folders, split = file.labels, to_builtins(file.split)
    if len(folders) != 2:
        raise DatasetError(f"{path}: [labels] has {list(folders)}, expected two: the baseline, then the target")
    for entry, names in {
        **{f"labels.{label}": of_label for label, of_label in folders.items()},
        **{f"split.{name}": split[name] for name in SETS},
    }.items():
        _require_names(path, entry, names)
        if not names:
            raise DatasetError(f"{path}: {entry} is empty")
    _require_names(path, "files.exclude", file.files.exclude)
    dates = {name: split[name] for name in SETS}
    _no_overlap(path, "date", dates)
    _no_overlap(path, "folder", {**folders, "files.exclude": file.files.exclude})

    layout = file.files.layout
    if "{date}" not in layout or "{label}" not in layout:
        raise DatasetError(f"{path}: files.layout is {layout!r}, expected a pattern with {{date}} and {{label}}")
    root = Path(root) if root is not None else path.parent / file.files.root
    if not root.is_dir():
        raise DatasetError(f"{root}: expected the folder with the recordings of {path.name}")
    if file.session not in SESSIONS:
        raise DatasetError(f"{path}: session is {file.session!r}, expected one of {', '.join(SESSIONS)}")
    if file.measured:
        _require_names(path, "measured.file", [file.measured.file])
    baseline, target = folders
    return Dataset(
        name=file.name or path.stem,
        root=root,
        labels=(baseline, target),
        folders=folders,
        dates=dates,
        layout=layout,
        exclude=file.files.exclude,
        overrides=tuple(_override(path, table) for table in file.override),
        session=file.session,
        sittings=_sittings(path, file.sessions, dates),
        measured=file.measured.file if file.measured else None,
    )


def read_toml(path: Path, kind: str, most: int = MOST_BYTES) -> dict[str, Any]:
    """The entries of a TOML file of at most so many bytes; errors call it a `kind` file. Raises DatasetError."""
    try:
        return tomllib.loads(read_small_file(path, most, DatasetError).decode())
    except OSError as error:
        raise DatasetError(f"{path}: can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DatasetError(f"{path}: expected a TOML {kind} file: {error}") from None


def _sittings(path: Path, tables: Any, dates: dict[str, tuple[str, ...]]) -> tuple[tuple[str, str, str], ...]:
    """Date, name and pattern of each session in [sessions.DATE]: what matches no pattern is the session of its date."""
    known: dict[str, tuple[str, ...]] = {date: (date,) for of_set in dates.values() for date in of_set}
    example = 'a table of a date\'s sessions is, for example, [sessions.0921] with "0921 noon" = "0921/*/*_12*.csv"'
    patterns = _part(dict[str, dict[str, str]], tables, f"{path}: sessions", example)
    for date, of_date in patterns.items():
        if date not in known:
            raise DatasetError(f"{path}: [sessions.{date}]: [split] has no date {date}")
        _require_names(path, f"sessions.{date}", of_date)
        known[date] += tuple(of_date)
    _no_overlap(path, "session", known)
    return tuple((date, name, pattern) for date, of_date in patterns.items() for name, pattern in of_date.items())


def _override(path: Path, table: Any) -> tuple[str, Overrides]:
    """Pattern and overrides of the recordings that match it: rate, unit, channel or column, lead."""
    example = 'expected are match and some of rate_hz, unit, channel, column, lead, such as rate_hz = 130, unit = "uV"'
    found = _part(_Override, table, f"{path}: [[override]]", example)
    channel = found.channel or found.column
    overrides = Overrides(found.rate_hz or None, found.unit or None, channel or None, found.lead or None)
    if overrides == NO_OVERRIDES:
        raise DatasetError(f"{path}: [[override]] has match alone ({example})")
    return found.match, overrides


def _part(kind: type[Of], value: Any, name: str, example: str) -> Of:
    try:
        return to_record(kind, value, name, DatasetError)
    except DatasetError as error:
        raise DatasetError(f"{error} ({example})") from None


def _require_names(path: Path, entry: str, names: Iterable[str]) -> None:
    """Plain names of folders: one component of a path and no pattern, so that two names are two folders."""
    for name in names:
        if name in ("", ".", "..") or set(name) & set("/\\*?[]\0"):
            raise DatasetError(f"{path}: {entry} holds {name!r}, expected the plain name of a folder")


def _no_overlap(path: Path, kind: str, groups: dict[str, tuple[str, ...]]) -> None:
    owner: dict[str, str] = {}
    for group, names in groups.items():
        for name in names:
            if name in owner:
                raise DatasetError(f"{path}: {kind} {name} stands in {owner[name]} and in {group}")
            owner[name] = group


def dataset_toml(
    name: str, labels: tuple[str, str], split: Mapping[str, Sequence[str]], exclude: Sequence[str] = ()
) -> str:
    """The text of a dataset file for folders DATE/LABEL: the labels, the baseline first, and the dates of each set."""

    def quote(value: object) -> str:  # a JSON string, or list of strings, is TOML as well
        return json.dumps(value, ensure_ascii=False)

    return "\n".join(
        [
            f"name = {quote(''.join(filter(str.isprintable, name)))}",
            "\n[labels]  # the baseline first",
            *(f"{quote(label)} = [{quote(label)}]" for label in labels),
            "\n[split]  # by date: the latest are held out",
            *(f"{which} = {quote(list(dates))}" for which, dates in split.items()),
            "\n[files]",
            'layout = "{date}/{label}/*.csv"',
            f"exclude = {quote(list(exclude))}\n",
        ]
    )


FEWEST_DAYS = 2  # a comparator learns by comparing days; within one day it can't tell the state from the day


def days_with_both_states(recordings: Iterable[tuple[str, object]]) -> list[str]:
    """The dates, in order, that have recordings of more than one label. recordings: (date, label) of each."""
    labels: dict[str, set[object]] = {}
    for date, label in recordings:
        labels.setdefault(date, set()).add(label)
    return sorted(date for date, of_date in labels.items() if len(of_date) > 1)


def require_days(recordings: Iterable[tuple[str, object]], fewest: int = FEWEST_DAYS) -> list[str]:
    """The dates with both states. Raises DatasetError if they are too few to learn from."""
    days = days_with_both_states(recordings)
    if len(days) < fewest:
        raise DatasetError(
            f"the train dates have both states on {', '.join(days) or 'none'}, expected at least {fewest} "
            f"such day{'s' if fewest > 1 else ''}: record both states on another day"
        )
    return days


class Origin(NamedTuple):
    """Recording equipment; None where the file does not state it."""

    sample_rate_hz: float
    lead: str | None
    device: str | None


def confounding_origins(origins: Sequence[tuple[str, Origin]], pair: tuple[str, str]) -> list[str]:
    """A sentence for the rate, lead and device each, if they differ between the states or within them.

    origins: the label of each recording, and where it is from. pair: baseline and target.
    """
    found = []
    for what, how, of in (
        ("sample rate", "at", lambda origin: f"{origin.sample_rate_hz:.0f} Hz"),
        ("lead", "from lead", lambda origin: origin.lead or UNKNOWN),
        ("device", "by device", lambda origin: origin.device or UNKNOWN),
    ):
        sides = [{of(origin) for label, origin in origins if label == side} for side in pair]
        said = [" and ".join(sorted(side)) for side in sides]
        if all(sides) and sides[0] != sides[1]:
            recorded = f"{pair[0]} was recorded {how} {said[0]}, {pair[1]} {how} {said[1]}"
            found.append(f"{recorded}: the model may learn the {what} in place of the state")
        elif what != "sample rate" and len(sides[0]) > 1:  # watches of one model differ by a hertz or two
            found.append(f"several {what}s are mixed, {said[0]}: differences between them may hide those of the states")
    return found
