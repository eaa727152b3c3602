"""Import: find recordings, label them, and write them by date and label without personal data.

Two passes over the source: the first lists, the second writes what was labeled, one recording at a time.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from edge_ecg.datasets.dataset_file import dataset_toml
from edge_ecg.datasets.labeling import Item, Labels, folder_day, split_by_date, table_rows, two_labels, weaknesses
from edge_ecg.datasets.measured import BETWEEN, MEASURED, MeasuredLabels, measured_csv
from edge_ecg.errors import DatasetError, EdgeEcgError
from edge_ecg.readers.apple_format import anonymous_csv
from edge_ecg.readers.find import RecordingFile, find_recordings
from edge_ecg.readers.header import recorded_at_in
from edge_ecg.recording import Recording
from edge_ecg.storage.files import atomic_folder, refuse_overlap

COLUMNS = "file,date"


class Dates:
    """Times of recordings, by the name of their file or its end."""

    def __init__(self, path: Path):
        """Read a CSV file of `file,date`, dates such as 2024-03-01 or '2024-03-01 08:03'. Raises DatasetError."""
        self._path = path
        self._times: dict[str, str] = {}
        self._lines: dict[str, int] = {}
        for number, name, text in table_rows(path, COLUMNS):
            time = recorded_at_in(text)
            if time is None:
                expected = "expected a date such as 2024-03-01 or 2024-03-01 08:03"
                raise DatasetError(f"{path}: line {number} has {text[:40]!r}; {expected}")
            if self._times.setdefault(name, time) != time:
                raise DatasetError(f"{path}: line {number} dates {name[:60]!r} a second time, differently")
            self._lines.setdefault(name, number)
        self._unused = set(self._times)

    def of(self, name: str) -> str | None:
        """Date, perhaps time and zone, of the recording of this name. Raises DatasetError if two rows fit it."""
        fits = [wanted for wanted in self._times if f"/{name}".endswith(f"/{wanted}")]
        if len({self._times[wanted] for wanted in fits}) > 1:
            raise DatasetError(f"{name}: {len(fits)} rows of {self._path} fit it; give more of its path")
        self._unused -= set(fits)
        return self._times[fits[0]] if fits else None

    def require_all_used(self) -> None:
        """Raises DatasetError for a row that fits no recording."""
        if self._unused:
            name = min(self._unused, key=self._lines.__getitem__)
            raise DatasetError(f"{self._path}: line {self._lines[name]} ({name[:60]!r}) matches no recording")


DATASET, IMPORTED = "dataset.toml", "imported.json"

Find = Callable[[Path], Iterable[RecordingFile]]  # `find_recordings`, or that with options and a progress bar


@dataclass(frozen=True)
class Listing:
    """Contents of a source."""

    items: list[Item]  # by time
    refused: list[str]  # a sentence for each file that is no usable recording
    duplicates: int


@dataclass(frozen=True)
class Imported:
    """Summary of an import."""

    out: Path
    labels: tuple[str, str]
    counts: dict[str, dict[str, int]]  # by date, then label
    split: dict[str, list[str]] | None
    left_out: int  # recordings without a label
    warnings: list[str]
    measured_left_out: dict[str, int] | None = None  # why, where labels are measurements

    def to_json(self) -> dict[str, Any]:
        """The object that `edge-ecg import --json` prints."""
        return {**vars(self), "out": str(self.out), "labels": list(self.labels)}


def list_recordings(sources: Sequence[Path], find: Find = find_recordings, dates: Dates | None = None) -> Listing:
    """All recordings at the sources with a date, by time.

    dates: dates of recordings whose files have none. Raises RecordingError for an unreadable source, DatasetError for a
    row of dates without a recording.
    """
    if isinstance(sources, str | os.PathLike):
        raise DatasetError(f"sources is {os.fspath(sources)!r:.60}, expected a list of paths")
    items: list[Item] = []
    refused: list[str] = []
    seen: set[bytes] = set()
    read = 0
    for source in sources:
        for found in find(source):
            try:
                recording = found.read()
                at = _recorded_at(recording, dates.of(found.name) if dates else None, folder_day(found.name))
            except EdgeEcgError as error:
                refused.append(str(error))
                continue
            read += 1
            content = hashlib.sha256(recording.samples_uv.tobytes() + at.encode()).digest()
            if content not in seen:
                seen.add(content)
                facts = recording.sample_rate_hz, recording.duration_s, recording.lead, recording.device
                items.append(Item(found.name, at, *facts))
    if dates:
        dates.require_all_used()
    items.sort(key=lambda item: (item.date, item.time, item.name))
    return Listing(items, refused, read - len(items))


def _recorded_at(recording: Recording, stated: str | None, folder: date | None) -> str:
    """Date, time and zone, or the date alone where no more is known. Raises DatasetError without a date.

    folder: the day that a folder names, for a recording without one.
    """
    if recording.day is None and stated is None and folder is not None:
        return f"{folder}"
    if recording.day is None and stated is None:
        raise DatasetError(f"{recording.source}: has no known date; give a table of file,date with --dates")
    text = recording.recorded_at or ""
    try:
        datetime.fromisoformat(text[:19])
    except ValueError:
        text = ""
    said = f"{recording.day or ''} {text[11:]}".strip()
    if stated and said and not (stated.startswith(said) or said.startswith(stated)):
        raise DatasetError(f"{recording.source}: has the date {said}, but --dates gives {stated}; remove it there")
    return max(said, stated or "", key=len)


def write_data(
    listing: Listing,
    sources: Sequence[Path],
    labels: Labels,
    out: Path,
    *,
    baseline: str | None = None,
    target: str | None = None,
    measured: MeasuredLabels | None = None,
    find: Find = find_recordings,
) -> Imported:
    """Write `out/DATE/LABEL/*.csv` for labeled recordings, and a dataset file with a split by date if possible.

    Measured values are written to a table beside them; recordings between the thresholds go into folders that the
    dataset file excludes.

    The folder replaces an earlier import atomically. Raises DatasetError unless there are two labels, and if `out`
    contains anything that this command did not write; EdgeEcgError if a source would be deleted.
    """
    if measured and baseline is None and target is None:
        baseline = measured.rule.below.label
    pair = two_labels(labels, baseline, target)
    labels = {name: label for name, label in labels.items() if label in pair}
    refuse_overlap(out, sources)
    refuse_to_lose(out)
    values = measured.values if measured else {}
    chosen = {item.name: item for item in listing.items if item.name in labels or item.name in values}
    dates: dict[str, set[str]] = {}
    for name, label in labels.items():
        dates.setdefault(chosen[name].date, set()).add(label)
    split = split_by_date(dates)
    counts = {date: {label: 0 for label in pair} for date in sorted(dates)}
    with atomic_folder(out) as fresh:
        written: dict[str, str] = {}
        measured_at: dict[str, float] = {}
        for source in sources:
            for found in find(source):
                if found.name not in chosen:
                    continue
                item = chosen.pop(found.name)
                label, recording = labels.get(item.name, BETWEEN), found.read()
                name = _free_name(f"{item.date}/{label}", item, written)
                _write(fresh, name, anonymous_csv(recording, item.recorded_at), written)
                if item.name in values:
                    measured_at[name] = values[item.name]
                if item.name in labels:
                    counts[item.date][label] += 1
        if measured:
            _write(fresh, MEASURED, measured_csv(measured.curve, measured_at), written)
        if split:
            more = measured.to_toml() if measured else ""
            exclude = [BETWEEN] if measured else []
            content = dataset_toml(out.absolute().name, pair, split, exclude) + more
            _write(fresh, DATASET, content.encode(), written)
        (fresh / IMPORTED).write_text(json.dumps({"files": written}, indent=1), encoding="utf-8")
        refuse_to_lose(out)  # it may have changed meanwhile
    left_out = len(listing.items) - sum(sum(of.values()) for of in counts.values())
    weak = weaknesses(listing.items, labels, pair)
    return Imported(out, pair, counts, split, left_out, weak, measured.left_out if measured else None)


def _free_name(folder: str, item: Item, taken: dict[str, str]) -> str:
    stem = "_".join(filter(None, (f"{folder}/ecg_{item.date}", item.time.replace(":", ""))))
    names = (f"{stem}{f'_{number}' if number > 1 else ''}.csv" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _write(folder: Path, name: str, content: bytes, written: dict[str, str]) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    written[name] = hashlib.sha256(content).hexdigest()


def refuse_to_lose(out: Path) -> None:
    """Raises DatasetError if replacing `out` would lose anything but an unchanged import."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir() or out.is_symlink():
        raise DatasetError(f"{out}: is there already and is no folder; give another name")
    there = [path for path in out.rglob("*") if path.name != ".DS_Store"]
    files = [path for path in there if path.is_file() or path.is_symlink()]
    try:
        known = json.loads((out / IMPORTED).read_text(encoding="utf-8"))["files"] if there else {}
        known = dict(known)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DatasetError(f"{out}: is not empty and no earlier import; give an empty folder or a new name") from None
    for path in files:
        name = path.relative_to(out).as_posix()
        if name == IMPORTED and not path.is_symlink():
            continue
        if path.is_symlink() or known.get(name) != hashlib.sha256(path.read_bytes()).hexdigest():
            raise DatasetError(f"{out}: {name} was added or changed since the import; move it, or give a new name")
