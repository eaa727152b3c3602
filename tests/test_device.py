"""The core on emulated devices says what Python says, within the memory that a microcontroller has."""

import json
import shutil
from pathlib import Path

import pytest

from edge_ecg.bundles.bundle import load_bundle
from tests.commands import edge_ecg, inside

NEEDED = ("swiftc", "arm-none-eabi-gcc", "qemu-system-arm")
FIGURES = {
    "form": "int8",
    "recordings": 2,
    "seconds": 60.0,
    "devices": {
        "m7": {
            "about": "Cortex-M7",
            "instructions_a_second_of_ecg": 500_000,
            "instructions_to_open": 7_000_000,
            "code_bytes": 200_000,
            "ram_bytes": 150_000,
            "beats": 60,
            "differences": [],
        }
    },
}


@pytest.fixture
def figures(small_bundle: Path, tmp_path: Path) -> Path:
    path = tmp_path / "device.json"
    path.write_text(json.dumps(FIGURES | {"bundle_sha256": load_bundle(small_bundle).sha256}))
    return path


def test_power_is_instructions_times_what_is_assumed_of_each(small_bundle, figures):
    shown = json.loads(edge_ecg("profile", small_bundle, "--device", figures, "--json").stdout)
    assert shown["devices"]["m7"]["estimated_power_mw"] == pytest.approx(500_000 * 1.5 * 0.9e-9 * 1e3)
    told = " ".join(edge_ecg("profile", small_bundle, "--device", figures).stdout.split())
    assert "0.50 million instructions a second of ECG" in told
    assert "The estimates assume 1.5 cycles an instruction" in told


@pytest.mark.parametrize("content", [b"{}", b"[]", b"\xff", json.dumps(FIGURES | {"bundle_sha256": "0"}).encode()])
def test_figures_of_another_bundle_and_no_figures_are_refused(small_bundle, figures, content):
    figures.write_bytes(content)
    done = edge_ecg("profile", small_bundle, "--device", figures)
    assert done.returncode == 2
    assert not done.stdout
    assert str(figures) in done.stderr


@pytest.mark.ci
def test_a_cortex_m7_decides_as_python_within_its_memory(small_bundle, small_dataset, tmp_path):
    if missing := [name for name in NEEDED if not shutil.which(name)]:
        pytest.skip(f"no {', no '.join(missing)} here")
    recordings = sorted(small_dataset.parent.glob("*/*/*.csv"))[:3]
    figures = tmp_path / "device.json"
    done = inside("benches.device", small_bundle, *recordings, "--only", "m7", "--json", figures)
    assert done.returncode == 0, done.stdout
    device = json.loads(figures.read_text())["devices"]["m7"]
    assert device["beats"] > 60
    assert device["code_bytes"] <= 240_000  # 8,000 of them read and check the manifest
    assert device["ram_bytes"] <= 160_000
    assert "million instructions" in edge_ecg("profile", small_bundle, "--device", figures).stdout
