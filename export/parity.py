"""`python -m export.parity`: does every artifact of a bundle decide as the model it came from?

And are the bundle's own figures and golden vectors true? Everything that is off is one error.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from edge_ecg.bundles.bundle import GOLDEN, REFERENCES, read_files
from edge_ecg.contract import Contract
from edge_ecg.datasets.dataset_file import SETS, Dataset, read_dataset
from edge_ecg.errors import ParityError
from edge_ecg.inference.golden import golden_steps
from edge_ecg.inference.levels import Levels
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import DecisionRule
from edge_ecg.results import ArtifactParity
from edge_ecg.storage.files import refuse_overlap, write_file
from edge_ecg.terminal.console import columns, run_command
from export.formats.coreml import COREML, ON_THIS_MAC
from export.formats.onnx import ONNX
from export.formats.person import PERSON_ARTIFACT
from export.gate.layers import LayerError, layer_errors
from export.gate.parity_check import REFERENCE_MODEL, ParityCheck, ReferenceModel
from export.gate.pictures import layers_picture
from export.graphs import Files
from export.pipeline import REFERENCE_ARTIFACT, RUNNABLE, artifact
from train.data import read_beats
from train.fit.decision import decide
from train.options import DATA

LAYER_BEATS, WORST = 8, 6
MOST_ERROR = 1e-3  # of the largest number: another machine adds in another order
MEASURED = (  # figures of a row that follow from its files, and from the beats of the validation set
    ("bytes", "bytes_with_references", "quantized_weights", "weights", "finetuned"),
    ("beats", "beat_flips", "recording_flips"),
)


class BundleAudit:
    """Audit of a bundle's manifest and golden vectors against its reference model and its files."""

    def __init__(self, manifest: dict[str, Any], files: Files):
        self.manifest = manifest
        self.contract = Contract.from_json(manifest["contract"])
        labels = manifest["labels"][0], manifest["labels"][1]
        self.rule = DecisionRule(labels, Levels.from_json(manifest["levels"]), self.contract.voting)
        version = str(manifest["training"]["settings"].get("architecture_version", ""))
        architecture = manifest["model"]["architecture"]
        self.reference = ReferenceModel.from_bytes(files[REFERENCE_MODEL], architecture, version)
        self.shift = np.array(manifest.get("enrollment", {}).get("shift", 0.0))
        self.rows = {row["engine"]: row for row in manifest["parity"]}
        self.shipped = [a for a in RUNNABLE if self._row(a.name).get("shipped")]
        self._files = files

    def layer_errors(self, beats: np.ndarray) -> dict[str, list[LayerError]]:
        """By ONNX and Core ML artifact, its operations beside torch's over some beats (N, 384)."""
        kinds = [kind for kind in self.shipped if kind in (*ONNX, PERSON_ARTIFACT, *COREML)]
        graphs = self.reference.graphs(kind.scheme for kind in kinds)
        bank = ReferenceBank.from_bytes(self._files[REFERENCES])
        return {kind.name: layer_errors(kind, self._files, graphs[kind.scheme], bank, beats) for kind in kinds}

    def _row(self, engine: str) -> dict[str, Any]:
        row: dict[str, Any] = self.rows.get(engine.removesuffix(ON_THIS_MAC), {})
        return row

    def faults(self, dataset: Dataset, sets: Iterable[str], parities: Iterable[ArtifactParity]) -> Iterator[str]:
        """Statements of the bundle that these sets and results refute."""
        yield from self.golden()
        if self.reference.model.parameter_count != self.manifest["model"]["parameters"]:
            yield f"manifest: the model has {self.reference.model.parameter_count} parameters"
        for which in sorted(self.manifest["metrics"].keys() & set(sets)):
            beats = read_beats(dataset.entries(which), self.contract)
            model, bank = self.reference.model, self.reference.bank
            metrics = msgspec.to_builtins(decide(model, bank, beats, self.rule).metrics())
            if not same({name: self.manifest["metrics"][which].get(name) for name in metrics}, metrics):
                yield f"manifest: the metrics of {which} are not those of the model"
        of_files, of_beats = MEASURED
        # Flips in the manifest were counted on the validation set, before any enrolment.
        entries = of_files + (of_beats if set(sets) == {"validation"} and "enrollment" not in self.manifest else ())
        for parity in parities:
            row, got = self._row(parity.engine), msgspec.to_builtins(parity)
            if wrong := [entry for entry in entries if row.get(entry) != got[entry]]:
                yield f"manifest: {parity.engine} has another {', '.join(wrong)}"

    def golden(self) -> Iterator[str]:
        """Golden vectors that do not follow from their beats."""
        said = json.loads(self._files[GOLDEN])["beats"]
        beats = np.array([step["beat"] for step in said], np.float32)
        engine, bank = artifact(REFERENCE_ARTIFACT).open(self._files), ReferenceBank.from_bytes(self._files[REFERENCES])
        if not same(said, golden_steps(beats, *engine, bank, self.rule)):
            yield f"{GOLDEN}: does not follow from its beats"


def same(said: Any, got: Any) -> bool:
    """Are two values of JSON the same, numbers to rounding?"""
    if isinstance(got, dict):
        return isinstance(said, dict) and said.keys() == got.keys() and all(same(said[k], got[k]) for k in got)
    if isinstance(got, list | tuple):
        if not isinstance(said, list | tuple) or len(said) != len(got):
            return False
        if not _are_numbers(got):
            return all(map(same, said, got))
        return _are_numbers(said) and np.allclose(said, got, rtol=0, atol=MOST_ERROR * np.abs(got).max(initial=0))
    if _are_numbers([got]):
        return same([said], [got])
    return bool(said == got)


def _are_numbers(values: Iterable[Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


@click.command()
@click.argument("bundle_path", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.argument("dataset_file", metavar="DATASET.toml", type=click.Path(path_type=Path))
@DATA
@click.option(
    "--set", "sets", multiple=True, default=("validation", "test"), type=click.Choice(SETS), show_default=True
)
@click.option("--layers", is_flag=True, help="Compare ONNX and Core ML operation by operation, the worst first.")
@click.option("--picture", type=click.Path(path_type=Path), help="With --layers: a PNG of every operation's error.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def parity(
    bundle_path: Path,
    dataset_file: Path,
    data: Path | None,
    sets: tuple[str, ...],
    layers: bool,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Run every artifact of a bundle on the recordings of a dataset and compare it with the reference model.

    `--set validation` alone also compares the manifest's figures with what is measured now.
    """
    if picture:
        refuse_overlap(picture, [bundle_path, dataset_file])
    manifest, files = read_files(bundle_path)
    if REFERENCE_MODEL not in files:
        raise ParityError(f"{bundle_path}: holds no {REFERENCE_MODEL} to compare with; export the bundle again")
    claims, dataset = BundleAudit(manifest, files), read_dataset(dataset_file, data)
    entries = [entry for which in sets for entry in dataset.entries(which)]
    if layers or picture:
        by_artifact = claims.layer_errors(read_beats(entries[:1], claims.contract).values[:LAYER_BEATS])
        if picture:
            write_file(picture, layers_picture(by_artifact))
        text = {name: [asdict(row) for row in rows] for name, rows in by_artifact.items()}
        click.echo(json.dumps(text) if as_json else "\n".join(layers_table(by_artifact)))
        return
    beats = read_beats(entries, claims.contract)
    check = ParityCheck(claims.reference, beats, claims.rule, claims.shift)
    parities = []
    for kind in claims.shipped:
        click.echo(f"{kind.name} ...", err=True)
        parities.append(check.check(kind, files))
    click.echo(json.dumps(msgspec.to_builtins(parities)) if as_json else "\n".join(parity_table(parities)))
    faults = [f"{p.engine}: {fault}" for p in parities for fault in p.faults]
    faults += claims.faults(dataset, sets, parities)
    if faults:
        raise ParityError("; ".join(faults))


def layers_table(by_artifact: dict[str, list[LayerError]]) -> Iterator[str]:
    """The largest errors of each artifact's operations, each with the artifact's own inputs."""
    for name, rows in by_artifact.items():
        cells = [[f"{name}", "graph", "module", "operation", "in the artifact"]]
        cells += [
            [f"  {row.error:.1e}", row.graph, row.module or "-", row.operation, row.in_artifact] for row in rows[:WORST]
        ]
        yield from columns(cells)
        yield f"  of {len(rows)} operations; errors are shares of the largest number"


def parity_table(parities: Iterable[ArtifactParity]) -> Iterable[str]:
    """One line an artifact."""
    yield (
        f"{'artifact':16} {'logit error: max':>16} {'rms':>8} {'expected':>9} {'beats flipped':>16} "
        f"{'recordings flipped':>18} {'decided earlier or later':>24}"
    )
    for p in parities:
        yield (
            f"{p.engine:16} {p.logit_max_abs:>16.2g} {p.logit_rms:>8.2g} {p.from_expected:>9.1g} "
            f"{p.beat_flips:>8} of {p.beats:>4} {p.recording_flips:>11} of {p.recordings:>3} {p.timing_changes:>24}"
        )


if __name__ == "__main__":
    run_command(parity)
