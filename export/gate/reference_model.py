"""The reference model: the trained one with its reference beats; every artifact is compared with it.

It travels in the bundle, so that anyone can check the bundle again, with what each scheme was fine-tuned to. A device
does not need it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import safetensors
import safetensors.torch
import torch

from edge_ecg.errors import EdgeEcgError, ParityError, first_line
from edge_ecg.inference.references import ReferenceBank
from export.compression.weights import FLOAT32, Scheme
from export.graphs import Graph, fused_for_export, graphs_of, with_weights_of
from train.model.architectures import build_model
from train.model.model import Model, embed
from train.run import Run

REFERENCE_MODEL = "reference_model.safetensors"
FINETUNED = "finetuned "  # and the name of a scheme


@dataclass(frozen=True)
class ReferenceModel:
    """A trained model, the (R, 384) beats that its references are embeddings of, and their labels.

    finetuned: by the name of a scheme, the model with batch norm folded and weights on that scheme's grid.
    """

    architecture: str
    model: Model
    reference_beats: np.ndarray
    is_target: np.ndarray
    finetuned: Mapping[str, Model] = field(default_factory=dict)

    @classmethod
    def of_run(cls, run: Run, chosen: np.ndarray | None = None) -> "ReferenceModel":
        """Of a training run; `chosen` are the indices of the reference beats, by default the run's own."""
        chosen = run.references()[0] if chosen is None else chosen
        architecture = run.config["settings"]["architecture"]
        return cls(architecture, run.model, run.training.values[chosen], run.training.is_target[chosen])

    @cached_property
    def bank(self) -> ReferenceBank:
        """The references through the model."""
        return ReferenceBank(embed(self.model, self.reference_beats), self.is_target)

    def compressed(self, scheme: Scheme) -> Model:
        """The model that an artifact of this scheme should be: fine-tuned if need be, or rounded."""
        if scheme is FLOAT32:
            return self.model
        return self.finetuned.get(scheme.name) or scheme.compressed(self.model)

    def graphs(
        self, schemes: Iterable[Scheme], labels: tuple[str, str] | None = None
    ) -> dict[Scheme, tuple[Graph, Graph]]:
        """By scheme, the graphs with the weights that its artifacts should have; torch exports once for all."""
        exact = graphs_of(self.model, labels)
        return {
            scheme: exact if scheme is FLOAT32 else with_weights_of(self.compressed(scheme), exact)
            for scheme in dict.fromkeys(schemes)
        }

    def to_bytes(self) -> bytes:
        """The reference model as a safetensors file."""
        models = {"model": self.model, **{f"{FINETUNED}{name}": model for name, model in self.finetuned.items()}}
        tensors = {f"{m}.{n}": t.contiguous() for m, model in models.items() for n, t in model.state_dict().items()}
        tensors["references.beats"] = torch.from_numpy(self.reference_beats)
        tensors["references.is_target"] = torch.from_numpy(self.is_target.astype(np.uint8))
        content: bytes = safetensors.torch.save(tensors)
        return content

    @classmethod
    def from_bytes(cls, content: bytes, architecture: str, version: str = "") -> "ReferenceModel":
        """Read what `to_bytes` wrote. Raises ParityError on anything else."""
        try:
            tensors = safetensors.torch.load(content)
            beats = tensors.pop("references.beats").numpy()
            is_target = tensors.pop("references.is_target").numpy().astype(bool)
            states: dict[str, dict[str, torch.Tensor]] = {}
            for name, tensor in tensors.items():
                owner, _, entry = name.partition(".")
                states.setdefault(owner, {})[entry] = tensor
            model = build_model(architecture, version)
            model.load_state_dict(states.pop("model"))
            finetuned = {owner.removeprefix(FINETUNED): fused_for_export(model) for owner in states}
            for owner, state in states.items():
                finetuned[owner.removeprefix(FINETUNED)].load_state_dict(state)
        except (safetensors.SafetensorError, KeyError, RuntimeError, EdgeEcgError) as error:
            reason = first_line(error)
            raise ParityError(
                f"{REFERENCE_MODEL}: holds no {architecture} model with its references: {reason}"
            ) from None
        return cls(architecture, model.eval(), beats, is_target, finetuned)
