"""How every command ends: a result, or one line that says what was wrong, and exit code 2."""

import sys
from typing import NoReturn

import click

from edge_ecg.errors import EdgeEcgError

BAD_INPUT = 2
INTERRUPTED = 130


def run(command: click.Command) -> NoReturn:
    """Run a click command; bad input ends in one line on standard error and exit code 2, never a traceback."""
    try:
        sys.exit(command.main(standalone_mode=False) or 0)
    except EdgeEcgError as error:
        sys.exit(report_error(error))
    except click.ClickException as error:
        sys.exit(report_error(error.format_message()))
    except BrokenPipeError:  # whoever read our output has seen enough
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        sys.exit(report_error(f"{error.filename or 'input or output'}: {error.strerror or error}"))
    except (click.Abort, KeyboardInterrupt):
        report_error("interrupted")
        sys.exit(INTERRUPTED)


def report_error(error: object) -> int:
    """Say in one line what was wrong, and return the exit code for it."""
    click.echo(f"error: {' '.join(str(error).split())}", err=True)
    return BAD_INPUT
