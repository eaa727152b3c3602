"""The dose study: evidence of sessions left out against the order of what was measured, and nothing but its order."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from edge_ecg.datasets.dataset_file import read_dataset
from edge_ecg.errors import RunError
from edge_ecg.report.findings import read_findings
from edge_ecg.report.report import report
from edge_ecg.results import Correlation, Dose, read_record
from edge_ecg.terminal.console import run_command
from tests.test_imports import ROOT, imported
from train.data import BeatSet
from train.fit.loop import settings_for
from train.run import load_run
from train.studies.dose import NO_STATE, dose, entries_between, evidence_of_left_out, measured_values, over_sessions
from train.study import study

PLANTED = [4.87654321, 5.12345678, 9.87612345, 8.76512349]  # digits that nothing else writes


def a_session(rng: np.random.Generator, recordings: int, name: str) -> tuple[BeatSet, np.ndarray]:
    """Three beats a recording with random RR intervals, and random evidence."""
    values = rng.normal(size=(3 * recordings, 384)).astype(np.float32)
    values[:, -1] = rng.uniform(0.6, 1.2, 3 * recordings)
    target = np.arange(recordings) % 2 == 1
    sources = tuple(f"{name}/{'ab'[int(t)]}/{n}.csv" for n, t in enumerate(target))
    return BeatSet(
        values,
        np.repeat(np.arange(recordings), 3),
        np.zeros(3 * recordings),
        sources,
        np.full(recordings, name),
        target,
        np.full(recordings, 512.0),
        np.full(recordings, "NaT", "datetime64[D]"),
    ), rng.normal(size=3 * recordings)


@given(st.integers(0, 10**6), st.integers(4, 12))
def test_correlations_are_spearmans_and_only_the_order_of_values_counts(seed: int, recordings: int) -> None:
    rng = np.random.default_rng(seed)
    each = [a_session(rng, recordings, name) for name in ("0101", "0102", "0103")]
    beats, evidence = BeatSet.joined([b for b, _ in each]), np.concatenate([e for _, e in each])
    between = rng.random(len(beats.sources)) < 0.2
    values = dict(zip(beats.sources, rng.normal(6, 1, len(beats.sources)), strict=True))
    found = dose(beats, evidence, values, between)
    mean_evidence = evidence.reshape(-1, 3).mean(1)
    mean_rr_s = beats.values[:, -1].astype(float).reshape(-1, 3).mean(1)
    for session in found["sessions"]:
        of = beats.dates == session.session
        value = np.array([values[source] for source in np.array(beats.sources)[of]])
        assert session.evidence_rho == pytest.approx(spearmanr(value, mean_evidence[of]).statistic)
        assert session.heart_rate_rho == pytest.approx(spearmanr(value, 1 / mean_rr_s[of]).statistic)
        assert session.rank == tuple(range(1, recordings + 1))
        assert session.evidence == pytest.approx(mean_evidence[of][np.argsort(value)], abs=1e-4)
        state = np.where(between[of], NO_STATE, beats.recording_is_target[of])
        assert session.state == tuple(state[np.argsort(value)].tolist())
    assert found["evidence"].rho == pytest.approx(np.mean([one.evidence_rho for one in found["sessions"]]))
    # No number of a value is in it: any other values in the same order give the same record.
    assert dose(beats, evidence, {name: float(np.exp(value)) for name, value in values.items()}, between) == found


def test_an_interval_over_sessions_is_of_their_mean() -> None:
    found = over_sessions([0.9, 0.8, None, 0.85, 0.7])
    assert found is not None
    assert found.rho_95 is not None
    assert (found.sessions, found.rho) == (4, pytest.approx(0.8125))
    assert 0.7 <= found.rho_95[0] < found.rho < found.rho_95[1] <= 0.9
    assert over_sessions([0.5]) == Correlation(rho=0.5, rho_95=None, sessions=1)
    assert over_sessions([None]) is None


@pytest.fixture
def measured(small_dataset: Path, tmp_path: Path) -> Path:
    """The shared person's data set with values that follow the state, and one day's first recording between."""
    folder = Path(shutil.copytree(small_dataset.parent, tmp_path / "data"))
    rows, files = ["file,glucose mmol/L"], sorted(folder.rglob("*.csv"))
    between = files[0].parents[1] / "between" / files[0].name
    between.parent.mkdir()
    files[0] = files[0].rename(between)
    for number, file in enumerate(files):
        value = PLANTED[2 * ("glucose" in file.parts) + number % 2] + 0.01 * (number % 7)
        rows.append(f"{file.relative_to(folder).as_posix()},{value:.8f}")
    (folder / "measured.csv").write_text("\n".join(rows) + "\n")
    text = (folder / "dataset.toml").read_text(encoding="utf-8").replace("exclude = []", 'exclude = ["between"]')
    (folder / "dataset.toml").write_text(text + '\n[measured]\nfile = "measured.csv"\n', encoding="utf-8")
    return folder / "dataset.toml"


@pytest.mark.slow
def test_sessions_left_out_are_ranked_and_no_value_leaves_the_data_sets_folder(
    measured: Path, small_run: Path, tmp_path: Path
) -> None:
    dataset = read_dataset(measured)
    quantity, values = measured_values(dataset)
    run = load_run(small_run)
    beats = BeatSet.joined([run.training, run.validation])
    assert len(entries_between(dataset, values)) == 1
    out = tmp_path / "run/study/dose"
    shutil.copytree(small_run, tmp_path / "run")
    judged, evidence, between = evidence_of_left_out(
        dataset, beats, values, settings_for("linear", 0), out / "folds", lambda line: None
    )
    assert between.sum() == 1
    record = Dose(
        dataset=dataset.name, labels=dataset.labels, quantity="glucose", **dose(judged, evidence, values, between)
    )
    assert quantity == "glucose mmol/L"
    assert record.evidence is not None
    assert record.evidence.rho > 0.5
    (out / "dose.json").write_bytes(msgspec.json.encode(record))
    assert read_record(out / "dose.json", Dose) == record

    page = report(read_findings(tmp_path / "run"))
    assert "Rank correlation with glucose within sessions" in page
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "data" not in path.parts)
    assert len(written) > 100_000
    for value in set(values.values()):
        assert f"{value:.8f}"[:8].encode() not in written
        assert not any(np.array(value, kind).tobytes() in written for kind in ("<f4", "<f8"))


def test_only_import_sheet_and_dose_study_know_of_measured_values() -> None:
    """So that training, export, replay and report can't let one out."""
    files = [file for package in ("edge_ecg", "train", "export") for file in (ROOT / package).rglob("*.py")]
    users = {file.relative_to(ROOT).as_posix() for file in files if "edge_ecg.datasets.measured" in imported(file)}
    assert users == {
        "edge_ecg/cli/import_.py",
        "edge_ecg/datasets/importing.py",
        "edge_ecg/report/contact_sheet.py",
        "train/studies/dose.py",
    }
    named = {path.relative_to(ROOT).as_posix() for path in files if ".measured" in path.read_text(encoding="utf-8")}
    assert {name for name in named if not name.startswith("edge_ecg/")} == {"train/studies/dose.py", "train/study.py"}


def test_a_data_set_without_values_is_refused_where_it_is_asked_for(
    small_run: Path, small_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(small_run, tmp_path / "run")
    with pytest.raises(SystemExit) as ended:
        run_command(study, [str(run), str(small_dataset), "--only", "dose"])
    assert ended.value.code == 2
    assert "has no measured values; edge-ecg import --glucose writes them" in capsys.readouterr().err
    with pytest.raises(RunError):
        measured_values(read_dataset(small_dataset))
