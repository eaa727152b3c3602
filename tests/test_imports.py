"""The arrows: the runtime imports nothing that trains or converts, and `train` nothing that exports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "edge_ecg": {"edge_ecg"},
    "train": {"edge_ecg", "train"},
    "export": {"edge_ecg", "train", "export"},
}


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_arrows_between_packages(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        assert imported(file) & set(ALLOWED) <= ALLOWED[package], file


@pytest.mark.parametrize("module", ["edge_ecg", "edge_ecg.cli"])
def test_the_runtime_is_light(module: str) -> None:
    heavy = "{'torch', 'coremltools', 'onnx', 'pandas', 'matplotlib', 'sklearn', 'wfdb'}"
    code = f"import sys, {module}; found = {heavy} & set(sys.modules); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
