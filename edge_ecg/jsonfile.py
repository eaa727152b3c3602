"""JSON files that a command leaves for another one: written whole or not at all, read with finite numbers only."""

import json
from pathlib import Path
from typing import Any

from edge_ecg.errors import RunError
from edge_ecg.files import read_small_file
from edge_ecg.storage.atomic import write_file

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
