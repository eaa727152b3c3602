"""Does an exported artefact decide as the model it came from? Shapes, values, votes and decisions, in this order."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_ecg.comparator import Comparator
from edge_ecg.encoder import Encoder
from edge_ecg.errors import ParityError
from edge_ecg.references import ReferenceBank
from export.graphs import graphs_of
from train.checkpoint import Run
from train.data import BeatSet
from train.judge import decide
from train.model import Model


@dataclass(frozen=True)
class Engine:
    """One way to run the two graphs."""

    name: str
    encode: Encoder
    compare: Comparator


def torch_engine(model: Model) -> Engine:
    """The model as it was trained, batch norm and all, one beat at a time."""
    encoder, comparator = graphs_of(model, fold=False)
    return Engine(
        "torch",
        lambda beat: encoder.run(beat=beat),
        lambda embedding, references: comparator.run(embedding=embedding, references=references),
    )


@dataclass(frozen=True)
class Parity:
    """How far a candidate is from the original on the same beats."""

    engine: str
    beats: int
    recordings: int
    embedding_max_abs: float
    embedding_scale: float  # the largest embedding number of the original
    logit_max_abs: float
    logit_scale: float
    logit_rms: float
    beat_flips: int  # beats whose soft vote changes sides
    recording_flips: int  # recordings whose decision, or the beat at which it falls, changes

    def to_json(self) -> dict[str, Any]:
        """The figures as the manifest holds them."""
        return asdict(self)

    def require(self, most_error: float) -> None:
        """Raises ParityError that lists everything that is off: values beyond `most_error`, and changed decisions.

        `most_error` is a share of the output's full scale, since float32 rounds in proportion to what it adds up.
        """
        faults = []
        for what in ("embedding", "logit"):
            error, scale = getattr(self, f"{what}_max_abs"), getattr(self, f"{what}_scale")
            if not error <= most_error * scale:  # also true of NaN
                faults.append(f"{what}s are off by up to {error:.2g}, allowed {most_error:g} of {scale:.3g}")
        if self.recording_flips:
            faults.append(f"{self.recording_flips} of {self.recordings} recordings are decided otherwise")
        if faults:
            raise ParityError(f"{self.engine} does not follow the model: {'; '.join(faults)}")


def check(finished: Run, original: Engine, candidate: Engine, beats: BeatSet | None = None) -> Parity:
    """Compare two engines on beats (default: every validation beat of the run), each with references of its own."""
    beats = beats or finished.validation
    outcomes = [_outcome(finished, engine, beats) for engine in (original, candidate)]
    (embedded, logits, judged), (embedded_2, logits_2, judged_2) = outcomes
    if embedded.shape != embedded_2.shape or logits.shape != logits_2.shape:
        raise ParityError(
            f"{candidate.name} gives embeddings {embedded_2.shape} and logits {logits_2.shape}, "
            f"the model gives {embedded.shape} and {logits.shape}"
        )
    decisions = [[(d.label, d.beats_to_decision) for d in j.decisions] for j in (judged, judged_2)]
    return Parity(
        candidate.name,
        len(beats.values),
        len(beats.sources),
        float(np.abs(embedded - embedded_2).max()),
        float(np.abs(embedded).max()),
        float(np.abs(logits - logits_2).max()),
        float(np.abs(logits).max()),
        float(np.sqrt(np.mean((logits - logits_2) ** 2))),
        int(np.sum((judged.evidence > 0) != (judged_2.evidence > 0))),
        sum(a != b for a, b in zip(*decisions, strict=True)),
    )


def encode_all(engine: Engine, values: np.ndarray) -> np.ndarray:
    """Embeddings (N, D) of beats (N, 384), one at a time as on a device."""
    return np.concatenate([engine.encode(beat[np.newaxis]) for beat in values])


def embed_references(finished: Run, engine: Engine) -> ReferenceBank:
    """The run's reference beats through an engine."""
    chosen, bank = finished.references()
    return ReferenceBank(encode_all(engine, finished.training.values[chosen]), bank.is_target)


def _outcome(finished: Run, engine: Engine, beats: BeatSet):  # type: ignore[no-untyped-def]
    references = embed_references(finished, engine)
    embeddings = encode_all(engine, beats.values)
    logits = np.stack([engine.compare(e[np.newaxis], references.embeddings) for e in embeddings])
    judged = decide(logits, references, beats, finished.labels, finished.contract.voting)
    return embeddings, logits, judged
