"""What the network sees: balanced batches of beats, slightly varied, and the pairs inside each batch.

Three things go with the state in one person's recordings that are not the state, and each is taken out here: the date
(every date of a state equally often), the heart rate (equally fast in both states), the P wave (of another beat).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from edge_ecg.contract import CONTRACT
from train.data import BeatSet

SAMPLES = CONTRACT.window_samples
P_WAVE_END = 94  # the PR segment begins: what is before belongs to the P wave
P_WAVE_FADE = 10  # samples over which one P wave goes over into the other
RR_KERNEL_S = 0.025  # how near two heart rates are to count as the same
RR_LEAST_DENSITY = 1e-3  # where a state has no recording at all
RR_WEIGHTS = 0.2, 20.0  # least and most


@dataclass(frozen=True)
class Variation:
    """How far a beat is varied in training, in units of a real recording; 0 turns a variation off."""

    shift_samples: int = 2  # the R peak is found a little early or late
    noise_uv: float = 10.0
    wander_uv: float = 5.0  # a slope and a bend of the baseline; 30 uV would drown the ST level
    rr_s: float = 0.01


def batches(
    beats: BeatSet, size: int, generator: torch.Generator, weights: np.ndarray | None = None
) -> Iterator[Tensor]:
    """One epoch of index batches: half of each state, every date of a state equally often.

    Some dates have three times the beats of others; without the balance, the longest day would be the state.
    weights: (N,) how often a beat is drawn beside the others of its date and state, as `rr_weights` gives it.
    """
    halves = []
    own = np.ones(len(beats.values)) if weights is None else weights
    for target in (False, True):
        indices = (beats.is_target == target).nonzero()[0]
        _, date = np.unique(beats.date[indices], return_inverse=True)
        of_date = np.bincount(date, own[indices])[date]  # every date of a state weighs the same
        halves.append((torch.from_numpy(indices), torch.from_numpy(own[indices] / of_date)))
    for _ in range(len(beats.values) // size):
        yield torch.cat(
            [
                indices[torch.multinomial(weight, size // 2, replacement=True, generator=generator)]
                for indices, weight in halves
            ]
        )


def with_steady_rr(beats: BeatSet) -> BeatSet:
    """The beats with the mean RR interval of their recording.

    The T wave follows the heart rate over minutes, not the last interval: with the single interval, which varies
    with each breath, a network would learn too little of the correction that a fast recording needs.
    """
    values = beats.values.copy()
    values[:, SAMPLES] = recording_rr(beats)[beats.recording]
    return replace(beats, values=values)


def recording_rr(beats: BeatSet) -> np.ndarray:
    """(M,) mean RR interval of each recording, in seconds."""
    counts = np.bincount(beats.recording, minlength=len(beats.sources))
    totals = np.bincount(beats.recording, beats.values[:, SAMPLES], len(beats.sources))
    return np.asarray(totals / np.maximum(counts, 1))


def rr_weights(beats: BeatSet, strength: float = 1.0) -> np.ndarray:
    """(N,) weights of beats, within a date and state, that bring the heart rates of both states together.

    The heart is faster after a meal, and a fast heart makes the T wave early whatever the state: unbalanced, "fast"
    would be learned as the state. A beat weighs (density of its recording's RR interval in the other state / in its
    own) ^ strength, within RR_WEIGHTS. Densities are Gaussian kernels over recordings, dates of equal weight.
    """
    rr = recording_rr(beats)
    kernel = np.exp(-0.5 * ((rr[:, None] - rr[None]) / RR_KERNEL_S) ** 2)
    density = []
    for target in (False, True):
        of_state = beats.recording_is_target == target
        by_date = [kernel[:, of_state & (beats.dates == d)].mean(1) for d in np.unique(beats.dates[of_state])]
        density.append(np.mean(by_date, axis=0) + RR_LEAST_DENSITY)
    odds = np.where(beats.recording_is_target, density[0] / density[1], density[1] / density[0])
    return np.asarray(np.clip(odds**strength, *RR_WEIGHTS)[beats.recording])


def swap_p_waves(beats: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Beats (N, 384) of which a share has the P wave of another one, level with its own PR segment.

    The P wave changes with the day (atrial pacemaker, electrode) and would serve as the date's name.
    """
    other = beats[torch.randperm(len(beats), generator=generator)]
    chosen = torch.rand(len(beats), 1, generator=generator) < share
    fade = ((P_WAVE_END - torch.arange(beats.shape[1])) / P_WAVE_FADE).clamp(0, 1) * chosen
    segment = slice(P_WAVE_END - P_WAVE_FADE, P_WAVE_END)
    level = beats[:, segment].mean(1, keepdim=True) - other[:, segment].mean(1, keepdim=True)
    return beats + fade * (other + level - beats)


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
