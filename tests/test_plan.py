"""The plan of sessions: its simulation against the code that decides, and what the command prints."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_ecg.cli import cli
from edge_ecg.cli.plan import plan_of_run
from edge_ecg.datasets import plan as module
from edge_ecg.datasets.plan import Plan, plan_from, sessions_without_model, simulate
from edge_ecg.errors import RunError
from edge_ecg.inference.levels import DayLevel, Levels, StateLevels
from tests.commands import edge_ecg
from train.fit.decision import variance_components

LEVELS = Levels((30,), StateLevels(10, (-2.7,), (1.9,), (0.27,)), StateLevels(6, (2.9,), (0.4,), (0.6,)))


@pytest.mark.parametrize("with_baseline", [True, False])
def test_simulated_recordings_are_decided_as_the_watch_decides(
    monkeypatch: pytest.MonkeyPatch, with_baseline: bool
) -> None:
    """The same levels, one by one, through the functions that fit levels and that decide."""
    baseline_counts, target_counts, draws = [4, 3, 5, 6], [3, 0, 4, 2], 40
    made: list[np.ndarray] = []
    recordings = module._recordings

    def kept(*arguments: object) -> np.ndarray:
        made.append(recordings(*arguments))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(module, "_recordings", kept)
    got = simulate(LEVELS, baseline_counts, target_counts, with_baseline=with_baseline, draws=draws, confidence=0.9)
    decided = wrong = total = 0
    for draw in range(draws):
        states = [[row[~np.isnan(row)] for row in levels[draw]] for levels in made]
        for session in range(4):
            fitted = []
            for of_state in states:
                groups = [g for number, g in enumerate(of_state) if number != session and len(g)]
                components = variance_components(groups)
                assert components
                fitted.append(StateLevels(len(groups), *((value,) for value in components)))
            levels, own = Levels((30,), *fitted), states[0][session][:2]
            day = DayLevel(float(own.mean()), 2, 30) if with_baseline else None
            for is_target, judged in ((False, states[0][session][2:]), (True, states[1][session])):
                for level in judged:
                    log_odds = levels.log_odds(float(level), 30, day)
                    total += 1
                    decided += abs(log_odds) >= np.log(9)
                    wrong += abs(log_odds) >= np.log(9) and (log_odds > 0) != is_target
    assert (got.decided, got.wrong) == pytest.approx((decided / total, wrong / decided))


def test_more_sessions_and_a_baseline_decide_more_and_states_nearer_each_other_less() -> None:
    plan = plan_from(LEVELS)
    assert [row.sessions for row in plan.rows] == [6, 8, 10, 13, 19, 30]
    for fewer, more in pairwise(plan.rows):
        assert fewer.with_baseline.decided <= more.with_baseline.decided + 0.01
    for row in plan.rows:
        assert row.half_as_far.decided < row.without.decided < row.with_baseline.decided
        assert row.with_baseline.wrong < 0.05


def test_nineteen_sessions_without_an_error_state_95_percent() -> None:
    """g / (g + 1) is the highest confidence that g sessions without an error support."""
    for confidence, sessions in ((0.95, 19), (0.9, 9), (0.99, 99), (0.5, 1)):
        assert sessions_without_model(confidence) == sessions
        assert sessions / (sessions + 1) >= confidence - 1e-12 > (sessions - 1) / sessions - 1e-9


def test_the_command_plans_from_a_run(small_run: Path, tmp_path: Path) -> None:
    done = edge_ecg("plan", small_run, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    dates = json.loads((small_run / "config.json").read_text())["levels"]
    assert found["baseline_sessions"] == dates["baseline"]["dates"]
    text = edge_ecg("plan", small_run).stdout
    assert "sessions of both states" in text
    assert "Without a model" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    for folder, reason in ((tmp_path, "has no config.json"), (_without_levels(small_run, tmp_path / "x"), "too few")):
        refused = edge_ecg("plan", folder)
        assert (refused.returncode, reason in refused.stderr) == (2, True)


def _without_levels(run: Path, folder: Path) -> Path:
    folder.mkdir()
    config = json.loads((run / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "levels": None}))
    return folder


def test_one_session_is_too_few_to_plan_from() -> None:
    state = StateLevels(1, (0.0,), (1.0,), (1.0,))
    with pytest.raises(RunError, match="1 sessions have both states"):
        plan_from(Levels((30,), state, state))


def test_three_sentences_name_counts_and_shares() -> None:
    plan: Plan = plan_from(LEVELS)
    sentences = plan.sentences(("fasting", "glucose"))
    assert len(sentences) == 3
    assert "10 have fasting, 6 glucose" in sentences[0]
    assert "19:1" in sentences[0]
    assert f"{plan.rows[0].with_baseline.decided:.0%}" in sentences[0]
    assert "19 error-free sessions of each state" in sentences[2]


def test_an_import_says_what_the_run_decides_so_far(
    small_run: Path, small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for out in ("first", "second"):
        done = CliRunner().invoke(cli, ["import", str(small_dataset.parent), "--baseline", "fasting", "--out", out])
        assert done.exit_code == 0, done.output
        said = " ".join(done.output.split())
        assert ("run, so far: With 7 sessions of both states" in said) == (out == "second")
        if out == "first":
            Path("run").symlink_to(small_run)
    assert plan_of_run(small_run)[0].sentences(("fasting", "glucose"))[0] in said
