"""Ablations: each differs from the default in one thing, is judged on dates it has not seen, and is not done twice."""

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benches import ablations
from benches.ablations import ABLATED, DEFAULT, VARIANTS, row
from train.evaluation.folds import comparator
from train.evaluation.scores import RecordingScores
from train.model.aligned import AlignedEncoder
from train.model.architectures import ARCHITECTURES


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in ABLATED and name != "default"])
def test_a_variant_differs_in_one_thing(name: str) -> None:
    changed = [key for key, value in asdict(VARIANTS[name][1]).items() if value != asdict(DEFAULT)[key]]
    assert len(changed) == 1


@pytest.mark.parametrize("name", ABLATED)
def test_what_is_taken_away_is_gone(name: str) -> None:
    """Of three changes of a beat, each is seen by the default and not by the variant made for it, or the other way."""
    torch.manual_seed(0)
    beat = 300 * torch.randn(8, 384)
    beat[:, 383] = 0.9
    faster, louder = beat.clone(), beat.clone()
    faster[:, 383] = 0.7
    louder[:, :383] *= 1.5
    default, ablated = ARCHITECTURES["aligned"].build().encoder, ABLATED[name].build().encoder

    def moves(encoder: AlignedEncoder, changed: torch.Tensor) -> bool:
        with torch.no_grad():
            return bool((encoder(beat) - encoder(changed)).abs().max() > 0.02)

    assert moves(default, faster)
    assert not moves(default, louder)
    assert moves(ablated, louder) == (name == "amplitude kept")
    with torch.no_grad():
        features = [ablated.features(b) for b in (beat, faster)]
    same_samples, same_rr = (features[0][:, :95] == features[1][:, :95]).all(), features[0][0, 95] == features[1][0, 95]
    assert bool(same_samples) == (name == "T wave not aligned")
    assert bool(same_rr) == (name == "no RR interval beside the samples")
    assert len(ablated.project) == (1 if name == "not whitened" else 2)


def test_a_row_is_mean_and_spread() -> None:
    def scores(right: int) -> RecordingScores:
        is_target = np.arange(20) >= 10
        called = np.where(np.arange(20) < right, is_target, ~is_target)
        count = np.ones(20, int)
        return RecordingScores(np.full(20, "0101"), is_target, np.where(called, 1.0, -1.0), count, count)

    got = row("x", [scores(20), scores(14)])
    assert (got["seeds"], got["right_mean"], got["right_spread"], got["of"]) == (2, 17, 6, 20)
    assert got["auc_mean"] == pytest.approx((1 + 0.7) / 2)
    assert got["auc_spread"] == pytest.approx(0.3)


@pytest.mark.slow
def test_the_command_writes_a_table_and_does_nothing_twice(
    small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replace(DEFAULT, epochs=1)
    quick = {
        "default": (comparator, one),
        "not whitened": (partial(comparator, architecture=ABLATED["not whitened"]), one),
    }
    monkeypatch.setattr(ablations, "VARIANTS", quick)
    options = [str(small_dataset), "--out", str(tmp_path), "--seeds", "1", "--json"]
    first = CliRunner().invoke(ablations.ablations, options, catch_exceptions=False)
    assert "14/14" in first.stderr  # two variants, seven dates
    result = json.loads(first.stdout)
    assert result == json.loads((tmp_path / "ablations.json").read_text())
    assert [r["name"] for r in result["rows"]] == list(quick)
    test_dates = {"0308", "0309"}
    assert len(result["dates"]) == 7
    assert not test_dates & set(result["dates"])
    again = CliRunner().invoke(ablations.ablations, options, catch_exceptions=False)
    assert "/" not in again.stderr.replace("reading recordings", "")
    assert json.loads(again.stdout) == result
