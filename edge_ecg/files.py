"""How a file that a person names is read: whole, if it is a plain file of sane size; a pipe or device is refused."""

import os
import stat
from pathlib import Path

from edge_ecg.errors import EdgeEcgError


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
        content = stream.read(most + 1)
    if len(content) > most:
        raise refusal(f"{path}: has more than {most:,} bytes, which is too many for what it should be")
    return content
