"""The dataset file: two labels, a split by date, and every mistake named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_ecg.datasets.dataset_file import Origin, confounding_origins, read_dataset
from edge_ecg.errors import DatasetError, EdgeEcgError, RecordingError
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Overrides
from edge_ecg.simulation.synthetic import record, synthetic_person
from examples.polar_h10 import polar_h10
from train.data import BeatSet, mixed, read_beats

GOOD = """
[labels]
rest = ["a", "b"]
load = ["c"]
[split]
train = ["0101"]
validation = ["0102"]
test = ["0103"]
[files]
layout = "{date}/{label}/*.csv"
exclude = ["d"]
"""
TOLD = """
[[override]]
match = "*/c/*"
rate_hz = 250
lead = "II"
"""


def write(folder: Path, text: str) -> Path:
    for date in ("0101", "0102", "0103"):
        for label in "abcd":
            (folder / date / label).mkdir(parents=True, exist_ok=True)
            (folder / date / label / "one.csv").touch()
    (folder / "dataset.toml").write_text(text)
    return folder / "dataset.toml"


def test_a_label_may_collect_several_folders(tmp_path: Path) -> None:
    dataset = read_dataset(write(tmp_path, GOOD))
    assert dataset.labels == ("rest", "load")
    found = [(e.label, e.path.parent.name, e.is_target) for e in dataset.entries("train")]
    assert found == [("rest", "a", False), ("rest", "b", False), ("load", "c", True)]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('["0102"]', '["0101"]', "0101 stands in train and in validation"),
        ('["0103"]', '["0103", "0103"]', "0103 stands in test and in test"),
        ('load = ["c"]', 'load = ["a"]', "folder a stands in"),
        ('exclude = ["d"]', 'exclude = ["c"]', "folder c stands in"),
        ('load = ["c"]', "", "expected two"),
        ('train = ["0101"]', "train = []", "split.train is empty"),
        ('train = ["0101"]', "train = [101]", r"split.train\[0\] is 101, expected text"),
        ("[split]", "[splits]", "has no entry 'split'"),
        ("{date}", "date", "layout"),
        ("[labels]", "[labels", "TOML"),
        ("[labels]", f"a = {'[' * 5000}\n[labels]", "TOML"),
        (
            '[files]\nlayout = "{date}/{label}/*.csv"\nexclude = ["d"]',
            "[[files]]",
            "files is .* expected entries",
        ),
        ("[files]", "[files]\nroot = 3", "files.root is 3, expected text"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        read_dataset(write(tmp_path, GOOD.replace(old, new)))


DIVIDED = (
    GOOD
    + """
[sessions.0101]
"0101 load" = "0101/c/*"
"""
)


def test_a_date_may_hold_several_sessions(tmp_path: Path) -> None:
    dataset = read_dataset(write(tmp_path, DIVIDED))
    assert [(e.date, e.session, e.label) for e in dataset.entries("train")] == [
        ("0101", "0101", "rest"),
        ("0101", "0101", "rest"),
        ("0101", "0101 load", "load"),
    ]
    assert dataset.sessions == {"train": ("0101", "0101 load"), "validation": ("0102",), "test": ("0103",)}
    nothing_left = GOOD + '[sessions.0101]\n"a" = "0101/[ab]/*"\n"b" = "*/c/*"'
    assert read_dataset(write(tmp_path, nothing_left)).sessions["train"] == ("a", "b")
    plain = read_dataset(write(tmp_path, GOOD))
    assert plain.sessions == plain.dates
    assert (plain.session, read_dataset(write(tmp_path, 'session = "person"' + GOOD)).session) == ("date", "person")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('session = "year"' + GOOD, "session is 'year', expected one of date, sitting, person"),
        (GOOD + "[sessions.0109]\nx = '*'", "has no date 0109"),
        (
            GOOD + "[sessions]\n0101 = '*/c/*'",
            r"sessions.0101 is '\*/c/\*', .* \(a table of a date's sessions",
        ),
        (GOOD + "[sessions.0101]\n0103 = '*/c/*'", "session 0103 stands in 0103 and in 0101|0101 and in 0103"),
        (GOOD + "[sessions.0101]\n'x/y' = '*/c/*'", "plain name"),
        (GOOD + "[sessions.0101]\nx = '0102/*'", "'0102/\\*' matches no recording of 0101"),
    ],
)
def test_a_mistake_in_sessions_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        read_dataset(write(tmp_path, text)).entries("train")


@pytest.mark.parametrize("layout", ["/{date}/{label}", "{date}**/{label}", "{date}/{label}/{0}", "{date}/{label}/{"])
def test_a_layout_that_leads_nowhere_is_named(tmp_path: Path, layout: str) -> None:
    dataset = read_dataset(write(tmp_path, GOOD.replace("{date}/{label}/*.csv", layout)))
    with pytest.raises(DatasetError, match=r"no pattern of files below it|no recordings of 0101"):
        dataset.entries("train")


@pytest.mark.parametrize("name", ["01*", "./0101", "0101/", "0102/../0101", "..", ".", "010?", "[0]101", "a\\\\b"])
@pytest.mark.parametrize("old", ['["0102"]', '["c"]', '["d"]'])
def test_a_name_that_is_no_plain_folder_is_refused(tmp_path: Path, old: str, name: str) -> None:
    with pytest.raises(DatasetError, match="expected the plain name of a folder"):
        read_dataset(write(tmp_path, GOOD.replace(old, f'["{name}"]')))


@pytest.mark.parametrize("which", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda at: link(at / "0103/c/one.csv", at / "0101/c/one.csv"), "load of 0101 and in test as load of 0103"),
        (lambda at: link(at / "0102/a/two.csv", at / "0102/c/one.csv"), "as rest of 0102 and in validation as load"),
        (lambda at: link(at / "0102/c", at / "0101/c"), "train as load of 0101 and in validation as load of 0102"),
        (lambda at: link(at / "0101/a/two.csv", at / "0101/a/one.csv"), "rest of 0101 and in train as rest of 0101"),
    ],
)  # fmt: skip
def test_a_file_in_two_places_is_refused(
    tmp_path: Path, change: Callable[[Path], object], says: str, which: str
) -> None:
    path = write(tmp_path, GOOD)
    change(tmp_path)
    with pytest.raises(DatasetError, match=f"stands in .*{says}"):
        read_dataset(path).entries(which)


def link(at: Path, to: Path) -> None:
    shutil.rmtree(at) if at.is_dir() else at.unlink(missing_ok=True)
    at.symlink_to(to)


def test_a_layout_that_reaches_one_file_by_two_dates_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("{date}/{label}/*.csv", "{date}/../*/{label}/*.csv"))
    with pytest.raises(DatasetError, match="stands in"):
        read_dataset(path).entries("train")


def test_a_date_without_recordings_is_named(tmp_path: Path) -> None:
    dataset = read_dataset(write(tmp_path, GOOD.replace('"0103"', '"0104"')))
    with pytest.raises(DatasetError, match="0104"):
        dataset.entries("test")


def test_a_set_without_one_state_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    (tmp_path / "0102" / "c" / "one.csv").unlink()
    with pytest.raises(DatasetError, match="validation set has no recording of 'load'"):
        read_dataset(path).entries("validation")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    with pytest.raises(DatasetError, match="nowhere"):
        read_dataset(path, tmp_path / "nowhere")


def test_the_authors_split(ecg_data: Path) -> None:
    """Recordings of each set and label as the data's own README counts them."""
    dataset = read_dataset(Path("examples/apple_watch_ogtt.toml"), ecg_data / "watch")
    counts = {}
    for which in ("train", "validation", "test"):
        entries = dataset.entries(which)
        targets = sum(entry.is_target for entry in entries)
        counts[which] = (len(entries) - targets, targets)
    assert counts == {"train": (95, 65), "validation": (32, 35), "test": (25, 7)}


def test_what_files_do_not_say_is_told_by_pattern(tmp_path: Path) -> None:
    told = """
[[override]]
match = "*/a/*"
rate_hz = 130
unit = "mV"
column = "ecg"
lead = "II"
[[override]]
match = "0101/*"
rate_hz = 250
"""
    entries = read_dataset(write(tmp_path, GOOD + told)).entries("train")
    assert [entry.overrides for entry in entries] == [Overrides(130, "mV", "ecg", "II"), Overrides(250), Overrides(250)]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("[override]\nrate_hz = 130", "override is {'rate_hz': 130}, expected a list"),
        ("[[override]]\nrate_hz = 130", r"\[\[override\]\] has no entry 'match' \(expected are match and some of"),
        ('[[override]]\nmatch = "*"', r"\[\[override\]\] has match alone \(expected are match and some of"),
        ('[[override]]\nmatch = "*"\nrate = 130', r"\[\[override\]\] has an unknown entry 'rate': .* some of rate_hz"),
        ('[[override]]\nmatch = "*"\nrate_hz = "130"', r"\[\[override\]\].rate_hz is '130', expected a number"),
        ('[[override]]\nmatch = "*"\nrate_hz = nan', "rate_hz is nan, expected a number above 0"),
        ('[[override]]\nmatch = "*"\nunit = 3', "unit is 3, expected text"),
        ('[[override]]\nmatch = "polar/*"\nunit = "uV"', "of 'polar/.*' matches no recording"),
    ],
)
def test_a_mistake_in_what_is_told_is_named(tmp_path: Path, told: str, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        read_dataset(write(tmp_path, f"{GOOD}{told}\n")).entries("train")


def origins(*of: tuple[str, float, str | None, str | None]) -> list[tuple[str, Origin]]:
    return [(label, Origin(*origin)) for label, *origin in of]


INSTEAD = ": the model may learn the {} in place of the state"


@pytest.mark.parametrize(
    ("of", "says"),
    [
        ([("rest", 512, "I", "Watch5,1"), ("load", 511.6, "I", "Watch5,1")], []),
        (
            [("rest", 512, "I", "Watch5,1"), ("load", 130, "I", "Polar H10")],
            [
                "rest was recorded at 512 Hz, load at 130 Hz" + INSTEAD.format("sample rate"),
                "rest was recorded by device Watch5,1, load by device Polar H10" + INSTEAD.format("device"),
            ],
        ),
        (
            [("rest", 512, "I", None), ("load", 512, "II", None)],
            ["rest was recorded from lead I, load from lead II: the model may learn the lead in place of the state"],
        ),
        (
            [(label, 512, lead, None) for label in ("rest", "load") for lead in ("I", "II", None)],
            ["several leads are mixed, I and II and unknown: differences between them may hide those of the states"],
        ),
    ],
)
def test_a_lead_or_device_that_could_pass_for_the_state_is_named(of: list, says: list[str]) -> None:
    assert confounding_origins(origins(*of), ("rest", "load")) == says


def test_training_reads_what_is_told_and_warns_of_what_it_mixes(tmp_path: Path) -> None:
    person = synthetic_person(1)
    for label, words in (("a", ["Lead,Lead I"]), ("c", [])):
        folder = tmp_path / "0101" / label
        folder.mkdir(parents=True)
        uv = record(person, "glucose", 0, number=0, duration_s=8).samples_uv
        (folder / "one.csv").write_text("\n".join([*words, "", *(f"{value:.1f}" for value in uv)]))
    (tmp_path / "dataset.toml").write_text(GOOD.replace('["0102"]', "['9']").replace('["0103"]', "['8']") + TOLD)
    dataset = read_dataset(tmp_path / "dataset.toml")
    beats = read_beats(dataset.entries("train"))
    assert beats.sample_rates_hz.tolist() == [512, 250]
    assert [origin.lead for origin in BeatSet.joined([beats]).on_dates(["0101"]).origins] == ["I", "II"]
    assert mixed([beats], dataset.labels) == [
        "rest was recorded at 512 Hz, load at 250 Hz: the model may learn the sample rate in place of the state",
        "rest was recorded from lead I, load from lead II: the model may learn the lead in place of the state",
    ]
    text = GOOD.replace('["0102"]', "['9']").replace('["0103"]', "['8']") + TOLD.replace("c/*", "*")
    (tmp_path / "dataset.toml").write_text(text)
    entries = read_dataset(tmp_path / "dataset.toml").entries("train")
    with pytest.raises(EdgeEcgError, match="states lead I, but --lead is II"):
        read_beats(entries)


def test_the_frames_of_a_chest_strap_become_recordings_of_30_s(tmp_path: Path) -> None:
    """Encoded here by Python's own integers, and read back as any other recording."""
    samples = (2000 * np.sin(np.arange(130 * 150) / 9) - 300).astype(int)

    def clone(folder: str, values: np.ndarray, began_ms: int) -> None:
        rows = ["ECGTimestamps\tECGString\tHRTimestamps"]
        for frame in range(0, len(values), 73):
            content = b"".join(int(v).to_bytes(3, "little", signed=True) for v in values[frame : frame + 73])
            rows.append(f"{began_ms + frame * 1000 // 130}\t{(bytes(10) + content).hex()}\t")
        path = tmp_path / "clone/data" / folder / "ID_01.csv"
        path.parent.mkdir(parents=True)
        path.write_text("\n".join([*rows, "\t\t123"]) + "\n")

    clone("Riposo", samples[: 130 * 75], 1675968820602)
    clone("Task", samples, 1675969019200)
    done = CliRunner().invoke(polar_h10, [str(tmp_path / "clone"), "--out", str(tmp_path / "out")])
    assert "4 recordings of 1 persons" in done.output
    assert sorted(path.name for path in (tmp_path / "out/P01/rest").iterdir()) == ["rest_01_1.csv", "rest_01_2.csv"]
    first = read_recording(tmp_path / "out/P01/rest/rest_01_1.csv")
    assert (first.sample_rate_hz, first.recorded_at) == (130, "2023-02-09 18:53:40 +0000")
    np.testing.assert_array_equal(first.samples_uv, samples[:3900])
    last = read_recording(tmp_path / "out/P01/recovery/recovery_01_2.csv")
    np.testing.assert_array_equal(last.samples_uv, samples[-3900:])
    (tmp_path / "clone/data/Task/ID_01.csv").write_text("ECGTimestamps\tECGString\n1\tff00\n")
    with pytest.raises(RecordingError, match="row 1 is no ECG frame"):
        CliRunner().invoke(polar_h10, [str(tmp_path / "clone"), "--out", str(tmp_path / "x")], catch_exceptions=False)
