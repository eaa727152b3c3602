"""How a folder is replaced: written beside its place, then exchanged for what was there in one step."""

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD; RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


@contextmanager
def placed(path: Path) -> Iterator[Path]:
    """A new folder to fill, which becomes `path` when the block ends well; until then `path` stays as it was.

    A process that is killed leaves a hidden folder `.NAME.…` beside it, which can be deleted.
    """
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        yield fresh
        if path.exists() and _exchanged(fresh, path):
            return
        if path.exists():  # on a file system that can't exchange, a crash between these two lines leaves none
            path.rename(Path(scratch) / "old")
        fresh.rename(path)


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
