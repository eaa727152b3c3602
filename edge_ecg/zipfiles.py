"""Open zip archives safely: limits on the directory, and one sentence for any damage."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_ecg.errors import EdgeEcgError
from edge_ecg.files import plain_handle

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
