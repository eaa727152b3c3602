"""The original: the model as it was trained and the beats of its references, which every artefact is held to.

It travels in the bundle, so that anyone can check the bundle again. A device does not need it.
"""

from dataclasses import dataclass

import numpy as np
import safetensors
import safetensors.torch
import torch

from edge_ecg.errors import EdgeEcgError, ParityError
from edge_ecg.references import ReferenceBank
from export.weights import FLOAT32, Scheme
from train.checkpoint import Run
from train.judge import embed
from train.model import Model, build_model

ORIGINAL = "original.safetensors"


@dataclass(frozen=True)
class Original:
    """A trained model, the (R, 384) beats that its references are embeddings of, and their labels."""

    architecture: str
    model: Model
    reference_beats: np.ndarray
    is_target: np.ndarray

    @classmethod
    def of_run(cls, finished: Run, chosen: np.ndarray | None = None) -> "Original":
        """The original of a training run; `chosen` are the indices of the reference beats, by default the run's own."""
        chosen = finished.references()[0] if chosen is None else chosen
        architecture = finished.config["settings"]["architecture"]
        return cls(architecture, finished.model, finished.training.values[chosen], finished.training.is_target[chosen])

    def bank(self, scheme: Scheme = FLOAT32) -> ReferenceBank:
        """The references through the model, its weights stored as the scheme says."""
        model = self.model if scheme is FLOAT32 else scheme.compressed(self.model)
        return ReferenceBank(embed(model, self.reference_beats), self.is_target)

    def to_bytes(self) -> bytes:
        """The original as a safetensors file."""
        tensors = {f"model.{name}": tensor.contiguous() for name, tensor in self.model.state_dict().items()}
        tensors["references.beats"] = torch.from_numpy(self.reference_beats)
        tensors["references.is_target"] = torch.from_numpy(self.is_target.astype(np.uint8))
        content: bytes = safetensors.torch.save(tensors)
        return content

    @classmethod
    def from_bytes(cls, content: bytes, architecture: str) -> "Original":
        """Read what `to_bytes` wrote. Raises ParityError on anything else."""
        try:
            tensors = safetensors.torch.load(content)
            beats = tensors.pop("references.beats").numpy()
            is_target = tensors.pop("references.is_target").numpy().astype(bool)
            model = build_model(architecture)
            model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in tensors.items()})
        except (safetensors.SafetensorError, KeyError, RuntimeError, EdgeEcgError) as error:
            reason = str(error).splitlines()[0]
            raise ParityError(f"{ORIGINAL} does not hold a {architecture} model and its references: {reason}") from None
        model.eval()
        return cls(architecture, model, beats, is_target)
