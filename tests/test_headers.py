"""One vocabulary of file headers: Python and the Swift core read every header alike, or refuse it alike."""

import ctypes as c
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from edge_ecg.errors import RecordingError
from edge_ecg.readers.header import VOCABULARY
from edge_ecg.readers.read import read_recording
from tests import vocabulary
from tests.surfaces import built

VALUES_UV = np.round(800 * np.sin(np.arange(2500) / 7.3) ** 15 + 40 * np.cos(np.arange(2500) / 90), 3)
POINTS = "\n".join(f"{value:.3f}" for value in VALUES_UV)
COMMAS = POINTS.replace(".", ",")
COUNTED = "\n".join(f"{number};{value}" for number, value in enumerate(COMMAS.split("\n")))
TIME = "2023-10-05 08:30:15 +0200"

# 256 Hz in every spelling; each header ends where the values begin.
SPELLED = [
    *(
        f"{key}{text}\n"
        for key, text in product(
            (
                "Sample Rate,",
                "Abtastrate;",
                "# sampling frequency = ",
                "Частота дискретизации: ",
                "サンプリング周波数,",
                "fs: ",
            ),
            ("256 Hz", "256,0 hertz", "0.256 kHz", "256"),
        )
    ),
    "Sample Rate (Hz),256\n",
    "samplerate_hz=256\n",
    "Tasa de muestreo,256 hercios\n",
    "Fréquence d'échantillonnage : 256 Hz\n",
    "Taux d'échantillonnage : 256\n",
    "Frequenza di campionamento: 256 hertz\n",
    "Taxa de amostragem: 256 Hz\n",
    "Częstotliwość próbkowania: 256 Hz\n",
    "Vzorkovací frekvence: 256 Hz\n",
    "Bemonsteringsfrequentie: 256 Hz\n",
    "Örnekleme hızı: 256 Hz\n",
    "Näytteenottotaajuus: 256 Hz\n",
    "Mintavételi frekvencia: 256 Hz\n",
    "Ρυθμός δειγματοληψίας: 256 χερτζ\n",
    "采样率,256赫兹\n",
    "取樣頻率:256 Hz\n",
    "샘플 속도,256헤르츠\n",
    "المعدل,٢٥٦ هرتز\n",
    "קצב דגימה,256 הרץ\n",
    "อัตราการสุ่ม,256 เฮิรตซ์\n",
    "Sampling rate: 256 samples per second\n",
    "data rate: 256 samples/s\n",
    "acquisition speed: 256 sps\n",
    "rate of samples,256 /s\n",
    "sampling interval,3.90625 ms\n",
    "dt = 0.00390625 s\n",
    "3.90625 msec/sample\n",
    "sample interval (us): 3906.25\n",
    "Device: X; Sampling Rate: 256 Hz; Gain: 1\n",
    "%Sampling Rate:= 256.00 Hz\n",
    '"Sample Rate","256 hertz"\n',
    "ＳＡＭＰＬＥ ＲＡＴＥ：２５６ Ｈｚ\n",
    "SAMPLE RATE,2.56e2 HZ\n",
    "sampling rate,256 ㎐\n",
    "Sample Rate,256 hertz\r\nHeart rate,70 bpm\r\nFilter,0.5-40 Hz\r\n",
]
OTHER = {
    "512 unless stated": "Software,1.90\nHeart rate,112 bpm\nMains,50 Hz\n",
    "unknown words": "Fréquence,510,5 battements\n",
    "a nominal rate and a measured one": "Sample Rate,500 Hz\nfs,499.2\n",
    "two rates": "fs,250\nSample Rate,500 hertz\n",
    "no number": "Sampling rate,fast\n",
    "none at all": "Sample Rate,0 hertz\n",
    "below zero": "Sample Rate,-512 hertz\n",
    "infinite": "fs,inf\n",
    "two numbers": "rate,1 2\n",
    "of the heart": "Sampling rate,72 bpm\n",
    "interval of nothing": "sampling interval,0 ms\n",
    "step of nothing": "0 msec/sample\n",
    "rate too low": "Sample Rate,51.2 hertz\n",
    "time in ISO": f"Recorded Date,{TIME}\n",
    "time in UTC": "Start time: 2023-10-05T08:30:15Z\n",
    "time before noon": "Recorded Date,2023/10/5 8:30:15 AM\n",
    "time after noon": "Aufzeichnungsdatum,5.10.2023 8:30 nachm.\n",
    "time in words": "Acquisition start,Oct 5, 2023 at 8:30 PM\n",
    "time in Chinese": "记录日期,2023年10月5日 下午8:30\n",
    "time of an era": "記録 start,令和5年10月5日 午後8:30\n",
    "Buddhist year": "Start time,2566-10-05 12:00\n",
    "unknown half of the day": "Recorded Date,2023-10-05 8:30 zzz\n",
    "half past 25": "Recorded Date,2023-10-05 25:30:00 +0100\n",
    "birth date alone": "Geburtstag,1960-05-21\n名,1960-05-21\n",
    "time with a zone under any key": f"Quando,{TIME}\n",
    "millivolts": "Unit,mV\n",
    "millivolts in Russian": "Единица,мВ\n",
    "microvolts by sight": "Verstärker,µV\n",
    "microvolts in one character": "Unidad,㎶\n",
    "volts as a heading": "ECG (mV)\n",
    "unknown unit": "Unit,furlong\n",
    "unit in a heading": "ecg [furlong]\n",
    "a gain's unit is no unit": "Gain,100 1/mV\n",
    "a name is a unit": "Name,Milli Mv\nUnit,µV\n",
}
HEADERS = [*SPELLED, *OTHER.values()]


class Swift:
    """The text reader of the compiled core, in this process."""

    def __init__(self, library: Path):
        self._core, self._error = c.CDLL(str(library)), c.create_string_buffer(512)
        for name, result, *arguments in (
            ("read", c.c_void_p, c.c_char_p, c.c_size_t, c.c_char_p, c.c_char_p, c.c_size_t),
            ("rate_hz", c.c_double, c.c_void_p),
            ("recorded_at", c.c_size_t, c.c_void_p, c.c_char_p, c.c_size_t),
            ("samples", c.c_size_t, c.c_void_p, c.POINTER(c.POINTER(c.c_double))),
            ("close", None, c.c_void_p),
        ):
            function = getattr(self._core, f"ecg_recording_{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, f"_{name}", function)

    def __call__(self, content: bytes) -> object:
        """Rate, time and samples; or the error."""
        handle = self._read(content, len(content), b"a.csv", self._error, 512)
        if not handle:
            return _gist(self._error.value.decode())
        text, samples = c.create_string_buffer(99), c.POINTER(c.c_double)()
        self._recorded_at(handle, text, 99)
        count = self._samples(handle, c.byref(samples))
        found = self._rate_hz(handle), text.value.decode(), tuple(samples[:count])
        self._close(handle)
        return found


@pytest.fixture(scope="module")
def swift() -> Swift:
    return Swift(built("x86_64") / "libedge_ecg.so")


def in_python(path: Path) -> object:
    try:
        recording = read_recording(path)
    except RecordingError as error:
        return _gist(str(error).removeprefix(f"{path}: "))
    return recording.sample_rate_hz, recording.recorded_at or "", tuple(recording.samples_uv)


def _gist(sentence: str) -> str:
    return re.split(r"[;\d]|, which", sentence)[0].strip()


@pytest.mark.ci
@pytest.mark.parametrize("values", [POINTS, COMMAS, COUNTED], ids=["points", "commas", "counted"])
def test_swift_reads_every_header_as_python_does(swift: Swift, tmp_path: Path, values: str) -> None:
    path, different = tmp_path / "a.csv", []
    for header in HEADERS:
        path.write_text(header + "\n" + values + "\n", encoding="utf-8", newline="")
        got, wanted = swift(path.read_bytes()), in_python(path)
        if got != wanted:
            different.append((header, str(got)[:80], str(wanted)[:80]))
    assert different == []
    assert len(HEADERS) > 80


def test_python_reads_256_hz_in_every_spelling(tmp_path: Path) -> None:
    path, rates = tmp_path / "a.csv", {}
    for header in SPELLED:
        path.write_text(header + "\n" + POINTS + "\n", encoding="utf-8", newline="")
        rates[header] = read_recording(path).sample_rate_hz
    assert {header: rate for header, rate in rates.items() if rate != 256} == {}


def test_the_words_of_swift_are_those_of_python() -> None:
    assert vocabulary.FILE.read_text(encoding="utf-8") == vocabulary.swift()
    assert len(VOCABULARY) > 30
