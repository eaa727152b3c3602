"""A small convolutional encoder that keeps positions."""

import torch
from torch import Tensor, nn

from train.model.beat import centred_rr, millivolts, unit_scale


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
