"""Whatever bytes a stranger sends, a reader answers or refuses in one sentence, soon, and with bounded memory.

EDGE_ECG_FUZZ is the number of mutations of each kind (default 8; 40 in CI); 5,000 in all is EDGE_ECG_FUZZ=400.
"""

import json
import random
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from fuzzing import SEEDS, SMALL, Files, answers, fuzzed, good_files, mutated, zipped
from hypothesis import given
from hypothesis import strategies as st

from edge_ecg.bundles.bundle import load_bundle
from edge_ecg.contract import CONTRACT, Contract
from edge_ecg.datasets.dataset_file import read_dataset
from edge_ecg.datasets.labeling import Item, by_table
from edge_ecg.errors import EdgeEcgError
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.readers.find import find_recordings
from edge_ecg.readers.read import read_recording
from tests.bad_bundles import forge


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return good_files(tmp_path_factory.mktemp("good"))


@pytest.mark.parametrize(
    "name",
    [
        *("en.csv", "de.csv", "utf16.csv", "columns.csv", "times.csv", "app.json", "fitbit.json", "health.json"),
        *("fhir.json", "opensignals.txt", "a.npy", "v4.mat", "v5.mat", "jitter.csv"),
    ],
)
@fuzzed
@given(seed=SEEDS)
def test_recordings(tmp_path: Path, files: dict[str, bytes], name: str, seed: int) -> None:
    (tmp_path / name).write_bytes(mutated(files[name], seed))
    answers(lambda: read_recording(tmp_path / name))


@pytest.mark.parametrize(("name", "needs"), [("wide.csv", "numpy"), ("page.pdf", "pypdf")])
@fuzzed
@given(seed=SEEDS)
def test_recordings_of_a_folder(tmp_path: Path, files: dict[str, bytes], name: str, needs: str, seed: int) -> None:
    pytest.importorskip(needs)
    pytest.importorskip("reportlab")
    (tmp_path / name).write_bytes(mutated(files[name], seed))
    for found in find_recordings(tmp_path / name):
        answers(found.read)


@fuzzed
@given(seed=SEEDS)
def test_wfdb_records(tmp_path: Path, files: dict[str, bytes], seed: int) -> None:
    pytest.importorskip("wfdb")
    (tmp_path / "record.hea").write_bytes(mutated(files["record.hea"], seed))
    (tmp_path / "record.dat").write_bytes(files["record.dat"])
    answers(lambda: read_recording(tmp_path / "record.hea"))


@pytest.mark.parametrize("name", ["a.edf", "a.bdf"])
@fuzzed
@given(seed=SEEDS)
def test_edf_files(tmp_path: Path, files: dict[str, bytes], name: str, seed: int) -> None:
    pytest.importorskip("edfio")
    (tmp_path / name).write_bytes(mutated(files[name], seed))
    answers(lambda: read_recording(tmp_path / name))


@pytest.mark.parametrize("name", ["export.zip", "stored.zip", "record.zip"])
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
    raw = zipped(small_bundle)
    (tmp_path / "bundle.zip").write_bytes(raw[:-9000] + mutated(raw[-9000:], seed))
    answers(lambda: load_bundle(tmp_path / "bundle.zip"))


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
    forge(target, manifest)
    try:
        answers(lambda: load_bundle(target))
    finally:
        forge(target, good)


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


def some_leaf(rng: random.Random, value: object) -> tuple[object, object]:
    """A random container inside a JSON value, and one of its keys."""
    container, key = value, None
    while isinstance(value, dict | list) and value:
        container, key = value, rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if rng.random() < 0.15:
            break
        value = container[key]
    return container, key


def test_a_signalling_nan_is_refused_without_a_warning(small_bundle: Path) -> None:
    """Found by fuzzing: NumPy warned of it, on the way to the sentence that refuses it."""
    bank = load_bundle(small_bundle).references
    assert bank.distribution is not None
    content, middle = bytearray(bank.to_bytes()), bank.distribution.centres.astype(np.float32).tobytes()
    at = content.index(middle)
    content[at : at + 4] = bytes.fromhex("0100a07f")
    with pytest.raises(EdgeEcgError, match="contains NaN"):
        ReferenceBank.from_bytes(bytes(content))


@pytest.mark.parametrize("reader", ["labels", "dataset", "references", "manifest", "archive", "recording", "bundle"])
def test_readers_fuzzed_by_coverage(small_dataset: Path, small_bundle: Path, tmp_path: Path, reader: str) -> None:
    if find_spec("atheris") is None:
        pytest.skip("atheris is not installed (pip install -e '.[fuzz]', Python 3.11): NOT fuzzed by coverage")
    command = [sys.executable, Path(__file__).parent / "fuzz_readers.py", reader, "-runs=300", "-max_total_time=4"]
    paths = ["--data", small_dataset.parent, "--bundle", small_bundle, "--out", tmp_path]
    done = subprocess.run([*map(str, command), *map(str, paths)], capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stderr[-3000:]
