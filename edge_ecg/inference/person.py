"""A person's whole model: evidence, votes and distance of any number of beats at once.

`person.onnx` is one graph of encoder, comparator, references and what training has seen. Where a bundle has none, the
two graphs and the references give the same, one beat after the other.
"""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import NamedTuple, Protocol

import numpy as np

from edge_ecg.errors import ContractError
from edge_ecg.inference.engines import Comparator, Encoder, Session
from edge_ecg.inference.references import ReferenceBank

REFERENCES, CENTERS = "references", "centers"  # initializers of person.onnx that enrollment moves
OUTPUTS = ("evidence", "same", "distance", "embedding", "logits")


class Answers(NamedTuple):
    """Outputs of a model for N beats."""

    evidence: np.ndarray  # (N, 1): soft evidence, above 0 for the target
    same: np.ndarray  # (N, 2): references of the baseline, and of the target, that call the beat "same"
    distance: np.ndarray  # (N, 1): from what training has seen, near 1 for a usual beat; 0 where that is unknown
    embedding: np.ndarray  # (N, D)

    def rows(self) -> Iterator["Answer"]:
        """The answers beat by beat."""
        # An embedding that is no number makes the evidence none, and so do its votes and distance.
        columns = zip(self.evidence.tolist(), self.same.tolist(), self.distance.tolist(), strict=True)
        for (evidence,), (baseline, target), (distance,) in columns:
            yield Answer(evidence, int(baseline), int(target), distance)


class Answer(NamedTuple):
    """Output of a model for one beat."""

    evidence: float
    same_as_baseline: int
    same_as_target: int
    distance: float

    @property
    def is_finite(self) -> bool:
        """Whether the engine gave numbers."""
        return isfinite(self.evidence + self.distance)


class Person(Protocol):
    """Protocol: evidence of beats (N, 384) float32 from a person's references."""

    def __call__(self, beats: np.ndarray, /) -> Answers: ...


class OnnxPerson:
    """`person.onnx` through ONNX Runtime. Raises ContractError for another graph, or one of other references."""

    def __init__(self, model: bytes, references: ReferenceBank, beat_length: int):
        self._model, self._references = model, references
        for name, number, tensor in _tensors(references):
            if model.count(tensor) != 1:
                raise ContractError(f"person graph does not hold the {number} numbers of {name} once")
        session = Session(model)
        if session.inputs != {"beat": ["N", beat_length]} or tuple(session.outputs) != OUTPUTS:
            raise ContractError(
                f"person graph takes {session.inputs} and gives {list(session.outputs)}, the contract wants "
                f"beat [N, {beat_length}] -> {', '.join(OUTPUTS)}"
            )
        self._beat_length, self._session = beat_length, session

    def __call__(self, beats: np.ndarray) -> Answers:
        return Answers(*self._session.outputs_of(Answers._fields, {"beat": beats}))

    def with_references(self, references: ReferenceBank) -> "OnnxPerson | None":
        """The same graph with other references; None if their number differs."""
        ours, theirs = _tensors(self._references), _tensors(references)
        if [(name, number) for name, number, _ in ours] != [(name, number) for name, number, _ in theirs]:
            return None
        if ours == theirs:
            return self
        return OnnxPerson(
            with_other_references(self._model, self._references, references), references, self._beat_length
        )


def with_other_references(model: bytes, old: ReferenceBank, new: ReferenceBank) -> bytes:
    """`person.onnx` with new references in the place of as many old ones, which lie in it as in memory."""
    for (_, _, ours), (_, _, theirs) in zip(_tensors(old), _tensors(new), strict=True):
        model = model.replace(ours, theirs)
    return model


def _tensors(references: ReferenceBank) -> Sequence[tuple[str, int, bytes]]:
    """Name, count and bytes of the tensors that depend on the references."""
    moving = {REFERENCES: references.embeddings}
    if references.distribution is not None:
        moving[CENTERS] = references.distribution.centres
    return [(name, values.size, values.astype("<f4").tobytes()) for name, values in moving.items()]


class TwoGraphs:
    """An encoder, a comparator and references, which give the same for one beat after the other."""

    def __init__(self, encoder: Encoder, comparator: Comparator, references: ReferenceBank):
        self._encoder, self._comparator, self._references = encoder, comparator, references

    def __call__(self, beats: np.ndarray) -> Answers:
        bank = self._references
        embeddings = np.concatenate([self._encoder(beat[np.newaxis]) for beat in beats])
        logits = np.stack([self._comparator(each[np.newaxis], bank.embeddings) for each in embeddings])
        # Beat by beat: the bits of a sum depend on how many are made at once.
        evidence = np.array([[bank.evidence(of_beat)] for of_beat in logits])
        distribution = bank.distribution
        distance = np.array([distribution.distances(each[np.newaxis])[0] if distribution else 0 for each in embeddings])
        return Answers(evidence, (logits < 0) @ bank.by_state, distance[:, np.newaxis], embeddings)
