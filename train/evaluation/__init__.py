"""Evaluation of a comparator: benchmark methods, folds, scores, drift, and many persons."""

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
