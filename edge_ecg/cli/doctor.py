"""`edge-ecg doctor`: formats and checks that this machine supports, and the consequences of missing ones."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from edge_ecg.errors import RecordingError
from edge_ecg.readers.read import formats
from edge_ecg.terminal.console import wrapped

# The newest torch that a coremltools release was tested with, from its own start-up check.
TESTED_TOGETHER = {"9.0": "2.7"}
SWIFT_TIMEOUT_S = 20
DOT_PRODUCTS = {"avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX VNNI", "asimddp": "Arm dot product"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    found: str
    follows: str  # what it means for a bundle


def findings() -> Iterator[Finding]:
    """Look at everything."""
    yield _python()
    yield from _packages()
    yield _torch_with_coremltools()
    yield _core_ml()
    yield _swift()
    yield _onnx_runtime()
    yield _int8()
    yield from _formats()


def _python() -> Finding:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", sys.version_info >= (3, 11), found, "3.11 and newer can run, train and export")


def _packages() -> Iterator[Finding]:
    needs = {
        "torch": "training and export",
        "coremltools": "Core ML packages",
        "onnx": "ONNX files",
        "onnxscript": "ONNX files",
        "matplotlib": "pictures of training and quantization",
    }
    for name, purpose in needs.items():
        found = installed(name)
        follows = f"{purpose}: can be made here" if found else f"no {purpose} here; replaying a bundle needs none"
        yield Finding(name, found is not None, found or "not installed", follows)


def _torch_with_coremltools() -> Finding:
    torch, coremltools = installed("torch"), installed("coremltools")
    if torch is None or coremltools is None:
        return Finding("torch and coremltools", False, "not both installed", "no Core ML export here")
    newest = TESTED_TOGETHER.get(coremltools)
    tested = newest is not None and _numbers(torch) <= _numbers(newest)
    found = f"coremltools {coremltools} was tested with torch up to {newest or 'an unknown version'}, here is {torch}"
    follows = (
        "conversions are as tested" if tested else "every converted package is run and compared before it is written"
    )
    return Finding("torch and coremltools", tested, found, follows)


def _core_ml() -> Finding:
    if sys.platform == "darwin":
        return Finding("Core ML", True, "macOS", "packages are run through Core ML itself as well")
    follows = "packages are checked by the NumPy executor: the file, its weights and graph, not Apple's kernels"
    return Finding("Core ML", False, f"{platform.system()} can't run Core ML", follows)


def _swift() -> Finding:
    path = shutil.which("swift")
    if path is None:
        return Finding(
            "Swift", False, "not installed", "ios_bridge can't be built or tested here; golden.json is its test"
        )
    try:
        with TemporaryDirectory() as scratch:  # which Swift fills, and does not clear
            environment = {**os.environ, "TMPDIR": scratch}
            done = subprocess.run(
                [path, "--version"],
                capture_output=True,
                text=True,
                timeout=SWIFT_TIMEOUT_S,
                check=False,
                env=environment,
            )
        found = (done.stdout.strip() or done.stderr.strip() or "no version").splitlines()[0]
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("Swift", False, f"{path} does not answer: {error}", "ios_bridge can't be tested here")
    return Finding("Swift", True, found, "swift test checks the engine against golden.json")


def _onnx_runtime() -> Finding:
    found = installed("onnxruntime")
    follows = "on one thread of the CPU provider" if found else "by their portable form, at a third of the speed"
    return Finding("ONNX Runtime", found is not None, found or "not installed", f"bundles are run {follows}")


def _int8() -> Finding:
    words = _cpu_words()
    known = [name for flag, name in DOT_PRODUCTS.items() if flag in words]
    if known:
        return Finding(
            "int8 instructions", True, known[0], "int8 sums are exact, so int8 ONNX files decide as elsewhere"
        )
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    if apple:
        return Finding("int8 instructions", True, "Apple silicon", "int8 sums are exact")
    found = "none that are known" if words else "unknown on this system"
    follows = "int8 sums may saturate in pairs: run `python -m export.parity` here before trusting the int8 ONNX files"
    return Finding("int8 instructions", False, found, follows)


def _formats() -> Iterator[Finding]:
    """Formats that can be read here, from the table of formats."""
    try:
        known = list(formats())
    except RecordingError as error:  # of a package that adds one
        yield Finding("formats", False, str(error), "no recording is read before it is mended or gone")
        return
    for form in known:
        here = installed(form.needs) if form.needs else ""
        found = f"{form.needs} {here or 'is not installed'}" if form.needs else "read here"
        if form.is_refused:
            found = "not read here"
        yield Finding(f"{form.name} recordings", here is not None and not form.is_refused, found, form.describes)


def _cpu_words() -> set[str]:
    """The flags that Linux lists for the processor."""
    try:
        return set(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return set()


def installed(name: str) -> str | None:
    """The version of a package, without importing it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, int]:
    major, minor = text.split("+")[0].split(".")[:2]
    return int(major), int(minor)


def lines() -> Iterator[str]:
    """The findings as text."""
    for finding in findings():
        yield f"{'ok' if finding.good else '--':3} {finding.what:22} {finding.found}"
        yield f"    {'':22} {finding.follows}"


TASKS = {
    "replay recordings": ((), ""),
    "train": (("torch",), "train"),
    "write reports and pictures": (("matplotlib", "jinja2"), "report"),
    "export ONNX": (("torch", "onnx", "onnxscript"), "export"),
    "export Core ML": (("torch", "coremltools"), "export"),
}  # by what a person wants to do: the packages that it needs, and the extra that installs them


def verdict() -> Iterator[str]:
    """List the tasks that this machine can do, and what to install for the others."""
    missing = {task: [name for name in needs if not installed(name)] for task, (needs, _) in TASKS.items()}
    yield f"This machine can {_listed([task for task, names in missing.items() if not names])}."
    extras = sorted({TASKS[task][1] for task, names in missing.items() if names})
    if extras:
        rest = _listed([task for task, names in missing.items() if names])
        yield f"To {rest}, type pip install -e '.[{','.join(extras)}]' in the clone."
    others = ["a Mac" * (sys.platform != "darwin"), "Swift" * (shutil.which("swift") is None)]
    if any(others):
        yield f"To run Core ML models or build the app it needs {' and '.join(filter(None, others))}."


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON list on standard output.")
def doctor_command(as_json: bool) -> None:
    """Show what this machine can read, train, export and verify, and what is missing."""
    if as_json:
        click.echo(json.dumps([asdict(f) for f in findings()]))
        return
    for line in lines():
        click.echo(wrapped(line, 27))
    click.echo()
    for line in verdict():
        click.echo(wrapped(line))
