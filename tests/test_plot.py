"""Plots: true to scale, true to the beats and votes that they show, and no half-written file."""

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_ecg.bundles.bundle import Bundle, load_bundle
from edge_ecg.cli import cli
from edge_ecg.playback import replay
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Recording
from edge_ecg.report.plot import plot, plot_states
from edge_ecg.signal.stream import BeatStream, cut_beats
from edge_ecg.simulation.faults import Faults
from edge_ecg.terminal.console import run_command

INCH_MM = 25.4


@pytest.fixture(scope="module")
def paths(small_dataset: Path) -> list[Path]:
    return sorted(small_dataset.parent.glob("030[89]/*/*.csv"))


@pytest.fixture(scope="module")
def recording(paths: list[Path]) -> Recording:
    return read_recording(paths[0])


@pytest.fixture(scope="module")
def broken(recording: Recording) -> Recording:
    return Faults(noise_db=5.0, gap_s=2.0, invert=True)(recording)


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


def size_mm(figure: Any, axes: Any) -> np.ndarray:
    size: np.ndarray = axes.get_position().size * figure.get_size_inches() * INCH_MM
    return size


def marked(figure: Any, rows: int, marker: str) -> list[float]:
    """Where the marks of one kind are, in seconds."""
    lines = [line for axes in figure.axes[:rows] for line in axes.lines if line.get_marker() == marker]
    return [float(second) for line in lines for second in np.atleast_1d(line.get_xdata())]


def test_the_paper_has_the_standard_scale(recording: Recording) -> None:
    figure = plot(recording)
    for axes in figure.axes[:3]:
        wide_mm, high_mm = size_mm(figure, axes)
        (start_s, end_s), (low_mv, high_mv) = axes.get_xlim(), axes.get_ylim()
        assert wide_mm / (end_s - start_s) == pytest.approx(25)
        assert high_mm / (high_mv - low_mv) == pytest.approx(10)
        for axis, square in ((axes.xaxis, 0.04), (axes.yaxis, 0.1)):
            assert np.diff(axis.get_minorticklocs()).min() == pytest.approx(square)
            assert np.diff(axis.get_majorticklocs()) == pytest.approx(5 * square)
    wide_mm, high_mm = size_mm(figure, figure.axes[3])
    (start_s, end_s), (low_mv, high_mv) = figure.axes[3].get_xlim(), figure.axes[3].get_ylim()
    assert wide_mm / (end_s - start_s) == pytest.approx(100, rel=0.01)
    assert high_mm / (high_mv - low_mv) == pytest.approx(20)


def test_the_trace_is_the_recording(broken: Recording) -> None:
    figure = plot(broken)
    shown: dict[float, float] = {}
    for axes in figure.axes[:3]:
        shown |= dict(zip(*(np.asarray(of) for of in axes.lines[0].get_data()), strict=True))
    assert list(shown) == [index / broken.sample_rate_hz for index in range(len(broken.samples_uv))]
    assert np.array_equal(list(shown.values()), broken.samples_uv / 1000, equal_nan=True)


@pytest.mark.parametrize("which", ["recording", "broken"])
def test_every_beat_is_marked_as_it_votes_or_not(which: str, request: pytest.FixtureRequest) -> None:
    shown: Recording = request.getfixturevalue(which)
    beats = BeatStream(shown.sample_rate_hz).push(shown.samples_uv)
    figure = plot(shown)
    assert marked(figure, 3, "v") == [beat.r_index / 512 for beat in beats if not beat.unusable]
    assert marked(figure, 3, "x") == [beat.r_index / 512 for beat in beats if beat.unusable]
    reasons = sorted(
        text.get_text() for axes in figure.axes[:3] for text in axes.texts if text.get_color() == "#b00020"
    )
    assert reasons == sorted(reason for beat in beats for reason in beat.unusable)
    facts = " ".join(text.get_text() for text in figure.texts)
    assert f"{sum(not b.unusable for b in beats)} of {len(beats)} beats may vote" in facts
    assert ("lead inverted" in facts) == (which == "broken")


def test_the_mean_beat_is_that_of_the_usable_beats(recording: Recording) -> None:
    values_mv = np.array([beat.values[:383] for beat in cut_beats(recording)], np.float64) / 1000
    expected = (values_mv - np.median(values_mv, axis=1)[:, None]).mean(0)
    axes = plot(recording).axes[3]
    assert axes.lines[0].get_ydata() == pytest.approx(expected)
    assert axes.lines[0].get_xdata()[128] == 0  # R


def test_evidence_and_decision_are_those_of_a_replay(recording: Recording, bundle: Bundle) -> None:
    figure, replayed = plot(recording, bundle), replay(bundle, recording)
    evidence, decision = figure.axes[4], figure.axes[5]
    bars = sorted((bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in evidence.patches)
    votes = [(j.beat.known_at_s, j.vote.evidence) for j in replayed.judged if j.vote]
    assert np.array(bars) == pytest.approx(np.array(votes))
    title = decision.get_title(loc="left")
    assert f"{replayed.decision.label}, {replayed.decision.confidence:.1%}" in title
    assert replayed.decision.provisional is not None
    assert f" s, {replayed.decision.provisional.beats} beats" in title


def test_mean_beats_of_both_states(paths: list[Path]) -> None:
    by_label: dict[str, list[Recording]] = {}
    for path in paths:
        by_label.setdefault(path.parent.name, []).append(read_recording(path))
    (axes,) = plot_states(by_label).axes
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [name.split(":")[0] for name in names] == list(by_label)
    beats = sum(len(cut_beats(recording)) for recording in by_label["glucose"])
    assert f"glucose: {len(by_label['glucose'])} recordings, {beats} beats" in names


def plotted(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        run_command(cli, ["plot", *map(str, arguments)])
    return int(ended.value.code or 0)


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "starts"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_command_writes_each_format(
    paths: list[Path], small_bundle: Path, tmp_path: Path, suffix: str, starts: bytes
) -> None:
    out = tmp_path / f"plot.{suffix}"
    assert plotted(paths[0], "--out", out, "--bundle", small_bundle) == 0
    assert out.read_bytes().startswith(starts)
    if suffix == "svg":
        text = " ".join(re.findall(r">([^<>]+)</text>", out.read_text(encoding="utf-8")))
        assert "beats may vote" in text  # text stays text
        assert "Synthetic Person" not in text
    assert plotted(*paths, "--out", out) == 0
    assert out.read_bytes().startswith(starts)


@pytest.mark.parametrize(("suffix", "count"), [("png", 1), ("svg", 2), ("pdf", 1)])
def test_a_name_that_is_no_utf_8_is_drawn(paths: list[Path], tmp_path: Path, suffix: str, count: int) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    copies = [shutil.copy(path, folder) for path in paths[:count]]
    assert plotted(*copies, "--out", folder / f"plot.{suffix}") == 0


def test_bad_input_is_told_and_leaves_the_old_picture(
    paths: list[Path],
    small_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "plot.png"
    out.write_bytes(b"old")
    assert plotted(paths[0], "--out", tmp_path / "plot.gif") == 2
    assert "expected a picture as .png, .svg, .pdf" in capsys.readouterr().err
    assert plotted(tmp_path / "nothing.csv", "--out", out) == 2
    assert plotted(*paths[:2], "--out", out, "--bundle", small_bundle) == 2
    assert "give one" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert plotted(paths[0], "--out", out) == 2
    assert "pip install -e '.[report]'" in capsys.readouterr().err
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("plot.png", b"old")]
