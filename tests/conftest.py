"""What the tests share: the folder of real recordings."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def ecg_data() -> Path:
    """The folder that EDGE_ECG_DATA names; where it is unset, the test is skipped and says so."""
    folder = os.environ.get("EDGE_ECG_DATA")
    if not folder:
        pytest.skip("EDGE_ECG_DATA is not set: no real recordings to test on")
    return Path(folder)
