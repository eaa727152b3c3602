"""The page of `edge-ecg web`: it decides as Python does, reads what it should, and opens no connection."""

import base64
import csv
import hashlib
import json
import random
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge_ecg.bundles.bundle import load_bundle
from edge_ecg.bundles.pack import packed_content
from edge_ecg.cli import cli
from edge_ecg.enroll import _sample, enroll_samples
from edge_ecg.errors import BundleError, RecordingError
from edge_ecg.playback import replay
from edge_ecg.readers.apple_format import write_apple_csv
from edge_ecg.readers.read import read_recording
from edge_ecg.simulation.synthetic import record, synthetic_person
from edge_ecg.watch import DayBaseline, embed
from tests.browser import ENTER, Browser, browser, drop, in_a_browser, settled, until, waited_for

MOST_BYTES = 600_000
# What a screen reader has no name for, or would read aloud at every frame.
NAMELESS = """
const labels = (e) => [...(e.labels ?? [])].map((label) => label.textContent).join("");
const name = (e) => e.getAttribute("aria-label") || labels(e) || e.textContent;
return [...document.querySelectorAll("button, input, select, progress, canvas, summary, output:not([aria-live=off])")]
  .filter((e) => e.tagName === "OUTPUT" || !name(e)?.trim()).map((e) => e.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def packed(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "person.ecgbundle"
    path.write_bytes(packed_content(small_bundle))
    return path


@pytest.fixture(scope="module")
def page(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "person.html"
    CliRunner().invoke(cli, ["web", str(packed), "--out", str(path)], catch_exceptions=False)
    return path


@pytest.fixture(scope="module")
def recordings(small_dataset: Path) -> list[Path]:
    """Two days of a synthetic person, both states."""
    return sorted(path for day in ("0308", "0309") for path in small_dataset.parent.glob(f"{day}/*/*.csv"))


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Path]]:
    downloads = tmp_path_factory.mktemp("downloads")
    with browser(downloads) as opened:
        yield opened, downloads


@contextmanager
def opened(window: tuple[Browser, Path], page: Path) -> Iterator[Browser]:
    """The page, freshly loaded; at the end the browser's log must be empty and nothing may have been fetched."""
    shown, _ = window
    shown.complaints()  # of whatever was before
    shown.open(page)
    until(shown, "return document.title !== 'Edge ECG' || document.getElementById('use').textContent.includes('ready')")
    yield shown
    assert shown.run("return performance.getEntriesByType('resource').map((entry) => entry.name)") in ([], None)
    assert shown.complaints() == []


def rows(shown: Browser) -> list[dict[str, str]]:
    found: list[dict[str, str]] = shown.run(
        "return [...document.querySelectorAll('[data-name]')].map((row) => ({ ...row.dataset, text: row.innerText }))"
    )
    return found


def skipped(shown: Browser) -> dict[str, str]:
    found: dict[str, str] = shown.run(
        "return Object.fromEntries([...document.querySelectorAll('[data-skipped]')].map((item) => "
        "[item.dataset.skipped, item.textContent]))"
    )
    return found


def events(shown: Browser, name: str) -> dict[str, Any]:
    """Every event of a recording, as the page shows them."""
    shown.run("player.result = null; show(recordings.find((recording) => recording.name === arguments[0]))", name)
    found: dict[str, Any] = until(
        shown,
        "return player.result && { beats: player.result.beats, decision: player.result.decision, "
        "samples: [...player.result.samples], rate_hz: player.result.rate_hz, recorded_at: shown.recorded_at }",
    )
    shown.run("document.getElementById('detail').close()")
    return found


def assert_events(got: dict[str, Any], path: Path, packed: Path, baseline: list[Path]) -> int:
    bundle = load_bundle(packed)
    day = DayBaseline.of(bundle, map(read_recording, baseline)) if baseline else None
    wanted = replay(bundle, read_recording(path), day_baseline=day)
    assert len(got["beats"]) == len(wanted.judged)
    for beat, judged in zip(got["beats"], wanted.judged, strict=True):
        vote = judged.vote
        facts = (
            beat["r_index"],
            beat["known_at_s"],
            sorted(beat["reasons"]),
            beat["decision"],
            bool(beat["is_turned"]),
        )
        expected = (judged.beat.r_index, judged.beat.known_at_s, sorted(judged.unusable), judged.decision.label)
        assert facts == (*expected, judged.beat.is_turned)
        if vote:
            logits = bundle.comparator(embed(bundle, judged.beat), bundle.references.embeddings)
            ties = int(np.count_nonzero(np.abs(logits) < 1e-4))  # which rounding alone decides
            assert abs(beat["same_as_baseline"] - vote.same_as_baseline) <= ties
            assert abs(beat["same_as_target"] - vote.same_as_target) <= ties
            assert ties or bool(beat["hard_target"]) == vote.hard_target
            assert beat["evidence"] == pytest.approx(vote.evidence, abs=1e-3)
    assert got["decision"]["decision"] == wanted.decision.label
    assert got["decision"]["confidence"] == pytest.approx(wanted.decision.confidence, abs=1.1e-4)
    assert got["decision"]["log_odds"] == pytest.approx(wanted.log_odds, abs=2e-3)
    return len(wanted.judged)


def test_it_is_one_small_file_whose_policy_forbids_every_connection(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(text.encode()) <= MOST_BYTES
    assert not re.search(r"<(link|img|iframe|object|base)\b|\bon\w+=\"|style=\"|@import", text)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    directives = dict(part.split(" ", 1) for part in policy.replace("&#39;", "'").split("; "))
    assert directives.keys() == {"default-src", "script-src", "style-src", "base-uri", "worker-src", "form-action"}
    assert directives["default-src"] == "'none'"  # so that no connection, picture, font or frame is allowed
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert (
            f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
            in directives[f"{tag}-src"]
        )


def test_the_command_asks_for_a_bundle_or_for_none(packed: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert isinstance(CliRunner().invoke(cli, ["web", "--out", str(out)]).exception, BundleError)  # no `bundle` here
    assert CliRunner().invoke(cli, ["web", str(packed), "--without-bundle", "--out", str(out)]).exit_code == 2
    assert isinstance(
        CliRunner().invoke(cli, ["web", str(tmp_path / "none"), "--out", str(out)]).exception, BundleError
    )
    assert not out.exists()
    assert CliRunner().invoke(cli, ["web", "--without-bundle", "--out", str(out)]).exit_code == 0
    assert '"bundle":null' in out.read_text(encoding="utf-8")


@in_a_browser
@pytest.mark.ci
def test_every_event_is_that_of_python(window: Any, page: Path, packed: Path, recordings: list[Path]) -> None:
    with opened(window, page) as shown:
        drop(shown, *recordings)
        assert sorted(row["name"] for row in rows(shown)) == sorted(path.name for path in recordings)
        beats = sum(assert_events(events(shown, path.name), path, packed, []) for path in recordings)
        shown.run("document.getElementById('baselines').open = true; document.getElementById('propose').click()")
        settled(shown)
        chosen = {row["name"] for row in rows(shown) if row["decision"] == "day's baseline"}
        assert chosen
        for path in recordings:
            if path.name in chosen:
                continue
            same_day = [other for other in recordings if other.name in chosen and other.name[:14] == path.name[:14]]
            beats += assert_events(events(shown, path.name), path, packed, same_day)
        assert beats > 300


@in_a_browser
@pytest.mark.ci
def test_twenty_real_recordings_are_judged_as_python_does(
    window: Any, page: Path, packed: Path, ecg_data: Path
) -> None:
    paths = sorted((ecg_data / "watch").glob("*/*/*.csv"))[::13][:20]
    with opened(window, page) as shown:
        drop(shown, *paths)
        assert len(rows(shown)) == 20
        assert sum(assert_events(events(shown, path.name), path, packed, []) for path in paths) > 500


def export_zip(path: Path, recordings: list[Path]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("apple_health_export/export.xml", "<HealthData>" + "<Record/>" * 1000)
        archive.writestr("apple_health_export/workout-routes/route.csv", "1,2\n" * 500)
        for file in recordings:
            archive.write(file, f"apple_health_export/electrocardiograms/{file.name}")
    return path


@in_a_browser
@pytest.mark.ci
def test_an_export_is_read_in_the_page_and_saved_with_the_fields_of_replay(
    window: Any, page: Path, packed: Path, recordings: list[Path], tmp_path: Path
) -> None:
    _, downloads = window
    export = export_zip(tmp_path / "export.zip", recordings)
    command = ["replay", str(packed), str(export), "--json"]
    wanted = [json.loads(line) for line in CliRunner().invoke(cli, command, catch_exceptions=False).stdout.splitlines()]
    with opened(window, page) as shown:
        drop(shown, export)
        assert len(rows(shown)) == len(recordings)
        assert "2 other files" in skipped(shown)["export.zip"]
        shown.click("#save-json")
        lines = waited_for(downloads / "decisions.jsonl").read_text().splitlines()
        by_name = {Path(line["file"]).name: line for line in map(json.loads, lines)}
        for line in wanted:
            got = by_name[Path(line["file"]).name]
            assert got.keys() == line.keys()
            for name in line.keys() - {
                "file",
                "latency_us",
                "realtime_factor",
                "late_chunks",
                "confidence",
                "log_odds",
            }:
                assert got[name] == line[name], name
            assert got["confidence"] == pytest.approx(line["confidence"], abs=2e-4)
            assert got["log_odds"] == pytest.approx(line["log_odds"], abs=2e-3)
        shown.click("#save-csv")
        table = list(csv.DictReader(waited_for(downloads / "decisions.csv").read_text().splitlines()))
        assert [row["decision"] for row in table] == [row["decision"] for row in rows(shown)]
        assert shown.text("#totals").split()[0] == str(sum(row["decision"] == table[0]["decision"] for row in table))


@in_a_browser
@pytest.mark.ci
def test_a_page_of_the_health_app_is_read_as_python_reads_it(
    window: Any, page: Path, packed: Path, recordings: list[Path], tmp_path: Path
) -> None:
    """However it is drawn: the samples, the rate and the time; and what does not fit in the same words."""
    pytest.importorskip("pypdf")
    pytest.importorskip("reportlab")
    from tests.health_page import page_of

    recording = read_recording(recordings[0])
    ways: dict[str, dict[str, Any]] = {
        "one path a row": {},
        "plain": {"compressed": False},
        "a path for each step": {"points_per_piece": 1, "rows": 2},
        "in a form": {"points_per_piece": 60, "in_form": True},
        "the mark in the path": {"is_mark_joined": True},
        "every second point": {"points": np.arange(0, 5110, 2)},
        "no words": {"lines": ()},
        "another speed": {"mm_per_s": 20.0},
        "two pages": {"pages": 2},
    }
    for name, options in ways.items():
        (tmp_path / f"{name}.pdf").write_bytes(page_of(recording, **options))
    (tmp_path / "cut.pdf").write_bytes((tmp_path / "plain.pdf").read_bytes()[:3000])
    with opened(window, page) as shown:
        drop(shown, *sorted(tmp_path.iterdir()))
        refused, read = skipped(shown), {row["name"] for row in rows(shown)}
        assert read | refused.keys() == {path.name for path in tmp_path.iterdir()}
        for name in ways:
            path = tmp_path / f"{name}.pdf"
            if path.name in refused:
                with pytest.raises(RecordingError, match=re.escape(refused[path.name].split(": ", 1)[1])):
                    read_recording(path)
                continue
            wanted, got = read_recording(path), events(shown, path.name)
            np.testing.assert_allclose(got["samples"], wanted.samples_uv, atol=1e-3)
            assert got["rate_hz"] == pytest.approx(wanted.sample_rate_hz, rel=1e-9)
            assert got["recorded_at"] == wanted.recorded_at
            assert [beat["r_index"] for beat in got["beats"]] == [
                judged.beat.r_index for judged in replay(load_bundle(packed), wanted).judged
            ]
        assert len(read) == 6


HOSTILE_NAME = "<img src=x onerror=window.hacked=1>.csv"


@in_a_browser
@pytest.mark.ci
def test_damaged_and_hostile_files_are_named_with_a_reason(
    window: Any, page: Path, recordings: list[Path], tmp_path: Path
) -> None:
    good = recordings[0].read_bytes()
    files: dict[str, bytes] = {
        "empty.csv": b"",
        "text.csv": b"It was a dark and stormy night.\n" * 99,
        "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "short.csv": b"\n".join(good.split(b"\n")[:200]),
        "altered.ecgbundle": b"\x10\0\0\0\0\0\0\0{" + bytes(50),
        "damaged.zip": b"PK\x03\x04" + bytes(500),
        HOSTILE_NAME: b"<script>window.hacked=1</script>",
        "=1+1.csv": good,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with (tmp_path / "large.csv").open("wb") as large:
        large.truncate(200_000_000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("apple_health_export/electrocardiograms/bomb.csv", b"0\n" * 20_000_000)
        archive.writestr(f"apple_health_export/electrocardiograms/{HOSTILE_NAME}", good)
    lying = (tmp_path / "bomb.zip").read_bytes()
    size = (40_000_000).to_bytes(4, "little")
    (tmp_path / "lying.zip").write_bytes(lying.replace(size, (2_000_000).to_bytes(4, "little")))
    crc = zlib.crc32(good).to_bytes(4, "little")
    (tmp_path / "spoilt.zip").write_bytes(lying.replace(crc, b"\0\0\0\0"))
    with opened(window, page) as shown:
        drop(shown, *sorted(tmp_path.iterdir()))
        said = skipped(shown)
        bad = {
            "empty.csv",
            "text.csv",
            "picture.png",
            "short.csv",
            "altered.ecgbundle",
            "damaged.zip",
            HOSTILE_NAME,
            "large.csv",
        }
        assert bad <= said.keys()
        assert "electrocardiograms/bomb.csv" in said
        assert f"electrocardiograms/{HOSTILE_NAME}" in said  # of the zip whose checksum is wrong
        assert all(len(text) > len(name) + 10 for name, text in said.items())
        names = [row["name"] for row in rows(shown)]
        assert sorted(set(names)) == ["=1+1.csv", f"electrocardiograms/{HOSTILE_NAME}"]
        assert not shown.run("return Boolean(window.hacked || document.querySelector('img'))")
        assert not shown.run("return Boolean(document.querySelector('#list script'))")


COUNTING = """
window.counts = { bundle: 0, failed: 0 };
for (const kind of ["bundle", "failed"]) {
  const heard = HEARD[kind];
  HEARD[kind] = (message) => { counts[kind]++; heard(message); };
}
for (const text of arguments[0]) worker.postMessage({ kind: "open", bytes: bytesOf(text), name: "altered" });
"""


@in_a_browser
@pytest.mark.ci
def test_no_altered_bundle_opens(window: Any, page: Path, packed: Path) -> None:
    good, rng = packed.read_bytes(), random.Random(31)
    altered = []
    for _ in range(300):
        content = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        altered.append(base64.b64encode(bytes(content if content != good else good[:-1])).decode())
    with opened(window, page) as shown:
        shown.run(COUNTING, altered)
        until(shown, "return counts.bundle + counts.failed === 300")
        assert shown.run("return counts.bundle") == 0
        assert "altered" in shown.text("#status")


@in_a_browser
@pytest.mark.ci
def test_the_policy_stops_what_would_connect(window: Any, page: Path) -> None:
    shown, _ = window
    shown.open(page)
    for script in (
        "fetch('http://127.0.0.1:9/').catch(() => {})",
        "new Image().src = 'http://127.0.0.1:9/x.png'",
        "new WebSocket('ws://127.0.0.1:9/')",
        "navigator.sendBeacon('http://127.0.0.1:9/')",
    ):
        shown.complaints()
        shown.run(f"try {{ {script} }} catch {{}}")
        complaints = until(shown, "return [1]") and shown.complaints()
        assert any("Content Security Policy" in complaint for complaint in complaints), script


@in_a_browser
@pytest.mark.ci
def test_a_recording_opens_plays_and_closes_by_keyboard(window: Any, page: Path, recordings: list[Path]) -> None:
    with opened(window, page) as shown:
        drop(shown, *recordings[:4])
        shown.run("document.querySelector('.open-row').focus()")
        shown.press("\ue015")  # down
        shown.press(ENTER)
        until(shown, "return player.result && document.getElementById('detail').open")
        assert shown.run("return shown.number") == shown.run("return listed[1].number")
        assert shown.text("#word") == shown.run("return listed[1].result.decision.decision")
        shown.run("document.getElementById('speed').value = '8'; document.getElementById('play').click()")
        until(shown, "return document.getElementById('sure').textContent.includes('provisional')")
        until(shown, "return player.at >= player.result.duration")
        shown.click("#paper")
        assert shown.text("#beat").startswith("Beat at ")
        assert shown.run(NAMELESS) == []
        shown.press("\ue00c")  # escape
        assert not shown.run("return document.getElementById('detail').open")
        assert shown.run("return document.activeElement.closest('.row').dataset.number") == str(
            shown.run("return listed[1].number")
        )


@in_a_browser
@pytest.mark.ci
def test_a_page_without_a_bundle_takes_one(window: Any, packed: Path, recordings: list[Path], tmp_path: Path) -> None:
    empty = tmp_path / "empty.html"
    CliRunner().invoke(cli, ["web", "--without-bundle", "--out", str(empty)], catch_exceptions=False)
    with opened(window, empty) as shown:
        drop(shown, recordings[0])
        assert rows(shown)[0]["decision"] == ""
        drop(shown, packed)
        until(shown, "return document.querySelector('[data-decision]').dataset.decision")
        assert rows(shown)[0]["decision"] == replay(load_bundle(packed), read_recording(recordings[0])).decision.label


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Baselines of three dates, long after all that the bundle knows."""
    folder, paths = tmp_path_factory.mktemp("drifted"), []
    for number in range(6):
        made = record(synthetic_person(1), "fasting", 90 + number // 2, number=number)
        paths.append(folder / f"ecg_{made.recorded_at:%Y-%m-%d}_{number}.csv")
        write_apple_csv(paths[-1], made.samples_uv, made.sample_rate_hz, made.recorded_at, "en")
    return paths


@in_a_browser
@pytest.mark.ci
def test_baselines_of_three_dates_enroll_in_the_page_as_in_python(
    window: Any, page: Path, packed: Path, drifted: list[Path]
) -> None:
    _, downloads = window
    bundle = load_bundle(packed)  # with the page's own int8 weights
    wanted = enroll_samples(bundle.references, [_sample(bundle, read_recording(path)) for path in drifted])
    with opened(window, page) as shown:
        drop(shown, *drifted)
        assert {row["decision"] for row in rows(shown)} == {"inconclusive"}
        assert "out of date" in rows(shown)[0]["text"] or "after the known days" in rows(shown)[0]["text"]
        shown.run("recordings.forEach((recording) => choose(recording, true))")
        settled(shown)
        shown.run("document.getElementById('enrollment').open = true; document.getElementById('enroll').click()")
        until(shown, "return document.getElementById('enrolled').textContent.includes('saved') && bundle.is_enrolled")
        saved = load_bundle(waited_for(downloads / "person.enrolled.ecgbundle"))
        shown.run("document.getElementById('clear').click()")
        settled(shown)
        for path in drifted:
            assert_events(events(shown, path.name), path, saved.path, [])
    got = saved.references.distribution
    distribution = wanted.references.distribution
    assert got
    assert distribution
    assert saved.manifest["enrollment"]["dates"] == wanted.dates
    assert saved.manifest["enrollment"]["distance"] == pytest.approx(wanted.distance, rel=1e-4)
    assert got.limit == pytest.approx(distribution.limit, rel=1e-4)
    np.testing.assert_array_equal(got.days, distribution.days)
    np.testing.assert_allclose(saved.references.embeddings, wanted.references.embeddings, atol=1e-3)
