"""`python -m export.parity`: does every artefact of a bundle decide as the model it came from?

And does the bundle say of itself what is true? Everything that is off is one error.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from edge_ecg.bundle import GOLDEN, REFERENCES, read_files
from edge_ecg.console import run_command
from edge_ecg.contract import Contract
from edge_ecg.datasets.dataset_file import SETS, Dataset, read_dataset
from edge_ecg.errors import ParityError
from edge_ecg.inference.golden import golden_steps
from edge_ecg.inference.levels import Levels
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import DecisionRule
from export.gate.artefacts import ARTEFACTS, ON_THIS_MAC, Artefact, Files, artefact
from export.gate.parity_check import Parity, Trial
from export.gate.reference_model import ORIGINAL, Original
from export.golden.beats import own_logits, same
from export.quantize import weighed
from train.data import read_beats
from train.decision.decide import decide


class Claims:
    """What a bundle's manifest and golden vectors say, held to its original and its files."""

    def __init__(self, manifest: dict[str, Any], files: Files):
        self.manifest = manifest
        self.contract = Contract.from_json(manifest["contract"])
        labels = manifest["labels"][0], manifest["labels"][1]
        self.rule = DecisionRule(labels, Levels.from_json(manifest["levels"]), self.contract.voting)
        self.original = Original.from_bytes(files[ORIGINAL], manifest["model"]["architecture"])
        self.shift = np.array(manifest.get("enrolment", {}).get("shift", 0.0))
        self.rows = {row["engine"]: row for row in manifest["parity"]}
        self.shipped = [a for a in ARTEFACTS if self.rows.get(a.name.removesuffix(ON_THIS_MAC), {}).get("shipped")]
        self._files = files

    def faults(self, dataset: Dataset, sets: Iterable[str], parities: Iterable[Parity]) -> Iterator[str]:
        """All that is not so, as far as these sets and these results can tell."""
        yield from self.sizes()
        yield from self.golden()
        if self.original.parameters != self.manifest["model"]["parameters"]:
            yield f"manifest: the model has {self.original.parameters} parameters"
        for which in sorted({"train", "validation"} & set(sets)):  # the sets that the manifest has metrics of
            beats = read_beats(dataset.entries(which), self.contract)
            got = decide(self.original.model, self.original.bank(), beats, self.rule).to_json()
            if not same(self.manifest["metrics"][which], got):
                yield f"manifest: the metrics of {which} are not those of the model"
        if (
            set(sets) == {"validation"} and "enrolment" not in self.manifest
        ):  # on which its figures were measured; the time of a beat is its machine's
            for parity in parities:
                row, got = self.rows[parity.engine.removesuffix(ON_THIS_MAC)], parity.to_json()
                if wrong := [k for k in ("beats", "beat_flips", "recording_flips") if row[k] != got[k]]:
                    yield f"manifest: {parity.engine} has another {', '.join(wrong)}"

    def sizes(self) -> Iterator[str]:
        """Rows of the manifest that say something else than the files."""
        for kind in self.shipped:
            row = self.rows[kind.name.removesuffix(ON_THIS_MAC)]
            if wrong := [k for k, v in weighed(kind, self.original, self._files).items() if row[k] != v]:
                yield f"manifest: {kind.name} has another {', '.join(wrong)}"

    def golden(self) -> Iterator[str]:
        """Golden vectors that do not follow from their beats."""
        said = json.loads(self._files[GOLDEN])
        beats = np.array([step["beat"] for step in said["beats"]], np.float32)
        engine, bank = artefact("onnx fp32").open(self._files), ReferenceBank.from_bytes(self._files[REFERENCES])
        if not same(said["beats"], golden_steps(beats, engine.encode, engine.compare, bank, self.rule)):
            yield f"{GOLDEN}: does not follow from its beats"
        for kind in self._rounding():
            wanted = said["artefacts"].get(kind.name)
            if wanted is None or not same(wanted, own_logits(kind, self._files, beats)):
                yield f"{kind.name}: its logits on the golden beats are not those it was written with"

    def _rounding(self) -> list[Artefact]:
        """Enrolment leaves their golden logits out, since it can't compute them."""
        enrolled = "enrolment" in self.manifest
        return [a for a in self.shipped if a.rounds and not enrolled and not a.name.endswith(ON_THIS_MAC)]


@click.command()
@click.argument("bundle_path", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.argument("dataset_file", metavar="DATASET.toml", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Where the recordings are [beside DATASET.toml].")
@click.option(
    "--set", "sets", multiple=True, default=("validation", "test"), type=click.Choice(SETS), show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def parity(bundle_path: Path, dataset_file: Path, data: Path | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Run every artefact of a bundle on the recordings of a dataset and compare it with the original model.

    `--set validation` alone also holds the manifest's figures to what is measured now.
    """
    manifest, files = read_files(bundle_path)
    if ORIGINAL not in files:
        raise ParityError(f"{bundle_path}: holds no {ORIGINAL} to compare with; export the bundle again")
    claims, dataset = Claims(manifest, files), read_dataset(dataset_file, data)
    beats = read_beats([entry for which in sets for entry in dataset.entries(which)], claims.contract)
    trial = Trial(claims.original, beats, claims.rule, claims.shift)
    parities = []
    for kind in claims.shipped:
        click.echo(f"{kind.name} ...", err=True)
        parities.append(trial.check(kind, files))
    click.echo(json.dumps([p.to_json() for p in parities]) if as_json else "\n".join(parity_table(parities)))
    faults = [f"{p.engine}: {fault}" for p in parities for fault in p.faults]
    faults += claims.faults(dataset, sets, parities)
    if faults:
        raise ParityError("; ".join(faults))


def parity_table(parities: Iterable[Parity]) -> Iterable[str]:
    """One line an artefact."""
    yield (
        f"{'artefact':16} {'logit error: max':>16} {'rms':>8} {'as meant':>9} {'beats flipped':>16} "
        f"{'recordings flipped':>18} {'decided earlier or later':>24} {'a beat':>8}"
    )
    for p in parities:
        yield (
            f"{p.engine:16} {p.logit_max_abs:>16.2g} {p.logit_rms:>8.2g} {p.from_meant:>9.1g} "
            f"{p.beat_flips:>8} of {p.beats:>4} {p.recording_flips:>11} of {p.recordings:>3} {p.timing_changes:>25}"
            f"{'-' if p.beat_us is None else f'{p.beat_us:.0f} us':>9}"
        )


if __name__ == "__main__":
    run_command(parity)
