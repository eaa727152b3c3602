"""The table of our architectures, and the way to those of others."""

from torch import Tensor

from edge_ecg.errors import RunError
from train.model.aligned import AlignedEncoder
from train.model.architecture import Architecture, Recipe
from train.model.head import DistanceComparator
from train.model.model import Model
from train.model.outside import found_outside
from train.model.positional import PositionalEncoder
from train.model.public_network import EffNetV2Comparator, EffNetV2Encoder

DEFAULT_ARCHITECTURE = "aligned"


def whiten(model: Model, beats: Tensor) -> None:
    """Fit the first layer of an aligned encoder."""
    assert isinstance(model.encoder, AlignedEncoder)
    model.encoder.whiten(beats)


ARCHITECTURES = {
    "aligned": Architecture(lambda: Model(AlignedEncoder(), DistanceComparator(8)), prepare=whiten),
    "positional": Architecture(lambda: Model(PositionalEncoder(), DistanceComparator())),
    # Its head is too large to compare all pairs of a batch; from a few, decisions are too rough to learn from alone.
    "effnetv2": Architecture(
        lambda: Model(EffNetV2Encoder(), EffNetV2Comparator()), Recipe(epochs=40, partners=2, pair_weight=1.0)
    ),
}


def architecture_of(name: str) -> Architecture:
    """The architecture of this name: one of ARCHITECTURES, of an installed package, or `module:factory`.

    Raises RunError for a name that leads to none, or to a network that is not as docs/models.md says.
    """
    return ARCHITECTURES[name] if name in ARCHITECTURES else found_outside(name)[0]


def version_of(name: str) -> str:
    """The version of an architecture that is not ours; nothing for one that is."""
    return "" if name in ARCHITECTURES else found_outside(name)[1]


def build_model(name: str, version: str = "") -> Model:
    """A fresh model of the architecture of this name. Raises RunError, also if it is there in another version."""
    if (here := version_of(name)) != version:
        raise RunError(
            f"architecture {name} is here in version {here or 'of this package'}, and the weights are of "
            f"{version or 'one of this package'}; install that, or adopt the weights (python -m train.adopt)"
        )
    return architecture_of(name).build()
