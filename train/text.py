"""Figures as text: columns, counts and intervals, for what commands print."""

from collections.abc import Iterable, Sequence
from typing import Any


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, each column as wide as it needs: the first to the left, the others to the right."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows)
    return ["  ".join(cells).rstrip() for cells in padded]


def between(interval: Sequence[float]) -> str:
    """An interval of a share."""
    low, high = interval
    return f"{low:.1%} to {high:.1%}"


def count(confusion: dict[str, Any]) -> str:
    """How many are right, of how many."""
    return f"{confusion['right']}/{confusion['total']}"


def share(value: float | None) -> str:
    """A share, or a dash where there is none."""
    return "-" if value is None else f"{value:.1%}"
