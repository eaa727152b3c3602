"""The default encoder: the T wave put where it would be at one heart rate, the gain taken out, one linear map."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d

from edge_ecg.contract import CONTRACT
from train.model.model import (
    PR_SEGMENT,
    RR_PER_S,
    SAMPLES,
    ST_ENDS,
    USUAL_RR_S,
    centred_rr,
    millivolts,
    unit_scale,
)


def means_of_four(samples: Tensor) -> Tensor:
    """Samples (N, 383) -> (N, 95)."""
    return avg_pool1d(samples.unsqueeze(1), AlignTWave.POOLED).squeeze(1)


class AlignTWave(nn.Module):
    """Put the T wave where it would be at an RR interval of 0.75 s: pooled samples (N, 95), RR (N, 1) -> (N, 95).

    The T wave follows the heart rate, and a fast heart would pass for the state that brings an early T wave. The QT
    interval shortens by 0.154 s for each second of RR (A. Sagie et al., Am. J. Cardiol. 70, 1992: the Framingham
    study's linear correction); so do we shift what lies after the QRS, by linear interpolation. Departures: it works on
    means of four samples, each taken from its place between two of them; beyond the beat its last value goes on.
    """

    SHORTENING = 0.154
    USUAL_RR_S = 0.75
    POOLED = 4  # samples
    PLACES = SAMPLES // POOLED
    FADE = 6.0  # half of the shift is reached where the ST segment ends, all of it over some 50 ms
    MAX_PLACE = PLACES - 1 - 1e-5  # where the last value is all but reached, and there still is one after it
    by_rr: Tensor
    at_no_rr: Tensor

    def __init__(self) -> None:
        super().__init__()
        middle = torch.arange(self.PLACES) * self.POOLED + (self.POOLED - 1) / 2
        ramp = torch.sigmoid((middle - ST_ENDS) / self.FADE).unsqueeze(0)
        by_rr = ramp * (self.SHORTENING * CONTRACT.sample_rate_hz / self.POOLED)
        self.register_buffer(
            "by_rr", by_rr, persistent=False
        )  # pooled samples that a place is later for a second of RR
        self.register_buffer("at_no_rr", torch.arange(self.PLACES) - self.USUAL_RR_S * by_rr, persistent=False)

    def forward(self, pooled: Tensor, rr_s: Tensor) -> Tensor:
        place = torch.addmm(self.at_no_rr, rr_s, self.by_rr).clamp(0.0, self.MAX_PLACE)
        before = place.floor()
        # Of an RR interval that is no number the place is none either, and an index must be one: the embedding is NaN.
        index = before.to(torch.int64).clamp(0, self.PLACES - 2)
        here, next_ = pooled.gather(1, index), pooled.gather(1, index + 1)
        return here + (place - before) * (next_ - here)


NOISE = 1e-2  # variance of a component, where a beat's power is 1, below which it is not brought up to 1


def aligned_features(align: AlignTWave, beat: Tensor) -> Tensor:
    """Beats (N, 384) -> aligned samples without gain, and the RR interval, (N, 96)."""
    aligned = align(means_of_four(millivolts(beat)), beat[:, SAMPLES:])
    return torch.cat([unit_scale(aligned), centred_rr(beat)], 1)


def whitening(features: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Weight (count, F) and bias (count,) that map features (N, F) to their strongest principal components, ascending.

    Each has variance 1 where it is above noise. No labels are needed.
    """
    variances, directions = torch.linalg.eigh(torch.cov(features.T))  # ascending
    components = directions[:, -count:] / (variances[-count:] + NOISE).sqrt()
    return components.T, -features.mean(0) @ components


class AlignedEncoder(nn.Module):
    """The default: T wave aligned, gain taken out, and one linear map to a few numbers.

    Its first layer is a whitening that needs no labels. Trained without it, the map would learn from what varies most,
    which is the day; what differs between the states varies little. Exported, both layers are one.
    """

    FEATURES = SAMPLES // AlignTWave.POOLED + 1
    WHITENED = 32  # components kept; chosen, as the number below
    EMBEDDING = 8

    def __init__(self) -> None:
        super().__init__()
        self.align = AlignTWave()
        self.project = nn.Sequential(
            nn.Linear(self.FEATURES, self.WHITENED).requires_grad_(False), nn.Linear(self.WHITENED, self.EMBEDDING)
        )

    def features(self, beat: Tensor) -> Tensor:
        """Aligned samples and the RR interval, (N, 96)."""
        return aligned_features(self.align, beat)

    def forward(self, beat: Tensor) -> Tensor:
        embedding: Tensor = self.project(self.features(beat))
        return embedding

    def fused(self) -> "FusedEncoder":
        """The same function in fewer operations, to be exported."""
        return FusedEncoder(self.align, self.project)

    @torch.no_grad()
    def whiten(self, beats: Tensor) -> None:
        """Fit the first layer to training beats."""
        weight, bias = whitening(self.features(beats).double(), self.WHITENED)
        first = self.project[0]
        assert isinstance(first, nn.Linear)
        first.weight.copy_(weight)
        first.bias.copy_(bias)


class FusedEncoder(nn.Module):
    """An `AlignedEncoder` in the fewest operations: its constants are fused into the linear map.

    Of a beat in fours the last holds no more than three samples and the RR interval: no place reaches it.
    """

    def __init__(self, align: AlignTWave, project: nn.Sequential):
        super().__init__()
        self.align = align
        self.flat = AlignTWave.PLACES**0.5  # the length of a beat of 1 uV
        (linear,) = project
        assert isinstance(linear, nn.Linear)
        self.project = nn.Linear(linear.in_features, linear.out_features)
        with torch.no_grad():
            of_samples, of_rr = linear.weight.double().split([AlignTWave.PLACES, 1], 1)
            self.project.weight.copy_(torch.cat([of_samples * AlignTWave.PLACES**0.5, of_rr * RR_PER_S], 1))
            self.project.bias.copy_(linear.bias.double() - of_rr.squeeze(1) * RR_PER_S * USUAL_RR_S)

    def forward(self, beat: Tensor) -> Tensor:
        rr_s = beat[:, SAMPLES:]
        from_level = beat - beat[:, PR_SEGMENT].mean(1, keepdim=True)
        pooled = from_level.view(len(beat), -1, AlignTWave.POOLED).mean(2)
        aligned = self.align(pooled, rr_s)
        scaled = aligned / (torch.linalg.vector_norm(aligned, dim=1, keepdim=True) + self.flat)
        embedding: Tensor = self.project(torch.cat([scaled, rr_s], 1))
        return embedding
