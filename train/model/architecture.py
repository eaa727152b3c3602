"""What an architecture is: how a comparator is built and how it is trained."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from train.model.model import Model

MOST_PARAMETERS = 9_000


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
    step. rename: from a checkpoint's name of an entry to the model's, for weights trained elsewhere.
    """

    build: Callable[[], Model]
    recipe: Recipe = Recipe()
    prepare: Callable[[Model, Tensor], None] = _nothing
    rename: Callable[[str], str] = str
