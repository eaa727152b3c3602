"""The weights that a file holds, as the numbers they stand for, found without running it."""

from collections.abc import Mapping

import numpy as np
import onnx
import safetensors.numpy
from onnx import numpy_helper

from edge_ecg.inference.int8 import dequantized
from export.formats.packages import opened_package


def stored_weights(files: Mapping[str, bytes]) -> list[np.ndarray]:
    """Every weight of a convolution or linear layer in ONNX files, Core ML packages or a portable form, as float32."""
    packages = sorted({name.split("/")[0] for name in files if ".mlpackage/" in name})
    return [
        *(weight for name in sorted(files) if name.endswith(".onnx") for weight in _of_onnx(files[name])),
        *(weight for package in packages for weight in opened_package(package, files).weights()),
        *(weight for name in sorted(files) if name.endswith(".safetensors") for weight in _of_portable(files[name])),
    ]


def _of_portable(content: bytes) -> list[np.ndarray]:
    tensors = safetensors.numpy.load(content)
    return [dequantized(tensor, tensors.get(f"{name}.scale")) for name, tensor in tensors.items()]


def _of_onnx(content: bytes) -> list[np.ndarray]:
    graph = onnx.load_from_string(content).graph
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and all(name in constants for name in node.input):
            stored, scale, *_ = (constants[name] for name in node.input)
            constants[node.output[0]] = dequantized(stored.astype(np.float32), np.atleast_1d(scale))
    weights = []
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm") and node.input[1] in constants:
            turned = node.op_type == "Gemm" and not any(a.name == "transB" and a.i for a in node.attribute)
            weight = constants[node.input[1]]
            weights.append(weight.T if turned else weight)
    return weights
