"""What a bundle holds: each artefact with its files, how it is run, and the model that it is meant to be."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.bundle import COMPARATOR, ENCODER, REFERENCES, REFERENCES_INT8
from edge_ecg.contract import CONTRACT
from edge_ecg.errors import ParityError
from edge_ecg.inference.comparator import Comparator, OnnxComparator
from edge_ecg.inference.encoder import Encoder, OnnxEncoder
from edge_ecg.inference.portable import LAYERS, WEIGHTS, WEIGHTS_INT8, load_portable
from export.apple import ct
from export.compression.qdq import COMPARATOR_INT8, ENCODER_INT8
from export.compression.weights import FLOAT32, INT8, Scheme
from export.formats.packages import VARIANTS, Variant, opened_package
from export.mil.program import MilProgram

Files = Mapping[str, bytes]
ON_THIS_MAC = " on this Mac"


@dataclass(frozen=True)
class Engine:
    """One way to run the two graphs."""

    name: str
    encode: Encoder
    compare: Comparator


@dataclass(frozen=True)
class Artefact:
    """Files of a bundle that are one way to run the model."""

    name: str
    parts: tuple[str, ...]  # its files, or the folders of them
    references: str  # the references that it is used with
    scheme: Scheme  # how its weights are stored
    open: Callable[[Files], Engine]
    rounds: bool = False  # its activations are rounded too, so it can't be held to the last digits
    on_device: bool = True  # its speed here says something about its speed there

    def files(self, files: Files) -> dict[str, bytes]:
        """Those of a bundle's files that are part of it."""
        return {name: c for name, c in files.items() if any(name == p or name.startswith(f"{p}/") for p in self.parts)}


def onnx_engine(name: str, encoder: bytes, comparator: bytes) -> Engine:
    """Two ONNX files as the runtime runs them."""
    encode = OnnxEncoder(encoder, CONTRACT.beat_length)
    return Engine(name, encode, OnnxComparator(comparator, encode.embedding_length))


def portable_engine(name: str, layers: bytes, weights: bytes) -> Engine:
    """The portable form through its NumPy interpreter. Raises ParityError for programs that are not the contract's."""
    encoder, comparator = load_portable(layers, weights)
    length = encoder(np.zeros((1, CONTRACT.beat_length), np.float32)).shape[1]
    _require(name, encoder.inputs, {"beat": [1, CONTRACT.beat_length]})
    _require(name, comparator.inputs, {"embedding": [1, length], "references": ["R", length]})
    return Engine(name, lambda beat: encoder(beat), lambda embedding, references: comparator(embedding, references))


def coreml_engine(name: str, opened: Callable[[str], MilProgram]) -> Engine:
    """Two programs through the NumPy executor, opened by graph. Raises ParityError if they are not the contract's."""
    encoder, comparator = opened("encoder"), opened("comparator")
    length = encoder(beat=np.zeros((1, CONTRACT.beat_length), np.float32)).shape[1]
    _require(name, encoder.inputs, {"beat": [1, CONTRACT.beat_length]})
    _require(name, comparator.inputs, {"embedding": [1, length], "references": [None, length]})
    _require(name, {**encoder.outputs, **comparator.outputs}, {"embedding": [1, length], "logit": [None]})
    return Engine(
        name,
        lambda beat: encoder(beat=beat),
        lambda embedding, references: comparator(embedding=embedding, references=references),
    )


def packages_engine(variant: Variant, files: Files) -> Engine:
    """A package for each graph, through the NumPy executor."""
    return coreml_engine(variant.name, lambda graph: opened_package(variant.package(graph), files))


def multifunction_engine(variant: Variant, files: Files) -> Engine:
    """One package with two functions, through the NumPy executor."""
    return coreml_engine(
        variant.name, lambda graph: opened_package(variant.together, files, lambda package: MilProgram(package, graph))
    )


def apple_engine(variant: Variant, files: Files) -> Engine:
    """Two packages through Core ML itself, on a Mac."""

    def opened(package: Path) -> Callable[..., np.ndarray]:
        model = ct.models.MLModel(str(package), compute_units=ct.ComputeUnit.CPU_ONLY)
        return lambda **inputs: np.asarray(next(iter(model.predict(inputs).values())), np.float32)

    encoder, comparator = (opened_package(variant.package(graph), files, opened) for graph in ("encoder", "comparator"))
    return Engine(
        variant.name + ON_THIS_MAC,
        lambda beat: encoder(beat=beat),
        lambda embedding, references: comparator(embedding=embedding, references=references),
    )


def _require(name: str, got: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    if dict(got) != dict(wanted):
        raise ParityError(f"{name} has {dict(got)}, expected {dict(wanted)}")


def _coreml(variant: Variant, on_mac: bool = False) -> Artefact:
    return Artefact(
        variant.name + ON_THIS_MAC if on_mac else variant.name,
        tuple(variant.package(graph) for graph in ("encoder", "comparator")),
        REFERENCES_INT8 if variant.scheme.bits <= 8 else REFERENCES,
        variant.scheme,
        lambda files: (apple_engine if on_mac else packages_engine)(variant, files),
        rounds=variant.half,
        on_device=on_mac,
    )


ARTEFACTS: tuple[Artefact, ...] = (
    Artefact(
        "onnx fp32", (ENCODER, COMPARATOR), REFERENCES, FLOAT32,
        lambda files: onnx_engine("onnx fp32", files[ENCODER], files[COMPARATOR]),
    ),
    Artefact(
        "onnx int8", (ENCODER_INT8, COMPARATOR_INT8), REFERENCES, INT8,
        lambda files: onnx_engine("onnx int8", files[ENCODER_INT8], files[COMPARATOR_INT8]), rounds=True,
    ),
    *(_coreml(variant) for variant in VARIANTS),
    *(_coreml(variant, on_mac=True) for variant in VARIANTS if sys.platform == "darwin"),
    Artefact(
        "portable fp32", (LAYERS, WEIGHTS), REFERENCES, FLOAT32,
        lambda files: portable_engine("portable fp32", files[LAYERS], files[WEIGHTS]), on_device=False,
    ),
    Artefact(
        "portable int8", (LAYERS, WEIGHTS_INT8), REFERENCES_INT8, INT8,
        lambda files: portable_engine("portable int8", files[LAYERS], files[WEIGHTS_INT8]), on_device=False,
    ),
)  # fmt: skip


def artefact(name: str) -> Artefact:
    """The artefact of this name."""
    return next(a for a in ARTEFACTS if a.name == name)


def multifunction(variant: Variant) -> Artefact:
    """The same as the variant's two packages, in one with two functions."""
    return replace(artefact(variant.name), parts=(variant.together,), open=lambda f: multifunction_engine(variant, f))
