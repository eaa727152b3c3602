"""What tests and benches share: the folder of real recordings, and a small run and bundle of a synthetic person."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from filelock import FileLock
from hypothesis import HealthCheck, settings

from docs.pages import TUTORIAL, clone, typed
from edge_ecg.simulation.synthetic import synthetic_person, write_dataset

ROOT = Path(__file__).parent
CACHE = ROOT / "out/test-cache"
IN_CI = bool(os.environ.get("CI"))

# No deadline: a crowded machine is slow. A fixture of a function is a folder that every example may use.
settings.register_profile(
    "edge_ecg",
    max_examples=200 if IN_CI else 20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("edge_ecg")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """No worker processes for files or tests asked for by name: they begin at once, and a debugger works."""
    return 0 if _is_by_name(config) else None


def _is_by_name(config: pytest.Config) -> bool:
    return any(".py" in word for word in config.args)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked `ci`, unless CI, a marker expression or a file name asks for them; all are slow."""
    of_ci = [item for item in items if item.get_closest_marker("ci")]
    for item in of_ci:
        item.add_marker("slow")
    if not (IN_CI or config.option.markexpr or _is_by_name(config)):
        items[:] = [item for item in items if item not in of_ci]
        config.hook.pytest_deselected(items=of_ci)
        _left_out(config)["ci"] = len(of_ci)


def _left_out(config: pytest.Config) -> dict[str, Any]:
    """Where the number of tests left out is kept: in a worker of xdist, what it hands to the process that reports."""
    return getattr(config, "workeroutput", None) or config.stash.setdefault(_LEFT_OUT, {})


_LEFT_OUT = pytest.StashKey[dict[str, Any]]()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a worker of xdist left out."""
    _left_out(node.config).update({k: v for k, v in getattr(node, "workeroutput", {}).items() if k == "ci"})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what was not run."""
    if left_out := _left_out(config).get("ci"):
        terminalreporter.write_line(
            f"{left_out} tests left out that need a browser, a cluster, Swift, kills or whole documents: CI=1 make test"
        )


@pytest.fixture(scope="session")
def ecg_data() -> Path:
    """The folder that EDGE_ECG_DATA names; where it is unset, the test is skipped and says so."""
    folder = os.environ.get("EDGE_ECG_DATA")
    if not folder:
        pytest.skip("EDGE_ECG_DATA is not set: no real recordings to test on")
    return Path(folder)


Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Make a folder by its name and a function, once for all worker processes of a test run."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        made, finished = shared / name, shared / f"{name}.finished"
        with FileLock(shared / f"{name}.lock"):
            if not finished.exists():
                make(made)
                finished.touch()
        return made

    return folder


def kept(name: str, digest: str, make: Callable[[Path], object]) -> Path:
    """A folder in `out/test-cache`, made anew by a function when the digest of what it is made from changes."""
    folder, part = CACHE / f"{name}-{digest}", CACHE / f"{name}-part"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / f"{name}.lock"):
        if not folder.exists():
            for old in CACHE.glob(f"{name}-*"):
                shutil.rmtree(old)
            make(part)
            part.rename(folder)
    return folder


@pytest.fixture(scope="session")
def cached(once: Once) -> Once:
    """`once` as a copy of a folder that is `kept` until the code that makes it changes."""

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        return once(name, lambda made: shutil.copytree(kept(name, _hash_of_code(), make), made))

    return folder


def _hash_of_code() -> str:
    """Of all that a run and a bundle follow from: our code but pages and commands, and the versions of libraries."""
    digest = hashlib.sha256()
    packages = [file for package in ("edge_ecg", "train", "export") for file in (ROOT / package).rglob("*.*")]
    besides = {"__pycache__", "report", "cli"}
    for file in sorted([*packages, ROOT / "constraints.txt", ROOT / "conftest.py"]):
        if not besides & set(file.parts) and file.is_file():
            digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


@pytest.fixture(scope="session")
def small_dataset(once: Once) -> Path:
    """The dataset file of a synthetic person: nine dates, two recordings of each state a date."""
    folder = once("person", lambda out: write_dataset(out, synthetic_person(1), recordings_per_state=2))
    return folder / "dataset.toml"


@pytest.fixture(scope="session")
def small_run(small_dataset: Path, cached: Once) -> Path:
    """A training run of a few epochs: enough to decide most recordings of a synthetic person rightly."""

    def make(run: Path) -> None:
        from train.__main__ import train
        from train.parallel import tasks_on

        options = [str(small_dataset), "--out", str(run), "--epochs", "5"]
        with tasks_on(workers=1):  # in this process: another one would import torch first
            CliRunner().invoke(train, options, catch_exceptions=False)

    return cached("small_run", make)


PRINTED = "printed.txt"  # in the folder of the tutorial: what its commands printed


@pytest.fixture(scope="session")
def tutorial(once: Once) -> Path:
    """The folder in which the tutorial was typed: data, run with its study, bundle. Copy it to change anything."""

    def make(folder: Path) -> None:
        (clone(folder) / PRINTED).write_text(typed(TUTORIAL, folder), encoding="utf-8")

    return once("tutorial", make)


@pytest.fixture(scope="session")
def small_bundle(small_run: Path, cached: Once) -> Path:
    """The bundle of `small_run`. Copy it before changing anything in it."""

    def make(bundle: Path) -> None:
        from export.__main__ import export_bundle

        CliRunner().invoke(export_bundle, [str(small_run), "--out", str(bundle)], catch_exceptions=False)

    return cached("small_bundle", make)
