"""How a Core ML package stores weights small: the `constexpr_*` operations, decompressed in NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np


def affine_dequantize(quantized_data, zero_point, scale, axis):  # type: ignore[no-untyped-def]
    """scale * (data - zero point), each a number or a vector along `axis`."""
    shape = [-1 if i == int(axis) % quantized_data.ndim else 1 for i in range(quantized_data.ndim)]
    step, zero = np.asarray(scale), np.asarray(zero_point, np.float32)
    zero = zero.reshape(shape) if zero.ndim else zero
    return (quantized_data.astype(np.float32) - zero) * (step.reshape(shape) if step.ndim else step)


def blockwise_shift_scale(data, scale, offset=None):  # type: ignore[no-untyped-def]
    """scale * (data - offset), each for a block of data: as many blocks along an axis as scale has numbers there."""
    shifted = data.astype(np.float32) - (0 if offset is None else spread(offset.astype(np.float32), data.shape))
    return shifted * spread(scale, data.shape)


def spread(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Each number repeated over its block."""
    for axis, size in enumerate(shape):
        values = np.repeat(values, size // values.shape[axis], axis)
    return values


def cast(source_val, output_dtype):  # type: ignore[no-untyped-def]
    """float16 stored, float32 used."""
    return source_val.astype({"fp32": np.float32, "fp16": np.float16}[str(output_dtype)])


CONSTEXPR: dict[str, Callable[..., Any]] = {
    "constexpr_affine_dequantize": affine_dequantize,
    "constexpr_blockwise_shift_scale": blockwise_shift_scale,
    "constexpr_cast": cast,
}
