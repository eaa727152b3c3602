"""The page of a replay: what `--json` says at the same moments, in one file that runs nothing but its own script."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge_ecg.bundles.bundle import Bundle, load_bundle
from edge_ecg.cli import cli
from edge_ecg.inference.votes import INCONCLUSIVE
from edge_ecg.playback import replay
from edge_ecg.readers.read import read_recording
from edge_ecg.report.page import packed
from tests.browser import browser, in_a_browser


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


@pytest.fixture(scope="module")
def held_out(small_dataset: Path) -> list[Path]:
    return sorted(small_dataset.parent.glob("0308/*/*.csv"))


@pytest.fixture(scope="module")
def made(
    small_bundle: Path, held_out: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[dict[str, Any]]]:
    """The page, and what `--json` printed beside it."""
    page = tmp_path_factory.mktemp("page") / "replay.html"
    command = ["simulate", str(small_bundle), *map(str, held_out), "--gap=2s", "--json", "--page", str(page)]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    return page, [json.loads(line) for line in done.stdout.splitlines()]


def data_of(page: Path) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(encoding="utf-8"))
    data: dict[str, Any] = json.loads(text)
    return data


def test_it_is_one_file_whose_policy_allows_its_own_script_alone(made: tuple[Path, list[dict[str, Any]]]) -> None:
    text = made[0].read_text(encoding="utf-8")
    assert "://" not in text
    assert "@import" not in text
    assert not re.search(r"<(link|img|iframe|object|a|base)\b|\bon\w+=|style=", text)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy
    assert policy.startswith("default-src &#39;none&#39;;")
    assert "unsafe" not in policy


def test_it_names_no_person_and_no_machine(made: tuple[Path, list[dict[str, Any]]], small_dataset: Path) -> None:
    text = made[0].read_text(encoding="utf-8")
    for secret in ("Synthetic Person", "Synthetic Date", str(small_dataset.parent)):
        assert secret not in text


def test_its_events_are_those_of_the_replay(
    made: tuple[Path, list[dict[str, Any]]], bundle: Bundle, held_out: list[Path]
) -> None:
    page, lines = made
    for shown, line, path in zip(data_of(page)["recordings"], lines, held_out, strict=True):
        assert line["file"] == str(path)
        assert line["file"].endswith(shown["name"])
        end = shown["decision"]
        assert [end["label"], end["confidence"], end["beats"], end["unusable"]] == [
            line[name] for name in ("decision", "confidence", "beats", "unusable_beats")
        ]
        assert end["rule"] == line["rule"]
        assert bool(end["why"]) == (end["label"] == INCONCLUSIVE)
        first = end["provisional"]
        provisional = ("provisional", "provisional_after_beats", "provisional_after_s")
        assert [first and first[name] for name in ("label", "beats", "seconds")] == [line[name] for name in provisional]
        events = shown["events"]
        assert len(events) == line["beats"] + line["unusable_beats"]
        assert events[-1]["votes"] == line["votes"]
        assert sum("missing samples" in event["unusable"] for event in events) == line["unusable"]["missing samples"]


def test_without_faults_every_beat_is_the_watch_s(
    small_bundle: Path, bundle: Bundle, held_out: list[Path], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    command = ["replay", str(small_bundle), str(held_out[0]), "--page", str(page)]
    assert CliRunner().invoke(cli, command, catch_exceptions=False).exit_code == 0
    (shown,) = data_of(page)["recordings"]
    judged = replay(bundle, read_recording(held_out[0])).judged
    for event, beat in zip(shown["events"], judged, strict=True):
        assert beat.vote is not None
        assert (event["known_s"], event["evidence"]) == (beat.beat.known_at_s, beat.vote.evidence)
        assert event["decision"] == beat.decision.label
        assert event["votes"] == beat.decision.votes


def test_samples_survive_packing() -> None:
    samples_uv = np.array([0.4, -0.6, np.nan, 1e6, -1e6, 321.0])
    unpacked = np.frombuffer(base64.b64decode(packed(samples_uv)), "<i2")
    assert unpacked.tolist() == [0, -1, -32768, 32767, -32767, 321]


def test_text_of_strangers_is_text(small_bundle: Path, held_out: list[Path], tmp_path: Path) -> None:
    evil = tmp_path / "<script>alert(1)<" / "script><img src=x onerror=alert(1)>"
    evil.mkdir(parents=True)
    (evil / "ecg.csv").write_bytes(held_out[0].read_bytes())
    page = tmp_path / "page.html"
    command = ["replay", str(small_bundle), str(evil / "ecg.csv"), "--page", str(page)]
    assert CliRunner().invoke(cli, command, catch_exceptions=False).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("<script") == 2  # data and script of our own
    assert "<img" not in text
    assert data_of(page)["recordings"][0]["name"].startswith("<script>alert(1)<")


def test_it_never_replaces_what_it_reads(small_bundle: Path, held_out: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "ecg.csv"
    copy.write_bytes(held_out[0].read_bytes())
    done = CliRunner().invoke(cli, ["replay", str(small_bundle), str(copy), "--page", str(copy)])
    assert done.exit_code == 2
    assert copy.read_bytes() == held_out[0].read_bytes()


@pytest.mark.ci
@in_a_browser
def test_a_browser_shows_the_same_numbers_at_the_same_moments(
    made: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    page, lines = made
    move = "const m = document.querySelector('#moment'); m.value = arguments[0]; m.dispatchEvent(new Event('input'));"
    with browser(tmp_path) as window:
        window.open(page)
        for number, (shown, line) in enumerate(zip(data_of(page)["recordings"], lines, strict=True)):
            window.click(f"[data-number='{number}']")
            assert window.text("#beat") == "none yet"
            for event in (shown["events"][0], shown["events"][len(shown["events"]) // 2]):
                window.run(move, event["known_s"])
                assert window.text("#provisional").startswith(event["decision"])
                assert window.text("#votes") == ", ".join(f"{label} {n}" for label, n in event["votes"].items())
                said = window.text("#beat")
                assert all(reason in said for reason in event["unusable"])
                assert event["evidence"] is None or f"evidence {event['evidence']:.2f}" in said
                assert window.text("#final") == "when the recording ends"
            window.run(move, 1000)
            is_open = line["decision"] == INCONCLUSIVE
            sure = f": {shown['decision']['why']}" if is_open else f", {100 * line['confidence']:.1f} %"
            assert window.text("#final") == line["decision"] + sure
            assert window.text("#votes") == ", ".join(f"{label} {n}" for label, n in line["votes"].items())
        window.run(move, 0)
        window.click("#play")
        started = "return Number(document.querySelector('#moment').value)"
        while window.run(started) < 0.5:
            pass
        window.click("#play")
        assert window.run(started) < 10  # at the sensor's pace, or nearly
        assert window.complaints() == []
