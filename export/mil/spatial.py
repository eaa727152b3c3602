"""MIL operations with a kernel that moves along the last axes: convolution and pooling, in NumPy."""

from collections.abc import Callable, Sequence

import numpy as np

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
