"""The comparators: an encoder for one beat, and a head that says whether two beats differ in state.

Three architectures behind one shape, `Model`: the encoder takes raw microvolts, so that all preprocessing
is inside the exported graph, and the comparator takes two embeddings. Here are our encoders; their head is in
`train.model.head`, the public network in `train.model.public_network`.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d

from edge_ecg.contract import CONTRACT
from edge_ecg.errors import RunError
from train.model.head import DistanceComparator
from train.model.public_network import EffNetV2Comparator, EffNetV2Encoder

SAMPLES = CONTRACT.window_samples
MOST_PARAMETERS = 9_000


class Model(nn.Module):
    """An encoder and a comparator that are trained together and exported apart.

    encoder: beats (N, 384) in microvolts and seconds -> embeddings (N, D).
    comparator: embeddings (N, D) or (1, D), references (N, D) -> logits (N,) that the states differ.
    """

    def __init__(self, encoder: nn.Module, comparator: nn.Module, partners: int):
        super().__init__()
        self.encoder = encoder
        self.comparator = comparator
        self.partners = partners  # beats of a batch that each beat is compared with in training

    @property
    def parameter_count(self) -> int:
        """Numbers that its layers hold: trained, fitted or fixed."""
        return sum(p.numel() for p in self.parameters())

    def prepare(self, beats: Tensor) -> None:
        """Take from training beats (N, 384) what needs no label, before the first step."""
        if isinstance(self.encoder, AlignedEncoder):
            self.encoder.whiten(beats)


PR_SEGMENT = slice(66, 94)  # 121 to 66 ms before R


class NormaliseBeat(nn.Module):
    """A beat's PR segment to 0 and its root mean square to 1: gain and electrode offset carry no state.

    The PR segment is the electrocardiographer's baseline. The mean of the beat, which the prototype used, moves with
    the T wave and the S wave.

    Gives the samples as (N, 1, 383), and the RR interval as (N, 1), centred on 0.8 s in units of 0.1 s, so
    that both inputs are of order 1.
    """

    def forward(self, beat: Tensor) -> tuple[Tensor, Tensor]:
        return unit_scale(millivolts(beat)).unsqueeze(1), centred_rr(beat)


def millivolts(beat: Tensor) -> Tensor:
    """Beats (N, 384) -> samples (N, 383) from the PR segment's level on; a square of microvolts overflows float16."""
    samples = beat[:, :SAMPLES] * 1e-3
    return samples - samples[:, PR_SEGMENT].mean(1, keepdim=True)


def unit_scale(samples: Tensor) -> Tensor:
    """Samples (N, L) in millivolts with a root mean square of 1."""
    return samples / ((samples * samples).mean(1, keepdim=True).sqrt() + 1e-3)  # 1 uV: a flat beat stays flat


def centred_rr(beat: Tensor) -> Tensor:
    """The RR interval (N, 1) from 0.8 s on, in units of 0.1 s."""
    return (beat[:, SAMPLES:] - 0.8) * 10.0


class AlignTWave(nn.Module):
    """Put the T wave where it would be at an RR interval of 0.75 s: millivolts (N, 383), RR (N, 1) -> (N, 95).

    The T wave follows the heart rate, and a fast heart would pass for the state that brings an early T wave. The QT
    interval shortens by 0.154 s for each second of RR (A. Sagie et al., Am. J. Cardiol. 70, 1992: the Framingham
    study's linear correction); so do we shift what lies after the QRS. Departures: the shift of single samples is a
    sum over all whole shifts, weighted by nearness (linear interpolation), since no export format here can take samples
    at computed places; it works on means of four samples; beyond the beat its last value goes on.
    """

    SHORTENING = 0.154
    USUAL_RR_S = 0.75
    POOLED = 4  # samples
    FARTHEST = 12  # pooled samples either way: 94 ms, for RR intervals of 0.14 to 1.36 s
    AFTER_QRS = CONTRACT.before_r_samples + 56  # 110 ms after R half of the shift is reached, ...
    FADE = 6.0  # ... over some 50 ms, on the ST segment
    shifts: Tensor
    ramp: Tensor

    def __init__(self, shortening: float = SHORTENING) -> None:
        super().__init__()
        self.shortening = shortening
        shifts = torch.arange(-self.FARTHEST, self.FARTHEST + 1.0)
        middle = torch.arange(SAMPLES // self.POOLED) * self.POOLED + (self.POOLED - 1) / 2
        self.shifted = nn.Conv1d(1, len(shifts), len(shifts), padding=self.FARTHEST, bias=False)  # one channel a shift
        self.shifted.weight = nn.Parameter(torch.eye(len(shifts)).unsqueeze(1), requires_grad=False)
        self.register_buffer("shifts", shifts.view(1, -1, 1), persistent=False)
        self.register_buffer("ramp", torch.sigmoid((middle - self.AFTER_QRS) / self.FADE).view(1, 1, -1), False)

    def forward(self, samples: Tensor, rr_s: Tensor) -> Tensor:
        pooled = avg_pool1d(samples.unsqueeze(1), self.POOLED)
        last = pooled[:, :, -1:]
        late = (rr_s - self.USUAL_RR_S) * (self.shortening * CONTRACT.sample_rate_hz / self.POOLED)
        late = late.clamp(-self.FARTHEST, self.FARTHEST).unsqueeze(2) * self.ramp
        nearness = torch.relu(1 - (late - self.shifts).abs())  # of each whole shift to the one that is wanted
        aligned = (self.shifted(pooled - last) * nearness).mean(1) * len(self.shifts[0])
        return aligned + last.squeeze(1)


class AlignedEncoder(nn.Module):
    """The default: T wave aligned, gain taken out, and one linear map to a few numbers.

    Its first layer is a whitening that needs no labels. Trained without it, the map would learn from what varies most,
    which is the day; what differs between the states varies little. Exported, both layers are one.
    """

    NOISE = 1e-2  # variance of a component, where a beat's power is 1, below which it is not brought up to 1

    def __init__(
        self,
        whitened: int = 32,
        embedding: int = 8,
        shortening: float = AlignTWave.SHORTENING,
        scale: Callable[[Tensor], Tensor] = unit_scale,
        sees_rr: bool = True,
    ):
        """The last three, and `whitened` 0 for none, are there to be taken away (`train.ablations`)."""
        super().__init__()
        self.align = AlignTWave(shortening)
        self.scale, self.sees_rr = scale, sees_rr
        features = SAMPLES // AlignTWave.POOLED + 1
        whitening = [nn.Linear(features, whitened).requires_grad_(False)] if whitened else []
        self.project = nn.Sequential(*whitening, nn.Linear(whitened or features, embedding))

    def features(self, beat: Tensor) -> Tensor:
        """Aligned samples and the RR interval, (N, 96)."""
        aligned, rr = self.align(millivolts(beat), beat[:, SAMPLES:]), centred_rr(beat)
        return torch.cat([self.scale(aligned), rr if self.sees_rr else torch.zeros_like(rr)], 1)

    def forward(self, beat: Tensor) -> Tensor:
        embedding: Tensor = self.project(self.features(beat))
        return embedding

    @torch.no_grad()
    def whiten(self, beats: Tensor) -> None:
        """Fit the first layer: principal components of training beats, brought to variance 1 where above noise."""
        features = self.features(beats).double()
        mean = features.mean(0)
        variances, directions = torch.linalg.eigh(torch.cov(features.T))  # ascending
        whitening, *rest = self.project
        if not rest or not isinstance(whitening, nn.Linear):
            return
        kept = whitening.out_features
        components = directions[:, -kept:] / (variances[-kept:] + self.NOISE).sqrt()
        whitening.weight.copy_(components.T)
        whitening.bias.copy_(-mean @ components)


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


ARCHITECTURES: dict[str, Callable[[], Model]] = {
    "aligned": lambda: Model(AlignedEncoder(), DistanceComparator(8), partners=64),
    "positional": lambda: Model(PositionalEncoder(), DistanceComparator(), partners=64),
    "effnetv2": lambda: Model(EffNetV2Encoder(), EffNetV2Comparator(), partners=2),
}
# What the default is made of, each without one thing: for `train.ablations`, and not to be chosen.
ABLATED: dict[str, Callable[[], Model]] = {
    "aligned, without alignment": lambda: Model(AlignedEncoder(shortening=0.0), DistanceComparator(8), 64),
    "aligned, without RR": lambda: Model(AlignedEncoder(sees_rr=False), DistanceComparator(8), 64),
    "aligned, without whitening": lambda: Model(AlignedEncoder(whitened=0), DistanceComparator(8), 64),
    "aligned, with amplitude": lambda: Model(AlignedEncoder(scale=lambda mv: 5 * mv), DistanceComparator(8), 64),
}
DEFAULT_ARCHITECTURE = "aligned"


def build_model(architecture: str) -> Model:
    """A fresh model. Raises RunError for a name that is not in ARCHITECTURES."""
    if architecture not in {**ARCHITECTURES, **ABLATED}:
        raise RunError(f"architecture is {architecture!r}, expected one of {', '.join(ARCHITECTURES)}")
    return {**ARCHITECTURES, **ABLATED}[architecture]()
