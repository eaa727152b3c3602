"""MIL operations in NumPy: the table behind `export.mil.program`.

Names, parameters and defaults are those of Apple's MIL reference (coremltools, iOS 15 to 18 operation sets). Each
function takes its parameters by name and computes in float32; `export.mil.program` does the
rounding that a program declares.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import erf, logsumexp

Axes = Sequence[int] | None


def windows(x: np.ndarray, sizes: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> np.ndarray:
    """(N, C, *outputs, *sizes): the input of a kernel at each place of the last axes."""
    spans = [(size - 1) * dilation + 1 for size, dilation in zip(sizes, dilations, strict=True)]
    axes = tuple(range(2, 2 + len(spans)))
    seen = np.lib.stride_tricks.sliding_window_view(x, spans, axes)
    every = tuple(slice(None, None, int(step)) for step in (*strides, *dilations))
    return seen[(slice(None), slice(None), *every)]


def padding(
    x: np.ndarray, spans: Sequence[int], strides: Sequence[int], pad_type: str, pad: Axes, ceil_mode: bool = False
) -> list[tuple[int, int]]:
    """Padding before and after each spatial axis."""
    pads = []
    for i, (length, span, stride) in enumerate(zip(x.shape[2:], spans, strides, strict=True)):
        before, after = (int(pad[2 * i]), int(pad[2 * i + 1])) if pad_type == "custom" and pad is not None else (0, 0)
        if pad_type in ("same", "same_lower"):
            total = max((-(-length // stride) - 1) * stride + span - length, 0)
            less, more = total // 2, total - total // 2
            before, after = (more, less) if pad_type == "same_lower" else (less, more)
        elif pad_type not in ("valid", "custom"):
            raise NotImplementedError(f"pad_type {pad_type!r}")
        if ceil_mode and (rest := (length + before + after - span) % stride):
            after += stride - rest
        pads.append((before, after))
    return pads


def with_zeros(x: np.ndarray, pads: Sequence[tuple[int, int]]) -> np.ndarray:
    """x between zeros on its last axes: `np.pad`, which takes longer than a small convolution."""
    if not any(before or after for before, after in pads):
        return x
    wide = np.zeros((*x.shape[:2], *(b + n + a for n, (b, a) in zip(x.shape[2:], pads, strict=True))), x.dtype)
    wide[(slice(None), slice(None), *(slice(b, b + n) for n, (b, _) in zip(x.shape[2:], pads, strict=True)))] = x
    return wide


def conv(x, weight, bias=None, strides=None, pad_type="valid", pad=None, dilations=None, groups=1):  # type: ignore[no-untyped-def]
    """x (N, I, *D), weight (O, I / groups, *K)."""
    sizes = weight.shape[2:]
    ones = [1] * len(sizes)
    strides, dilations = strides if strides is not None else ones, dilations if dilations is not None else ones
    spans = [(size - 1) * dilation + 1 for size, dilation in zip(sizes, dilations, strict=True)]
    padded = with_zeros(x, padding(x, spans, strides, pad_type, pad))
    places = [(n - span) // step + 1 for n, span, step in zip(padded.shape[2:], spans, strides, strict=True)]
    kernels = weight.reshape(groups, len(weight) // groups, weight.shape[1], *sizes)
    taps, heard = [], []  # by place in the kernel: its weights, and the samples that they meet
    for tap in np.ndindex(*sizes):
        begins = [int(k * dilation) for k, dilation in zip(tap, dilations, strict=True)]
        reach = (slice(b, b + (n - 1) * int(s) + 1, int(s)) for b, n, s in zip(begins, places, strides, strict=True))
        taps.append(kernels[(..., *tap)])
        heard.append(padded[(slice(None), slice(None), *reach)].reshape(len(x), groups, weight.shape[1], -1))
    if weight.shape[1] == 1:
        total = sum(tap * samples for tap, samples in zip(taps, heard, strict=True))
    else:  # one product for all taps
        total = np.concatenate(taps, -1) @ np.concatenate(heard, 2)
    output = np.reshape(total, (len(x), len(weight), *places)).astype(np.float32, copy=False)
    return output if bias is None else output + bias.reshape(-1, *ones)


def conv_transpose(  # type: ignore[no-untyped-def]
    x, weight, bias=None, pad=None, output_shape=None, pad_type="valid", strides=None, dilations=None, groups=1
):
    """x (N, I, *D), weight (I, O / groups, *K): a convolution of x with zeros between its samples."""
    if pad_type not in ("valid", "custom"):
        raise NotImplementedError(f"conv_transpose with pad_type {pad_type!r}")
    sizes = weight.shape[2:]
    strides = strides if strides is not None else [1] * len(sizes)
    dilations = dilations if dilations is not None else [1] * len(sizes)
    spread = np.zeros((*x.shape[:2], *((n - 1) * s + 1 for n, s in zip(x.shape[2:], strides, strict=True))), x.dtype)
    spread[(slice(None), slice(None), *(slice(None, None, int(s)) for s in strides))] = x
    flipped = np.flip(weight, tuple(range(2, weight.ndim)))
    flipped = flipped.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    flipped = flipped.reshape(-1, flipped.shape[2], *sizes)
    full = [(k - 1) * d for k, d in zip(sizes, dilations, strict=True) for _ in range(2)]
    output = conv(spread, flipped, bias, pad_type="custom", pad=full, dilations=dilations, groups=groups)
    pads = pad if pad_type == "custom" and pad is not None else [0] * len(full)
    first = [int(before) for before in pads[::2]]
    last = [n - int(after) for n, after in zip(output.shape[2:], pads[1::2], strict=True)]
    if output_shape is not None:  # it decides how much is cut off at the end
        last = [begin + int(n) for begin, n in zip(first, output_shape[2:], strict=True)]
    output = output[(slice(None), slice(None), *(slice(*ends) for ends in zip(first, last, strict=True)))]
    return output


def pool(reduce: Callable[..., np.ndarray], outside: float) -> Callable[..., np.ndarray]:
    """Max or average pooling over the last axes; `outside` is what padding counts as."""

    def run(  # type: ignore[no-untyped-def]
        x, kernel_sizes, strides=None, pad_type="valid", pad=None, ceil_mode=False, exclude_padding_from_average=False
    ):
        ones = [1] * len(kernel_sizes)
        strides = strides if strides is not None else ones
        pads = [(0, 0), (0, 0), *padding(x, kernel_sizes, strides, pad_type, pad, ceil_mode)]
        axes = tuple(range(-len(ones), 0))
        pooled = reduce(windows(np.pad(x, pads, constant_values=outside), kernel_sizes, strides, ones), axes)
        if exclude_padding_from_average:
            inside = np.pad(np.ones_like(x), pads)
            pooled = pooled / windows(inside, kernel_sizes, strides, ones).mean(axes)
        return pooled

    return run


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


def constexpr_cast(source_val, output_dtype):  # type: ignore[no-untyped-def]
    """float16 stored, float32 used."""
    return source_val.astype({"fp32": np.float32, "fp16": np.float16}[str(output_dtype)])


CONSTEXPR: dict[str, Callable[..., Any]] = {
    "constexpr_affine_dequantize": affine_dequantize,
    "constexpr_blockwise_shift_scale": blockwise_shift_scale,
    "constexpr_cast": constexpr_cast,
}


def slice_by_index(  # type: ignore[no-untyped-def]
    x, begin, end, stride=None, begin_mask=None, end_mask=None, squeeze_mask=None
):
    """x[begin:end:stride] on each axis; a mask ignores the number, or takes one index and drops the axis."""
    cut: list[slice | int] = []
    for i, (first, last) in enumerate(zip(begin, end, strict=True)):
        if squeeze_mask is not None and squeeze_mask[i]:
            cut.append(int(first))
            continue
        start = None if begin_mask is not None and begin_mask[i] else int(first)
        stop = None if end_mask is not None and end_mask[i] else int(last)
        cut.append(slice(start, stop, 1 if stride is None else int(stride[i])))
    return x[tuple(cut)]


def slice_by_size(x, begin, size):  # type: ignore[no-untyped-def]
    """`size` numbers from `begin` on each axis; -1 is all that are left."""
    ends = [n if s == -1 else b + s for n, b, s in zip(x.shape, begin, size, strict=True)]
    return x[tuple(slice(int(b), int(e)) for b, e in zip(begin, ends, strict=True))]


def reshape(x, shape):  # type: ignore[no-untyped-def]
    """0 keeps the size of that axis, -1 is worked out."""
    return x.reshape([x.shape[i] if size == 0 else int(size) for i, size in enumerate(shape)])


def pad(x, pad, mode="constant", constant_val=0.0):  # type: ignore[no-untyped-def]
    """`pad` holds before and after of the last axes."""
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + [(int(b), int(a)) for b, a in np.reshape(pad, (-1, 2))]
    named = {"reflect": "reflect", "reflection": "reflect", "replicate": "edge", "replication": "edge"}
    return np.pad(x, pairs, constant_values=constant_val) if mode == "constant" else np.pad(x, pairs, named[mode])


def split(x, axis, num_splits=None, split_sizes=None):  # type: ignore[no-untyped-def]
    """Parts along an axis, equal or of given sizes."""
    parts = int(num_splits) if split_sizes is None else np.cumsum(split_sizes)[:-1]
    return np.split(x, parts, int(axis))


def normalise(x, axes, gamma, beta, epsilon, feature_axes):  # type: ignore[no-untyped-def]
    """Mean 0 and variance 1 over `axes`, then gain and offset along `feature_axes`."""
    result = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)
    shape = [n if i in feature_axes else 1 for i, n in enumerate(x.shape)]
    return result * (1 if gamma is None else gamma.reshape(shape)) + (0 if beta is None else beta.reshape(shape))


def layer_norm(x, axes=None, gamma=None, beta=None, epsilon=1e-5):  # type: ignore[no-untyped-def]
    """Over `axes`, default all."""
    over = tuple(range(x.ndim)) if axes is None else tuple(int(a) % x.ndim for a in axes)
    return normalise(x, over, gamma, beta, epsilon, over)


def batch_norm(x, mean, variance, gamma=None, beta=None, epsilon=1e-5):  # type: ignore[no-untyped-def]
    """By channel (axis 1), with stored mean and variance."""
    shape = (-1, *[1] * (x.ndim - 2))
    result = (x - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + epsilon)
    return result * (1 if gamma is None else gamma.reshape(shape)) + (0 if beta is None else beta.reshape(shape))


def gelu(x, mode="EXACT"):  # type: ignore[no-untyped-def]
    """The exact form or one of its two approximations."""
    if mode == "EXACT":
        return 0.5 * x * (1 + erf(x / np.sqrt(2)))
    if mode == "TANH_APPROXIMATION":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * sigmoid(1.702 * x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without its overflow."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


def softmax(x, axis=-1):  # type: ignore[no-untyped-def]
    """Along one axis."""
    raised = np.exp(x - x.max(axis, keepdims=True))
    return raised / raised.sum(axis, keepdims=True)


def channelwise(alpha: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A number for each channel (axis 1), ready to be multiplied."""
    return np.asarray(alpha).reshape(-1, *[1] * (x.ndim - 2))


def cumsum(x, axis=0, exclusive=False, reverse=False):  # type: ignore[no-untyped-def]
    """Running sum, from either end, with or without the element itself."""
    turned = np.flip(x, axis) if reverse else x
    total = np.cumsum(turned, axis) - (turned if exclusive else 0)
    return np.flip(total, axis) if reverse else total


def cast(x, dtype):  # type: ignore[no-untyped-def]
    """fp16, fp32, int32, bool ..."""
    names = {"fp16": np.float16, "fp32": np.float32, "fp64": np.float32, "bool": np.bool_}
    return np.asarray(x).astype(names.get(str(dtype), str(dtype)))


def quantize(input, scale, output_dtype, zero_point=None, axis=None):  # type: ignore[no-untyped-def]
    """Rounded to the nearest step (ties to even), saturated."""
    limits = np.iinfo(str(output_dtype))
    steps = np.rint(input / along(scale, axis, input))
    offset = 0 if zero_point is None else along(zero_point, axis, input).astype(np.int32)
    return np.clip(steps + offset, limits.min, limits.max).astype(str(output_dtype))


def dequantize(input, scale, zero_point=None, axis=None):  # type: ignore[no-untyped-def]
    """scale * (input - zero_point)"""
    offset = 0 if zero_point is None else along(zero_point, axis, input).astype(np.float32)
    return (input.astype(np.float32) - offset) * along(scale, axis, input)


def along(values: np.ndarray, axis: int | None, x: np.ndarray) -> np.ndarray:
    """A number, or a vector that runs along one axis of x."""
    values = np.asarray(values)
    if values.ndim == 0 or axis is None:
        return values
    return values.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])


def reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    """Over `axes`, default all."""

    def run(x, axes=None, keep_dims=False):  # type: ignore[no-untyped-def]
        return function(x, axis=None if axes is None else tuple(int(a) for a in axes), keepdims=bool(keep_dims))

    return run


def index_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """argmax and argmin; `output_dtype` is that of the declared output."""
    return lambda x, axis=-1, keep_dims=False, output_dtype=None: function(x, int(axis), keepdims=bool(keep_dims))


def concat(values, axis, interleave=False):  # type: ignore[no-untyped-def]
    """End to end along an axis, or a slice of each in turn. A number counts as a list of one."""
    values = [np.atleast_1d(value) for value in values]
    if not interleave:
        return np.concatenate(values, int(axis))
    axis = int(axis) % values[0].ndim
    return np.stack(values, axis + 1).reshape([-1 if i == axis else n for i, n in enumerate(values[0].shape)])


def gather(x, indices, axis=0, batch_dims=0, validate_indices=False):  # type: ignore[no-untyped-def]
    """x at whole-number indices along an axis."""
    if batch_dims:
        raise NotImplementedError("gather with batch_dims")
    return np.take(x, indices, int(axis))


UNARY = {
    **{n: getattr(np, n) for n in (
        "abs", "ceil", "cos", "cosh", "exp", "exp2", "floor", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh"
    )},
    "acos": np.arccos, "asin": np.arcsin, "atan": np.arctan, "atanh": np.arctanh,
    "logical_not": np.logical_not, "round": np.rint, "erf": erf, "identity": lambda x: x, "sigmoid": sigmoid,
    "relu": lambda x: np.maximum(x, 0), "relu6": lambda x: np.clip(x, 0, 6), "silu": lambda x: x * sigmoid(x),
    "softplus": lambda x: np.logaddexp(x, np.float32(0)), "softsign": lambda x: x / (1 + np.abs(x)),
    "shape": lambda x: np.array(x.shape, np.int32),
}  # fmt: skip
BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "real_div": np.true_divide, "floor_div": np.floor_divide,
    "mod": np.mod, "pow": np.power, "maximum": np.maximum, "minimum": np.minimum, "equal": np.equal,
    "not_equal": np.not_equal, "greater": np.greater, "greater_equal": np.greater_equal, "less": np.less,
    "less_equal": np.less_equal, "logical_and": np.logical_and, "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
}  # fmt: skip
REDUCTIONS = {
    "mean": np.mean, "sum": np.sum, "max": np.max, "min": np.min, "prod": np.prod, "log_sum_exp": logsumexp,
    "l1_norm": lambda x, **over: np.sum(np.abs(x), **over), "log_sum": lambda x, **over: np.log(np.sum(x, **over)),
    "l2_norm": lambda x, **over: np.sqrt(np.sum(x * x, **over)), "sum_square": lambda x, **o: np.sum(x * x, **o),
}  # fmt: skip
OPS: dict[str, Callable[..., Any]] = {
    **{name: (lambda x, f=f: f(x)) for name, f in UNARY.items()},
    **{name: (lambda x, y, f=f: f(x, y)) for name, f in BINARY.items()},
    **{f"reduce_{name}": reduction(function) for name, function in REDUCTIONS.items()},
    **CONSTEXPR,
    "batch_norm": batch_norm,
    "cast": cast,
    "clamped_relu": lambda x, alpha, beta: np.minimum(np.where(x >= 0, x, alpha * x), beta),
    "clip": lambda x, alpha, beta: np.clip(x, alpha, beta),
    "concat": concat,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "cumsum": cumsum,
    "dequantize": dequantize,
    "einsum": lambda values, equation: np.einsum(str(equation), *values),
    "elu": lambda x, alpha=1.0: np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "expand_dims": lambda x, axes: np.expand_dims(x, tuple(int(a) for a in axes)),
    "fill": lambda shape, value=0.0: np.full([int(n) for n in shape], value),
    "flatten2d": lambda x, axis=1: x.reshape(int(np.prod(x.shape[:axis])), -1),
    "gather": gather,
    "gather_along_axis": lambda x, indices, axis=0, validate_indices=False: np.take_along_axis(x, indices, int(axis)),
    "gelu": gelu,
    "instance_norm": lambda x, gamma=None, beta=None, epsilon=1e-5: normalise(
        x, tuple(range(2, x.ndim)), gamma, beta, epsilon, (1,)
    ),
    "inverse": lambda x, epsilon=1e-4: 1 / (x + epsilon),
    "l2_norm": lambda x, epsilon=1e-6: x / np.sqrt(np.sum(x * x, axis=(-3, -2, -1), keepdims=True) + epsilon),
    "layer_norm": layer_norm,
    "leaky_relu": lambda x, alpha=0.01: np.where(x >= 0, x, alpha * x),
    "linear": lambda x, weight, bias=None: x @ weight.T + (0 if bias is None else bias),
    "linear_activation": lambda x, alpha=1.0, beta=0.0: alpha * x + beta,
    "log": lambda x, epsilon=1e-45: np.log(x + np.float32(epsilon)),
    "matmul": lambda x, y, transpose_x=False, transpose_y=False: np.matmul(
        x.swapaxes(-1, -2) if transpose_x else x, y.swapaxes(-1, -2) if transpose_y else y
    ),
    "avg_pool": pool(np.mean, 0.0),
    "max_pool": pool(np.max, -np.inf),
    "pad": pad,
    "prelu": lambda x, alpha: np.where(x >= 0, x, channelwise(alpha, x) * x),
    "quantize": quantize,
    "range_1d": lambda start, end, step: np.arange(start, end, step),
    "reduce_argmax": index_of(np.argmax),
    "reduce_argmin": index_of(np.argmin),
    "reshape": reshape,
    "reverse": lambda x, axes=None: np.flip(x, None if axes is None else tuple(int(a) for a in axes)),
    "rsqrt": lambda x, epsilon=1e-12: 1 / np.sqrt(x + np.float32(epsilon)),
    "scaled_tanh": lambda x, alpha=1.0, beta=1.0: alpha * np.tanh(beta * x),
    "select": lambda cond, a, b: np.where(cond, a, b),
    "sigmoid_hard": lambda x, alpha=0.2, beta=0.5: np.clip(alpha * x + beta, 0, 1),
    "slice_by_index": slice_by_index,
    "slice_by_size": slice_by_size,
    "softmax": softmax,
    "softplus_parametric": lambda x, alpha, beta: (
        channelwise(alpha, x) * np.logaddexp(channelwise(beta, x) * x, np.float32(0))
    ),
    "split": split,
    "squeeze": lambda x, axes=None: np.squeeze(x, None if axes is None else tuple(int(a) for a in axes)),
    "stack": lambda values, axis: np.stack(values, int(axis)),
    "threshold": lambda x, alpha: np.maximum(x, alpha),
    "thresholded_relu": lambda x, alpha=1.0: np.where(x >= alpha, x, 0),
    "tile": lambda x, reps: np.tile(x, [int(n) for n in reps]),
    "transpose": lambda x, perm: np.transpose(x, [int(a) for a in perm]),
}
