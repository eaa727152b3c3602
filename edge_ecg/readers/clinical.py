"""Formats of hospitals that are not read here: refused by name, with the tool that converts them."""

from collections.abc import Callable
from pathlib import PurePath
from typing import NamedTuple, NoReturn

from edge_ecg.errors import RecordingError
from edge_ecg.readers.format import Content, Format
from edge_ecg.recording import Overrides

BIOSIG = "BioSig's save2gdf -f=EDF makes an EDF file of it"
PYDICOM = "pydicom gives its samples (dcmread(FILE).waveform_array(0)): save a lead as .npy, and say its --rate"
TOOLKIT = "ECG Toolkit (ecgtoolkit-cs) makes SCP-ECG of it, and BioSig's save2gdf -f=EDF an EDF file of that"


class Clinical(NamedTuple):
    """One such format."""

    name: str
    suffix: str
    sniff: Callable[[bytes], bool]
    tool: str


KINDS = (
    Clinical("SCP-ECG", ".scp", lambda head: head[16:22] == b"SCPECG", BIOSIG),
    Clinical("HL7 aECG", ".aecg", lambda head: b"<AnnotatedECG" in head, BIOSIG),
    Clinical("DICOM", ".dcm", lambda head: head[128:132] == b"DICM", PYDICOM),
    Clinical("ISHNE Holter", ".ishne", lambda head: head[:8] in (b"ISHNE1.0", b"ANN  1.0"), BIOSIG),
    Clinical("GDF", ".gdf", lambda head: head[:4] == b"GDF ", BIOSIG),
    Clinical("MUSE XML", ".muse", lambda head: b"<RestingECG" in head, TOOLKIT),
)


def refuse(content: Content, _overrides: Overrides) -> NoReturn:
    """Raises RecordingError, which names the format and a tool."""
    suffix = PurePath(content.name).suffix.lower()
    kind = next((kind for kind in KINDS if kind.sniff(content.head) or kind.suffix == suffix), KINDS[0])
    raise RecordingError(f"is a file of {kind.name}, which is not read here; {kind.tool}")


CLINICAL = Format(
    "clinical",
    f"{', '.join(kind.name for kind in KINDS)}: refused by name, with the tool that converts them",
    frozenset(kind.suffix for kind in KINDS),
    lambda head: any(kind.sniff(head) for kind in KINDS),
    refuse,
    is_refused=True,
)
