"""Errors on bad input: each message is one sentence that names the file or value."""


class EdgeEcgError(ValueError):
    """Bad input: the message names the thing, what was expected and what came. Commands exit with 2."""


class RecordingError(EdgeEcgError):
    """A recording that can't be read or used."""


class ContractError(EdgeEcgError):
    """Two parts that don't agree on the contract (`edge_ecg.contract`)."""


class BundleError(EdgeEcgError):
    """A bundle that is incomplete, altered or unsafe to open."""


class AlteredBundleError(BundleError):
    """A bundle that is not as it was written: to be copied or sent again."""


class BundleVersionError(BundleError):
    """A whole bundle of another schema: to be exported again, or read by a newer version."""


class DatasetError(EdgeEcgError):
    """A dataset file or folder that can't be trained on as it is described."""


class RunError(EdgeEcgError):
    """A training run's folder that is missing a part or does not fit the code."""


class ParityError(EdgeEcgError):
    """An exported artifact that does not decide as the model it came from."""


class UnsupportedOperationError(ParityError):
    """A network with an operation that a form of artifact does not have."""


def first_line(error: Exception) -> str:
    """Message of a library's error, shortened to a sentence: its first line, or its kind where it is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
