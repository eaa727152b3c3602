"""Causal band-pass with carried memory, for the R-peak detector only."""

from collections.abc import Sequence
from functools import cache

import numpy as np

MANY_BLOCKS = 8
BLOCK_SAMPLES = 64  # half a wake of the stream; the product of a larger matrix would start threads


class Bandpass:
    """Causal band-pass for a live ECG. Any chunk size gives the same output, bit for bit.

    The sections are b0 b1 b2 a0 a1 a2 with a0 = 1, run one after the other as transposed direct form II. The
    filter starts as if the first sample had lasted for ever, so that an electrode offset makes no swing: a
    band-pass answers a constant with zero, and subtracting the first sample from all others is the same as
    that memory.

    The recursion runs a block at a time, as one product with a matrix, so that NumPy alone is fast enough. What is in
    the place of samples of a block that have not come yet is multiplied by zeros before them: it changes no bit there.
    """

    def __init__(self, sos: Sequence[Sequence[float]]):
        self._matrix = _block_matrix(tuple(map(tuple, sos)))
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._origin: float | None = None
        self._block = np.zeros(len(self._matrix))  # the samples of a block, then the memory from before it
        self._after = np.zeros(len(self._matrix))  # its filtered samples, then the memory after it
        self._filled = 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """The filtered samples, as many as came in."""
        if not len(samples):
            return np.zeros(0)
        if self._origin is None:
            self._origin = float(samples[0])
        filtered = samples - self._origin
        block, after, dot = self._block, self._after, self._matrix.dot
        memory, memory_after = block[BLOCK_SAMPLES:], after[BLOCK_SAMPLES:]
        at, start, count = 0, self._filled, len(filtered)
        if not start and count >= MANY_BLOCKS * BLOCK_SAMPLES:
            at = count - count % BLOCK_SAMPLES
            filtered[:at] = self._of_whole_blocks(filtered[:at])
        while at < count:
            end = min(start + count - at, BLOCK_SAMPLES)
            to = at + end - start
            block[start:end] = filtered[at:to]
            dot(block, after)
            filtered[at:to] = after[start:end]
            at, start = to, end
            if end == BLOCK_SAMPLES:
                memory[:], start = memory_after, 0
        self._filled = start
        return filtered

    def _of_whole_blocks(self, samples: np.ndarray) -> np.ndarray:
        """The same of many blocks, bit for bit, with fewer steps for each."""
        blocks = np.empty((len(samples) // BLOCK_SAMPLES, len(self._block)))
        blocks[:, :BLOCK_SAMPLES] = samples.reshape(-1, BLOCK_SAMPLES)
        filtered, memory, dot = np.empty_like(blocks), self._block[BLOCK_SAMPLES:], self._matrix.dot
        for block, after in zip(blocks, filtered, strict=True):
            block[BLOCK_SAMPLES:] = memory
            dot(block, after)
            memory = after[BLOCK_SAMPLES:]
        self._block[BLOCK_SAMPLES:] = memory
        return filtered[:, :BLOCK_SAMPLES].reshape(-1)


@cache
def _block_matrix(sos: tuple[tuple[float, ...], ...]) -> np.ndarray:
    """From the samples of a block and the memory before it to its filtered samples and the memory after it."""
    matrix = np.eye(BLOCK_SAMPLES + 2 * len(sos))  # a unit input in each column, filtered in place
    for (b0, b1, b2, _a0, a1, a2), memory in zip(sos, matrix[BLOCK_SAMPLES:].reshape(len(sos), 2, -1), strict=True):
        for samples in matrix[:BLOCK_SAMPLES]:
            filtered = b0 * samples + memory[0]
            memory[0] = b1 * samples - a1 * filtered + memory[1]
            memory[1] = b2 * samples - a2 * filtered
            samples[:] = filtered
    return matrix
