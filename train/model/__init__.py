"""The comparators: encoders, heads and the table of architectures."""

NAMES = ("aligned", "linear", "positional", "effnetv2")  # of `train.model.architectures`, for options
DEFAULT_ARCHITECTURE = "aligned"
