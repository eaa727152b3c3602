"""The Core ML packages of a bundle: their names, and how their files are opened."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.compression.weights import FLOAT16, FLOAT32, INT8, PALETTE4, PALETTE6, Scheme
from export.mil.program import MilProgram

PACKAGES = {"encoder": "Encoder", "comparator": "Comparator"}


@dataclass(frozen=True)
class Variant:
    """One way to store and run a graph as Core ML."""

    name: str
    suffix: str  # of the package's name
    scheme: Scheme
    half: bool = False  # computes in float16 ...
    mixed: bool = False  # ... but for operations that lose too much in it

    @property
    def title(self) -> str:
        """What is special about it."""
        return self.name.removeprefix("coreml ")

    def package(self, graph: str) -> str:
        """The package's folder."""
        return f"{PACKAGES[graph]}{self.suffix}.mlpackage"

    @property
    def together(self) -> str:
        """The folder of one package with both graphs as functions."""
        return f"Both{self.suffix}.mlpackage"


CORE_ML_FLOAT = Variant("coreml fp32", "", FLOAT32)
VARIANTS = (
    CORE_ML_FLOAT,
    Variant("coreml int8", "_int8", INT8),
    Variant("coreml 6 bit", "_6bit", PALETTE6),
    Variant("coreml 4 bit", "_4bit", PALETTE4),
    Variant("coreml fp16", "_fp16", FLOAT16, half=True),
    Variant("coreml mixed", "_mixed", FLOAT16, half=True, mixed=True),
)


def opened_package(package: str, files: Mapping[str, bytes], opener: Callable[[Path], Any] = MilProgram) -> Any:
    """A package of a bundle's files through `opener`, which reads all it needs."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in files.items():
            if name.startswith(f"{package}/"):
                (Path(scratch) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(scratch) / name).write_bytes(content)
        return opener(Path(scratch) / package)
