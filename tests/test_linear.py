"""The linear comparator: logistic regression by another implementation, a bounded vote, one day to learn from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from edge_ecg.errors import DatasetError
from train.data import BeatSet
from train.fit.decision import bank_of, choose_references
from train.fit.loop import Trainer, evidence_of, settings_for
from train.model.aligned import NOISE, AlignedEncoder
from train.model.model import Model, compare, embed
from train.run import load_run


@pytest.fixture(scope="module")
def training(small_run: Path) -> BeatSet:
    return load_run(small_run).training


@pytest.fixture(scope="module")
def model(training: BeatSet, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Trainer(settings_for("linear", 0), training, None, tmp_path_factory.mktemp("linear")).fit()


def test_the_score_is_the_log_odds_of_logistic_regression(training: BeatSet, model: Model) -> None:
    """Against the principal components of scikit-learn, whose signs and order may differ."""
    with torch.no_grad():
        features = AlignedEncoder().features(torch.from_numpy(training.values)).numpy().astype(np.float64)
    pca = PCA(32, svd_solver="full").fit(features)
    components = pca.transform(features) / np.sqrt(pca.explained_variance_ + NOISE)
    regression = LogisticRegression(C=1.0, tol=1e-9, max_iter=20000).fit(components, training.is_target)
    log_odds = regression.decision_function(components)
    embeddings = embed(model, training.values)
    np.testing.assert_allclose(embeddings[:, 0], log_odds, atol=5e-3)
    np.testing.assert_allclose(np.abs(embeddings[:, 1:]), np.abs(components[:, 6::-1]), atol=2e-3)


def test_no_beat_has_more_evidence_than_the_references_have(training: BeatSet, model: Model) -> None:
    embeddings = embed(model, training.values)
    chosen = choose_references(training, embeddings, 8)
    bank = bank_of(training, embeddings, chosen)
    scores, is_target = bank.embeddings[:, 0].astype(np.float64), bank.is_target
    most = scores[is_target].mean() - scores[~is_target].mean()
    far = np.zeros((2, 8), np.float32)
    far[:, 0] = scores.min() - 100, scores.max() + 100
    np.testing.assert_allclose(bank.evidence(compare(model, far, bank.embeddings)), [-most, most], rtol=1e-5)
    by = np.linspace(-3, 4, 8, dtype=np.float32)  # what enrollment moves all beats and references by
    moved = bank.moved(by)
    np.testing.assert_allclose(
        moved.evidence(compare(model, embeddings + by, moved.embeddings)),
        bank.evidence(compare(model, embeddings, bank.embeddings)),
        atol=1e-4,
    )


def test_no_seed_changes_the_weights(training: BeatSet, model: Model, tmp_path: Path) -> None:
    other = Trainer(settings_for("linear", 7, epochs=3), training, None, tmp_path).fit()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    assert model.parameter_count == 8 * 97


def test_one_day_with_both_states_is_enough(training: BeatSet, tmp_path: Path) -> None:
    one = training.on_dates([str(training.dates[training.recording_is_target][0])])
    with pytest.raises(DatasetError, match="expected at least 2 such days"):
        Trainer(settings_for("aligned", 0), one, None, tmp_path / "aligned")
    learned = Trainer(settings_for("linear", 0), one, None, tmp_path / "linear").fit()
    evidence = evidence_of(learned, one, one.values, settings_for("linear", 0))
    assert ((evidence > 0) == one.is_target).mean() > 0.95
    baselines = replace(one, recording_is_target=np.zeros(len(one.sources), bool))
    with pytest.raises(DatasetError, match="expected at least 1 such day:"):
        Trainer(settings_for("linear", 0), baselines, None, tmp_path / "none")
