"""A comparator: an encoder for one beat, and a head that says whether two beats differ in state."""

import numpy as np
import torch
from torch import nn

COMPARED_AT_ONCE = 512  # pairs in one call of the comparator: what they compute fits the cache


class Model(nn.Module):
    """An encoder and a comparator that are trained together and exported apart.

    encoder: beats (N, 384) in microvolts and seconds -> embeddings (N, D).
    comparator: embeddings (N, D) or (1, D), references (N, D) -> logits (N,) that the states differ.
    """

    def __init__(self, encoder: nn.Module, comparator: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.comparator = comparator

    @property
    def parameter_count(self) -> int:
        """Numbers that its layers hold: trained, fitted or fixed."""
        return sum(p.numel() for p in self.parameters())


def embed(model: Model, values: np.ndarray) -> np.ndarray:
    """Embeddings (N, D) float32 of beats (N, 384)."""
    model.eval()
    with torch.no_grad():
        parts = [model.encoder(part) for part in torch.from_numpy(values).split(1024)]
    return torch.cat(parts).numpy()


def compare(model: Model, embeddings: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Logits (N, R) of "different" for embeddings (N, D) against references (R, D)."""
    model.eval()
    count = len(references)
    rows = []
    with torch.no_grad():
        bank = torch.from_numpy(references)
        for part in torch.from_numpy(embeddings).split(max(1, COMPARED_AT_ONCE // count)):
            logits = model.comparator(part.repeat_interleave(count, 0), bank.repeat(len(part), 1))
            rows.append(logits.view(len(part), count))
    return torch.cat(rows).numpy()
