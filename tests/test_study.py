"""The study of a run: it measures what the report draws, does nothing twice, and knows its own recordings."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge_ecg.bundles.bundle import load_bundle
from edge_ecg.datasets.dataset_file import read_dataset
from edge_ecg.report.findings import read_findings
from edge_ecg.report.report import report
from edge_ecg.report.summary import summary
from edge_ecg.results import LearningCurve, Overview, read_record
from edge_ecg.storage.files import read_json
from edge_ecg.terminal.console import columns, countdown, duration, run_command
from export.bundle import evaluated, model_card
from train.data import read_sets
from train.evaluate import evaluate
from train.run import load_run
from train.studies.confounders import recording_means_uv
from train.studies.learning_curve import QUICK, learn_by_days
from train.studies.subject import Options, Subject
from train.study import key_of, study
from train.training import counted


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_run, tmp_path / "run"))


def studied(*words: object) -> Result:
    return CliRunner().invoke(study, [str(word) for word in words], catch_exceptions=False)


@pytest.mark.ci
def test_a_study_fills_the_report_and_does_nothing_twice(tutorial: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tutorial / "run", tmp_path / "run"))
    dataset = tutorial / "data/dataset.toml"
    page = report(read_findings(run))
    assert "<h2>Not measured</h2>" not in page
    assert "Rough figures" in page
    # The learning curve is that of its own function, of the same draws and methods.
    read = read_dataset(dataset)
    alone = learn_by_days(read, read_sets(read, quiet=True), 3, 0, tmp_path / "lc", lambda line: None, QUICK)
    assert read_record(run / "study/learning_curve/learning_curve.json", LearningCurve) == alone

    before = {path: path.stat().st_mtime_ns for path in (run / "study").rglob("*.json")}
    again = studied(run, dataset, "--quick", "--only", "crossval,learning_curve")
    assert again.stdout.count("there already") == 2
    assert before == {path: path.stat().st_mtime_ns for path in (run / "study").rglob("*.json")}
    # Part of it is gone: the folds that are left serve.
    (run / "study/crossval/crossval.json").unlink()
    lost = sorted((run / "study/crossval/folds/aligned").iterdir())[:2]
    for fold in lost:
        fold.unlink()
    again = studied(run, dataset, "--quick", "--only", "crossval")
    assert "folds are there already" in again.stderr
    assert "part 1 of 1: crossval" in again.stderr
    assert "2/2" in again.stderr
    assert "left" in again.stderr
    assert all(fold.exists() for fold in lost)
    # The terminal prints the words of the page.
    assert all(question in again.stdout for question, _ in summary(read_findings(run)))
    # With one more draw it is another study.
    again = studied(run, dataset, "--quick", "--only", "learning_curve", "--draws", 4)
    assert "there already" not in again.stdout


def told(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    with pytest.raises(SystemExit) as caught:
        run_command(study, [str(word) for word in words])
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_what_is_no_part_or_of_another_dataset_is_refused(
    run: Path, small_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "'crosval' is no part; the parts are confounders, " in told(capsys, run, small_dataset, "--only", "crosval")
    other = tmp_path / "other.toml"
    other.write_text(small_dataset.read_text().replace('"0308"', '"0310"'))
    assert "is of other labels or dates" in told(capsys, run, other, "--data", small_dataset.parent)
    assert not (run / "study").exists()


def test_looks_at_the_test_dates_are_counted(run: Path, small_dataset: Path) -> None:
    for look in (1, 2):
        done = CliRunner().invoke(evaluate, [str(run), str(small_dataset)], catch_exceptions=False)
        assert ("first evaluation" if look == 1 else "evaluation 2;") in done.stdout
        assert read_json(run / "evaluation.json")["test"]["looks"] == look
    CliRunner().invoke(evaluate, [str(run), str(small_dataset), "--set", "validation"], catch_exceptions=False)
    noted = read_json(run / "evaluation.json")
    assert (noted["test"]["looks"], noted["validation"]["looks"]) == (2, 1)


def test_a_card_shows_the_test_dates_as_they_were_evaluated(run: Path, small_bundle: Path, small_dataset: Path) -> None:
    CliRunner().invoke(evaluate, [str(run), str(small_dataset)], catch_exceptions=False)
    finished, noted = load_run(run), read_json(run / "evaluation.json")["test"]
    assert json.loads(json.dumps(evaluated(finished))) == {"test": noted}
    manifest = load_bundle(small_bundle).manifest
    card = model_card({**manifest, "metrics": {**manifest["metrics"], "test": noted}}).decode()
    recordings, decided = noted["recordings"], noted["sequential"]
    assert "The test dates were looked at" in card
    assert f"| {decided['inconclusive']} | {recordings['right']} of {recordings['total']} |" in card
    other = {**finished.config["settings"], "references_per_state": 3}
    assert not evaluated(replace(finished, config={**finished.config, "settings": other}))


def test_training_leaves_an_overview_that_is_true(small_run: Path) -> None:
    finished, found = load_run(small_run), read_record(small_run / "overview.json", Overview)
    beats = finished.validation
    assert [row for row in found.data if row.set == "validation"] == counted("validation", beats)
    assert counted("validation", beats)[0].beats == int(np.sum(beats.date == beats.dates[0]))
    of_first = beats.values[beats.recording == 0]
    flat = of_first[:, :383] - recording_means_uv(beats)[0]
    np.testing.assert_allclose(flat.mean(0), flat.mean(), atol=1e-2)  # the same shape but for its level
    assert found.examples is not None


def test_a_countdown_says_what_is_left_and_no_more_than_a_line_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 30.0, 30.5, 60.0, 60.1])
    monkeypatch.setattr("edge_ecg.terminal.console.time.perf_counter", lambda: next(clock))
    said: list[str] = []
    step = countdown(said.append, 5, before=1)
    for line in "abcd":
        step(line)
    assert said == ["  2/5  a; at most 2 min left", "  4/5  c; at most 20 s left", "  5/5  d"]
    clock = iter([0.0, 10.0, 20.0])
    step = countdown(said.append, 2, later=3)
    for line in "ef":
        step(line)
    assert said[3:] == ["  1/2  e; at most 40 s left", "  2/2  f; at most 30 s left"]
    assert [duration(s) for s in (3.4, 89, 91, 600)] == ["3 s", "89 s", "2 min", "10 min"]


def test_a_table_that_is_too_wide_goes_on_below() -> None:
    lines = columns([["", "right", "accuracy"], ["ours", "5/6", "83 %"]], 14)
    assert lines == ["      right", "ours    5/6", "", "      accuracy", "ours      83 %"]


def test_a_part_is_done_again_for_other_recordings_or_settings(run: Path, small_dataset: Path) -> None:
    dataset, finished = read_dataset(small_dataset), load_run(run)
    subjects = [
        Subject(finished, dataset, beats, Options(quick=quick, draws=draws))
        for beats in (finished.training, finished.validation)
        for quick in (True, False)
        for draws in (None, 5)
    ]
    assert len({key_of(subject, "learning_curve") for subject in subjects}) == 8
    assert len({key_of(subject, "crossval") for subject in subjects}) == 4  # no draws there
