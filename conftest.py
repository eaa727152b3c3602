"""What tests and benches share: the folder of real recordings, and a small run and bundle of a synthetic person."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_ecg.simulation.synthetic import synthetic_person, write_dataset


@pytest.fixture(scope="session")
def ecg_data() -> Path:
    """The folder that EDGE_ECG_DATA names; where it is unset, the test is skipped and says so."""
    folder = os.environ.get("EDGE_ECG_DATA")
    if not folder:
        pytest.skip("EDGE_ECG_DATA is not set: no real recordings to test on")
    return Path(folder)


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset file of a synthetic person: nine dates, two recordings of each state a date."""
    return write_dataset(tmp_path_factory.mktemp("person"), synthetic_person(1), recordings_per_state=2)


@pytest.fixture(scope="session")
def small_run(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training run of a few epochs: enough to decide most recordings of a synthetic person rightly."""
    from train.__main__ import train

    run = tmp_path_factory.mktemp("runs") / "run"
    options = [str(small_dataset), "--out", str(run), "--epochs", "15"]
    CliRunner().invoke(train, options, catch_exceptions=False)
    return run


@pytest.fixture(scope="session")
def small_bundle(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of `small_run`. Copy it before changing anything in it."""
    from export.bundle import export_bundle

    bundle = tmp_path_factory.mktemp("bundles") / "bundle"
    CliRunner().invoke(export_bundle, [str(small_run), "--out", str(bundle)], catch_exceptions=False)
    return bundle
