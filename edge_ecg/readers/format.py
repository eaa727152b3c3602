"""The Format record: how a file format is detected and read; and which channel of a file is the ECG."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NamedTuple, NoReturn

from edge_ecg.errors import RecordingError
from edge_ecg.recording import MICROVOLTS_PER, Overrides, RawSignal, lead_in

HEAD_BYTES = 4096  # of a file are enough to know its format


@dataclass(frozen=True)
class Content:
    """One file, wherever it lies; `read` gives all its bytes."""

    name: str
    head: bytes
    read: Callable[[], bytes]
    path: Path | None = None  # None in an archive
    # Of an archive: another file of the same folder; raises RecordingError.
    beside: Callable[[str], bytes] | None = None


@dataclass(frozen=True)
class Format:
    """One format of recordings. A file is known by its content, or by a suffix that no other format has."""

    name: str
    describes: str  # a line for the documentation: which files, and whence their rate, unit and time
    suffixes: frozenset[str]  # in lower case, with their point
    sniff: Callable[[bytes], bool]  # of the first HEAD_BYTES
    read: Callable[[Content, Overrides], RawSignal]  # raises RecordingError
    needs: str = ""  # the package that reads it, where it is an optional one
    is_refused: bool = False  # known by name alone: `read` says what converts it
    # Of a file among others: whether it is a recording, where its beginning can't tell.
    confirm: Callable[[Content], bool] = lambda _content: True
    # Where a file may hold several recordings: what reads each of them.
    each: Callable[[Content, Overrides], Iterable[Callable[[], RawSignal]]] | None = None

    def knows(self, content: Content) -> bool:
        """Whether the file is of this format, damaged or not."""
        return PurePath(content.name).suffix.lower() in self.suffixes or self.sniff(content.head)


_ECG = re.compile(r"ecg|ekg|electrocardio|elektrokardio")
_LEADS_I = {"I", "MLI"}
_UNIT = re.compile(r" (?:[mμu]v|v|(?:micro|milli)?volts?)$")
_NOT_ECG = re.compile(
    r"ppg|pleth|pulse|resp|breath|thora|abdo|abp|art\b|bp\b|cvp|pap\b|icp|press|spo2|sao2|eeg|emg|eog|eda|gsr|acc|"
    r"gyro|temp|flow|snor|pos|heart ?rate|\bhr\b|event|trigger|marker|status|annot"
)


def ecg_channel(names: Sequence[str], override: str | None, allowed: Sequence[int] | None = None) -> int:
    """The index of the ECG among channels with these names; `allowed` are those that may be one, default all.

    `override` is a channel's name or number, from 1. Without it: a channel named as an ECG, lead I or else the first
    lead, or the only one that is not named as something else. Raises RecordingError if that leaves none or several.
    """
    plain = [" ".join(re.findall(r"[^\W_]+", name.casefold())) for name in names]
    if override is not None:
        return _overridden(plain, override)
    left = [i for i in (range(len(names)) if allowed is None else allowed) if not _NOT_ECG.search(plain[i])]
    named = [i for i in left if _ECG.search(plain[i])]
    leads = {i: lead for i in left if (lead := lead_of(names[i]))}
    of_lead_i = [i for i, lead in leads.items() if lead in _LEADS_I]
    if of_lead_i or leads:
        return (of_lead_i or list(leads))[0]
    for some in (named, left):
        if len(some) == 1:
            return some[0]
    many = f"{len(names)} channels, {len(named) or 'none'} named ECG" if len(names) > 1 else "no channel named ECG"
    raise RecordingError(f"has {many}; choose one with --channel, by name or number from 1")


def of_volts(units: Iterable[str | None]) -> list[int] | None:
    """The channels in volts or without a unit; None, for all of them, if there is none."""
    return [i for i, unit in enumerate(units) if not unit or unit.casefold() in MICROVOLTS_PER] or None


def names_ecg(name: str) -> bool:
    """Whether a channel's name is that of an ECG or a lead."""
    return bool(_ECG.search(name.casefold()) or lead_of(name))


def lead_of(name: str) -> str | None:
    """The lead in a channel's name, without its unit; None if there is none."""
    return lead_in(_UNIT.sub("", " ".join(re.findall(r"[^\W_]+", name.casefold()))))


def _overridden(plain: list[str], override: str) -> int:
    wanted = "".join(re.findall(r"[^\W_]+", override.casefold()))
    plain = [name.replace(" ", "") for name in plain]
    found = [i for i, name in enumerate(plain) if name == wanted] or [
        i for i, name in enumerate(plain) if wanted and wanted in name
    ]
    if override.isascii() and override.isdecimal() and 1 <= int(override[:9]) <= len(plain):
        found = found[:1] if len(found) == 1 and plain[found[0]] == wanted else [int(override) - 1]
    if len(found) != 1:
        raise RecordingError(f"has {len(plain)} channels, and --channel {override!r} is {len(found) or 'none'} of them")
    return found[0]


# Formats of hospitals that are not read here: refused by name, with the tool that converts them.

BIOSIG = "BioSig's save2gdf -f=EDF makes an EDF file of it"
PYDICOM = "pydicom gives its samples (dcmread(FILE).waveform_array(0)): save a lead as .npy, and set --rate"
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
