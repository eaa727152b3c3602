"""Text for the terminal: lines that fit its width, tables in columns, shares and counts, and the time that is left."""

import shutil
import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def terminal_width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def folded(text: str, indent: int = 0) -> str:
    """The text in lines that fit; all but the first are indented. A word that is longer than a line stays whole."""
    return textwrap.fill(
        text, terminal_width(), subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )


def tail(name: str, width: int) -> str:
    """The end of a name, which tells files apart; two dots stand for what was cut."""
    return name if len(name) <= width else f"..{name[2 - width :]}"


SECONDS_APART = 1.0  # of lines of progress


def columns(rows: Iterable[Sequence[str]], width: int | None = None) -> list[str]:
    """Rows of cells as lines, each column as wide as it needs: the first to the left, the others to the right.

    Columns that do not fit beside the first ones stand below them, the first column again before them. width: of the
    lines; if not given, that of the terminal.
    """
    width = width or terminal_width()
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    blocks: list[list[int]] = [[]]
    used = widths[0]
    for number, needed in enumerate(widths[1:], 1):
        if blocks[-1] and used + 2 + needed > width:
            blocks.append([])
            used = widths[0]
        blocks[-1].append(number)
        used += 2 + needed
    lines: list[str] = []
    for block in blocks:
        lines += [""] if lines else []
        for row in rows:
            cells = [row[0].ljust(widths[0]), *(row[number].rjust(widths[number]) for number in block)]
            lines.append("  ".join(cells).rstrip())
    return lines


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


def countdown(say: Callable[[str], None], total: int, before: int = 0) -> Callable[[str], None]:
    """A function that says how many of `total` are done with each line, and how long the others take at most.

    At the pace so far, since whoever counts begins with the longest. It says no more than a line a second, and the last
    one. before: how many were done already, and say nothing of the
    pace.
    """
    began, done = time.perf_counter(), before
    said_at = -SECONDS_APART

    def step(line: str) -> None:
        nonlocal done, said_at
        done += 1
        now = time.perf_counter()
        if done < total and now - said_at < SECONDS_APART:
            return
        said_at = now
        left_s = (now - began) / (done - before) * (total - done)
        say(f"{done:3}/{total}  {line}" + (f"; at most {duration(left_s)} left" if done < total else ""))

    return step


def duration(seconds: float) -> str:
    """A time as a person says it."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
