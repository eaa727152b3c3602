"""Options and the loop over recordings that several commands share."""

import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_ecg.bundles.bundle import looks_like_bundle
from edge_ecg.errors import EdgeEcgError
from edge_ecg.readers.find import RecordingFile, SkippedFiles, find_recordings
from edge_ecg.readers.read import content_at, format_of
from edge_ecg.recording import RATE_RANGE_HZ, Overrides, Recording
from edge_ecg.signal.stream import heart_rate_bpm, missed_share, r_peak_times_s
from edge_ecg.terminal.console import is_verbose, report_error, wrapped

HEART_RATES_BPM = (30, 200)  # of a person at rest; outside, the sample rate is likelier wrong than the heart
AT_ASSUMED_RATE_BPM = (40, 140)  # the same where 512 Hz is a guess
MOST_APART_BPM = 5  # between the mean heart rate that a file states and that of the R peaks
MOST_MISSED = 0.5  # of the intervals between R peaks may have a wave like them in their middle

Result = TypeVar("Result")
RECORDINGS = click.argument("recordings", metavar="RECORDING...", nargs=-1, required=True)
BUNDLE_HERE = Path("bundle")
BUNDLE = click.argument("bundle_path", metavar="[BUNDLE]", default=BUNDLE_HERE, type=click.Path(path_type=Path))
LABELS = click.option(
    "--labels", "labels_file", type=click.Path(path_type=Path), help="CSV of file,label. [folder names]"
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object per recording on standard output.")


class Finite(click.FloatRange):
    """A number in a range; NaN, which is beside every range, is refused as well."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if number != number:
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class Quantity(click.ParamType):
    """A number that may carry its unit, such as 2s or 20dB."""

    def __init__(self, unit: str):
        self.name = self._unit = unit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip().lower().removesuffix(self._unit.lower()).strip()
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not abs(number) < float("inf"):
            self.fail(f"{value!r} is not a number of {self._unit}", param, ctx)
        return number


class PagePath(click.Path):
    """Path of a page: NAME.html, which is new or a page of ours; no other file is replaced."""

    MARK = b'<meta name="generator" content="edge-ecg">'  # near the top of every page

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        page = Path(str(super().convert(value, param, ctx)))
        if page.suffix.lower() not in (".html", ".htm"):
            self.fail(f"{page}: ends with {page.suffix!r}, expected a page: .html", param, ctx)
        if page.exists() or page.is_symlink():
            if not page.is_file():
                self.fail(f"{page}: is there already and is no file; give another name", param, ctx)
            with page.open("rb") as file:
                if self.MARK not in file.read(2000):
                    self.fail(f"{page}: is there already and is no page of edge-ecg; give another name", param, ctx)
        return page


def override_options(command: Callable[..., Result]) -> Callable[..., Result]:
    """Options for facts that recordings do not state; the command gets them as `overrides`."""

    @click.option("--rate", "rate_hz", type=Finite(*RATE_RANGE_HZ), help="Hertz, if a file has no sample rate.")
    @click.option("--unit", help="uV, mV or V, if a file has no unit.")
    @click.option(
        "--channel", "--column", "channel", help="The ECG's channel or column: its name, or its number from 1."
    )
    @click.option("--lead", help="I, II, V5, if a file has no lead.")
    @functools.wraps(command)
    def with_overrides(*args: Any, **others: Any) -> Result:
        overrides = Overrides(*(others.pop(name) for name in Overrides._fields))
        return command(*args, overrides=overrides, **others)

    return with_overrides


def bundle_and_recordings(command: Callable[..., Result]) -> Callable[..., Result]:
    """The arguments of a command that runs a bundle; it gets them as `bundle_path` and `recordings`.

    The bundle is the argument that is one; without one, the folder `bundle` here.
    """

    @click.argument("paths", metavar="[BUNDLE] RECORDING...", nargs=-1, required=True)
    @functools.wraps(command)
    def with_bundle(*args: Any, paths: tuple[str, ...], **others: Any) -> Result:
        place = next((number for number, path in enumerate(paths) if looks_like_bundle(Path(path))), None)
        if place is None and looks_like_bundle(BUNDLE_HERE):
            return command(*args, bundle_path=BUNDLE_HERE, recordings=paths, **others)
        if place is None and (len(paths) == 1 or _is_recording(paths[0])):
            raise click.UsageError(
                f"{paths[0]} is no bundle, and there is no folder `{BUNDLE_HERE}` here; give the bundle that "
                "`edge-ecg export` wrote, then recordings"
            )
        place = place or 0
        recordings = paths[:place] + paths[place + 1 :]
        if not recordings:
            raise click.UsageError(f"{paths[place]} is the bundle; give a RECORDING to replay through it as well")
        return command(*args, bundle_path=Path(paths[place]), recordings=recordings, **others)

    return with_bundle


def _is_recording(path: str) -> bool:
    try:
        return format_of(content_at(path)) is not None
    except (EdgeEcgError, OSError):
        return False


class RecordingLoop:
    """Recordings read one after the other for a command: a bad one is reported, and the others still come.

    `finish` prints skipped files and assumptions once, and returns the exit code.
    """

    def __init__(self, overrides: Overrides):
        self._overrides = overrides
        self._skipped = SkippedFiles()
        self._assumed = 0
        self.code = 0

    def find(self, path: Any) -> Iterator[RecordingFile]:
        """The recordings at a path; a path at which nothing can be read is reported."""
        try:
            for found in find_recordings(path, self._overrides, self._skipped):
                yield RecordingFile(found.name, functools.partial(self._read, found))
        except EdgeEcgError as error:
            self.code = report_error(error)

    def _read(self, found: RecordingFile) -> Recording:
        recording = found.read()
        self._assumed += recording.rate_is_assumed
        return recording

    def each(self, paths: Iterable[Any]) -> Iterator[Recording]:
        """The recordings at the paths; implausible heart rates are reported."""
        for path in paths:
            for found in self.find(path):
                try:
                    recording = found.read()
                except EdgeEcgError as error:
                    self.code = report_error(error)
                    _tell_details(*getattr(error, "__notes__", ()))
                else:
                    _tell_details(recording.details)
                    _warn_implausible_heart_rate(recording)
                    yield recording

    def finish(self) -> int:
        """Print skipped files and assumptions; return the exit code."""
        if self._assumed:
            many = f"{self._assumed} recording{'s' * (self._assumed > 1)} without a sample rate"
            click.echo(wrapped(f"{many}: 512 Hz assumed; set it with --rate", 2), err=True)
        if self._skipped.names:
            click.echo(wrapped(str(self._skipped), 2), err=True)
        return self.code


def _tell_details(*details: str | None) -> None:
    for detail in filter(None, details if is_verbose() else ()):
        click.echo(wrapped(detail, 2), err=True)


def _warn_implausible_heart_rate(recording: Recording) -> None:
    """Warn of an implausible heart rate, as from a wrong sample rate, and of one that may be half the true rate."""
    times_s = r_peak_times_s(recording)
    rate = heart_rate_bpm(times_s)
    low, high = AT_ASSUMED_RATE_BPM if recording.rate_is_assumed else HEART_RATES_BPM
    if len(times_s) > 2 and not low <= rate <= high:
        doubt = f"is it really {recording.sample_rate_hz:g} Hz?" + " set --rate" * recording.rate_is_assumed
        click.echo(f"{recording.source}: heart rate of {rate:.0f}: {doubt}", err=True)
    stated = recording.stated_heart_rate_bpm
    if stated and len(times_s) > 2 and abs(stated - rate) > MOST_APART_BPM:
        click.echo(f"{recording.source}: heart rate of {rate:.0f}: the file states {stated:.0f}", err=True)
    if missed_share(recording, times_s) > MOST_MISSED:
        doubt = f"a smaller R wave may lie between those found, so that it is {2 * rate:.0f}"
        click.echo(f"{recording.source}: heart rate of {rate:.0f}: {doubt}", err=True)


def for_each(
    paths: Iterable[str],
    overrides: Overrides,
    work: Callable[[Recording], Result | None],
    show: Callable[[Result], str] | None = None,
) -> int:
    """Process each recording and print the result with `show`; bad ones are reported, the others still run.

    Returns the exit code.
    """
    reading = RecordingLoop(overrides)
    for recording in reading.each(paths):
        try:
            result = work(recording)
            if show and result is not None:
                click.echo(show(result))
        except EdgeEcgError as error:
            reading.code = report_error(error)
    return reading.finish()
