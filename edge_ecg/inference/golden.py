"""Golden vectors: beats with what must follow from each, for any port of the runtime to check itself against."""

from typing import Any

import numpy as np

from edge_ecg.inference.engines import Comparator, Encoder
from edge_ecg.inference.references import ReferenceBank
from edge_ecg.inference.votes import DecisionRule, cast_vote


def golden_steps(
    beats: np.ndarray,
    encoder: Encoder,
    comparator: Comparator,
    references: ReferenceBank,
    rule: DecisionRule,
) -> list[dict[str, Any]]:
    """Results of beats (N, 384), one after the other, as plain JSON values."""
    tally, steps = rule.tally(), []
    for values in beats:
        embedding = encoder(values[np.newaxis])
        logits = comparator(embedding, references.embeddings)
        vote = cast_vote(logits, references)
        tally.add(vote, 0.0)
        steps.append(
            {
                "beat": values.tolist(),
                "embedding": embedding[0].tolist(),
                "logits": logits.tolist(),
                "evidence": vote.evidence,
                "hard_vote": rule.labels[vote.hard_target],
                "level": tally.level,
                "log_odds": tally.log_odds,
                "decision": tally.decision.label,
            }
        )
    return steps
