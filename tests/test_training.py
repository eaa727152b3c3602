"""Training: small, deterministic, resumable, balanced; and the figures beside it are right."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from commands import inside
from hypothesis import given
from hypothesis import strategies as st

from edge_ecg.errors import RunError
from edge_ecg.results import Accuracy, RunMetrics, read_record, wilson_interval
from train.data import BeatSet
from train.fit.decision import choose_references, decide, fit_levels
from train.fit.loop import Settings, Trainer, batches, evidence_of, left_out_evidence, pairs
from train.model.aligned import AlignTWave, means_of_four
from train.model.architectures import ARCHITECTURES, WEIGHTS, build_model, read_weights
from train.model.model import MOST_PARAMETERS, embed
from train.run import load_run

QUICK = Settings(epochs=3, references_per_state=4)


def weights(run: Path) -> dict[str, np.ndarray]:
    return safetensors.numpy.load_file(run / WEIGHTS)


@pytest.fixture
def sets(small_run: Path) -> tuple[BeatSet, BeatSet]:
    run = load_run(small_run)
    return run.training, run.validation


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_fewer_than_9000_parameters(name: str) -> None:
    assert sum(p.numel() for p in build_model(name).parameters()) < MOST_PARAMETERS == 9000


def test_the_public_comparator_has_its_published_size() -> None:
    assert build_model("effnetv2").parameter_count == 8771


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_one_beat_alone_is_judged_as_in_a_batch(name: str, sets: tuple[BeatSet, BeatSet]) -> None:
    model = build_model(name).eval()
    values = sets[0].values[:5]
    one_by_one = np.concatenate([embed(model, beat[None]) for beat in values])
    np.testing.assert_allclose(one_by_one, embed(model, values), atol=1e-5)


@pytest.mark.parametrize("name", ["aligned", "linear", "positional"])
def test_gain_and_offset_carry_no_state(name: str, sets: tuple[BeatSet, BeatSet]) -> None:
    """These encoders normalise inside their graph: an electrode's offset and gain change nothing."""
    encoder = build_model(name).eval().encoder
    beat = torch.from_numpy(sets[0].values[:20])
    other = beat.clone()
    other[:, :383] = beat[:, :383] * 1.7 + 300
    with torch.no_grad():
        assert (encoder(beat) - encoder(other)).abs().max() < 0.02


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(sets: tuple[BeatSet, BeatSet], tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        Trainer(replace(QUICK, seed=seed), *sets, tmp_path / name).fit()
    a, b, c = (weights(tmp_path / name) for name in "abc")
    assert all((a[k] == b[k]).all() for k in a)
    assert any((a[k] != c[k]).any() for k in a)


@pytest.mark.slow
def test_resumed_training_is_uninterrupted_training(sets: tuple[BeatSet, BeatSet], tmp_path: Path) -> None:
    whole = Trainer(QUICK, *sets, tmp_path / "whole")
    whole.fit()

    class Interrupted(Exception):
        pass

    def stop(*_: object) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        Trainer(QUICK, *sets, tmp_path / "parts").fit(stop)  # after the first epoch
    resumed = Trainer(QUICK, *sets, tmp_path / "parts")
    resumed.resume()
    assert len(resumed.history.epochs) == 1
    resumed.fit()
    assert resumed.history == whole.history
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all((one[k] == other[k]).all() for k in one)


def test_training_stops_when_validation_does_not_improve(sets: tuple[BeatSet, BeatSet], tmp_path: Path) -> None:
    """Validation labels turned round: what is learnt there can only do harm, so the first epochs stay the best."""
    training, validation = sets
    turned = replace(validation, recording_is_target=~validation.recording_is_target)
    trainer = Trainer(replace(QUICK, epochs=30, patience=2), training, turned, tmp_path)
    trainer.fit()
    losses = [row["validation_loss"] for row in trainer.history.epochs]
    assert len(losses) < 30
    assert trainer.history.best_epoch == len(losses) - 2 == int(np.argmin(losses)) + 1


def test_resuming_with_other_settings_is_refused(sets: tuple[BeatSet, BeatSet], tmp_path: Path) -> None:
    Trainer(QUICK, *sets, tmp_path).fit()
    with pytest.raises(RunError, match="seed"):
        Trainer(replace(QUICK, seed=9), *sets, tmp_path).resume()
    with pytest.raises(RunError, match="no training to resume"):
        Trainer(QUICK, *sets, tmp_path / "empty").resume()


def test_batches_hold_as_many_beats_of_either_state(sets: tuple[BeatSet, BeatSet]) -> None:
    beats = sets[0]
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([b for _ in range(20) for b in batches(beats, 64, generator)]).numpy()
    assert beats.is_target[drawn].mean() == 0.5
    for target in (False, True):
        of_state = np.flatnonzero(beats.is_target == target)
        assert np.isin(of_state, drawn).mean() > 0.99


def t_wave_beat(rr_s: float, delay_samples: float) -> np.ndarray:
    """A beat (1, 384) with an R wave, and a T wave that peaks `delay_samples` after its usual place."""
    index = np.arange(383)
    r_wave = 1000 * np.exp(-(((index - 128) / 5) ** 2))
    t_wave = 250 * np.exp(-(((index - 250 - delay_samples) / 22) ** 2))
    return np.append(r_wave + t_wave, rr_s).astype(np.float32)[np.newaxis]


@given(st.floats(0.6, 1.1))
def test_a_t_wave_that_follows_the_heart_rate_is_put_back(rr_s: float) -> None:
    """Framingham: 0.154 s of QT for each second of RR. What follows that line looks as at 0.75 s; R stays."""
    align, usual, moved = AlignTWave(), t_wave_beat(0.75, 0), t_wave_beat(rr_s, 0.154 * 512 * (rr_s - 0.75))

    def aligned(beat: np.ndarray) -> np.ndarray:
        samples, rr = torch.from_numpy(beat[:, :383]), torch.from_numpy(beat[:, 383:])
        return align(means_of_four(samples), rr).numpy()

    pooled = usual[0, :380].reshape(95, 4).mean(1)
    np.testing.assert_allclose(aligned(usual)[0], pooled, atol=1e-3)
    np.testing.assert_allclose(aligned(moved)[0], pooled, atol=6)  # microvolts of 250, of the interpolation


def test_alignment_is_linear_interpolation(sets: tuple[BeatSet, BeatSet]) -> None:
    """Against NumPy's, which takes values at computed places."""
    values = sets[0].values[:50]
    got = AlignTWave()(means_of_four(torch.from_numpy(values[:, :383])), torch.from_numpy(values[:, 383:])).numpy()
    place = np.arange(95)
    ramp = 1 / (1 + np.exp(-(4 * place + 1.5 - 184) / 6))
    for row, beat in zip(got, values, strict=True):
        later = (float(beat[383]) - 0.75) * 0.154 * 128 * ramp
        expected = np.interp(place + later, place, beat[:380].reshape(95, 4).mean(1))
        np.testing.assert_allclose(row, expected, atol=0.05)


def test_whitened_beats_vary_alike_in_all_directions_but_noise(sets: tuple[BeatSet, BeatSet]) -> None:
    """Against the covariance's own eigenvalues."""
    model, beats = build_model("aligned"), torch.from_numpy(sets[0].values)
    ARCHITECTURES["aligned"].prepare(model, beats)
    with torch.no_grad():
        features = model.encoder.features(beats)
        whitened = model.encoder.project[0](features).numpy().astype(float)
    variances = np.sort(np.linalg.eigvalsh(np.cov(features.numpy().astype(float).T)))[-32:]
    np.testing.assert_allclose(whitened.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(whitened.T), np.diag(variances / (variances + 0.01)), atol=1e-3)


@given(st.integers(2, 60).map(lambda n: 2 * n), st.integers(1, 80), st.integers(0, 1000))
def test_no_pair_twice_and_none_with_itself(count: int, partners: int, seed: int) -> None:
    left, right = pairs(count, partners, torch.Generator().manual_seed(seed))
    drawn = [frozenset(pair) for pair in zip(left.tolist(), right.tolist(), strict=True)]
    assert all(len(pair) == 2 for pair in drawn)
    assert len(set(drawn)) == len(drawn)
    if partners >= count // 2:
        assert len(drawn) == count * (count - 1) // 2


def test_references_are_training_beats_of_both_states_and_all_dates(small_run: Path) -> None:
    run = load_run(small_run)
    beats = run.training
    chosen = choose_references(beats, embed(run.model, beats.values), 8)
    assert len(chosen) == len(set(chosen)) == 16
    assert beats.is_target[chosen].sum() == 8
    for target in (False, True):
        assert set(beats.date[chosen[beats.is_target[chosen] == target]]) == set(beats.dates)


def test_the_run_holds_dates_apart(small_run: Path) -> None:
    run = load_run(small_run)
    assert not set(run.training.dates) & set(run.validation.dates)
    assert not set(run.config["dataset"]["dates"]["test"]) & (set(run.training.dates) | set(run.validation.dates))


def test_the_small_run_decides_its_validation_recordings(small_run: Path) -> None:
    run = load_run(small_run)
    metrics = decide(run.model, run.references()[1], run.validation, run.rule).metrics()
    assert metrics.recordings.right >= 7  # of 8
    assert read_record(small_run / "metrics.json", RunMetrics).validation == metrics


@pytest.mark.parametrize("name", ["config.json", "checkpoint.safetensors", "beats.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff" * 50])
def test_a_damaged_run_is_refused(small_run: Path, tmp_path: Path, name: str, content: bytes | None) -> None:
    for file in small_run.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError, match=name.split(".")[0]):
        load_run(tmp_path)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_ends_1_96_standard_errors_away(counts: tuple[int, int]) -> None:
    """Standard errors of the share at the end itself, which is what sets Wilson's interval apart."""
    right, total = counts
    for end in wilson_interval(right, total):
        assert (right / total - end) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) / total, abs=1e-6)


def test_confusion_counts() -> None:
    called = np.array([1, 1, 0, 0, 0], bool)
    truth = np.array([1, 0, 0, 0, 1], bool)
    found = Accuracy.of(called, truth)
    assert (found.right, found.total) == (3, 5)
    assert found.sensitivity == 1 / 2
    assert found.specificity == 2 / 3


@pytest.mark.parametrize("name", ["config.json", "metrics.json", "overview.json", "checkpoint.safetensors"])
@pytest.mark.parametrize("resume", [(), ("--resume",)])
def test_training_overwrites_no_file_of_anybody_else(
    small_dataset: Path, tmp_path: Path, name: str, resume: tuple[str, ...]
) -> None:
    (tmp_path / name).write_text("mine")
    done = inside("train", small_dataset, "--out", tmp_path, "--epochs", "1", *resume)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{name} is there and not of an earlier train" in done.stderr
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(name, "mine")]


@pytest.mark.slow
def test_of_two_trainings_into_one_folder_the_second_is_refused(small_dataset: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "train", str(small_dataset), "--epochs", "3", "--out", str(tmp_path / "run")]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], said
    refused = said[[process.returncode for process in both].index(2)]
    assert "another command is writing there" in refused or "contains a run" in refused
    assert inside("train", small_dataset, "--epochs", "3", "--out", tmp_path / "alone").returncode == 0
    stored = [(tmp_path / name / "checkpoint.safetensors").read_bytes() for name in ("run", "alone")]
    assert stored[0] == stored[1]


def test_the_levels_of_a_run_are_from_dates_that_their_models_have_not_seen(small_run: Path) -> None:
    run = load_run(small_run)
    dates = set(run.training.dates) | set(run.validation.dates)
    assert {folder.name for folder in (small_run / "folds").iterdir()} == dates
    assert run.rule.dates == {"fasting": len(dates), "glucose": len(dates)}
    assert run.rule.levels is not None
    both = BeatSet.joined([run.training, run.validation])
    beats, evidence = left_out_evidence(both, Settings(**run.config["settings"]), small_run / "folds")
    assert fit_levels(beats, evidence) == run.rule.levels
    date = sorted(dates)[0]
    model = build_model(run.config["settings"]["architecture"])
    read_weights(small_run / "folds" / date / WEIGHTS, model)
    expected = evidence_of(model, both.on_dates(dates - {date}), beats.values, Settings(**run.config["settings"]))
    np.testing.assert_allclose(evidence[beats.date == date], expected[beats.date == date], rtol=1e-6)
