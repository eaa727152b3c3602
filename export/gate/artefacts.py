"""Every artefact that a bundle can hold. A new export target is a file in `export.formats` and its rows here."""

from export.formats.artefact import Artefact
from export.formats.coreml import COREML, COREML_ON_THIS_MAC
from export.formats.onnx import ONNX
from export.formats.portable import PORTABLE

ARTEFACTS: tuple[Artefact, ...] = (*ONNX, *COREML, *PORTABLE)
BY_ALL = "onnx fp32"  # what every reader of a bundle on a computer runs
RUNNABLE = (*ARTEFACTS, *COREML_ON_THIS_MAC)  # a Mac runs the same packages through Core ML as well


def artefact(name: str) -> Artefact:
    """The artefact of this name."""
    return next(a for a in ARTEFACTS if a.name == name)
