"""What the network sees: batches of as many beats of either state, slightly varied, and the pairs inside each."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edge_ecg.contract import CONTRACT
from train.data import BeatSet

SAMPLES = CONTRACT.window_samples
FEWEST_STEPS = 50  # of an epoch


@dataclass(frozen=True)
class Variation:
    """How far a beat is varied in training, in units of a real recording; 0 turns a variation off."""

    shift_samples: int = 2  # the R peak is found a little early or late
    noise_uv: float = 10.0
    wander_uv: float = 5.0  # a slope and a bend of the baseline; 30 uV would drown the ST level
    rr_s: float = 0.01


def steps_of_epoch(beats: BeatSet, size: int) -> int:
    """How many batches make an epoch: as many as the beats fill, but a small set needs steps as well."""
    return max(FEWEST_STEPS, len(beats.values) // size)


def batches(beats: BeatSet, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """One epoch of index batches: half of each state, its beats equally often."""
    halves = [torch.from_numpy(np.flatnonzero(beats.is_target == target)) for target in (False, True)]
    for _ in range(steps_of_epoch(beats, size)):
        yield torch.cat([half[torch.randint(len(half), (size // 2,), generator=generator)] for half in halves])


def vary(beats: Tensor, by: Variation, generator: torch.Generator) -> Tensor:
    """Beats (N, 384) with small random shifts, noise, wander and RR changes."""
    count = len(beats)
    shift = torch.randint(-by.shift_samples, by.shift_samples + 1, (count, 1), generator=generator)
    positions = (torch.arange(SAMPLES) + shift).clamp(0, SAMPLES - 1)
    samples = beats[:, :SAMPLES].gather(1, positions)
    samples = samples + by.noise_uv * torch.randn(count, SAMPLES, generator=generator)
    time = torch.linspace(-1, 1, SAMPLES)
    slope, bend = by.wander_uv * torch.randn(2, count, 1, generator=generator)
    samples = samples + slope * time + bend * time**2
    rr = beats[:, SAMPLES:] + by.rr_s * torch.randn(count, 1, generator=generator)
    return torch.cat([samples, rr], 1)


def pairs(count: int, partners: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each of `count` beats with `partners` others of its batch, no pair twice: indices (P,), (P,).

    With `partners` of half the batch these are all pairs.
    """
    offsets = 1 + torch.randperm(count // 2, generator=generator)[:partners]
    left = torch.arange(count).repeat(len(offsets))
    right = (left + offsets.repeat_interleave(count)) % count
    keep = (2 * offsets.repeat_interleave(count) != count) | (left < right)  # half way round meets itself
    return left[keep], right[keep]
