"""What a format is: by what its files are known, and what reads them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

from edge_ecg.recording import Signal, Told

HEAD_BYTES = 4096  # of a file are enough to know its format


@dataclass(frozen=True)
class Content:
    """One file, wherever it lies; `read` gives all its bytes."""

    name: str
    head: bytes
    read: Callable[[], bytes]
    path: Path | None = None  # None in an archive
    # Of an archive: another file of the same folder; raises RecordingError.
    beside: Callable[[str], bytes] | None = None


@dataclass(frozen=True)
class Format:
    """One format of recordings. A file is known by its content, or by a suffix that no other format has."""

    name: str
    describes: str  # a line for the documentation: which files, and whence their rate, unit and time
    suffixes: frozenset[str]  # in small letters, with their point
    sniff: Callable[[bytes], bool]  # of the first HEAD_BYTES
    read: Callable[[Content, Told], Signal]  # raises RecordingError
    needs: str = ""  # the package that reads it, where it is an optional one
    is_refused: bool = False  # known by name alone: `read` says what converts it
    # Where a file may hold several recordings: what reads each of them.
    each: Callable[[Content, Told], Iterable[Callable[[], Signal]]] | None = None

    def knows(self, content: Content) -> bool:
        """Whether the file is of this format, damaged or not."""
        return PurePath(content.name).suffix.lower() in self.suffixes or self.sniff(content.head)
