"""The Artifact record: files that are one way to run the two graphs; how they are written, run and read back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from edge_ecg.contract import CONTRACT
from edge_ecg.errors import ParityError
from edge_ecg.inference.engines import Comparator, Encoder
from export.compression.weights import Scheme
from export.graphs import Graph

Files = Mapping[str, bytes]
Graphs = tuple[Graph, Graph]  # encoder and comparator


class Engine(NamedTuple):
    """One way to run the two graphs."""

    encode: Encoder
    compare: Comparator


class StoredWeight(NamedTuple):
    """A weight as stored in a file: its float32 numbers, and the bits per number."""

    value: np.ndarray
    bits: int


@dataclass(frozen=True)
class Artifact:
    """Files of a bundle that are one way to run the model."""

    name: str  # its format, then how its weights are stored
    parts: tuple[str, ...]  # its files, or the folders of them
    references: str  # the references that it is used with
    scheme: Scheme
    write: Callable[[Graphs], dict[str, bytes]]  # from graphs whose weights lie on the scheme's grid
    open: Callable[[Files], Engine]
    weights: Callable[[Files], list[StoredWeight]]  # of convolutions and linear layers, found without running it
    half: bool = False  # computes in float16, so it can't agree to the last digits of float32
    timed: bool = False  # its speed here says something about its speed on a device

    def files(self, files: Files) -> dict[str, bytes]:
        """Those of a bundle's files that are part of it."""
        return {name: c for name, c in files.items() if any(name == p or name.startswith(f"{p}/") for p in self.parts)}


def require_shapes(what: str, got: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raises ParityError unless inputs or outputs have these names and shapes."""
    if dict(got) != dict(expected):
        raise ParityError(f"{what} has {dict(got)}, expected {dict(expected)}")


def embedding_length(encoder: Callable[..., np.ndarray]) -> int:
    """D, by running an encoder that takes `beat` on zeros."""
    return int(encoder(np.zeros((1, CONTRACT.beat_length), np.float32)).shape[1])
