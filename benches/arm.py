"""The Python runtime on emulated 64-bit Arm, against this machine: `python -m benches.arm BUNDLE RECORDING...`

A small Debian for arm64 (debootstrap) and the wheels that such a machine would install (numpy, onnxruntime and so on),
at this environment's versions, run under user-mode QEMU. Every field of a replay but its timings, and every beat, must
be the same in float32 and int8; evidence may differ in its last digits. Real silicon may pick other kernels of ONNX
Runtime than the emulated processor does, which has dot products and no i8mm.

The root is made once, in out/arm, some 500 MB; making it needs a Debian machine, its archive and a package index. What
is missing is said, and then nothing is checked. The exit code is 1 if anything differs.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

from benches.emulated import missing

REPOSITORY = Path(__file__).parent.parent
ROOT = REPOSITORY / "out" / "arm"
SUITE, PYTHON = "bookworm", "3.11"  # that Debian has that Python
WHEELS = ("numpy", "onnxruntime", "click", "safetensors", "msgspec")
SITE = "opt/edge-ecg-site"
PLATFORMS = (
    "manylinux_2_28_aarch64",
    "manylinux_2_27_aarch64",
    "manylinux_2_17_aarch64",
    "manylinux2014_aarch64",
    "any",
)
EVIDENCE_TOLERANCE = 1e-4
SECONDS = 900

# ONNX Runtime asks for the processor and crashes on what this machine says of itself. QEMU finds these files first.
CPU = """processor\t: 0
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1
"""


class Skipped(Exception):
    """What can't be had here."""


def make_root() -> None:
    """Debian's Python and the wheels for arm64, in ROOT. Raises Skipped."""
    if (ROOT / "made").exists() and (ROOT / "made").read_text() == _wanted():
        return
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir(parents=True)
    if os.geteuid() != 0:
        raise Skipped("debootstrap needs root")
    _run(
        "debootstrap",
        "--arch=arm64",
        "--foreign",
        "--variant=minbase",
        "--include=python3,libgomp1,libstdc++6",
        SUITE,
        ROOT,
    )
    for package in sorted((ROOT / "var/cache/apt/archives").glob("*.deb")):
        _run("dpkg-deb", "-x", package, ROOT)
        package.unlink()
    wheels = ROOT / "wheels"
    pip = [sys.executable, "-m", "pip"] if _has_pip(sys.executable) else ["python3", "-m", "pip"]
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    abis = ["--python-version", PYTHON, "--implementation", "cp", "--abi", "cp311", "--abi", "abi3", "--abi", "none"]
    _run(
        *pip, "download", "-q", "--no-deps", "--only-binary=:all:", *platforms, *abis, "-d", wheels, *_wanted().split()
    )
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(ROOT / SITE)
    shutil.rmtree(wheels)
    (ROOT / "proc").mkdir(exist_ok=True)
    (ROOT / "proc/cpuinfo").write_text(CPU)
    topology = ROOT / "sys/devices/system/cpu"
    topology.mkdir(parents=True, exist_ok=True)
    for name in ("possible", "present", "online"):
        (topology / name).write_text("0\n")
    (ROOT / "made").write_text(_wanted())


def _wanted() -> str:
    return " ".join(f"{name}=={version(name)}" for name in WHEELS)


def _has_pip(python: str) -> bool:
    return subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0


def _run(*command: str | Path) -> None:
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise Skipped(f"{Path(command[0]).name} took too long") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Skipped(f"{Path(command[0]).name} failed: {said[-1] if said else done.returncode}")


def replays(command: list[str | Path], arguments: list[Path], **environment: str) -> list[dict[str, Any]]:
    """What `benches.replayed` prints under some Python."""
    words = [*map(str, command), "-m", "benches.replayed", *map(str, arguments)]
    variables = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    done = subprocess.run(words, cwd=REPOSITORY, env=variables, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise SystemExit(f"arm-check: {words[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> int:
    """Compare, and say what differs. The exit code."""
    parser = argparse.ArgumentParser(description="The Python runtime on emulated 64-bit Arm, against this machine.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("recordings", nargs="+", type=Path)
    arguments = parser.parse_args()
    given = [path.resolve() for path in (arguments.bundle, *arguments.recordings)]
    try:
        if absent := missing(("debootstrap", "dpkg-deb", "qemu-aarch64-static")):
            raise Skipped(f"no {', no '.join(absent)} here")
        make_root()
    except Skipped as reason:
        print(f"arm-check is skipped: {reason}")
        return 0
    ours = distribution("edge-ecg").locate_file(".")
    for facts in Path(str(ours)).glob("edge_ecg-*.dist-info"):
        shutil.copytree(facts, ROOT / SITE / facts.name, dirs_exist_ok=True)
    here = replays([sys.executable], given)
    python = ROOT / "usr/bin" / f"python{PYTHON}"
    emulated = ["qemu-aarch64-static", "-L", ROOT, python]
    there = replays(emulated, given, PYTHONPATH=f"/{SITE}:{REPOSITORY}")
    return compare(here, there)


def compare(here: list[dict[str, Any]], there: list[dict[str, Any]]) -> int:
    """Print what differs, and the sum of it. The exit code."""
    told, largest, beats = [], {"float32": 0.0, "int8": 0.0}, 0
    for ours, theirs in zip(here, there, strict=True):
        name = f"{ours['form']}, {Path(ours['facts']['file']).name}"
        for field, fact in ours["facts"].items():
            if theirs["facts"].get(field) != fact:
                told.append(f"{name}: {field} is {theirs['facts'].get(field)}, here {fact}")
        if ours["beats"] != theirs["beats"]:
            told.append(f"{name}: beats differ")
        for one, other in zip(ours["evidence"], theirs["evidence"], strict=False):
            largest[ours["form"]] = max(largest[ours["form"]], abs(one - other))
        beats += len(ours["beats"])
    told += [f"{form}: evidence differs by {most:.2g}" for form, most in largest.items() if most > EVIDENCE_TOLERANCE]
    print("\n".join(f"DIFFERENT: {line}" for line in told), end="\n" if told else "")
    machines = f"{here[0]['machine']} and emulated {there[0]['machine']}"
    print(
        f"arm-check: {len(here)} replays, {beats} beats on {machines}: "
        f"{'every field but timings is equal' if not told else f'{len(told)} differences'}; evidence within "
        + ", ".join(f"{most:.1e} ({form})" for form, most in largest.items())
    )
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
