"""Numbers stored as int8, symmetric, with a float32 scale for each index of the first axis."""

import numpy as np


def dequantized(tensor: np.ndarray, scale: np.ndarray | None) -> np.ndarray:
    """The float32 tensor that an int8 tensor and its scales stand for, or the float32 tensor itself."""
    return tensor if scale is None else np.asarray(tensor * scale.reshape(-1, *[1] * (tensor.ndim - 1)))


def quantize_rows(tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 values, -127 to 127, and the float32 scale of each index of the first axis; a row of zeros has scale 1."""
    rows = tensor.reshape(len(tensor), -1)
    scale = np.abs(rows).max(1) / np.float32(127)
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    values = np.clip(np.rint(rows / scale[:, np.newaxis]), -127, 127).astype(np.int8)
    return values.reshape(tensor.shape), scale
