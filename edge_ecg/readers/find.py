"""Where recordings lie: each one in Apple's export.zip, in a folder, or in a file of its own.

An archive comes from anybody. It is never unpacked to disk: names, links, sizes and ratios are judged from its
directory first, and then only what looks like an ECG is read, one recording at a time.
"""

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from edge_ecg.errors import RecordingError
from edge_ecg.readers.apple_csv import names_a_rate
from edge_ecg.readers.read import parse_recording, read_recording
from edge_ecg.recording import Recording
from edge_ecg.zipfiles import opened_zip

# Apple's own folder keeps its English name in every language; if that changes, the content tells.
ECG_FOLDER = "electrocardiograms"
SUFFIXES = {".csv"}  # of a recording in an archive
FOLDER_SUFFIXES = {*SUFFIXES, ".npy", ".edf", ".hea"}

MOST_MEMBERS = 50_000  # an export has a file for each workout route
MOST_RECORDINGS = 20_000
MOST_RECORDING_BYTES = 4_000_000  # 30 s at 512 Hz are 150 KB
MOST_TOTAL_BYTES = 2_000_000_000
MOST_RATIO = 100  # numbers as text shrink to a third
SNIFFED_BYTES = 4096
MOST_DEPTH = 12


@dataclass(frozen=True)
class Found:
    """A file that should hold one recording; `read` raises RecordingError if it does not."""

    name: str  # where it lies, with the archive or folder that was given
    read: Callable[[], Recording]


def find_recordings(path: str | os.PathLike[str]) -> Iterator[Found]:
    """The recordings at `path`, by name: those of an Apple export.zip, those below a folder, or the file itself.

    In an archive or folder a CSV counts if it lies in `electrocardiograms`, or if its header names a rate in hertz,
    or (in a folder) if it is nothing but numbers. An archive stays open until the last one was taken.
    Raises RecordingError for an archive that is damaged, encrypted, too large or unsafe, and if nothing is found.
    """
    source = Path(path)
    try:
        if source.is_dir():
            found = _below(source)
        elif source.is_file() and _is_archive(source):
            found = _archived(source)
        else:
            found = iter([Found(os.fspath(path), partial(read_recording, path))])
        nothing = True
        for one in found:
            nothing = False
            yield one
    except OSError as error:
        raise RecordingError(f"{source}: cannot be read: {error.strerror or type(error).__name__}") from None
    if nothing:
        raise RecordingError(f"{source}: holds no ECG; expected Apple's export.zip, or a folder with recordings")


def _is_archive(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04" or zipfile.is_zipfile(file)


def _below(folder: Path) -> Iterator[Found]:
    """The recordings below a folder, through no link."""
    count = 0
    for parent, names, files in os.walk(folder):
        names.sort()
        names[:] = [name for name in names if not name.startswith(".")]
        if len(Path(parent).relative_to(folder).parts) >= MOST_DEPTH:
            names.clear()
        for name in sorted(files):
            file = Path(parent, name)
            if name.startswith(".") or file.suffix.lower() not in FOLDER_SUFFIXES or file.is_symlink():
                continue
            if file.suffix.lower() in SUFFIXES and not _is_ecg_file(file):
                continue
            count += 1
            if count > MOST_RECORDINGS:
                raise RecordingError(f"{folder}: holds more than {MOST_RECORDINGS} recordings")
            yield Found(str(file), partial(read_recording, file))


def _is_ecg_file(file: Path) -> bool:
    if not stat.S_ISREG(file.stat().st_mode):
        return False
    with file.open("rb") as stream:
        return _is_ecg(file.parent.name, stream.read(SNIFFED_BYTES), plain_numbers=True)


def _is_ecg(folder: str, head: bytes, plain_numbers: bool = False) -> bool:
    if folder.casefold() == ECG_FOLDER or names_a_rate(head):
        return True
    return plain_numbers and not any(byte > 127 or chr(byte).isalpha() for byte in head)


def _archived(path: Path) -> Iterator[Found]:
    """The recordings in an archive whose directory is sane, in the order of their names."""
    with opened_zip(path, RecordingError) as archive:  # stays open while its recordings are taken
        try:
            candidates = _candidates(archive)
        except RecordingError as error:
            raise RecordingError(f"{path}: {error}") from None
        for info in candidates:
            if _is_ecg(PurePosixPath(info.filename).parent.name, _member(archive, info, SNIFFED_BYTES)):
                yield Found(f"{path}/{info.filename}", partial(_read_member, archive, info))


def _candidates(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members that may be recordings. Raises RecordingError if any member is unsafe, wanted or not."""
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise RecordingError(f"holds {len(members)} files; an export of the Health app has at most {MOST_MEMBERS}")
    for info in members:
        name = PurePosixPath(info.filename)
        if name.is_absolute() or ".." in name.parts or set(info.orig_filename) & set("\\\0:"):
            raise RecordingError(f"holds {info.orig_filename[:80]!r}, a name that leads out of a folder")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise RecordingError(f"holds {info.filename[:80]!r}, a link; expected plain files")
    wanted = [info for info in members if _is_wanted(info)]
    if len(wanted) > MOST_RECORDINGS:
        raise RecordingError(f"holds {len(wanted)} CSV files, expected at most {MOST_RECORDINGS}")
    for info in wanted:
        if info.flag_bits & 1:
            raise RecordingError(f"{info.filename[:80]!r} in it is encrypted; expected the zip as Apple wrote it")
        if info.file_size > MOST_RECORDING_BYTES or info.file_size > MOST_RATIO * max(info.compress_size, 1):
            raise RecordingError(
                f"{info.filename[:80]!r} in it unpacks from {info.compress_size:,} to {info.file_size:,} bytes; "
                f"expected a recording of at most {MOST_RECORDING_BYTES:,}, and no more than {MOST_RATIO} times"
            )
    if len({info.header_offset for info in wanted}) < len(wanted) or len(set(archive.namelist())) < len(members):
        raise RecordingError("holds files that overlap or share a name; expected the zip as Apple wrote it")
    if sum(info.file_size for info in wanted) > MOST_TOTAL_BYTES:
        raise RecordingError(f"holds more than {MOST_TOTAL_BYTES / 1e9:.0f} GB of recordings")
    return sorted(wanted, key=lambda info: info.filename)


def _is_wanted(info: zipfile.ZipInfo) -> bool:
    name = PurePosixPath(info.filename)
    if info.is_dir() or name.name.startswith(".") or name.parts[:1] == ("__MACOSX",):
        return False
    return name.suffix.lower() in SUFFIXES


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    try:
        with archive.open(info) as stream:
            return stream.read(most)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError, OSError):
        name = f"{archive.filename}: {info.filename[:80]!r}"
        raise RecordingError(f"{name} in it is damaged; export it from the Health app again") from None


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Recording:
    return parse_recording(_member(archive, info, MOST_RECORDING_BYTES + 1), f"{archive.filename}/{info.filename}")
