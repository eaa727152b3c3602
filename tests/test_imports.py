"""Imports run one way: between the packages, and from floor to floor inside each."""

import ast
import subprocess
import sys
from pathlib import Path

import click
import pytest

import edge_ecg
from edge_ecg.cli import COMMANDS, cli
from export.__main__ import FORMATS, ON_DEMAND
from export.pipeline import ARTIFACTS
from export.pipeline import ON_DEMAND as ON_DEMAND_ARTIFACTS
from train.evaluation import BENCHMARK_NAMES
from train.evaluation.folds import BENCHMARKS
from train.model import NAMES
from train.model.architectures import ARCHITECTURES

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "edge_ecg": {"edge_ecg"},
    "train": {"edge_ecg", "train"},
    "export": {"edge_ecg", "train", "export"},
}
# Each floor may import what stands on the floors above it in this list, and nothing of its own.
FLOORS = {
    "edge_ecg": (
        {"errors"},
        {"records"},
        {"contract", "storage"},
        {"terminal", "recording", "inference"},
        {"signal", "readers", "bundles"},
        {"watch", "datasets", "results"},
        {"core"},
        {"playback", "enroll", "simulation", "notebook"},
        {"__init__"},
        {"report"},
        {"cli"},
    ),
    "train": (
        {"__init__", "data", "parallel"},
        {"model"},
        {"fit"},
        {"run"},
        {"evaluation"},
        {"options", "studies"},
        {"evaluate"},
        {"study", "training"},
        {"person"},
        {"cohort"},
        {"__main__", "adopt"},
    ),
    "export": (
        {"__init__", "graphs", "mil", "templates"},
        {"formats"},
        {"gate"},
        {"pipeline"},
        {"onnx", "coreml", "parity"},
        {"bundle"},
        {"__main__"},
    ),
}
STRANGERS = {"signal", "readers", "inference"}  # whatever their floors, they never see each other


def imported(file: Path) -> set[str]:
    """The modules that a file imports, of this repository and of others, with dots."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names if is_module(f"{node.module}.{alias.name}")}
    return names


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def part_of(name: str) -> str:
    """The folder or file below the package that a module belongs to; `__init__` for the package itself."""
    return name.partition(".")[2].partition(".")[0] or "__init__"


def arrows(package: str) -> set[tuple[str, str]]:
    """Who imports whom among the parts of a package."""
    found = set()
    for file in (ROOT / package).rglob("*.py"):
        part = file.relative_to(ROOT / package).parts[0].removesuffix(".py")
        others = {part_of(name) for name in imported(file) if name.split(".")[0] == package} - {part}
        found |= {(part, other) for other in others}
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_arrows_between_packages(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        assert {name.split(".")[0] for name in imported(file)} & set(PACKAGES) <= PACKAGES[package], file


@pytest.mark.parametrize("package", FLOORS)
def test_every_part_has_one_floor(package: str) -> None:
    parts = {path.name.removesuffix(".py") for path in (ROOT / package).iterdir() if path.suffix in ("", ".py")}
    placed = [part for floor in FLOORS[package] for part in floor]
    assert sorted(placed) == sorted(parts - {"__pycache__"})


@pytest.mark.parametrize("package", FLOORS)
def test_arrows_run_from_floor_to_floor(package: str) -> None:
    """So there is no circle, and no arrow back."""
    floor = {part: number for number, parts in enumerate(FLOORS[package]) for part in parts}
    wrong = {f"{part} -> {other}" for part, other in arrows(package) if floor[other] >= floor[part]}
    assert not wrong


def test_signal_readers_and_inference_do_not_see_each_other() -> None:
    assert not {(part, other) for part, other in arrows("edge_ecg") if {part, other} <= STRANGERS}


@pytest.mark.parametrize("module", ["edge_ecg", "edge_ecg.cli"])
def test_the_runtime_is_light(module: str) -> None:
    heavy = "{'torch', 'scipy', 'coremltools', 'onnx', 'pandas', 'matplotlib', 'jinja2', 'sklearn', 'wfdb'}"
    code = f"import sys, {module}; found = {heavy} & set(sys.modules); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_the_list_of_commands_is_there_without_numpy(word: str) -> None:
    code = (
        "import sys; from edge_ecg.cli import cli; cli.main([sys.argv[1]], standalone_mode=False);"
        "assert not {'numpy', 'onnxruntime'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, word], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def test_what_is_exported_is_the_same_whatever_was_imported_before() -> None:
    """A module of the package with an exported name would take its place once it is imported."""
    modules = {path.stem for path in (ROOT / "edge_ecg").iterdir()}
    assert not modules & set(edge_ecg.__all__)
    assert {name for names in edge_ecg._MODULES.values() for name in names} == set(edge_ecg.__all__)


@pytest.mark.parametrize(("package", "heavy"), [("train", "torch"), ("export", "coremltools")])
def test_the_help_of_a_command_waits_for_no_library(package: str, heavy: str) -> None:
    code = (
        f"import sys, runpy\nsys.argv = ['{package}', '--help']\n"
        f"try: runpy.run_module('{package}', run_name='__main__')\n"
        f"except SystemExit as ended: assert not ended.code\n"
        f"assert not {{'torch', '{heavy}', 'onnxruntime'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


@pytest.mark.slow
@pytest.mark.parametrize("module", ["train.study", "export.bundle"])
def test_training_and_export_load_what_few_need_when_they_need_it(module: str) -> None:
    heavy = "{'sklearn', 'scipy.stats', 'scipy.optimize', 'pandas'}"
    code = f"import sys, {module}; found = {heavy} & set(sys.modules); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_options_name_what_is_there() -> None:
    assert list(ARCHITECTURES) == list(NAMES)
    assert list(BENCHMARKS) == list(BENCHMARK_NAMES)
    assert list(dict.fromkeys(artifact.name.split()[0] for artifact in ARTIFACTS)) == list(FORMATS)
    assert {artifact.name.split()[0] for artifact in ON_DEMAND_ARTIFACTS} == set(ON_DEMAND)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_list_is_there(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert (command.name, "verbose" in [option.name for option in command.params]) == (name, True)
    assert len(COMMANDS[name][1]) <= 80 - len("  simulate  ")
