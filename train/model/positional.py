"""A small convolutional encoder that keeps positions."""

import torch
from torch import Tensor, nn

from train.model.beat import centred_rr, millivolts, unit_scale


class NormaliseBeat(nn.Module):
    """A beat's PR segment to 0 and its root mean square to 1: gain and electrode offset carry no state.

    The PR segment is the electrocardiographer's baseline. The mean of the beat, which the prototype used, moves with
    the T wave and the S wave.

    Gives the samples as (N, 1, 383), and the RR interval as (N, 1), centred on 0.8 s in units of 0.1 s, so
    that both inputs are of order 1.
    """

    def forward(self, beat: Tensor) -> tuple[Tensor, Tensor]:
        return unit_scale(millivolts(beat)).unsqueeze(1), centred_rr(beat)


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

    When things happen is the signal (the T wave comes earlier), and global pooling would throw that away.
    """

    def __init__(self, channels: tuple[int, int, int] = (12, 24, 32), kept: int = 4, embedding: int = 32):
        super().__init__()
        self.normalise = NormaliseBeat()
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
        samples, rr = self.normalise(beat)
        projected: Tensor = self.project(torch.cat([self.features(samples).flatten(1), rr], 1))
        return projected
