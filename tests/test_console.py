"""How commands end: exit codes, one line, no color where none is wanted, and the traceback only for who asks."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from commands import ROOT, as_process, edge_ecg, inside

from edge_ecg.errors import RecordingError
from edge_ecg.terminal.console import run_command


@click.group()
def cli() -> None:
    """A command with a way to end for each exit code."""


@cli.command()
@click.argument("how")
def end(how: str) -> int:
    """End as told."""
    if how == "defect":
        raise KeyError("Wilhelmine")
    if how == "bad":
        raise RecordingError("a.csv: is\nempty")
    if how == "interrupt":
        raise KeyboardInterrupt
    click.echo(click.style("green", fg="green"), color=None)
    return 0


def ended(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as caught:
        run_command(cli, list(arguments))
    out, err = capsys.readouterr()
    return caught.value.code, out, err


@pytest.mark.parametrize(
    ("how", "code", "says"),
    [
        ("well", 0, ""),
        ("defect", 1, "error: this is a defect of edge-ecg (KeyError); --verbose shows where\n"),
        ("bad", 2, "error: a.csv: is empty\n"),
        ("interrupt", 130, "error: interrupted\n"),
    ],
)
def test_each_end_has_its_exit_code_and_one_line(
    capsys: pytest.CaptureFixture[str], how: str, code: int, says: str
) -> None:
    ended_with, _, err = ended(capsys, "end", how)
    assert (ended_with, err.lstrip("\n")) == (code, says)  # after ^C, click ends the line


@pytest.mark.parametrize("arguments", [("--verbose", "end", "bad"), ("end", "bad", "--verbose")])
def test_verbose_shows_the_traceback_before_the_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, _, err = ended(capsys, *arguments)
    assert code == 2
    assert err.startswith("Traceback")
    assert err.endswith("error: a.csv: is empty\n")
    assert "Traceback" not in ended(capsys, "end", "bad")[2]  # it is not remembered


def test_an_unknown_option_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ended(capsys, "end", "--nonsense")
    assert (code, len(err.splitlines())) == (2, 1)


@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)])
def test_no_color_is_respected(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, no_color: str, colored: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setitem(cli.context_settings, "color", True)  # as at a terminal
    assert ("\x1b" in ended(capsys, "end", "well")[1]) is colored


def test_completion_is_offered(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_ecg.cli import cli as edge_ecg

    monkeypatch.setenv("_EDGE_ECG_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "edge-ecg im")
    monkeypatch.setenv("COMP_CWORD", "1")
    with pytest.raises(SystemExit):
        edge_ecg.main([], prog_name="edge-ecg", standalone_mode=False)
    assert capsys.readouterr().out == "plain,import\n"


posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes, signals and names of POSIX")
# A command of each package, with words for which all that it needs is imported before they are refused.
LOADED = ("edge_ecg.terminal.interrupts", "numpy"), ("edge_ecg.terminal.interrupts", "numpy", "torch")
COMMANDS = {
    "edge_ecg.cli": ("replay absent absent", LOADED[0]),
    "edge_ecg.cli.__main__": ("import absent", LOADED[0]),
    "train": ("absent.toml --out absent", LOADED[1]),
    "export": ("absent --out absent", LOADED[1]),
}


@posix
@pytest.mark.ci
@pytest.mark.parametrize("module", COMMANDS)
def test_an_interrupt_while_modules_load_is_one_line(module: str) -> None:
    arguments, moments = COMMANDS[module]
    for loaded in moments:
        words = [sys.executable, "-X", "importtime", "-m", module, *arguments.split()]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stderr is not None
        while (line := process.stderr.readline()) and line.split("|")[-1].strip() != loaded:
            pass
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
        assert (process.returncode, said.splitlines()[-1]) == (130, "error: interrupted"), loaded
        assert "Traceback" not in said


def shell(line: str) -> "subprocess.CompletedProcess[bytes]":
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(["bash", "-c", line], capture_output=True, check=False, cwd=ROOT, env=environment)


@posix
@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "reader"),
    [
        *(("edge-ecg doctor", reader) for reader in ("| true", "| head -1 > /dev/null", ">&-", ">&- 2>&-")),
        ("edge-ecg --help", "| head -1 > /dev/null"),
        ("python -m train --help", ">&-"),
    ],
)
def test_a_reader_that_closes_our_output_is_no_error(command: str, reader: str) -> None:
    done = shell(f"{command} {reader}; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
@posix
def test_what_is_read_is_never_taken_for_a_closed_output(tmp_path: Path) -> None:
    """With descriptor 1 closed, the next file that is opened would get it."""
    (tmp_path / "labels.csv").write_text("file,label\n")
    shell(f"cd {tmp_path} && edge-ecg import absent.zip --labels labels.csv --out out >&- 2>&-")
    assert (tmp_path / "labels.csv").read_text() == "file,label\n"


@pytest.mark.slow
@posix
def test_a_name_that_can_not_be_encoded_is_shown(small_bundle: Path, small_dataset: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff\xfe")
    odd.mkdir()
    done = as_process("edge_ecg.cli", "inspect", odd)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert r"\udcff\udcfe" in done.stderr
    recording = next(small_dataset.parent.rglob("*.csv"))
    (odd / os.fsdecode(b"\xff.csv")).write_bytes(recording.read_bytes())
    done = as_process("edge_ecg.cli", "replay", small_bundle, odd)
    assert done.returncode == 0, done.stderr
    (odd / os.fsdecode(b"\xfe.csv")).write_bytes(b"Name,x\nSample Rate,512 hertz\n")
    done = as_process("edge_ecg.cli", "enroll", small_bundle, odd, "--out", tmp_path / "out", "--json")
    assert done.returncode == 2  # one of them can't be read, and one date is too few
    assert r"\udcfe" in done.stderr
    assert not (tmp_path / "out").exists()


@posix
@pytest.mark.parametrize("place", ["pipe", "/dev/zero", "folder"])
def test_what_is_no_plain_file_is_refused_at_once(
    small_bundle: Path, small_dataset: Path, tmp_path: Path, place: str
) -> None:
    if place == "pipe":
        os.mkfifo(tmp_path / place)
    elif place == "folder":
        (tmp_path / place).mkdir()
    path, recording = tmp_path / place, next(small_dataset.parent.rglob("*.csv"))
    commands = [
        ("edge_ecg.cli", "verify", small_bundle, "--public-key", path),
        ("edge_ecg.cli", "sign", small_bundle, "--key", path),
        ("edge_ecg.cli", "import", recording, "--labels", path, "--out", tmp_path / "out"),
        ("train", path, "--out", tmp_path / "out"),
    ]
    if place != "folder":
        commands += [
            ("edge_ecg.cli", "inspect", path),
            ("edge_ecg.cli", "replay", small_bundle, path),
            ("export.parity", path, small_dataset),
            ("train.evaluate", path, small_dataset),
        ]
    for command in commands:
        done = inside(*command)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), (command, done.stderr)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("simulate", "BUNDLE", "absent.csv", "--noise", "-10000dB"),
        ("simulate", "BUNDLE", "absent.csv", "--noise", "1e300dB"),
        ("simulate", "BUNDLE", "absent.csv", "--speed", "1e-300"),
        ("simulate", "BUNDLE", "absent.csv", "--speed", "inf"),
        ("simulate", "BUNDLE", "absent.csv", "--speed", "nan"),
        ("simulate", "BUNDLE", "absent.csv", "--clock", "nan"),
        ("simulate", "BUNDLE", "absent.csv", "--drop", "nan"),
        ("demo", "--out", "OUT", "--seed", "-1"),
    ],
)
def test_a_number_without_sense_is_refused_by_its_option(small_bundle: Path, tmp_path: Path, words: tuple[str]) -> None:
    places = {"BUNDLE": str(small_bundle), "OUT": str(tmp_path / "out")}
    done = edge_ecg(*(places.get(word, word) for word in words))
    assert done.returncode == 2
    assert words[-2] in done.stderr
    assert "defect" not in done.stderr
    assert not (tmp_path / "out").exists()
