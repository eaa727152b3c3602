"""The wheel: the runtime alone replays a bundle in an empty environment, and one place says the version.

The environment is made by `make wheel-test`, since it needs a package index.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import edge_ecg

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TEMPLATES = ROOT / "edge_ecg/report/templates"
RUNTIME = {"click", "msgspec", "numpy", "onnxruntime", "safetensors"}


def test_the_runtime_needs_little() -> None:
    needed = {re.split(r"[<>=;\[ ]", line)[0] for line in PROJECT["dependencies"]}
    assert needed == RUNTIME


def test_the_version_stands_in_one_place() -> None:
    assert edge_ecg.__version__ == version("edge-ecg") == PROJECT["version"]
    pattern = re.compile(rf"^(?!.*>=).*[\"' ]{re.escape(PROJECT['version'])}[\"']", re.MULTILINE)
    for file in [*ROOT.glob("edge_ecg/*.py"), ROOT / "docs/conf.py"]:
        assert not pattern.search(file.read_text(encoding="utf-8")), file
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_what_is_exported_is_there_and_typed() -> None:
    assert (Path(edge_ecg.__file__).parent / "py.typed").exists()
    assert sorted(edge_ecg.__all__) == edge_ecg.__all__
    for name in edge_ecg.__all__:
        assert getattr(edge_ecg, name).__doc__, name


def test_no_constraint_names_an_index_or_a_path() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", line), line


@pytest.mark.skipif(not os.environ.get("EDGE_ECG_WHEEL_TEST"), reason="make wheel-test: it needs a package index")
def test_the_wheel_replays_a_bundle_in_an_empty_environment(
    small_bundle: Path, small_dataset: Path, tmp_path: Path
) -> None:
    def run(*command: object) -> str:
        done = subprocess.run([str(word) for word in command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("edge_ecg-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        templates = {f"edge_ecg/report/templates/{path.name}" for path in TEMPLATES.iterdir()}
        assert {"edge_ecg/py.typed", "edge_ecg/simulation/look/person.ecgbundle", *templates} <= set(archive.namelist())
        assert not [name for name in archive.namelist() if name.startswith(("tests", "benches", "docs"))]
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty/bin/python"
    run(python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel)
    run(python, "-m", "pip", "check")
    installed = {row["name"].lower() for row in json.loads(run(python, "-m", "pip", "list", "--format", "json"))}
    assert not installed & {
        "torch",
        "scipy",
        "pandas",
        "matplotlib",
        "jinja2",
        "onnx",
        "coremltools",
        "wfdb",
        "scikit-learn",
    }
    assert len(installed - RUNTIME) < 15, installed
    recordings = sorted(small_dataset.parent.glob("0309/*/*.csv"))
    lines = run(tmp_path / "empty/bin/edge-ecg", "replay", small_bundle, *recordings, "--json").splitlines()
    assert [json.loads(line)["file"] for line in lines] == [str(path) for path in recordings]
    run(python, "-m", "pip", "uninstall", "-q", "-y", "onnxruntime")
    portable = run(tmp_path / "empty/bin/edge-ecg", "replay", small_bundle, *recordings, "--json").splitlines()
    assert [json.loads(line)["decision"] for line in portable] == [json.loads(line)["decision"] for line in lines]
    assert "verified" in run(tmp_path / "empty/bin/edge-ecg", "inspect", small_bundle)
