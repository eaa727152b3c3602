"""Commands in tests: inside this process through the same door as a shell, or as a process of its own."""

import contextlib
import io
import runpy
import subprocess
import sys
import warnings
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).parent.parent
Done = subprocess.CompletedProcess


def as_process(module: str, *arguments: object) -> "Done[str]":
    """`python -m MODULE ARGUMENTS...` as a process of its own."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def inside(module: str, *arguments: object) -> "Done[str]":
    """The same inside this process, where everything is imported already."""
    command = [module, *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with patch("sys.argv", command), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "'.*' found in sys.modules", RuntimeWarning)  # it is, on purpose
                runpy.run_module(module, run_name="__main__")
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
    return Done(command, code, out.getvalue(), err.getvalue())


def edge_ecg(*arguments: object) -> "Done[str]":
    """`edge-ecg ARGUMENTS...` inside this process."""
    return inside("edge_ecg.cli", *arguments)
