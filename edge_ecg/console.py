"""How every command ends: a result, or one line that says what was wrong, and exit code 2."""

import sys
from typing import NoReturn

import click

from edge_ecg.errors import EdgeEcgError


def run(command: click.Command) -> NoReturn:
    """Run a click command; bad input ends in one line on standard error and exit code 2, never a traceback."""
    try:
        sys.exit(command.main(standalone_mode=False) or 0)
    except EdgeEcgError as error:
        message, code = " ".join(str(error).split()), 2
    except click.ClickException as error:
        message, code = error.format_message(), 2
    except OSError as error:
        message, code = f"{error.filename or 'input or output'}: {error.strerror or error}", 2
    except (click.Abort, KeyboardInterrupt):
        message, code = "interrupted", 130
    click.echo(f"error: {message}", err=True)
    sys.exit(code)
