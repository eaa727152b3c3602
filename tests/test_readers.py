"""Files from the field, kind by kind: read with the right rate, unit and channel, or refused in one sentence."""

import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.io import savemat

from edge_ecg.cli.options import MOST_MISSED
from edge_ecg.cli.show import detect_command
from edge_ecg.errors import RecordingError
from edge_ecg.readers.find import SkippedFiles, find_recordings
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Overrides, gregorian_year
from edge_ecg.signal.stream import heart_rate_bpm, missed_share, r_peak_times_s
from edge_ecg.simulation.synthetic import record, synthetic_person

ECG_UV = np.round(record(synthetic_person(1), "glucose", 0, number=0, duration_s=8).samples_uv, 2)
N = len(ECG_UV)
POINTS = [f"{value:.2f}" for value in ECG_UV]


def saved(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def table(*columns, separator=",", heading=""):
    return "\n".join(
        ([heading] if heading else []) + [separator.join(map(str, row)) for row in zip(*columns, strict=True)]
    )


def times(rate_hz, written="%.6f", per_second=1.0):
    return [written % (i / rate_hz * per_second) for i in range(N)]


def error_of(path: Path, **told) -> str:
    with pytest.raises(RecordingError) as caught:
        read_recording(path, **told)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Rates.

STATED = {
    "# Sampling Rate (Hz):= 1000.00": 1000,
    "Sample Rate (Hz),250": 250,
    "Sample Rate;250;Hz": 250,
    "Sample Rate,Hz,250": 250,
    "fs,250": 250,
    "fs = 250 Hz": 250,
    "% Fs=250": 250,
    "Sampling Rate,0.25 kHz": 250,
    "Sampling Frequency (kHz),0.25": 250,
    "Sampling frequency: 360": 360,
    "Sampling rate 250": 250,
    '"samplingFrequency": 250,': 250,
    "samplingRate\t250": 250,
    "sample_rate_hz=250.0": 250,
    "SR: 250": 250,
    "samp_freq,250": 250,
    "ODR,250 Hz": 250,
    "Data rate (SPS),250": 250,
    "Sample rate: 250 samples per second": 250,
    "Sampled at 250 Hz": 250,
    "ECG (250 Hz)": 250,
    "Sampling interval: 4 ms": 250,
    "sampling period (s),0.004": 250,
    "dt = 0.002": 500,
    "2 msec/sample": 500,
    "Abtastrate;250": 250,
    "Fréquence d'échantillonnage : 500 Hz": 500,
    "Frecuencia de muestreo,500": 500,
    "Частота дискретизации,250 Гц": 250,
    "采样频率,250": 250,
    "ECG,Unit: uV,Fs: 250": 250,
    "fs: 250, channels: 2": 250,
    "Частота,250 Гц": 250,
    "サンプリング周波数,250": 250,
    "Sample Rate,٢٥٠": 250,
}


@pytest.mark.parametrize("line", STATED)
def test_a_stated_rate_is_read_however_it_is_spelled(tmp_path, line):
    recording = read_recording(saved(tmp_path / "a.csv", "\n".join([line, "", *POINTS])))
    assert recording.sample_rate_hz == STATED[line]
    assert not recording.rate_is_assumed
    assert np.array_equal(recording.samples_uv, ECG_UV)


@pytest.mark.parametrize(
    "line",
    [
        "Sample Rate,fast",
        "Sample Rate,",
        "fs,unknown",
        "Sampling frequency: N/A",
        "Sample Rate,512/1",
        "sampling interval,",
    ],
)
def test_a_statement_that_cannot_be_read_is_refused_unless_the_rate_is_told(tmp_path, line):
    path = saved(tmp_path / "a.csv", "\n".join([line, "", *POINTS]))
    assert "sampl" in error_of(path)
    assert read_recording(path, rate_hz=250).sample_rate_hz == 250


@pytest.mark.parametrize("value", ["0", "-512", "inf", "NaN", "1e999"])
@pytest.mark.parametrize("kind", ["text", "table", "json", "wide", "mat", "wfdb"])
def test_a_rate_that_is_none_is_refused_with_file_and_value_by_every_reader(tmp_path, kind, value):
    """It is never taken for another one, and where it can be the user's rate is."""
    path = tmp_path / "a.csv"
    if kind == "json":
        number = value.replace("inf", "Infinity")
        saved(path, json.dumps({"ecg": ECG_UV.tolist(), "fs": 0}).replace('"fs": 0', f'"fs": {number}'))
    elif kind == "mat":
        path = mat(tmp_path / "a.mat", ecg=ECG_UV, fs=float(value))
    elif kind == "wfdb":
        path = wfdb_record(tmp_path, f"r 1 {value} {N}\nr.dat 16 1(0)/uV 16 0 0 0 0 ECG\n", ECG_UV)
    elif kind == "wide":
        saved(path, ",".join(["fs", *(f"v{i}" for i in range(N))]) + f"\n{value}," + ",".join(POINTS))
    else:
        rows = POINTS if kind == "text" else [table(times(250), POINTS, heading="time,ecg")]
        saved(path, "\n".join([f"{'Sample Rate' if kind == 'table' else 'fs'},{value} hertz", "", *rows]))
    said = error_of(path)
    assert str(path) in said
    assert re.search(r"sample rate.*(?:is not a number of hertz|, which is none)", said)
    assert re.search(f"{re.escape(value)}|{float(value):g}", said, re.IGNORECASE)
    if kind != "wfdb":
        assert read_recording(path, rate_hz=250).sample_rate_hz == 250


@pytest.mark.parametrize("rate_hz", [0, -512, float("inf"), float("nan"), "512"])
def test_a_rate_that_is_none_is_no_option(tmp_path, rate_hz):
    path = saved(tmp_path / "a.csv", "\n".join(POINTS))
    assert f"sample rate is {rate_hz!r}, expected hertz" in error_of(path, rate_hz=rate_hz)


@pytest.mark.parametrize(
    "line",
    [
        *(
            "Average Heart Rate: 112 bpm",
            "Heart Rate,72",
            "Puls,112 slag",
            "Herzfrequenz;112 /min",
            "Частота пульса,112",
        ),
        *("Filter,0.5-40 Hz", "Notch filter: 50 Hz", "Mains,50 Hz", "Samples: 7500", "sample,ecg", "Duration,30 s"),
    ],
)
def test_what_is_no_sample_rate_is_not_taken_for_one(tmp_path, line):
    recording = read_recording(saved(tmp_path / "a.csv", "\n".join([line, "", *POINTS])))
    assert (recording.sample_rate_hz, recording.rate_is_assumed) == (512, True)


def test_hertz_in_unknown_words_is_not_taken_from_the_heart_rate(tmp_path):
    lines = ["Rychlost,511,422 hertzů", "Tep,112 bpm", "", *POINTS]
    assert read_recording(saved(tmp_path / "a.csv", "\n".join(lines))).sample_rate_hz == 511.422


@pytest.mark.parametrize("lines", [["fs,250", "Sample Rate,500 Hz"], ["ECG 250 Hz", "recorded with 500 Hz"]])
def test_two_statements_that_differ_are_refused(tmp_path, lines):
    assert "two sample rates" in error_of(saved(tmp_path / "a.csv", "\n".join([*lines, "", *POINTS])))


def test_what_is_told_fills_in_and_never_contradicts(tmp_path):
    bare = saved(tmp_path / "bare.csv", "\n".join(f"{value / 1000:.5f}" for value in ECG_UV))
    told = read_recording(bare, rate_hz=130, unit="mV")
    assert told.sample_rate_hz == 130
    np.testing.assert_allclose(told.samples_uv, ECG_UV, atol=0.01)
    assert "set it with --unit" in error_of(bare)
    assert "--unit is 'furlong'; expected uV" in error_of(bare, unit="furlong")
    stated = saved(tmp_path / "stated.csv", "\n".join(["fs,250", "Unit,uV", *POINTS]))
    assert "states a sample rate of 250 Hz, but --rate is 130" in error_of(stated, rate_hz=130)
    assert "states the unit uV, but --unit is mV" in error_of(stated, unit="mV")


def test_a_name_in_the_units_place_is_not_repeated(tmp_path):
    path = saved(tmp_path / "a.csv", "\n".join(["Unit,Einthoven", *POINTS]))
    assert "Einthoven" not in error_of(path)
    assert read_recording(path, unit="uV").samples_uv[0] == ECG_UV[0]


def test_a_heart_rate_that_nobody_has_is_said(tmp_path):
    """The synthetic heart beats some 70 times a minute, and four times as often by every fourth sample."""
    path = str(saved(tmp_path / "a.csv", "\n".join((POINTS * 4)[::4])))
    said = CliRunner().invoke(detect_command, [path]).stderr
    assert "is it really 512 Hz? set --rate" in said
    assert "1 recording without a sample rate: 512 Hz assumed" in said
    assert CliRunner().invoke(detect_command, [path, "--rate", "128"]).stderr == ""


def test_half_of_a_rhythm_is_doubted(ecg_data):
    """R waves at 0.3 of their height by turns, as in 2:1 alternans: where the detector loses them, it is said."""
    doubts = 0
    for path in sorted((ecg_data / "watch" / "0924" / "fast1").iterdir())[:8]:
        recording = read_recording(path)
        peaks_s = r_peak_times_s(recording)
        assert missed_share(recording, peaks_s) < 0.1
        samples_uv = recording.samples_uv.copy()
        for peak in np.rint(peaks_s[1::2] * 512).astype(int):
            wave = samples_uv[max(peak - 31, 0) : peak + 32]
            line = np.linspace(wave[0], wave[-1], len(wave))
            wave[:] = line + 0.3 * (wave - line)
        attacked = replace(recording, samples_uv=samples_uv)
        found_s = r_peak_times_s(attacked)
        is_lost = len(found_s) < 0.7 * len(peaks_s)
        assert (missed_share(attacked, found_s) > MOST_MISSED) == is_lost
        doubts += is_lost
    assert doubts
    path = ecg_data / "field" / "2026-11-30" / "pandas_slice.csv"
    assert "153: is it really 512 Hz? set --rate" in CliRunner().invoke(detect_command, [str(path)]).stderr


# Columns.

CLOCK = [datetime(2023, 10, 5, 8, 30) + timedelta(seconds=i / 500) for i in range(N)]
JITTERING = np.sort(np.arange(N) / 250 + np.random.default_rng(0).uniform(-0.006, 0.006, N))
TABLES = {
    "seconds": (table(times(512), POINTS, heading="time,ecg"), 512),
    "seconds, no heading": (table(times(512), POINTS), 512),
    "milliseconds": (table(times(250, "%d", 1e3), POINTS, heading="Time (ms),ECG"), 250),
    "milliseconds as integers, no heading": (table(times(250, "%d", 1e3), [int(v) for v in ECG_UV]), 250),
    "microseconds": (table(times(500, "%d", 1e6), POINTS, separator="\t", heading="t_us\tecg_uv"), 500),
    "nanoseconds": (table(times(130, "%d", 1e9), POINTS, separator=";", heading="ts [ns];ecg [uV]"), 130),
    "every millisecond": (table(range(N), POINTS, heading="ms,ecg"), 1000),
    "rounded to milliseconds": (table(times(512, "%.3f"), POINTS, heading="time,ecg"), 512),
    "a watch's clock": (table(times(511.422), POINTS, heading="time,ecg"), 511.422),
    "seconds of 1970": (table([f"{1696494553.123 + i / 250:.6f}" for i in range(N)], POINTS, heading="time,ecg"), 250),
    "date and time": (table([f"{t:%Y-%m-%dT%H:%M:%S.%f}" for t in CLOCK], POINTS, heading="stamp,ecg"), 500),
    "time of day": (table([f"{t:%H:%M:%S.%f}" for t in CLOCK], POINTS, separator=";", heading="zeit;ekg"), 500),
    "index, time, value": (table(range(N), times(360), POINTS, heading="n,time,ecg"), 360),
    "value first": (table(POINTS, times(512), heading="ecg,time"), 512),
    "decimal commas": (table(times(512), POINTS, separator=";").replace(".", ","), 512),
    "spaces": (table(times(512), POINTS, separator="  "), 512),
    "padded": (table(times(512), [f"{v},," for v in POINTS], heading="time,ecg,,"), 512),
    "accelerometer": (table(times(512), POINTS, range(N), POINTS, heading="time,ecg,acc_x,acc_y"), 512),
    "pulse wave first": (table(times(512), POINTS[::-1], POINTS, heading="time,ppg,ecg"), 512),
    "halves of the day": (table([f"{t:%m/%d/%Y %I:%M:%S.%f %p}" for t in CLOCK], POINTS, heading="time,ecg"), 500),
    "PhysioNet's quotes": (
        table([f"'0:{i / 500:06.3f}'" for i in range(N)], POINTS, heading="'Elapsed time','MLII'\n'hh:mm:ss.mmm','uV'"),
        500,
    ),
    "packets of a strap": (
        table([f"{599636646000000000 + i // 73 * 73 * 10**9 // 130}" for i in range(N)], POINTS, heading="ns,ecg"),
        130,
    ),
    "returns alone": (table(times(512), POINTS, heading="time,ecg").replace("\n", "\r"), 512),
    "a counter from anywhere": (table(range(5000, 5000 + N), POINTS, heading=",ecg"), 512),
    "a counter from anywhere, decimal commas": (table(range(5000, 5000 + N), POINTS).replace(".", ","), 512),
    "a counter by name in twos": (table(range(0, 2 * N, 2), POINTS, heading="sample,ecg"), 512),
    "a counter and a clock": (
        table(range(1890, 1890 + N), times(250, "%d", 1e6), POINTS, heading="frame,clock,ECG"),
        250,
    ),
    "a counter of packets": (table([i % 256 for i in range(N)], POINTS, heading="seq,ecg"), 512),
    "milliseconds of 1970": (table(range(1696494553123, 1696494553123 + N), POINTS, heading="timestamp,ecg"), 1000),
    "rounded to hundredths": (table(times(512, "%.2f"), POINTS, heading="time,ecg"), 512),
    "jitter": (table([f"{t:.6f}" for t in JITTERING], POINTS, heading="time,ecg"), 250),
    "a constant": (table(times(512), POINTS, ["72"] * N, heading="time,ecg,hr"), 512),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_rate_follows_from_a_column_of_times(tmp_path, name):
    content, rate_hz = TABLES[name]
    recording = read_recording(saved(tmp_path / "a.csv", content))
    assert recording.sample_rate_hz == pytest.approx(rate_hz, rel=1e-6)
    assert np.array_equal(recording.samples_uv, ECG_UV if "integers" not in name else ECG_UV.astype(int))
    (found,) = find_recordings(tmp_path)
    assert np.array_equal(found.read().samples_uv, recording.samples_uv)


def test_an_empty_cell_is_a_missing_sample_even_the_last(tmp_path):
    values = ["" if i in (0, 700, N - 1) else point for i, point in enumerate(POINTS)]
    samples_uv = read_recording(saved(tmp_path / "a.csv", table(times(512), values, heading="time,ecg"))).samples_uv
    assert np.flatnonzero(np.isnan(samples_uv)).tolist() == [0, 700, N - 1]


def test_times_that_jump_leave_missing_samples(tmp_path):
    kept = [i for i in range(N) if not 2000 <= i < 2005]
    rows = ["time,ecg", *(f"{i / 512:.6f},{POINTS[i]}" for i in kept)]
    samples_uv = read_recording(saved(tmp_path / "a.csv", "\n".join(rows))).samples_uv
    assert len(samples_uv) == N
    assert np.flatnonzero(np.isnan(samples_uv)).tolist() == [2000, 2001, 2002, 2003, 2004]
    assert np.array_equal(samples_uv[kept], ECG_UV[kept])


def test_a_number_beyond_all_in_a_column_is_no_counter(tmp_path):
    """Found by fuzzing: NumPy warned of it."""
    content = table(["1e999", *times(512)[1:]], POINTS, heading="time,ecg")
    assert "has no time for sample 1" in error_of(saved(tmp_path / "a.csv", content))


def test_a_counter_that_skips_leaves_missing_samples(tmp_path):
    kept = [i for i in range(N) if not 2000 <= i < 2005]
    rows = [",ecg", *(f"{700 + i},{POINTS[i]}" for i in kept)]
    samples_uv = read_recording(saved(tmp_path / "a.csv", "\n".join(rows))).samples_uv
    assert np.flatnonzero(np.isnan(samples_uv)).tolist() == [2000, 2001, 2002, 2003, 2004]


UNEVEN = {
    "counter": table(range(5000, 5000 + N), POINTS, heading=",ecg"),
    "times": table(times(500), POINTS, heading="time,ecg"),
    "backwards": table(times(500)[::-1], POINTS, heading="time,ecg"),
    "rough": table(times(500, "%.1f"), POINTS, heading="time,ecg"),
    "seconds": table([f"2023-10-05 08:30:{i // 600:02}" for i in range(N)], POINTS, separator=";"),
    "two": table(times(512), times(500), POINTS, heading="s,time,ecg"),
    "stated": "# fs: 250 Hz\n" + table(times(500), POINTS, heading="time,ecg"),
    "json.json": json.dumps({"time": [i / 500 for i in range(N)], "ecg": ECG_UV.tolist()}),
}


@pytest.mark.parametrize("name", UNEVEN)
def test_a_rate_that_is_given_outranks_what_follows_from_values_alone_and_in_a_folder(tmp_path, name):
    """Files skipped in a folder would not be read with an option either."""
    path = saved(tmp_path / (name if "." in name else f"{name}.csv"), UNEVEN[name])
    (found,) = find_recordings(tmp_path, Overrides(rate_hz=250))
    for recording in (read_recording(path, rate_hz=250), found.read()):
        assert (recording.sample_rate_hz, recording.rate_is_assumed) == (250, False)
        assert np.array_equal(recording.samples_uv, ECG_UV)
    if name == "stated":
        assert "states a sample rate of 250 Hz, but --rate is 253" in error_of(path, rate_hz=253)
        assert read_recording(path, rate_hz=252).sample_rate_hz == 250  # within 1 %
    (alone,) = find_recordings(tmp_path)  # it is no other file without the option
    assert alone.name == str(path)


def wide(rows, beside=("ECG_ID", "Sampling_Freq", "unit", "Name")):
    return "\n".join(",".join(row) for row in [[*beside, *(f"Voltage_{i + 1}" for i in range(N))], *rows])


def test_one_ecg_a_row_is_read(tmp_path):
    rows = [
        ["a", "250", "uV", "Ada Lovelace", *POINTS],
        ["b", "500 Hz", "mV", "", *(f"{v / 1000:.5f}" for v in ECG_UV)],
    ]
    path = saved(tmp_path / "in.csv", wide([*rows, ["c", "fast", "uV", "", *POINTS], ["d", "250", "uV", "", "1"]]))
    for source in (path, tmp_path):
        first, second, bad, short = find_recordings(source)
        assert first.name == f"{path}#1"
        assert np.array_equal(first.read().samples_uv, ECG_UV)
        np.testing.assert_allclose(second.read().samples_uv, ECG_UV, atol=0.01)
        assert [one.read().sample_rate_hz for one in (first, second)] == [250, 500]
        with pytest.raises(RecordingError, match=r"in\.csv#3: sample rate is not a number"):
            bad.read()
        with pytest.raises(RecordingError, match=f"line 5 has 5 columns; the headings are {N + 4}"):
            short.read()
    assert np.array_equal(read_recording(path, channel="1").samples_uv, ECG_UV)
    assert "holds 4 recordings, one a row; --channel 1 to 4" in error_of(path)
    assert "no row below" in error_of(saved(tmp_path / "in.csv", wide([])))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            "# fs: 250 Hz\n" + table(times(512), POINTS, heading="time,ecg"),
            "states 250 Hz, but its times step at 512 Hz; --rate 250 takes what it states",
        ),
        (table(times(512, "%.1f"), POINTS, heading="time,ecg"), "times that do not step evenly"),
        (table(times(512)[::-1], POINTS, heading="time,ecg"), "times that run backwards after sample 1"),
        (table(times(512), times(500), POINTS, heading="s,time,ecg"), "two columns of times that step at different"),
        (table(*[POINTS[:3]] * 500), "for one recording a row, number them in a first line"),
        (table(times(512), POINTS, POINTS, heading="time,ecg1,ecg2"), "2 named ECG; choose one with --channel"),
        (table(POINTS, POINTS), "none named ECG; choose one with --channel"),
        ("fs,500\n" + table(POINTS, heading="ECG [counts]"), "unit is not known"),
    ],
)
def test_a_table_that_leaves_a_choice_asks_for_it(tmp_path, content, says):
    assert says in error_of(saved(tmp_path / "a.csv", content))


@pytest.mark.parametrize("channel", ["ecg2", "3", "ECG 2"])
def test_a_channel_is_told_by_name_or_number(tmp_path, channel):
    path = saved(tmp_path / "a.csv", table(times(512), POINTS[::-1], POINTS, heading="time,ecg1,ecg2"))
    assert np.array_equal(read_recording(path, channel=channel).samples_uv, ECG_UV)
    assert "is none of them" in error_of(path, channel="ecg9")


def test_a_column_is_a_channel_of_every_command(tmp_path):
    path = str(saved(tmp_path / "a.csv", table(times(512), [-v for v in ECG_UV], POINTS, heading="time,ecg1,ecg2")))
    plain = str(saved(tmp_path / "b.csv", "\n".join(["fs,512", *POINTS])))
    said = [
        CliRunner().invoke(detect_command, ["--json", *given]).stdout for given in ([path, "--column", "3"], [plain])
    ]
    found = [json.loads(line)["r_peaks_s"] for line in said]
    assert found[0] == found[1]


LEADS = {
    APPLE_LEAD: "I"
    for APPLE_LEAD in ("Lead,Lead I", "Ableitung,Ableitung I", "导联,导联 I", "Dérivation,Dérivation I", "Lead;I")
} | {"Lead,Lead II": "II", "ECG lead aVF": "aVF", "Name,Elizabeth II": None, "Kategorie,V1": None}


@pytest.mark.parametrize("line", LEADS)
def test_the_lead_is_a_fact_of_the_recording(tmp_path, line):
    path = saved(tmp_path / "a.csv", "\n".join(["fs,512", line, *POINTS]))
    assert read_recording(path).lead == LEADS[line]
    assert read_recording(path, lead=LEADS[line] or "lead v5").lead == (LEADS[line] or "V5")
    assert "--lead is 'Jane'; expected a lead such as I" in error_of(path, lead="Jane")
    if LEADS[line]:
        assert f"states lead {LEADS[line]}, but --lead is III" in error_of(path, lead="III")


def test_only_a_known_make_is_a_device(tmp_path):
    for line, device in {
        'Device,"Watch6,18"': "Watch6,18",
        "# Polar H10 0A1B2C": "Polar H10",
        "Device,Jane's": None,
    }.items():
        assert read_recording(saved(tmp_path / "a.csv", "\n".join([line, "fs,512", *POINTS]))).device == device


def test_a_heading_names_the_unit(tmp_path):
    values = [f"{value / 1000:.5f}" for value in ECG_UV]
    for heading in ("ECG (mV)", "ECG [mV]", "ecg_mV", "Voltage (millivolts)"):
        read = read_recording(saved(tmp_path / "a.csv", "\n".join([heading, *values]))).samples_uv
        np.testing.assert_allclose(read, ECG_UV, atol=0.01)


def test_a_gain_is_no_unit_of_the_values(tmp_path):
    path = saved(tmp_path / "a.csv", "\n".join(["fs: 250", "Gain: 200 adu/mV", "Resolution: 500 nV", *POINTS]))
    assert np.array_equal(read_recording(path).samples_uv, ECG_UV)


def test_an_apple_file_that_a_spreadsheet_saved_again_is_read(tmp_path):
    header = [
        "Name,Jane Roe,",
        "Recorded Date,2023-09-24 08:15:02 +0800,",
        "Sample Rate,511,422 hertz,",
        ",,",
        "Unit,µV,",
    ]
    rows = [f"{point.replace('.', ',')}," for point in POINTS]
    recording = read_recording(saved(tmp_path / "a.csv", "\ufeff" + "\r\n".join([*header, ",,", *rows])))
    assert recording.sample_rate_hz == 511.422
    assert np.array_equal(recording.samples_uv, ECG_UV)


# Dates.


@pytest.mark.parametrize(
    ("said", "recorded_at"),
    [
        ("2023-10-05 8:30:00\N{NARROW NO-BREAK SPACE}am +1000", "2023-10-05 08:30:00 +1000"),
        ("2023-10-05 12:30:00\N{NARROW NO-BREAK SPACE}am +1000", "2023-10-05 00:30:00 +1000"),
        ("2023-10-05 12:30:00 p.m. +1000", "2023-10-05 12:30:00 +1000"),
        ("2023-10-05 8:30:00 PM +1000", "2023-10-05 20:30:00 +1000"),
        ("2023-10-05 下午8:30:00 +0800", "2023-10-05 20:30:00 +0800"),
        ("2023-10-05 오전 8:30:00 +0900", "2023-10-05 08:30:00 +0900"),
        ("٢٠٢٣-١٠-٠٥ ٨:٣٠:٠٠ م +0300", "2023-10-05 20:30:00 +0300"),
        ("2023-10-05 8:30:00 xyz +0300", "2023-10-05"),
        ("2566-10-05 08:30:00 +0700", "2023-10-05 08:30:00 +0700"),
        ("0005-10-05 08:30:00 +0900", "2023-10-05 08:30:00 +0900"),
        ("0112-10-05 08:30:00 +0800", "2023-10-05 08:30:00 +0800"),
        ("05.10.2023 08:30:00 +0200", "2023-10-05 08:30:00 +0200"),
        ("2023年10月5日 下午8:30:00 +0800", "2023-10-05 20:30:00 +0800"),
        ("2023년 10월 5일 오전 8:30:00 +0900", "2023-10-05 08:30:00 +0900"),
        ("令和5年10月5日 8:30:00 +0900", "2023-10-05 08:30:00 +0900"),
        ("平成30年10月5日 8:30:00 +0900", None),
        ("1445-03-20 08:30:00 +0300", None),
        ("1402-07-13 08:30:00 +0330", None),
    ],
)
def test_a_date_is_read_in_other_digits_halves_and_calendars_or_unknown(tmp_path, said, recorded_at):
    text = "\n".join([f"Recorded Date,{said}", "Sample Rate,512 hertz", "Unit,µV", "", *POINTS])
    recording = read_recording(saved(tmp_path / "a.csv", text))
    assert recording.recorded_at == recorded_at
    assert str(recording.day) == (recorded_at or "None")[:10]


def test_years_of_other_calendars_are_converted_only_where_their_months_are_the_same():
    assert [gregorian_year(y) for y in (2024, 2567, 6, 113)] == [2024] * 4
    assert [gregorian_year(y) for y in (1445, 1402, 5784, 1945, 0)] == [None] * 5


# Exports of apps.


def test_fitbit_is_read_as_its_documentation_says(tmp_path):
    reading = {"startTime": "2023-10-05T08:30:00.000", "samplingFrequencyHz": "250", "scalingFactor": 10922}
    counts = np.rint(ECG_UV / 1000 * 10922)
    path = saved(tmp_path / "a.json", json.dumps({"ecgReadings": [{**reading, "waveformSamples": counts.tolist()}]}))
    recording = read_recording(path)
    assert (recording.sample_rate_hz, recording.recorded_at) == (250, "2023-10-05 08:30:00")
    np.testing.assert_allclose(recording.samples_uv, ECG_UV, atol=0.05)
    del reading["scalingFactor"]
    saved(path, json.dumps({"ecgReadings": [{"waveformSamples": counts.tolist(), **reading}]}))
    assert "is an ECG of Fitbit without scalingFactor" in error_of(path)


def test_withings_and_health_auto_export_are_read(tmp_path):
    body = {"signal": ECG_UV.astype(int).tolist(), "sampling_frequency": 300, "wearposition": 1}
    recording = read_recording(saved(tmp_path / "w.json", json.dumps({"status": 0, "body": body})))
    assert recording.sample_rate_hz == 300
    assert np.array_equal(recording.samples_uv, ECG_UV.astype(int))
    measured = [{"date": 7e8 + i / 512, "voltage": v, "units": "mcV"} for i, v in enumerate(ECG_UV)]
    one = {"start": "2023-10-05 08:29:13 +0100", "samplingFrequency": 512, "voltageMeasurements": measured}
    path = saved(tmp_path / "h.json", json.dumps({"data": {"ecg": [one, one]}}))
    assert "holds 2 recordings; --channel 1 to 2 says which" in error_of(path)
    recording = read_recording(path, channel="2")
    assert (recording.sample_rate_hz, recording.recorded_at) == (512, "2023-10-05 08:29:13 +0100")
    assert np.array_equal(recording.samples_uv, ECG_UV)
    saved(path, json.dumps({"data": {"ecg": [{**one, "samplingFrequency": 256}]}}))
    assert "states 256 Hz, but its times step at 512 Hz" in error_of(path)
    later = [{**one, "date": one["date"] + 0.25 * (i >= 2000)} for i, one in enumerate(measured)]
    recording = read_recording(saved(path, json.dumps({**one, "voltageMeasurements": later})))
    assert np.flatnonzero(np.isnan(recording.samples_uv)).tolist() == list(range(2000, 2128))
    for order in (measured[::-1], measured[3000:] + measured[:3000]):
        saved(path, json.dumps({**one, "voltageMeasurements": order}))
        assert "has times that run backwards after sample" in error_of(path)


SECONDS = [i / 512 for i in range(N)]
VOLTS = ECG_UV / 1e6
HEALTH = {"samplingFrequency": 512, "startDate": "2023-10-05T08:30:00.000+0100", "device": "Watch6,7"}
OF_APPLE_HEALTH = {
    "react-native-health": {**HEALTH, "voltageMeasurements": [*map(list, zip(SECONDS, VOLTS, strict=True))]},
    "react-native-healthkit": {
        "startDate": HEALTH["startDate"],
        "samplingFrequencyHz": 512,
        "voltages": [{"timeSinceSampleStart": t, "voltage": v} for t, v in zip(SECONDS, VOLTS, strict=True)],
    },
    "flutter's health": {
        "samplingFrequency": 512,
        "voltageValues": [{"voltage": v, "timeSinceSampleStart": t} for t, v in zip(SECONDS, VOLTS, strict=True)],
    },
    "HealthKitReporter": {
        "harmonized": {
            "samplingFrequency": 512,
            "voltageMeasurements": [
                {"harmonized": {"value": v, "unit": "V"}, "timeSinceSampleStart": t}
                for t, v in zip(SECONDS, VOLTS, strict=True)
            ],
        }
    },
    "Health Auto Export in millivolts": {
        "data": {
            "ecg": [
                {**HEALTH, "voltageMeasurements": [{"date": "-", "voltage": v * 1e3, "units": "mV"} for v in VOLTS]}
            ]
        }
    },
    "in nanovolts": {**HEALTH, "voltageMeasurements": [{"voltage": v * 1e3, "unit": "nV"} for v in ECG_UV]},
}


@pytest.mark.parametrize("app", OF_APPLE_HEALTH)
def test_what_apps_hand_on_of_apple_health_is_read(tmp_path, app):
    recording = read_recording(saved(tmp_path / "a.json", json.dumps(OF_APPLE_HEALTH[app])))
    assert (recording.sample_rate_hz, recording.lead) == (512, "I")
    np.testing.assert_allclose(recording.samples_uv, ECG_UV, rtol=1e-12)
    if app == "react-native-health":
        assert (recording.recorded_at, recording.device) == ("2023-10-05 08:30:00 +0100", "Watch6,7")


def test_google_health_is_read_as_its_documentation_says(tmp_path):
    point = {"interval": {"startTime": "2023-10-05T08:30:00Z"}, "samplingFrequencyHertz": 250}
    counts = np.rint(ECG_UV / 1000 * 10922).astype(int).tolist()
    point |= {"millivoltsScalingFactor": 10922, "waveformSamples": counts}
    recording = read_recording(saved(tmp_path / "a.json", json.dumps({"dataPoints": [{"electrocardiogram": point}]})))
    assert (recording.sample_rate_hz, recording.recorded_at, recording.lead) == (250, "2023-10-05 08:30:00 Z", "I")
    np.testing.assert_allclose(recording.samples_uv, ECG_UV, atol=0.05)


def sampled(values, **entries):
    data = " ".join("E" if np.isnan(v) else f"{v}" for v in values)
    return {"origin": {"value": 0, "unit": "uV"}, "period": 1000 / 512, "dimensions": 1, "data": data} | entries


def component(lead, values, **entries):
    coding = {"system": "urn:oid:2.16.840.1.113883.6.24", "code": "131329", "display": f"MDC_ECG_ELEC_POTL_{lead}"}
    return {"code": {"coding": [coding]}, "valueSampledData": sampled(values, **entries)}


def fhir(*components, **entries):
    return {
        "resourceType": "Observation",
        "code": {"coding": [{"code": "HKElectrocardiogram"}]},
        "effectivePeriod": {"start": "2023-10-05T08:30:00.123+01:00"},
        "component": list(components),
    } | entries


HERTZ = {"code": {}, "valueQuantity": {"unit": "hertz", "value": 512}}
THIRDS = np.array_split(ECG_UV, 3)
OF_FHIR = {
    "one piece": fhir(component("I", ECG_UV)),
    "three pieces, the rate beside them": fhir(HERTZ, *(component("I", third) for third in THIRDS)),
    "seconds for milliseconds, as HealthKitOnFHIR writes them": fhir(HERTZ, component("I", ECG_UV, period=1 / 512)),
    "counts": fhir(
        component("I", (ECG_UV - 20) / 1.612, origin={"value": 20, "code": "uV"}, factor=1.612),
    ),
    "millivolts": fhir(component("I", ECG_UV / 1000, origin={"value": 0, "unit": "mV"})),
    "R5": fhir(component("I", ECG_UV, period=None, interval=1000 / 512, intervalUnit="ms")),
    "several leads": fhir(*(component(lead, ECG_UV * sign) for lead, sign in (("II", -1), ("I", 1), ("III", 2)))),
    "a bundle": {"resourceType": "Bundle", "entry": [{"resource": fhir(component("I", ECG_UV))}]},
    "no components": fhir(valueSampledData=sampled(ECG_UV), code={"text": "ECG lead I"}),
}
OF_FHIR["R5"]["component"][0]["valueSampledData"].pop("period")


@pytest.mark.parametrize("shape", OF_FHIR)
def test_an_ecg_in_fhir_is_read(tmp_path, shape):
    recording = read_recording(saved(tmp_path / "a.json", json.dumps(OF_FHIR[shape])))
    assert (recording.sample_rate_hz, recording.lead) == (512, "I")
    assert recording.recorded_at == "2023-10-05 08:30:00 +01:00"
    np.testing.assert_allclose(recording.samples_uv, ECG_UV, atol=1e-9)


def test_an_error_in_fhir_is_a_missing_sample(tmp_path):
    values = ECG_UV.copy()
    values[[0, 700]] = np.nan
    path = saved(tmp_path / "a.json", json.dumps(fhir(component("I", values))))
    assert np.flatnonzero(np.isnan(read_recording(path).samples_uv)).tolist() == [0, 700]


@pytest.mark.parametrize(
    ("resource", "says"),
    [
        (fhir({**HERTZ, "valueQuantity": {"unit": "Hz", "value": 250}}, component("I", ECG_UV)), "by its period it is"),
        (fhir(component("I", ECG_UV, period=0)), "without a period in milliseconds"),
        (fhir(component("I", ECG_UV, period=-2)), "states a sample rate of -500 Hz"),
        (fhir(component("I", ECG_UV), status="entered-in-error"), "whose status is entered-in-error"),
        (fhir(component("I", ECG_UV), status="cancelled"), "whose status is cancelled"),
        (fhir(component("I", ECG_UV), dataAbsentReason={"text": "masked"}), "with a dataAbsentReason"),
        (
            fhir(component("I", THIRDS[0]), {**component("I", []), "valueSampledData": None, "dataAbsentReason": {}}),
            "with a dataAbsentReason",
        ),
        (fhir(component("I", ECG_UV, origin={"value": 0, "unit": "uV", "code": "mV"})), "unit and its code are not"),
        (fhir(component("I", ECG_UV, factor=0)), "with the factor 0 and the origin 0, which are no scale"),
        (fhir(component("I", ECG_UV, factor=float("inf"))), "with the factor inf"),
        (fhir(component("I", ECG_UV, dimensions=2)), "of 2 dimensions"),
        (
            fhir(component("I", ECG_UV, origin={"value": 0})),
            "unit is not known; expected µV, mV or V; set it with --unit",
        ),
        (fhir(component("I", ECG_UV, data="1 2 x")), "is an ECG of FHIR that is not as its app writes it"),
        (fhir(component("I", THIRDS[0]), component("I", THIRDS[1], period=4)), "several units or periods"),
    ],
)
def test_an_ecg_in_fhir_that_says_too_little_is_refused(tmp_path, resource, says):
    assert says in error_of(saved(tmp_path / "a.json", json.dumps(resource)))


PLAIN_JSON = [
    {"ecg": ECG_UV.tolist(), "fs": 250},
    {"ECG_mV": (ECG_UV / 1000).tolist(), "sampleRate": 250, "device": "x"},
    {"data": {"ppg": ECG_UV[::-1].tolist(), "ecg": (ECG_UV / 1000).tolist(), "unit": "mV", "sampling_rate": "250 Hz"}},
    {"II": (-ECG_UV).tolist(), "I": ECG_UV.tolist(), "samplingFrequency": 250, "units": "uV"},
]


@pytest.mark.parametrize("content", PLAIN_JSON, ids=lambda content: next(iter(content)))
def test_json_that_names_an_ecg_and_its_rate_is_read(tmp_path, content):
    (tmp_path / "in").mkdir()
    recording = read_recording(saved(tmp_path / "in/a.json", json.dumps(content)))
    assert recording.sample_rate_hz == 250
    np.testing.assert_allclose(recording.samples_uv, ECG_UV, atol=1e-9)
    if re.search("ecg", next(iter(content)), re.IGNORECASE):  # in the beginning of the file
        (found,) = find_recordings(tmp_path / "in")
        assert np.array_equal(found.read().samples_uv, recording.samples_uv)


@pytest.mark.parametrize(
    ("beside", "says"),
    [
        ({"fs": [250, 500]}, "sample rate is not a number of hertz"),
        ({"fs": {"of": {"ecg": 250}}}, "sample rate is not a number of hertz"),
        ({"fs": 250, "gain": 200}, "has gain beside its samples, which may be counts; "),
        ({"fs": 250, "units": ["mV", "uV"]}, "unit is not known"),
        ({"time": [i / 250 for i in range(N)][::-1]}, "has times that run backwards after sample 1"),
        ({"fs": 250, "time": [i / 300 for i in range(N)]}, "states 250 Hz, but its times step at 300 Hz"),
        ({"fs": 250, "time": [i / 250 for i in range(N - 1)]}, f"has {N - 1} times and {N} samples"),
    ],
)
@pytest.mark.parametrize("kind", ["json", "mat"])
def test_a_statement_beside_the_samples_is_not_passed_by(tmp_path, kind, beside, says):
    if kind == "json":
        path = saved(tmp_path / "a.json", json.dumps({"ecg": ECG_UV.tolist(), **beside}))
    else:
        arrays = {key: np.array(v, object) if key == "units" else v for key, v in beside.items()}
        path = mat(tmp_path / "a.mat", ecg=ECG_UV, **arrays)
    assert says in error_of(path)
    if "gain" in beside:
        assert read_recording(path, unit="uV").sample_rate_hz == 250


def test_json_without_a_rate_is_refused(tmp_path):
    path = saved(tmp_path / "a.json", json.dumps({"ecg": ECG_UV.tolist()}))
    assert "is JSON with an ECG and no sample rate" in error_of(path)
    (found,) = find_recordings(tmp_path, Overrides(rate_hz=250))
    assert found.read().sample_rate_hz == read_recording(path, rate_hz=250).sample_rate_hz == 250


def test_each_recording_of_an_export_is_found_alone_in_a_folder_and_in_a_zip(tmp_path):
    bad = {"data": {"ecg": [{**HEALTH, "voltageMeasurements": [[0, 0]]}]}}
    content = json.dumps([fhir(component("I", ECG_UV)), OF_APPLE_HEALTH["react-native-health"], bad])
    path = saved(tmp_path / "in" / "a.json", content) if (tmp_path / "in").mkdir() is None else None
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "a.json")
    for source in (path, tmp_path / "in", tmp_path / "a.zip"):
        found = list(find_recordings(source))
        assert [Path(one.name).name for one in found] == ["a.json#1", "a.json#2", "a.json#3"]
        for one in found[:2]:
            np.testing.assert_allclose(one.read().samples_uv, ECG_UV, atol=1e-9)
        with pytest.raises(RecordingError, match=r"a\.json#3: holds 1 value"):
            found[2].read()


def test_json_is_bounded(tmp_path):
    assert "more than 1,000,000 lists" in error_of(
        saved(tmp_path / "a.json", '{"signal": [' + "[]," * 1_000_001 + "[]]}")
    )
    assert "can't be read to its end" in error_of(saved(tmp_path / "b.json", '{"signal":' + "[" * 100_000))
    assert "can't be read to its end" in error_of(saved(tmp_path / "c.json", '{"signal":[' + "9" * 10_000 + "]}"))


def test_other_json_is_no_recording(tmp_path):
    assert "is JSON of no app that is known" in error_of(saved(tmp_path / "a.json", '{"steps": [1, 2]}'))
    assert "can't be read to its end" in error_of(
        saved(tmp_path / "b.json", '{"ecgReadings": [{"waveformSamples": [1,')
    )


def opensignals(device="bitalino_rev", sensors=("ECG",)):
    head = {"device": device, "date": "2023-10-05", "time": "08:06:18.0", "sampling rate": 1000, "sensor": sensors}
    head |= {"label": ["A2"], "resolution": [4, 1, 1, 1, 1, 10], "column": ["nSeq", "I1", "I2", "O1", "O2", "A2"]}
    counts = np.rint((ECG_UV / 1000 * 1100 / 3300 + 0.5) * 1024).astype(int)
    rows = [f"{i % 16}\t0\t0\t0\t0\t{count}\t" for i, count in enumerate(counts)]
    comment = json.dumps({"20:17": head})
    return "\n".join(["# OpenSignals Text File Format. Version 1", f"# {comment}", "# EndOfHeader", *rows])


def test_opensignals_counts_are_read_where_the_sensors_scale_is_known(tmp_path):
    recording = read_recording(saved(tmp_path / "a.txt", opensignals()))
    assert (recording.sample_rate_hz, recording.recorded_at) == (1000, "2023-10-05 08:06:18")
    np.testing.assert_allclose(recording.samples_uv, ECG_UV, atol=3000 / 1024 / 2 + 0.1)  # half a count
    assert "without the unit of a count" in error_of(saved(tmp_path / "b.txt", opensignals("biosignalsplux")))
    assert "no channel named ECG" in error_of(saved(tmp_path / "c.txt", opensignals(sensors=("EMG",))))


def test_matlab_files_name_the_extra_that_reads_them(tmp_path, monkeypatch):
    savemat(tmp_path / "a.mat", {"ecg": ECG_UV, "fs": 512.0})
    monkeypatch.setitem(sys.modules, "scipy.io", None)  # as if SciPy were not installed
    assert "pip install -e '.[mat]'" in error_of(tmp_path / "a.mat")


# WFDB and EDF.


def wfdb_record(folder, header, samples, name="r"):
    pytest.importorskip("wfdb")
    (folder / f"{name}.dat").write_bytes(np.asarray(samples, "<i2").tobytes())
    return saved(folder / f"{name}.hea", header)


def test_wfdb_samples_of_a_frame_are_a_rate_of_their_own(tmp_path):
    slow = np.arange(N // 4)
    frames = np.concatenate([slow[:, None], ECG_UV.reshape(-1, 4)], axis=1)
    header = f"r 2 125 {N // 4}\nr.dat 16 1/mmHg 16 0 0 0 0 ABP\nr.dat 16x4 1/uV 16 0 0 0 0 ECG\n"
    recording = read_recording(wfdb_record(tmp_path, header, frames.ravel()))
    assert recording.sample_rate_hz == 500
    assert np.array_equal(recording.samples_uv, ECG_UV.astype("<i2"))


def test_wfdb_takes_the_ecg_or_asks(tmp_path):
    both = np.stack([ECG_UV[::-1], ECG_UV], axis=1).ravel()
    for names, channel in ((("PPG", "ECG"), 1), (("RESP", "II"), 1), (("V5", "I"), 1), (("MLII", "V5"), 0)):
        header = f"r 2 360 {N}\n" + "".join(f"r.dat 16 1/uV 16 0 0 0 0 {name}\n" for name in names)
        read = read_recording(wfdb_record(tmp_path, header, both)).samples_uv
        assert np.array_equal(read, both[channel::2].astype("<i2")), names
    header = f"r 2 360 {N}\n" + "".join(f"r.dat 16 1/uV 16 0 0 0 0 ch{number}\n" for number in (1, 2))
    path = wfdb_record(tmp_path, header, both)
    assert "2 channels, none named ECG; choose one with --channel" in error_of(path)
    assert np.array_equal(read_recording(path, channel="2").samples_uv, ECG_UV.astype("<i2"))


def test_wfdb_suffixes_may_be_capital_and_invalid_samples_are_gaps(tmp_path):
    pytest.importorskip("wfdb")
    samples = ECG_UV.astype("<i2")
    samples[1000:1003] = -32768  # format 16 says so of a sample that is not valid
    (tmp_path / "U.DAT").write_bytes(samples.tobytes())
    saved(tmp_path / "U.HEA", f"U 1 512 {N}\nU.DAT 16 1/uV 16 0 0 0 0 ECG\n")
    for name in ("U.HEA", "U.DAT", "U"):
        recording = read_recording(tmp_path / name)
        assert np.flatnonzero(np.isnan(recording.samples_uv)).tolist() == [1000, 1001, 1002]
    (found,) = find_recordings(tmp_path)
    assert heart_rate_bpm(r_peak_times_s(found.read())) == pytest.approx(
        heart_rate_bpm(r_peak_times_s(read_recording(saved(tmp_path / "a.csv", "\n".join(POINTS))))), rel=1e-3
    )


@pytest.mark.parametrize("lines", ["m/100000 1 250 100000\n", "r 100000 250 100\n", "r 1 250 100\n"])
def test_a_wfdb_header_of_many_lines_is_refused_at_once(tmp_path, lines):
    path = saved(tmp_path / "m.hea", lines + "r.dat 16 200 16 0 0 0 0 ECG\n" * 100_000)
    assert "is a WFDB record of 100000 " in error_of(path)


def test_a_pipe_as_the_samples_of_a_record_is_refused(tmp_path):
    path = wfdb_record(tmp_path, f"r 1 512 {N}\np.dat 16 1/uV 16 0 0 0 0 ECG\n", ECG_UV)
    os.mkfifo(tmp_path / "p.dat")
    assert "no plain file" in error_of(path)


def test_edf_limits_with_commas_are_numbers(tmp_path):
    edfio = pytest.importorskip("edfio")
    signal = edfio.EdfSignal(ECG_UV[:2560], 256, label="ECG", physical_dimension="uV", physical_range=(-900.5, 1800.5))
    data = edfio.Edf([signal]).to_bytes()
    commas = data[:256] + data[256:512].replace(b"-900.5", b"-900,5").replace(b"1800.5", b"1800,5") + data[512:]
    assert commas != data
    read = read_recording(saved(tmp_path / "a.edf", commas)).samples_uv
    np.testing.assert_allclose(read, ECG_UV[:2560], atol=0.05)
    broken = data[:256] + data[256:512].replace(b"-900.5", b"minus!") + data[512:]
    assert "EDF" in error_of(saved(tmp_path / "b.edf", broken)) or "limits" in error_of(tmp_path / "b.edf")


def test_bdf_is_read_and_channels_of_other_units_are_passed_by(tmp_path):
    edfio = pytest.importorskip("edfio")
    made = {
        name: edfio.BdfSignal(values[:2560], 256, label=name, physical_dimension=unit, physical_range=(-4000, 4000))
        for name, unit, values in (("chest", "mmHg", ECG_UV[::-1]), ("ch", "uV", ECG_UV))
    }
    path = saved(tmp_path / "a.bdf", edfio.Bdf(list(made.values())).to_bytes())
    recording = read_recording(path)
    assert recording.sample_rate_hz == 256
    np.testing.assert_allclose(recording.samples_uv, ECG_UV[:2560], atol=0.001)  # 24 bits
    (found,) = find_recordings(tmp_path)
    assert np.array_equal(found.read().samples_uv, recording.samples_uv)


def mat(path, **variables):
    savemat(path, variables)
    return path


def test_a_matlab_file_is_read_with_its_rate_and_unit(tmp_path):
    mv = ECG_UV / 1000
    for variables, told in (
        ({"ecg": mv, "fs": 250, "unit": "mV"}, {}),
        ({"ecg": mv[:, None], "Fs": 250.0, "units": "mV"}, {}),
        ({"time": np.arange(N) / 250, "ecg_mV": mv}, {}),
        ({"ecg_mV": mv, "ppg": mv[::-1], "samplingRate": 250}, {}),
        ({"val": np.stack([mv[::-1], mv])}, {"rate_hz": 250, "unit": "mV", "channel": "2"}),
        ({"II": -mv, "I": mv, "sampling_frequency": 250, "unit": "mV"}, {}),
    ):
        recording = read_recording(mat(tmp_path / "a.mat", **variables), **told)
        assert recording.sample_rate_hz == 250
        np.testing.assert_allclose(recording.samples_uv, ECG_UV, atol=1e-9)
    assert recording.lead == "I"
    savemat(tmp_path / "a.mat", {"ecg": ECG_UV, "fs": 250}, format="4", do_compression=False)
    assert np.array_equal(read_recording(tmp_path / "a.mat").samples_uv, ECG_UV)


def test_a_matlab_file_that_leaves_a_choice_or_is_none_is_refused(tmp_path):
    path = tmp_path / "a.mat"
    assert "has 2 channels, none named ECG; choose one with --channel" in error_of(
        mat(path, val=np.stack([ECG_UV, ECG_UV]))
    )
    assert "has no array of 400 numbers or more" in error_of(mat(path, fs=250, name="Jane Roe"))
    assert "is not a readable MATLAB file" in error_of(saved(path, b"MATLAB 5.0 MAT-file" + b"x" * 200))
    assert "which is HDF5; save it with -v7" in error_of(saved(path, b"MATLAB 7.3 MAT-file" + b" " * 600))


def test_a_small_file_of_many_zeros_is_not_unpacked(tmp_path):
    savemat(tmp_path / "a.mat", {"ecg": np.zeros(25_000_001, np.uint8)}, do_compression=True)
    assert "lists more than 25,000,000 numbers" in error_of(tmp_path / "a.mat")


def test_a_wfdb_record_is_read_from_a_zip_and_from_a_mat_file(tmp_path):
    wfdb = pytest.importorskip("wfdb")
    folder = tmp_path / "in"
    folder.mkdir()
    wfdb_record(folder, f"r 1 512 {N}\nr.dat 16 1/uV 16 0 0 0 0 ECG\n", ECG_UV)
    savemat(folder / "m.mat", {"val": ECG_UV.astype("<i2")[None, :]}, format="4")
    saved(folder / "m.hea", f"m 1 512 {N}\nm.mat 16+24 1/uV 16 0 0 0 0 ECG\n")
    wfdb.wrsamp("s", 512, ["uV"], ["I"], p_signal=ECG_UV[:, None], fmt=["16"], write_dir=str(folder))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"records/{file.name.replace('s.hea', 'S.HEA') if file.stem == 's' else file.name}")
    for source in (folder, tmp_path / "a.zip"):
        passed = SkippedFiles()
        found = {Path(one.name).stem.lower(): one.read() for one in find_recordings(source, skipped=passed)}
        assert not passed.names
        assert sorted(found) == ["m", "r", "s"]
        for recording in found.values():
            np.testing.assert_allclose(recording.samples_uv, ECG_UV, atol=1)
    assert np.array_equal(read_recording(folder / "m.mat").samples_uv, read_recording(folder / "r").samples_uv)


def test_a_wfdb_record_of_a_zip_reads_nothing_else(tmp_path):
    pytest.importorskip("wfdb")
    for name in ("../r.dat", "/etc/passwd", "gone.dat"):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("in/r.hea", f"r 1 512 {N}\n{name} 16 1/uV 16 0 0 0 0 ECG\n")
            archive.writestr("r.dat", ECG_UV.astype("<i2").tobytes())
        for one in find_recordings(tmp_path / "a.zip"):
            with pytest.raises(RecordingError, match=r"not beside it|cannot read this record"):
                one.read()


CLINICAL = {
    "SCP-ECG": b"\0" * 16 + b"SCPECG" + b"\0" * 100,
    "HL7 aECG": b'<?xml version="1.0"?>\n<AnnotatedECG xmlns="urn:hl7-org:v3">',
    "DICOM": b"\0" * 128 + b"DICM" + b"\0" * 100,
    "ISHNE Holter": b"ISHNE1.0" + b"\0" * 600,
    "MUSE XML": b'<?xml version="1.0"?>\n<RestingECG>',
    "GDF": b"GDF 2.20" + b"\0" * 300,
}


@pytest.mark.parametrize("name", CLINICAL)
def test_a_format_of_hospitals_is_refused_by_name_with_its_tool(tmp_path, name):
    path = saved(tmp_path / "a", CLINICAL[name])
    said = error_of(path)
    assert f"is a file of {name}, which is not read here; " in said
    assert re.search("save2gdf|pydicom", said)
    (found,) = find_recordings(tmp_path)
    with pytest.raises(RecordingError, match=name):
        found.read()


# Folders and archives: what is read alone is read there, and what is not read is said.

APPLE = "Recorded Date,2023-10-05 08:30:00 +0100\nSample Rate,512 hertz\nUnit,µV\n\n" + "\n".join(POINTS)
PLAIN = {
    "leads.csv": table(range(N), POINTS, POINTS[::-1], heading="'sample #','MLII','V5'"),
    "biosppy.txt": "# Simple Text Format\n# Sampling Rate (Hz):= 512.00\n# Labels:= ECG\tRESP\n"
    + table(POINTS, POINTS[::-1], separator="\t"),
    "column.csv": "\n".join(POINTS),
    "bom.csv": "\ufeff" + "\n".join(POINTS),
    "text.txt": "\n".join(POINTS),
    "data.dat": "\n".join(POINTS),
    "nosuffix": "\n".join(POINTS),
    "heading.csv": "\n".join(["ECG (µV)", *POINTS]),
    "index.csv": table(range(1, N + 1), POINTS, heading="point,value"),
    "lead.csv": "\n".join(["Lead,Voltage", *(f"Lead I,{p}" for p in POINTS)]),
    "semicolon.CSV": "\n".join(f"{p.replace('.', ',')};" for p in POINTS),
    "apple.csv": APPLE,
    "withings.json": json.dumps({"body": {"signal": ECG_UV.tolist(), "sampling_frequency": 512}}),
}
OTHERS = {
    "imported.json": json.dumps({"files": {"2024-03-01/after/ecg_2024-03-01.csv": "0f"}, "ecg_count": 1}),
    "steps.csv": table(range(0, 60 * N, 60), range(N), [i % 7 for i in range(N)], heading="seconds,steps,stairs"),
    "README.md": "Sampled at 512 Hz.\n",
    "labels.csv": "file,label\na,b\n",
    "dataset.toml": "name = 'x'\n",
}


def test_a_folder_and_a_zip_hold_what_is_read_alone(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**PLAIN, **OTHERS}.items():
            archive.write(saved(folder / name, content), name)
        np.save(folder / "array.npy", ECG_UV)
        archive.write(folder / "array.npy", "array.npy")
    for source in (folder, tmp_path / "all.zip"):
        passed = SkippedFiles()
        found = {Path(one.name).name: one.read() for one in find_recordings(source, skipped=passed)}
        assert sorted(found) == sorted([*PLAIN, "array.npy"])
        for name, recording in found.items():
            alone = read_recording(folder / name)
            assert np.array_equal(recording.samples_uv, alone.samples_uv), name
            assert np.array_equal(recording.samples_uv, ECG_UV), name
            assert recording.sample_rate_hz == alone.sample_rate_hz
        assert sorted(Path(name).name for name in passed.names) == sorted(OTHERS)
        assert str(passed).startswith("5 skipped, not recordings: ")


def test_links_are_followed_once_and_pipes_are_passed_over(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.csv").symlink_to(saved(tmp_path / "away.csv", APPLE))
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "gone.csv").symlink_to(tmp_path / "nothing")
    os.mkfifo(folder / "pipe.csv")
    passed = SkippedFiles()
    assert [Path(one.name).name for one in find_recordings(folder, skipped=passed)] == ["link.csv"]
    assert sorted(Path(name).name for name in passed.names) == ["gone.csv", "pipe.csv"]


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_a_name_that_cannot_be_encoded_is_printed_all_the_same(tmp_path, encoding):
    for name, content in ((b"\xff\xfe.csv", APPLE), (b"\xff \xce\xbc.csv", "Sample Rate,fast\n" + APPLE)):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text(content, encoding="utf-8")
    for command in ("detect", "import"):
        arguments = [sys.executable, "-m", "edge_ecg.cli", command, str(tmp_path)]
        done = subprocess.run(arguments, capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding})
        assert done.returncode == 2
        assert b".csv" in done.stdout
        assert done.stderr.startswith(b"error: ")
        assert b"sample rate is not a number of hertz" in done.stderr
        assert b"defect" not in done.stderr


def test_files_of_2026_are_right_alone_and_in_a_folder(ecg_data):
    """Sample rates by their README of 2026-11-30: two files of one clock, a counter without one, rows that state it."""
    folder = ecg_data / "field" / "2026-11-30"
    rates = {"counter_head.csv": 250, "even_497.csv": 497.5, "jitter.csv": 497.5, "pandas_slice.csv": 512}
    passed = SkippedFiles()
    found = {Path(one.name).name: one.read() for one in find_recordings(folder, skipped=passed)}
    assert not passed.names
    assert found.keys() == {*rates, "wide.csv#1", "wide.csv#2"}
    for name, rate_hz in rates.items():
        assert found[name].sample_rate_hz == pytest.approx(rate_hz, abs=0.01)
        assert found[name].rate_is_assumed == (name == "pandas_slice.csv")
        assert np.array_equal(read_recording(folder / name).samples_uv, found[name].samples_uv)
    assert read_recording(folder / "pandas_slice.csv", rate_hz=250).duration_s == 30
    assert np.array_equal(found["even_497.csv"].samples_uv, found["jitter.csv"].samples_uv)
    assert {found[f"wide.csv#{row}"].sample_rate_hz for row in (1, 2)} == {512}


@pytest.mark.parametrize("file", ["edf", "folder_scan", "rate_ignored", "refused", "wfdb", "zip"])
def test_every_file_from_the_field_is_right(ecg_data, file):
    """All hold one heart of about 74 beats a minute and some 1,050 uV, by their README."""
    folder = ecg_data / "field" / file
    for path in sorted(folder.iterdir()):
        told = {"rate_hz": 130} if path.name == "polar130.csv" else {}
        recordings = (
            [read_recording(path, **told)] if path.suffix != ".zip" else [f.read() for f in find_recordings(path)]
        )
        for recording in recordings:
            if path.name == "sample_rate_hz_key.csv":
                assert recording.sample_rate_hz == 250
                continue
            assert 68 <= heart_rate_bpm(r_peak_times_s(recording)) <= 76, path
            assert 980 <= np.nanmax(recording.samples_uv) - np.nanmin(recording.samples_uv) <= 1110, path


@pytest.mark.parametrize("file", ["edf", "folder_scan", "rate_ignored", "refused", "wfdb"])
def test_every_file_from_the_field_is_the_same_in_a_folder_and_in_a_zip(ecg_data, tmp_path, file):
    folder = ecg_data / "field" / file
    alone = {path.name.casefold(): path for path in folder.iterdir() if path.suffix.lower() != ".dat"}
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, f"in/{path.name}")
    for source in (folder, tmp_path / "a.zip"):
        passed = SkippedFiles()
        found = {Path(one.name).name.casefold(): one.read() for one in find_recordings(source, skipped=passed)}
        assert found.keys() == alone.keys()
        assert not passed.names
        for name, recording in found.items():
            one = read_recording(alone[name])
            np.testing.assert_array_equal(recording.samples_uv, one.samples_uv)
            besides = {"samples_uv": None, "source": None}
            assert vars(recording) | besides == vars(one) | besides
