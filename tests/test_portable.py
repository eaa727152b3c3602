"""The portable form: each op is torch's, the programs are the model's, and what is malformed is refused."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

pytest.importorskip("coremltools")

from edge_ecg.bundles.bundle import read_files
from edge_ecg.errors import BundleError, ParityError
from edge_ecg.inference.engines import Session
from edge_ecg.inference.portable import (
    LAYERS,
    OPS,
    WEIGHTS,
    WEIGHTS_INT8,
    Program,
    dequantized,
    load_portable,
    quantize_rows,
    with_defaults,
)
from export.formats.onnx import to_onnx
from export.formats.portable import float_files, int8_files
from export.graphs import Graph, fused_for_export, graphs_of
from train.model import DEFAULT_ARCHITECTURE
from train.model.architectures import ARCHITECTURES, build_model
from train.model.model import Model

RANDOM = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


@pytest.fixture(
    scope="module",
    params=[n if n == DEFAULT_ARCHITECTURE else pytest.param(n, marks=pytest.mark.slow) for n in ARCHITECTURES],
)
def exported(request: pytest.FixtureRequest):
    """A model whose batch norms have seen some beats, its graphs and its portable form."""
    torch.manual_seed(0)
    model = build_model(request.param).train()
    beats = torch.from_numpy(normal(16, 384)) * 100 + torch.arange(384)
    for _ in range(3):
        embeddings = model.encoder(beats)
        model.comparator(embeddings, embeddings.flip(0))
    model.eval()
    graphs = graphs_of(model)
    return graphs, {**float_files(graphs), **int8_files(graphs)}


def test_the_programs_compute_what_the_model_computes(exported):
    (encoder, comparator), files = exported
    encode, compare = load_portable(files[LAYERS], files[WEIGHTS])
    beat = normal(1, 384) * 300
    embedding = encoder.run(beat=beat)
    np.testing.assert_allclose(encode(beat), embedding, atol=1e-5 * np.abs(embedding).max())
    for count in (1, 7):
        references = embedding + normal(count, embedding.shape[1])
        logits = comparator.run(embedding=embedding, references=references)
        got = compare(embedding, references)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, logits, atol=1e-5)


@pytest.mark.parametrize("name", ["aligned", "linear"])
def test_the_fused_encoder_is_the_encoder_at_any_heart_rate(name):
    """What is exported has fewer operations, and the same embeddings."""
    model, beats = build_model(name), torch.from_numpy(normal(300, 384) * 300)
    beats[:, 383] = torch.linspace(0.2, 3.0, len(beats))
    ARCHITECTURES[name].prepare(model, beats)
    with torch.no_grad():
        wanted, got = model.encoder(beats), fused_for_export(model).encoder(beats)
    assert (got - wanted).abs().max() < 1e-5 * wanted.abs().max()


@pytest.mark.slow
@pytest.mark.parametrize(
    "layers", [[torch.nn.Linear(384, 8)], [torch.nn.Unflatten(1, (4, 96)), torch.nn.Linear(96, 2)]]
)
def test_a_graph_with_other_weights_is_exported_with_them(layers):
    """Also where the exporter renames a weight, as it does for a linear layer on three axes."""
    described = {"beat": "a beat", "embedding": "numbers"}
    first = Graph("encoder", torch.nn.Sequential(*layers), {"beat": (1, 384)}, "embedding", described)
    other = copy.deepcopy(first.module)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    second, beat = replace(first, module=other, template=first), normal(1, 384)
    for graph in (first, second):
        np.testing.assert_allclose(Session(to_onnx(graph)).run(beat=beat), graph.run(beat=beat), atol=1e-4)
        inputs = {"beat": torch.from_numpy(beat)}
        with torch.no_grad():
            np.testing.assert_allclose(graph.program.module()(*inputs.values()), graph.run(beat=beat), atol=1e-4)


def test_what_a_layer_leaves_out_is_what_it_would_state(exported):
    _, files = exported
    form, tensors = json.loads(files[LAYERS]), safetensors.numpy.load(files[WEIGHTS])
    beat, length = normal(1, 384), form["comparator"]["inputs"]["references"][1]
    inputs = {"encoder": [beat], "comparator": [normal(1, length), normal(4, length)]}
    assert form["format"] == 1
    for name in ("encoder", "comparator"):
        program = form[name]
        layers = with_defaults(program)
        assert layers[-1]["output"] == program["output"]
        assert all(layer["op"] in OPS for layer in layers)
        assert {"batch_norm", "shape", "cast"}.isdisjoint(layer["op"] for layer in layers)
        run, given = Program({**program, "layers": layers}, tensors), inputs[name]
        left_out = Program(program, tensors)
        np.testing.assert_array_equal(run(*given), left_out(*given))
        assert len(json.dumps(program)) < 0.8 * len(json.dumps({**program, "layers": layers}))
    assert form["comparator"]["inputs"]["references"][0] == "R"


def test_int8_weights_are_within_half_a_step_of_the_float_ones(exported):
    _, files = exported
    float_tensors, stored = (safetensors.numpy.load(files[name]) for name in (WEIGHTS, WEIGHTS_INT8))
    quantized = [name for name, tensor in stored.items() if tensor.dtype == np.int8]
    assert quantized
    for name in quantized:
        scale = stored[f"{name}.scale"]
        off = np.abs(dequantized(stored[name], scale) - float_tensors[name]).reshape(len(scale), -1).max(1)
        assert (off <= 0.5001 * scale).all()
    assert len(files[WEIGHTS_INT8]) < 0.6 * len(files[WEIGHTS])


@pytest.mark.parametrize(("stride", "padding", "groups"), [(1, 0, 1), (4, 7, 1), (2, 3, 6), (3, 1, 2)])
def test_conv1d_is_that_of_torch(stride, padding, groups):
    x, weight, bias = normal(3, 6, 40), normal(12, 6 // groups, 5), normal(12)
    layer = {"stride": stride, "padding": [padding, padding], "groups": groups}
    wanted = F.conv1d(*map(torch.from_numpy, (x, weight, bias)), stride, padding, groups=groups)
    np.testing.assert_allclose(OPS["conv1d"](layer, x, weight, bias), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("op", "oracle"), [("silu", F.silu), ("sigmoid", torch.sigmoid), ("relu", F.relu), ("tanh", torch.tanh)]
)
def test_activations_are_those_of_torch_even_far_out(op, oracle):
    x = np.array([-1e4, -90, -3, -0.1, 0, 0.1, 3, 90, 1e4], np.float32)
    np.testing.assert_allclose(OPS[op]({}, x), oracle(torch.from_numpy(x)), atol=1e-6, rtol=1e-6)


@given(st.lists(st.floats(-200, 200) | st.just(float("nan")), min_size=1, max_size=9))
def test_a_place_beyond_either_end_is_that_end(places):
    x, wanted = normal(1, 95), np.floor(np.array([places], np.float32))
    got = OPS["gather"]({}, x, wanted)
    for number, place in zip(got[0], wanted[0], strict=True):
        assert number == x[0, min(94, max(0, int(place)))] if np.isfinite(place) else x[0, 0]


def test_a_number_of_the_layer_is_the_second_value():
    x = np.array([3.0], np.float32)
    assert OPS["sub"]({"value": 1.0}, x) == 2.0
    assert OPS["div"]({"value": 2.0}, x) == 1.5
    assert OPS["sub"]({"value": 0.8}, x).dtype == np.float32


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50))
def test_a_row_in_int8_is_within_half_a_step(numbers):
    row = np.array([numbers], np.float32)
    values, scale = quantize_rows(row)
    assert np.abs(values.astype(int)).max() <= 127
    assert np.abs(dequantized(values, scale) - row).max() <= 0.5001 * scale[0]


def test_a_grid_is_its_own_grid():
    """Weights that lie on the int8 grid are stored as they are: the exported file can be held to the model."""
    weight = dequantized(*quantize_rows(normal(12, 5, 7)))
    np.testing.assert_allclose(dequantized(*quantize_rows(weight)), weight, rtol=1e-6)


@pytest.mark.parametrize(
    "broken",
    [b"", b"[]", b'{"format": 2}', b'{"format": 1, "encoder": {}}',
     b'{"format":1,"encoder":{"inputs":{},"output":"x","layers":[{"op":"magic","output":"x"}]},"comparator":{}}',
     b'{"format":1,"encoder":{"inputs":{},"output":"x","layers":["relu"]},"comparator":{}}',
     b'{"format":1,"encoder":{"inputs":{},"output":"0","layers":[{"op":"relu","inputs":[]}]},"comparator":{}}'],
)  # fmt: skip
def test_a_malformed_form_is_refused(broken):
    with pytest.raises(BundleError):
        load_portable(broken, safetensors.numpy.save({"a": np.zeros(1, np.float32)}))


def test_an_operation_that_the_form_lacks_is_named():
    described = {"beat": "a beat", "embedding": "its softmax"}
    graph = Graph("encoder", nn.Softmax(1), {"beat": (1, 384)}, "embedding", described)
    assert to_onnx(graph)
    with pytest.raises(ParityError, match="no op for Softmax"):
        float_files((graph, graph))


def test_the_golden_vectors_follow_from_the_portable_form(small_bundle):
    from edge_ecg.inference.references import ReferenceBank
    from edge_ecg.inference.votes import cast_vote

    _, files = read_files(small_bundle)
    encode, compare = load_portable(files[LAYERS], files[WEIGHTS])
    bank = ReferenceBank.from_bytes(files["references.safetensors"])
    for step in json.loads(files["golden.json"])["beats"]:
        embedding = encode(np.array([step["beat"]], np.float32))
        np.testing.assert_allclose(embedding[0], step["embedding"], atol=1e-5 * np.abs(step["embedding"]).max())
        logits = compare(embedding, bank.embeddings)
        np.testing.assert_allclose(logits, step["logits"], atol=1e-4)
        assert cast_vote(logits, bank).evidence == pytest.approx(step["evidence"], abs=1e-4)


@pytest.mark.slow
def test_gelu_and_layer_norm_are_those_of_torch():
    torch.manual_seed(1)
    encoder = nn.Sequential(nn.Linear(384, 12), nn.GELU(), nn.LayerNorm(12), nn.Linear(12, 6))
    model = Model(encoder, build_model("positional").comparator)
    model.comparator = type(model.comparator)(6)
    graphs = graphs_of(model.eval())
    files = float_files(graphs)
    encode, _ = load_portable(files[LAYERS], files[WEIGHTS])
    beats = torch.randn(20, 384)
    for beat in beats:
        expected = encoder(beat[None]).detach().numpy()
        np.testing.assert_allclose(encode(beat[None].numpy()), expected, atol=2e-6 * np.abs(expected).max())
