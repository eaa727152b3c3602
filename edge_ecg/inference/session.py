"""One ONNX graph in ONNX Runtime, on one thread."""

import numpy as np
import onnxruntime as ort


class Session:
    """An ONNX graph with named inputs and one output, run on one thread."""

    def __init__(self, model: bytes):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # By default it rounds activations as well where a matrix product follows int8 weights.
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
        options.log_severity_level = 3  # warnings about unused initialisers would end up in the output
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.inputs = {i.name: i.shape for i in self._session.get_inputs()}
        self.outputs = {o.name: o.shape for o in self._session.get_outputs()}
        self._output_names = list(self.outputs)

    def run(self, **inputs: np.ndarray) -> np.ndarray:
        """The graph's only output."""
        output: np.ndarray = self._session.run(self._output_names, inputs)[0]
        return output
