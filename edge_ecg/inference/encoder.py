"""From a beat to its embedding: all preprocessing is inside the graph, which takes raw microvolts."""

from typing import Protocol

import numpy as np

from edge_ecg.errors import ContractError
from edge_ecg.inference.session import Session


class Encoder(Protocol):
    """Anything that turns a beat (1, 384) into an embedding (1, D), both float32."""

    def __call__(self, beat: np.ndarray, /) -> np.ndarray: ...


class OnnxEncoder:
    """The encoder graph through ONNX Runtime. Raises ContractError if the graph is not an encoder."""

    def __init__(self, model: bytes, beat_length: int):
        self._session = Session(model)
        if self._session.inputs != {"beat": [1, beat_length]} or list(self._session.outputs) != ["embedding"]:
            raise ContractError(
                f"encoder graph takes {self._session.inputs} and gives {self._session.outputs}, "
                f"the contract wants beat [1, {beat_length}] -> embedding [1, D]"
            )
        self.embedding_length: int = self._session.outputs["embedding"][1]

    def __call__(self, beat: np.ndarray) -> np.ndarray:
        return self._session.run(beat=beat)
