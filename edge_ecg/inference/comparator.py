"""From an embedding and the references to one logit each: are these two beats from different states?"""

from typing import Protocol

import numpy as np

from edge_ecg.errors import ContractError
from edge_ecg.inference.session import Session


class Comparator(Protocol):
    """Anything that takes embedding (1, D) and references (R, D) and gives (R,) logits of "different"."""

    def __call__(self, embedding: np.ndarray, references: np.ndarray, /) -> np.ndarray: ...


class OnnxComparator:
    """The comparator graph through ONNX Runtime. Raises ContractError if the graph is not a comparator."""

    def __init__(self, model: bytes, embedding_length: int):
        self._session = Session(model)
        inputs, outputs = self._session.inputs, self._session.outputs
        if (
            list(inputs) != ["embedding", "references"]
            or inputs["embedding"] != [1, embedding_length]
            or inputs["references"][1:] != [embedding_length]
            or list(outputs) != ["logit"]
        ):
            raise ContractError(
                f"comparator graph takes {inputs} and gives {outputs}, the contract wants "
                f"embedding [1, {embedding_length}], references [R, {embedding_length}] -> logit [R]"
            )

    def __call__(self, embedding: np.ndarray, references: np.ndarray) -> np.ndarray:
        return self._session.run(embedding=embedding, references=references)
