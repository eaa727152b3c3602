"""Commands in a terminal: text that fits it, progress, and an end in a result or one line and an exit code.

0 done; 1 a defect of this program; 2 bad input (what could be done was done); 130 interrupted.
"""

import os
import shutil
import sys
import textwrap
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count as count_from
from pathlib import Path
from typing import NoReturn, TypeVar

import click

from edge_ecg.errors import EdgeEcgError
from edge_ecg.storage.files import claimed_folder
from edge_ecg.terminal.interrupts import INTERRUPTED, raise_again

Result = TypeVar("Result")
DEFECT = 1
BAD_INPUT = 2


def run_command(command: click.Command, arguments: list[str] | None = None) -> NoReturn:
    """Run a click command; bad input ends in one line on standard error and exit code 2, never a traceback.

    Adds `--verbose`, which shows the traceback as well, to the command and to those below it that are loaded.
    """
    raise_again()
    _prepare_streams()
    _Verbose.wanted = False
    add_verbose(command)
    if os.environ.get("NO_COLOR"):
        command.context_settings["color"] = False
    stdout = sys.stdout
    try:
        code = command.main(arguments, standalone_mode=False) or 0
        sys.stdout.flush()
        sys.exit(code)
    except EdgeEcgError as error:
        sys.exit(_reported(error))
    except click.ClickException as error:
        sys.exit(_reported(error.format_message()))
    except BrokenPipeError:
        _leave_quietly()
    except SystemExit as ended:
        if sys.stdout is not stdout:  # click's answer to a closed pipe: a stream of its own, and exit code 1
            _leave_quietly()
        sys.exit(ended.code)
    except OSError as error:
        sys.exit(_reported(f"{error.filename or 'input or output'}: {error.strerror or error}"))
    except (click.Abort, KeyboardInterrupt):
        _reported("interrupted")
        sys.exit(INTERRUPTED)
    except Exception as error:  # its message may quote a recording, so only its kind is shown
        _reported(f"this is a defect of edge-ecg ({type(error).__name__}); --verbose shows where")
        sys.exit(DEFECT)


def _prepare_streams() -> None:
    """Make stdout and stderr accept undecodable file names and survive being closed."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, "w")  # noqa: PTH123, SIM115
            if stream.fileno() != number:
                os.dup2(stream.fileno(), number)  # or the next file that is opened would be what C code prints to
            setattr(sys, name, stream)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _leave_quietly() -> NoReturn:
    """The reader of our output closed it."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to fail at the exit
    sys.exit(0)


def claim_folder(out: Path, command: str, names: Iterable[str]) -> None:
    """`claimed_folder` until the click command that runs now has ended."""
    click.get_current_context().with_resource(claimed_folder(out, command, names))


def unused_path(path: Path) -> Path:
    """The path, with a number behind its stem if it is taken: run, run-2, run-3."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in count_from(2))
    return path if not os.path.lexists(path) else next(other for other in numbered if not os.path.lexists(other))


def out_option(
    name: str, meaning: str, kind: click.ParamType | None = None
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """The option `--out`; without it, output goes to `name` in the working folder, numbered if that exists."""
    return click.option(
        "--out",
        type=kind or click.Path(path_type=Path),
        default=lambda: unused_path(Path(name)),
        help=f"{meaning} [{name}, numbered if it exists]",
    )


def is_verbose() -> bool:
    """Whether the command runs with --verbose."""
    return _Verbose.wanted


def report_error(error: object) -> int:
    """Print an error in one line and return its exit code, also if printing fails."""
    try:
        click.echo(f"error: {' '.join(str(error).split())}", err=True)
    except OSError:  # such as a full device: nothing is left to fail at the exit either
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    return BAD_INPUT


def _reported(error: object) -> int:
    if _Verbose.wanted:
        with suppress(OSError):
            traceback.print_exc()
    return report_error(error)


class _Verbose:
    """Whether this process was asked for tracebacks; it is asked while click still parses."""

    wanted = False

    @classmethod
    def ask(cls, _context: click.Context, _option: click.Parameter, value: bool) -> None:
        cls.wanted = cls.wanted or value


def add_verbose(command: click.Command) -> None:
    """Give the option `--verbose` to a command, unless it has it, and to all commands below it."""
    option = click.Option(
        ["--verbose"], is_flag=True, expose_value=False, callback=_Verbose.ask, help="Show tracebacks of errors."
    )
    if option.name not in {of_command.name for of_command in command.params}:
        command.params.append(option)
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        add_verbose(below)


def terminal_width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def wrapped(text: str, indent: int = 0) -> str:
    """The text in lines that fit; all but the first are indented. A word that is longer than a line stays whole."""
    return textwrap.fill(
        text, terminal_width(), subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )


def shortened(name: str, width: int) -> str:
    """A name shortened in the middle, because its end identifies the file and its start the folder.

    >>> shortened("data/2024-03-09/fasting/ecg_2024-03-09_080300.csv", 30)
    'data/20..2024-03-09_080300.csv'
    """
    if len(name) <= width:
        return name
    head = (width - 2) // 4
    return f"{name[:head]}..{name[head + 2 - width :]}"


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


def countdown(say: Callable[[str], None], total: int, before: int = 0, later: float = 0) -> Callable[[str], None]:
    """A function that prints, with each line, how many of `total` are done and how long the others take at most.

    At the pace so far, since whoever counts begins with the longest. It says no more than a line a second, and the last
    one. before: how many were done already, and say nothing of the pace; later: how many of the same pace something
    else will take after these, which the time left includes.
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
        left_s = (now - began) / (done - before) * (total - done + later)
        say(f"{done:3}/{total}  {line}" + (f"; at most {duration(left_s)} left" if left_s else ""))

    return step


def duration(seconds: float) -> str:
    """A duration in words."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
