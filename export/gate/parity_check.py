"""The trial: run an artefact on recordings and hold it to the original, step by step.

Names and shapes, then values, then votes, then decisions; everything that is off is collected.
"""

import copy
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from edge_ecg.errors import EdgeEcgError, ParityError
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import DecisionRule
from export.compression.weights import FLOAT32, Scheme, layers_of
from export.gate.artefacts import Artefact, Engine, Files
from export.gate.reference_model import Original
from export.gate.stored import stored_weights
from export.graphs import fold_batch_norm
from train.data import BeatSet
from train.decision.decide import Decided, decide_from_logits
from train.model.model import compare, embed

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
    judged: Decided
    beat_us: float | None = None

    @property
    def decided_at(self) -> list[int | None]:
        """By recording: after how many beats."""
        return [d.provisional and d.provisional.beats for d in self.judged.decisions]


class Trial:
    """The original's outcome on some beats, with which every artefact's is compared."""

    def __init__(
        self,
        original: Original,
        beats: BeatSet,
        rule: DecisionRule,
        shift: np.ndarray | float = 0.0,
    ):
        """`shift` is how far enrolment has moved the references."""
        self.original = original
        self.beats = beats
        self._rule = rule
        self._bank = original.bank().moved(np.asarray(shift))
        self._known: dict[tuple[str, bytes], Outcome] = {}
        self._truth = self._meant(FLOAT32, self._bank)

    def holding_to(self, original: Original) -> "Trial":
        """The same trial of the same model, with other compressed ones."""
        trial = copy.copy(self)
        trial.original, trial._known = original, {}
        return trial

    def flips(self, scheme: Scheme) -> tuple[int, int]:
        """Beats that vote, and recordings that decide otherwise if nothing but weights is stored as the scheme says."""
        meant = self._meant(scheme, self._bank)
        return self._flips(meant), sum(self._changed(meant))

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
        beat_flips = self._flips(outcome)
        same_bank = outcome.logits.shape == truth.logits.shape
        errors = np.nan_to_num(outcome.logits - truth.logits, nan=np.inf) if same_bank else np.array(np.inf)
        logit_rms, logit_scale = np.sqrt(np.mean(np.square(errors, dtype=np.float64))), np.abs(truth.logits).max()
        if logit_rms > MOST_LOGIT_RMS * logit_scale:
            faults.append(
                f"logits are an RMS of {logit_rms:.2g} from the original's, whose largest is {logit_scale:.2g}"
            )
        changed = self._changed(outcome)
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
            model = self.original.compressed(scheme)
            embeddings = embed(model, self.beats.values)
            logits = compare(model, embeddings, bank.embeddings)
            self._known[key] = self._outcome(embeddings, logits, bank)
        return self._known[key]

    def _flips(self, outcome: Outcome) -> int:
        return int(np.sum((outcome.judged.evidence > 0) != (self._truth.judged.evidence > 0)))

    def _changed(self, outcome: Outcome) -> list[bool]:
        """By recording: is it decided otherwise?"""
        labels = [[d.label for d in o.judged.decisions] for o in (self._truth, outcome)]
        return [a != b for a, b in zip(*labels, strict=True)]

    def _outcome(
        self, embeddings: np.ndarray, logits: np.ndarray, bank: ReferenceBank, beat_us: float | None = None
    ) -> Outcome:
        return Outcome(embeddings, logits, decide_from_logits(logits, bank, self.beats, self._rule), beat_us)

    def _reference_faults(self, bank: ReferenceBank, artefact: Artefact) -> list[str]:
        """Are the references that it ships with those of the original, to rounding or to an int8 step?"""
        wanted = self._bank
        if bank.embeddings.shape != wanted.embeddings.shape or (bank.is_target != wanted.is_target).any():
            return [f"{artefact.references} has {bank.embeddings.shape}, or other labels than the original"]
        half_step = 0.501 / 127 if "int8" in artefact.references else 1e-5
        off = np.abs(bank.embeddings - wanted.embeddings).max(1) > half_step * np.abs(wanted.embeddings).max(1)
        return [f"{artefact.references}: {off.sum()} references are not the original's"] if off.any() else []

    def _weight_faults(self, artefact: Artefact, files: Files) -> list[str]:
        """Is every weight of the model in the files? Values can't tell of one that these beats do not need."""
        stored = stored_weights(artefact.files(files))
        model = fold_batch_norm(self.original.compressed(artefact.scheme))
        meant = [layer.weight.detach().numpy() for layer in layers_of(model)]
        missing = sum(
            not any(s.shape == w.shape and np.allclose(s, w, rtol=0, atol=1e-6 * np.abs(w).max()) for s in stored)
            for w in meant
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
