"""Logistic regression as a comparator: one linear score of a beat, bounded, and how far two scores lie apart."""

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from train.model.aligned import AlignedEncoder, AlignTWave, FusedEncoder, aligned_features, whitening
from train.model.model import MOST_LOGIT, Model, bounded


class Bounded(nn.Module):
    """`bounded` as a layer."""

    def forward(self, numbers: Tensor) -> Tensor:
        return bounded(numbers)


class LinearEncoder(nn.Module):
    """Beats (N, 384) -> the score and the seven strongest components of each, bounded to 6 either way (N, 8).

    The score is the log odds of the target by logistic regression on whitened aligned features: 97 numbers. A bounded
    score keeps a few extreme beats from deciding for a recording, and a few extreme recordings from widening the
    variance of a state. Comparisons use the score alone; the components, in which any beat has a place, are for the
    check that a beat is like those of training (`train.decision.novelty`), which one number can't make.
    """

    WHITENED = AlignedEncoder.WHITENED
    EMBEDDING = AlignedEncoder.EMBEDDING

    def __init__(self) -> None:
        super().__init__()
        self.align = AlignTWave()
        self.project = nn.Linear(AlignedEncoder.FEATURES, self.EMBEDDING)

    def forward(self, beat: Tensor) -> Tensor:
        return bounded(self.project(aligned_features(self.align, beat)))

    def fused(self) -> nn.Module:
        """The same function in fewer operations, to be exported."""
        return nn.Sequential(FusedEncoder(self.align, nn.Sequential(self.project)), Bounded())

    @torch.no_grad()
    def fit(self, beats: Tensor, is_target: Tensor) -> None:
        """Fit both maps to training beats (N, 384) and their states (N,): a convex problem, so without a seed."""
        features = aligned_features(self.align, beats).double()
        weight, bias = whitening(features, self.WHITENED)
        components = features @ weight.T + bias
        regression = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-8).fit(
            components.numpy(), is_target.numpy()
        )
        score = torch.from_numpy(regression.coef_)
        strongest = slice(self.WHITENED + 1 - self.EMBEDDING, self.WHITENED)  # whitening has them in ascending order
        self.project.weight.copy_(torch.cat([score @ weight, weight[strongest]]))
        self.project.bias.copy_(torch.cat([score @ bias + torch.from_numpy(regression.intercept_), bias[strongest]]))


class ScoreComparator(nn.Module):
    """Log odds that two beats differ in state, from the square of the distance between their scores.

    Beats whose scores lie less than 6 apart are the same. Averaged over references of either state, the square of a
    beat's own score cancels: its evidence is linear in its bounded score, and equal to it where all references lie at
    the bound. A distance, rather than the score itself, lets enrollment move the references.
    """

    def forward(self, embedding: Tensor, references: Tensor) -> Tensor:
        apart = (references - embedding)[:, :1].squeeze(1)
        return (apart * apart - MOST_LOGIT**2) / (4 * MOST_LOGIT)


def fit_linear(model: Model, beats: Tensor, is_target: Tensor) -> None:
    """Fit a linear encoder to training beats and their states."""
    assert isinstance(model.encoder, LinearEncoder)
    model.encoder.fit(beats, is_target)
