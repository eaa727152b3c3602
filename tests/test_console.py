"""How commands end: exit codes, one line, no colour where none is wanted, and the traceback only for who asks."""

import click
import pytest

from edge_ecg.console import run_command
from edge_ecg.errors import RecordingError


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


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_color_is_respected(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setitem(cli.context_settings, "color", True)  # as at a terminal
    assert ("\x1b" in ended(capsys, "end", "well")[1]) is coloured


def test_completion_is_offered(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_ecg.cli import cli as edge_ecg

    monkeypatch.setenv("_EDGE_ECG_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "edge-ecg im")
    monkeypatch.setenv("COMP_CWORD", "1")
    with pytest.raises(SystemExit):
        edge_ecg.main([], prog_name="edge-ecg", standalone_mode=False)
    assert capsys.readouterr().out == "plain,import\n"
