"""The parity check: run an artifact on recordings and compare it with the reference model, step by step.

Names and shapes, then values, then votes, then decisions; everything that is off is collected.
"""

import time
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from edge_ecg.errors import EdgeEcgError, ParityError, UnsupportedOperationError, first_line
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import DecisionRule
from edge_ecg.results import UNKNOWN_ERROR, ArtifactParity
from export.graphs import (
    FLOAT32,
    Artifact,
    Engine,
    Files,
    Graph,
    Scheme,
    StoredWeight,
    fused_for_export,
    graphs_of,
    layers_of,
    with_weights_of,
)
from train.data import BeatSet
from train.fit.decision import Decided, decide_from_logits
from train.model.architectures import build_model
from train.model.model import Model, compare, embed
from train.run import Run

REFERENCE_MODEL = "reference_model.safetensors"
FINETUNED = "finetuned "  # and the name of a scheme


@dataclass(frozen=True)
class ReferenceModel:
    """A trained model, the (R, 384) beats that its references are embeddings of, and their labels.

    finetuned: by the name of a scheme, the model with batch norm folded and weights on that scheme's grid.
    """

    architecture: str
    model: Model
    reference_beats: np.ndarray
    is_target: np.ndarray
    finetuned: Mapping[str, Model] = field(default_factory=dict)

    @classmethod
    def of_run(cls, run: Run, chosen: np.ndarray | None = None) -> "ReferenceModel":
        """Of a training run; `chosen` are the indices of the reference beats, by default the run's own."""
        chosen = run.references()[0] if chosen is None else chosen
        architecture = run.config["settings"]["architecture"]
        return cls(architecture, run.model, run.training.values[chosen], run.training.is_target[chosen])

    @cached_property
    def bank(self) -> ReferenceBank:
        """The references through the model."""
        return ReferenceBank(embed(self.model, self.reference_beats), self.is_target)

    def compressed(self, scheme: Scheme) -> Model:
        """The model that an artifact of this scheme should be: fine-tuned if need be, or rounded."""
        if scheme is FLOAT32:
            return self.model
        return self.finetuned.get(scheme.name) or scheme.compressed(self.model)

    def graphs(
        self, schemes: Iterable[Scheme], labels: tuple[str, str] | None = None
    ) -> dict[Scheme, tuple[Graph, Graph]]:
        """By scheme, the graphs with the weights that its artifacts should have; torch exports once for all."""
        exact = graphs_of(self.model, labels)
        return {
            scheme: exact if scheme is FLOAT32 else with_weights_of(self.compressed(scheme), exact)
            for scheme in dict.fromkeys(schemes)
        }

    def to_bytes(self) -> bytes:
        """The reference model as a safetensors file."""
        models = {"model": self.model, **{f"{FINETUNED}{name}": model for name, model in self.finetuned.items()}}
        tensors = {f"{m}.{n}": t.contiguous() for m, model in models.items() for n, t in model.state_dict().items()}
        tensors["references.beats"] = torch.from_numpy(self.reference_beats)
        tensors["references.is_target"] = torch.from_numpy(self.is_target.astype(np.uint8))
        content: bytes = safetensors.torch.save(tensors)
        return content

    @classmethod
    def from_bytes(cls, content: bytes, architecture: str, version: str = "") -> "ReferenceModel":
        """Read what `to_bytes` wrote. Raises ParityError on anything else."""
        try:
            tensors = safetensors.torch.load(content)
            beats = tensors.pop("references.beats").numpy()
            is_target = tensors.pop("references.is_target").numpy().astype(bool)
            states: dict[str, dict[str, torch.Tensor]] = {}
            for name, tensor in tensors.items():
                owner, _, entry = name.partition(".")
                states.setdefault(owner, {})[entry] = tensor
            model = build_model(architecture, version)
            model.load_state_dict(states.pop("model"))
            finetuned = {owner.removeprefix(FINETUNED): fused_for_export(model) for owner in states}
            for owner, state in states.items():
                finetuned[owner.removeprefix(FINETUNED)].load_state_dict(state)
        except (safetensors.SafetensorError, KeyError, RuntimeError, EdgeEcgError) as error:
            reason = first_line(error)
            raise ParityError(
                f"{REFERENCE_MODEL}: holds no {architecture} model with its references: {reason}"
            ) from None
        return cls(architecture, model.eval(), beats, is_target, finetuned)


# The check.

MOST_BEAT_FLIPS = 0.001
# Limits chosen with a margin over what correct artifacts of all architectures showed.
MOST_ERROR = 1e-5  # of full scale, against a model with the same weights: float32 rounds in proportion to what it adds
MOST_ROUNDINGS = 4.0  # or so many times as far as that model in float32 is from itself in float64
MOST_RMS_ERROR = 0.05  # of full scale, against the same, where values are rounded to float16
MOST_LOGIT_RMS = 0.03  # of full scale, against the reference model: on few beats, decisions alone say little
TIMED_BEATS, TIMED_ROUNDS = 200, 7


def require(parities: Iterable[ArtifactParity]) -> None:
    """Raises one ParityError with the faults of all artifacts."""
    if faults := [f"{p.engine}: {fault}" for p in parities for fault in p.faults]:
        raise ParityError("; ".join(faults))


@dataclass(frozen=True)
class Outcome:
    """Embeddings, logits, votes and decisions of one way of running the model."""

    embeddings: np.ndarray
    logits: np.ndarray
    judged: Decided
    embeddings_rounding: float = 0.0  # of the largest number: how far they are from the same in float64, where known
    logits_rounding: float = 0.0

    @property
    def decided_at(self) -> list[int | None]:
        """By recording: after how many beats."""
        return [d.provisional and d.provisional.beats for d in self.judged.decisions]


class ParityCheck:
    """The reference model's outcome on some beats, with which every artifact's is compared."""

    def __init__(
        self,
        reference: ReferenceModel,
        beats: BeatSet,
        rule: DecisionRule,
        shift: np.ndarray | float = 0.0,
    ):
        """`shift` is how far enrolment has moved the references."""
        self.reference = reference
        self.beats = beats
        self._rule = rule
        self._bank = reference.bank.moved(np.asarray(shift))
        self._known: dict[tuple[str, bytes], Outcome] = {}
        self._truth = self._expected(FLOAT32, self._bank)

    def rounding_faults(self, scheme: Scheme) -> list[str]:
        """Votes and decisions that storing weights and references by the scheme would change."""
        bank = self._bank
        if scheme.bits <= 8:
            bank = ReferenceBank.from_bytes(bank.to_int8_bytes())
        return self._decision_faults(self._expected(scheme, bank))

    def check(self, artifact: Artifact, files: Files) -> ArtifactParity:
        """Run one artifact on every beat. Faults are in the result, also where it can't be opened at all.

        Raises UnsupportedOperationError if nothing here can run an operation of it.
        """
        try:
            stored = artifact.weights(files)
            facts = self.facts(artifact, files, stored)
            bank = ReferenceBank.from_bytes(files[artifact.references])
            faults = self._reference_faults(bank, artifact)
            outcome = self._run(artifact.open(files), bank)
            faults += artifact.other_faults(files, bank, self.beats.values)
        except KeyError as error:
            return self.unusable(artifact, f"{error} is missing")
        except UnsupportedOperationError:
            raise
        except EdgeEcgError as error:
            return self.unusable(artifact, str(error))
        except Exception as broken:  # whatever ONNX Runtime or NumPy make of a graph that is not as it should be
            return self.unusable(artifact, f"can't be run: {first_line(broken)}")
        truth, expected = self._truth, self._expected(artifact.scheme, bank)
        if (outcome.embeddings.shape, outcome.logits.shape) != (expected.embeddings.shape, expected.logits.shape):
            return self.unusable(artifact, f"gives {outcome.embeddings.shape} and {outcome.logits.shape}")
        faults += self._weight_faults(artifact, stored)
        from_expected = 0.0
        for what in ("embeddings", "logits"):
            got, wanted = getattr(outcome, what), getattr(expected, what)
            errors = np.nan_to_num((got - wanted) / np.abs(wanted).max(), nan=np.inf).astype(np.float64)
            off, kind = float(np.abs(errors).max()), "up to"
            most = max(MOST_ERROR, MOST_ROUNDINGS * getattr(expected, what + "_rounding"))
            from_expected = max(from_expected, off)
            if artifact.half:
                off, kind, most = float(np.sqrt(np.mean(errors**2))), "an RMS of", MOST_RMS_ERROR
            if off > most:
                faults.append(f"{what} are off by {kind} {off:.2g} of full scale, allowed {most:.2g}")
        same_bank = outcome.logits.shape == truth.logits.shape
        errors = np.nan_to_num(outcome.logits - truth.logits, nan=np.inf) if same_bank else np.array(np.inf)
        logit_rms, logit_scale = np.sqrt(np.mean(np.square(errors, dtype=np.float64))), np.abs(truth.logits).max()
        if logit_rms > MOST_LOGIT_RMS * logit_scale:
            faults.append(
                f"logits are an RMS of {logit_rms:.2g} from the reference model's, whose largest is {logit_scale:.2g}"
            )
        changed = self._changed(outcome)
        faults += self._decision_faults(outcome)
        return ArtifactParity(
            **facts,
            faults=tuple(faults),
            shipped=not faults,
            embedding_max_abs=_finite(np.abs(outcome.embeddings - truth.embeddings).max()),
            embedding_scale=float(np.abs(truth.embeddings).max()),
            logit_max_abs=_finite(np.abs(errors).max()),
            logit_scale=float(logit_scale),
            logit_rms=_finite(logit_rms),
            from_expected=_finite(from_expected),
            beat_flips=self._flips(outcome),
            recording_flips=sum(changed),
            timing_changes=sum(
                a != b and not c for a, b, c in zip(truth.decided_at, outcome.decided_at, changed, strict=True)
            ),
        )

    def unusable(self, artifact: Artifact, fault: str) -> ArtifactParity:
        """The result of an artifact that can't be run."""
        facts = self.facts(artifact, {artifact.references: b""}, [])
        return ArtifactParity(
            **facts,
            faults=(fault,),
            shipped=False,
            logit_max_abs=UNKNOWN_ERROR,
            logit_rms=UNKNOWN_ERROR,
            beat_flips=facts["beats"],
            recording_flips=facts["recordings"],
        )

    def facts(self, artifact: Artifact, files: Files, stored: list[StoredWeight]) -> dict[str, Any]:
        """Facts of an artifact that need no run."""
        size = sum(map(len, artifact.files(files).values()))
        return {
            "engine": artifact.name,
            "bytes": size,
            "bytes_with_references": size + len(files[artifact.references]),
            "quantized_weights": sum(w.size for w, s in self._found(artifact, stored) if s and s.bits < FLOAT32.bits),
            "weights": sum(p.numel() for p in fused_for_export(self.reference.model).parameters()),
            "finetuned": artifact.scheme.name in self.reference.finetuned,
            "beats": len(self.beats.values),
            "recordings": len(self.beats.sources),
        }

    def _run(self, engine: Engine, bank: ReferenceBank) -> Outcome:
        """One beat at a time, as on a device."""
        embeddings = [engine.encode(beat[np.newaxis]) for beat in self.beats.values]
        logits = np.stack([engine.compare(embedding, bank.embeddings) for embedding in embeddings])
        return self._outcome(np.concatenate(embeddings), logits, bank)

    def _expected(self, scheme: Scheme, bank: ReferenceBank) -> Outcome:
        """The reference model with its weights stored as the scheme says, through torch."""
        key = scheme.name, bank.to_bytes()
        if key not in self._known:
            model = self.reference.compressed(scheme)
            embeddings = embed(model, self.beats.values)
            logits = compare(model, embeddings, bank.embeddings)
            exact = deepcopy(model).double()
            exact_embeddings = embed(exact, self.beats.values.astype(np.float64))
            exact_logits = compare(exact, exact_embeddings, bank.embeddings.astype(np.float64))
            self._known[key] = replace(
                self._outcome(embeddings, logits, bank),
                embeddings_rounding=_share_off(embeddings, exact_embeddings),
                logits_rounding=_share_off(logits, exact_logits),
            )
        return self._known[key]

    def _outcome(self, embeddings: np.ndarray, logits: np.ndarray, bank: ReferenceBank) -> Outcome:
        return Outcome(embeddings, logits, decide_from_logits(logits, bank, self.beats, self._rule))

    def _flips(self, outcome: Outcome) -> int:
        return int(np.sum((outcome.judged.evidence > 0) != (self._truth.judged.evidence > 0)))

    def _changed(self, outcome: Outcome) -> list[bool]:
        """By recording: is it decided otherwise?"""
        labels = [[d.label for d in o.judged.decisions] for o in (self._truth, outcome)]
        return [a != b for a, b in zip(*labels, strict=True)]

    def _decision_faults(self, outcome: Outcome) -> list[str]:
        """No recording may be decided otherwise, and at most one beat in a thousand may vote otherwise."""
        flips, changed, beats = self._flips(outcome), self._changed(outcome), len(self.beats.values)
        faults = [f"{flips} of {beats} beats vote otherwise"] if flips > max(1, MOST_BEAT_FLIPS * beats) else []
        return faults + ([f"{sum(changed)} of {len(changed)} recordings are decided otherwise"] if any(changed) else [])

    def _reference_faults(self, bank: ReferenceBank, artifact: Artifact) -> list[str]:
        """Are the references that it ships with those of the reference model, to rounding or to an int8 step?"""
        wanted = self._bank
        if bank.embeddings.shape != wanted.embeddings.shape or (bank.is_target != wanted.is_target).any():
            return [f"{artifact.references} has {bank.embeddings.shape}, or other labels than the reference model"]
        half_step = 0.501 / 127 if "int8" in artifact.references else 1e-5
        off = np.abs(bank.embeddings - wanted.embeddings).max(1) > half_step * np.abs(wanted.embeddings).max(1)
        return [f"{artifact.references}: {off.sum()} references are not the reference model's"] if off.any() else []

    def _found(self, artifact: Artifact, stored: list[StoredWeight]) -> list[tuple[np.ndarray, StoredWeight | None]]:
        """Each weight that the model should have, and where it was found in the files."""

        def find(wanted: np.ndarray) -> StoredWeight | None:
            near = 1e-6 * np.abs(wanted).max()
            for s in stored:
                if s.value.shape == wanted.shape:
                    factor = np.abs(wanted).max() / max(np.abs(s.value).max(), 1e-30) if artifact.folds_factors else 1
                    if np.allclose(factor * s.value, wanted, rtol=0, atol=near):
                        return s
            return None

        model = fused_for_export(self.reference.compressed(artifact.scheme))
        return [(weight, find(weight)) for weight in (layer.weight.detach().numpy() for layer in layers_of(model))]

    def _weight_faults(self, artifact: Artifact, stored: list[StoredWeight]) -> list[str]:
        """Is every weight of the model in the files, in no more bits than they say?

        Values can't tell of a weight that these beats do not need.
        """
        found = self._found(artifact, stored)
        missing = sum(not s or s.bits > artifact.scheme.bits for _, s in found)
        faults = [f"{missing} weights are not the model's"] if missing else []
        return faults if found or artifact.scheme is FLOAT32 else [*faults, "no weight is in fewer bits"]


def interleaved_us(engines: Mapping[str, Engine], bank: ReferenceBank, beats: np.ndarray) -> dict[str, list[float]]:
    """By name, the time of one beat against all references: medians of several rounds, in which engines take turns."""
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(TIMED_ROUNDS):
        for name, engine in engines.items():
            took = []
            for beat in beats[:TIMED_BEATS]:
                began = time.perf_counter()
                engine.compare(engine.encode(beat[np.newaxis]), bank.embeddings)
                took.append(time.perf_counter() - began)
            times[name].append(float(np.median(took) * 1e6))
    return times


def _share_off(got: np.ndarray, exact: np.ndarray) -> float:
    """The largest error as a share of the largest number."""
    return float(np.abs(got - exact).max() / np.abs(exact).max())


def _finite(value: Any) -> float:
    """A number that JSON can represent."""
    return float(np.nan_to_num(value, nan=UNKNOWN_ERROR, posinf=UNKNOWN_ERROR))
