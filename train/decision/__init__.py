"""From a model to decisions: references, votes, calibration, novelty."""
