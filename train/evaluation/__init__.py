"""How well a comparator does: benchmark methods, folds, scores, and what else could pass for the state."""

BENCHMARK_NAMES = (  # of `train.evaluation.folds`, for options
    "majority",
    "sample rate",
    "recording order",
    "RR interval",
    "amplitude",
    "logistic regression",
    "logistic, T aligned",
    "supervised network",
    "same network, no pairs",
)
