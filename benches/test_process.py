"""What a process costs: cold start beside a bare import of the libraries, and a long stream."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

ROOT = Path(__file__).parent.parent
BARE = "import numpy; from edge_ecg.inference.onnx_runtime import onnxruntime"
READY = "from edge_ecg import Watch, load_bundle; Watch(load_bundle({bundle!r}))"


def run(code: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environment)


@pytest.mark.parametrize("code", [BARE, READY], ids=["libraries alone", "a watch ready to judge"])
def test_cold_start(benchmark: BenchmarkFixture, small_bundle: Path, code: str) -> None:
    benchmark.group = "cold start, process start to exit"
    benchmark.pedantic(run, (code.format(bundle=str(small_bundle)),), rounds=5, warmup_rounds=1)


COMMANDS = {
    "edge-ecg --version": (("-m", "edge_ecg.cli", "--version"), 1.3),
    "edge-ecg replay ONE": (("-m", "edge_ecg.cli", "replay", "BUNDLE", "RECORDING", "--json"), 1.7),
}


def cpu_s(words: list[str], runs: int = 5) -> float:
    """The least of the CPU seconds of a Python process; other processes hardly change it."""
    took = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, *words], check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(took)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_costs_little_more_than_its_libraries(
    benchmark: BenchmarkFixture, small_bundle: Path, small_dataset: Path, name: str
) -> None:
    """CPU against that of importing NumPy and ONNX Runtime, in the same run."""
    words, wanted = COMMANDS[name]
    places = {"BUNDLE": small_bundle, "RECORDING": next(small_dataset.parent.rglob("*.csv"))}
    command = [str(places.get(word, word)) for word in words]
    libraries_s = cpu_s(["-c", BARE])
    ratio = benchmark.pedantic(cpu_s, (command,), rounds=1) / libraries_s
    benchmark.extra_info["times the libraries"] = round(ratio, 2)
    print(f"{name}: {ratio:.2f} times the CPU of its libraries ({1e3 * libraries_s:.0f} ms), wanted at most {wanted}")


def test_a_minute_of_a_long_stream(benchmark: BenchmarkFixture, small_bundle: Path) -> None:
    """After a night of ECG a minute costs what the first one did: compare min with max."""
    from edge_ecg.bundles.bundle import load_bundle
    from edge_ecg.simulation.synthetic import record, synthetic_person
    from edge_ecg.watch import Watch

    watch = Watch(load_bundle(small_bundle))
    samples_uv = record(synthetic_person(1), "glucose", 0, number=1, duration_s=60.0).samples_uv
    benchmark.group = "60 s of ECG in a stream that goes on"
    benchmark(lambda: watch.push(samples_uv))
