"""The table of architectures: how each is built."""

from collections.abc import Callable

from edge_ecg.errors import RunError
from train.model.aligned import AlignedEncoder
from train.model.head import DistanceComparator
from train.model.model import Model
from train.model.positional import PositionalEncoder
from train.model.public_network import EffNetV2Comparator, EffNetV2Encoder

MOST_PARAMETERS = 9_000
ARCHITECTURES: dict[str, Callable[[], Model]] = {
    "aligned": lambda: Model(AlignedEncoder(), DistanceComparator(8), partners=64),
    "positional": lambda: Model(PositionalEncoder(), DistanceComparator(), partners=64),
    "effnetv2": lambda: Model(EffNetV2Encoder(), EffNetV2Comparator(), partners=2),
}
# What the default is made of, each without one thing: for `train.ablations`, and not to be chosen.
ABLATED: dict[str, Callable[[], Model]] = {
    "aligned, without alignment": lambda: Model(AlignedEncoder(shortening=0.0), DistanceComparator(8), 64),
    "aligned, without RR": lambda: Model(AlignedEncoder(sees_rr=False), DistanceComparator(8), 64),
    "aligned, without whitening": lambda: Model(AlignedEncoder(whitened=0), DistanceComparator(8), 64),
    "aligned, with amplitude": lambda: Model(AlignedEncoder(scale=lambda mv: 5 * mv), DistanceComparator(8), 64),
}
DEFAULT_ARCHITECTURE = "aligned"


def build_model(architecture: str) -> Model:
    """A fresh model. Raises RunError for a name that is not in ARCHITECTURES."""
    if architecture not in {**ARCHITECTURES, **ABLATED}:
        raise RunError(f"architecture is {architecture!r}, expected one of {', '.join(ARCHITECTURES)}")
    return {**ARCHITECTURES, **ABLATED}[architecture]()
