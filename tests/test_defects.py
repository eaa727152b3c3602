"""What once ended in a defect ends in one sentence: weights, graphs, factories, full devices and dead processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch

from edge_ecg.bundles.bundle import load_bundle, refuse_to_lose
from edge_ecg.datasets import importing
from edge_ecg.errors import BundleError, ContractError, DatasetError, EdgeEcgError, RunError
from edge_ecg.inference.engines import OnnxEncoder
from edge_ecg.inference.portable import load_portable
from edge_ecg.storage.files import atomic_folder, require_place
from tests.commands import ROOT
from train.adopt import read_checkpoint, with_weights
from train.fit.loop import MOST_GROUPS, groups_left_out
from train.model.architectures import architecture_of


def weights() -> dict[str, torch.Tensor]:
    return dict(architecture_of("aligned").build().state_dict())


def test_weights_of_another_kind_of_number_are_refused() -> None:
    state = {name: tensor.to(torch.int8) for name, tensor in weights().items()}
    with pytest.raises(RunError, match=r"project.0.weight is torch.int8, expected torch.float32"):
        with_weights("aligned", state, Path("int8.safetensors"))


@pytest.mark.parametrize(("factor", "why"), [(0.0, "all beats are alike"), (1e38, "overflow")])
def test_weights_that_make_nothing_of_beats_are_refused(
    small_run: Path, small_dataset: Path, tmp_path: Path, factor: float, why: str
) -> None:
    from click.testing import CliRunner

    from train.adopt import adopt

    file = tmp_path / "weights.safetensors"
    state = {name: torch.full_like(tensor, factor) for name, tensor in weights().items()}
    file.write_bytes(safetensors.torch.save(state))
    options = [str(file), str(small_dataset), "--arch", "aligned", "--out", str(tmp_path / "run")]
    error = CliRunner().invoke(adopt, options).exception
    assert isinstance(error, RunError)
    assert why in str(error)


def test_a_pickle_that_could_run_code_is_refused_without_advice_to_run_it(tmp_path: Path) -> None:
    torch.save({"weights": Path("x")}, tmp_path / "model.pt")
    with pytest.raises(RunError, match="could run code") as caught:
        read_checkpoint(tmp_path / "model.pt")
    assert "weights_only" not in str(caught.value)


def test_a_graph_that_fails_while_it_runs_is_one_sentence() -> None:
    """An index that the beat gives, beyond the end."""
    beat = onnx.helper.make_tensor_value_info("beat", onnx.TensorProto.FLOAT, [1, 384])
    embedding = onnx.helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, [1, 384])
    nodes = [
        onnx.helper.make_node("Cast", ["beat"], ["place"], to=onnx.TensorProto.INT64),
        onnx.helper.make_node("GatherElements", ["beat", "place"], ["embedding"], axis=1),
    ]
    graph = onnx.helper.make_graph(nodes, "graph", [beat], [embedding])
    model = onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 18)])
    encoder = OnnxEncoder(model.SerializeToString(), 384)
    with pytest.raises(ContractError, match="a graph fails while it runs: "):
        encoder(np.full((1, 384), 1e6, np.float32))


def test_an_rr_interval_that_is_no_number_gives_an_embedding_that_is_none_in_every_form(small_bundle: Path) -> None:
    from export.formats.coreml import opened_package

    files = {path.relative_to(small_bundle).as_posix(): path for path in small_bundle.rglob("*") if path.is_file()}
    beat = np.full((1, 384), 5, np.float32)
    beat[0, 100:130], beat[0, -1] = 400, 0.8
    whole = load_bundle(small_bundle).encoder(beat)
    encoders = [
        OnnxEncoder(files[name].read_bytes(), 384)
        for name in files
        if name.startswith("encoder") and name.endswith("onnx")
    ]
    encoders += [
        load_portable(files["portable/layers.json"].read_bytes(), files[name].read_bytes())[0]
        for name in files
        if name.startswith("portable/weights")
    ]
    assert len(encoders) >= 4
    for encoder in encoders:
        np.testing.assert_allclose(encoder(beat), whole, atol=0.5)
        spoilt = beat.copy()
        spoilt[0, -1] = np.nan
        assert np.isnan(encoder(spoilt)).all()
    packages = {name.partition("/")[0] for name in files if ".mlpackage/" in name and name.startswith("Encoder")}
    assert packages
    for package in packages:
        spoilt = beat.copy()
        spoilt[0, -1] = np.nan
        parts = {n: p.read_bytes() for n, p in files.items() if n.startswith(package)}
        program = opened_package(package, parts)
        assert np.isnan(program(beat=spoilt)).all()


@pytest.mark.parametrize("name", ["pip:main", "json:dumps", "numpy:ones"])
def test_what_makes_no_networks_is_not_called(name: str) -> None:
    with pytest.raises(RunError, match="architecture"):
        architecture_of(name)


def test_a_factory_that_exits_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaving.py").write_text("import sys, torch\n\ndef small():\n    sys.exit(7)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RunError, match="its factory failed: SystemExit: 7"):
        architecture_of("leaving:small")


def test_a_folder_of_empty_folders_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "parent/child").mkdir(parents=True)
    with pytest.raises(BundleError, match="is not empty"):
        refuse_to_lose(tmp_path / "parent")
    with pytest.raises(DatasetError, match="is not empty"):
        importing.refuse_to_lose(tmp_path / "parent")
    for refuse in (refuse_to_lose, importing.refuse_to_lose):
        refuse(tmp_path / "parent/child")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_device_for_errors_keeps_the_exit_code() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edge_ecg.cli", "replay", "absent", "absent"], stderr=full, cwd=ROOT
        )
    assert done.returncode == 2


def test_a_place_that_can_not_be_written_is_an_error_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EdgeEcgError, match="can't be written"):
        require_place(tmp_path / "file/bundle")
    require_place(tmp_path / "bundle")
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_ctrl_c_twice_leaves_nothing_half_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second arrives while the scratch folder goes."""
    from edge_ecg.storage import files

    remove = files.shutil.rmtree

    def slowly(folder: Path) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        remove(folder)

    monkeypatch.setattr(files.shutil, "rmtree", slowly)

    def interrupted() -> None:
        with atomic_folder(tmp_path / "out") as fresh:
            (fresh / "file").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())


def test_at_most_some_groups_of_dates_are_left_out() -> None:
    """Every date once, one alone where there are few."""
    few, many = [f"{n:02}" for n in range(13)], [f"{n:03}" for n in range(100)]
    assert groups_left_out(few) == {date: [date] for date in few}
    groups = groups_left_out(many)
    assert len(groups) == MOST_GROUPS
    assert sorted(date for group in groups.values() for date in group) == many


WORK = """
import os, time
from train.parallel import run_tasks

def job(shared, number):
    print(os.getpid(), flush=True)
    time.sleep(60)

if __name__ == "__main__":
    list(run_tasks(job, None, [(n,) for n in range(9)]))
"""


@pytest.mark.ci
@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked up in /proc")
def test_workers_end_with_a_command_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, tmp_path / "work.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as command:
        assert command.stdout is not None
        worker = int(command.stdout.readline())
        command.kill()
        until = time.monotonic() + 20
        while Path(f"/proc/{worker}").exists() and time.monotonic() < until:
            time.sleep(0.2)
        assert not Path(f"/proc/{worker}").exists()


CLUSTER = """
import time
import click
from edge_ecg.terminal.console import run_command
from train.parallel import local_cluster, run_tasks, tasks_on

def job(shared, number):
    time.sleep(60)

@click.command()
def main():
    with local_cluster(1) as address, tasks_on(address):
        print("ready", flush=True)
        list(run_tasks(job, None, [(n,) for n in range(9)]))

if __name__ == "__main__":
    run_command(main)
"""


@pytest.mark.ci
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups")
def test_ctrl_c_of_a_cluster_is_one_line(tmp_path: Path) -> None:
    """As a terminal sends it: to the command and to all processes of its group."""
    (tmp_path / "cluster.py").write_text(CLUSTER)
    with subprocess.Popen(
        [sys.executable, tmp_path / "cluster.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "ready\n"
        time.sleep(2)
        os.killpg(command.pid, signal.SIGINT)
        _, said = command.communicate(timeout=60)
    assert (command.returncode, said.strip()) == (130, "error: interrupted")
