"""The PDF that the Health app shares: drawn here from real recordings, it is read as their CSV is, or refused."""

import io
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_ecg.bundles.bundle import load_bundle
from edge_ecg.cli.show import detect_command
from edge_ecg.errors import RecordingError
from edge_ecg.playback import replay
from edge_ecg.readers.find import SkippedFiles, find_recordings
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Recording
from edge_ecg.signal.stream import heart_rate_bpm, r_peak_times_s

pytest.importorskip("pypdf")
pytest.importorskip("reportlab")
from health_page import PERSON, RECORDED, WORDS, page_of
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

TEST_DATES = ("0926", "1002", "1007")
WAYS = {
    "one path a row": {},
    "plain stream, A4": {"compressed": False, "size": A4},
    "a path for each step": {"points_per_piece": 1, "rows": 2},
    "many paths in a form": {"points_per_piece": 60, "in_form": True},
    "the mark in the path": {"is_mark_joined": True},
    "two decimals": {"decimals": 2},
    "a turned page": {"is_turned": True, "rows": 2},
}


@pytest.fixture(scope="module")
def recording(ecg_data: Path) -> Recording:
    return read_recording(min((ecg_data / "watch" / "1002" / "fast1").iterdir()))


@pytest.fixture
def page(tmp_path: Path):
    def write(recording: Recording, **drawn) -> Path:
        path = tmp_path / "in" / "page.pdf"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(page_of(recording, **drawn))
        return path

    return write


@pytest.mark.parametrize("way", WAYS)
def test_however_it_is_drawn_it_is_the_recording(recording, page, way):
    path = page(recording, **WAYS[way])
    read = read_recording(path)
    assert (read.sample_rate_hz, read.lead, read.device) == (512, "I", "Watch6,1")
    assert (read.recorded_at, read.rate_is_assumed) == ("2023-10-05 08:30:00", False)
    recording = replace(recording, samples_uv=recording.samples_uv[: len(read.samples_uv)])
    assert len(read.samples_uv) == 5120 * WAYS[way].get("rows", 3)
    np.testing.assert_allclose(np.diff(read.samples_uv), np.diff(recording.samples_uv), atol=25)  # where rows meet
    assert np.mean(np.abs(np.diff(read.samples_uv) - np.diff(recording.samples_uv)) > 1) < 1e-3
    np.testing.assert_allclose(r_peak_times_s(read), r_peak_times_s(recording), atol=0.002)


def test_a_folder_and_a_zip_hold_what_is_read_alone(recording, page):
    path = page(recording, rows=1)
    with zipfile.ZipFile(path.parent.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, path.name)
    for source in (path.parent, path.parent.with_suffix(".zip")):
        found = [one.read().samples_uv for one in find_recordings(source)]
        np.testing.assert_array_equal(found, [read_recording(path).samples_uv])


def test_points_that_are_left_out_evenly_are_a_rate_of_their_own(recording, page):
    read = read_recording(page(recording, points=np.arange(0, 5120, 2)))
    assert read.sample_rate_hz == 256
    np.testing.assert_allclose(r_peak_times_s(read), r_peak_times_s(recording), atol=0.004)


def test_uneven_points_are_resampled_at_the_rate_of_the_words(recording, page):
    """As a program draws that leaves out points of nearly straight lines."""
    bends = np.abs(np.diff(recording.samples_uv[:5120], 2)) > 2
    points = np.flatnonzero(np.concatenate(([True], bends, [True])))
    assert 1000 < len(points) < 4000
    expected = np.interp(np.arange(5120), points, recording.samples_uv[points])
    read = read_recording(page(recording, points=points, rows=1))
    assert (len(read.samples_uv), read.sample_rate_hz) == (5120, 512)
    np.testing.assert_allclose(read.samples_uv, expected - np.median(expected), atol=0.1)


def test_the_rate_is_that_of_the_points_where_the_words_round_it(recording, page):
    """Apple's rates differ from 512 Hz by up to 0.3 %: R peaks would be 0.1 s off in the end."""
    true = replace(recording, sample_rate_hz=511.422)
    read = read_recording(page(true))
    assert read.sample_rate_hz == pytest.approx(511.422, abs=0.01)
    np.testing.assert_allclose(r_peak_times_s(read), r_peak_times_s(true), atol=0.002)


@pytest.mark.ci
def test_decisions_and_r_peaks_are_those_of_the_csv(ecg_data, page, small_bundle):
    """The bundle is a synthetic person's: what it says of this one means nothing, and must be the same."""
    bundle = load_bundle(small_bundle)
    recordings = [path for date in TEST_DATES for path in sorted((ecg_data / "watch" / date).rglob("*.csv"))]
    same = 0
    for path in recordings:
        csv = read_recording(path)
        pdf = read_recording(page(csv))
        np.testing.assert_allclose(r_peak_times_s(pdf), r_peak_times_s(csv), atol=0.002)
        same += replay(bundle, pdf).decision.label == replay(bundle, csv).decision.label
    assert len(recordings) == 32
    assert same >= 31


REFUSED = {
    "no words": ({"lines": ()}, "names no scale; expected a line such as 25 mm/s, 10 mm/mV"),
    "no gain": ({"lines": ("25 mm/s, Lead I, 512Hz",)}, "names no scale"),
    "no rate": ({"lines": ("25 mm/s, 10 mm/mV, Lead I",)}, "names no sample rate"),
    "a rate of 0": ({"lines": ("25 mm/s, 10 mm/mV, Lead I, 0Hz",)}, "states a sample rate of 0 Hz"),
    "another speed": ({"mm_per_s": 20.0}, "has rows of 8.00, 8.00, 8.00 s at 25 mm/s; expected 10 s each"),
    "another rate": ({"lines": ("25 mm/s, 10 mm/mV, 300 Hz",)}, "names 300 Hz, but by its scale its rows have 512 "),
    "two pages": ({"pages": 2}, "has traces on 2 pages"),
    "another maker": ({"lines": ("KardiaMobile", "Ada Lovelace")}, "is a page of Kardia that is not as the Health app"),
    "no trace": ({"rows": 0}, "has no trace of an ECG that is drawn in lines"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_in_one_sentence(recording, page, name):
    drawn, says = REFUSED[name]
    path = page(recording, **{"rows": 3 if "speed" in name else 1, **drawn})
    with pytest.raises(RecordingError, match=says.replace(".", r"\.")) as caught:
        read_recording(path)
    said = str(caught.value) + "".join(getattr(caught.value, "__notes__", ()))
    assert said.startswith(f"{path}: ")
    assert "Lovelace" not in said


@pytest.mark.parametrize("cut", [8, 300, 0.5, 0.9])
def test_a_cut_page_is_refused_or_read(recording, page, cut):
    path = page(recording, rows=1)
    content = path.read_bytes()
    path.write_bytes(content[: cut if cut > 1 else int(cut * len(content))])
    with pytest.raises(RecordingError, match="is not a readable PDF file"):
        read_recording(path)


def test_a_form_that_draws_itself_ends(tmp_path):
    file = io.BytesIO()
    canvas = Canvas(file, pageCompression=0)
    canvas.beginForm("loop")
    for _ in range(200):
        canvas.doForm("loop")
    canvas.endForm()
    canvas.doForm("loop")
    canvas.save()
    path = tmp_path / "a.pdf"
    path.write_bytes(file.getvalue())
    with pytest.raises(RecordingError, match="has forms within each other"):
        read_recording(path)


def test_another_pdf_in_a_folder_is_skipped_and_named(recording, page):
    path = page(recording, rows=1)
    (path.parent / "consent.pdf").write_bytes(page_of(recording, rows=0))
    skipped = SkippedFiles()
    assert [Path(one.name).name for one in find_recordings(path.parent, skipped=skipped)] == ["page.pdf"]
    assert [Path(name).name for name in skipped.names] == ["consent.pdf"]


@pytest.mark.parametrize(
    "words",
    [
        "25 mm/s, 10 mm/mV, Ableitung I, 512 Hz, iOS 17.0, Watch6,1. Mehr zum Herzen in der Anleitung.",
        "25,0 mm/s; 10,0 mm/mV; Lead I; 512,0 Hz",
        "512Hz, Lead I, 10mm/mV, 25mm/s",
    ],
)
def test_the_words_of_other_languages_are_read(recording, page, words):
    read = read_recording(page(recording, lines=(*PERSON, "74 S/min", words), rows=1))
    assert (read.sample_rate_hz, read.lead, read.stated_heart_rate_bpm) == (512, "I", 74)
    assert np.ptp(read.samples_uv) == pytest.approx(np.ptp(recording.samples_uv[:5120]), rel=1e-3)


def test_nothing_of_the_person_is_kept(recording, page):
    """Without a date of recording, the birth date is none either."""
    read = read_recording(page(recording, lines=(*PERSON, WORDS), rows=1))
    assert read.recorded_at is None
    assert not {"Ada", "Lovelace", "1815"} & set(repr(vars(read)).replace("'", " ").split())


def test_the_heart_rate_of_the_page_is_compared_with_the_r_peaks(recording, page):
    rate = round(heart_rate_bpm(r_peak_times_s(replace(recording, samples_uv=recording.samples_uv[:5120]))))
    for stated, is_doubted in ((rate, False), (rate + 12, True)):
        path = page(recording, lines=(*PERSON, RECORDED, f"{stated} BPM Average", WORDS), rows=1)
        printed = CliRunner().invoke(detect_command, [str(path)])
        assert printed.exit_code == 0
        assert (f"the file states {stated}" in printed.stderr) == is_doubted


def test_verbose_prints_the_numbers_of_a_page_that_is_read_or_refused(recording, page, monkeypatch):
    monkeypatch.setattr("edge_ecg.cli.options.is_verbose", lambda: True)
    for lines in ((*PERSON, WORDS), PERSON):
        path = page(recording, lines=lines, rows=1)
        printed = " ".join(CliRunner().invoke(detect_command, [str(path)]).stderr.split())
        assert "5120 points from x 65.5" in printed
        assert "Lovelace" not in printed


def test_a_page_without_pypdf_says_what_to_install(recording, page, monkeypatch):
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(RecordingError, match=r"needs pypdf: pip install -e '\.\[pdf\]'"):
        read_recording(page(recording, rows=1))
