"""A recording comes in as it was recorded, in any language; what is broken stays out, and so does a name."""

import os
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ecg.errors import RecordingError
from edge_ecg.readers.apple_format import LOCALES, write_apple_csv
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import MIN_DURATION_S, Recording

NAME, BIRTH = "Wilhelmine Einthoven", "21.05.1860"
RECORDED = "2021-12-17 12:58:58 +0800"
ECG_UV = np.round(800 * np.sin(np.arange(2500) / 7.3) ** 15 + 40 * np.cos(np.arange(2500) / 90), 3)
POINTS = [f"{value:.3f}" for value in ECG_UV]
COMMAS = [value.replace(".", ",") for value in POINTS]

ENGLISH = f"""Name,{NAME}
Date of Birth,"{BIRTH}"
Recorded Date,{RECORDED}
Classification,Sinus Rhythm
Symptoms,
Software Version,1.90
Device,"Watch5,1"
Sample Rate,513.625 hertz


Lead,Lead I
Unit,µV

"""
GERMAN = f"""Name,{NAME}
Geburtstag,"{BIRTH}"
Aufzeichnungsdatum,{RECORDED}
Klassifizierung,Sinusrhythmus
Symptome,Ohne
Softwareversion,1.90
Gerät,"Watch6,7"
Messrate,511,422\u00a0hertz


Ableitung,Ableitung I
Einheit,µV

"""
CHINESE = f"姓名,{NAME}\n出生日期,{BIRTH}\n记录日期,{RECORDED}\n采样率,512赫兹\n\n\n导联,导联 I\n单位,µV\n\n"
JAPANESE = f"名前,{NAME}\n生年月日,{BIRTH}\n記録日時,{RECORDED}\nサンプルレート,512.000 Hz\nリード,I\n単位,µV\n\n"
RUSSIAN = f"Имя,{NAME}\nДата рождения,{BIRTH}\nДата записи,{RECORDED}\nЧастота,511,422 герц\n\nЕдиница,мкВ\n\n"
ARABIC = f"الاسم,{NAME}\nتاريخ,{RECORDED}\nالمعدل,٥١٢ هرتز\nالوحدة,µV\n\n"


@pytest.fixture
def saved(tmp_path):
    """Lines or bytes as a file, and its path."""

    def save(content, name="ecg.csv", encoding="utf-8", newline="\n"):
        path = tmp_path / name
        if isinstance(content, list):
            content = "\n".join(content) + "\n"
        if isinstance(content, str):
            content = content.replace("\n", newline).encode(encoding)
        path.write_bytes(content)
        return path

    return save


def error_of(path) -> str:
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def refusal(path) -> str:
    """Why the file is refused, or nothing if it is read."""
    try:
        read_recording(path)
    except RecordingError as error:
        return f"{error} {error.__cause__ or ''}"
    return ""


@pytest.mark.parametrize(
    ("header", "values", "rate_hz"),
    [
        (ENGLISH, POINTS, 513.625),
        (ENGLISH, COMMAS, 513.625),
        (GERMAN, COMMAS, 511.422),
        (CHINESE, POINTS, 512.0),
        (JAPANESE, POINTS, 512.0),
        (RUSSIAN, COMMAS, 511.422),
        (ARABIC, POINTS, 512.0),
        (ENGLISH.replace(f"Name,{NAME}", "Name"), POINTS, 513.625),
        ("".join(sorted(GERMAN.splitlines(keepends=True))), COMMAS, 511.422),
    ],
)
def test_every_known_header_is_read(saved, header, values, rate_hz):
    recording = read_recording(saved(header + "\n".join(values)))
    assert np.array_equal(recording.samples_uv, ECG_UV)
    assert recording.sample_rate_hz == rate_hz
    assert recording.recorded_at == RECORDED
    assert recording.duration_s == len(ECG_UV) / rate_hz
    assert recording.samples_uv.dtype == np.float64
    assert not recording.samples_uv.flags.writeable


@pytest.mark.parametrize(
    ("recorded_at", "name", "day"),
    [
        ("2024-03-01 23:59:00 +0800", "ecg_2023-09-21_1.csv", date(2024, 3, 1)),
        (None, "ecg_2023-09-21_1.csv", date(2023, 9, 21)),
        ("2023-02-29 08:00:00", "ecg_2023-09-21_1.csv", date(2023, 9, 21)),
        (None, "2023-09-21/fasting/3.csv", None),
        (None, "ecg_2023-13-01.csv", None),
    ],
)
def test_the_day_is_the_headers_or_else_the_file_names(recorded_at, name, day):
    assert Recording(ECG_UV, 512.0, f"2022-01-01/{name}", recorded_at).day == day


GREEK = f"Όνομα,{NAME}\nΗμερομηνία,{RECORDED}\nΡυθμός,511,422 χερτζ\nΜονάδα,µV\n\n"
KOREAN = f"이름,{NAME}\n기록 날짜,{RECORDED}\n샘플 속도,511.422헤르츠\n단위,µV\n\n"


@pytest.mark.parametrize(
    ("header", "values", "encoding"),
    [
        (CHINESE.replace("512赫兹", "511.422赫兹").replace("µ", "μ"), POINTS, "gbk"),
        (CHINESE.replace("512赫兹", "511.422赫兹").replace("µ", "μ"), POINTS, "gb18030"),
        (GERMAN, COMMAS, "cp1252"),
        (JAPANESE.replace("512.000 Hz", "511.422 ヘルツ").replace("µ", "μ"), POINTS, "shift_jis"),
        (RUSSIAN.replace("µ", "u"), COMMAS, "cp1251"),
        (KOREAN.replace("µ", "μ"), POINTS, "euc_kr"),
        (GREEK, COMMAS, "cp1253"),
        (CHINESE.replace("512赫兹", "511.422赫兹"), POINTS, "utf-16"),
    ],
)
def test_an_older_encoding_is_known_by_the_rate_in_it(saved, header, values, encoding):
    recording = read_recording(saved(header + "\n".join(values), encoding=encoding))
    assert np.array_equal(recording.samples_uv, ECG_UV)
    assert recording.sample_rate_hz == 511.422
    assert recording.recorded_at == RECORDED


@pytest.mark.parametrize("hertz", ["हर्ट्ज़", "ჰერცი", "hertsiä", "হার্টজ", "herců", "ഹെർട്സ്", "Hz.", "hertzů"])
@pytest.mark.parametrize("decimal", [".", ","])
def test_hertz_in_a_language_unknown_is_known_by_its_place(saved, hertz, decimal):
    header = f"Jmeno,{NAME}\nNarozen,{BIRTH}\nDatum,{RECORDED}\nTrida,Normal\nVerze,1.90\nHodinky,Watch5\n"
    header += f"Rychlost,511{decimal}422 {hertz}\n\nSvod,I\n\n"
    recording = read_recording(saved(header + "\n".join(POINTS if decimal == "." else COMMAS)))
    assert recording.sample_rate_hz == 511.422
    assert recording.recorded_at == RECORDED


@pytest.mark.parametrize(
    "birth", ["1980-05-21", "21 May 1980", "May 1980", "1980年5月21日", "1980", "512", "١٩٨٠", "21. května 1980"]
)
def test_a_birth_date_in_an_unknown_language_is_neither_rate_nor_time(saved, birth):
    recording = read_recording(saved(f"Jmeno,{NAME}\nNarozen,{birth}\n\nSvod,I\n\n" + "\n".join(POINTS)))
    assert (recording.sample_rate_hz, recording.recorded_at) == (512.0, None)


def edf_bytes(
    labels=("ECG",), unit="uV", rate_hz=256.0, uv=ECG_UV[:2304], start="2024-03-01 08:03:00", annotated=False
):
    edfio = pytest.importorskip("edfio")
    signals = [
        edfio.EdfSignal(uv, rate_hz, label=label, physical_dimension=unit, physical_range=(-2000, 2000))
        for label in labels
    ]
    start = datetime.fromisoformat(start)
    patient = edfio.Patient(name=NAME.replace(" ", "_"), birthdate=datetime(1860, 5, 21).date())
    recording = edfio.Recording(startdate=start.date())
    notes = [edfio.EdfAnnotation(0, None, "x")] if annotated else None
    edf = edfio.Edf(signals, patient=patient, recording=recording, starttime=start.time(), annotations=notes)
    return edf.to_bytes()


def test_an_edf_file_is_read_with_its_rate_unit_and_time(saved):
    recording = read_recording(saved(edf_bytes(), name="a.edf"))
    np.testing.assert_allclose(recording.samples_uv, ECG_UV[:2304], rtol=0, atol=0.04)  # 16 bits over 4 mV
    assert recording.sample_rate_hz == 256
    assert recording.recorded_at == "2024-03-01 08:03:00"
    assert NAME.split()[0] not in repr(vars(recording))


def test_the_ecg_channel_of_several_is_taken_and_without_one_none(saved):
    data = edf_bytes(("EEG Fpz", "EKG I"))
    assert len(read_recording(saved(data, name="a.edf")).samples_uv) == 2304
    assert "3 channels, none named ECG" in error_of(saved(edf_bytes(("A", "B", "C")), name="b.edf"))


@pytest.mark.parametrize("micro", ["\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_micro_sign_in_edf_is_read(saved, micro, encoding):
    unit = f"{micro}V".encode(encoding, "replace").replace(b"?", b"\xb5").ljust(8)
    recording = read_recording(saved(edf_bytes().replace(b"uV".ljust(8), unit, 1), "r.edf"))
    np.testing.assert_allclose(recording.samples_uv, ECG_UV[:2304], atol=0.05)


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan"])
def test_edf_without_a_rate_is_refused_with_the_value(saved, seconds):
    content = edf_bytes()
    said = error_of(saved(content[:244] + seconds.encode().ljust(8) + content[252:], "r.edf"))
    assert f"states data records of {seconds} s, from which no sample rate follows" in said


def test_a_gap_in_edf_is_missing_samples(saved):
    """By EDF+, the first annotation of each data record says when it began; nine records of 256 samples."""
    content = edf_bytes(annotated=True)
    assert b"EDF+C" in content
    for number in range(8, 4, -1):
        content = content.replace(b"+%d\x14\x14" % number, b"+%d\x14\x14" % (number + 1))
    samples_uv = read_recording(saved(content.replace(b"EDF+C", b"EDF+D"), "r.edf")).samples_uv
    assert np.flatnonzero(np.isnan(samples_uv)).tolist() == list(range(5 * 256, 6 * 256))
    np.testing.assert_allclose(samples_uv[~np.isnan(samples_uv)], ECG_UV[:2304], atol=0.05)
    backwards = content.replace(b"+9\x14\x14", b"+3\x14\x14")
    assert "data records overlap or run backwards" in error_of(saved(backwards, "r.edf"))


@pytest.mark.parametrize("cut", [8, 200, 256, 300, 700])
def test_a_cut_edf_file_gets_one_sentence_without_the_person(saved, cut):
    message = error_of(saved(edf_bytes()[:cut], name="a.edf"))
    assert "Wilhelmine" not in message


def test_edf_without_edfio_says_what_to_install(saved, monkeypatch):
    path = saved(edf_bytes(), name="a.edf")
    monkeypatch.setitem(sys.modules, "edfio", None)
    assert "pip install -e '.[edf]'" in error_of(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encoding_and_line_ends_do_not_matter(saved, encoding, newline):
    recording = read_recording(saved(GERMAN + "\n".join(COMMAS), encoding=encoding, newline=newline))
    assert np.array_equal(recording.samples_uv, ECG_UV)
    assert recording.sample_rate_hz == 511.422


@pytest.mark.parametrize("locale", LOCALES)
@settings(max_examples=8)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(2100, 3000),
    rate_hz=st.floats(400, 520),
    zone_h=st.integers(-11, 12),
    name=st.text(),
)
def test_what_is_written_in_any_locale_is_read_back(tmp_path, locale, seed, count, rate_hz, zone_h, name):
    samples_uv = np.random.default_rng(seed).normal(0, 300, count)
    time = datetime(2024, 2, 29, 23, 59, 1, tzinfo=timezone(timedelta(hours=zone_h)))
    write_apple_csv(tmp_path / "a.csv", samples_uv, rate_hz, time, locale=locale, name=name)
    recording = read_recording(tmp_path / "a.csv")
    np.testing.assert_allclose(recording.samples_uv, samples_uv, rtol=0, atol=0.000501)
    assert recording.sample_rate_hz == pytest.approx(rate_hz, abs=0.000501)
    assert datetime.strptime(recording.recorded_at, "%Y-%m-%d %H:%M:%S %z") == time


def test_the_written_file_has_the_lines_of_a_real_one(tmp_path):
    write_apple_csv(tmp_path / "a.csv", [780.78, -66.5, 12.0], 511.422, RECORDED, locale="de")
    lines = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()
    keys = [line.partition(",")[0] for line in lines]
    assert keys[:13] == [line.partition(",")[0] for line in GERMAN.splitlines()]
    assert lines[7] == "Messrate,511,422\u00a0hertz"
    assert lines[13:] == ["780,78", "-66,5", "12"]


def test_an_unknown_locale_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(RecordingError, match="'tlh'; expected one of en, en-DE, de, zh"):
        write_apple_csv(tmp_path / "a.csv", [1.0], 512.0, RECORDED, locale="tlh")


@pytest.mark.parametrize(
    ("unit", "microvolts"), [("µV", 1), ("μV", 1), ("uV", 1), ("mV", 1e3), ("V", 1e6), ("microvolts", 1)]
)
def test_units_become_microvolts(saved, unit, microvolts):
    lines = [f"{value / microvolts:.9f}" for value in ECG_UV]
    recording = read_recording(saved(ENGLISH.replace("µV", unit) + "\n".join(lines)))
    np.testing.assert_allclose(recording.samples_uv, ECG_UV, rtol=0, atol=0.001)


def numbered(values, separator, first=0):
    return [f"{i}{separator}{value}" for i, value in enumerate(values, first)]


@pytest.mark.parametrize(
    "lines",
    [
        POINTS,
        COMMAS,
        [f'"{value}"' for value in COMMAS],
        [f"{value}," for value in POINTS],
        [f"{value};" for value in COMMAS],
        [f"\N{NO-BREAK SPACE}{value} " for value in POINTS],
        [value.replace("-", "\N{MINUS SIGN}") for value in COMMAS],  # Swedish and Norwegian regions
        [value.translate(str.maketrans("0123456789,", "٠١٢٣٤٥٦٧٨٩٫")) for value in COMMAS],  # Arabic
        ["point,value", *numbered(POINTS, ",")],
        ["point,value (µV)", *numbered(POINTS, ",", first=1)],
        ["Lead,Voltage", *numbered(POINTS, ",")],
        ["Lead,Voltage", *(f"Lead I,{value}" for value in POINTS)],
        numbered(COMMAS, ","),
        numbered(COMMAS, ";"),
        numbered(COMMAS, "\t"),
        [f'"{i}","{value}"' for i, value in enumerate(COMMAS)],
        ["", "", *POINTS, "", ""],
    ],
)
def test_columns_are_read_at_512_hz_in_microvolts(saved, lines):
    recording = read_recording(saved(lines))
    assert np.array_equal(recording.samples_uv, ECG_UV)
    assert recording.sample_rate_hz == 512
    assert recording.recorded_at is None


def test_a_whole_number_among_decimal_commas_is_a_number(saved):
    recording = read_recording(saved(["12", *COMMAS[1:-1], "-7"]))
    assert (recording.samples_uv[0], recording.samples_uv[-1]) == (12, -7)


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2", "<i8"])
def test_npy_is_read_at_512_hz_in_microvolts(tmp_path, dtype):
    np.save(tmp_path / "a.npy", ECG_UV.astype(dtype))
    recording = read_recording(str(tmp_path / "a.npy"))
    assert np.array_equal(recording.samples_uv, ECG_UV.astype(dtype))
    assert recording.source == str(tmp_path / "a.npy")


def with_line(number, text, lines=POINTS):
    return [*lines[: number - 1], text, *lines[number:]]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \r\n\n", "is empty"),
        ("It was a dark and stormy night.\n" * 99, "no line is a number"),
        (ENGLISH, "no line is a number"),
        (["57.992"], "holds 1 value;"),
        (POINTS[:1536], "lasts 3.0 s; at least 4 s are needed: the first 3 s settle"),
        (POINTS[:2047], "lasts 3.9 s; at least 4 s"),
        (with_line(1, "nan"), "line 1 is nan"),
        (with_line(99, "NaN"), "line 99 is nan"),
        (with_line(99, "-inf"), "line 99 is -inf"),
        (with_line(99, "1e999"), "line 99 is inf"),
        (with_line(99, "nan", COMMAS), "line 99 is nan"),
        (ENGLISH + "\n".join(with_line(9, "NaN")), "line 22 is nan"),
        (with_line(99, "twelve"), "line 99 is text"),
        (with_line(99, "1_000"), "line 99 is text"),
        (with_line(99, "1.2.3"), "line 99 is not one number"),
        (with_line(99, "1 2"), "line 99 is not one number"),
        (with_line(99, "12,345"), "line 99 ('12,345') has a comma; others have points"),
        (with_line(99, "1,2,3", COMMAS), "line 99 ('1,2,3') is not one number"),
        ([f"{value},{value}" for value in POINTS], "has 2 channels, none named ECG; choose one with --channel"),
        ([f"{value};{value}" for value in POINTS], "has 2 channels, none named ECG; choose one with --channel"),
        ([f"{n + (n > 99)},{n}" for n in range(2500)], "line 101 ('101,100') may be two columns or one number"),
        (with_line(99, "99,5", numbered(range(2500), ",")), "line 99 ('99,5') may be two columns"),
        (with_line(2500, "2499", numbered(range(2500), ",")), "line 2500 ('2499') is not one number"),
        (with_line(2500, "24", numbered(range(2500), ",")), "line 2500 ('24') may be two columns"),
        ([f"{value * 1e3:.3f}" for value in ECG_UV * 2], "reaches 1.68 V; no ECG exceeds 1 V"),
        ([f"{value / 1e3:.6f}" for value in ECG_UV], "so they are surely in millivolts"),
        (["1e308", "-1e308"] * 2000, "no ECG exceeds 1 V"),
        (ENGLISH.replace("µV", "furlong") + "\n".join(POINTS), "unit is not known; expected µV, mV or V"),
        (ENGLISH.replace("513.625", "51.2") + "\n".join(POINTS), "51.2 Hz; expected 100 to 2000 Hz"),
        (ENGLISH.replace("513.625", "44100") + "\n".join(POINTS), "44100 Hz; expected 100 to 2000 Hz"),
        (
            ENGLISH.replace("513.625 hertz", "fast") + "\n".join(POINTS),
            "sample rate is not a number of hertz",
        ),
        (ENGLISH.replace("µV", f"µV{NAME}") + "\n".join(POINTS), "unit is not known; expected µV, mV or V"),
        (bytes(range(256)) * 9, "binary data"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary data"),
        (b"PK\x03\x04 and so on", "is a zip archive"),
        (b"\x93NUMPY\x01\0v\0{broken", "is not a readable .npy file"),
    ],
)
def test_a_broken_file_gets_one_sentence(saved, content, says):
    assert says in error_of(saved(content))


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros(0), "holds no values"),
        (np.zeros((15360, 2)), "shape (15360, 2)"),
        (np.zeros(15360, dtype=complex), "complex128"),
        (np.array(["1", "2"]), "<U1"),
        (np.array([1, None]), "is not a readable .npy"),
        (np.where(np.arange(2500) == 41, np.inf, ECG_UV), "value 42 is inf"),
        (np.where(np.arange(2500) % 5 < 3, np.nan, ECG_UV), "1500 of its 2500 samples are missing"),
        (ECG_UV.astype("<f2"), "float16"),
    ],
)
def test_a_broken_npy_gets_one_sentence(tmp_path, array, says):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    assert says in error_of(tmp_path / "a.npy")


def test_what_is_no_readable_file_gets_one_sentence(tmp_path, saved):
    assert "is a folder or a device" in error_of(tmp_path)
    assert "is a folder or a device" in error_of("/dev/zero")
    assert "No such file" in error_of(tmp_path / "missing.csv")
    assert "File name too long" in error_of(tmp_path / ("a" * 300))
    with saved(b"1\n").open("r+b") as file:
        file.truncate(50_000_001)
    assert "holds 50 MB; expected" in error_of(tmp_path / "ecg.csv")


def test_a_file_without_permission_gets_one_sentence(saved):
    path = saved(POINTS)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "Permission denied" in error_of(path)


def test_the_shortest_recording_lasts_what_the_constant_says(saved):
    count = int(MIN_DURATION_S * 512)
    assert read_recording(saved(POINTS[:count])).duration_s == MIN_DURATION_S
    assert "lasts" in error_of(saved(POINTS[: count - 1]))


@pytest.mark.parametrize("header", [ENGLISH, GERMAN, CHINESE, JAPANESE, RUSSIAN])
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text,
        lambda text: text + f"Name,{NAME}\n{BIRTH}\n",
        lambda text: text.replace(POINTS[50], f"{NAME} {BIRTH}"),
        lambda text: text.replace(POINTS[50], BIRTH),
        lambda text: text.replace(POINTS[50], "nan"),
        lambda text: text[:900],
        lambda text: text.replace(",", "\n"),
        lambda text: text.replace(",", ";").replace(" ", ""),
        lambda text: text.replace("µV", "furlong").replace("12", "fast"),
        lambda text: text.replace("\n", " "),
        lambda text: text.replace("\n", "", 10) + f"Name,{NAME}",
        lambda text: text.replace("hertz", f"Name,{NAME}").replace("µV", f"µV,{BIRTH}"),
        lambda text: text + "\0",
    ],
)
def test_the_person_is_in_no_field_and_no_error(saved, header, damage):
    path = saved(damage(header + "\n".join(POINTS) + "\n"))
    told = refusal(path) or repr(vars(read_recording(path)))
    for secret in (*NAME.split(), BIRTH, "1860"):
        assert secret not in told


@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.text(max_size=300).map(lambda text: text.encode("utf-16", "replace")),
        st.text(alphabet='0123456789+-.,;eE_ \t\nnaif"\u00a0\u0661\u066b\u2212', max_size=300).map(str.encode),
        st.binary(max_size=99).map(lambda noise: b"\x93NUMPY\x01\0" + noise),
        st.binary(max_size=99).map(lambda noise: GERMAN.encode() + noise),
    ),
    name=st.sampled_from(["a.csv", "b.npy", "c.hea", "d.dat", "e"]),
)
def test_no_bytes_raise_anything_but_a_recording_error(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    assert len(refusal(tmp_path / name).splitlines()) <= 1


@given(at=st.integers(0, 3000), noise=st.binary(min_size=1, max_size=9), cut=st.integers(0, 20))
def test_no_damage_to_a_good_file_raises_anything_else(tmp_path, at, noise, cut):
    good = (GERMAN + "\n".join(COMMAS)).encode()
    (tmp_path / "a.csv").write_bytes(good[:at] + noise + good[at + cut :])
    assert NAME not in refusal(tmp_path / "a.csv")


def test_reading_text_imports_neither_pandas_nor_wfdb(saved):
    code = (
        "import sys; from edge_ecg.readers.read import read_recording; read_recording(sys.argv[1]);"
        "sys.exit(bool({'pandas', 'wfdb', 'torch', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code, saved(POINTS)]).returncode == 0


def test_a_wfdb_record_without_wfdb_says_what_to_install(saved, monkeypatch):
    path = saved("100 1 360 650000\n", name="100.hea")
    monkeypatch.setitem(sys.modules, "wfdb", None)
    assert "pip install -e '.[wfdb]'" in error_of(path)


def test_every_real_watch_file_is_read(ecg_data):
    paths = sorted((ecg_data / "watch").glob("*/*/*.csv"))
    assert len(paths) == 264
    for path in paths:
        recording = read_recording(path)
        assert recording.samples_uv.shape == (15360,)
        assert recording.duration_s == 30
    assert np.array_equal(recording.samples_uv, np.loadtxt(path))


@pytest.mark.parametrize("name", ["100", "100.hea", "100.dat"])
def test_a_wfdb_record_has_the_physical_values_of_wfdb(ecg_data, name):
    wfdb = pytest.importorskip("wfdb")
    oracle = wfdb.rdrecord(str(ecg_data / "mitbih/100"))
    recording = read_recording(ecg_data / "mitbih" / name)
    assert oracle.units[0] == "mV"
    assert np.array_equal(recording.samples_uv, oracle.p_signal[:, 0] * 1000)
    assert recording.sample_rate_hz == 360


def test_a_wfdb_record_without_its_signal_file_gets_one_sentence(ecg_data, saved):
    pytest.importorskip("wfdb")
    path = saved((ecg_data / "mitbih/100.hea").read_bytes(), name="100.hea")
    assert "wfdb cannot read this record: No such file" in error_of(path)
