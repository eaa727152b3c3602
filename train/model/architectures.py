"""The table of architectures: how each is built and how it is trained."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from edge_ecg.errors import RunError
from train.model.aligned import AlignedEncoder
from train.model.head import DistanceComparator
from train.model.model import Model
from train.model.positional import PositionalEncoder
from train.model.public_network import EffNetV2Comparator, EffNetV2Encoder

MOST_PARAMETERS = 9_000
DEFAULT_ARCHITECTURE = "aligned"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an architecture is trained."""

    epochs: int = 10
    batch_beats: int = 96
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    partners: int = 48  # other beats of its batch that each beat is compared with; half of the batch makes all pairs
    decision_scale: float = 2.0  # log odds of the target for one unit of evidence, in the loss of decisions
    pair_weight: float = 0.0  # of the loss of single pairs beside that of decisions


def _nothing(model: Model, beats: Tensor) -> None:
    pass


@dataclass(frozen=True)
class Architecture:
    """A comparator that can be trained.

    build: a fresh model. prepare: takes what it needs, without labels, from training beats (N, 384) before the first
    step.
    """

    build: Callable[[], Model]
    recipe: Recipe = Recipe()
    prepare: Callable[[Model, Tensor], None] = _nothing


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
    """The architecture of this name. Raises RunError for a name that is not in ARCHITECTURES."""
    if name not in ARCHITECTURES:
        raise RunError(f"architecture is {name!r}, expected one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def build_model(name: str) -> Model:
    """A fresh model of the architecture of this name. Raises RunError."""
    return architecture_of(name).build()
