"""Ctrl-C while a command still loads its modules: one line and exit code 130, whatever is being imported.

An exception would not do: it would surface anywhere, in C code of a library as another one, with a traceback.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

COMMANDS = ("edge_ecg", "train", "export")
INTERRUPTED = 130


def is_command() -> bool:
    """Whether this process was started as `edge-ecg` or as `python -m` of one of our modules."""
    words = sys.orig_argv
    module = words[words.index("-m") + 1] if "-m" in words[:-1] else ""
    return sys.argv[0].rpartition("/")[2] == "edge-ecg" or module.split(".")[0] in COMMANDS


def quit_at_once() -> None:
    """From now on Ctrl-C ends the process at once, unless somebody else takes care of it."""
    _exchange(signal.default_int_handler, _quit)


def raise_again() -> None:
    """From now on Ctrl-C is Python's KeyboardInterrupt again."""
    _exchange(_quit, signal.default_int_handler)


@contextmanager
def quitting_at_once() -> Iterator[None]:
    """While the block imports what a command needs, Ctrl-C ends the command at once."""
    if not is_command():
        yield
        return
    quit_at_once()
    try:
        yield
    finally:
        raise_again()


def _exchange(handler: object, other: "signal._HANDLER") -> None:
    if signal.getsignal(signal.SIGINT) is handler:
        try:
            signal.signal(signal.SIGINT, other)
        except ValueError:  # not the main thread, where nothing arrives
            return


def _quit(*_: object) -> None:
    os.write(2, b"\nerror: interrupted\n")
    os._exit(INTERRUPTED)


if is_command():
    quit_at_once()  # until `edge_ecg.terminal.console.run_command` has what it runs
