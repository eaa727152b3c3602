"""Figures as text: columns, counts, intervals and the time that is left, for what commands print."""

import time
from collections.abc import Callable, Iterable, Sequence
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


def countdown(say: Callable[[str], None], total: int) -> Callable[[str], None]:
    """A function that says how many of `total` are done with each line, and how long the others take at that pace."""
    began, done = time.perf_counter(), 0

    def step(line: str) -> None:
        nonlocal done
        done += 1
        left_s = (time.perf_counter() - began) / done * (total - done)
        say(f"{done:3}/{total}  {line}" + (f"; {duration(left_s)} left" if done < total else ""))

    return step


def duration(seconds: float) -> str:
    """A time as a person says it."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
