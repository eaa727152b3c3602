"""The default comparator with one thing taken away, for `train.ablations`; none of these is to be chosen."""

import torch
from torch import Tensor, nn

from train.model.aligned import AlignedEncoder, AlignTWave, means_of_four
from train.model.architecture import Architecture
from train.model.architectures import whiten
from train.model.model import SAMPLES, DistanceComparator, Model, centred_rr, millivolts


class Unaligned(AlignTWave):
    """The T wave stays where it is."""

    SHORTENING = 0.0


class UnalignedEncoder(AlignedEncoder):
    """Without alignment."""

    def __init__(self) -> None:
        super().__init__()
        self.align = Unaligned()


class WithoutRR(AlignedEncoder):
    """Without the RR interval beside the samples."""

    def features(self, beat: Tensor) -> Tensor:
        samples = super().features(beat)[:, :-1]
        return torch.cat([samples, torch.zeros_like(samples[:, :1])], 1)


class WithAmplitude(AlignedEncoder):
    """Without taking out the gain; the factor brings millivolts to the same order."""

    def features(self, beat: Tensor) -> Tensor:
        return torch.cat([5 * self.align(means_of_four(millivolts(beat)), beat[:, SAMPLES:]), centred_rr(beat)], 1)


class Unwhitened(AlignedEncoder):
    """One linear map alone."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(self.FEATURES, self.EMBEDDING))


ABLATED = {
    "T wave not aligned": Architecture(lambda: _model(UnalignedEncoder()), prepare=whiten),
    "no RR interval beside the samples": Architecture(lambda: _model(WithoutRR()), prepare=whiten),
    "not whitened": Architecture(lambda: _model(Unwhitened())),
    "amplitude kept": Architecture(lambda: _model(WithAmplitude()), prepare=whiten),
}


def _model(encoder: AlignedEncoder) -> Model:
    return Model(encoder, DistanceComparator(AlignedEncoder.EMBEDDING))
