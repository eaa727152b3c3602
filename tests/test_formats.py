"""The table of formats: those of outside packages are read like ours, and their faults are sentences."""

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner

from docs.pages import ROOT, blocks
from edge_ecg.cli import cli
from edge_ecg.errors import RecordingError
from edge_ecg.readers import read as table
from edge_ecg.readers.apple_format import LOCALES, write_apple_csv
from edge_ecg.readers.find import find_recordings
from edge_ecg.readers.read import formats, read_recording
from edge_ecg.recording import RawSignal

COUNTS = b"MYCOUNTS" + (np.arange(2000) % 250).astype("<i2").tobytes()


@pytest.fixture
def documented() -> ModuleType:
    """The module on the page."""
    module = ModuleType("my_package")
    exec(next(block for block in blocks(ROOT / "docs/recordings.md", "python") if "COUNTS" in block), module.__dict__)
    return module


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, documented: ModuleType):
    """Installs a package whose entry point leads to an object."""

    def install(found: object) -> None:
        point = EntryPoint("counts", "my_package:COUNTS", table.GROUP)
        monkeypatch.setattr(EntryPoint, "load", lambda self: found)
        monkeypatch.setattr(table, "entry_points", lambda: [point])
        table.outside_formats.cache_clear()

    yield install
    table.outside_formats.cache_clear()


def saved(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_format_of_a_package_is_read_alone_and_in_a_folder(tmp_path, installed, documented):
    path = saved(tmp_path / "a.cnt", COUNTS)
    assert "counts" not in [form.name for form in formats()]
    installed(documented.COUNTS)
    recording = read_recording(path)
    assert (recording.sample_rate_hz, str(recording.day)) == (250, "2024-03-01")
    assert np.array_equal(recording.samples_uv, np.arange(2000) % 250 * 2.5)
    (found,) = find_recordings(tmp_path)
    assert np.array_equal(found.read().samples_uv, recording.samples_uv)
    assert "counts recordings" in CliRunner().invoke(cli, ["doctor"]).stdout


@pytest.mark.parametrize("locale", LOCALES)
def test_no_package_is_searched_for_a_file_of_the_health_app(tmp_path, installed, documented, locale):
    asked = []
    installed(documented.Format("counts", "", frozenset(), asked.append, failing))
    path = tmp_path / "ecg.csv"
    write_apple_csv(path, 100 * np.sin(np.arange(5120)), 512.0, "2024-03-01 08:00:00 +0100", locale)
    assert len(read_recording(path).samples_uv) == 5120
    assert not asked
    with pytest.raises(RecordingError):
        read_recording(saved(tmp_path / "other.txt", b"no ECG"))
    assert asked


def failing(*_: object) -> RawSignal:
    raise IndexError("a person's name")


FAULTS: dict[str, Callable[[object], RawSignal]] = {
    "reader counts of my_package failed: IndexError": failing,
    "reader counts of my_package failed: it gave a int, expected a RawSignal": lambda *_: 7,
    "its values are no float64 array of one dimension": lambda *_: RawSignal(np.zeros((2000, 2))),
}


@pytest.mark.parametrize("says", FAULTS)
def test_a_fault_of_a_package_is_a_sentence_that_names_it(tmp_path, installed, documented, says):
    installed(documented.Format("counts", "", frozenset({".cnt"}), lambda head: False, FAULTS[says]))
    with pytest.raises(RecordingError, match=says) as caught:
        read_recording(saved(tmp_path / "a.cnt", COUNTS))
    assert "a person's name" not in str(caught.value)


def test_a_package_with_no_format_is_said_by_readers_and_doctor(tmp_path, installed):
    installed("no format")
    with pytest.raises(RecordingError, match="reader counts of my_package is a str, expected an edge_ecg"):
        read_recording(saved(tmp_path / "a.cnt", COUNTS))
    said = CliRunner().invoke(cli, ["doctor"])
    assert said.exit_code == 0
    assert "reader counts of my_package is a str" in " ".join(said.stdout.split())
