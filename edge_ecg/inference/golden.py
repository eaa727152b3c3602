"""Golden steps: what must follow from some beats, one after the other, for any port of the runtime to check itself."""

from collections.abc import Callable
from typing import Any

import numpy as np

from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import DecisionRule, cast_vote


def golden_steps(
    beats: np.ndarray,
    encode: Callable[[np.ndarray], np.ndarray],
    compare: Callable[[np.ndarray, np.ndarray], np.ndarray],
    references: ReferenceBank,
    rule: DecisionRule,
) -> list[dict[str, Any]]:
    """What follows from beats (N, 384) of one recording, as JSON has it."""
    tally, steps = rule.tally(), []
    for values in beats:
        embedding = encode(values[np.newaxis])
        logits = compare(embedding, references.embeddings)
        vote = cast_vote(logits, references)
        decision = tally.add(vote, 0.0)
        steps.append(
            {
                "beat": values.tolist(),
                "embedding": embedding[0].tolist(),
                "logits": logits.tolist(),
                "evidence": vote.evidence,
                "hard_vote": rule.labels[vote.hard_target],
                "level": tally.level,
                "log_odds": tally.log_odds,
                "decision": decision.label,
            }
        )
    return steps
