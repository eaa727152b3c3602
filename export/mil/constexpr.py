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


def unpacked(content: np.ndarray, bits: int, count: int) -> np.ndarray:
    """Whole numbers of `bits` bits, packed from the least significant bit of the first byte on."""
    flat = np.unpackbits(content, bitorder="little")[: bits * count].reshape(count, bits)
    return np.asarray(flat @ (1 << np.arange(bits)))


def lut_to_dense(indices, lut, shape=None, vector_axis=None):  # type: ignore[no-untyped-def]
    """Entries of a palette. iOS 16: packed indices, one palette. iOS 18: a palette a block, entries may be vectors."""
    if shape is not None:
        size = [int(n) for n in shape]
        return lut[unpacked(indices, (len(lut) - 1).bit_length(), int(np.prod(size)))].reshape(size)
    *blocks, entries, length = lut.shape
    palette = np.arange(int(np.prod(blocks))).reshape(blocks)
    chosen = lut.reshape(-1, entries, length)[spread(palette, indices.shape), indices.astype(np.int64)]
    axis = 0 if vector_axis is None else int(vector_axis) % indices.ndim
    dense = np.moveaxis(chosen, -1, axis + 1)  # a vector's numbers follow each other along its axis
    return dense.reshape([n * length if i == axis else n for i, n in enumerate(indices.shape)])


def sparse_to_dense(nonzero_data, mask, shape=None):  # type: ignore[no-untyped-def]
    """Values where the mask is 1, else zeros. iOS 16: a packed mask and the shape. iOS 18: a mask of that shape."""
    if shape is not None:
        size = [int(n) for n in shape]
        mask = unpacked(mask, 1, int(np.prod(size))).reshape(size)
    dense = np.zeros(mask.shape, nonzero_data.dtype)
    dense[mask != 0] = nonzero_data
    return dense


def lut_to_sparse(indices_mask, indices_nonzero, lut, vector_axis=None):  # type: ignore[no-untyped-def]
    """A palette behind a mask: the mask and its values, for `sparse_to_dense`."""
    if lut.shape[-1] != 1:
        raise NotImplementedError("constexpr_lut_to_sparse with vectors")
    dense = lut_to_dense(sparse_to_dense(indices_nonzero, indices_mask), lut)
    return indices_mask, dense[indices_mask != 0]


def sparse_blockwise_shift_scale(data_mask, nonzero_data, scale, offset=None):  # type: ignore[no-untyped-def]
    """Blockwise scales behind a mask: the mask and its values, for `sparse_to_dense`."""
    dense = blockwise_shift_scale(sparse_to_dense(nonzero_data, data_mask), scale, offset)
    return data_mask, dense[data_mask != 0]


def cast(source_val, output_dtype):  # type: ignore[no-untyped-def]
    """float16 stored, float32 used."""
    return source_val.astype({"fp32": np.float32, "fp16": np.float16}[str(output_dtype)])


CONSTEXPR: dict[str, Callable[..., Any]] = {
    "constexpr_affine_dequantize": affine_dequantize,
    "constexpr_blockwise_shift_scale": blockwise_shift_scale,
    "constexpr_cast": cast,
    "constexpr_lut_to_dense": lut_to_dense,
    "constexpr_lut_to_sparse": lut_to_sparse,
    "constexpr_sparse_to_dense": sparse_to_dense,
    "constexpr_sparse_blockwise_shift_scale": sparse_blockwise_shift_scale,
}
