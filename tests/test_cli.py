"""The commands: their JSON, and one line with exit code 2 for whatever is broken."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge_ecg.cli import COMMANDS, doctor
from edge_ecg.datasets.labeling import FEWEST_DATES
from tests.commands import ROOT, Done, as_process, edge_ecg, inside


@pytest.fixture(scope="module")
def recordings(small_dataset: Path) -> list[Path]:
    return sorted(small_dataset.parent.glob("030[89]/*/*.csv"))


def test_replay_json_is_one_object_a_recording(small_bundle: Path, recordings: list[Path]) -> None:
    done = edge_ecg("replay", small_bundle, *recordings, "--chunk", 64, "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == [str(path) for path in recordings]
    for line, path in zip(lines, recordings, strict=True):
        assert list(line) == [
            *("file", "decision", "confidence", "beats", "log_odds"),
            *("provisional", "provisional_after_beats", "provisional_after_s", "rule", "dates"),
            *("reasons", "covered_s", "duration_s", "votes"),
            *("latency_us", "realtime_factor", "unusable_beats", "unusable"),
            *("inverted_beats", "lead_is_inverted", "late_chunks"),
        ]
        assert line["decision"] in {"fasting", "glucose", "inconclusive"}
        assert sum(line["votes"].values()) == line["beats"]
        assert line["beats"] + line["unusable_beats"] > 15
        assert set(line["latency_us"]) == {"p50", "p95", "p99"}
        assert 0.5 <= line["confidence"] <= 1
        if line["decision"] != "inconclusive":
            assert line["provisional"] == line["decision"]
            assert 3 < line["provisional_after_s"] <= 30, path
        assert line["rule"] == "no baseline of the day"
        assert line["dates"] == {"fasting": 7, "glucose": 7}
    right = sum(line["decision"] == path.parent.name for line, path in zip(lines, recordings, strict=True))
    assert right >= len(lines) - 2


def test_detect_json_gives_seconds_on_the_recordings_clock(recordings: list[Path]) -> None:
    done = edge_ecg("detect", recordings[0], "--json")
    line = json.loads(done.stdout)
    assert list(line) == ["file", "sample_rate_hz", "duration_s", "r_peaks_s"]
    assert line["duration_s"] == pytest.approx(30, abs=0.05)
    assert 20 < len(line["r_peaks_s"]) < 60
    assert all(0 <= t <= line["duration_s"] for t in line["r_peaks_s"])


def test_tables_for_people(small_bundle: Path, recordings: list[Path]) -> None:
    for arguments in (("replay", small_bundle, recordings[0]), ("detect", recordings[0]), ("inspect", small_bundle)):
        done = edge_ecg(*arguments)
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) >= 1


def ecg_text(seconds: float, scale: float = 1.0) -> str:
    time = np.arange(int(512 * seconds)) / 512
    return "\n".join(f"{v:.3f}" for v in scale * 600 * np.exp(-(((time % 0.8) - 0.4) ** 2) / 2e-4))


@pytest.fixture
def broken(tmp_path: Path, small_bundle: Path) -> dict[str, Path]:
    """Ten things that are no recording or no bundle."""
    texts = {
        "empty": "",
        "text": "Dear diary,\ntoday I feel fine.\n",
        "one_value": "12.5\n",
        "nan": ecg_text(10).replace("0.000", "nan", 1),
        "wrong_unit": ecg_text(10, scale=1e-3),
        "three_seconds": ecg_text(3),
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(text)
    (tmp_path / "directory.csv").mkdir()
    (tmp_path / "no_permission.csv").write_text(ecg_text(10))
    (tmp_path / "no_permission.csv").chmod(0)
    for name in ("truncated_bundle", "missing_reference_bundle"):
        shutil.copytree(small_bundle, tmp_path / name)
    encoder = tmp_path / "truncated_bundle" / "encoder.onnx"
    encoder.write_bytes(encoder.read_bytes()[:1000])
    (tmp_path / "missing_reference_bundle" / "references.safetensors").unlink()
    return {path.stem: path for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    "name", ["empty", "text", "one_value", "nan", "wrong_unit", "three_seconds", "directory", "no_permission", "absent"]
)
@pytest.mark.parametrize("command", ["replay", "detect"])
def test_a_broken_recording_is_one_line_and_exit_code_2(
    small_bundle: Path, broken: dict[str, Path], command: str, name: str
) -> None:
    path = broken.get(name, Path("absent.csv"))
    if name == "no_permission" and os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    done = edge_ecg(command, *([small_bundle] if command == "replay" else []), path, "--json")
    one_line_error(done, path.name)
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["truncated_bundle", "missing_reference_bundle", "directory", "absent", "empty"])
@pytest.mark.parametrize("command", ["replay", "inspect"])
def test_a_broken_bundle_is_one_line_and_exit_code_2(
    broken: dict[str, Path], recordings: list[Path], command: str, name: str
) -> None:
    path = broken.get(name, Path("absent"))
    done = edge_ecg(command, path, *([recordings[0]] if command == "replay" else []), "--json")
    one_line_error(done, path.name)
    assert done.stdout == ""


def test_one_bad_recording_does_not_hide_the_others(
    small_bundle: Path, broken: dict[str, Path], recordings: list[Path]
) -> None:
    done = edge_ecg("replay", small_bundle, recordings[0], broken["nan"], recordings[1], "--json")
    assert len(done.stdout.splitlines()) == 2
    one_line_error(done, "nan.csv")


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("train", ["absent.toml", "--out", "OUT"]),
        ("train.evaluate", ["absent", "absent.toml"]),
        ("export.onnx", ["absent", "--out", "OUT"]),
        ("export.coreml", ["absent", "--out", "OUT"]),
        ("export.bundle", ["absent", "--out", "OUT"]),
    ],
)
def test_every_command_refuses_in_one_line(tmp_path: Path, module: str, arguments: list[str]) -> None:
    done = inside(module, *(str(tmp_path / "out") if a == "OUT" else a for a in arguments))
    one_line_error(done, "absent")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_process_ends_as_a_command_inside_this_one(tmp_path: Path, recordings: list[Path]) -> None:
    for module, *arguments in (("edge_ecg.cli", "detect", recordings[0], "absent.csv"), ("train", "absent.toml")):
        outside, within = as_process(module, *arguments), inside(module, *arguments)
        assert (outside.returncode, outside.stdout, outside.stderr) == (
            within.returncode,
            within.stdout,
            within.stderr,
        )


def test_errors_name_what_was_given_and_what_to_do(
    small_bundle: Path, small_run: Path, small_dataset: Path, recordings: list[Path], tmp_path: Path
) -> None:
    """Sentences at which a newcomer stopped, each alone: no head of a table before them, no count of nothing after."""
    with zipfile.ZipFile(tmp_path / "nothing.zip", "w") as archive:
        archive.writestr("notes.txt", "none")
    run, data = "is a training run, not a bundle; `edge-ecg export", "is a data set, not a bundle"
    for arguments, sentence in (
        (["replay", small_bundle, "absent"], "absent: cannot be read: No such file or directory"),
        (["replay", recordings[0]], "is no bundle, and there is no folder `bundle` here; give the bundle"),
        (["replay", recordings[0], recordings[1]], "is no bundle, and there is no folder `bundle` here"),
        (["replay", small_bundle], "is the bundle; give a RECORDING to replay through it as well"),
        (["replay", small_run, recordings[0]], run),
        (["inspect", small_run], run),
        (["inspect", small_dataset.parent], data),
        (["import", "nothing.zip"], "nothing.zip: cannot be read: No such file or directory"),
        (["import", tmp_path / "nothing.zip"], "nothing.zip: contains no ECG; expected Apple's export.zip"),
    ):
        done = edge_ecg(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert sentence in done.stderr
    swapped, given = (
        edge_ecg("replay", *paths) for paths in ((recordings[0], small_bundle), (small_bundle, recordings[0]))
    )
    assert (swapped.returncode, swapped.stdout) == (0, given.stdout)


def test_the_doctor_ends_in_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    for here, sentences in (
        (
            lambda name: "1.0",
            ["This machine can replay recordings, train, write reports and pictures, export ONNX and"],
        ),
        (
            lambda name: None,
            ["This machine can replay recordings.", "type pip install -e '.[export,report,train]' in the clone."],
        ),
    ):
        monkeypatch.setattr(doctor, "installed", here)
        found = list(doctor.verdict())
        assert all(any(sentence in line for line in found) for sentence in sentences), found
        assert found[-1] == "To run Core ML models or build the app it needs a Mac and Swift."


def test_pages_and_import_agree_on_the_fewest_dates() -> None:
    page = (ROOT / "docs/faq.md").read_text(encoding="utf-8")
    assert f"a split needs {FEWEST_DATES} dates with both states" in page


def one_line_error(done: "Done[str]", named: str) -> None:
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert named in lines[0]


def test_peaks_and_findings_fit_eighty_columns(recordings: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for arguments in (["detect", *recordings], ["doctor"]):
        done = edge_ecg(*arguments)
        assert done.returncode == 0
        assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("command", ["inspect", "profile"])
def test_facts_of_a_bundle_fit_eighty_columns(
    small_bundle: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(small_bundle.parent)
    done = edge_ecg(command, small_bundle.name)
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("command", ["report", "replay", "import"])
def test_a_page_replaces_a_page_of_ours_and_nothing_else(
    command: str, small_bundle: Path, recordings: list[Path], tmp_path: Path
) -> None:
    def written(page: Path) -> int:
        words = {
            "report": ["report", small_bundle, "--out", page],
            "replay": ["replay", small_bundle, recordings[0], "--page", page],
            "import": ["import", recordings[0], "--sheet", page],
        }[command]
        return edge_ecg(*words).returncode

    page = tmp_path / "page.html"
    assert (written(page), written(page)) == (0, 0)
    (tmp_path / "folder.html").mkdir()
    for name, content in (("own.html", "<!doctype html><p>mine"), ("settings.json", "{}"), ("empty.html", "")):
        (tmp_path / name).write_text(content)
        assert written(tmp_path / name) == 2
        assert (tmp_path / name).read_text() == content
    assert written(tmp_path / "folder.html") == 2
    assert {path.name for path in tmp_path.iterdir()} == {
        "page.html", "folder.html", "own.html", "settings.json", "empty.html",
    }  # fmt: skip


def test_the_list_of_commands_names_each_once_and_each_runs() -> None:
    listed = edge_ecg("--help")
    for name in COMMANDS:
        assert listed.stdout.count(f"\n  {name} ") == 1
        assert edge_ecg(name, "--help").returncode == 0


@pytest.mark.slow
def test_commands_find_run_data_set_and_bundle_in_the_working_folder(
    small_run: Path, small_bundle: Path, small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, source in (("run", small_run), ("bundle", small_bundle), ("data", small_dataset.parent)):
        shutil.copytree(source, tmp_path / name)
    evaluated = edge_ecg("evaluate", "--json")
    assert evaluated.stderr.startswith("data set: data/dataset.toml")
    assert json.loads(evaluated.stdout)["set"] == "test"
    file = next(Path("data/0309").glob("*/*.csv"))
    given, found = (edge_ecg("replay", *bundle, file, "--json") for bundle in (("bundle",), ()))
    keep = ("decision", "log_odds", "beats", "file")
    assert [json.loads(given.stdout)[key] for key in keep] == [json.loads(found.stdout)[key] for key in keep]
    assert "report.html: written" in edge_ecg("report").stdout
    assert "report-2.html: written" in edge_ecg("report").stdout
    shutil.copytree("data", "other")
    ambiguous = edge_ecg("evaluate")
    assert ambiguous.returncode == 2
    assert "data/dataset.toml, other/dataset.toml" in ambiguous.stderr


def test_what_is_missing_in_the_working_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words, missing in (
        (("train",), "dataset.toml"),
        (("evaluate",), "`run`"),
        (("report",), "`run` or `bundle`"),
        (("inspect",), "bundle"),
    ):
        done = edge_ecg(*words)
        assert done.returncode == 2, words
        assert missing in done.stderr
    assert not any(tmp_path.iterdir())


def test_a_module_of_the_users_that_hides_ours_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("")
    ran = subprocess.run(
        [sys.executable, "-m", "edge_ecg.cli", "evaluate"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "train.py of this folder hides" in ran.stderr


def test_a_persons_files_are_kept_out_of_git() -> None:
    private = [
        "export.zip",
        "data/x.csv",
        "run/config.json",
        "bundle/manifest.json",
        "private.pem",
        "report.html",
        "labels.csv",
        "beats.png",
    ]
    listed = subprocess.run(["git", "check-ignore", *private], cwd=ROOT, capture_output=True, text=True, check=False)
    assert listed.stdout.split() == private
