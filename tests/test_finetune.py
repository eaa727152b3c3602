"""Fine-tuning on the grid: weights stay on it, new beats are judged more like the model does, and only if need be."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("coremltools")

from export.gate.parity_check import ParityCheck, ReferenceModel
from export.graphs import INT8, Scheme, finetune, layers_of
from train.model.model import Model, compare, embed
from train.run import Run, load_run

COARSE = Scheme("coarse", 4, lambda weight: np.round(weight / np.abs(weight).max() * 7) * (np.abs(weight).max() / 7))


@pytest.fixture(scope="module")
def run(small_run) -> Run:
    return load_run(small_run)


@pytest.fixture(scope="module")
def reference(run) -> ReferenceModel:
    return ReferenceModel.of_run(run)


@pytest.fixture(scope="module", params=[INT8, pytest.param(COARSE, marks=pytest.mark.slow)], ids=["int8", "4 bit"])
def finetuned(request, run, reference) -> tuple[Scheme, Model]:
    scheme = request.param
    return scheme, finetune(run.model, scheme, run.training.values, reference.bank.embeddings)


def test_weights_stay_on_the_grid(finetuned):
    scheme, model = finetuned
    for layer in layers_of(model):
        weight = layer.weight.detach().numpy()
        np.testing.assert_allclose(scheme.on_grid(weight), weight, rtol=1e-6)


def test_beats_of_other_dates_are_judged_more_like_the_model_does(run, reference, finetuned):
    beats, bank = run.validation.values, reference.bank.embeddings
    scheme, model = finetuned

    def error(model: Model) -> float:
        wanted = compare(run.model, embed(run.model, beats), bank)
        return float(np.sqrt(np.mean((compare(model, embed(model, beats), bank) - wanted) ** 2)))

    assert error(model) < 0.7 * error(scheme.compressed(run.model))


@pytest.mark.slow
def test_the_same_run_gives_the_same_weights(run, reference, finetuned):
    scheme, model = finetuned
    again = finetune(run.model, scheme, run.training.values, reference.bank.embeddings)
    for layer, other in zip(layers_of(model), layers_of(again), strict=True):
        np.testing.assert_array_equal(layer.weight.detach(), other.weight.detach())


def test_only_rounding_that_costs_decisions_is_a_fault(run, reference):
    check = ParityCheck(reference, run.validation, run.rule)
    assert check.rounding_faults(Scheme("exact", 32, lambda weight: weight)) == []
    assert "vote otherwise" in check.rounding_faults(Scheme("signs", 1, np.sign))[0]


def test_a_reference_model_keeps_its_fine_tuned_models(reference, finetuned):
    scheme, model = finetuned
    kept = replace(reference, finetuned={scheme.name: model})
    read = ReferenceModel.from_bytes(kept.to_bytes(), reference.architecture)
    for layer, other in zip(layers_of(model), layers_of(read.compressed(scheme)), strict=True):
        np.testing.assert_array_equal(layer.weight.detach(), other.weight.detach())
        assert (layer.bias is None) == (other.bias is None)
    np.testing.assert_array_equal(read.bank.embeddings, reference.bank.embeddings)
