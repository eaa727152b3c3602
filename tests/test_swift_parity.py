"""The Swift package gives the same R peaks, beats, votes and decisions as Python, and refuses what Python refuses."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_ecg.bundles.bundle import Bundle, load_bundle, packed, unpacked
from edge_ecg.bundles.manifest import MANIFEST, sealed
from edge_ecg.bundles.pack import pack_bundle
from edge_ecg.errors import BundleVersionError, EdgeEcgError
from edge_ecg.playback import replay
from edge_ecg.readers.apple_format import write_apple_csv
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import Recording
from edge_ecg.signal.resample import Resampler
from edge_ecg.signal.rpeaks import r_peaks
from edge_ecg.simulation.meaningless import MEANINGLESS
from edge_ecg.simulation.synthetic import record, synthetic_person
from edge_ecg.watch import embed
from tests.bad_bundles import BAD_BUNDLES, write_bad_bundle
from tests.shape_cases import shape_cases

pytestmark = pytest.mark.ci
PACKAGE = Path(__file__).parent.parent
TOOLCHAIN = "/opt/swift/usr/bin"
HELD_OUT = ("0924", "1006", "0926", "1002", "1007")
TIMED = ("latency_us", "realtime_factor", "late_chunks")


@pytest.fixture(scope="session")
def swift_tool(request) -> Path:
    """`edge-ecg-swift`, built in release mode; where there is no Swift, the test is skipped and says so."""
    swift = shutil.which("swift", path=f"{os.environ.get('PATH', '')}:{TOOLCHAIN}")
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if swift is None:
        reason = f"no Swift toolchain on PATH or in {TOOLCHAIN}: Swift was NOT compared with Python"
        if reporter:
            reporter.write_line(f"\n{reason}", yellow=True)
        pytest.skip(reason)
    command = [swift, "build", "-c", "release", "-j", "2", "--package-path", str(PACKAGE), "--product"]
    built = subprocess.run([*command, "edge-ecg-swift"], capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "warning:" not in built.stdout + built.stderr
    return PACKAGE / ".build/release/edge-ecg-swift"


def swift_replay(tool: Path, bundle: Bundle, files: list[Path], *options: str) -> list[dict[str, Any]]:
    command = [tool, "replay", bundle.path, *files, "--json", "--beats", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def all_r_peaks(recording: Recording) -> list[int]:
    resampler = Resampler(recording.sample_rate_hz)
    samples_uv = np.concatenate([resampler.push(recording.samples_uv), resampler.finish()])
    return [int(index) for index in r_peaks(samples_uv)]


def assert_same(bundle: Bundle, path: Path, swift: dict[str, Any]) -> None:
    """Everything that Swift said of a recording, against Python."""
    recording = read_recording(path)
    python = replay(bundle, recording)
    line = python.to_json()
    rounded = ("confidence", "log_odds")  # to four decimals, of numbers that differ in the sixth
    for entry in line.keys() - {*TIMED, *rounded}:
        assert swift[entry] == line[entry], (path, entry)
    for entry in rounded:
        assert swift[entry] == pytest.approx(line[entry], abs=1.1e-4), path
    assert swift.keys() == line.keys() | {"r_peaks", "judged"}
    assert swift["r_peaks"] == all_r_peaks(recording), path
    assert len(swift["judged"]) == len(python.judged), path
    for got, judged in zip(swift["judged"], python.judged, strict=True):
        assert got["r_index"] == judged.beat.r_index
        assert got["known_at_s"] == judged.beat.known_at_s
        assert got["is_turned"] == judged.beat.is_turned
        assert tuple(got["unusable"]) == judged.unusable
        assert got["decision"] == judged.decision.label
        if judged.vote is None:
            assert "logits" not in got
            continue
        assert np.array_equal(np.array(got["values"], np.float32), judged.beat.values)
        embedding = embed(bundle, judged.beat)
        logits = bundle.comparator(embedding, bundle.references.embeddings)
        np.testing.assert_allclose(got["embedding"], embedding[0], rtol=0, atol=1e-4)
        np.testing.assert_allclose(got["logits"], logits, rtol=0, atol=1e-3)
        assert got["same_as_baseline"] == judged.vote.same_as_baseline
        assert got["same_as_target"] == judged.vote.same_as_target
        assert got["hard_target"] == judged.vote.hard_target
        assert got["evidence"] == pytest.approx(judged.vote.evidence, abs=1e-3)


@pytest.fixture(scope="session")
def small(small_bundle) -> Bundle:
    return load_bundle(small_bundle)


@pytest.fixture(scope="session")
def synthetic_files(tmp_path_factory) -> list[Path]:
    """Recordings in other rates and languages, upside down, with ectopic beats, in noise, flat and clipped."""
    folder = tmp_path_factory.mktemp("synthetic")
    person = synthetic_person(5)
    kinds: list[tuple[str, str, dict[str, Any]]] = [
        ("fasting", "en", {}),
        ("glucose", "de", {"sample_rate_hz": 511.422}),
        ("glucose", "en-DE", {"sample_rate_hz": 513.625, "inverted": True}),
        ("fasting", "zh", {"sample_rate_hz": 360.0, "ectopic_rate": 0.2}),
        ("glucose", "en", {"noise_uv": 60.0}),
        ("fasting", "en", {"sample_rate_hz": 1000.0, "duration_s": 12.0}),
        ("glucose", "en", {"noise_uv": 25.0, "duration_s": 4.5}),
    ]
    files = []
    for number, (state, locale, options) in enumerate(kinds):
        made = record(person, state, number % 3, number=number, **options)
        samples_uv = made.samples_uv.copy()
        if number == 4:
            samples_uv[6000:6200] = samples_uv[6000]  # a stretch that is flat ...
            samples_uv[9000:9600] = np.clip(samples_uv[9000:9600], -100, 300)  # ... and a rail
        path = folder / f"{number}_{state}.csv"
        write_apple_csv(path, samples_uv, made.sample_rate_hz, made.recorded_at, locale)
        files.append(path)
    np.save(folder / "column.npy", record(person, "glucose", 1, number=9).samples_uv.astype(np.float32))
    own, other = (record(synthetic_person(1), state, 1, number=1).samples_uv for state in ("fasting", "glucose"))
    stranger = record(person, "fasting", 0, number=1, duration_s=32.0).samples_uv
    for kind, made in MEANINGLESS.items():  # of the person of the bundle
        files.append(folder / f"{kind.replace(' ', '_')}.npy")
        np.save(files[-1], made(own, other, stranger))
    return [*files, folder / "column.npy"]


@pytest.mark.parametrize("chunk", [1, 64, 100_000])
def test_swift_follows_python_on_synthetic_recordings(swift_tool, small, synthetic_files, chunk):
    for path, line in zip(
        synthetic_files, swift_replay(swift_tool, small, synthetic_files, "--chunk", str(chunk)), strict=True
    ):
        assert_same(small, path, line)


def test_swift_follows_python_on_every_held_out_recording(swift_tool, small, ecg_data):
    files = [p for date in HELD_OUT for p in sorted((ecg_data / "watch" / date).glob("*/*.csv"))]
    files = [p for p in files if p.parent.name in ("fast1", "glucose1")]
    assert len(files) == 99
    for path, line in zip(files, swift_replay(swift_tool, small, files), strict=True):
        assert_same(small, path, line)


@pytest.fixture(scope="session")
def pack(small_bundle, tmp_path_factory) -> Path:
    """The small bundle as one file for a watch."""
    out = tmp_path_factory.mktemp("pack") / "person.ecgbundle"
    pack_bundle(small_bundle, out)
    return out


def test_swift_decides_by_a_packed_bundle_as_python_does(swift_tool, pack, synthetic_files, ecg_data):
    files = [*synthetic_files, *sorted((ecg_data / "watch/1006").glob("*/*.csv"))]
    assert len(files) > 30
    for path, line in zip(files, swift_replay(swift_tool, load_bundle(pack), files), strict=True):
        assert_same(load_bundle(pack), path, line)


def test_swift_and_python_tell_an_altered_pack_from_one_of_another_schema(swift_tool, pack, tmp_path):
    good, altered = pack.read_bytes(), tmp_path / "altered.ecgbundle"
    for place in np.random.default_rng(18).choice(len(good), 40, replace=False):
        altered.write_bytes(good[:place] + bytes([good[place] ^ 64]) + good[place + 1 :])
        done = subprocess.run([swift_tool, "verify", altered], capture_output=True, text=True)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert done.stderr.startswith(f"error: {altered}: ")
        assert "altered" in done.stderr
    files = unpacked(pack, good)
    newer = json.loads(files["manifest.json"]) | {"schema": 4}
    altered.write_bytes(packed({**files, **sealed(newer)}))
    done = subprocess.run([swift_tool, "verify", altered], capture_output=True, text=True)
    assert done.stderr == f"error: {altered}: schema is 4, this package reads 3\n"
    with pytest.raises(BundleVersionError, match="schema is 4"):
        load_bundle(altered)


def test_swift_verifies_the_golden_vectors_of_a_bundle(swift_tool, small):
    done = subprocess.run([swift_tool, "verify", small.path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


@pytest.mark.parametrize("name", BAD_BUNDLES)
def test_swift_refuses_the_bundles_that_python_refuses(swift_tool, small_bundle, tmp_path, name, monkeypatch):
    spoilt = write_bad_bundle(name, Path(small_bundle), tmp_path)

    def load() -> None:
        load_bundle(spoilt)
        monkeypatch.setattr("edge_ecg.bundles.bundle.has_onnx_runtime", lambda: False)
        load_bundle(spoilt)  # by the portable form, as Swift does

    with pytest.raises(EdgeEcgError):
        load()
    done = subprocess.run([swift_tool, "verify", spoilt], capture_output=True, text=True)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith(f"error: {spoilt}: ")


def refusal(path: Path) -> str:
    try:
        read_recording(path)
    except EdgeEcgError as error:
        return str(error)
    return ""


def ecg_lines(mark: str = ".") -> list[str]:
    values = np.round(800 * np.sin(np.arange(2500) / 7.3) ** 15 + 40 * np.cos(np.arange(2500) / 90), 3)
    return [f"{value:.3f}".replace(".", mark) for value in values]


READABLE = {
    "commas": "\n".join(ecg_lines(",")),
    "quoted": "\n".join(f'"{v}"' for v in ecg_lines(",")),
    "padded": "\n".join(f"{v};" for v in ecg_lines(",")),
    "minus": "\n".join(ecg_lines(",")).replace("-", "\N{MINUS SIGN}"),
    "arabic": "\n".join(ecg_lines(",")).translate(str.maketrans("0123456789,", "٠١٢٣٤٥٦٧٨٩٫")),
    "index": "point,value\n" + "\n".join(f"{i},{v}" for i, v in enumerate(ecg_lines())),
    "from one": "point;value\n" + "\n".join(f"{i};{v}" for i, v in enumerate(ecg_lines(","), 1)),
    "counter from anywhere": ",ecg\n" + "\n".join(f"{i},{v}" for i, v in enumerate(ecg_lines(), 5000)),
    "counter and commas": "\n".join(f"{i};{v}" for i, v in enumerate(ecg_lines(","), 5000)),
    "lead": "Lead,Voltage\n" + "\n".join(f"Lead I,{v}" for v in ecg_lines()),
    "exponent": "\n".join(f"{float(v):.6e}" for v in ecg_lines()),
    "millivolts": "Unit,mV\n" + "\n".join(f"{float(v) / 1000:.6f}" for v in ecg_lines()),
    "japanese": "サンプルレート,512.000 Hz\n単位,µV\n\n" + "\n".join(ecg_lines()),
    "russian": "Имя,X\nЧастота,511,422 герц\n\nЕдиница,мкВ\n\n" + "\n".join(ecg_lines(",")),
    "unknown words": "Fréquence,510,5 battements\n\n" + "\n".join(ecg_lines(",")),
    "windows ends": "Sample Rate,500 hertz\r\n\r\n" + "\r\n".join(ecg_lines()),
}
BROKEN = {
    "empty": b"",
    "text": b"It was a dark and stormy night.\n" * 99,
    "short": "\n".join(ecg_lines()[:2047]).encode(),
    "nan": "\n".join([*ecg_lines()[:98], "nan", *ecg_lines()[99:]]).encode(),
    "inf": "\n".join([*ecg_lines()[:98], "1e999", *ecg_lines()[99:]]).encode(),
    "words": "\n".join([*ecg_lines()[:98], "twelve", *ecg_lines()[99:]]).encode(),
    "underscore": "\n".join([*ecg_lines()[:98], "1_000", *ecg_lines()[99:]]).encode(),
    "two points": "\n".join([*ecg_lines()[:98], "1.2.3", *ecg_lines()[99:]]).encode(),
    "one comma": "\n".join([*ecg_lines()[:98], "12,345", *ecg_lines()[99:]]).encode(),
    "index ends": "\n".join([*(f"{i},{i}" for i in range(2499)), "24"]).encode(),
    "too large": "\n".join(f"{float(v) * 1e4:.3f}" for v in ecg_lines()).encode(),
    "too small": "\n".join(f"{float(v) / 1e3:.6f}" for v in ecg_lines()).encode(),
    "unit": ("Unit,furlong\n" + "\n".join(ecg_lines())).encode(),
    "rate": ("Sample Rate,51.2 hertz\n" + "\n".join(ecg_lines())).encode(),
    "rate of 0": ("Sample Rate,0 hertz\n" + "\n".join(ecg_lines())).encode(),
    "no rate": ("Sample Rate,fast\n" + "\n".join(ecg_lines())).encode(),
    "binary": bytes(range(256)) * 9,
    "zip": b"PK\x03\x04 and so on",
    "npy": b"\x93NUMPY\x01\0v\0{broken",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_swift_reads_the_files_that_python_reads(swift_tool, small, tmp_path, encoding):
    files = []
    for name, text in READABLE.items():
        files.append(tmp_path / f"{name}.csv")
        files[-1].write_bytes(text.encode(encoding))
        assert refusal(files[-1]) == ""
    for path, line in zip(files, swift_replay(swift_tool, small, files), strict=True):
        assert line["r_peaks"] == all_r_peaks(read_recording(path)), path


def test_swift_refuses_the_files_that_python_refuses_in_the_same_words(swift_tool, small, tmp_path):
    files = []
    for name, content in BROKEN.items():
        files.append(tmp_path / f"{name}.csv")
        files[-1].write_bytes(content)
    command = [swift_tool, "replay", small.path, *files, "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    said = [line.removeprefix("error: ") for line in done.stderr.splitlines()]
    assert len(said) == len(files)
    for path, sentence in zip(files, said, strict=True):
        assert _gist(sentence) == _gist(refusal(path))


def _gist(sentence: str) -> str:
    """A sentence up to its first semicolon, numbers as few digits as both languages show."""
    return sentence.partition(";")[0].partition(" in 'µV")[0][:70]


def test_swift_and_python_answer_every_shape_of_a_manifest_alike(swift_tool, pack, tmp_path):
    files = unpacked(pack, pack.read_bytes())
    enrolment = {"recordings": 3, "dates": ["2024-03-01"], "distance": 0.3, "more": 1}
    cases = dict(shape_cases({**json.loads(files[MANIFEST]), "enrollment": enrolment}))
    paths = [tmp_path / f"{number}.ecgbundle" for number in range(len(cases))]
    python = []
    for path, manifest in zip(paths, cases.values(), strict=True):
        path.write_bytes(packed({**files, **sealed(manifest)}))
        try:
            python.append(bool(load_bundle(path)))
        except EdgeEcgError:
            python.append(False)
    refused = set()
    for some in range(0, len(paths), 500):
        command = [swift_tool, "verify", *paths[some : some + 500]]
        errors = subprocess.run(command, capture_output=True, text=True).stderr.splitlines()
        refused |= {line.removeprefix("error: ").split(":")[0] for line in errors}
    swift = [str(path) not in refused for path in paths]
    assert [name for name, p, s in zip(cases, python, swift, strict=True) if p != s] == []
    assert len(cases) > 2500
    assert 300 < sum(python) < len(cases) / 4
