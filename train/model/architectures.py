"""The table of our architectures, and the way to those of others."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points, packages_distributions, version
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from edge_ecg.contract import CONTRACT
from edge_ecg.errors import RunError, first_line
from edge_ecg.storage.files import read_small_file, write_file
from train.model.aligned import AlignedEncoder, AlignTWave, FusedEncoder, aligned_features, whitening
from train.model.model import (
    MOST_LOGIT,
    MOST_PARAMETERS,
    Architecture,
    DistanceComparator,
    Model,
    Recipe,
    centred_rr,
    millivolts,
    unit_scale,
)
from train.model.public_network import EffNetV2Comparator, EffNetV2Encoder


class LinearEncoder(nn.Module):
    """Beats (N, 384) -> the score and the seven strongest components of each (N, 8).

    The score is the log odds of the target by logistic regression on whitened aligned features: 97 numbers. Comparisons
    use the score alone. The components, in which any beat has a place, are for the check that a beat is like those of
    training (`train.fit.decision`), which one number can't make.
    """

    WHITENED = AlignedEncoder.WHITENED
    EMBEDDING = AlignedEncoder.EMBEDDING

    def __init__(self) -> None:
        super().__init__()
        self.align = AlignTWave()
        self.project = nn.Linear(AlignedEncoder.FEATURES, self.EMBEDDING)

    def forward(self, beat: Tensor) -> Tensor:
        embedding: Tensor = self.project(aligned_features(self.align, beat))
        return embedding

    def fused(self) -> FusedEncoder:
        """The same function in fewer operations, to be exported."""
        return FusedEncoder(self.align, nn.Sequential(self.project))

    @torch.no_grad()
    def fit(self, beats: Tensor, is_target: Tensor) -> None:
        """Fit both maps to training beats (N, 384) and their states (N,): a convex problem, so without a seed."""
        features = aligned_features(self.align, beats).double()
        weight, bias = whitening(features, self.WHITENED)
        components = features @ weight.T + bias
        from sklearn.linear_model import LogisticRegression  # slow to import

        regression = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-8)
        regression.fit(components.numpy(), is_target.numpy())
        score = torch.from_numpy(regression.coef_)
        strongest = slice(self.WHITENED + 1 - self.EMBEDDING, self.WHITENED)  # whitening has them in ascending order
        self.project.weight.copy_(torch.cat([score @ weight, weight[strongest]]))
        self.project.bias.copy_(torch.cat([score @ bias + torch.from_numpy(regression.intercept_), bias[strongest]]))


class ScoreComparator(nn.Module):
    """Log odds that two beats differ in state: how far their scores lie apart, beyond 6.

    Averaged over references of either state, this bounds a vote: a beat that scores beyond all references has no more
    evidence than they have. So a few extreme beats do not decide for a recording, nor extreme recordings widen the
    variance of a state. A bound by the references, rather than a fixed one of the score, moves with them when they
    enroll.
    """

    def forward(self, embedding: Tensor, references: Tensor) -> Tensor:
        return (references - embedding)[:, :1].squeeze(1).abs() - MOST_LOGIT


def fit_linear(model: Model, beats: Tensor, is_target: Tensor) -> None:
    """Fit a linear encoder to training beats and their states."""
    assert isinstance(model.encoder, LinearEncoder)
    model.encoder.fit(beats, is_target)


WEIGHTS = "checkpoint.safetensors"
MOST_BYTES = 64 << 20


def write_weights(path: Path, model: Model) -> None:
    """Store a model's weights and batch-norm statistics."""
    write_file(path, safetensors.torch.save(dict(model.state_dict())))


def read_weights(path: Path, model: Model) -> None:
    """Load what `write_weights` wrote. Raises RunError if it does not fit the model."""
    try:
        model.load_state_dict(safetensors.torch.load(read_small_file(path, MOST_BYTES, RunError)))
    except RunError:
        raise
    except OSError as error:
        raise RunError(f"{path}: can't be read ({error.strerror}); expected a finished training run") from None
    except (safetensors.SafetensorError, RuntimeError, ValueError) as error:
        reason = first_line(error)
        raise RunError(f"{path}: does not fit the architecture in config.json: {reason}") from None


GROUP = "edge_ecg.architectures"  # of entry points: `name = "package.module:factory"`
EXPECTED = "expected a name of this version, of an installed package, or package.module:factory"


@lru_cache
def found_outside(name: str) -> tuple[Architecture, str]:
    """An architecture that is not ours, and its version; checked by running it on three beats.

    `factory()` gives encoder and comparator, or an `Architecture`. The current folder is looked in as well, as
    `python -m` does. The version is that of the package, or a hash of the module's source. Raises RunError.
    """
    point = next(iter(entry_points(group=GROUP, name=name)), None)
    path = point.value if point else name
    module, _, attribute = path.partition(":")
    if not attribute:
        raise RunError(f"architecture is {name!r}, {EXPECTED}")
    if module.partition(".")[0] in sys.stdlib_module_names:  # a run may name it: nothing of Python's own is called
        raise RunError(f"architecture {name}: {module} is of Python's own library, {EXPECTED}")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        factory = EntryPoint(name, path, GROUP).load()
    except (ImportError, AttributeError) as error:
        raise RunError(f"architecture {name} can't be found: {error}; install it, or run where it is") from None
    except (Exception, SystemExit) as error:  # whatever the module of somebody else raises
        raise RunError(f"architecture {name}: {module} can't be imported: {type(error).__name__}: {error}") from None
    if not _may_give_networks(factory, module):
        raise RunError(f"architecture {name}: expected a function or class of {module} that makes torch modules")
    made = _made(name, factory)
    architecture = made if isinstance(made, Architecture) else Architecture(_builder(name, factory))
    _require_fit(name, architecture.build())
    return architecture, _version(module)


def _may_give_networks(factory: object, module: str) -> bool:
    """Whether it is a function or class of that package, whose own module has something of torch: not just anything."""
    if not (inspect.isfunction(factory) or inspect.isclass(factory)):
        return False
    if factory.__module__.partition(".")[0] != module.partition(".")[0]:
        return False
    at_hand = (
        value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
        for value in vars(sys.modules[factory.__module__]).values()
    )
    return any(str(place).partition(".")[0] in ("torch", "train") for place in at_hand)


def _made(name: str, factory: Callable[[], Any]) -> Any:
    """The result of a factory. Raises RunError, whatever it raises itself."""
    try:
        return factory()
    except (Exception, SystemExit) as error:
        raise RunError(f"architecture {name}: its factory failed: {type(error).__name__}: {error}") from error


def _builder(name: str, factory: Callable[[], Any]) -> Callable[[], Model]:
    def build() -> Model:
        made = _made(name, factory)
        if not (isinstance(made, tuple) and len(made) == 2 and all(isinstance(part, nn.Module) for part in made)):
            raise RunError(
                f"architecture {name} gives {type(made).__name__}, expected two torch modules: an encoder "
                "and a comparator, or an Architecture"
            )
        return Model(*made)

    return build


def _require_fit(name: str, model: Model) -> None:
    """Raises RunError unless both graphs take and give the shapes of the contract, in at most MOST_PARAMETERS."""
    if model.parameter_count >= MOST_PARAMETERS:
        raise RunError(
            f"architecture {name} has {model.parameter_count} parameters, expected fewer than {MOST_PARAMETERS}"
        )
    beats = torch.zeros(3, CONTRACT.beat_length)
    try:
        with torch.no_grad():
            model.eval()
            embeddings = model.encoder(beats)
            one, each = model.comparator(embeddings[:1], embeddings), model.comparator(embeddings, embeddings)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        reason = first_line(error)
        raise RunError(f"architecture {name} can't take {CONTRACT.beat_length} numbers a beat: {reason}") from None
    if embeddings.ndim != 2 or len(embeddings) != 3:
        raise RunError(
            f"architecture {name}: the encoder gives {list(embeddings.shape)} for three beats, expected [3, D]"
        )
    for logits, of in ((one, "one beat"), (each, "three beats")):
        if list(logits.shape) != [3]:
            raise RunError(
                f"architecture {name}: the comparator gives {list(logits.shape)} for {of} against three "
                "references, expected [3]"
            )


def _version(module: str) -> str:
    """Of the package that a module is from; of a file that is no package's, a hash of its text."""
    packages = packages_distributions().get(module.partition(".")[0])
    if packages:
        return f"{packages[0]} {version(packages[0])}"
    source = inspect.getsource(importlib.import_module(module))
    return f"sha256 {hashlib.sha256(source.encode()).hexdigest()[:16]}"


def _separable(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """A depthwise-separable convolution that halves the length."""
    return nn.Sequential(
        nn.Conv1d(inputs, inputs, kernel, stride=2, padding=kernel // 2, groups=inputs, bias=False),
        nn.BatchNorm1d(inputs),
        nn.Conv1d(inputs, outputs, 1, bias=False),
        nn.BatchNorm1d(outputs),
        nn.ReLU(),
    )


class PositionalEncoder(nn.Module):
    """An encoder that keeps positions: the feature map is flattened, never averaged over time.

    When things happen is the signal (the T wave comes earlier), and global pooling would throw that away. The gain is
    taken out of the beat as a whole.
    """

    def __init__(self, channels: tuple[int, int, int] = (12, 24, 32), kept: int = 4, embedding: int = 32):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, channels[0], 15, stride=4, padding=7, bias=False),  # 383 -> 96
            nn.BatchNorm1d(channels[0]),
            nn.ReLU(),
            _separable(channels[0], channels[1], 7),  # -> 48
            _separable(channels[1], channels[2], 5),  # -> 24
            nn.Conv1d(channels[2], kept, 1, bias=False),
            nn.BatchNorm1d(kept),
        )
        self.project = nn.Linear(kept * 24 + 1, embedding)

    def forward(self, beat: Tensor) -> Tensor:
        features = self.features(unit_scale(millivolts(beat)).unsqueeze(1))
        projected: Tensor = self.project(torch.cat([features.flatten(1), centred_rr(beat)], 1))
        return projected


def whiten(model: Model, beats: Tensor) -> None:
    """Fit the first layer of an aligned encoder."""
    assert isinstance(model.encoder, AlignedEncoder)
    model.encoder.whiten(beats)


ARCHITECTURES = {
    "aligned": Architecture(lambda: Model(AlignedEncoder(), DistanceComparator(8)), prepare=whiten),
    "linear": Architecture(
        lambda: Model(LinearEncoder(), ScoreComparator()),
        Recipe(epochs=1, decision_scale=0.5),
        fit=fit_linear,
        fewest_days=1,
    ),
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
