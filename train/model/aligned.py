"""The default encoder: the T wave put where it would be at one heart rate, the gain taken out, one linear map."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d

from edge_ecg.contract import CONTRACT
from train.model.beat import SAMPLES, ST_ENDS, centred_rr, millivolts, unit_scale


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
    FADE = 6.0  # half of the shift is reached where the ST segment ends, all of it over some 50 ms
    shifts: Tensor
    ramp: Tensor

    def __init__(self) -> None:
        super().__init__()
        shifts = torch.arange(-self.FARTHEST, self.FARTHEST + 1.0)
        middle = torch.arange(SAMPLES // self.POOLED) * self.POOLED + (self.POOLED - 1) / 2
        self.shifted = nn.Conv1d(1, len(shifts), len(shifts), padding=self.FARTHEST, bias=False)  # one channel a shift
        self.shifted.weight = nn.Parameter(torch.eye(len(shifts)).unsqueeze(1), requires_grad=False)
        self.register_buffer("shifts", shifts.view(1, -1, 1), persistent=False)
        self.register_buffer("ramp", torch.sigmoid((middle - ST_ENDS) / self.FADE).view(1, 1, -1), False)

    def forward(self, samples: Tensor, rr_s: Tensor) -> Tensor:
        pooled = avg_pool1d(samples.unsqueeze(1), self.POOLED)
        last = pooled[:, :, -1:]
        late = (rr_s - self.USUAL_RR_S) * (self.SHORTENING * CONTRACT.sample_rate_hz / self.POOLED)
        late = late.clamp(-self.FARTHEST, self.FARTHEST).unsqueeze(2) * self.ramp
        nearness = torch.relu(1 - (late - self.shifts).abs())  # of each whole shift to the one that is wanted
        aligned = (self.shifted(pooled - last) * nearness).mean(1) * len(self.shifts[0])
        return aligned + last.squeeze(1)


class AlignedEncoder(nn.Module):
    """The default: T wave aligned, gain taken out, and one linear map to a few numbers.

    Its first layer is a whitening that needs no labels. Trained without it, the map would learn from what varies most,
    which is the day; what differs between the states varies little. Exported, both layers are one.
    """

    FEATURES = SAMPLES // AlignTWave.POOLED + 1
    WHITENED = 32
    EMBEDDING = 8
    NOISE = 1e-2  # variance of a component, where a beat's power is 1, below which it is not brought up to 1

    def __init__(self) -> None:
        super().__init__()
        self.align = AlignTWave()
        self.project = nn.Sequential(
            nn.Linear(self.FEATURES, self.WHITENED).requires_grad_(False), nn.Linear(self.WHITENED, self.EMBEDDING)
        )

    def features(self, beat: Tensor) -> Tensor:
        """Aligned samples and the RR interval, (N, 96)."""
        aligned = self.align(millivolts(beat), beat[:, SAMPLES:])
        return torch.cat([unit_scale(aligned), centred_rr(beat)], 1)

    def forward(self, beat: Tensor) -> Tensor:
        embedding: Tensor = self.project(self.features(beat))
        return embedding

    @torch.no_grad()
    def whiten(self, beats: Tensor) -> None:
        """Fit the first layer: principal components of training beats, brought to variance 1 where above noise."""
        features = self.features(beats).double()
        mean = features.mean(0)
        variances, directions = torch.linalg.eigh(torch.cov(features.T))  # ascending
        components = directions[:, -self.WHITENED :] / (variances[-self.WHITENED :] + self.NOISE).sqrt()
        whitening = self.project[0]
        assert isinstance(whitening, nn.Linear)
        whitening.weight.copy_(components.T)
        whitening.bias.copy_(-mean @ components)
