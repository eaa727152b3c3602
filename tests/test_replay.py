"""The simulator: pace and deadlines, faults, the live view, and the curve of error and abstention."""

import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_ecg.bundles.bundle import Bundle, load_bundle
from edge_ecg.cli import cli
from edge_ecg.cli.day_baseline import label_of
from edge_ecg.cli.live import LiveLines, LiveView, live_view, trace
from edge_ecg.inference.votes import INCONCLUSIVE, Provisional
from edge_ecg.playback import Step, replay
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Recording
from edge_ecg.signal.stream import cut_beats
from edge_ecg.simulation.faults import Faults
from tests.commands import edge_ecg

LABELS = ("fasting", "glucose")
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


@pytest.fixture(scope="module")
def held_out(small_dataset: Path) -> list[Path]:
    return sorted(small_dataset.parent.glob("030[89]/*/*.csv"))


@pytest.fixture(scope="module")
def recording(held_out: list[Path]) -> Recording:
    return read_recording(held_out[0])


def part(recording: Recording, seconds: float) -> Recording:
    samples_uv = recording.samples_uv[: round(seconds * recording.sample_rate_hz)]
    return Recording(samples_uv, recording.sample_rate_hz, recording.source)


def test_a_paced_replay_takes_as_long_as_the_recording(bundle: Bundle, recording: Recording) -> None:
    began = time.perf_counter()
    replayed = replay(bundle, part(recording, 6.0), chunk_samples=256, speed=6.0)
    assert time.perf_counter() - began >= 1.0
    assert replayed.chunks == 12
    assert replayed.busy_s < 0.5


def test_a_watch_that_is_too_slow_is_late(bundle: Bundle, recording: Recording) -> None:
    short = part(recording, 4.0)
    assert replay(bundle, short, 64, speed=1e6).late_chunks == replay(bundle, short, 64, speed=1e6).chunks
    slow = replay(bundle, part(recording, 0.5), 128, speed=4.0, show=lambda step: time.sleep(0.2))
    assert slow.late_chunks >= 1  # what holds up the pace makes the next chunk late


def test_every_step_is_shown_once(bundle: Bundle, recording: Recording) -> None:
    steps: list[Step] = []
    replayed = replay(bundle, recording, 100, show=steps.append)
    assert np.concatenate([s.samples_uv for s in steps]).tobytes() == recording.samples_uv.tobytes()
    assert [j for s in steps for j in s.judged] == replayed.judged
    assert steps[-1].decision == replayed.decision


LONG_STREAM = """
import sys
import numpy, onnxruntime
def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6
print(resident_mb())
from edge_ecg import Watch, load_bundle
from edge_ecg.simulation.synthetic import record, synthetic_person
samples_uv = record(synthetic_person(1), "glucose", 0, number=1, duration_s=60.0).samples_uv
watch = Watch(load_bundle(sys.argv[1]))
for minute in range(60):
    for start in range(0, len(samples_uv), 512):
        watch.push(samples_uv[start : start + 512])
    watch.gap(3.0)
    if minute in (2, 59):
        print(resident_mb())
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_an_hour_of_ecg_in_constant_memory(small_bundle: Path) -> None:
    """Flat, and little beside the libraries, whose own share differs by 20 MB between installations.

    Measured: 72 MB in all, of which NumPy and ONNX Runtime 47; with SciPy it was 144, and 145 after 24 hours.
    """
    command = [sys.executable, "-c", LONG_STREAM, str(small_bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    libraries, early, late = map(float, done.stdout.split())
    assert late - libraries < 30
    assert late < 110
    assert late - early < 1.0


def test_faults_do_what_they_say(recording: Recording) -> None:
    clean = recording.samples_uv
    assert Faults()(recording).samples_uv.tobytes() == clean.tobytes()
    assert (Faults(invert=True)(recording).samples_uv == -clean).all()
    missing = np.isnan(Faults(drop=0.01)(recording).samples_uv)
    assert 0.005 < missing.mean() < 0.015
    gap = np.flatnonzero(np.isnan(Faults(gap_s=2.0)(recording).samples_uv))
    assert len(gap) == round(2 * recording.sample_rate_hz) == gap[-1] - gap[0] + 1
    noise = Faults(noise_db=20.0)(recording).samples_uv - clean
    assert 10 * np.log10(clean.var() / noise.var()) == pytest.approx(20, abs=0.2)
    assert Faults(noise_db=20.0, seed=1)(recording).samples_uv.tobytes() != (noise + clean).tobytes()


def test_another_clock_is_the_same_heart(recording: Recording) -> None:
    slow = Faults(rate_hz=511.4)(recording)
    assert slow.duration_s == pytest.approx(recording.duration_s, abs=0.02)
    ours, theirs = cut_beats(slow), cut_beats(recording)
    assert [b.r_index for b in ours] == pytest.approx([b.r_index for b in theirs], abs=2)


def test_everything_below_a_folder_is_replayed_with_faults(
    small_bundle: Path, small_dataset: Path, held_out: list[Path]
) -> None:
    folder = small_dataset.parent / "0308"
    faults = ["--drop", "0.01", "--gap", "2s", "--noise", "20dB", "--invert", "--clock", "511.4"]
    command = ["simulate", str(small_bundle), str(folder), *faults, "--json"]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == [str(path) for path in held_out if folder in path.parents]
    assert all(line["unusable_beats"] >= 1 for line in lines)
    assert all("missing samples" in line["unusable"] for line in lines)
    again = CliRunner().invoke(cli, command)
    assert [json.loads(line)["votes"] for line in again.stdout.splitlines()] == [line["votes"] for line in lines]


def test_an_inverted_lead_is_judged_and_said(small_bundle: Path, bundle: Bundle, held_out: list[Path]) -> None:
    """The same beats, votes and decision as the right way up, and a note."""
    for path in held_out:
        plain = replay(bundle, read_recording(path))
        other = replay(bundle, Faults(invert=True)(read_recording(path)))
        assert [j.beat.values.tobytes() for j in other.judged] == [j.beat.values.tobytes() for j in plain.judged]
        assert (other.decision, plain.inverted_beats) == (plain.decision, 0)
        assert other.inverted_beats == len(other.judged) > 20
    for options, is_inverted in (([], False), (["--invert"], True)):
        command = ["simulate", str(small_bundle), str(held_out[0]), *options]
        text = CliRunner().invoke(cli, command, catch_exceptions=False).stdout
        assert ("lead inverted: " in text) == is_inverted
        line = json.loads(CliRunner().invoke(cli, [*command, "--json"]).stdout)
        assert line["lead_is_inverted"] == is_inverted


def test_another_lead_than_the_bundles_is_said_once(
    small_bundle: Path, bundle: Bundle, held_out: list[Path], tmp_path: Path
) -> None:
    assert bundle.manifest["training"]["dataset"]["leads"] == ["I"]
    for path in held_out[:2]:
        text = path.read_text(encoding="utf-8")
        assert "Lead,Lead I\n" in text or "Ableitung,Ableitung I\n" in text
        (tmp_path / path.name).write_text(re.sub(r"(Lead|Ableitung) I\n", r"\1 II\n", text), encoding="utf-8")
    shown = CliRunner().invoke(cli, ["replay", str(small_bundle), str(tmp_path)])
    assert "2 from lead II" in shown.stderr
    assert "was trained on lead" in shown.stderr
    assert "lead" not in CliRunner().invoke(cli, ["replay", str(small_bundle), str(held_out[0])]).stderr


def test_half_of_the_beats_are_not_most(bundle: Bundle, recording: Recording) -> None:
    plain, turned = replay(bundle, recording), replay(bundle, Faults(invert=True)(recording))
    half = replace(plain, judged=plain.judged + turned.judged)
    assert not half.lead_is_inverted
    assert replace(half, judged=half.judged[1:]).lead_is_inverted


@pytest.mark.parametrize("option", ["--gap=much", "--gap=-1s", "--noise=nan", "--drop=2", "--live --json"])
def test_nonsense_is_refused(small_bundle: Path, held_out: list[Path], option: str) -> None:
    done = CliRunner().invoke(cli, ["simulate", str(small_bundle), str(held_out[0]), *option.split()])
    assert done.exit_code == 2


def test_the_nearest_folder_names_the_label() -> None:
    assert label_of("data/glucose/0308/fasting/x.csv", LABELS, {}) == "fasting"
    assert label_of("data/0308/x.csv", LABELS, {}) is None
    assert label_of("data/fasting/x.csv", LABELS, {"x.csv": "glucose"}) == "glucose"


def test_the_trace_has_its_summit_where_the_samples_have(bundle: Bundle) -> None:
    samples_uv = np.zeros(1000)
    samples_uv[500] = 100.0
    samples_uv[800:900] = np.nan
    lines = trace(samples_uv, columns=50, rows=4, shown_samples=1000)
    assert [len(line) for line in lines] == [50] * 4
    top = [column for column, cell in enumerate(lines[0]) if cell != "\u2800"]
    assert top in ([24], [25])
    assert {cell for line in lines for cell in line[40:45]} == {"\u2800"}  # a hole where samples are missing
    assert "\u2800" not in lines[-1][:24]


def test_without_a_terminal_the_view_is_one_line_a_beat(bundle: Bundle, recording: Recording) -> None:
    out = io.StringIO()
    view = live_view(bundle, recording, out)
    assert isinstance(view, LiveLines)
    replayed = replay(bundle, recording, 64, show=view)
    assert len(out.getvalue().splitlines()) == 1 + len(replayed.judged)
    assert out.getvalue().isascii()


def test_no_color_is_respected(bundle: Bundle, recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    for value, colored in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", value)
        view = LiveView(bundle, recording, io.StringIO())
        replay(bundle, recording, 64, show=view)
        frame = "\n".join(view.frame())
        assert ("\x1b[3" in frame) is colored
        assert "▲" in frame
        assert "●" in frame


ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@pytest.mark.parametrize("wide", [40, 80])
def test_no_line_of_the_live_view_is_wider_than_the_terminal(
    bundle: Bundle, recording: Recording, monkeypatch: pytest.MonkeyPatch, wide: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(wide))
    long_labels = replace(bundle, labels=("one_hour_after_glucose_1", "overnight_fasting_state_2"))
    view = LiveView(long_labels, replace(recording, source="folder/" * 30 + "ecg.csv"), io.StringIO())
    replay(bundle, recording, 64, show=view)
    frame = view.frame()
    assert max(len(ANSI.sub("", line)) for line in frame) < wide
    assert any("ecg.csv" in line for line in frame)


@pytest.mark.parametrize("command", [["replay"], ["replay", "--verbose"], ["simulate", "--gap=2s", "--invert"]])
def test_output_fits_eighty_columns(
    small_bundle: Path, held_out: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    long = tmp_path / ("long" * 20) / "ecg.csv"
    long.parent.mkdir()
    long.write_bytes(held_out[0].read_bytes())
    arguments = [command[0], str(small_bundle), str(long), str(held_out[-1]), *command[1:]]
    done = edge_ecg(*arguments)
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "ecg.csv" in done.stdout
    assert ("(median)" in done.stdout) == ("--verbose" in command)


def test_the_table_counts_decisions_against_the_labels_of_folders(
    small_bundle: Path, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows and the total agree with `--json`, and every row names the label at any width."""
    monkeypatch.setenv("COLUMNS", "80")
    folder = small_dataset.parent / "0309"
    lines = [json.loads(line) for line in edge_ecg("replay", small_bundle, folder, "--json").stdout.splitlines()]
    labels = [Path(line["file"]).parent.name for line in lines]
    printed = edge_ecg("replay", small_bundle, folder).stdout
    rows = [line.split() for line in printed.splitlines() if ".csv" in line]
    assert [row[1:3] for row in rows] == [[label, line["decision"]] for label, line in zip(labels, lines, strict=True)]
    decided = [line["decision"] == label for line, label in zip(lines, labels, strict=True)]
    open_ones = sum(line["decision"] == INCONCLUSIVE for line in lines)
    wrong = len(lines) - sum(decided) - open_ones
    assert f"\n{sum(decided)} correct, {wrong} wrong, {open_ones} inconclusive\n" in printed
    assert len(lines) == 4


def test_an_inconclusive_recording_says_why_in_words(bundle: Bundle, recording: Recording) -> None:
    replayed = replay(bundle, recording)
    decided, votes = replayed.decision, {"fasting": 10, "glucose": 10}
    for decision, why in (
        (replace(decided, label=INCONCLUSIVE, reasons=("repeated beats",)), "repeated beats"),
        (replace(decided, label=INCONCLUSIVE, beats=2), "2 usable beats, at least 3 needed"),
        (replace(decided, label=INCONCLUSIVE, beats=10, unusable=20), "20 of 30 beats unusable"),
        (replace(decided, label=INCONCLUSIVE, provisional=None, votes=votes), "between the two states"),
        (
            replace(decided, label=INCONCLUSIVE, provisional=Provisional("glucose", 5, 6.0)),
            "glucose after 5 beats, but no longer at the end",
        ),
        (replace(decided, label="glucose"), ""),
    ):
        assert replace(replayed, decision=decision).why == why
    undecidable = replace(replayed, decision=replace(decided, label=INCONCLUSIVE, provisional=None), dates=None)
    assert undecidable.why == "training had too few dates"


@pytest.mark.slow
def test_the_live_view_in_a_terminal(small_bundle: Path, held_out: list[Path]) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "PYTHONUTF8": "1", "COLUMNS": "80"}
    command = [sys.executable, "-m", "edge_ecg.cli", "simulate", str(small_bundle), str(held_out[0]), "--live"]
    with subprocess.Popen([*command, "--speed", "60"], stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        try:
            while read := os.read(ours, 65536):
                shown += read
        except OSError:  # how Linux says that the other side has closed
            pass
    os.close(ours)
    assert process.returncode == 0
    text = shown.decode()
    assert text.count("\x1b[13A") >= 3  # drawn over itself
    assert "●" in text
    assert "▲" in text
