"""Whatever bytes a stranger sends, a command ends with a result or one sentence, soon, and writes to its place only.

EDGE_ECG_FUZZ is the number of mutations for each of four commands (default 40); 5,000 in all is EDGE_ECG_FUZZ=1250.
"""

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from fuzzing import SECRET, SEEDS, SMALL, Files, answers, fuzzed, good_files, mutated, zipped
from hypothesis import given
from hypothesis import strategies as st

from edge_ecg.bundles.bundle import load_bundle
from edge_ecg.bundles.manifest import MANIFEST
from edge_ecg.cli import cli
from edge_ecg.datasets.importing import refuse_to_lose
from tests.bad_bundles import forge

HINTS = "512 Hz assumed|skipped|heart rate of|out of date|have no time of day"  # said beside errors


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return good_files(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def target(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(small_bundle, tmp_path_factory.mktemp("fuzz") / "bundle"))


def typed(place: Path, *words: object) -> None:
    """Type a command whose output goes to `out` there: it does what it can, or says why not, and writes there only."""
    out, done = place / "out", None

    def elsewhere() -> set[Path]:
        return {path for path in place.rglob("*") if path != out and out not in path.parents}

    before = elsewhere()

    def command() -> None:
        nonlocal done
        done = CliRunner().invoke(cli, [str(word) for word in words])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception

    answers(command)
    assert done is not None
    assert SECRET not in done.output
    assert "Traceback" not in done.output
    for line in done.stderr.replace("\n  ", " ").splitlines():  # a long line is folded, with two spaces
        assert line.startswith(("error: ", "weak: ", "no dataset.toml")) or re.search(HINTS, line), line
    assert elsewhere() == before
    if out.exists():
        load_bundle(out) if (out / "manifest.json").exists() else refuse_to_lose(out)
        shutil.rmtree(out)


@pytest.fixture
def recording_of_a_stranger(tmp_path: Path, files: dict[str, bytes]) -> Callable[[int], Path]:
    """Writes one that follows from a seed."""

    def write(seed: int) -> Path:
        shutil.rmtree(tmp_path / "from", ignore_errors=True)
        (tmp_path / "from").mkdir()
        name = random.Random(seed).choice([name for name in files if not name.startswith("record.")])
        path = tmp_path / "from" / name
        path.write_bytes(mutated(files[name], seed))
        return path

    return write


@fuzzed
@given(seed=SEEDS)
def test_commands_that_import(
    tmp_path: Path, files: dict[str, bytes], recording_of_a_stranger: Callable[[int], Path], seed: int
) -> None:
    good = tmp_path / "good.csv"
    good.write_bytes(files["en.csv"].replace(b" 08:00:00 ", b" 18:00:00 "))
    windows = ("--window", "early=00:00-12:00", "--window", "late=12:00-23:59")
    typed(tmp_path, "import", good, recording_of_a_stranger(seed), "--out", tmp_path / "out", *windows)


@fuzzed
@given(seed=SEEDS)
def test_commands_that_replay(
    target: Path, tmp_path: Path, recording_of_a_stranger: Callable[[int], Path], seed: int
) -> None:
    typed(tmp_path, "replay", target, recording_of_a_stranger(seed), "--json")


@pytest.mark.slow
@fuzzed
@given(seed=SEEDS)
def test_commands_that_enroll(
    target: Path, small_dataset: Path, tmp_path: Path, recording_of_a_stranger: Callable[[int], Path], seed: int
) -> None:
    good = next((small_dataset.parent / "0308/fasting").iterdir())
    typed(tmp_path, "enroll", target, good, recording_of_a_stranger(seed), "--out", tmp_path / "out")


WRONG = (None, True, -1, 0, 0.5, 1e308, 10**200, "", "x", "\x00", [], [[]], ["x"] * 3, {}, {"x": {}})


def entries(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every entry of a JSON value; of a list, to its first and last."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, below in value.items():
            yield from entries(below, (*path, name))
    elif isinstance(value, list):
        for number in {0, len(value) - 1} if value else ():
            yield from entries(value[number], (*path, number))


@pytest.mark.slow
@fuzzed
@given(data=st.data())
def test_commands_that_read_a_manifest(target: Path, small_dataset: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Entries missing or of another kind, sealed again as a forger would."""
    good = (target / MANIFEST).read_bytes()
    manifest = json.loads(good)
    way = data.draw(st.sampled_from([p for p in entries(manifest) if p[0] not in ("files", "schema")]))
    place = manifest
    for step in way[:-1]:
        place = place[step]
    if data.draw(st.booleans()):
        del place[way[-1]]
    else:
        place[way[-1]] = data.draw(st.sampled_from(WRONG))
    forge(target, manifest)
    try:
        typed(tmp_path, "inspect", target)
        typed(tmp_path, "enroll", target, small_dataset.parent / "0308/fasting", "--out", tmp_path / "out")
    finally:
        forge(target, good)


@fuzzed
@given(seed=SEEDS, name=st.sampled_from((*SMALL, "bundle.zip")))
def test_commands_that_inspect(target: Path, tmp_path: Path, seed: int, name: str) -> None:
    if name == "bundle.zip":
        raw = zipped(target)
        (tmp_path / name).write_bytes(raw[:-9000] + mutated(raw[-9000:], seed))
        typed(tmp_path, "inspect", tmp_path / name)
        return
    good = (target / name).read_bytes()
    (target / name).write_bytes(mutated(good, seed))
    try:
        typed(tmp_path, "inspect", target)
    finally:
        (target / name).write_bytes(good)
