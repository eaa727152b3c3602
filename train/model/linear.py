"""Logistic regression as a comparator: one linear score of a beat, and how far two scores lie apart."""

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from train.model.aligned import AlignedEncoder, AlignTWave, FusedEncoder, aligned_features, whitening
from train.model.model import MOST_LOGIT, Model


class LinearEncoder(nn.Module):
    """Beats (N, 384) -> the score and the seven strongest components of each (N, 8).

    The score is the log odds of the target by logistic regression on whitened aligned features: 97 numbers. Comparisons
    use the score alone. The components, in which any beat has a place, are for the check that a beat is like those of
    training (`train.decision.fitted`), which one number can't make.
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
