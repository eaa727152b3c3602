"""Files as bytes on a disk: plain files of sane size, JSON files with finite numbers, zip archives within limits."""

import io
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_ecg.errors import EdgeEcgError, RunError
from edge_ecg.storage.atomic import write_file


def path_of(given: object, refusal: type[EdgeEcgError] = EdgeEcgError) -> Path:
    """What a caller gave as a path. Raises `refusal` for what can't be one."""
    if not isinstance(given, str | os.PathLike) or "\0" in os.fspath(given):
        raise refusal(f"path is {given!r:.60}, expected the path of a file or folder")
    return Path(given)


def plain_handle(path: Path, refusal: type[EdgeEcgError] = EdgeEcgError) -> int:
    """A file open for reading. Raises `refusal` for what is no plain file, without waiting for it; OSError."""
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
    """A file's content. Raises `refusal` for what is no plain file or has more than `most` bytes; OSError."""
    with os.fdopen(plain_handle(path, refusal), "rb") as stream:
        content = stream.read(most + 1) or b""  # None of a device that has nothing now
    if len(content) > most:
        raise refusal(f"{path}: has more than {most:,} bytes, which is too many for what it should be")
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
