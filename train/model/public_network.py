"""The public comparator that this project follows, rebuilt to be measured beside ours (EfficientNetV2-style)."""

import torch
from torch import Tensor, nn

from train.model.model import bounded


class SqueezeExcite(nn.Module):
    """Weigh channels by a gate that sees their means (Hu et al. 2018)."""

    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.gate = nn.Sequential(nn.Linear(channels, squeezed), nn.SiLU(), nn.Linear(squeezed, channels), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        gated: Tensor = features * self.gate(features.mean(2)).unsqueeze(2)
        return gated


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = nn.Conv1d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm1d(outputs)]


class MBConv(nn.Module):
    """The inverted residual block of EfficientNetV2 (Tan & Le 2021): fused at first, depthwise with a gate later."""

    def __init__(self, channels: int, expansion: int, stride: int, gated: bool):
        super().__init__()
        inner = channels * expansion
        if gated:
            widen = [*_conv(channels, inner, 1), nn.SiLU(), *_conv(inner, inner, 3, stride, inner), nn.SiLU()]
            layers = [*widen, SqueezeExcite(inner, 8)]
        else:
            layers = [*_conv(channels, inner, 3, stride), nn.SiLU()]
        self.layers = nn.Sequential(*layers, *_conv(inner, channels, 1))
        self.residual = stride == 1

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = self.layers(features)
        return features + changed if self.residual else changed


class EffNetV2Encoder(nn.Module):
    """The public comparator's encoder: stem 3x1, four MBConv blocks, a feature map of 8 x 96 (768 numbers)."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm1d(1)  # over the whole beat, the RR interval included, as the original has it
        self.features = nn.Sequential(
            *_conv(1, 8, 3),
            nn.SiLU(),
            MBConv(8, 1, 1, gated=False),
            MBConv(8, 4, 1, gated=False),
            MBConv(8, 4, 2, gated=True),
            MBConv(8, 4, 2, gated=True),
        )

    def forward(self, beat: Tensor) -> Tensor:
        embedding: Tensor = self.features(self.normalise(beat.unsqueeze(1))).flatten(1)
        return embedding


class EffNetV2Comparator(nn.Module):
    """The public comparator's head: both feature maps side by side, then four MBConv blocks and a mean over time."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_conv(16, 8, 1),
            nn.SiLU(),
            *_conv(8, 8, 3),
            nn.SiLU(),
            MBConv(8, 1, 1, gated=False),
            MBConv(8, 4, 2, gated=True),
            MBConv(8, 4, 2, gated=True),
            MBConv(8, 4, 2, gated=True),
            *_conv(8, 16, 1),
            nn.SiLU(),
        )
        self.output = nn.Linear(16, 1)

    def forward(self, embedding: Tensor, references: Tensor) -> Tensor:
        pair = torch.cat([embedding.expand_as(references), references], 1).unflatten(1, (16, 96))
        return bounded(self.output(self.features(pair).mean(2)).squeeze(1))
