"""The reference bank: embeddings of labeled beats that every new beat is compared with."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import safetensors
import safetensors.numpy

from edge_ecg.errors import BundleError
from edge_ecg.inference.novelty import TrainingDistribution
from edge_ecg.inference.portable import float_tensor, quantize_rows, tensors_in


@dataclass(frozen=True)
class ReferenceBank:
    """Embeddings (R, D) float32 of reference beats, and (R,) bool: is the beat from the target state?

    With the `distribution` of training, beats out of distribution are unusable; without it, all beats vote. Raises
    BundleError unless all numbers are finite and both states are present.
    """

    embeddings: np.ndarray
    is_target: np.ndarray
    distribution: TrainingDistribution | None = None

    def __post_init__(self) -> None:
        shape, count = self.embeddings.shape, len(self.is_target)
        if len(shape) != 2 or shape[0] != count or not 0 < np.count_nonzero(self.is_target) < count:
            raise BundleError(f"references are {shape} with {count} labels, expected (R, D) beats of both states")
        if not np.isfinite(self.embeddings).all():
            raise BundleError("references hold NaN or infinity, expected finite numbers")
        if self.distribution is not None and self.distribution.centres.shape[1] != shape[1]:
            raise BundleError(f"references have {shape[1]} numbers each, what training has seen has others")

    def __repr__(self) -> str:
        numbers = self.embeddings.shape[1]
        return f"ReferenceBank({self.baseline_count} + {self.target_count} references of {numbers} numbers)"

    @cached_property
    def target_count(self) -> int:
        """References of the target state."""
        return int(np.count_nonzero(self.is_target))

    @cached_property
    def baseline_count(self) -> int:
        """References of the baseline."""
        return len(self.is_target) - self.target_count

    @cached_property
    def weights(self) -> np.ndarray:
        """(R,): the share of each reference in the soft evidence, below 0 for those of the target."""
        return np.where(self.is_target, -1 / self.target_count, 1 / self.baseline_count)

    @cached_property
    def by_state(self) -> np.ndarray:
        """(R, 2): 1 for a reference of the baseline in the first column, of the target in the second, else 0."""
        return np.stack([~self.is_target, self.is_target], 1).astype(np.int64)

    def evidence(self, logits: np.ndarray) -> np.ndarray:
        """Soft evidence (...) float64 of logits (..., R): the mean against the baseline minus that against the target.

        Above 0 for the target.
        """
        return np.asarray(logits @ self.weights)

    def moved(self, by: np.ndarray) -> "ReferenceBank":
        """A copy with every embedding shifted by `by` (D,); used by enrollment."""
        embeddings = (self.embeddings + by).astype(np.float32)
        return replace(self, embeddings=embeddings, distribution=self.distribution and self.distribution.moved(by))

    def to_bytes(self) -> bytes:
        """The bank as a safetensors file."""
        return self._file({"embeddings": self.embeddings})

    def to_int8_bytes(self) -> bytes:
        """The bank as a safetensors file with int8 embeddings and a scale each, which `from_bytes` reads as well."""
        values, scale = quantize_rows(self.embeddings)
        return self._file({"embeddings": values, "embeddings.scale": scale})

    def _file(self, tensors: dict[str, np.ndarray]) -> bytes:
        distribution = self.distribution.tensors() if self.distribution else {}
        content: bytes = safetensors.numpy.save(
            {**tensors, "is_target": self.is_target.astype(np.uint8), **distribution}
        )
        return content

    @classmethod
    def from_bytes(cls, content: bytes) -> "ReferenceBank":
        """Read what `to_bytes` wrote, or int8 embeddings with scales. Raises BundleError on anything else."""
        try:
            tensors = tensors_in(content)
            embeddings = float_tensor(tensors, "embeddings")
            is_target = tensors["is_target"]
            distribution = TrainingDistribution.from_tensors(tensors)
        except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
            raise BundleError(f"references are not the expected safetensors file: {error}") from None
        if embeddings.dtype != np.float32 or is_target.dtype != np.uint8 or is_target.ndim != 1:
            raise BundleError(
                f"references are {embeddings.dtype} with {is_target.dtype} labels, expected float32 with uint8"
            )
        return cls(embeddings, is_target.astype(bool), distribution)
