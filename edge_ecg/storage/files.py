"""Files on a disk: plain files of sane size, JSON with finite numbers, zip archives within limits.

A folder or a file is replaced in one step, written beside its place, and not if a source would go with it. A process
that is killed leaves a hidden folder `.NAME.….part` beside the place. It goes when the place is next written: a living
writer holds a lock on its folder, which the system takes back however that writer ends.
"""

import ctypes
import glob
import io
import json
import os
import shutil
import signal
import stat
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

from edge_ecg.errors import EdgeEcgError, RunError


def path_of(given: object, refusal: type[EdgeEcgError] = EdgeEcgError) -> Path:
    """A caller's argument as a path. Raises `refusal` for anything that is not one."""
    if not isinstance(given, str | os.PathLike) or "\0" in os.fspath(given):
        raise refusal(f"path is {given!r:.60}, expected the path of a file or folder")
    return Path(given)


def plain_handle(path: Path, refusal: type[EdgeEcgError] = EdgeEcgError) -> int:
    """Open a regular file without blocking. Raises `refusal` for FIFOs, devices and folders; OSError."""
    # O_NONBLOCK: opening a pipe must not wait for a writer.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise refusal(f"{path}: is a folder, a pipe or a device; expected a plain file")
    return handle


def plain_file(path: Path, refusal: type[EdgeEcgError] = EdgeEcgError) -> Path:
    """The path of a plain file, for a library that opens it by its name. Raises as `plain_handle` does."""
    os.close(plain_handle(path, refusal))
    return path


def read_small_file(path: Path, most: int, refusal: type[EdgeEcgError] = EdgeEcgError) -> bytes:
    """A regular file's content. Raises `refusal` for other files and for more than `most` bytes; OSError."""
    with os.fdopen(plain_handle(path, refusal), "rb") as stream:
        content = stream.read(most + 1) or b""  # None of a device that has nothing now
    if len(content) > most:
        raise refusal(f"{path}: has more than {most:,} bytes, too many for such a file")
    return content


MOST_BYTES = 64_000_000


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all."""
    write_file(
        path,
        (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode(errors="backslashreplace"),
    )


def read_json(path: Path) -> Any:
    """The entries of a JSON file. Raises RunError."""
    try:
        content = json.loads(read_small_file(path, MOST_BYTES, RunError).decode(), parse_constant=_no_number)
    except RunError:
        raise
    except OSError as error:
        raise RunError(f"{path}: can't be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise RunError(f"{path}: is not JSON as this program writes it") from None
    if not isinstance(content, dict):
        raise RunError(f"{path}: holds {type(content).__name__}, expected entries by name")
    return content


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no finite number")


MOST_DIRECTORY_BYTES = 10_000_000  # some 60,000 files


class _TooLarge(Exception):
    """The directory of the zip is larger than a zip of recordings has."""


class _Guarded(io.FileIO):
    """A file that gives no more at once than a directory of sane size: `zipfile` reads all that one claims."""

    def read(self, size: int | None = -1, /) -> bytes:
        most = MOST_DIRECTORY_BYTES + 1
        data = super().read(most if size is None or size < 0 else min(size, most)) or b""
        if len(data) == most:
            raise _TooLarge
        return data


@contextmanager
def opened_zip(path: Path, refusal: type[EdgeEcgError]) -> Iterator[zipfile.ZipFile]:
    """The archive at `path`. Raises `refusal` if its directory is damaged or too large, OSError if it can't be read."""
    with _Guarded(path, opener=lambda *_: plain_handle(path, refusal)) as file:
        try:
            archive = zipfile.ZipFile(file)
        except _TooLarge:
            raise refusal(f"{path}: has a directory too large to be true") from None
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, MemoryError):
            raise refusal(f"{path}: is neither a folder nor a whole zip archive") from None
        with archive:
            yield archive


if sys.platform != "win32":
    import fcntl

CLAIMS = ".edge-ecg.json"
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD; RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


def refuse_overlap(out: Path, sources: Iterable[str | os.PathLike[str]]) -> None:
    """Raise EdgeEcgError if `out` is, holds or lies in one of the sources, however the two are spelled.

    Links and `..` are resolved first. What exists is compared by its file number, so that two spellings of one name
    (a file system without case, a second mount) are one.
    """
    place = Path(os.path.realpath(out))
    for source in sources:
        origin = Path(os.path.realpath(source))
        how = _is_at_or_below(place, origin), _is_at_or_below(origin, place)
        if any(how):
            said = {(True, True): "is", (True, False): "lies in", (False, True): "holds"}[how]
            raise EdgeEcgError(f"{out}: {said} {os.fspath(source)}, which is read and must be kept; give another place")


def _is_at_or_below(path: Path, folder: Path) -> bool:
    above = (path, *path.parents)
    return folder in above or (folder.exists() and any(p.exists() and p.samefile(folder) for p in above))


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A new folder to fill, which becomes `path` when the block ends well; until then `path` stays as it was.

    If `path` is a link to a folder, that folder is replaced and the link stays.
    """
    path = Path(os.path.realpath(path))
    with _scratch(path) as scratch:
        fresh = scratch / "fresh"
        fresh.mkdir()
        yield fresh
        if path.exists() and _exchanged(fresh, path):
            return
        if path.exists():  # on a file system that can't exchange, a crash between these two lines leaves none
            path.rename(scratch / "old")
        fresh.rename(path)


def write_file(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one, never a part; the umask gives its mode."""
    path = path.absolute()
    with _scratch(path) as scratch:
        (scratch / "fresh").write_bytes(content)
        (scratch / "fresh").replace(path)


@contextmanager
def claimed_folder(out: Path, command: str, names: Iterable[str]) -> Iterator[None]:
    """While the block runs, `out` is this process's, to write files and folders with these names into.

    Which command writes which name is noted in `out/.edge-ecg.json` first, so that it may write them again. Raises
    EdgeEcgError if another process is at work there, or if a name is taken by what the command did not write.
    """
    out.mkdir(parents=True, exist_ok=True)
    try:
        lock = _locked(Path(os.path.realpath(out)))
    except BlockingIOError:
        raise EdgeEcgError(f"{out}: another command is writing there; wait for it, or give another --out") from None
    except OSError:
        lock = None  # nothing can be locked here
    try:
        of = _claims(out)
        for name in names:
            if os.path.lexists(out / name) and of.get(name) != command:
                raise EdgeEcgError(f"{out}: {name} is there and not of an earlier {command}; give another --out")
        write_file(out / CLAIMS, json.dumps(of | dict.fromkeys(names, command), indent=1).encode())
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _claims(folder: Path) -> dict[str, str]:
    try:
        return dict(json.loads((folder / CLAIMS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return {}


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """A folder beside `path` that only this writer uses; when the block ends well, those of killed ones go too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        try:
            lock = _locked(scratch)
        except (BlockingIOError, FileNotFoundError):
            continue  # another writer took it for a leftover before it was locked
        except OSError:
            lock = None  # nothing can be locked here, so that nobody will take it for one
        break
    try:
        yield scratch
        for leftover in scratch.parent.glob(f".{glob.escape(path.name)}.{'?' * 8}.part"):
            _remove_if_left(leftover)
    finally:
        with _undisturbed():
            shutil.rmtree(scratch)
            if lock is not None:
                os.close(lock)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM until the block ends, so that nothing is half removed."""
    if current_thread() is not main_thread():
        yield
        return
    waiting: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, _frame: waiting.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        for late in waiting:
            signal.raise_signal(late)


def require_place(path: Path) -> None:
    """Raise EdgeEcgError, before the work that it is for, if a file or folder can't be written at `path`."""
    try:
        with _scratch(Path(os.path.realpath(path))):
            pass
    except OSError as error:
        raise EdgeEcgError(f"{path}: can't be written: {error.strerror or error}") from None


def _remove_if_left(folder: Path) -> None:
    with suppress(OSError):  # of a living writer, or another person's
        lock = _locked(folder)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked(folder: Path) -> int:
    """A handle that locks the folder until it is closed. Raises OSError if it is locked, gone, or can't be locked."""
    if sys.platform == "win32":
        raise OSError("a folder can't be locked")
    handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder.stat()
    except OSError:
        os.close(handle)
        raise
    return handle


def _exchanged(one: Path, other: Path) -> bool:
    """Swap two folders in one step, where the system can."""
    if sys.platform == "win32":
        return False
    c_library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if hasattr(c_library, "renameat2"):
        return bool(c_library.renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE) == 0)
    if hasattr(c_library, "renamex_np"):
        return bool(c_library.renamex_np(*names, _EXCHANGE) == 0)
    return False
