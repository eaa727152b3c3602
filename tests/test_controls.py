"""The studies of controls, methods by the rule, and the plan: their records, and how the report draws them."""

from dataclasses import replace
from functools import partial
from html import unescape
from pathlib import Path

import pytest
from scipy.stats import beta

from edge_ecg.datasets.dataset_file import read_dataset
from edge_ecg.report.findings import read_findings
from edge_ecg.report.report import report
from edge_ecg.results import Placebo, Rivals, SessionPlan, upper_bound_95, write_record
from train.data import read_sets
from train.fit.loop import settings_for
from train.parallel import tasks_on
from train.run import load_run
from train.studies import controls
from train.studies.controls import control, measure_placebo, measure_plan, measure_rivals
from train.studies.subject import Options, Subject


@pytest.fixture(scope="module")
def subject(small_run: Path, small_dataset: Path) -> Subject:
    dataset = read_dataset(small_dataset)
    options = Options(quick=True, architectures=("linear",), benchmarks=("majority", "logistic, T aligned"))
    return Subject(load_run(small_run), dataset, read_sets(dataset, quiet=True), options)


@pytest.fixture(scope="module")
def placebo(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Placebo:
    return measure_placebo(subject, tmp_path_factory.mktemp("placebo"), lambda line: None)


@pytest.fixture(scope="module")
def plan(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> SessionPlan:
    return measure_plan(subject, tmp_path_factory.mktemp("plan"), lambda line: None)


@pytest.mark.slow
def test_controls_find_nothing_and_drawn_baselines_change_nothing(placebo: Placebo) -> None:
    shuffled, *halves, drawn = placebo.controls
    assert all(c.nothing_to_find and c.decided < 0.2 for c in (shuffled, *halves))
    assert (drawn.repeats, drawn.nothing_to_find, drawn.wrong) == (3, False, 0)
    assert placebo.matched_right <= placebo.matched_pairs


@pytest.mark.slow
def test_a_placebo_that_is_decided_is_named_in_red(
    small_run: Path, tmp_path: Path, placebo: Placebo, plan: SessionPlan
) -> None:
    for file in small_run.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    failed = control("labels shuffled within sessions", [{"right": 3, "wrong": 3, "inconclusive": 94}], True)
    assert failed.failed
    assert failed.decided == 0.06
    folder = tmp_path / "study"
    for name in ("placebo", "plan"):
        (folder / name).mkdir(parents=True)
    write_record(folder / "plan/plan.json", plan)
    write_record(folder / "placebo/placebo.json", placebo)
    calm = unescape(report(read_findings(tmp_path)))
    assert "A control failed" not in calm
    assert all(sentence.split(",")[0] in calm for sentence in plan.sentences)
    content = {name: getattr(placebo, name) for name in placebo.__struct_fields__}
    write_record(folder / "placebo/placebo.json", Placebo(**{**content, "controls": (failed,)}))
    assert "A control failed" in report(read_findings(tmp_path))


def test_a_plan_is_checked_against_what_was_decided(plan: SessionPlan) -> None:
    """The simulation, from the variances of these sessions, predicts how much of their recordings is decided."""
    assert abs(plan.predicted - plan.observed) < 0.25
    assert [row.sessions for row in plan.rows] == sorted(row.sessions for row in plan.rows)


@pytest.mark.slow
def test_rivals_stand_beside_the_run_by_the_same_rule(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls, "settings_for", partial(settings_for, epochs=2))
    quick = replace(subject, beats=subject.beats.on_dates(sorted(set(subject.beats.dates.tolist()))[:6]))
    with tasks_on(workers=1):  # in this process
        found: Rivals = measure_rivals(quick, tmp_path, lambda line: None)
    names = [m.method for m in found.methods]
    assert names == [subject.architecture, "linear", "majority", "logistic, T aligned"]
    assert found.methods[0].more == 0
    assert len({m.total for m in found.methods}) == 1
    majority = found.methods[2]
    assert majority.right <= min(found.methods[1].right, found.methods[3].right)
    assert majority.more_95[0] <= majority.more <= majority.more_95[1]


@pytest.mark.parametrize(("errors", "total"), [(0, 13), (1, 13), (3, 20), (0, 1), (5, 5)])
def test_the_upper_bound_is_that_of_clopper_and_pearson(errors: int, total: int) -> None:
    expected = beta.ppf(0.95, errors + 1, total - errors) if errors < total else 1.0
    assert upper_bound_95(errors, total) == pytest.approx(expected)
    assert f"{upper_bound_95(0, 13):.1%}" == "20.6%"
