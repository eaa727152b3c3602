"""From a phone's export to a data set: found wherever it lies, labeled as said, split by date, and honest about it."""

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_ecg.cli.import_ import import_command
from edge_ecg.datasets.dataset_file import read_dataset
from edge_ecg.datasets.labeling import (
    FEWEST_DATES,
    Item,
    by_folders,
    by_table,
    by_windows,
    checked_label,
    split_by_date,
    two_labels,
    weaknesses,
)
from edge_ecg.errors import DatasetError, EdgeEcgError, RecordingError
from edge_ecg.readers.apple_format import LOCALES, write_apple_csv
from edge_ecg.readers.find import SkippedFiles, find_recordings
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import day_in

NAME, BIRTH = "Wilhelmine Einthoven", "21.05.1860"
ZONE = timezone(timedelta(hours=8))
WINDOWS = ("--window", "fasting=06:00-09:00", "--window", "after=10:00-12:00")
FOLDER = "apple_health_export/electrocardiograms"


def ecg_uv(seed: int, samples: int = 2300) -> np.ndarray:
    return np.round(np.random.default_rng(seed).normal(0, 200, samples), 3)


def ecg_text(at: datetime, seed: int, locale: str = "en", rate_hz: float = 512.0) -> bytes:
    path = Path(os.environ["SCRATCH_CSV"])
    write_apple_csv(path, ecg_uv(seed), rate_hz, at, locale, name=NAME)
    return path.read_bytes().replace(b"Synthetic Date", BIRTH.encode())


@pytest.fixture(autouse=True)
def _scratch(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRATCH_CSV", str(tmp_path_factory.mktemp("scratch") / "one.csv"))


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def a_study(days: int = 4, folder: str = FOLDER) -> dict[str, bytes]:
    """Members of an export: on each day one recording at 07:30 and one at 11:00, each day in another language."""
    members = {
        "apple_health_export/export.xml": b"<HealthData/>" * 9999,
        "apple_health_export/notes.csv": b"a,b\n1,2\n",
    }
    for day in range(days):
        for number, hour in enumerate((7.5, 11.0)):
            at = datetime(2024, 2, 27, tzinfo=ZONE) + timedelta(days=day, hours=hour)
            locale = list(LOCALES)[day % len(LOCALES)]
            text = ecg_text(at, 10 * day + number, locale, 511.422 if day == 1 else 512.0)
            members[f"{folder}/ecg_{at:%Y-%m-%d}_{number}.csv"] = text
    return members


def imported(*arguments: object, answers: str | None = None):
    result = CliRunner().invoke(import_command, [str(a) for a in arguments], input=answers, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


def all_read(path: Path) -> None:
    for found in find_recordings(path):
        found.read()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_an_export_becomes_a_dataset_that_train_reads(tmp_path: Path) -> None:
    export = zipped(tmp_path / "export.zip", a_study())
    result = imported(export, "--out", tmp_path / "data", *WINDOWS, "--json")
    said = json.loads(result.stdout)
    assert said["labels"] == ["fasting", "after"]
    dataset = read_dataset(tmp_path / "data/dataset.toml")
    assert dataset.labels == ("fasting", "after")
    assert dataset.dates == {
        "train": ("2024-02-27", "2024-02-28"),
        "validation": ("2024-02-29",),
        "test": ("2024-03-01",),
    }
    for which, count in (("train", 4), ("validation", 2), ("test", 2)):
        entries = dataset.entries(which)
        assert len(entries) == count
        for entry in entries:
            recording = read_recording(entry.path)
            day = (datetime.fromisoformat(entry.date) - datetime(2024, 2, 27)).days
            hour = "11:00" if entry.is_target else "07:30"
            assert np.array_equal(recording.samples_uv, ecg_uv(10 * day + entry.is_target))
            assert recording.sample_rate_hz == (511.422 if day == 1 else 512.0)
            assert recording.recorded_at == f"{entry.date} {hour}:00 +0800"


def test_what_is_written_says_nothing_of_the_person(tmp_path: Path) -> None:
    export = zipped(tmp_path / "export.zip", a_study())
    result = imported(export, "--out", tmp_path / "data", *WINDOWS)
    written = b"".join(contents(tmp_path / "data").values()) + result.output.encode()
    for secret in (*NAME.split(), BIRTH, "1860", "Watch0", "Sinus"):
        assert secret.encode() not in written


@pytest.mark.parametrize("folder", [FOLDER, "导出/心电图", "Elektrokardiogramme", "."])
def test_ecgs_are_found_by_folder_and_by_content(tmp_path: Path, folder: str) -> None:
    export = zipped(tmp_path / "export.zip", a_study(2, folder))
    names = [Path(found.name).name for found in find_recordings(export)]
    assert names == [f"ecg_2024-02-{day}_{n}.csv" for day in (27, 28) for n in (0, 1)]


def test_an_unpacked_export_gives_the_same_recordings(tmp_path: Path) -> None:
    export = zipped(tmp_path / "export.zip", a_study(2))
    with zipfile.ZipFile(export) as archive:
        archive.extractall(tmp_path / "unpacked")
    archived, unpacked = (
        [found.read().samples_uv for found in find_recordings(path)] for path in (export, tmp_path / "unpacked")
    )
    assert len(archived) == 4
    assert all(np.array_equal(a, b) for a, b in zip(archived, unpacked, strict=True))


def test_the_same_recording_twice_is_one(tmp_path: Path) -> None:
    export = zipped(tmp_path / "export.zip", a_study(3))
    copy = zipped(tmp_path / "copy.zip", a_study(3))
    result = imported(export, copy, "--out", tmp_path / "data", *WINDOWS, "--json")
    assert sum(sum(of.values()) for of in json.loads(result.stdout)["counts"].values()) == 6


def test_a_list_is_printed_without_out_and_nothing_is_written(tmp_path: Path) -> None:
    export = zipped(tmp_path / "export.zip", a_study(2))
    lines = [json.loads(line) for line in imported(export, "--json", *WINDOWS).stdout.splitlines()]
    assert [line["label"] for line in lines] == ["fasting", "after"] * 2
    assert lines[0]["recorded_at"] == "2024-02-27 07:30:00 +0800"
    assert "2024-02-28" in imported(export).stdout
    assert [path.name for path in tmp_path.iterdir()] == ["export.zip"]


def test_labels_come_from_a_table_by_file_or_time(tmp_path: Path) -> None:
    export = zipped(tmp_path / "export.zip", a_study())
    table = tmp_path / "labels.csv"
    rows = ["file-or-time,label", "2024-02-27 07:30,rest", "ecg_2024-02-27_1.csv,run", "2024-02-28T11:00:00,run"]
    rows += ["electrocardiograms/ecg_2024-02-28_0.csv,rest", "2024-02-29,rest", "2024-03-01,"]
    table.write_text("\n".join(rows))
    said = json.loads(imported(export, "--out", tmp_path / "data", "--labels", table, "--json").stdout)
    assert said["labels"] == ["rest", "run"]
    assert {date: tuple(of.values()) for date, of in said["counts"].items()} == {
        "2024-02-27": (1, 1),
        "2024-02-28": (1, 1),
        "2024-02-29": (2, 0),
    }
    assert said["left_out"] == 2
    assert said["split"] is None
    assert not (tmp_path / "data/dataset.toml").exists()


ITEMS = [
    Item(f"export.zip/{d}/{t}.csv", f"2024-03-0{d} {t}:00 +0100", 512.0, 30.0)
    for d in (1, 2, 3)
    for t in ("07:00", "23:30", "11:00")
]


@pytest.mark.parametrize(
    ("windows", "says"),
    [
        (["fasting"], "window is 'fasting'; expected LABEL=HH:MM-HH:MM"),
        (["a=25:00-26:00"], "expected LABEL"),
        (["a=06:00-12:00", "b=11:00-12:00"], "is labeled 'a' and 'b'"),
        (["../x=06:00-12:00"], "label is '../x'"),
        (["inconclusive=06:00-12:00"], "label is 'inconclusive'"),
    ],
)
def test_a_window_that_is_unclear_is_refused(windows: list[str], says: str) -> None:
    with pytest.raises(DatasetError) as caught:
        by_windows(ITEMS, windows)
    assert says in str(caught.value)


def test_a_window_may_pass_midnight_and_leaves_its_end_out() -> None:
    assert set(by_windows(ITEMS, ["night=23:00-01:00"]).values()) == {"night"}
    assert by_windows(ITEMS, ["x=06:00-07:00"]) == {}


@pytest.mark.parametrize("row", ["2024-12-24,a", "nix.csv,a", "07:00.csv,a", "2024-03-01,a,b", "2024-03-01"])
def test_a_row_that_names_no_recording_or_several_is_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "labels.csv").write_text(f"{row}\n")
    with pytest.raises(DatasetError):
        by_table(ITEMS, tmp_path / "labels.csv")


@pytest.mark.parametrize("label", ["", ".", "..", "a/b", "a\\b", "a b", "a\n", "-x", "x" * 41, "*", "{date}"])
def test_a_label_is_the_name_of_a_folder(label: str) -> None:
    if label == "a\n":
        assert checked_label(label) == "a"
        return
    with pytest.raises(DatasetError):
        checked_label(label)


@pytest.mark.parametrize("labels", [[], ["a"], ["a", "b", "c"], ["a", "A"]])
def test_two_labels_make_a_comparison(labels: list[str]) -> None:
    with pytest.raises(DatasetError, match="expected two"):
        two_labels(dict(enumerate(labels)), None)  # type: ignore[arg-type]
    assert two_labels({"1": "a", "2": "b"}, "b") == ("b", "a")


@pytest.mark.parametrize("count", [4, 7, 13, 40])
def test_the_split_is_by_date_and_holds_out_the_latest_whole_dates(count: int) -> None:
    dates = {f"2024-05-{day:02}": {"a", "b"} for day in range(1, count + 1)}
    split = split_by_date({**dates, "2024-06-01": {"a"}})
    assert split is not None
    assert split["train"][-1] == "2024-06-01"  # a date with one state teaches, and tests nothing
    assert sorted(date for of in split.values() for date in of) == sorted([*dates, "2024-06-01"])
    assert split["train"][:-1] < split["validation"] < split["test"]
    assert all(split.values())
    assert split_by_date(dict(list(dates.items())[:3])) is None  # two to learn from, one to stop by, one to test on


def test_weak_designs_are_named_and_a_sound_one_is_not() -> None:
    def study(order: str, dates: int = 8, rate_b: float = 512.0) -> list[str]:
        items, labels = [], {}
        for day in range(dates):
            first, second = ("ab", "ba")[day % 2 if order == "random" else 0]
            for label, hour in ((first, 8), (second, 10)):
                name = f"{day}{label}"
                rate = rate_b if label == "b" else 512.0
                items.append(Item(name, f"2024-04-{day + 1:02} {hour:02}:00:00 +0000", rate, 30.0))
                labels[name] = label
        return weaknesses(items, labels, ("a", "b"))

    assert study("random") == []
    assert study("same") == [
        "a comes before b on every date: the model may learn the time of day in place of the state"
    ]
    assert "512 Hz, b at 514" in study("random", rate_b=513.625)[0]
    assert study("random", rate_b=512.2) == []
    assert "7 dates with both states are few" in study("random", 7)[0]
    alone = [Item("x", "2024-04-09 08:00:00 +0000", 512.0, 30.0)]
    assert "2024-04-09 has a only" in weaknesses(alone, {"x": "a"}, ("a", "b"))[0]
    assert "2 recordings of a, 0 of b" in weaknesses(alone * 2, {"x": "a", "y": "a"}, ("a", "b"))[-1]


# What a stranger's archive may hold.


def test_what_is_no_plain_member_is_skipped_and_said_and_the_rest_is_read(tmp_path: Path) -> None:
    link = zipfile.ZipInfo(f"{FOLDER}/link.csv")
    link.external_attr = 0o120777 << 16
    names = ["../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "notes\\walk.csv", "8:30 walk.txt", link, "twice.csv"]
    for name in names:
        export = zipped(tmp_path / "export.zip", a_study(1))
        with zipfile.ZipFile(export, "a") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the second of the same name
            for _ in range(2 if name == "twice.csv" else 1):
                archive.writestr(name, b"/etc/passwd")
        passed = SkippedFiles()
        assert [Path(found.name).name for found in find_recordings(export, skipped=passed)] == [
            "ecg_2024-02-27_0.csv",
            "ecg_2024-02-27_1.csv",
        ]
        assert len(passed.names) == (3 if name == "twice.csv" else 2)  # with notes.csv; export.xml is in every export
        all_read(export)


@pytest.mark.slow
def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    began = time.perf_counter()
    for member in (b"0\n" * 1_500_000, b"0\n" * 4_000_000):
        export = zipped(tmp_path / "export.zip", {f"{FOLDER}/ecg.csv": member})
        with pytest.raises(RecordingError, match="unpacks from"):
            all_read(export)
    many = zipped(tmp_path / "many.zip", {f"{n}": b"" for n in range(50_001)})
    with pytest.raises(RecordingError, match="holds 50001 files"):
        list(find_recordings(many))
    assert time.perf_counter() - began < 20


def test_a_directory_that_claims_to_be_huge_is_not_read(tmp_path: Path) -> None:
    export = zipped(tmp_path / "export.zip", a_study(1))
    with export.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        end = file.tell() - 22
        file.truncate(200_000_000)  # sparse: a hole before the end record, as its directory
        content = bytearray(b"PK\5\6" + bytes(4) + b"\1\0\1\0" + (199_000_000).to_bytes(4, "little") + bytes(6))
        file.seek(0, os.SEEK_END)
        file.write(content)
    assert end > 0
    with pytest.raises(RecordingError, match="directory too large"):
        list(find_recordings(export))


def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    export = zipped(tmp_path / "export.zip", {f"{FOLDER}/ecg.csv": b"1.5\n" * 9999})
    raw = bytearray(export.read_bytes())
    at = raw.rindex(b"PK\1\2") + 24
    raw[at : at + 4] = (100).to_bytes(4, "little")
    export.write_bytes(raw)
    with pytest.raises(RecordingError):
        all_read(export)


def test_an_encrypted_a_damaged_and_an_empty_archive_get_one_sentence(tmp_path: Path) -> None:
    export = zipped(tmp_path / "export.zip", a_study(1))
    raw = bytearray(export.read_bytes())
    encrypted = bytearray(raw)
    place = encrypted.index(b"PK\1\2")
    while place >= 0:
        encrypted[place + 8] |= 1
        place = encrypted.find(b"PK\1\2", place + 4)
    for name, content, says in (
        ("locked.zip", encrypted, "is encrypted"),
        ("cut.zip", raw[:-100], "is neither a folder nor a whole zip archive"),
        ("empty.zip", zipped(tmp_path / "e.zip", {"a": b""}).read_bytes(), "contains no ECG"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RecordingError, match=says):
            all_read(tmp_path / name)


def test_an_archive_inside_an_archive_is_not_opened(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("electrocardiograms/ecg.csv", "1\n")
    export = zipped(tmp_path / "export.zip", {"inner.zip": inner.getvalue()})
    with pytest.raises(RecordingError, match="contains no ECG"):
        list(find_recordings(export))


# What was there before is safe.


def test_nothing_of_the_users_is_replaced(tmp_path: Path) -> None:
    export = zipped(tmp_path / "export.zip", a_study(3))
    data = tmp_path / "data"
    data.mkdir()
    (data / "diary.txt").write_text("dear")
    with pytest.raises(DatasetError, match="is not empty and no earlier import"):
        imported(export, "--out", data, *WINDOWS)
    (data / "diary.txt").unlink()
    imported(export, "--out", data, *WINDOWS)
    first = contents(data)
    imported(export, "--out", data, *WINDOWS)
    assert contents(data) == first
    (data / "2024-02-27/note.txt").write_text("mine")
    with pytest.raises(DatasetError, match=r"2024-02-27/note.txt was added or changed"):
        imported(export, "--out", data, *WINDOWS)
    (data / "2024-02-27/note.txt").unlink()
    (data / "dataset.toml").write_text("mine")
    with pytest.raises(DatasetError, match=r"dataset.toml was added or changed"):
        imported(export, "--out", data, *WINDOWS)
    assert (data / "dataset.toml").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "export.zip"]


@pytest.mark.parametrize(
    ("source", "out"),
    [
        ("st/2024-03-01", "st"),
        ("st", "st"),
        ("st", "st/inner"),
        ("st/.", "link"),
        ("link", "st"),
        ("st/2024-03-01/a.csv", "st"),
        ("st", "st/../st/2024-03-01/.."),
    ],
)
def test_no_source_is_replaced_however_it_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    export = zipped(tmp_path / "export.zip", a_study(3))
    imported(export, "--out", "st", *WINDOWS)
    (tmp_path / "link").symlink_to("st")
    (tmp_path / "st/2024-03-01").mkdir()
    (tmp_path / "st/2024-03-01/a.csv").write_bytes(ecg_text(datetime(2024, 3, 1, 7, tzinfo=ZONE), 1))
    before = contents(tmp_path)
    with pytest.raises(EdgeEcgError, match=r"(is|holds|lies in) .*, which is read and must be kept"):
        imported(source, "--out", out, *WINDOWS)
    assert contents(tmp_path) == before


def test_the_date_in_a_files_name_will_do_where_its_header_has_none(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for day in (1, 2, 3, 4):
        for number in (1, 2):
            values = "\n".join(f"{value:.3f}" for value in ecg_uv(10 * day + number))
            (folder / f"ecg_2024-03-0{day}_{number}.csv").write_text(values)
    (folder / "undated.csv").write_text("\n".join(f"{value:.3f}" for value in ecg_uv(99)))
    table = tmp_path / "labels.csv"
    table.write_text("".join(f"ecg_2024-03-0{d}_{n}.csv,{'ab'[n - 1]}\n" for d in (1, 2, 3, 4) for n in (1, 2)))
    result = imported(folder, "--out", tmp_path / "data", "--labels", table)
    assert result.return_value == 2
    assert "undated.csv: has no known date" in result.stderr
    dataset = read_dataset(tmp_path / "data/dataset.toml")
    assert dataset.dates["test"] == ("2024-03-04",)
    for entry in dataset.entries("train"):
        recording = read_recording(entry.path)
        assert recording.recorded_at == entry.date
        assert np.array_equal(recording.samples_uv, ecg_uv(10 * int(entry.date[-1]) + 1 + entry.is_target))
    said = imported(folder, *WINDOWS)
    assert "8 of 8 recordings have no time of day, so --window cannot label them" in said.stderr


def test_one_bad_file_does_not_hide_the_others(tmp_path: Path) -> None:
    members = {**a_study(3), f"{FOLDER}/broken.csv": ecg_text(datetime(2024, 1, 1, tzinfo=ZONE), 1)[:400]}
    export = zipped(tmp_path / "export.zip", members)
    result = imported(export, "--out", tmp_path / "data", *WINDOWS)
    assert result.return_value == 2
    assert "broken.csv" in result.stderr
    assert len(list((tmp_path / "data").rglob("*.csv"))) == 6


@pytest.mark.parametrize("arguments", [WINDOWS, (*WINDOWS, "--labels", "labels.csv"), ("--baseline", "x")])
def test_options_that_do_not_fit_are_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    export = zipped(tmp_path / "export.zip", {"x/a.csv": ecg_text(datetime(2024, 1, 1, 3, tzinfo=ZONE), 1)})
    out = ("--out", tmp_path / "data") if arguments == WINDOWS else ()
    with pytest.raises((EdgeEcgError, Exception), match=r"no recording has a label|exclude|need --out"):
        imported(export, *out, *arguments)
    assert not (tmp_path / "data").exists()


def run_import(export: Path, out: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "edge_ecg.cli", "import", str(export), "--out", str(out), *WINDOWS]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


@pytest.mark.ci
def test_a_kill_leaves_what_was_there_and_the_same_command_finishes(tmp_path: Path) -> None:
    old = zipped(tmp_path / "old.zip", a_study(3))
    new = zipped(tmp_path / "new.zip", a_study(8))
    imported(old, "--out", tmp_path / "data", *WINDOWS)
    imported(new, "--out", tmp_path / "expected", *WINDOWS)
    began = time.perf_counter()
    timed = run_import(new, tmp_path / "timed")
    timed.communicate()
    assert timed.returncode == 0
    whole_s = time.perf_counter() - began
    before, expected = contents(tmp_path / "data"), contents(tmp_path / "expected")
    expected["dataset.toml"] = expected["dataset.toml"].replace(b'"expected"', b'"data"')
    expected.pop("imported.json")
    for delay in random.Random(1).choices(range(40, 101), k=5):
        process = run_import(new, tmp_path / "data")
        time.sleep(whole_s * delay / 100)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        now = contents(tmp_path / "data")
        if now != before:
            now.pop("imported.json")
            assert now == expected
            break
    process = run_import(new, tmp_path / "data")
    _, said = process.communicate()
    assert process.returncode == 0, said
    now = contents(tmp_path / "data")
    now.pop("imported.json")
    assert now == expected


@pytest.mark.ci
def test_an_interrupt_leaves_nothing_half_written(tmp_path: Path) -> None:
    export = zipped(tmp_path / "export.zip", a_study(40))
    process = run_import(export, tmp_path / "data")
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".data.*/fresh/*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    if process.returncode != 0:  # it may have been quicker
        assert process.returncode == 130
        assert said.decode().splitlines()[-1] == "error: interrupted"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["export.zip"]


def test_what_is_listed_and_written_fits_eighty_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    long = "a-folder-with-a-long-name-" * 4
    export = zipped(tmp_path / "export.zip", a_study(folder=f"{FOLDER}/{long}"))
    listed = imported(export)
    written = imported(export, "--out", tmp_path / "data", *WINDOWS)
    for result in (listed, written):
        lines = [line for line in (result.stdout + result.stderr).splitlines() if str(tmp_path) not in line]
        assert max(map(len, lines)) <= 80
    assert "weak: " in written.stderr
    assert ".csv" in listed.stdout  # of a name the end stays


def column(path: Path, day: int = 1) -> Path:
    """A recording that says neither date nor rate."""
    path.write_text("\n".join(f"{value:.3f}" for value in ecg_uv(day)))
    return path


def test_dates_from_a_table_stand_for_those_that_files_do_not_say(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in (1, 2, 3):
        column(folder / f"r{number}.csv", number)
    write_apple_csv(folder / "dated.csv", ecg_uv(4), 512.0, "2024-03-01 08:00:00 +0100")
    table = tmp_path / "dates.csv"
    table.write_text("file,date\nr1.csv,2024-03-02\nin/r2.csv,2024-03-01 08:03\nr3.csv,01.03.2024 9:30 PM +0100\n")
    result = imported(folder, "--dates", table, "--json")
    assert result.return_value == 0, result.stderr
    found = {Path(item["name"]).name: item["recorded_at"] for item in map(json.loads, result.stdout.splitlines())}
    assert found == {
        "dated.csv": "2024-03-01 08:00:00 +0100",
        "r1.csv": "2024-03-02",
        "r2.csv": "2024-03-01 08:03:00",
        "r3.csv": "2024-03-01 21:30:00 +0100",
    }


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("a.csv,2024-03-01\nb.csv,2024-03-01\n", "line 2 ('b.csv') matches no recording"),
        ("a.csv,soon\n", "line 1 has 'soon'; expected a date such as 2024-03-01"),
        ("a.csv,03/01/2024\n", "line 1 has '03/01/2024'; expected a date"),
        ("a.csv,2024-03-01\na.csv,2024-03-02\n", "line 2 dates 'a.csv' a second time, differently"),
        ("a.csv\n", "line 1 has 1 columns; expected file,date"),
        ("2024-02-02.csv,2024-03-01\n", "has the date 2024-02-02, but --dates gives 2024-03-01"),
    ],
)
def test_a_table_of_dates_that_does_not_fit_is_refused(tmp_path: Path, rows: str, says: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    column(folder / ("a.csv" if rows.startswith("a.csv") else "2024-02-02.csv"))
    (tmp_path / "dates.csv").write_text(rows)
    try:
        said = imported(folder, "--dates", tmp_path / "dates.csv").stderr  # a recording's fault leaves the others
    except DatasetError as error:
        said = str(error)
    assert says in said


def test_missing_samples_survive_an_import(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for day in (1, 2, 3, 4):
        for number in (1, 2):
            rows = [f"{i},{'' if i in (0, 700) else value}" for i, value in enumerate(ecg_uv(10 * day + number))]
            (folder / f"ecg_2024-03-0{day}_{number}.csv").write_text("\n".join(["fs: 512", "n,ecg lead II", *rows]))
    table = tmp_path / "labels.csv"
    table.write_text("".join(f"ecg_2024-03-0{d}_{n}.csv,{'ab'[n - 1]}\n" for d in (1, 2, 3, 4) for n in (1, 2)))
    assert imported(folder, "--out", tmp_path / "data", "--labels", table).return_value == 0
    for entry in read_dataset(tmp_path / "data/dataset.toml").entries("test"):
        recording = read_recording(entry.path)
        assert recording.lead == "II"
        assert np.flatnonzero(np.isnan(recording.samples_uv)).tolist() == [0, 700]
        np.testing.assert_array_equal(recording.samples_uv[1:700], ecg_uv(41 if entry.label == "a" else 42)[1:700])


def test_a_member_without_a_name_is_passed_over(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "a.zip", {"x": b"1\n" * 9, f"{FOLDER}/a.csv": ecg_text(datetime(2024, 3, 1, tzinfo=ZONE), 1)}
    )
    data = path.read_bytes()
    at = data.index(b"PK\x01\x02")  # in the directory, the name's length and the comment's: the name is a comment now
    lengths = data[at + 28 : at + 34]
    assert lengths == b"\1\0\0\0\0\0"
    path.write_bytes(data[: at + 28] + b"\0\0\0\0\1\0" + data[at + 34 :])
    assert zipfile.ZipFile(path).namelist()[0] == ""
    passed = SkippedFiles()
    assert [Path(found.name).name for found in find_recordings(path, skipped=passed)] == ["a.csv"]
    assert passed.names == [""]


def laid_out(root: Path, layout: str, names: Sequence[str] = ("rest", "run"), dated: bool = True) -> Path:
    """Recordings of four days in folders of {date}, {short}, {day} and {label}; undated, only folders date them."""
    for day in range(1, 5):
        for hour, label in zip((8, 10, 12, 14), names, strict=False):
            at = datetime(2024, 3, day, hour, tzinfo=ZONE)
            folder = root / layout.format(date=f"{at:%Y-%m-%d}", short=f"{at:%m%d}", day=f"{at:%d%m%Y}", label=label)
            folder.mkdir(parents=True, exist_ok=True)
            name = f"ecg_{at:%Y-%m-%d}_{hour}.csv" if dated else f"{day}{label}.csv"
            np.savetxt(folder / name, ecg_uv(20 * day + hour), "%.3f")
    return root


@pytest.mark.parametrize(
    ("layout", "dated", "said"),
    [
        ("{date}/{label}", True, "DATE/LABEL"),
        ("{date}/{label}", False, "DATE/LABEL"),
        ("{short}/{label}", True, "DATE/LABEL"),
        ("{day}/{label}", True, "DATE/LABEL"),
        ("{label}/{date}", False, "LABEL/DATE"),
        ("{label}", True, "LABEL"),
        ("phone/{label}/{short}", True, "LABEL/DATE"),
    ],
)
def test_folders_are_taken_as_they_are(tmp_path: Path, layout: str, dated: bool, said: str) -> None:
    result = imported(laid_out(tmp_path / "mine", layout, dated=dated), "--out", tmp_path / "data", "--json")
    assert f"folders are {said}: the labels are rest, run; a session is a date" in " ".join(result.stderr.split())
    counts = json.loads(result.stdout)["counts"]
    assert counts == {f"2024-03-0{day}": {"rest": 1, "run": 1} for day in range(1, 5)}
    for entry in read_dataset(tmp_path / "data/dataset.toml").entries("train"):
        seed = 20 * int(entry.date[-2:]) + (10 if entry.is_target else 8)
        assert np.array_equal(read_recording(entry.path).samples_uv, ecg_uv(seed))


def test_folders_given_one_by_one_name_labels_as_well(tmp_path: Path) -> None:
    laid_out(tmp_path, "{label}")
    result = imported(tmp_path / "run", tmp_path / "rest", "--out", tmp_path / "data", "--baseline", "rest", "--json")
    assert json.loads(result.stdout)["labels"] == ["rest", "run"]


def test_two_of_several_folders_can_be_chosen(tmp_path: Path) -> None:
    laid_out(tmp_path / "mine", "{short}/{label}", ("rest", "run", "rest2", "run2"))
    options = (tmp_path / "mine", "--out", tmp_path / "data")
    with pytest.raises(DatasetError, match=r"rest, rest2, run, run2; expected two.*--baseline LABEL --target LABEL"):
        imported(*options)
    written = json.loads(imported(*options, "--baseline", "run2", "--target", "rest", "--json").stdout)
    assert (written["labels"], written["left_out"]) == (["run2", "rest"], 8)


def test_folders_that_are_not_clear_are_refused_by_name(tmp_path: Path) -> None:
    laid_out(tmp_path / "two", "person{short}/{label}")
    with pytest.raises(DatasetError, match=r"two levels could be labels: person0301, .* and rest, run"):
        imported(tmp_path / "two", "--out", tmp_path / "data")
    laid_out(tmp_path / "deep", "{label}")
    (tmp_path / "deep/rest/more").mkdir()
    (tmp_path / "deep/rest/ecg_2024-03-04_8.csv").rename(tmp_path / "deep/rest/more/ecg_2024-03-04_8.csv")
    with pytest.raises(DatasetError, match=r"different depths, such as .*\.csv and .*more.*\.csv"):
        imported(tmp_path / "deep", "--out", tmp_path / "data")
    laid_out(tmp_path / "other", "{short}/{label}")
    (tmp_path / "other/0302").rename(tmp_path / "other/0309")
    with pytest.raises(DatasetError, match=r"ecg_2024-03-02_8.csv: lies in a folder '0309', and is of 2024-03-02"):
        imported(tmp_path / "other", "--out", tmp_path / "data")
    laid_out(tmp_path / "spaced", "{label}", ("before lunch", "after"))
    with pytest.raises(DatasetError, match="label is 'before lunch'"):
        imported(tmp_path / "spaced", "--out", tmp_path / "data")
    laid_out(tmp_path / "none", "{short}")
    with pytest.raises(DatasetError, match="no recording has a label"):
        imported(tmp_path / "none", "--out", tmp_path / "data")
    assert not (tmp_path / "data").exists()
    assert "no labels by folder: " in imported(tmp_path / "two").stderr  # a list is printed all the same


def test_the_public_recordings_are_known_by_their_folders(ecg_data: Path) -> None:
    paths = sorted((ecg_data / "watch").rglob("*.csv"))
    labels, layout = by_folders([Item(str(path), f"{day_in(path.name)}", 512.0, 30.0) for path in paths])
    assert layout == "DATE/LABEL"
    # As the data's README counts them, and the second series that it names.
    counts = {"fast1": 95 + 32 + 25, "glucose1": 65 + 35 + 7, "fast2": 2, "glucose2": 3}
    assert Counter(labels.values()) == counts


def test_import_prints_what_to_type_next_and_nothing_of_the_rest_of_an_export(tmp_path: Path) -> None:
    """The number of dates that a split needs is the constant; steps and routes of an export are not listed."""
    members = {name: content for name, content in a_study(FEWEST_DATES - 1).items() if not name.endswith("notes.csv")}
    export = zipped(tmp_path / "my export.zip", members)
    sheet, windows = tmp_path / "sheet.html", ["--window", "fasting=06:00-09:00", "--window", "glucose=09:00-12:00"]
    labeled = CliRunner().invoke(import_command, [str(export), "--sheet", str(sheet)], catch_exceptions=False)
    assert f"edge-ecg import '{export}' --labels labels.csv --out data" in labeled.stdout
    command = [str(export), *windows, "--out", str(tmp_path / "data")]
    done = CliRunner().invoke(import_command, command, catch_exceptions=False)
    assert f"no dataset.toml: a split needs {FEWEST_DATES} dates with both states" in done.stderr
    assert "export.xml" not in labeled.output + done.output
