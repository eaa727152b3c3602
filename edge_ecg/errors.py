"""Errors on bad input: each message is one sentence that names the file or value."""


class EdgeEcgError(ValueError):
    """Bad input: the message names the file or value, what was expected and what came. Commands exit with 2."""


class RecordingError(EdgeEcgError):
    """A recording that can't be read or used."""


class ContractError(EdgeEcgError):
    """Two parts with different contracts (`edge_ecg.contract`)."""


class BundleError(EdgeEcgError):
    """A bundle that is incomplete, altered or unsafe to open."""


class AlteredBundleError(BundleError):
    """A bundle whose files were changed: copy or send it again."""


class BundleVersionError(BundleError):
    """An intact bundle of another schema: export it again, or use a newer version."""


class DatasetError(EdgeEcgError):
    """A dataset file or folder that can't be used as described."""


class RunError(EdgeEcgError):
    """A run that lacks a part or does not fit the code."""


class ParityError(EdgeEcgError):
    """An exported artifact that changes decisions of the model."""


class UnsupportedOperationError(ParityError):
    """A network with an operation that a format lacks."""


def first_line(error: Exception) -> str:
    """First line of a library's error message, or its type if it is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
