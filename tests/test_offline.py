"""Nothing leaves the machine: commands run with a home of their own, and strace lists their connections."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# The list of this machine's fonts, and an empty folder of torch's compiler, which is never called.
CACHES = re.compile(r"\.cache/matplotlib/fontlist-.*\.json")
COMMANDS = """
import sys
from pathlib import Path

if __name__ == "__main__":
    from click.testing import CliRunner
    from edge_ecg.cli import cli
    from export.__main__ import export_bundle
    from train.__main__ import train
    from train.parallel import local_cluster, run_tasks, tasks_on

    data, bundle, out = map(Path, sys.argv[1:])
    CliRunner().invoke(train, [str(data), "--out", str(out / "run"), "--epochs", "2"], catch_exceptions=False)
    CliRunner().invoke(export_bundle, [str(out / "run"), "--out", str(out / "bundle")], catch_exceptions=False)
    recordings = str(data.parent / "2024-03-09")
    for words in (
        ["doctor"],
        ["replay", str(bundle), recordings],
        ["report", str(out / "run"), "--out", str(out / "report.html")],
        ["import", recordings],
        ["inspect", str(bundle)],
    ):
        assert CliRunner().invoke(cli, words, catch_exceptions=False).exit_code == 0, words
    with local_cluster(1) as address, tasks_on(address):
        assert list(run_tasks(max, 1, [(2,)])) == [2]
"""


@pytest.fixture(scope="module")
def watched(small_dataset: Path, small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `home`, `tmp`, `out` and the trace of a process that ran the commands."""
    folder = tmp_path_factory.mktemp("offline")
    for name in ("home", "tmp", "out"):
        (folder / name).mkdir()
    (folder / "commands.py").write_text(COMMANDS)
    unset = {"ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"}
    environment = {name: value for name, value in os.environ.items() if name not in unset} | {
        "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "PYTHONPATH": str(ROOT),
        "LOKY_MAX_CPU_COUNT": "1",
    }  # fmt: skip
    command = [sys.executable, folder / "commands.py", small_dataset, small_bundle, folder / "out"]
    if shutil.which("strace"):
        command = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=network", "-o", folder / "trace", *command]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.ci
def test_commands_write_nothing_but_their_output(watched: Path) -> None:
    assert {path.name for path in watched.iterdir()} <= {"home", "tmp", "out", "trace", "commands.py"}
    left = {
        str(path.relative_to(watched))
        for place in ("home", "tmp")
        for path in (watched / place).rglob("*")
        if path.is_file()
    }
    assert not {name for name in left if not CACHES.search(name)}
    assert {path.name for path in (watched / "out").iterdir()} == {"run", "bundle", "report.html"}


@pytest.mark.ci
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_commands_reach_no_other_machine(watched: Path) -> None:
    """Dask's own sockets included, which listen and connect on 127.0.0.1."""
    calls = re.findall(
        r"(?:connect|bind|sendto|sendmsg)\(.*sa_family=(?!AF_UNIX|AF_NETLINK).*", (watched / "trace").read_text()
    )
    assert any("127.0.0.1" in call for call in calls)  # those of Dask: the trace sees connections
    assert not [call for call in calls if '"127.0.0.1"' not in call]


def test_the_environment_turns_telemetry_off_unless_it_is_set() -> None:
    asked = "os.environ['ORT_DISABLE_TELEMETRY'], os.environ['ORT_TELEMETRY_DISABLED']"
    code = f"import os; import edge_ecg.inference.onnx_runtime; print({asked})"
    environment = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    for given, expected in (({}, "1 1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0 1")):
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment | given, capture_output=True, text=True, cwd=ROOT, check=True
        )
        assert done.stdout.strip() == expected
