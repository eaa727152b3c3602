"""The dataset file: two labels, a split by date, and every mistake named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ecg.datasets.dataset_file import read_dataset
from edge_ecg.errors import DatasetError

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
        ('train = ["0101"]', "train = [101]", "expected a list of names"),
        ("[split]", "[splits]", r"no table \[split\]"),
        ("{date}", "date", "layout"),
        ("[labels]", "[labels", "TOML"),
        ("[labels]", f"a = {'[' * 5000}\n[labels]", "TOML"),
        ('[files]\nlayout = "{date}/{label}/*.csv"\nexclude = ["d"]', "[[files]]", r"no table \[files\]"),
        ("[files]", "[files]\nroot = 3", "files.root is 3, expected the name of a folder"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        read_dataset(write(tmp_path, GOOD.replace(old, new)))


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
