"""`python -m export.parity`: does every artefact of a bundle decide as the model it came from?

Names and shapes, then values, then votes, then decisions; everything that is off is collected, then it is one error.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np

from edge_ecg.bundle import GOLDEN, read_files
from edge_ecg.console import run
from edge_ecg.contract import Contract, VotingConstants
from edge_ecg.errors import EdgeEcgError, ParityError
from edge_ecg.references import ReferenceBank
from export.artefacts import ARTEFACTS, ON_THIS_MAC, Artefact, Engine, Files
from export.original import ORIGINAL, Original
from export.stored import stored_weights
from export.weights import FLOAT32, INT8, Scheme
from train.data import BeatSet, read_beats
from train.dataset import SETS, read_dataset
from train.judge import Judgement, compare, decide, embed

MOST_BEAT_FLIPS = 0.002
MOST_ERROR = 1e-5  # of full scale, against a model with the same weights: float32 rounds in proportion to what it adds
MOST_RMS_ERROR = 0.05  # of full scale, against the same, where activations are rounded as well
MOST_LOGIT_RMS = 0.03  # of full scale, against the original: on few beats, decisions alone say little


@dataclass(frozen=True)
class Parity:
    """How far an artefact is from the original on the same beats, each with references of its own."""

    engine: str
    beats: int
    recordings: int
    embedding_max_abs: float
    embedding_scale: float  # the largest embedding number of the original
    logit_max_abs: float
    logit_scale: float
    logit_rms: float
    from_meant: float  # largest error against a model with the same weights, as a share of full scale
    beat_flips: int  # beats whose soft vote changes sides
    recording_flips: int  # recordings whose decision changes
    timing_changes: int  # recordings that are decided alike, after another beat
    beat_us: float | None  # median of one beat here; None where that says nothing about a device
    faults: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """The figures as the manifest holds them."""
        return asdict(self)

    def require(self) -> None:
        """Raises ParityError that lists everything that is off."""
        require([self])


def require(parities: Iterable[Parity]) -> None:
    """Raises one ParityError with the faults of all artefacts."""
    if faults := [f"{p.engine}: {fault}" for p in parities for fault in p.faults]:
        raise ParityError("; ".join(faults))


@dataclass(frozen=True)
class Outcome:
    """What one way of running the model makes of the beats."""

    embeddings: np.ndarray
    logits: np.ndarray
    judged: Judgement
    beat_us: float | None = None

    @property
    def decided_at(self) -> list[int | None]:
        """By recording: after how many beats."""
        return [decision.beats_to_decision for decision in self.judged.decisions]


class Trial:
    """The original's outcome on some beats, with which every artefact's is compared."""

    def __init__(self, original: Original, beats: BeatSet, labels: tuple[str, str], voting: VotingConstants):
        self.original = original
        self.beats = beats
        self._labels = labels
        self._voting = voting
        self._bank = original.bank()
        self._known: dict[tuple[str, bytes], Outcome] = {}
        self._truth = self._meant(FLOAT32, self._bank)

    def check(self, artefact: Artefact, files: Files) -> Parity:
        """Run one artefact on every beat. Faults are in the result, also where it can't be opened at all."""
        faults: list[str] = []
        try:
            bank = ReferenceBank.from_bytes(files[artefact.references])
            engine = artefact.open(files)
            faults += self._reference_faults(bank, artefact)
            outcome = self._run(engine, bank)
        except KeyError as error:
            return self._unusable(artefact, f"{error} is missing")
        except EdgeEcgError as error:
            return self._unusable(artefact, str(error))
        except Exception as broken:  # whatever ONNX Runtime or NumPy make of a graph that is not as it should be
            return self._unusable(artefact, f"can't be run: {str(broken).splitlines()[0]}")
        truth, meant = self._truth, self._meant(artefact.scheme, bank)
        if (outcome.embeddings.shape, outcome.logits.shape) != (meant.embeddings.shape, meant.logits.shape):
            return self._unusable(artefact, f"gives {outcome.embeddings.shape} and {outcome.logits.shape}")
        faults += self._weight_faults(artefact, files)
        from_meant = 0.0
        for what in ("embeddings", "logits"):
            got, wanted = getattr(outcome, what), getattr(meant, what)
            errors = np.nan_to_num((got - wanted) / np.abs(wanted).max(), nan=np.inf).astype(np.float64)
            off, kind, most = float(np.abs(errors).max()), "up to", MOST_ERROR
            from_meant = max(from_meant, off)
            if artefact.rounds:
                off, kind, most = float(np.sqrt(np.mean(errors**2))), "an RMS of", MOST_RMS_ERROR
            if off > most:
                faults.append(f"{what} are off by {kind} {off:.2g} of full scale, allowed {most:g}")
        beat_flips = int(np.sum((outcome.judged.evidence > 0) != (truth.judged.evidence > 0)))
        same_bank = outcome.logits.shape == truth.logits.shape
        errors = np.nan_to_num(outcome.logits - truth.logits, nan=np.inf) if same_bank else np.array(np.inf)
        logit_rms, logit_scale = np.sqrt(np.mean(np.square(errors, dtype=np.float64))), np.abs(truth.logits).max()
        if logit_rms > MOST_LOGIT_RMS * logit_scale:
            faults.append(
                f"logits are an RMS of {logit_rms:.2g} from the original's, whose largest is {logit_scale:.2g}"
            )
        labels = [[d.label for d in o.judged.decisions] for o in (truth, outcome)]
        changed = [a != b for a, b in zip(*labels, strict=True)]
        if beat_flips > max(1, MOST_BEAT_FLIPS * len(self.beats.values)):
            faults.append(f"{beat_flips} of {len(self.beats.values)} beats vote otherwise")
        if any(changed):
            faults.append(f"{sum(changed)} of {len(changed)} recordings are decided otherwise")
        return Parity(
            engine=artefact.name,
            beats=len(self.beats.values),
            recordings=len(changed),
            embedding_max_abs=_finite(np.abs(outcome.embeddings - truth.embeddings).max()),
            embedding_scale=float(np.abs(truth.embeddings).max()),
            logit_max_abs=_finite(np.abs(errors).max()),
            logit_scale=float(logit_scale),
            logit_rms=_finite(logit_rms),
            from_meant=_finite(from_meant),
            beat_flips=beat_flips,
            recording_flips=sum(changed),
            timing_changes=sum(
                a != b and not c for a, b, c in zip(truth.decided_at, outcome.decided_at, changed, strict=True)
            ),
            beat_us=outcome.beat_us if artefact.on_device else None,
            faults=tuple(faults),
        )

    def passes(self, artefact: Artefact, files: Files) -> bool:
        """Does it decide as the original?"""
        return not self.check(artefact, files).faults

    def _run(self, engine: Engine, bank: ReferenceBank) -> Outcome:
        """One beat at a time, as on a device."""
        embeddings, logits, times = [], [], []
        for beat in self.beats.values:
            began = time.perf_counter()
            embedding = engine.encode(beat[np.newaxis])
            logits.append(engine.compare(embedding, bank.embeddings))
            times.append(time.perf_counter() - began)
            embeddings.append(embedding[0])
        return self._outcome(np.stack(embeddings), np.stack(logits), bank, float(np.median(times) * 1e6))

    def _meant(self, scheme: Scheme, bank: ReferenceBank) -> Outcome:
        """The original with its weights stored as the scheme says, through torch."""
        key = scheme.name, bank.to_bytes()
        if key not in self._known:
            model = self.original.model if scheme is FLOAT32 else scheme.compressed(self.original.model)
            embeddings = embed(model, self.beats.values)
            logits = compare(model, embeddings, bank.embeddings)
            self._known[key] = self._outcome(embeddings, logits, bank)
        return self._known[key]

    def _outcome(
        self, embeddings: np.ndarray, logits: np.ndarray, bank: ReferenceBank, beat_us: float | None = None
    ) -> Outcome:
        return Outcome(embeddings, logits, decide(logits, bank, self.beats, self._labels, self._voting), beat_us)

    def _reference_faults(self, bank: ReferenceBank, artefact: Artefact) -> list[str]:
        """Are the references that it ships with those of the original, to rounding or to an int8 step?"""
        wanted = self._bank
        if bank.embeddings.shape != wanted.embeddings.shape or (bank.is_target != wanted.is_target).any():
            return [f"{artefact.references} has {bank.embeddings.shape}, or other labels than the original"]
        half_step = 0.501 / 127 if "int8" in artefact.references else 1e-5
        off = np.abs(bank.embeddings - wanted.embeddings).max(1) > half_step * np.abs(wanted.embeddings).max(1)
        return [f"{artefact.references}: {off.sum()} references are not the original's"] if off.any() else []

    def _weight_faults(self, artefact: Artefact, files: Files) -> list[str]:
        """Is every weight of the model in the files, as it is or on the int8 grid? Only where values can't tell."""
        if not artefact.rounds:
            return []
        stored = stored_weights(artefact.files(files))
        missing = 0
        for weight in artefact.scheme.weights(self.original.model):
            forms = [weight, INT8.on_grid(weight)] if artefact.scheme is FLOAT32 else [weight]
            missing += not any(
                s.shape == form.shape and np.allclose(s, form, rtol=0, atol=1e-6 * np.abs(form).max())
                for s in stored
                for form in forms
            )
        return [f"{missing} weights are not the model's"] if missing else []

    def _unusable(self, artefact: Artefact, fault: str) -> Parity:
        none, beats, recordings = _finite(np.inf), len(self.beats.values), len(self.beats.sources)
        return Parity(
            artefact.name, beats, recordings, none, none, none, none, none, none, beats, recordings, 0, None, (fault,)
        )


def _finite(value: Any) -> float:
    """A number that JSON can hold."""
    return float(np.nan_to_num(value, nan=1e30, posinf=1e30))


def golden_faults(files: Files, shipped: set[str]) -> list[str]:
    """Artefacts whose logits on the golden beats are not those that were written with the bundle."""
    golden = json.loads(files[GOLDEN])
    beats = [np.array(step["beat"], np.float32)[np.newaxis] for step in golden["beats"]]
    faults = []
    for artefact in ARTEFACTS:
        wanted = golden.get("artefacts", {}).get(artefact.name)
        if wanted is None or artefact.name not in shipped:
            continue
        engine, bank = artefact.open(files), ReferenceBank.from_bytes(files[artefact.references])
        got = np.stack([engine.compare(engine.encode(beat), bank.embeddings) for beat in beats])
        if not (got.shape == np.shape(wanted) and np.abs(got - wanted).max() <= 1e-3 * np.abs(wanted).max()):
            faults.append(f"{artefact.name}: its logits on the golden beats are not those it was written with")
    return faults


@click.command()
@click.argument("bundle_path", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.argument("dataset_file", metavar="DATASET.toml", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Where the recordings are [beside DATASET.toml].")
@click.option(
    "--set", "sets", multiple=True, default=("validation", "test"), type=click.Choice(SETS), show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def parity(bundle_path: Path, dataset_file: Path, data: Path | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Run every artefact of a bundle on the recordings of a dataset and compare it with the original model."""
    manifest, files = read_files(bundle_path)
    if ORIGINAL not in files:
        raise ParityError(f"{bundle_path}: holds no {ORIGINAL} to compare with; export the bundle again")
    contract = Contract.from_json(manifest["contract"])
    dataset = read_dataset(dataset_file, data)
    beats = read_beats([entry for which in sets for entry in dataset.entries(which)], contract)
    original = Original.from_bytes(files[ORIGINAL], manifest["model"]["architecture"])
    trial = Trial(original, beats, tuple(manifest["labels"]), contract.voting)
    parities = []
    shipped = {row["engine"] for row in manifest["parity"] if row["shipped"]}
    for artefact in ARTEFACTS:
        if artefact.name.removesuffix(ON_THIS_MAC) in shipped:
            click.echo(f"{artefact.name} ...", err=True)
            parities.append(trial.check(artefact, files))
    click.echo(json.dumps([p.to_json() for p in parities]) if as_json else "\n".join(parity_table(parities)))
    faults = golden_faults(files, shipped)
    if faults or any(p.faults for p in parities):
        raise ParityError("; ".join([*(f"{p.engine}: {f}" for p in parities for f in p.faults), *faults]))


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
    run(parity)
