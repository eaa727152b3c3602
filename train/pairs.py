"""What the network sees: balanced batches of beats, slightly varied, and the pairs inside each batch."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from edge_ecg.contract import CONTRACT
from train.data import BeatSet

SAMPLES = CONTRACT.window_samples


@dataclass(frozen=True)
class Variation:
    """How far a beat is varied in training, in units of a real recording; 0 turns a variation off."""

    shift_samples: int = 2  # the R peak is found a little early or late
    noise_uv: float = 10.0
    wander_uv: float = 30.0  # a slope and a bend of the baseline across the beat
    rr_s: float = 0.03


def batches(beats: BeatSet, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """One epoch of index batches: half of each state, every date of a state equally often.

    Some dates have three times the beats of others; without the balance, the longest day would be the state.
    """
    halves = []
    for target in (False, True):
        indices = torch.from_numpy((beats.is_target == target).nonzero()[0])
        dates = beats.date[indices.numpy()]
        weight = torch.tensor([1.0 / (dates == date).sum() for date in dates])
        halves.append((indices, weight))
    for _ in range(len(beats.values) // size):
        yield torch.cat(
            [
                indices[torch.multinomial(weight, size // 2, replacement=True, generator=generator)]
                for indices, weight in halves
            ]
        )


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
