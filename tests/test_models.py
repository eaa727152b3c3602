"""Networks, weights and beats from elsewhere: found or refused with a reason, adopted entry by entry, read as cut."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors.numpy import save_file

from edge_ecg.datasets.dataset_file import read_dataset
from edge_ecg.errors import DatasetError, RunError
from export.formats.onnx import ONNX
from export.formats.portable import PORTABLE
from export.pipeline import export_run
from tests.commands import Done, inside
from train.adopt import read_checkpoint, with_weights
from train.data import read_given_beats, read_sets
from train.model.architectures import architecture_of, build_model, version_of
from train.run import load_run

NETWORKS = """
import torch
from torch import nn

class Encoder(nn.Module):
    def __init__(self, hidden=8, given=384):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(given, hidden), nn.GELU(), nn.Linear(hidden, 4))
    def forward(self, beat):
        return self.layers(beat)

class Comparator(nn.Module):
    def __init__(self):
        super().__init__()
        self.output = nn.Linear(4, 1)
    def forward(self, embedding, references):
        return self.output((references - embedding).abs()).squeeze(1)

class Waves(Encoder):
    def forward(self, beat):
        return torch.sin(super().forward(beat))

class Columns(Comparator):
    def forward(self, embedding, references):
        return self.output((references - embedding).abs())

def good(): return Encoder(), Comparator()
def waves(): return Waves(), Comparator()
def one(): return Encoder()
def large(): return Encoder(hidden=40), Comparator()
def other_beats(): return Encoder(given=128), Comparator()
def columns(): return Encoder(), Columns()
def broken(): raise KeyError("weights")
not_a_factory = 3
"""


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module with networks, of another name for each test: found modules are kept."""
    name = f"networks_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        ("missing", "has no attribute 'missing'"),
        ("one", "gives Encoder, expected two torch modules"),
        ("large", "has 15569 parameters, expected fewer than 9000"),
        ("other_beats", "can't take 384 numbers a beat"),
        ("columns", r"gives \[3, 1\] for one beat against three references, expected \[3\]"),
        ("broken", "failed: KeyError: 'weights'"),
        ("not_a_factory", "expected a function or class of"),
    ],
)
def test_what_is_no_comparator_is_refused_with_the_reason(networks: str, factory: str, reason: str) -> None:
    with pytest.raises(RunError, match=reason):
        architecture_of(f"{networks}:{factory}")


@pytest.mark.parametrize("name", ["alined", "no_such_module:factory", "", ":", "a b:c", "..x:y", "os:abort"])
def test_a_name_that_leads_nowhere_is_refused(name: str) -> None:
    with pytest.raises(RunError, match="architecture"):
        architecture_of(name)


def test_weights_of_another_version_are_refused(networks: str) -> None:
    name = f"{networks}:good"
    assert build_model(name, version_of(name)).parameter_count == 384 * 8 + 8 + 8 * 4 + 4 + 5
    with pytest.raises(RunError, match="and the weights are of sha256 0000"):
        build_model(name, "sha256 0000")


def test_a_run_names_its_file_where_its_network_is_missing_or_it_is_of_another_version(
    small_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for file in small_run.glob("*.*"):
        (run / file.name).write_bytes(file.read_bytes())
    config = json.loads((run / "config.json").read_text())
    for name, entries in (("contract", {"quality": {}}), ("levels", {"target": {}}), ("guards", {"change": {}})):
        (run / "config.json").write_text(json.dumps(config | {name: (config[name] or {}) | entries}))
        with pytest.raises(RunError, match=rf"config.json: {name}.*; train again with this version"):
            load_run(run)
    config["settings"] |= {"architecture": "not_installed_here:factory", "architecture_version": "nets 1.0"}
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match=r"not_installed_here:factory can't be found: No module named"):
        load_run(run)


def test_a_checkpoint_fits_entry_by_entry_or_not_at_all(networks: str, tmp_path: Path) -> None:
    name, path = f"{networks}:good", tmp_path / "weights.pt"
    state = build_model(name, version_of(name)).state_dict()
    torch.save({"state_dict": state}, path)
    found = with_weights(name, read_checkpoint(path), path).state_dict()
    assert all(torch.equal(found[key], state[key]) for key in state)
    changed = {key: tensor for key, tensor in state.items() if key != "comparator.output.bias"}
    changed["classifier.bias"] = torch.zeros(1)
    changed["encoder.layers.0.weight"] = torch.zeros(8, 128)
    with pytest.raises(RunError, match=r"missing comparator.output.bias; unexpected classifier.bias; .*\[8, 128\]"):
        with_weights(name, changed, path)
    with pytest.raises(RunError, match="not finite"):
        with_weights(name, state | {"encoder.layers.0.bias": torch.full((8,), torch.nan)}, path)


class Harmful:
    """A pickle that would run a command."""

    def __reduce__(self):
        return os.system, ("touch harmed",)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a checkpoint", "pickle", [1, 2]])
def test_a_checkpoint_is_never_run(content: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(Harmful() if content == "pickle" else content, path)
    with pytest.raises(RunError, match="expected"):
        read_checkpoint(path)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_pipe_is_refused_and_never_waited_for(small_run: Path, small_dataset: Path, tmp_path: Path) -> None:
    pipe, run = tmp_path / "pipe.safetensors", tmp_path / "run"
    os.mkfifo(pipe)
    with pytest.raises(RunError, match="expected a plain file"):
        read_checkpoint(pipe)
    with pytest.raises(DatasetError, match="expected a plain file"):
        read_given_beats(pipe, read_dataset(small_dataset), ("2024-03-01",))
    run.mkdir()
    for name in ("config.json", "beats.safetensors", "checkpoint.safetensors"):
        for file in small_run.glob("*.*"):
            if file.is_file():
                (run / file.name).write_bytes(file.read_bytes())
        (run / name).unlink()
        os.mkfifo(run / name)
        with pytest.raises(RunError):
            load_run(run)
        (run / name).unlink()


@pytest.mark.slow
def test_adopted_weights_are_the_run_that_they_came_from(small_run: Path, small_dataset: Path, tmp_path: Path) -> None:
    def adopt(*words: object) -> Done:
        return inside("train.adopt", small_run / "checkpoint.safetensors", *words, "--arch", "aligned")

    done = adopt(small_dataset, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    figures = [json.loads((run / "metrics.json").read_text())["validation"] for run in (small_run, tmp_path / "run")]
    for what in ("recordings", "beats"):
        assert figures[0][what] == figures[1][what]
    again = adopt(small_dataset, "--out", tmp_path / "run")
    assert again.returncode == 2
    assert "contains a run" in again.stderr
    for number, data in enumerate((small_dataset, small_dataset.parent)):  # the file, or the folder that it is in
        out = tmp_path / f"by_data{number}"
        assert adopt("--data", data, "--out", out).returncode == 0
        assert (out / "metrics.json").read_bytes() == (tmp_path / "run/metrics.json").read_bytes()
    assert adopt("--out", tmp_path / "none").returncode == 2


@pytest.mark.slow
def test_a_form_without_the_operation_is_not_made_and_the_rest_is(
    networks: str, small_dataset: Path, tmp_path: Path
) -> None:
    name = f"{networks}:waves"
    torch.manual_seed(0)
    safetensors.torch.save_file(build_model(name, version_of(name)).state_dict(), tmp_path / "weights.safetensors")
    done = inside(
        "train.adopt", tmp_path / "weights.safetensors", small_dataset, "--arch", name, "--out", tmp_path / "run"
    )
    assert done.returncode == 0, done.stderr
    exported = export_run(load_run(tmp_path / "run"), artifacts=(ONNX[0], PORTABLE[0]))
    assert [artifact.name for artifact in exported.artifacts] == ["onnx fp32", "person fp32"]
    assert exported.not_made == {"portable fp32": "the portable form has no op for Sin"}


def test_given_beats_are_those_of_the_recordings(small_dataset: Path, tmp_path: Path) -> None:
    dataset = read_dataset(small_dataset)
    cut = read_sets(dataset, quiet=True)
    listed = [
        {"name": Path(source).name, "date": date, "label": dataset.labels[int(is_target)]}
        for source, date, is_target in zip(cut.sources, cut.dates.tolist(), cut.recording_is_target, strict=True)
    ]
    tensors = {"values": cut.values, "recording": cut.recording}
    save_file(tensors, tmp_path / "beats.safetensors", {"recordings": json.dumps(listed)})
    given = read_sets(dataset, beats_file=tmp_path / "beats.safetensors")
    for column in ("values", "recording", "sources", "dates", "recording_is_target"):
        np.testing.assert_array_equal(getattr(given, column), getattr(cut, column))
    one = read_sets(dataset, ["test"], beats_file=tmp_path / "beats.safetensors")
    np.testing.assert_array_equal(one.values, cut.on_dates(dataset.dates["test"]).values)
    # The stream knows a beat half a second after its R peak; both count from the same first beat.
    first = np.searchsorted(cut.recording, cut.recording)
    np.testing.assert_allclose(
        given.known_at_s - given.known_at_s[first], cut.known_at_s - cut.known_at_s[first], atol=0.6
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"values": np.zeros((2, 383), np.float32)}, r"\[2, 383\] float32, expected \[N, 384\] float32"),
        ({"values": np.zeros((2, 384))}, "float64"),
        ({"values": np.full((2, 384), np.nan, np.float32)}, "2 beats contain numbers that are not finite"),
        ({"recording": np.array([0])}, r"recording is \[1\]"),
        ({"recording": np.array([1, 0])}, "does not count the 2 recordings"),
        ({"recording": np.array([0, 7])}, "does not count the 2 recordings"),
        ({"listed": [{"name": "a", "date": "2024-03-01"}]}, "KeyError: 'label'"),
        ({"listed": [{"name": "a", "date": "2024-03-01", "label": "after lunch"}] * 2}, "are not in the dataset"),
        ({"listed": [{"name": "a", "date": "2099-03-01", "label": "after"}] * 2}, "has no recording of 2024-03-01"),
    ],
)
def test_beats_that_are_not_as_described_are_refused(
    change: dict, reason: str, small_dataset: Path, tmp_path: Path
) -> None:
    dataset = read_dataset(small_dataset)
    listed = [{"name": "a", "date": "2024-03-01", "label": dataset.labels[0]}] * 2
    whole = {"values": np.zeros((2, 384), np.float32), "recording": np.array([0, 1]), "listed": listed} | change
    if "after" in str(whole["listed"]) and "lunch" not in str(whole["listed"]):
        whole["listed"] = [{**one, "label": dataset.labels[1]} for one in whole["listed"]]
    save_file(
        {name: whole[name] for name in ("values", "recording")},
        tmp_path / "beats.safetensors",
        {"recordings": json.dumps(whole["listed"])},
    )
    with pytest.raises(DatasetError, match=reason):
        read_given_beats(tmp_path / "beats.safetensors", dataset, ("2024-03-01",))


@pytest.mark.slow
def test_the_public_comparator_decides_as_published(ecg_data: Path) -> None:
    """Published: 98.91 % of the author's test beats, 32 of 32 recordings."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from examples.public_comparator import published_vote, with_next_rr

    name = "examples.public_comparator:public_comparator"
    path = ecg_data / "public/comparator_v5_epoch100.pth"
    model = with_weights(name, read_checkpoint(path), path)
    dataset = read_dataset("examples/apple_watch_ogtt.toml", ecg_data / "watch")
    test, training = (read_sets(dataset, [which], quiet=True) for which in ("test", "train"))
    rng = np.random.default_rng(0)
    chosen = np.concatenate([rng.choice(np.flatnonzero(training.is_target == state), 50, False) for state in (0, 1)])
    for values_of in (lambda beats: beats.values, with_next_rr):
        voted = published_vote(model, values_of(training)[chosen], training.is_target[chosen], values_of(test))
        shares = np.array([voted[test.recording == number].mean() for number in range(len(test.sources))])
        assert ((shares > 0.5) == test.recording_is_target).sum() == 32
        assert (voted == test.is_target).mean() > 0.985
