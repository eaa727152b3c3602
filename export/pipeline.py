"""From a training run to artefacts: each is written from the reference model, checked, and kept if it decides alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import click
import numpy as np

from edge_ecg.bundles.bundle import REFERENCES, REFERENCES_INT8
from edge_ecg.errors import ParityError, UnsupportedOperationError
from edge_ecg.inference.golden import golden_steps
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.terminal.layout import folded
from export.compression.finetune import finetune
from export.compression.weights import FLOAT32, INT8
from export.formats.artefact import Artefact
from export.formats.coreml import COREML, COREML_ON_THIS_MAC
from export.formats.onnx import ONNX
from export.formats.portable import PORTABLE
from export.gate.parity_check import Parity, ParityCheck, interleaved_us, require
from export.gate.reference_model import ReferenceModel
from train.run import Run

ARTEFACTS: tuple[Artefact, ...] = (*ONNX, *COREML, *PORTABLE)
BY_ALL = "onnx fp32"  # what every reader of a bundle on a computer runs
RUNNABLE = (*ARTEFACTS, *COREML_ON_THIS_MAC)  # a Mac runs the same packages through Core ML as well


def artefact(name: str) -> Artefact:
    """The artefact of this name."""
    return next(a for a in ARTEFACTS if a.name == name)


GOLDEN_BEATS = 8


@dataclass(frozen=True)
class Exported:
    """What came of a run: the files of what decides as the reference model, and the figures of all that was tried."""

    reference: ReferenceModel
    bank: ReferenceBank
    artefacts: list[Artefact]  # that are shipped
    files: dict[str, bytes]
    rows: list[dict[str, Any]]  # of every artefact that was made, as the manifest holds them
    not_made: dict[str, str]  # by artefact, the operation that its form lacks


def export_run(run: Run, chosen: np.ndarray | None = None, artefacts: Sequence[Artefact] = ARTEFACTS) -> Exported:
    """Write and check artefacts; `chosen` are the indices of the reference beats, by default the run's own.

    A form that lacks an operation of the network is not shipped, and says which. Raises ParityError if one in float32
    does not decide as the model, if ONNX can't hold the network, or if nothing could be made.
    """
    check = ParityCheck(ReferenceModel.of_run(run, chosen), run.validation, run.rule)
    if any(a.scheme is INT8 for a in artefacts):
        check = _finetuned_if_need_be(check, run)
    reference = check.reference
    bank = replace(reference.bank, distribution=run.distribution())
    references = reference_files(bank)
    graphs = reference.graphs((artefact.scheme for artefact in artefacts), run.labels)
    shipped: list[Artefact] = []
    files: dict[str, bytes] = {}
    parities: list[Parity] = []
    not_made: dict[str, str] = {}
    for artefact in artefacts:
        click.echo(f"  {artefact.name}", err=True)
        try:
            made = artefact.write(graphs[artefact.scheme])
            parity = check.check(artefact, {**made, **references})
        except UnsupportedOperationError as error:
            not_made[artefact.name] = str(error)
            continue
        if artefact.scheme is FLOAT32:
            require([parity])
        parities.append(parity)
        if parity.shipped:
            shipped.append(artefact)
            files |= made
    if not shipped or BY_ALL in not_made:
        require(parities)
        raise ParityError("; ".join(f"{name}: {reason}" for name, reason in not_made.items()))
    files |= {artefact.references: references[artefact.references] for artefact in shipped}
    rows = _with_times(parities, shipped, files, bank, run.validation.values)
    return Exported(reference, bank, shipped, files, rows, not_made)


def golden(run: Run, exported: Exported) -> dict[str, Any]:
    """The first beats of a validation recording, and what must follow from them at each step."""
    beats = run.validation.values[np.flatnonzero(run.validation.recording == 0)[:GOLDEN_BEATS]]
    engine = exported.artefacts[0].open(exported.files)
    return {"beats": golden_steps(beats, *engine, exported.bank, run.rule)}


def _finetuned_if_need_be(check: ParityCheck, run: Run) -> ParityCheck:
    """The check of the model fine-tuned on the int8 grid, if rounding its weights alone would not pass."""
    faults = check.rounding_faults(INT8)
    if not faults:
        return check
    click.echo(folded(f"  fine-tuning for int8, since by rounding alone {'; '.join(faults)}", 4), err=True)
    model, bank = check.reference.model, check.reference.bank
    student = finetune(model, INT8, run.training.values, bank.embeddings)
    reference = replace(check.reference, finetuned={INT8.name: student})
    return ParityCheck(reference, run.validation, run.rule)


def _with_times(
    parities: list[Parity], shipped: list[Artefact], files: dict[str, bytes], bank: ReferenceBank, beats: np.ndarray
) -> list[dict[str, Any]]:
    engines = {artefact.name: artefact.open(files) for artefact in shipped if artefact.timed}
    times = interleaved_us(engines, bank, beats)
    return [
        parity.to_json() | {"beat_us": sorted(times[parity.engine]) if parity.engine in times else None}
        for parity in parities
    ]


def reference_files(bank: ReferenceBank) -> dict[str, bytes]:
    """Both files of the references, by name; the int8 one, for the smallest device, without what training has seen."""
    return {REFERENCES: bank.to_bytes(), REFERENCES_INT8: replace(bank, distribution=None).to_int8_bytes()}
