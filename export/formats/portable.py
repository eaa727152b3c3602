"""The portable form of the two graphs: layers.json and weights that a few hundred lines of any language can run.

It is translated from the ONNX graph; `edge_ecg.inference.portable` says what each layer means.
"""

import json
from typing import Any

import numpy as np
import onnx
import safetensors.numpy

from edge_ecg.bundle import REFERENCES, REFERENCES_INT8
from edge_ecg.contract import CONTRACT
from edge_ecg.inference.int8 import dequantized, quantize_rows
from edge_ecg.inference.portable import FORMAT, LAYERS, WEIGHTS, WEIGHTS_INT8, load_portable
from export.compression.weights import FLOAT32, INT8
from export.formats.artefact import Artefact, Engine, Files, Graphs, StoredWeight, embedding_length, require_shapes
from export.formats.expanded import expanded
from export.formats.onnx import to_onnx
from export.formats.translation import Translation


def translated(graphs: Graphs) -> tuple[bytes, dict[str, np.ndarray], set[str]]:
    """layers.json, its tensors, and the names of the weights among them. Raises UnsupportedOperationError."""
    tensors: dict[str, np.ndarray] = {}
    form: dict[str, Any] = {"format": FORMAT}
    fixed: set[str] = set()
    for graph in graphs:
        translation = Translation(expanded(onnx.load_from_string(to_onnx(graph))), tensors)
        form[graph.name] = translation.program()
        fixed |= {translation.names[name] for name in graph.buffers & translation.names.keys()}
    layers = [*form["encoder"]["layers"], *form["comparator"]["layers"]]
    weights = {layer["inputs"][1] for layer in layers if layer["op"] in ("conv1d", "linear")}
    return json.dumps(form, separators=(",", ":")).encode(), tensors, weights - fixed


def float_files(graphs: Graphs) -> dict[str, bytes]:
    """The portable form with float32 weights, by name."""
    layers, tensors, _ = translated(graphs)
    return {LAYERS: layers, WEIGHTS: safetensors.numpy.save(tensors)}


def int8_files(graphs: Graphs) -> dict[str, bytes]:
    """The same layers with int8 weights, symmetric, with a scale for each index of the first axis."""
    layers, tensors, weights = translated(graphs)
    for name in weights:
        tensors[name], tensors[f"{name}.scale"] = quantize_rows(tensors[name])
    return {LAYERS: layers, WEIGHTS_INT8: safetensors.numpy.save(tensors)}


def _opened(files: Files, weights: str) -> Engine:
    """Both programs through the NumPy interpreter. Raises ParityError if they are not the contract's."""
    encoder, comparator = load_portable(files[LAYERS], files[weights])
    length = embedding_length(encoder)
    require_shapes(LAYERS, encoder.inputs, {"beat": [1, CONTRACT.beat_length]})
    require_shapes(LAYERS, comparator.inputs, {"embedding": [1, length], "references": ["R", length]})
    return Engine(lambda beat: encoder(beat), lambda embedding, references: comparator(embedding, references))


def _stored_weights(content: bytes) -> list[StoredWeight]:
    tensors = safetensors.numpy.load(content)
    return [
        StoredWeight(dequantized(tensor, tensors.get(f"{name}.scale")), 8 * tensor.itemsize)
        for name, tensor in tensors.items()
    ]


def _artefact(scheme, weights, references, write) -> Artefact:  # type: ignore[no-untyped-def]
    return Artefact(
        f"portable {scheme.name}",
        (LAYERS, weights),
        references,
        scheme,
        write,
        lambda files: _opened(files, weights),
        lambda files: _stored_weights(files[weights]),
    )


PORTABLE = (
    _artefact(FLOAT32, WEIGHTS, REFERENCES, float_files),
    _artefact(INT8, WEIGHTS_INT8, REFERENCES_INT8, int8_files),
)
