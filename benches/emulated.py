"""Emulated devices: what each needs, how its program is built and run, and what it took."""

import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
SOURCES = REPOSITORY / "ios_bridge" / "Firmware"
CORE = REPOSITORY / "ios_bridge" / "Sources" / "EdgeECGCore"
BUILT = REPOSITORY / "out" / "device"
SECONDS = 300  # a program that takes longer hangs

# Debian's package of each command.
PACKAGES = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    "arm-linux-gnueabihf-gcc": "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross",
    "qemu-aarch64-static": "qemu-user-static",
    "qemu-arm-static": "qemu-user-static",
    "debootstrap": "debootstrap",
}


class Died(Exception):
    """A program that did not come to its end: a trap, or it took too long."""


@dataclass(frozen=True)
class Device:
    """One device and the machine that stands in for it."""

    name: str
    about: str
    compiler: str
    emulator: tuple[str, ...]

    @property
    def is_bare_metal(self) -> bool:
        """Whether the program has the machine for itself, with meters of instructions and memory."""
        return self.emulator[0] == "qemu-system-arm"

    @property
    def commands(self) -> tuple[str, ...]:
        """What must be installed."""
        return ("swiftc", self.compiler, self.emulator[0])

    def build(self) -> Path:
        """The program, built if a source is newer. Raises CalledProcessError; the compiler says why."""
        program = BUILT / f"{self.name}.elf"
        sources = [path for path in (*SOURCES.iterdir(), *CORE.rglob("*.swift")) if path.suffix != ".md"]
        changed = max(path.stat().st_mtime for path in sources)
        if program.exists() and program.stat().st_mtime > changed:
            return program
        BUILT.mkdir(parents=True, exist_ok=True)
        subprocess.run([SOURCES / "build.sh", self.name, program], check=True)
        return program

    def run(self, program: Path, folder: Path, *arguments: str) -> list[list[str]]:
        """The words of each line that the program prints, started in `folder`. Raises Died."""
        command = self._command(program, arguments)
        try:
            done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise Died(f"{self.name}: {' '.join(arguments[:2])} takes more than {SECONDS} s") from None
        lines = done.stdout.decode(errors="replace").splitlines()
        if done.returncode or not lines or not lines[-1].startswith("meters"):
            raise Died(f"{self.name}: {' '.join(arguments[:2])} ended with {done.returncode} after {lines[-1:]}")
        return [line.split() for line in lines]

    def instructions(self, program: Path, folder: Path, *arguments: str) -> int:
        """How many instructions a run takes from its start to its end, each one counted (user mode)."""
        told = subprocess.run([*self.emulator, "--help"], capture_output=True, text=True).stdout
        one_by_one = "-one-insn-per-tb" if "-one-insn-per-tb" in told else "-singlestep"  # the older name
        log = ("-d", "exec,nochain", "-D", "/dev/stderr")  # a line an instruction
        command = [self.emulator[0], one_by_one, *log, str(program), *arguments]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
            assert running.stderr is not None
            return sum(chunk.count(b"\n") for chunk in iter(lambda: running.stderr.read(1 << 20), b""))

    def _command(self, program: Path, arguments: tuple[str, ...]) -> list[str]:
        if not self.is_bare_metal:
            return [*self.emulator, str(program), *arguments]
        given = "".join(f",arg={word}" for word in (self.name, *arguments))
        return [*self.emulator, "-semihosting-config", f"enable=on,target=native{given}", "-kernel", str(program)]


def _board(machine: str, cpu: str) -> tuple[str, ...]:
    return ("qemu-system-arm", "-M", machine, "-cpu", cpu, "-nographic", "-icount", "shift=0")


DEVICES = (
    Device("m7", "Cortex-M7, double-precision FPU", "arm-none-eabi-gcc", _board("mps2-an500", "cortex-m7")),
    Device("m4f", "Cortex-M4, single-precision FPU", "arm-none-eabi-gcc", _board("mps2-an386", "cortex-m4")),
    Device("aarch64", "64-bit Arm, Linux", "aarch64-linux-gnu-gcc", ("qemu-aarch64-static",)),
    Device("arm32", "32-bit Arm (armv7), Linux", "arm-linux-gnueabihf-gcc", ("qemu-arm-static",)),
)


def missing(commands: tuple[str, ...]) -> list[str]:
    """Those of some commands that are not installed, after an attempt to install them where that may be done."""
    absent = [name for name in commands if not shutil.which(name)]
    packages = sorted({package for name in absent for package in PACKAGES.get(name, "").split()})
    if packages and shutil.which("apt-get") and os.geteuid() == 0:
        print(f"installing {' '.join(packages)}", flush=True)
        for words in (["update"], ["install", "-y", *packages]):
            with suppress(subprocess.TimeoutExpired):  # what is not there afterwards is said
                subprocess.run(["apt-get", "-qq", *words], check=False, capture_output=True, timeout=SECONDS)
    return [name for name in absent if not shutil.which(name)]


def sizes(program: Path) -> tuple[int, int]:
    """Bytes of code with its constants, and of memory that is taken before the program starts."""
    text, data, bss = (
        subprocess.run(["arm-none-eabi-size", program], capture_output=True, text=True, check=True)
        .stdout.splitlines()[1]
        .split()[:3]
    )
    return int(text) + int(data), int(data) + int(bss)
