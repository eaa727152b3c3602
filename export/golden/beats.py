"""Golden vectors: beats with all that must follow from them, for any port of the runtime to check itself against."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from edge_ecg.inference.golden import golden_steps
from edge_ecg.inference.references import ReferenceBank
from export.gate.artefacts import Artefact, Engine, Files
from train.run import Run

GOLDEN_BEATS = 8
MOST_ERROR = 1e-3  # of the largest number: another machine adds in another order, and may round an activation otherwise


def golden(finished: Run, engine: Engine, references: ReferenceBank, others: Iterable[Artefact], files: Files) -> Any:
    """The first beats of a validation recording, step by step; of the `others`, which round, the logits."""
    beats = finished.validation.values[np.flatnonzero(finished.validation.recording == 0)[:GOLDEN_BEATS]]
    steps = golden_steps(beats, engine.encode, engine.compare, references, finished.rule)
    return {"beats": steps, "artefacts": {a.name: own_logits(a, files, beats) for a in others}}


def own_logits(artefact: Artefact, files: Files, beats: np.ndarray) -> list[list[float]]:
    """An artefact's logits of beats (N, 384) against the references that it is used with."""
    engine, bank = artefact.open(files), ReferenceBank.from_bytes(files[artefact.references])
    return [engine.compare(engine.encode(beat[np.newaxis]), bank.embeddings).tolist() for beat in beats]


def same(said: Any, got: Any) -> bool:
    """Are two values of JSON the same, numbers to rounding?"""
    if isinstance(got, dict):
        return isinstance(said, dict) and said.keys() == got.keys() and all(same(said[k], got[k]) for k in got)
    if isinstance(got, str | bool) or got is None:
        return bool(said == got)
    if isinstance(got, list) and got and isinstance(got[0], dict):
        return isinstance(said, list) and len(said) == len(got) and all(map(same, said, got))
    try:
        numbers, wanted = np.asarray(said, np.float64), np.asarray(got, np.float64)
    except (TypeError, ValueError):
        return False
    if numbers.shape != wanted.shape or not wanted.size:
        return numbers.shape == wanted.shape
    return bool(np.abs(numbers - wanted).max() <= MOST_ERROR * np.abs(wanted).max())
