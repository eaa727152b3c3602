"""The two graphs of a model in ONNX Runtime: the encoder embeds a beat, the comparator compares embeddings."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Protocol

import numpy as np

from edge_ecg.errors import ContractError, first_line


def has_onnx_runtime() -> bool:
    """Whether ONNX Runtime is installed; otherwise the portable form is used."""
    return find_spec("onnxruntime") is not None


class Session:
    """An ONNX graph with named inputs and one output, run on one thread."""

    def __init__(self, model: bytes):
        from edge_ecg.inference.onnx_runtime import onnxruntime  # a packed bundle needs none

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # By default it rounds activations as well where a matrix product follows int8 weights.
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
        options.log_severity_level = 3  # warnings about unused initialisers would end up in the output
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.inputs = {i.name: i.shape for i in self._session.get_inputs()}
        self.outputs = {o.name: o.shape for o in self._session.get_outputs()}
        self._output_names = list(self.outputs)

    def run(self, **inputs: np.ndarray) -> np.ndarray:
        """The graph's only output."""
        try:
            output: np.ndarray = self._session.run(self._output_names, inputs)[0]
        except Exception as error:  # ONNX Runtime's own errors share no useful base class
            raise ContractError(f"a graph fails while it runs: {first_line(error)}") from None
        return output

    def outputs_of(self, names: Sequence[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs of these names."""
        outputs: list[np.ndarray] = self._session.run(names, inputs)
        return outputs


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
