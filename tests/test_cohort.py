"""A study of many: persons fail alone and stay apart, finds count dates, and any engine gives the same table."""

import csv
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from scipy.stats import binomtest

from edge_ecg.bundles.bundle import load_bundle
from edge_ecg.errors import DatasetError, EdgeEcgError, RecordingError
from edge_ecg.report.cohort import cohort_page
from edge_ecg.results import Accuracy, FailureKind, PersonMethod, PersonResult
from edge_ecg.storage.files import read_json
from examples.synthetic_cohort import drawn, write_cohort
from tests.commands import ROOT, Done, as_process, edge_ecg, inside
from train import parallel
from train.cohort import CohortStudy, read_study, require_same_study
from train.data import BeatSet
from train.evaluation.folds import comparator
from train.evaluation.persons import adjusted, better_p, mixed_effects, pool_persons, within
from train.fit.loop import settings_for
from train.parallel import connected, run_tasks, tasks_on
from train.person import Person, Plan, plain_reason, study_person
from train.run import load_run

QUICK = ("--epochs", "1", "--benchmark", "majority", "--benchmark", "RR interval")
PLANTED = "777.125"
PLAN = Plan(("aligned",), ("majority",), 0, 1, ())


def made_up(key: str, seed: int, effect: float, dates: int = 8, each: int = 4) -> PersonResult:
    """What person.json holds of a person for whom ours is right by chance, or more often."""
    rng = np.random.default_rng(seed)
    by_date = {
        name: {str(date): int(rng.binomial(each, 0.5 + share)) for date in range(dates)}
        for name, share in (("aligned", effect), ("majority", 0.0), ("RR interval", 0.0))
    }
    methods = {
        name: PersonMethod(
            recordings=accuracy_of(sum(of.values()), dates * each),
            accuracy_95_by_date=(0.3, 0.7),
            auc=0.5,
            auc_95_by_date=(0.3, 0.7),
            permutation_p=0.001 if effect else float(rng.uniform(0.001, 1)),
            right_by_date=of,
        )
        for name, of in by_date.items()
    }
    return PersonResult(person=key, step=None, facts={"days": dates}, methods=methods)


def accuracy_of(right: int, total: int) -> Accuracy:
    return Accuracy.of(np.arange(total) < right, np.ones(total, bool))


def test_a_better_method_is_one_that_is_right_more_often_on_most_dates() -> None:
    dates = [f"{date:02}" for date in range(8)]
    right, less = dict.fromkeys(dates, 6), dict.fromkeys(dates, 5)
    assert better_p(right, less) == pytest.approx(1 / 2**8)
    assert better_p(less, right) == 1
    assert better_p(right, right) == 1
    # Many recordings of one date are one date.
    assert better_p(right | {"00": 600}, right) == pytest.approx(0.5)


@pytest.mark.slow
def test_tests_of_persons_without_an_effect_find_no_more_than_they_may() -> None:
    """Single p values are at most as small as they say; after adjusting, hardly one cohort in twenty has a find."""
    cohorts = [[made_up(f"P{n}", 100 * c + n, 0.0) for n in range(20)] for c in range(60)]
    found = [pool_persons(persons, "aligned", ["majority", "RR interval"]) for persons in cohorts]
    for what in ("with_effect", "better"):
        wrong = sum(bool(getattr(each, what)) for each in found)
        assert binomtest(wrong, len(found), 0.05, alternative="greater").pvalue > 0.01, what


def test_persons_with_an_effect_are_found_among_others() -> None:
    persons = [made_up(f"P{n}", n, 0.5 if n % 3 else 0.0) for n in range(12)]
    found = pool_persons(persons, "aligned", ["majority", "RR interval"])
    assert {f"P{n}" for n in range(12) if n % 3} <= set(found.with_effect)
    assert set(found.better) >= {f"P{n}" for n in range(12) if n % 3}


def test_adjusted_values_are_those_of_benjamini_and_hochberg() -> None:
    p = [0.01, 0.04, 0.03, 0.2]
    by_hand = [0.04, 0.04 * 4 / 3, 0.04 * 4 / 3, 0.2]
    assert adjusted(p) == pytest.approx(by_hand)
    assert adjusted([]) == []


@given(st.floats(0, 1), st.floats(0, 2), st.floats(0, 2))
def test_an_interval_of_a_share_stays_a_share_and_has_its_estimate(estimate: float, below: float, above: float) -> None:
    low, high = within((estimate - below, estimate + above), estimate, 0.0, 1.0)
    assert 0 <= low <= estimate <= high <= 1
    assert within((0.9, 1.069), 0.97, 0.0, 1.0) == (0.9, 1.0)


def test_the_mixed_model_finds_the_difference_that_was_put_in() -> None:
    pytest.importorskip("statsmodels")
    rng = np.random.default_rng(0)
    persons = []
    for number in range(40):
        of_person = rng.normal(0, 0.05)
        found = made_up(f"P{number}", number, 0.0)
        for name, less in (("aligned", 0.0), ("majority", 0.3), ("RR interval", 0.1)):
            accuracy = 0.9 - less + of_person + rng.normal(0, 0.02)
            recordings = replace(found.methods[name].recordings, accuracy=accuracy)
            found.methods[name] = replace(found.methods[name], recordings=recordings)
        persons.append(found)
    fitted = mixed_effects(persons, "aligned")
    assert fitted.ours == pytest.approx(0.9, abs=0.03)
    assert fitted.against_ours["majority"].difference == pytest.approx(-0.3, abs=0.02)
    low, high = fitted.against_ours["RR interval"].difference_95
    assert low < -0.1 < high
    assert fitted.sd_of_persons == pytest.approx(0.05, rel=0.4)
    assert "3 persons" in mixed_effects(persons[:2], "aligned")


def test_a_page_of_persons_who_all_failed_says_so_and_escapes_what_it_holds() -> None:
    persons = [PersonResult(person=f"P{n}", reason=f"has <b>{n}</b> days") for n in range(3)]
    result = pool_persons(persons, "aligned", [], "none", {"seed": 0, "epochs": None})
    page = cohort_page(result, persons)
    assert "has &lt;b&gt;#&lt;/b&gt; days" in page
    assert result.failures.kinds == (FailureKind(step="data", reason="has <b>#</b> days", persons=3),)


def test_a_reason_holds_no_path_no_name_and_no_date() -> None:
    place = Path("/home/Jane Doe/p7")
    for said, told in (
        (f"{place}/0301/fast/Jane_Doe.csv: no beat was found; leave it out", "no beat was found; leave it out"),
        (f"{place}: the train set has no recording of 'Jane'", "the train set has no recording of …"),
        ("data/Jane/x.csv: is empty; expected a recording", "is empty; expected a recording"),
        ("Jane_Doe.csv: line 3 is text, and it can't be read", "line 3 is text, and it can't be read"),
        ("without 2024-03-01 the dates have one state only", "without … the dates have one state only"),
        (f'{place}/a.csv: stands in train as "Jane" of 1960-02-03', "stands in train as … of …"),
    ):
        assert plain_reason(RecordingError(said), [place, None]) == told


def study_of(folder: Path, **persons: str) -> Path:
    listed = "\n".join(f'{key} = "{file}"' for key, file in persons.items())
    file = folder / "study.toml"
    file.write_text(f'name = "some"\n[persons]\n{listed}\n')
    return file


def test_a_study_names_each_person_once_by_a_plain_key(tmp_path: Path) -> None:
    assert [p.key for p in read_study(study_of(tmp_path, A="a.toml", B="b.toml")).persons] == ["A", "B"]
    for persons, said in (
        ({"A": "a.toml", "a": "b.toml"}, "a: is there already"),
        ({"A": "a.toml", "B": "./a.toml"}, "B: is there already"),
        ({'"Jane Doe"': "a.toml"}, "expected a key of letters"),
        ({'"../A"': "a.toml"}, "expected a key of letters"),
        ({}, "has no person"),
    ):
        with pytest.raises(DatasetError, match=said):
            read_study(study_of(tmp_path, **persons))
    (tmp_path / "study.toml").write_text("name = 3\n")
    with pytest.raises(DatasetError, match="name is 3, expected text"):
        read_study(tmp_path / "study.toml")


def test_a_folder_of_another_study_is_refused(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.toml").write_text(f"# {name}")
    one = CohortStudy("one", (Person("A", tmp_path / "a.toml"), Person("B", tmp_path / "b.toml")))
    out = tmp_path / "out"
    out.mkdir()
    require_same_study(out, one, PLAN)
    require_same_study(out, CohortStudy("one", (*one.persons, Person("C", tmp_path / "c.toml"))), PLAN)
    (tmp_path / "b.toml").write_text("# mended")
    require_same_study(out, one, PLAN)
    others = CohortStudy("one", (Person("A", tmp_path / "c.toml"), Person("D", tmp_path / "b.toml")))
    for study, plan, said in (
        (CohortStudy("two", one.persons), PLAN, "other name"),
        (one, Plan(("aligned",), ("majority",), 1, 1, ()), "other plan"),
        (others, PLAN, "other persons"),
    ):
        with pytest.raises(EdgeEcgError, match=said):
            require_same_study(out, study, plan)


def test_another_version_of_the_program_at_a_worker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EdgeEcgError, match="another version"):
        study_person((PLAN, "of other code", tmp_path), Person("A", tmp_path / "none.toml"))


def test_synthetic_persons_differ_and_a_third_has_no_effect() -> None:
    people = [drawn(number, 0) for number in range(1, 13)]
    assert len({person.baseline.heart_rate_bpm for person, _ in people}) == 12
    assert [truth.has_effect for _, truth in people] == [True, True, False] * 4
    assert all((person.baseline == person.target) == (not truth.has_effect) for person, truth in people)


def test_a_study_without_dask_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    study = study_of(tmp_path, A="a.toml")
    done = inside("train.cohort", study, "--out", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:1")
    assert (done.returncode, "[cohort]" in done.stderr) == (2, True)
    done = inside("train.study", tmp_path, study, "--scheduler", "tcp://127.0.0.1:1")
    assert (done.returncode, "[cohort]" in done.stderr) == (2, True)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small persons: two with an effect, one without, and one whose files can't be read.

    In every file of the first, name and last second are planted.
    """
    folder = tmp_path_factory.mktemp("cohort") / "people"
    write_cohort(folder, 4, 0, days=6, recordings=1)
    broken = next((folder / "S0004").rglob("*.csv"))
    broken.write_text('Name,Jane Doe\nDate of Birth,"3 Feb 1960"\nnothing,here\n')
    for file in (folder / "S0001").rglob("*.csv"):
        lines = file.read_text(encoding="utf-8").splitlines()
        lines[-512:] = [PLANTED] * 512
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        file.rename(file.with_name(f"PLANTED_{file.name}"))
    return folder


@pytest.fixture(scope="module")
def studied(people: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple["Done[str]", Path]:
    """The command that studied them, and its folder."""
    out = tmp_path_factory.mktemp("studied") / "out"
    return cohort(people / "study.toml", "--out", out, "--workers", 1, "--only", "onnx"), out


def table(out: Path) -> list[dict[str, str]]:
    with (out / "cohort.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def cohort(*words: object) -> "Done[str]":
    return as_process("train.cohort", *words, *QUICK)


@pytest.mark.ci
def test_persons_fail_alone_are_kept_and_give_nothing_away(
    people: Path, studied: tuple["Done[str]", Path], tmp_path: Path
) -> None:
    study, (done, out) = people / "study.toml", studied
    assert done.returncode == 0, done.stderr
    rows = table(out)
    assert {row["person"] for row in rows if row["method"] == "aligned"} == {"S0001", "S0002", "S0003"}
    failed = [row for row in rows if row["person"] == "S0004"]
    assert [row["failed_at"] for row in failed] == ["data"]
    assert failed[0]["reason"]
    # Nothing of a person is in what is shown but the key.
    shown = [done.stdout, done.stderr, *((out / name).read_text() for name in ("cohort.csv", "cohort.html"))]
    shown += [file.read_text() for file in out.glob("persons/*/person.json")] + [(out / "cohort.json").read_text()]
    for text in shown:
        text = text.replace(f"the page: {out / 'cohort.html'}", "")
        for secret in ("Jane", "Doe", "1960", str(people), ".csv:", "ecg_2024", "PLANTED"):
            assert secret not in text
    # A bundle is that of the same person alone, and holds no number of another.
    alone = tmp_path / "alone"
    single = study_of(tmp_path, S0002=str(people / "S0002/dataset.toml"))
    assert cohort(single, "--out", alone, "--workers", 1, "--only", "onnx").returncode == 0
    for name in ("encoder.onnx", "comparator.onnx", "references.safetensors", "golden.json"):
        together_, apart = (place / "persons/S0002/bundle" / name for place in (out, alone))
        assert together_.read_bytes() == apart.read_bytes(), name
    assert load_bundle(out / "persons/S0002/bundle").manifest["training"]["dataset"]["name"] == "S0002"
    # Typed again, nothing is done twice; of other settings it is another study.
    again = cohort(study, "--out", out, "--workers", 1, "--only", "onnx")
    assert again.stderr.count("there already") >= 1
    assert table(out) == rows
    refused = cohort(study, "--out", out, "--workers", 1, "--seed", 1)
    assert (refused.returncode, "another study" in refused.stderr) == (2, True)


@pytest.mark.ci
def test_a_number_planted_in_one_person_is_in_no_other_ones_folder(studied: tuple["Done[str]", Path]) -> None:
    marks = [b"PLANTED", np.float32(PLANTED).tobytes() * 3]
    holds = {
        folder.name: any(mark in file.read_bytes() for file in folder.rglob("*") if file.is_file() for mark in marks)
        for folder in (studied[1] / "persons").iterdir()
    }
    assert holds == {"S0001": True, "S0002": False, "S0003": False, "S0004": False}


@contextmanager
def cluster(workers: int) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """A scheduler and workers as processes of their own, without anybody who starts a dead one again."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    dask = [sys.executable, "-m", "dask"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT}
    options = ["--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"]
    started = [subprocess.Popen([*dask, "scheduler", *options], **quiet)]
    one = ["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    started += [subprocess.Popen([*dask, *one], **quiet) for _ in range(workers)]
    try:
        yield address, started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.ci
def test_killed_workers_and_commands_change_nothing_in_the_table(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    study, out = people / "study.toml", tmp_path / "out"
    options = [study, "--only", "none", *QUICK]
    monkeypatch.setitem(sys.modules, "distributed", None)  # joblib is the engine then
    # With as many processes as other tests have: a pool that is made smaller and larger again can wait for ever.
    done = inside("train.cohort", *options, "--out", tmp_path / "here")
    assert (done.returncode, "by joblib" in done.stderr) == (0, True)
    words = [sys.executable, "-m", "train.cohort", *options, "--out", out]
    with cluster(2) as (address, workers):
        command = [*map(str, words), "--scheduler", address]
        for victim in (None, workers[0]):  # the command itself, then a worker of the one that goes on
            running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
            while not list(out.glob("persons/.S*.part")) and running.poll() is None:
                time.sleep(0.05)
            if victim is None:
                running.send_signal(signal.SIGINT)
                running.communicate(timeout=60)
                assert running.returncode == 130
            else:
                victim.send_signal(signal.SIGKILL)
                _, said = running.communicate(timeout=600)
                assert running.returncode == 0, said
    assert (out / "cohort.csv").read_bytes() == (tmp_path / "here/cohort.csv").read_bytes()
    assert read_json(out / "cohort.json") == read_json(tmp_path / "here/cohort.json")


def trained(beats: BeatSet, seed: int) -> list[float]:
    """A task of floating point: the evidence that a model of one epoch finds."""
    return comparator(beats, beats, settings_for("aligned", seed, epochs=1)).tolist()


@pytest.mark.ci
def test_a_task_gives_the_same_numbers_on_a_scheduler(small_run: Path) -> None:
    pytest.importorskip("distributed")
    beats, jobs = load_run(small_run).training, [(0,), (1,)]
    with parallel.local_cluster(1) as address, tasks_on(address):
        there = sorted(run_tasks(trained, beats, jobs))
    with tasks_on(workers=1):
        assert there == sorted(run_tasks(trained, beats, jobs))


@pytest.mark.slow
def test_a_study_runs_on_the_scheduler_that_it_is_given(
    small_run: Path, small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(parallel, "WAIT_S", 0.2)
    run = shutil.copytree(small_run, tmp_path / "run")
    done = edge_ecg("study", run, small_dataset, "--only", "crossval", "--scheduler", "tcp://127.0.0.1:9")
    assert done.returncode == 2
    assert "no Dask scheduler answers there" in done.stderr


@pytest.mark.slow
def test_a_scheduler_that_loses_all_its_workers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(parallel, "WAIT_S", 0.2)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as nobody,
        distributed.Client(nobody, set_as_default=False) as client,
        pytest.raises(EdgeEcgError, match=r"no worker for 0\.2 s"),
    ):
        list(parallel._on_dask(client, die, None, [(1,)], lambda job: None))


def die_once(shared: Path, number: int) -> int:
    """A task that takes its process with it the first time."""
    if number == 3 and not shared.exists():
        shared.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def die(_: None, number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def which_threads(_: None, number: int) -> tuple[int, list[int]]:
    import torch

    return torch.get_num_threads(), sorted(run_tasks(die, None, [(7,), (8,)]))  # of a task: in its own process


@pytest.mark.ci
def test_a_dead_worker_costs_its_task_a_retry_and_a_deadly_task_itself_alone(tmp_path: Path) -> None:
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    jobs = [(n,) for n in range(5)]
    one_retry = dask.config.set({"distributed.scheduler.allowed-failures": 1})
    with one_retry, parallel.local_cluster(2) as address, tasks_on(address):
        assert sorted(run_tasks(die_once, tmp_path / "died", jobs)) == [n * n for n in range(5)]
        assert sorted(run_tasks(die, None, jobs, lambda job: -job[0])) == [-3, 0, 1, 2, 4]
        assert set(map(str, run_tasks(which_threads, None, jobs))) == {"(1, [7, 8])"}
    with tasks_on(None, 2), pytest.raises(EdgeEcgError, match="a process at work died"):
        list(run_tasks(die, None, jobs))


def test_a_scheduler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(parallel, "WAIT_S", 0.2)
    with pytest.raises(EdgeEcgError, match="no Dask scheduler answers there"), connected("tcp://127.0.0.1:9"):
        pass
    with pytest.raises(EdgeEcgError, match="no Dask scheduler answers there"), connected("nonsense://"):
        pass
