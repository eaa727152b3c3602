"""What the network sees: batches of as many beats of either state, the pairs inside each, and what they decide."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from train.data import BeatSet

FEWEST_STEPS = 50  # of an epoch


def steps_of_epoch(beats: BeatSet, size: int) -> int:
    """How many batches make an epoch: as many as the beats fill, but a small set needs steps as well."""
    return max(FEWEST_STEPS, len(beats.values) // size)


def batches(beats: BeatSet, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """One epoch of index batches: half of each state, its beats equally often."""
    halves = [torch.from_numpy(np.flatnonzero(beats.is_target == target)) for target in (False, True)]
    for _ in range(steps_of_epoch(beats, size)):
        yield torch.cat([half[torch.randint(len(half), (size // 2,), generator=generator)] for half in halves])


def pairs(count: int, partners: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each of `count` beats with `partners` others of its batch, no pair twice: indices (P,), (P,).

    With `partners` of half the batch these are all pairs.
    """
    offsets = 1 + torch.randperm(count // 2, generator=generator)[:partners]
    left = torch.arange(count).repeat(len(offsets))
    right = (left + offsets.repeat_interleave(count)) % count
    keep = (2 * offsets.repeat_interleave(count) != count) | (left < right)  # half way round meets itself
    return left[keep], right[keep]


def evidence_of_other_dates(
    logits: Tensor, left: Tensor, right: Tensor, is_target: Tensor, date: Tensor
) -> tuple[Tensor, Tensor]:
    """(N,) evidence of each beat of a batch with the batch as references, and (N,) whether it has any.

    As the watch decides: mean logit of "different" against the baseline minus that against the target. Only beats of
    other dates are references, as on the watch, where every recording is of a new date: a network that knows the
    date by its electrode finds no help there.
    """
    beat, reference = torch.cat([left, right]), torch.cat([right, left])
    foreign = (date[beat] != date[reference]).to(logits.dtype)
    place = 2 * beat + is_target[reference].long()
    totals = torch.zeros(2 * len(date)).index_add(0, place, foreign * torch.cat([logits, logits]))
    counts = torch.zeros(2 * len(date)).index_add(0, place, foreign)
    mean = (totals / counts.clamp(min=1)).view(-1, 2)
    return mean[:, 0] - mean[:, 1], (counts.view(-1, 2) > 0).all(1)
