"""How every command ends: a result, or one line that says what was wrong, and an exit code that a program can read.

0 done; 1 a defect of this program; 2 bad input (what could be done was done); 130 interrupted.
"""

import os
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click

from edge_ecg.errors import EdgeEcgError
from edge_ecg.storage.atomic import claimed_folder
from edge_ecg.terminal.interrupts import INTERRUPTED, raise_again

DEFECT = 1
BAD_INPUT = 2


def run_command(command: click.Command, arguments: list[str] | None = None) -> NoReturn:
    """Run a click command; bad input ends in one line on standard error and exit code 2, never a traceback.

    Adds `--verbose`, which shows the traceback as well, to the command and all below it.
    """
    raise_again()
    _prepare_streams()
    _Verbose.wanted = False
    _add_verbose(command)
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
    except Exception as error:  # its message may quote a recording, so only its kind is told
        _reported(f"this is a defect of edge-ecg ({type(error).__name__}); --verbose shows where")
        sys.exit(DEFECT)


def _prepare_streams() -> None:
    """Any name of a file can be printed, and a stream that was closed takes what is printed."""
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


def is_verbose() -> bool:
    """Whether the command was asked to say more."""
    return _Verbose.wanted


def report_error(error: object) -> int:
    """Say in one line what was wrong, and return the exit code for it."""
    click.echo(f"error: {' '.join(str(error).split())}", err=True)
    return BAD_INPUT


def _reported(error: object) -> int:
    if _Verbose.wanted:
        traceback.print_exc()
    return report_error(error)


class _Verbose:
    """Whether this process was asked for tracebacks; it is asked while click still parses."""

    wanted = False

    @classmethod
    def ask(cls, _context: click.Context, _option: click.Parameter, value: bool) -> None:
        cls.wanted = cls.wanted or value


def _add_verbose(command: click.Command) -> None:
    option = click.Option(
        ["--verbose"], is_flag=True, expose_value=False, callback=_Verbose.ask, help="Show tracebacks of errors."
    )
    if option.name not in {of_command.name for of_command in command.params}:
        command.params.append(option)
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        _add_verbose(below)
