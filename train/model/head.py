"""The head of our comparators: from two embeddings to the log odds that their beats differ in state."""

import torch
from torch import Tensor, nn

MOST_LOGIT = 6.0


def bounded(logit: Tensor) -> Tensor:
    """At most 6 either way: one comparison of two beats never claims odds above 400 to 1."""
    return MOST_LOGIT * torch.tanh(logit / MOST_LOGIT)


class DistanceComparator(nn.Module):
    """A two-layer head on |a - b| and (a - b)^2: the order of the two beats can't matter."""

    def __init__(self, embedding: int = 32, hidden: int = 16):
        super().__init__()
        self.hidden = nn.Linear(2 * embedding, hidden)
        self.output = nn.Linear(hidden, 1)

    def forward(self, embedding: Tensor, references: Tensor) -> Tensor:
        difference = references - embedding
        distances = torch.cat([difference.abs(), difference * difference], 1)
        return bounded(self.output(torch.relu(self.hidden(distances))).squeeze(1))
