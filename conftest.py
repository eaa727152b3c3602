"""What tests and benches share: the folder of real recordings, and a small run and bundle of a synthetic person."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from filelock import FileLock

from edge_ecg.simulation.synthetic import synthetic_person, write_dataset


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """No worker processes for files or tests asked for by name: they begin at once, and a debugger works."""
    return 0 if any(".py" in word for word in config.args) else None


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


@pytest.fixture(scope="session")
def small_dataset(once: Once) -> Path:
    """The dataset file of a synthetic person: nine dates, two recordings of each state a date."""
    folder = once("person", lambda out: write_dataset(out, synthetic_person(1), recordings_per_state=2))
    return folder / "dataset.toml"


@pytest.fixture(scope="session")
def small_run(small_dataset: Path, once: Once) -> Path:
    """A training run of a few epochs: enough to decide most recordings of a synthetic person rightly."""
    from train.__main__ import train

    def make(run: Path) -> None:
        options = [str(small_dataset), "--out", str(run), "--epochs", "15"]
        CliRunner().invoke(train, options, catch_exceptions=False)

    return once("small_run", make)


@pytest.fixture(scope="session")
def small_bundle(small_run: Path, once: Once) -> Path:
    """The bundle of `small_run`. Copy it before changing anything in it."""
    from export.bundle import export_bundle

    def make(bundle: Path) -> None:
        CliRunner().invoke(export_bundle, [str(small_run), "--out", str(bundle)], catch_exceptions=False)

    return once("small_bundle", make)
