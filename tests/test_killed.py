"""A command that is killed at any moment harms nothing that was there, and finishes when it is typed again.

EDGE_ECG_KILLS is the number of kills of each command, half of them at a random moment of its whole time, half while
it writes. Without it there are a few, and none of the export, which takes too long.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_ecg.bundles.bundle import load_bundle
from edge_ecg.datasets.dataset_file import read_dataset
from train.run import BEATS, load_run

WANTED = os.environ.get("EDGE_ECG_KILLS")
KILLS = int(WANTED or 2)
ROOT = Path(__file__).parent.parent
Tree = dict[str, bytes]

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="process groups and SIGKILL are of POSIX"),
    pytest.mark.ci,
]


def tree(folder: Path) -> Tree:
    """Every file, but for what a killed writer left."""
    files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if ".part/" not in name}


@dataclass(frozen=True)
class Command:
    """Something to kill: `python -m WORDS --out PLACE/out`."""

    words: tuple[object, ...]
    opens: Callable[[Path], object]  # raises unless what lies there is whole
    again: tuple[str, ...] = ()  # what must be added when it is typed again
    content: Callable[[Path], Tree] = tree  # what is the same whenever it is run

    def start(self, place: Path, again: bool = False) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", *map(str, self.words), "--out", str(place / "out")]
        scratch = place.parent / "system_scratch"
        scratch.mkdir(exist_ok=True)
        return subprocess.Popen(
            [*command, *(self.again if again else ())],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(scratch), "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )

    def finish(self, place: Path, again: bool = False) -> None:
        process = self.start(place, again)
        _, said = process.communicate(timeout=600)
        assert process.returncode == 0, said


def kill(process: "subprocess.Popen[str]") -> bool:
    """Whether the process was still at it."""
    is_alive = process.poll() is None
    if is_alive:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return is_alive


def wait_until_it_writes(process: "subprocess.Popen[str]", place: Path, sights: int) -> None:
    """Until a scratch folder was seen so many times beside what is written."""
    seen: set[Path] = set()
    while process.poll() is None and len(seen) < sights:
        for folder in (place, place / "out"):
            seen |= set(folder.glob(".*.part"))


def survives(command: Command, older: Path | None, folder: Path, seed: str, kills: int = KILLS) -> None:
    """Kill the command again and again, with or without an `older` output in its place, and look at what is there."""

    def new_place(name: str) -> Path:
        place = folder / name
        place.mkdir()
        if older:
            shutil.copytree(older, place / "out")
        return place

    rng = random.Random(seed)
    place = new_place("whole")
    began = time.monotonic()
    command.finish(place)
    took_s = time.monotonic() - began
    whole, old = command.content(place / "out"), older and command.content(older)
    tried = killed = writing = 0
    while killed < kills and tried < 4 * kills:  # on a crowded machine a command may end sooner than last time
        place, tried = new_place(f"place{tried}"), tried + 1
        process = command.start(place)
        if tried % 2:
            wait_until_it_writes(process, place, rng.choice((1, 2, 3)) if command.again else 1)
            time.sleep(rng.choice((0, 0.001, 0.004, 0.016)) * rng.random())
        else:
            time.sleep(took_s * (killed + rng.random()) / kills)
        killed += kill(process)
        left = [path for path in place.rglob("*.part") if path.is_dir()]
        writing += bool(left)
        assert all(path.parent in (place, place / "out") for path in left)
        if older:
            assert command.content(place / "out") in (old, whole)
            command.opens(place / "out")
        command.finish(place, again=True)
        assert command.content(place / "out") == whole
        command.opens(place / "out")
        assert list(place.iterdir()) == [place / "out"]
        assert not list(place.rglob("*.part"))
        shutil.rmtree(place)
    print(f"{seed}: killed {killed} times, of which {writing} while it wrote; {took_s:.1f} s unkilled")
    assert killed == kills


def test_import(small_dataset: Path, tmp_path: Path) -> None:
    windows = [("--window", "rest=06:00-09:00", "--window", "after=09:00-13:00")]
    windows += [("--window", "early=06:00-09:00", "--window", "late=09:00-13:00")]
    sources = [small_dataset.parent / f"030{day}" for day in range(1, 5)]
    other, this = (Command(("edge_ecg.cli", "import", *sources, *w), _dataset) for w in windows)
    other.finish(tmp_path / "older")
    survives(this, tmp_path / "older/out", tmp_path, "import")


def _dataset(data: Path) -> None:
    dataset = read_dataset(data / "dataset.toml", None)
    assert all(dataset.entries(which) for which in ("train", "validation", "test"))


def test_enroll(small_bundle: Path, small_dataset: Path, tmp_path: Path) -> None:
    fresh = [*small_dataset.parent.glob("030[789]/fasting")]
    command = Command(("edge_ecg.cli", "enroll", small_bundle, *fresh), load_bundle)
    survives(command, small_bundle, tmp_path, "enroll")


def test_train(small_dataset: Path, tmp_path: Path) -> None:
    command = Command(("train", small_dataset, "--epochs", "3"), load_run, ("--resume",), _in_any_order)
    survives(command, None, tmp_path, "train", KILLS if WANTED else 1)


@pytest.mark.skipif(WANTED is None, reason="EDGE_ECG_KILLS is not set: training twice takes too long")
def test_a_finished_run_stays_one_while_it_is_resumed(small_dataset: Path, small_run: Path, tmp_path: Path) -> None:
    command = Command(("train", small_dataset, "--epochs", "15", "--resume"), load_run, content=_in_any_order)
    survives(command, small_run, tmp_path, "train --resume")


def _in_any_order(run: Path) -> Tree:
    """A run's files; safetensors writes the names of recordings now in this order, now in that."""
    return {n: bytes(sorted(c)) if n == BEATS else c for n, c in tree(run).items()}


@pytest.mark.skipif(WANTED is None, reason="EDGE_ECG_KILLS is not set: an export takes half a minute")
def test_export(small_run: Path, small_bundle: Path, small_dataset: Path, tmp_path: Path) -> None:
    other = Command(("edge_ecg.cli", "enroll", small_bundle, small_dataset.parent / "0308/fasting"), load_bundle)
    other.finish(tmp_path / "older")
    before = tree(small_run)
    command = Command(("export.bundle", small_run), load_bundle, content=_without_random_names)
    survives(command, tmp_path / "older/out", tmp_path, "export")
    assert tree(small_run) == before


def _without_random_names(bundle: Path) -> Tree:
    """A bundle's files, of those with names that coremltools makes anew each time only whether they are there."""
    return {n: b"" if ".mlpackage/" in n or n == "manifest.json" else c for n, c in tree(bundle).items()}
