"""From a training run to artifacts: each is written from the reference model, checked, and kept if it decides alike."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from edge_ecg.bundles.bundle import GOLDEN, REFERENCES, REFERENCES_INT8
from edge_ecg.contract import INTENDED_USE
from edge_ecg.errors import ParityError, UnsupportedOperationError
from edge_ecg.inference.golden import golden_steps
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.report.artifact_table import artifact_table
from edge_ecg.results import ArtifactParity
from edge_ecg.storage.files import refuse_overlap, write_file
from edge_ecg.terminal.console import claim_folder, countdown, wrapped
from export.formats.coreml import COREML, COREML_ON_THIS_MAC
from export.formats.litert import LITERT
from export.formats.onnx import ONNX
from export.formats.person import PERSON_ARTIFACT
from export.formats.portable import PORTABLE
from export.gate.parity_check import ParityCheck, ReferenceModel, interleaved_us, require
from export.graphs import FLOAT32, INT8, STEPS, Artifact, finetune
from train.options import RUN
from train.run import Run, load_run

ARTIFACTS: tuple[Artifact, ...] = (*ONNX, *COREML, *PORTABLE)
REFERENCE_ARTIFACT = "onnx fp32"  # what every reader of a bundle on a computer runs
ON_DEMAND: tuple[Artifact, ...] = LITERT  # that `--only` asks for: their converter is large
# A Mac runs the same packages through Core ML as well.
RUNNABLE = (*ARTIFACTS, PERSON_ARTIFACT, *ON_DEMAND, *COREML_ON_THIS_MAC)


def artifact(name: str) -> Artifact:
    """The artifact of this name."""
    return next(a for a in RUNNABLE if a.name == name)


GOLDEN_BEATS = 8


@dataclass(frozen=True)
class Exported:
    """Artifacts of a run: files of those that decide as the reference model, and figures of all."""

    reference: ReferenceModel
    bank: ReferenceBank
    artifacts: list[Artifact]  # that are shipped
    files: dict[str, bytes]
    parities: list[ArtifactParity]  # of every artifact that was made
    not_made: dict[str, str]  # by artifact, the operation that its form lacks


def export_run(run: Run, chosen: np.ndarray | None = None, artifacts: Sequence[Artifact] = ARTIFACTS) -> Exported:
    """Write and check artifacts; `chosen` are the indices of the reference beats, by default the run's own.

    A form that lacks an operation of the network is not shipped, and says which. Raises ParityError if one in float32
    does not decide as the model (a person's graph is left out, with its faults), if ONNX can't hold the network, or if
    nothing could be made.
    """
    check = ParityCheck(ReferenceModel.of_run(run, chosen), run.validation, run.rule)
    if any(a.scheme is INT8 for a in artifacts):
        check = _finetuned_if_need_be(check, run)
    reference = check.reference
    bank = replace(reference.bank, distribution=run.distribution())
    references = reference_files(bank)
    graphs = reference.graphs((artifact.scheme for artifact in artifacts), run.labels)
    shipped: list[Artifact] = []
    files: dict[str, bytes] = {}
    parities: list[ArtifactParity] = []
    not_made: dict[str, str] = {}
    if any(artifact.name == REFERENCE_ARTIFACT for artifact in artifacts):
        artifacts = (*artifacts, PERSON_ARTIFACT)
    for artifact in artifacts:
        click.echo(f"  {artifact.name}", err=True)
        try:
            made = artifact.write(graphs[artifact.scheme], bank)
            parity = check.check(artifact, {**made, **references})
        except UnsupportedOperationError as error:
            not_made[artifact.name] = str(error)
            continue
        if artifact.scheme is FLOAT32 and artifact is not PERSON_ARTIFACT:  # the two graphs hold all of it
            require([parity])
        parities.append(parity)
        if parity.shipped:
            shipped.append(artifact)
            files |= made
    if not shipped or REFERENCE_ARTIFACT in not_made:
        require(parities)
        raise ParityError("; ".join(f"{name}: {reason}" for name, reason in not_made.items()))
    files |= {artifact.references: references[artifact.references] for artifact in shipped}
    parities = _with_times(parities, shipped, files, bank, run.validation.values)
    return Exported(reference, bank, shipped, files, parities, not_made)


def golden(run: Run, exported: Exported) -> dict[str, Any]:
    """The first beats of a validation recording, and what must follow from them at each step."""
    beats = run.validation.values[np.flatnonzero(run.validation.recording == 0)[:GOLDEN_BEATS]]
    engine = exported.artifacts[0].open(exported.files)
    return {"beats": golden_steps(beats, *engine, exported.bank, run.rule)}


def _finetuned_if_need_be(check: ParityCheck, run: Run) -> ParityCheck:
    """The check of the model fine-tuned on the int8 grid, if rounding its weights alone would not pass."""
    faults = check.rounding_faults(INT8)
    if not faults:
        return check
    click.echo(wrapped(f"  fine-tuning for int8, since by rounding alone {'; '.join(faults)}", 4), err=True)
    model, bank = check.reference.model, check.reference.bank
    show = countdown(lambda line: click.echo(f"  step {line}", err=True), STEPS)
    student = finetune(model, INT8, run.training.values, bank.embeddings, show)
    reference = replace(check.reference, finetuned={INT8.name: student})
    return ParityCheck(reference, run.validation, run.rule)


def _with_times(
    parities: list[ArtifactParity],
    shipped: list[Artifact],
    files: dict[str, bytes],
    bank: ReferenceBank,
    beats: np.ndarray,
) -> list[ArtifactParity]:
    engines = {artifact.name: artifact.open(files) for artifact in shipped if artifact.timed}
    times = interleaved_us(engines, bank, beats)
    return [
        msgspec.structs.replace(p, beat_us=tuple(sorted(times[p.engine]))) if p.engine in times else p for p in parities
    ]


def reference_files(bank: ReferenceBank) -> dict[str, bytes]:
    """Both files of the references, by name; the int8 one without the training distribution."""
    return {REFERENCES: bank.to_bytes(), REFERENCES_INT8: replace(bank, distribution=None).to_int8_bytes()}


COMPARATOR = "comparator.json"


def export_command(format_of: str, artifacts: Sequence[Artifact]) -> click.Command:
    """The command that writes one format's artifacts of a run."""
    weights_of = [artifact.scheme.name for artifact in artifacts]

    @click.command(format_of)
    @RUN
    @click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
    @click.option("--weights", multiple=True, type=click.Choice(weights_of), default=weights_of, help="[all]")
    def command(run_folder: Path, out: Path, weights: tuple[str, ...]) -> None:
        """Write both graphs, the references' embeddings, labels, contract, levels and golden vectors.

        What has been run and decides as the model is written; of the rest it is said why not.
        """
        refuse_overlap(out, [run_folder])
        run = load_run(run_folder)
        exported = export_run(run, artifacts=[artifact for artifact in artifacts if artifact.scheme.name in weights])
        files = {
            **exported.files,
            COMPARATOR: json.dumps(comparator_json(run, exported)).encode(),
            GOLDEN: json.dumps(golden(run, exported)).encode(),
        }
        write_files(out, files)
        click.echo("\n".join(artifact_table(exported.parities, exported.not_made)))
        click.echo(f"{out}: {', '.join(sorted({name.split('/')[0] for name in files}))}")

    return command


def write_files(out: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder, in place of those of an earlier export. Raises EdgeEcgError for anybody else's."""
    claim_folder(out, "export", {name.split("/")[0] for name in files})
    for name, content in files.items():
        write_file(out / name, content)


def comparator_json(run: Run, exported: Exported) -> dict[str, Any]:
    """All that turns a graph's logits into decisions, in a form that any language reads without a library.

    references: the embeddings (R, D) as rows of numbers, and whether each is of the target.
    """
    return {
        "intended_use": INTENDED_USE,
        "labels": list(run.labels),
        "contract": run.contract.to_json(),
        "levels": run.config["levels"],
        "guards": run.config["guards"],
        "artifacts": {a.name: {"graphs": list(a.parts), "references": a.references} for a in exported.artifacts},
        "references": {
            "is_target": exported.bank.is_target.tolist(),
            "embeddings": exported.bank.embeddings.tolist(),
        },
    }
