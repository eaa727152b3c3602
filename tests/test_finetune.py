"""Fine-tuning on the grid: weights stay on it, new beats are judged more like the model does, and only if need be."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("coremltools")

from export.compression.finetune import SCHEMES, finetune, refined
from export.compression.weights import INT8, PALETTE4, Scheme, layers_of
from export.gate.parity_check import Trial
from export.gate.reference_model import Original
from train.model.model import Model, compare, embed
from train.run import Run, load_run


@pytest.fixture(scope="module")
def finished(small_run) -> Run:
    return load_run(small_run)


@pytest.fixture(scope="module")
def original(finished) -> Original:
    return Original.of_run(finished)


@pytest.fixture(scope="module")
def finetuned(finished, original) -> dict[str, Model]:
    bank = original.bank().embeddings
    return {s.name: finetune(finished.model, s, finished.training.values, bank) for s in SCHEMES}


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_weights_stay_on_the_grid(finetuned, scheme):
    for layer in layers_of(finetuned[scheme.name]):
        weight = layer.weight.detach().numpy()
        if scheme is INT8:
            np.testing.assert_allclose(scheme.on_grid(weight), weight, rtol=1e-6)
        elif scheme.takes(weight):
            assert len(np.unique(weight)) <= 2**scheme.bits


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_beats_of_other_dates_are_judged_more_like_the_model_does(finished, original, finetuned, scheme):
    beats, bank = finished.validation.values, original.bank().embeddings

    def error(model: Model) -> float:
        wanted = compare(finished.model, embed(finished.model, beats), bank)
        return float(np.sqrt(np.mean((compare(model, embed(model, beats), bank) - wanted) ** 2)))

    assert error(finetuned[scheme.name]) < 0.7 * error(scheme.compressed(finished.model))


def test_the_same_run_gives_the_same_weights(finished, original, finetuned):
    again = finetune(finished.model, PALETTE4, finished.training.values, original.bank().embeddings)
    for layer, other in zip(layers_of(finetuned[PALETTE4.name]), layers_of(again), strict=True):
        np.testing.assert_array_equal(layer.weight.detach(), other.weight.detach())


def test_what_costs_no_vote_is_left_alone(finished, original):
    trial = Trial(original, finished.validation, finished.rule)
    exact = Scheme("exact", 32, lambda weight: weight)
    signs = Scheme(PALETTE4.name, 1, np.sign)
    found = refined(trial, finished.training.values, [exact, signs]).original.finetuned
    assert found.keys() == {PALETTE4.name}


def test_an_original_keeps_its_fine_tuned_models(original, finetuned):
    kept = replace(original, finetuned=finetuned)
    read = Original.from_bytes(kept.to_bytes(), original.architecture)
    for scheme in SCHEMES:
        for layer, other in zip(layers_of(kept.compressed(scheme)), layers_of(read.compressed(scheme)), strict=True):
            np.testing.assert_array_equal(layer.weight.detach(), other.weight.detach())
            assert (layer.bias is None) == (other.bias is None)
    np.testing.assert_array_equal(read.bank().embeddings, original.bank().embeddings)
