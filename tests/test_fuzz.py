"""Whatever bytes a stranger sends, a reader answers or refuses in one sentence, soon, and with bounded memory.

EDGE_ECG_FUZZ is the number of mutations of each kind (default 40); 5,000 in all is EDGE_ECG_FUZZ=400.
"""

import io
import json
import os
import random
import resource
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from edge_ecg.apple_format import write_apple_csv
from edge_ecg.bundle import load_bundle, sealed
from edge_ecg.contract import CONTRACT, Contract
from edge_ecg.errors import EdgeEcgError
from edge_ecg.health_export import find_recordings
from edge_ecg.labelling import Item, by_table
from edge_ecg.recording import read_recording
from edge_ecg.references import ReferenceBank
from train.dataset import read_dataset

MUTATIONS = int(os.environ.get("EDGE_ECG_FUZZ", "40"))
MOST_S = 2.0 if not os.environ.get("CI") else 5.0  # CPU seconds; a crowded machine's clock says little
MOST_MB = 700
SECRET = "Wilhelmine"

fuzzed = settings(
    max_examples=MUTATIONS,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SEEDS = st.integers(0, 2**63)


def mutated(content: bytes, seed: int) -> bytes:
    """A few random edits: flipped bits, numbers at their limits, pieces cut, doubled, moved or replaced."""
    rng = random.Random(seed)
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(data) + 1) if rng.random() < 0.6 else min(len(data), rng.randrange(400))
        if rng.random() < 0.2:
            at = max(0, len(data) - rng.randrange(200))
        size = rng.choice((1, 2, 4, 8, 40, 400))
        piece = data[at : at + size]
        match rng.randrange(8):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at : at + size] = rng.randbytes(size)
            case 2:
                del data[at : at + size]
            case 3:
                data[at:at] = piece * rng.choice((1, 3, 30))
            case 4:
                data[at : at + size] = rng.choice((b"\xff", b"\0", b"9", b"[", b'"', b"-", b"\n")) * size
            case 5:
                del data[at:]
            case 6:
                other = rng.randrange(len(data) + 1)
                data[other:other] = piece
            case 7:
                data[at : at + size] = rng.choice(
                    (b"1e999", b"nan", b"../", b"512 hertz\n", b'"', b",", b"\xef\xbb\xbf", b"9" * 400, SECRET.encode())
                )
    return bytes(data)


def answers(read: Callable[[], object], secret: str = SECRET) -> bool:
    """Whether the bytes were accepted; anything but an answer or one sentence, soon, is a failure."""
    began = time.process_time()
    said = ""
    try:
        read()
    except EdgeEcgError as error:
        said = str(error)
    assert time.process_time() - began < MOST_S
    assert "\n" not in said
    assert secret not in said
    return not said


@pytest.fixture(autouse=True)
def _bounded_memory() -> Iterator[None]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MB * 1024


class Files(dict[str, bytes]):
    """Files by name; hypothesis shows it in a failure."""

    def __repr__(self) -> str:
        return f"Files({', '.join(self)})"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A good file of each kind."""
    folder = tmp_path_factory.mktemp("good")
    ecg_uv = np.round(np.random.default_rng(0).normal(0, 200, 2300), 3)
    write_apple_csv(folder / "en.csv", ecg_uv, 512.0, "2024-03-01 08:00:00 +0100", name=SECRET)
    write_apple_csv(folder / "de.csv", ecg_uv, 511.422, "2024-03-01 08:00:00 +0100", "de", name=SECRET)
    (folder / "utf16.csv").write_bytes((folder / "en.csv").read_text().encode("utf-16"))
    (folder / "columns.csv").write_text("point,value\n" + "\n".join(f"{i},{v}" for i, v in enumerate(ecg_uv)))
    np.save(folder / "a.npy", ecg_uv)
    (folder / "record.hea").write_text(f"record 1 360 2300\nrecord.dat 16 200(0)/uV 16 0 0 0 0 ECG\n# {SECRET}\n")
    (folder / "record.dat").write_bytes(ecg_uv.astype("<i2").tobytes())
    with zipfile.ZipFile(folder / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "en.csv", "apple_health_export/electrocardiograms/ecg_1.csv")
        archive.write(folder / "de.csv", "apple_health_export/electrocardiograms/ecg_2.csv")
    (folder / "stored.zip").write_bytes(stored(folder / "de.csv"))
    return Files((path.name, path.read_bytes()) for path in folder.iterdir())


def stored(path: Path) -> bytes:
    """An archive without compression, so that a mutation of its content is seen by the reader of recordings."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.write(path, "electrocardiograms/ecg.csv")
    return held.getvalue()


@pytest.mark.parametrize("name", ["en.csv", "de.csv", "utf16.csv", "columns.csv", "a.npy"])
@fuzzed
@given(seed=SEEDS)
def test_recordings(tmp_path: Path, files: dict[str, bytes], name: str, seed: int) -> None:
    (tmp_path / name).write_bytes(mutated(files[name], seed))
    answers(lambda: read_recording(tmp_path / name))


@fuzzed
@given(seed=SEEDS)
def test_wfdb_records(tmp_path: Path, files: dict[str, bytes], seed: int) -> None:
    pytest.importorskip("wfdb")
    (tmp_path / "record.hea").write_bytes(mutated(files["record.hea"], seed))
    (tmp_path / "record.dat").write_bytes(files["record.dat"])
    answers(lambda: read_recording(tmp_path / "record.hea"))


@fuzzed
@given(seed=SEEDS)
def test_edf_files(tmp_path: Path, files: dict[str, bytes], seed: int) -> None:
    edfio = pytest.importorskip("edfio")
    ecg_uv = np.load(io.BytesIO(files["a.npy"]))[:2048]
    signal = edfio.EdfSignal(ecg_uv, 256, label="ECG", physical_dimension="uV", physical_range=(-2000, 2000))
    good = edfio.Edf([signal], patient=edfio.Patient(name=SECRET)).to_bytes()
    (tmp_path / "a.edf").write_bytes(mutated(good, seed))
    answers(lambda: read_recording(tmp_path / "a.edf"))


@pytest.mark.parametrize("name", ["export.zip", "stored.zip"])
@fuzzed
@given(seed=SEEDS)
def test_archives(tmp_path: Path, files: dict[str, bytes], name: str, seed: int) -> None:
    def read() -> None:
        for found in find_recordings(tmp_path / name):
            answers(found.read)

    (tmp_path / name).write_bytes(mutated(files[name], seed))
    answers(read)
    assert {path.name for path in tmp_path.iterdir()} <= set(files)


@pytest.fixture(scope="module")
def target(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(small_bundle, tmp_path_factory.mktemp("fuzz") / "bundle"))


SMALL = ("manifest.json", "references.safetensors", "golden.json", "encoder.onnx", "comparator.onnx")


@fuzzed
@given(seed=SEEDS, name=st.sampled_from(SMALL))
def test_a_mutated_file_of_a_bundle_is_always_refused(target: Path, seed: int, name: str) -> None:
    good = (target / name).read_bytes()
    bad = mutated(good, seed)
    (target / name).write_bytes(bad)
    try:
        assert not answers(lambda: load_bundle(target)) or bad == good
    finally:
        (target / name).write_bytes(good)


@fuzzed
@given(seed=SEEDS)
def test_a_mutated_zip_of_a_bundle(small_bundle: Path, tmp_path: Path, seed: int) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for file in small_bundle.rglob("*"):
            if file.is_file():
                archive.write(file, file.relative_to(small_bundle).as_posix())
    raw = held.getvalue()
    (tmp_path / "bundle.zip").write_bytes(raw[:-9000] + mutated(raw[-9000:], seed))
    answers(lambda: load_bundle(tmp_path / "bundle.zip"))


def some_leaf(rng: random.Random, value: object) -> tuple[object, object]:
    """A random container inside a JSON value, and one of its keys."""
    container, key = value, None
    while isinstance(value, dict | list) and value:
        container, key = value, rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if rng.random() < 0.15:
            break
        value = container[key]
    return container, key


@fuzzed
@given(seed=SEEDS)
def test_a_manifest_that_a_forger_sealed(target: Path, seed: int) -> None:
    rng = random.Random(seed)
    good = (target / "manifest.json").read_bytes()
    manifest = json.loads(good)
    container, key = some_leaf(rng, manifest)
    odd = (None, -1, 0, 1e308, 2**70, "", "../x", "x" * 9999, [], {}, [[]], True, "nan", {"a": [1]}, 1e-320)
    if rng.random() < 0.2:
        del container[key]  # type: ignore[attr-defined]
    else:
        container[key] = rng.choice(odd)  # type: ignore[index]
    (target / "manifest.json").write_bytes(sealed(manifest))
    try:
        answers(lambda: load_bundle(target))
    finally:
        (target / "manifest.json").write_bytes(good)


@fuzzed
@given(seed=SEEDS)
def test_references_contract_dataset_and_labels(small_dataset: Path, tmp_path: Path, seed: int) -> None:
    bank = ReferenceBank(np.ones((4, 8), np.float32), np.array([False, True, False, True]))
    content = mutated(bank.to_bytes(), seed)
    answers(lambda: ReferenceBank.from_bytes(content))
    contract = CONTRACT.to_json()
    container, key = some_leaf(random.Random(seed), contract)
    container[key] = random.Random(seed).choice((None, -1, 1e308, "x", [], float("nan"), 0))  # type: ignore[index]
    answers(lambda: Contract.from_json(contract))
    (tmp_path / "dataset.toml").write_bytes(mutated(small_dataset.read_bytes(), seed))
    # A dataset and a table of labels are the user's own words, and may be quoted.
    answers(lambda: [read_dataset(tmp_path / "dataset.toml").entries(w) for w in ("train", "test")], secret="\n")
    (tmp_path / "labels.csv").write_bytes(mutated(b"file,label\n2024-03-01 08:00,rest\na.csv,run\n", seed))
    answers(
        lambda: by_table([Item("x/a.csv", "2024-03-01 08:00:00 +0000", 512.0, 30.0)], tmp_path / "labels.csv"), "\n"
    )
