"""The contact sheet: labels marked in a browser, by mouse or by keyboard alone, are those that an import takes."""

import base64
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from edge_ecg.cli import cli
from edge_ecg.datasets.labeling import Item, by_table
from edge_ecg.readers.read import read_recording
from edge_ecg.report.contact_sheet import unique_tails
from edge_ecg.signal.stream import heart_rate_bpm, r_peak_times_s
from tests.browser import DOWN, ENTER, RIGHT, SHIFT, TAB, Browser, browser, in_a_browser, waited_for

MOST_TABS = 30


@pytest.fixture(scope="module")
def export(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export.zip of 36 recordings."""
    path = tmp_path_factory.mktemp("export") / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(small_dataset.parent.rglob("*.csv")):
            archive.write(file, f"apple_health_export/electrocardiograms/{file.name}")
    return path


@pytest.fixture(scope="module")
def sheet(export: Path) -> Path:
    path = export.parent / "sheet.html"
    done = CliRunner().invoke(cli, ["import", str(export), "--sheet", str(path)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "36 recordings" in done.stdout
    return path


def data_of(sheet: Path) -> dict[str, Any]:
    (text,) = re.findall(r'id="data">(.*?)</script>', sheet.read_text(encoding="utf-8"))
    data: dict[str, Any] = json.loads(text)
    return data


def test_it_is_one_file_without_the_person(sheet: Path, small_dataset: Path) -> None:
    text = sheet.read_text(encoding="utf-8")
    for secret in ("Synthetic Person", "Synthetic Date", str(sheet.parent), "://", "unsafe"):
        assert secret not in text
    assert not re.search(r"<(link|img|iframe|object|a|base)\b|\bon\w+=|style=", text)


def test_it_shows_what_was_recorded(sheet: Path, small_dataset: Path) -> None:
    shown = {row["file"]: row for row in data_of(sheet)["recordings"]}
    files = sorted(small_dataset.parent.rglob("*.csv"))
    assert sorted(shown) == sorted(path.name for path in files)
    for path in files[:4]:
        recording, row = read_recording(path), shown[path.name]
        assert row["heart_rate"] == round(heart_rate_bpm(r_peak_times_s(recording)))
        assert row["duration_s"] == round(recording.duration_s, 1)
        assert recording.recorded_at is not None
        assert f"{row['date']} {row['time']}" == recording.recorded_at[:19]
        samples_uv = np.frombuffer(base64.b64decode(row["samples_uv"]), "<i2")
        assert len(samples_uv) == 6 * 128
        rate = recording.sample_rate_hz
        assert samples_uv.mean() == pytest.approx(recording.samples_uv[round(3 * rate) : round(9 * rate)].mean(), abs=5)


@given(
    st.lists(
        st.lists(st.sampled_from(["a", "b", "2024-03-01", "2024-03-01.csv"]), min_size=1, max_size=4), unique_by=tuple
    )
)
def test_every_recording_can_be_named(tmp_path_factory: pytest.TempPathFactory, parts: list[list[str]]) -> None:
    """What the sheet writes into a table, an import finds again, whatever folders and dates are called."""
    names = ["/".join(each) for each in parts]
    items = [Item(name, "2024-03-01 08:03:00 +0000", 512.0, 30.0) for name in names]
    table = tmp_path_factory.mktemp("table") / "labels.csv"
    table.write_text("".join(f"{tail},label{number % 2}\n" for number, tail in enumerate(unique_tails(names))))
    assert by_table(items, table) == {name: f"label{number % 2}" for number, name in enumerate(names)}


def imported(export: Path, labels: Path, out: Path) -> dict[str, Any]:
    command = ["import", str(export), "--labels", str(labels), "--out", str(out), "--json"]
    result: dict[str, Any] = json.loads(CliRunner().invoke(cli, command, catch_exceptions=False).stdout)
    return result


def marked(sheet: Path, states: Sequence[int | None]) -> dict[str, int]:
    rows = data_of(sheet)["recordings"]
    return {row["file"]: state for row, state in zip(rows, states, strict=True) if state is not None}


def saved(path: Path, names: tuple[str, str]) -> dict[str, int]:
    head, *rows = waited_for(path).read_text(encoding="utf-8").splitlines()
    assert head == "file,label"
    return {file: names.index(label) for file, label in (row.split(",") for row in rows)}


def set_value(window: Browser, css: str, value: str) -> None:
    window.run(
        "const e = document.querySelector(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event('input'));",
        css,
        value,
    )


@pytest.mark.ci
@in_a_browser
def test_thirty_recordings_labeled_with_the_mouse(sheet: Path, export: Path, tmp_path: Path) -> None:
    times = [row["time"] for row in data_of(sheet)["recordings"]]
    noon = sorted(times)[len(times) // 2][:5]
    with browser(tmp_path) as window:
        window.open(sheet)
        set_value(window, "#state0", "fasting")
        set_value(window, "#state1", "after")
        set_value(window, "#before", noon)
        window.click("#all")
        window.click("#mark0")
        set_value(window, "#before", "")
        set_value(window, "#after", noon)
        window.click("#all")
        window.click("#mark1")
        set_value(window, "#after", "")
        window.drag("#r0", "#r5")  # the first six are taken out again
        assert "6 selected" in window.text("#status")
        window.click("#unmark")
        window.click("#save")
        labels = saved(tmp_path / "labels.csv", ("fasting", "after"))
        assert window.complaints() == []
    expected = [None if number < 6 else int(time[:5] >= noon) for number, time in enumerate(times)]
    assert labels == marked(sheet, expected)
    assert len(labels) == 30
    made = imported(export, tmp_path / "labels.csv", tmp_path / "data")
    assert made["labels"] == ["fasting", "after"]
    assert sum(sum(of.values()) for of in made["counts"].values()) == 30


@pytest.mark.ci
@in_a_browser
def test_thirty_recordings_labeled_with_the_keyboard_alone(sheet: Path, export: Path, tmp_path: Path) -> None:
    active = "return document.activeElement.id"

    def tab_to(window: Browser, name: str, holding: str = "") -> None:
        for _ in range(MOST_TABS):
            if window.run(active) == name:
                return
            window.press(TAB, holding=holding)
        raise AssertionError(f"Tab does not lead to {name}")

    with browser(tmp_path) as window:
        window.open(sheet)
        tab_to(window, "r0")
        for _ in range(15):  # two of one state, then two of the other is how they were recorded
            window.press("1")
            window.press(RIGHT)
        window.press(RIGHT, *[RIGHT] * 13, holding=SHIFT)
        window.press("2")
        said = window.run("return document.activeElement.getAttribute('aria-label')")
        assert said.endswith("target")
        assert re.match(
            r"2024-\d\d-\d\d, \d\d:\d\d, \d+ beats a minute, 30(\.\d)? seconds, \d+ of \d+ beats usable", said
        )
        window.press(DOWN)
        tab_to(window, "save", holding=SHIFT)
        window.press(ENTER)
        labels = saved(tmp_path / "labels.csv", ("baseline", "target"))
    assert labels == marked(sheet, [0] * 15 + [1] * 15 + [None] * 6)
    assert imported(export, tmp_path / "labels.csv", tmp_path / "data")["labels"] == ["baseline", "target"]


@pytest.mark.ci
@in_a_browser
def test_a_label_that_can_not_be_a_folder_is_not_saved(sheet: Path, tmp_path: Path) -> None:
    with browser(tmp_path) as window:
        window.open(sheet)
        for first, second, said in (("one hour", "b", "can't be a label"), ("a", "A", "need different names")):
            set_value(window, "#state0", first)
            set_value(window, "#state1", second)
            window.click("#save")
            assert said in window.text("#status")
    assert not list(tmp_path.glob("labels*"))


def test_what_is_labeled_already_is_marked(export: Path, tmp_path: Path) -> None:
    path = tmp_path / "sheet.html"
    command = ["import", str(export), "--sheet", str(path), "--window", "fasting=00:00-09:00"]
    assert CliRunner().invoke(cli, command, catch_exceptions=False).exit_code == 0
    data = data_of(path)
    assert data["states"] == ["fasting"]
    assert all((row["state"] == 0) == (row["time"] < "09:00") for row in data["recordings"])


def test_it_replaces_no_recording_and_is_no_import(export: Path, tmp_path: Path) -> None:
    options = ["--sheet", str(tmp_path / "s.html"), "--out", str(tmp_path / "data")]
    assert CliRunner().invoke(cli, ["import", str(export), *options]).exit_code == 2
    before = export.read_bytes()
    done = CliRunner().invoke(cli, ["import", str(export), "--sheet", str(export)])
    assert done.exit_code == 2
    assert export.read_bytes() == before
