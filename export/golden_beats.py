"""Golden vectors: beats with all that must follow from them, for any port of the runtime to check itself against."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from edge_ecg.references import ReferenceBank
from edge_ecg.votes import Tally, cast_vote
from export.artefacts import Artefact, Engine, Files
from train.checkpoint import Run

GOLDEN_BEATS = 8


def golden(finished: Run, engine: Engine, references: ReferenceBank, others: Iterable[Artefact], files: Files) -> Any:
    """The first beats of a validation recording, step by step; of the `others`, which round, the logits."""
    beats = np.flatnonzero(finished.validation.recording == 0)[:GOLDEN_BEATS]
    tally = Tally(finished.labels, finished.contract.voting)
    steps = []
    for beat in beats:
        values = finished.validation.values[beat]
        embedding = engine.encode(values[np.newaxis])
        logits = engine.compare(embedding, references.embeddings)
        vote = cast_vote(logits, references)
        decision = tally.add(vote, float(finished.validation.known_at_s[beat]))
        steps.append(
            {
                "beat": values.tolist(),
                "embedding": embedding[0].tolist(),
                "logits": logits.tolist(),
                "evidence": vote.evidence,
                "hard_vote": finished.labels[vote.hard_target],
                "log_odds": tally.log_odds,
                "decision": decision.label,
            }
        )
    own = {a.name: _logits(a.open(files), a, files, finished.validation.values[beats]) for a in others}
    return {"beats": steps, "artefacts": own}


def _logits(engine: Engine, artefact: Artefact, files: Files, beats: np.ndarray) -> list[list[float]]:
    bank = ReferenceBank.from_bytes(files[artefact.references])
    return [engine.compare(engine.encode(beat[np.newaxis]), bank.embeddings).tolist() for beat in beats]
