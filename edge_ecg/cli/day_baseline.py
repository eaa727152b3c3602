"""The day's baseline recordings, and the baseline that each other recording is compared with."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import PurePath
from typing import NamedTuple

import click

from edge_ecg.bundles.bundle import Bundle
from edge_ecg.errors import EdgeEcgError, RecordingError
from edge_ecg.readers.find import find_recordings
from edge_ecg.recording import Overrides, Recording
from edge_ecg.watch import ENOUGH_BEATS, DayBaseline

DAY_BASELINE = click.option(
    "--day-baseline",
    "day_files",
    multiple=True,
    metavar="FILE",
    help="A baseline recording of the same day; may be repeated.",
)
DAY_BASELINE_FIRST = click.option(
    "--day-baseline-first",
    "first",
    type=click.IntRange(1),
    metavar="K",
    help="Use the first K baseline recordings of each session (a day, or a folder above the label folders).",
)


class Session(NamedTuple):
    """Recordings made together: of one day, and in one folder where folders are named as the labels."""

    folder: str  # that holds the folders of the labels; empty where there is none
    day: date | None


@dataclass(frozen=True)
class DayBaselines:
    """The day's baseline of each recording: one for all, or one for each session, or none."""

    for_all: DayBaseline | None = None
    by_session: dict[Session, DayBaseline] = field(default_factory=dict)
    labels: tuple[str, str] = ("", "")
    refused: dict[Session, str] = field(default_factory=dict)  # of which no recording can be the baseline, and why

    def of(self, recording: Recording) -> DayBaseline | None:
        """The day's baseline that this recording is compared with. Raises RecordingError if that was refused."""
        session = session_of(recording, self.labels)
        if session in self.refused:
            raise RecordingError(f"{recording.source}: not judged: {self.refused[session]}")
        return self.for_all or self.by_session.get(session)

    def holds(self, recording: Recording) -> bool:
        """Whether the recording is part of the baseline itself, and is skipped."""
        return os.path.realpath(recording.source) in self._used

    @cached_property
    def _used(self) -> frozenset[str]:
        return frozenset(os.path.realpath(source) for baseline in self._all() for source in baseline.sources)

    @property
    def is_undated(self) -> bool:
        """Whether a baseline is given that states no day."""
        return self.for_all is not None and self.for_all.day is None

    @property
    def is_given(self) -> bool:
        """Whether there is any; then recordings without one are reported."""
        return bool(self._all() or self.refused)

    def describe(self, labels: tuple[str, str]) -> Iterable[str]:
        """Lines for a person."""
        for baseline in self._all():
            names = ", ".join(PurePath(source).name for source in baseline.sources)
            day = f" of {baseline.day}" if baseline.day else ""
            many = f"{len(baseline.sources)} recording{'s' if len(baseline.sources) > 1 else ''}"
            yield (
                f"The day's baseline{day}, {many} of {labels[0]}: {names}; level {baseline.level.level:+.1f}"
                + (f"; {baseline.level.beats} beats, {ENOUGH_BEATS} are better" * (baseline.level.beats < ENOUGH_BEATS))
            )
        if self.is_given:
            yield f"Compared with {labels[0]} of the same day, and {labels[1]} on other days."
        else:
            yield f"Compared with {labels[0]} and {labels[1]} on other days (see --day-baseline)."

    def _all(self) -> list[DayBaseline]:
        by_time = sorted(self.by_session.items(), key=lambda item: (str(item[0].day), item[0].folder))
        return [self.for_all] if self.for_all else [baseline for _, baseline in by_time]


def day_baselines(
    bundle: Bundle,
    files: Iterable[str],
    first: int | None,
    recordings: Iterable[str],
    overrides: Overrides,
    labels: dict[str, str],
    note: Callable[[str], object],
) -> DayBaselines:
    """The baselines that were asked for. Raises EdgeEcgError for a file that can't be one.

    note: is called with the reason of each recording that is skipped when the first ones of a session are taken.
    """
    files = list(files)
    if files and first:
        raise click.UsageError("--day-baseline names recordings and --day-baseline-first looks for them: give one")
    if files:
        return DayBaselines(
            DayBaseline.of(bundle, (found.read() for path in files for found in find_recordings(path, overrides)))
        )
    return _first_of_each_session(bundle, first, recordings, overrides, labels, note) if first else DayBaselines()


def _first_of_each_session(
    bundle: Bundle,
    count: int,
    paths: Iterable[str],
    overrides: Overrides,
    labels: dict[str, str],
    note: Callable[[str], object],
) -> DayBaselines:
    of_session: dict[Session, list[Recording]] = defaultdict(list)
    for path in paths:
        for found in find_recordings(path, overrides):
            if label_of(found.name, bundle.labels, labels) == bundle.labels[0]:
                try:
                    recording = found.read()
                except EdgeEcgError:
                    continue  # it is reported when it is to be judged
                session = session_of(recording, bundle.labels)
                if any(session):
                    of_session[session].append(recording)
    if not of_session:
        name = repr(bundle.labels[0])
        raise RecordingError(f"found no dated {name} recordings; put them in a folder named {name}, or give --labels")
    baselines, refused = {}, {}
    for session, recordings in of_session.items():
        usable: list[Recording] = []
        why = ""
        for recording in sorted(recordings, key=_time):
            if len(usable) == count:
                break
            try:
                DayBaseline.of(bundle, [*usable, recording])
            except RecordingError as error:
                why = str(error)
                note(why)
            else:
                usable.append(recording)
        try:
            baselines[session] = DayBaseline.of(bundle, usable)
        except RecordingError as error:
            refused[session] = why or str(error)
    return DayBaselines(by_session=baselines, labels=bundle.labels, refused=refused)


def _time(recording: Recording) -> tuple[str, list[int]]:
    """Order in the day: by the time of the header, or else by the numbers in the file's name, which count up."""
    numbers = [int(digits) for digits in re.findall(r"\d+", PurePath(recording.source).name)]
    return recording.recorded_at or "", numbers


def session_of(recording: Recording, labels: tuple[str, str]) -> Session:
    """The session of a recording: persons or sittings of one day that have folders of their own are kept apart."""
    folders = PurePath(recording.source).parts[:-1]
    place = next((place for place in reversed(range(len(folders))) if folders[place] in labels), 0)
    return Session(PurePath(*folders[:place]).as_posix() if place else "", recording.day)


def label_of(source: str, labels: tuple[str, str], given: Mapping[str, str]) -> str | None:
    """The label given for a recording by its path or file name, else the nearest folder that is named as a label."""
    path = PurePath(source)
    for name in (source, path.as_posix(), path.name):
        if name in given:
            return given[name]
    return next((folder for folder in reversed(path.parts[:-1]) if folder in labels), None)
