"""The latest part of a stream, addressed by index since the stream began."""

import numpy as np


class StreamBuffer:
    """Keep the last `keep` samples before each push, and all of the push. Most pushes only copy new samples."""

    def __init__(self, keep: int):
        self._keep = keep
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._samples = np.zeros(0)
        self._count = 0  # how many of them were heard; behind them is room
        self._offset = 0  # stream index of samples[0]

    @property
    def end(self) -> int:
        """One past the newest."""
        return self._offset + self._count

    def push(self, samples: np.ndarray) -> None:
        """Take the next samples; those older than the last `keep` before them may be dropped."""
        count = self._count + len(samples)
        if count > len(self._samples):
            kept = self._samples[max(0, self._count - self._keep) : self._count]
            self._offset = self.end - len(kept)
            self._samples = np.concatenate((kept, samples, np.zeros(self._keep)))
            self._count = len(kept) + len(samples)
        else:
            self._samples[self._count : count] = samples
            self._count = count

    def between(self, start: int, end: int) -> np.ndarray:
        """The samples of that part of the stream, as far as they are kept: a view, to be read before the next push."""
        return self._samples[max(start - self._offset, 0) : min(end - self._offset, self._count)]
