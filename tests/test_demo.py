"""The first thing that a newcomer runs: it ends in a report, says how to open it, and fits a terminal."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_ecg.bundles.bundle import load_bundle
from edge_ecg.cli.demo import LOOK
from tests.commands import edge_ecg
from train.run import load_run


@pytest.mark.ci
def test_the_demo_ends_in_a_report_that_is_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edge_ecg.cli", "demo", "--out", "demo"]
    environment = {**os.environ, "COLUMNS": "80", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    demo = tmp_path / "demo"
    assert load_run(demo / "run").labels == load_bundle(demo / "bundle").labels
    page = (demo / "report.html").read_text(encoding="utf-8")
    for section in ("Summary", "Comparison with other methods", "Artifacts", "Limits"):
        assert f"<h2>{section}</h2>" in page
    assert any(line.endswith(str(Path("demo/report.html"))) for line in done.stdout.splitlines()[-6:])
    assert '"name":"bundle"' in (demo / "person.html").read_text(encoding="utf-8")
    too_long = [line for line in (done.stdout + done.stderr).splitlines() if len(line) > 80]
    assert not too_long
    assert "warning" not in done.stderr.lower()


def test_a_first_look_decides_what_ships_with_the_package(tmp_path: Path) -> None:
    done = edge_ecg("demo", "--look", "--out", tmp_path / "page")
    assert done.returncode == 0, done.stderr
    for recording in sorted(LOOK.glob("*.csv")):
        state = recording.stem.rpartition("_")[2]
        assert re.search(rf"{recording.name[-15:]} +{state} +{state} ", done.stdout), recording.name
    assert "<script" in (tmp_path / "page/look.html").read_text(encoding="utf-8")
    assert load_bundle(LOOK / "person.ecgbundle").is_portable
    assert edge_ecg("demo").returncode == 2
