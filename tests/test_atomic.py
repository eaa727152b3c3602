"""A file or folder is replaced whole or not at all, and what killed writers left goes, but nothing of a living one."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_ecg.errors import EdgeEcgError
from edge_ecg.storage import files as atomic
from edge_ecg.storage.files import CLAIMS, atomic_folder, claimed_folder, refuse_overlap, write_file

posix = pytest.mark.skipif(sys.platform == "win32", reason="a mode and a lock of POSIX")

WRITER = """
import sys
from pathlib import Path
from edge_ecg.storage.files import atomic_folder
with atomic_folder(Path(sys.argv[1])) as fresh:
    print(fresh.parent, flush=True)
    sys.stdin.read()
"""

CLAIMER = """
import sys
from pathlib import Path
from edge_ecg.storage.files import claimed_folder
with claimed_folder(Path(sys.argv[1]), "one", ["a"]):
    print("claimed", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def umask() -> Iterator[int]:
    wanted = 0o027
    before = os.umask(wanted)
    yield wanted
    os.umask(before)


def fill(path: Path, text: str) -> None:
    with atomic_folder(path) as fresh:
        (fresh / "a").write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@posix
def test_the_umask_gives_the_mode(tmp_path: Path, umask: int) -> None:
    write_file(tmp_path / "file", b"new")
    fill(tmp_path / "folder", "new")
    for path, mode in (("file", 0o666), ("folder", 0o777), ("folder/a", 0o666)):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == mode & ~umask, path
    (tmp_path / "file").chmod(0o600)
    write_file(tmp_path / "file", b"again")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("can_exchange", [True, False])
def test_what_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool) -> None:
    if not can_exchange:
        monkeypatch.setattr(atomic, "_exchanged", lambda one, other: False)
    fill(tmp_path / "new/folder", "old")
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "new/folder") as fresh:
        (fresh / "nowhere/b").write_text("half")
    assert (tmp_path / "new/folder/a").read_text() == "old"
    with pytest.raises(OSError, match="irectory"):
        write_file(tmp_path / "new/folder", b"a file is no folder")
    assert names(tmp_path / "new") == ["folder"]
    fill(tmp_path / "new/folder", "newer")
    assert names(tmp_path / "new") == ["folder"]
    assert names(tmp_path / "new/folder") == ["a"]
    assert (tmp_path / "new/folder/a").read_text() == "newer"


def writer(place: Path) -> tuple["subprocess.Popen[str]", Path]:
    """A process in the middle of writing, and its scratch folder."""
    command = [sys.executable, "-c", WRITER, str(place)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


@pytest.mark.ci
@posix
def test_what_killed_writers_left_goes_and_nothing_else(tmp_path: Path) -> None:
    place, neighbor = tmp_path / "a[1]", tmp_path / "a[1].b"
    writers = [writer(path) for path in (place, place, neighbor, place)]
    *killed, (living, kept) = writers
    for process, _ in killed:
        process.kill()
        process.communicate()
    mine = tmp_path / ".a[1].mine.part"
    mine.mkdir()
    with atomic_folder(place):
        write_file(tmp_path / "a", b"another name")
        assert all(scratch.is_dir() for _, scratch in writers)
        fill(place, "meanwhile")
        assert [scratch.is_dir() for _, scratch in writers] == [False, False, True, True]
    living.communicate("")
    assert living.returncode == 0
    assert list(place.iterdir()) == []  # the last one's
    assert names(tmp_path) == sorted([mine.name, writers[2][1].name, "a", place.name])
    fill(neighbor, "new")
    assert not writers[2][1].exists()
    assert not kept.exists()


@pytest.mark.parametrize(
    ("out", "source", "how"),
    [
        ("data", "data", "is"),
        ("data", "data/day", "holds"),
        ("data", "data/day/a.csv", "holds"),
        ("data/day/new", "data", "lies in"),
        ("data/day/../../data", "data", "is"),
        (".", "data", "holds"),
        ("data", ".", "lies in"),
        ("..", "data", "holds"),
        ("link", "data", "is"),
        ("data", "link/day", "holds"),
        ("link/new", "data", "lies in"),
        ("data/day/a.csv", "data/day/a.csv", "is"),
        ("absent", "absent/day", "holds"),
        ("other", "data", None),
        ("data2", "data", None),
        ("data/day/new", "data/day/a.csv", None),
        ("other", "loop", None),
    ],
)
def test_what_is_written_may_not_be_hold_or_lie_in_what_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, source: str, how: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/day").mkdir(parents=True)
    (tmp_path / "data/day/a.csv").touch()
    (tmp_path / "link").symlink_to("data")
    (tmp_path / "loop").symlink_to("loop")
    if how is None:
        refuse_overlap(Path(out), [source])
        return
    with pytest.raises(EdgeEcgError, match=f"^{re.escape(out)}: {how} {re.escape(source)}, which is read"):
        refuse_overlap(Path(out), ["/elsewhere", source])


@posix
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "far/folder", "old")
    (tmp_path / "link").symlink_to("far/folder")
    fill(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far/folder/a").read_text() == "new"
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    fill(Path(), "in the working folder")
    assert (tmp_path / "here/a").read_text() == "in the working folder"
    assert names(tmp_path) == ["far", "here", "link"]
    assert names(tmp_path / "far") == ["folder"]


@pytest.mark.ci
@posix
@pytest.mark.parametrize("end", ["finished", "killed"])
def test_one_process_at_a_time_writes_into_a_folder(tmp_path: Path, end: str) -> None:
    command = [sys.executable, "-c", CLAIMER, str(tmp_path / "out")]
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdout.readline() == "claimed\n"
    (tmp_path / "link").symlink_to("out")
    for out in (tmp_path / "out", tmp_path / "link"):
        with pytest.raises(EdgeEcgError, match="another command is writing there"), claimed_folder(out, "one", ["a"]):
            pass
    first.kill() if end == "killed" else None
    first.communicate()
    with claimed_folder(tmp_path / "out", "one", ["a"]):
        (tmp_path / "out/a").write_text("second")


def test_a_name_that_another_wrote_is_not_claimed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with claimed_folder(out, "one", ["a", "b"]):
        (out / "a").write_text("of one")
    with claimed_folder(out, "one", ["a", "b"]):
        (out / "a").write_text("of one, again")
    (out / "mine").write_text("mine")
    for command, name in (("two", "a"), ("one", "mine"), ("two", "mine")):
        with pytest.raises(EdgeEcgError, match=f"{name} is there"), claimed_folder(out, command, ["c", name]):
            pass
    with claimed_folder(out, "two", ["c"]):
        (out / "c").write_text("of two")
    for damage in (b"", b"[]", b"[" * 100_000, b"\xff"):
        (out / CLAIMS).write_bytes(damage)
        with pytest.raises(EdgeEcgError, match="a is there"), claimed_folder(out, "one", ["a"]):
            pass
