"""Find recordings: in Apple's export.zip, below a folder, or a single file.

An archive is untrusted input. It is never unpacked to disk: names, links, sizes and ratios in its directory are checked
first, and then only ECGs are read, one recording at a time.
"""

import os
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NoReturn

from edge_ecg.errors import RecordingError
from edge_ecg.readers.format import HEAD_BYTES, Content
from edge_ecg.readers.read import (
    MAX_FILE_BYTES,
    content_at,
    format_of,
    formats,
    read_content,
    read_part,
    read_recording,
)
from edge_ecg.readers.wfdb import HEADER, SAMPLES, header_beside
from edge_ecg.recording import NO_OVERRIDES, Overrides, RawSignal, Recording
from edge_ecg.storage.files import opened_zip, path_of

# Apple's own folder keeps its English name in every language: whatever lies in it should be an ECG.
ECG_FOLDER = "electrocardiograms"
OTHER_HEALTH_DATA = (".xml", ".gpx")  # that every export has beside it: steps and the like, routes of workouts
MOST_MEMBERS = 50_000  # an export has a file for each workout route
MOST_RECORDINGS = 20_000
MOST_RECORDING_BYTES = MAX_FILE_BYTES  # as alone
MOST_TOTAL_BYTES = 2_000_000_000
MOST_RATIO = 100  # numbers as text shrink to a third
MOST_DEPTH = 12
NAMES_SHOWN = 3


@dataclass(frozen=True)
class RecordingFile:
    """A file with one recording; `read` raises RecordingError if it has none."""

    name: str  # where it lies, with the archive or folder that was given
    read: Callable[[], Recording]


@dataclass
class SkippedFiles:
    """Skipped files, to be named once at the end."""

    names: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, why: str = "") -> None:
        """Skip a file: `why`, or because it is no recording."""
        self.names.append(name)
        self.kinds[why or PurePosixPath(name).suffix.lower()[:12] or "no suffix"] += 1

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds.most_common(6))
        names = ", ".join(ascii(name[-60:])[1:-1] for name in self.names[:NAMES_SHOWN])
        more = ", ..." if len(self.names) > NAMES_SHOWN else ""
        return f"{len(self.names)} skipped, not recordings: {kinds} ({names}{more})"


def find_recordings(
    path: str | os.PathLike[str], overrides: Overrides = NO_OVERRIDES, skipped: SkippedFiles | None = None
) -> Iterator[RecordingFile]:
    """The recordings at `path`, sorted by name: in an Apple export.zip, below a folder, or the file itself.

    An archive stays open until the last recording is taken.

    :param path: an archive, a folder or a file
    :param overrides: facts that the files do not state
    :param skipped: gets the files of an archive or folder in no known format
    :raises RecordingError: for a damaged or too large archive, and if nothing is found
    """
    source, passed = path_of(path, RecordingError), SkippedFiles() if skipped is None else skipped
    try:
        if source.is_dir():
            found = _below(source, overrides, passed)
        elif source.is_file() and _is_archive(source):
            found = _archived(source, overrides, passed)
        else:
            found = _of_file(os.fspath(path), overrides)
        nothing = True
        for one in found:
            nothing = False
            yield one
    except OSError as error:
        raise RecordingError(f"{source}: cannot be read: {error.strerror or type(error).__name__}") from None
    if nothing:
        raise RecordingError(f"{source}: contains no ECG; expected Apple's export.zip, or a folder with recordings")


def _of_file(source: str, overrides: Overrides, sniffed: Content | None = None) -> Iterator[RecordingFile]:
    """The recordings of the file at a path; of one that was looked into already, only an export is opened again."""
    whole = RecordingFile(source, partial(read_recording, source, *overrides))
    try:
        content = content_at(source) if sniffed is None or _reads_each(sniffed) else sniffed
    except (RecordingError, OSError):
        yield whole  # reading it says what is wrong
        return
    yield from _each(content, whole, overrides)


def _reads_each(content: Content) -> Callable[[Content, Overrides], Iterable[Callable[[], RawSignal]]] | None:
    """Reader of the recordings of a file that may contain several."""
    return next((form.each for form in formats(content) if form.each and form.knows(content)), None)


def _each(content: Content, whole: RecordingFile, overrides: Overrides) -> Iterator[RecordingFile]:
    """The recordings of a file: the one that it is, or each of an export of several, numbered as `name#2`."""
    read_each = _reads_each(content)
    if read_each is None or overrides.channel is not None:
        yield whole
        return
    try:
        parts = list(read_each(content, overrides))
    except RecordingError:
        parts = []  # reading it says what is wrong
    if len(parts) < 2:
        yield whole
    for number, part in enumerate(parts if len(parts) > 1 else [], 1):
        source = f"{whole.name}#{number}"
        yield RecordingFile(source, partial(read_part, part, source, overrides))


def _is_archive(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04" or zipfile.is_zipfile(file)


def _below(folder: Path, overrides: Overrides, passed: SkippedFiles) -> Iterator[RecordingFile]:
    """The recordings below a folder, each folder once, however many links lead to it."""
    count, seen = 0, set()
    for parent, names, files in os.walk(folder, followlinks=True):
        names[:] = sorted(name for name in names if not name.startswith("."))
        facts = Path(parent).stat()
        if (facts.st_dev, facts.st_ino) in seen:
            names.clear()
            continue
        seen.add((facts.st_dev, facts.st_ino))
        if names and len(Path(parent).relative_to(folder).parts) >= MOST_DEPTH:
            passed.add(parent, f"folder below {MOST_DEPTH} others")
            names.clear()
        for file in (Path(parent, name) for name in sorted(files) if not name.startswith(".")):
            content = _recording_at(file, passed)
            if content is None:
                continue
            count += 1
            if count > MOST_RECORDINGS:
                raise RecordingError(f"{folder}: contains more than {MOST_RECORDINGS} recordings")
            yield from _of_file(str(file), overrides, content)


def _recording_at(file: Path, passed: SkippedFiles) -> Content | None:
    """A file below a folder, if it looks like a recording."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            passed.add(str(file), "pipe or device")
            return None
        with file.open("rb") as stream:
            content = Content(file.name, stream.read(HEAD_BYTES), file.read_bytes, file)
    except OSError:
        passed.add(str(file), "unreadable")
        return None
    if file.suffix.lower() in SAMPLES and header_beside(file):
        return None  # it is read with its header
    form = format_of(content)
    if (form and form.confirm(content)) or _is_of_apple(file.parent.name, file.name):
        return content
    passed.add(str(file))
    return None


def _is_of_apple(folder: str, name: str) -> bool:
    return folder.casefold() == ECG_FOLDER and name.lower().endswith(".csv")


def _archived(path: Path, overrides: Overrides, passed: SkippedFiles) -> Iterator[RecordingFile]:
    """The recordings in an archive whose directory is sane, in the order of their names."""
    with opened_zip(path, RecordingError) as archive:  # stays open while its recordings are taken
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            most = f"an export of the Health app has at most {MOST_MEMBERS}"
            raise RecordingError(f"{path}: holds {len(members)} files; {most}")
        names, places = set[str](), set[int]()
        named = (info.filename.casefold() for info in members)
        headers = {name.removesuffix(HEADER) for name in named if name.endswith(HEADER)}
        is_export = any(PurePosixPath(info.filename).parent.name.casefold() == ECG_FOLDER for info in members)
        count = total_bytes = 0
        for info in sorted((info for info in members if _is_wanted(info, passed)), key=lambda info: info.filename):
            if info.filename in names or info.header_offset in places:
                passed.add(info.filename, "sharing a name or place in the zip")
                continue
            names.add(info.filename)
            places.add(info.header_offset)
            stem, suffix = os.path.splitext(info.filename)  # noqa: PTH122
            if suffix.lower() in SAMPLES and stem.casefold() in headers:
                continue  # it is read with its header
            name = "".join(letter if letter.isprintable() else "?" for letter in info.filename)
            source, content = f"{path}/{name}", _sniffed(archive, info)
            if isinstance(content, str):  # what is wrong with a recording
                yield RecordingFile(source, partial(_refuse, f"{source}: {content}"))
            elif content is None:
                if not is_export or suffix.lower() not in OTHER_HEALTH_DATA:
                    passed.add(info.filename)
            else:
                count, total_bytes = count + 1, total_bytes + info.file_size
                if count > MOST_RECORDINGS or total_bytes > MOST_TOTAL_BYTES:
                    most = f"{MOST_RECORDINGS} recordings or {MOST_TOTAL_BYTES / 1e9:.0f} GB of them"
                    raise RecordingError(f"{path}: contains more than {most}")
                yield from _each(
                    content, RecordingFile(source, partial(read_content, content, source, overrides)), overrides
                )


def _sniffed(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Content | str | None:
    """A member that is a recording, the fault of one that should be, or None for others."""
    should_be = _is_of_apple(PurePosixPath(info.filename).parent.name, info.filename)
    if info.flag_bits & 1:
        is_csv = info.filename.lower().endswith(".csv")
        return "is encrypted; expected the zip as Apple wrote it" if should_be or is_csv else None
    try:
        read = partial(_member, archive, info, MOST_RECORDING_BYTES + 1)
        beside = partial(_beside, archive, info.filename)
        content = Content(info.filename, _member(archive, info, HEAD_BYTES), read, beside=beside)
    except RecordingError as error:
        return str(error)
    form = format_of(content)
    if not form and not should_be:
        return None
    if info.file_size > MOST_RECORDING_BYTES or info.file_size > MOST_RATIO * max(info.compress_size, 1):
        return (
            f"unpacks from {info.compress_size:,} to {info.file_size:,} bytes; "
            f"expected a recording of at most {MOST_RECORDING_BYTES:,}, and no more than {MOST_RATIO} times"
        )
    if form and not form.confirm(content):
        return None
    return content


def _is_wanted(info: zipfile.ZipInfo, passed: SkippedFiles) -> bool:
    """Whether a member is a plain file with a name that stays in its folder."""
    name = PurePosixPath(info.filename.replace("\\", "/"))  # as some programs of Windows write it
    if info.filename.endswith("/") or name.name.startswith(".") or name.parts[:1] == ("__MACOSX",):
        return False
    if stat.S_ISLNK(info.external_attr >> 16):
        passed.add(info.filename, "link")
    elif not name.name or name.is_absolute() or ".." in name.parts or "\0" in info.orig_filename:
        passed.add(info.filename, "name that leads out of its folder")
    else:
        return True
    return False


def _beside(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    """Another file of a member's folder, such as the samples of a record. Raises RecordingError."""
    try:
        info = archive.getinfo(str(PurePosixPath(member).with_name(name)))
    except (KeyError, ValueError):
        raise RecordingError("names a file that is not beside it in the archive") from None
    if info.flag_bits & 1 or info.file_size > min(MOST_RECORDING_BYTES, MOST_RATIO * max(info.compress_size, 1)):
        raise RecordingError("names a file beside it that is encrypted or unpacks to more than a recording has")
    return _member(archive, info, MOST_RECORDING_BYTES)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    try:
        with archive.open(info) as stream:
            return stream.read(most)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError, OSError):
        raise RecordingError("is damaged; export it from the Health app again") from None


def _refuse(sentence: str) -> NoReturn:
    raise RecordingError(sentence)
