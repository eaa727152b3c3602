"""Cross-validation: its statistics agree with scikit-learn and SciPy, and its folds never see the date they judge."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest
from sklearn.metrics import brier_score_loss, roc_auc_score

from edge_ecg.datasets.dataset_file import read_dataset
from edge_ecg.errors import DatasetError
from edge_ecg.results import Crossval, read_record, write_record
from train.data import BeatSet, read_sets
from train.evaluation.folds import BENCHMARKS, SupervisedNetwork, comparator, leave_one_out, pooled, run_fold, run_folds
from train.evaluation.scores import (
    RecordingScores,
    bootstrap_95,
    calibration,
    method_scores,
    permutation_p,
    roc_auc,
    verdict,
)
from train.fit.loop import Settings, settings_for
from train.parallel import tasks_on
from train.studies import crossval
from train.studies.crossval import methods_for

QUICK = {
    name: (BENCHMARKS[name], Settings()) for name in ("majority", "RR interval", "amplitude", "logistic regression")
}
DATES = ("0901", "0902", "0903", "0904")


def made_up_beats(effect: float = 1.0, recordings: int = 3, beats: int = 6) -> BeatSet:
    """Four dates with both states: after the meal the T wave comes 12 samples earlier and the heart is faster."""
    rng = np.random.default_rng(0)
    time, values, recording, dates, targets = np.arange(383), [], [], [], []
    for date in DATES:
        day = rng.normal(0, 3)
        for target in (False, True):
            for _ in range(recordings):
                for _ in range(beats):
                    peak = 255 + day - 12 * effect * target + rng.normal(0, 1)
                    beat = 900 * np.exp(-0.5 * ((time - 128) / 5) ** 2)
                    beat += 200 * np.exp(-0.5 * ((time - peak) / 25) ** 2) + rng.normal(0, 10, 383)
                    values.append([*beat, 0.85 - 0.1 * effect * target + rng.normal(0, 0.03)])
                    recording.append(len(dates))
                dates.append(date)
                targets.append(target)
    names = tuple(f"{date}/{number}" for number, date in enumerate(dates))
    known_at_s = np.tile(np.arange(beats, dtype=float), len(dates))
    return BeatSet(
        np.array(values, np.float32),
        np.array(recording),
        known_at_s,
        names,
        np.array(dates),
        np.array(targets),
        np.full(len(names), 512.0),
        np.full(len(names), "NaT", "datetime64[D]"),
    )


def random_scores(seed: int, effect: float = 0.0, dates: int = 9) -> RecordingScores:
    """Recordings of mixed dates; those of one date and state are alike."""
    rng = np.random.default_rng(seed)
    blocks = [(f"{d:04}", target) for d in range(dates) for target in (False, True)]
    date, target, evidence = [], [], []
    for name, state in blocks:
        shared = rng.normal()
        for _ in range(rng.integers(2, 8)):
            date.append(name)
            target.append(state)
            evidence.append(shared + 0.3 * rng.normal() + (effect if state else -effect))
    count = len(date)
    return RecordingScores(np.array(date), np.array(target), np.array(evidence), np.full(count, 30), np.full(count, 20))


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=60))
def test_auc_is_that_of_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    evidence, is_target = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs])
    if is_target.all() or not is_target.any():
        assert roc_auc(evidence, is_target) is None
    else:
        assert roc_auc(evidence, is_target) == pytest.approx(roc_auc_score(is_target, evidence))


def test_permutation_p_is_uniform_without_an_effect() -> None:
    p = [permutation_p(random_scores(seed), shuffles=99, seed=seed) for seed in range(150)]
    assert kstest(p, "uniform").pvalue > 0.01


def test_permutation_p_is_least_for_a_clear_effect_and_one_for_none() -> None:
    clear = random_scores(0, effect=20)
    assert permutation_p(clear, shuffles=99) == 1 / 100
    assert permutation_p(replace(clear, evidence=np.zeros(len(clear.evidence))), shuffles=99) == 1


def test_labels_are_shuffled_by_date_not_by_recording() -> None:
    """Two dates of one state each can differ in a thousand ways: many recordings make that no more of a finding."""
    count = 60
    dates = np.repeat(["0901", "0902"], count)
    evidence = np.repeat([-1.0, 1.0], count) + np.random.default_rng(0).normal(0, 0.1, 2 * count)
    v = RecordingScores(dates, dates == "0902", evidence, np.full(2 * count, 30), np.full(2 * count, 30))
    assert permutation_p(v) > 0.3


def test_bootstrap_over_dates_is_wide_when_errors_come_by_date() -> None:
    v = random_scores(1, effect=20)
    by_date = replace(v, evidence=np.where(v.dates <= "0001", -v.evidence, v.evidence))
    low, high = bootstrap_95(by_date, lambda chosen: float(by_date.right[chosen].mean()))
    assert low < by_date.right.mean() < high
    wilson = method_scores(by_date).recordings.accuracy_95
    assert high - low > wilson[1] - wilson[0]
    assert bootstrap_95(v, lambda chosen: float(v.right[chosen].mean())) == (1.0, 1.0)


def test_calibration_is_perfect_for_certain_verdicts_and_even_for_none() -> None:
    certain = calibration(random_scores(2, effect=50))
    assert certain["brier"] < 1e-3
    assert certain["expected_calibration_error"] < 0.02
    v = random_scores(3)
    silent = calibration(replace(v, evidence=np.zeros(len(v.evidence))))
    assert silent["brier"] == pytest.approx(brier_score_loss(v.is_target, np.full(len(v.is_target), 0.5)))


def test_figures_count_recordings_and_name_every_date() -> None:
    v = random_scores(4, effect=1)
    f = method_scores(v)
    assert f.recordings.right == v.right.sum() == sum(d.recordings.right for d in f.dates.values())
    assert f.auc == pytest.approx(roc_auc_score(v.is_target, v.evidence))
    assert f.beats == v.beats.sum()
    assert set(f.dates) == set(v.dates)


def test_a_comparator_no_better_than_a_baseline_has_not_earned_its_place() -> None:
    good, bad = random_scores(5, effect=20), random_scores(5, effect=0.1)
    assert "positional comparator is better" in verdict("positional", {"RR interval": bad, "positional": good})
    assert "is no better" in verdict("positional", {"RR interval": good, "positional": bad})
    assert "is no better" in verdict("positional", {"RR interval": good, "positional": good})
    rivals = {"aligned": bad, "RR interval": bad, "positional": good}
    assert "aligned comparator is no better" in verdict("aligned", rivals)
    assert "best other method, positional:" in verdict("aligned", rivals)


@pytest.mark.parametrize("method", QUICK)
def test_a_fold_does_not_depend_on_the_labels_that_it_judges(method: str) -> None:
    beats = made_up_beats()
    lied_to = replace(beats, recording_is_target=beats.recording_is_target ^ (beats.dates == DATES[0]))
    one, other = (run_fold(*QUICK[method], b, leave_one_out(b)[0]) for b in (beats, lied_to))
    np.testing.assert_array_equal(one.evidence, other.evidence)
    assert (one.right == ~other.right).all()


def test_baselines_find_what_they_can_see_and_nothing_else() -> None:
    beats = made_up_beats()
    same_rate = replace(beats, values=beats.values.copy())
    same_rate.values[:, -1] = 0.8
    assert run_fold(BENCHMARKS["logistic regression"], Settings(), same_rate, leave_one_out(same_rate)[1]).right.all()
    assert run_fold(BENCHMARKS["RR interval"], Settings(), beats, leave_one_out(beats)[1]).right.mean() > 0.8
    assert np.ptp(run_fold(BENCHMARKS["RR interval"], Settings(), same_rate, leave_one_out(same_rate)[1]).evidence) == 0
    majority = run_fold(BENCHMARKS["majority"], Settings(), beats, leave_one_out(beats)[1])
    assert set(majority.evidence) == {-1.0}


def test_the_supervised_network_is_of_the_published_size() -> None:
    assert sum(p.numel() for p in SupervisedNetwork().parameters()) == 8395


@pytest.fixture(autouse=True)
def _every_line_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_ecg.terminal.console.SECONDS_APART", 0.0)


@pytest.mark.slow
def test_finished_folds_are_kept_and_folds_of_other_beats_are_not(tmp_path: Path) -> None:
    beats, said = made_up_beats(), []
    first = run_folds(beats, leave_one_out(beats), QUICK, tmp_path, said.append)
    assert len(said) == len(QUICK) * len(DATES)
    (tmp_path / "folds" / "RR-interval" / "0902.json").unlink()
    said.clear()
    again = run_folds(beats, leave_one_out(beats), QUICK, tmp_path, said.append)
    assert len(said) == 2  # how many are there already, and the one that is not
    for method in QUICK:
        np.testing.assert_array_equal(pooled(first[method]).evidence, pooled(again[method]).evidence)
    said.clear()
    other = made_up_beats(effect=0.5)
    run_folds(other, leave_one_out(other), {"majority": QUICK["majority"]}, tmp_path, said.append)
    assert len(said) == len(DATES)


@pytest.mark.slow
def test_a_comparator_is_cross_validated_beside_the_baselines(tmp_path: Path) -> None:
    torch.set_num_threads(1)  # as in a fold: more threads add in another order
    beats, quick = made_up_beats(), Settings(architecture="positional", seed=1, epochs=4, batch_beats=32)
    alone = run_fold(comparator, quick, beats, leave_one_out(beats)[2])
    methods = {"majority": QUICK["majority"], "positional": (comparator, quick)}
    scores = {name: pooled(each) for name, each in run_folds(beats, leave_one_out(beats), methods, tmp_path).items()}
    in_the_table = scores["positional"]
    np.testing.assert_array_equal(alone.evidence, in_the_table.evidence[in_the_table.dates == DATES[2]])
    assert in_the_table.right.mean() > 0.8
    assert "positional comparator is better" in verdict("positional", scores)


def test_other_settings_are_another_fold(tmp_path: Path) -> None:
    beats, said = made_up_beats(), []
    with tasks_on(workers=1):  # in this process
        for seed in (0, 0, 1):
            methods = {"majority": (BENCHMARKS["majority"], Settings(seed=seed))}
            run_folds(beats, leave_one_out(beats), methods, tmp_path, said.append)
    assert sum("recordings" in line for line in said) == 2 * len(DATES)


def test_what_is_the_same_in_all_recordings_is_no_baseline() -> None:
    beats = made_up_beats()
    two_watches = replace(beats, sample_rates_hz=np.where(beats.recording_is_target, 512.0, 511.4))
    assert "sample rate" not in methods_for(beats, ["positional"], 0)
    assert list(methods_for(two_watches, ["positional"], 3).items())[-1] == (
        "positional",
        (comparator, settings_for("positional", 3)),
    )
    assert run_fold(BENCHMARKS["sample rate"], Settings(), two_watches, leave_one_out(two_watches)[0]).right.all()


def test_the_place_in_a_date_is_by_number_and_betrays_the_state_that_is_always_second() -> None:
    beats = made_up_beats()
    names = tuple(f"{date}/ecg_{n % 6 + 8}.csv" for n, date in enumerate(beats.dates))  # 8 to 13: 10 comes after 9
    ordered = replace(beats, sources=names)
    assert ordered.place_in_date.tolist() == [0, 1, 2, 3, 4, 5] * len(DATES)
    assert run_fold(BENCHMARKS["recording order"], Settings(), ordered, leave_one_out(ordered)[0]).right.all()


@pytest.mark.slow
def test_every_date_and_the_split_are_judged(
    small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = {
        "majority": QUICK["majority"],
        "positional": (comparator, Settings(architecture="positional", epochs=1)),
    }
    monkeypatch.setattr(crossval, "methods_for", lambda *_: two)
    dataset = read_dataset(small_dataset)
    beats = read_sets(dataset, quiet=True)
    result = crossval.cross_validate(dataset, beats, ["positional"], 0, tmp_path, lambda line: None)
    write_record(tmp_path / "crossval.json", result)
    assert read_record(tmp_path / "crossval.json", Crossval) == result
    for name in two:
        of_dates = result.methods[name].dates
        assert result.methods[name].recordings.total == sum(of_dates[date].recordings.total for date in result.dates)
        for which, found in result.split.methods.get(name, {}).items():
            assert found.beats == sum(of_dates[date].beats for date in result.split.dates[which])
    assert set(result.split.methods) == {"majority"}  # the run itself says how the comparator does there


def test_dates_that_can_not_be_left_out_are_refused() -> None:
    beats = made_up_beats()
    only_one = replace(beats, recording_is_target=beats.recording_is_target & (beats.dates == DATES[0]))
    with pytest.raises(DatasetError, match=r"without 0901 .* one state only"):
        leave_one_out(only_one)


@pytest.mark.slow
def test_every_baseline_gives_one_number_a_beat() -> None:
    beats = made_up_beats(recordings=1, beats=4)
    for benchmark in BENCHMARKS.values():
        assert benchmark(beats, beats, Settings(epochs=1)).shape == (len(beats.values),)
