"""A saved Core ML package, run in NumPy, gives what torch and the formulas of Apple's MIL reference give."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

pytest.importorskip("coremltools")

from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types

from edge_ecg.errors import ParityError
from export.mil.apple import ct, cto
from export.mil.program import MilProgram

RANDOM = np.random.default_rng(0)


def saved(build: Callable, folder: Path, precision: object = ct.precision.FLOAT32, target: object = None, **shapes):
    """A package on disk whose program `build` makes from placeholders of these shapes."""
    specs = [mb.TensorSpec(shape=shape) for shape in shapes.values()]
    target = target or ct.target.iOS16
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = ", ".join(shapes)
        function = eval(f"lambda {names}: build({names})", {"build": build})  # the builder reads argument names
        program = mb.program(input_specs=specs, opset_version=target)(function)
        model = ct.convert(program, minimum_deployment_target=target, compute_precision=precision, skip_model_load=True)
        package = folder / "Model.mlpackage"
        model.save(str(package))
    return model, package


def normal(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def test_operations_of_one_value_are_those_of_torch(tmp_path):
    x = normal(2, 3, 8)
    oracles = {
        "abs": torch.abs, "atan": torch.atan, "ceil": torch.ceil, "cos": torch.cos, "erf": torch.erf,
        "exp": torch.exp, "exp2": torch.exp2, "floor": torch.floor, "relu": torch.relu, "relu6": F.relu6,
        "sigmoid": torch.sigmoid, "sign": torch.sign, "silu": F.silu, "sin": torch.sin, "sinh": torch.sinh,
        "softplus": F.softplus, "softsign": F.softsign, "square": torch.square, "tanh": torch.tanh,
        "round": torch.round,
    }  # fmt: skip
    _, package = saved(lambda x: tuple(getattr(mb, op)(x=x, name=op) for op in oracles), tmp_path, x=x.shape)
    values = MilProgram(package).run(x=x)
    for op, oracle in oracles.items():
        np.testing.assert_allclose(values[op], oracle(torch.from_numpy(x)), atol=1e-6, rtol=1e-6, err_msg=op)


def test_activations_with_parameters_are_those_of_torch(tmp_path):
    x, slopes = normal(2, 3, 8), np.full(3, 0.2, np.float32)
    t = torch.from_numpy(x)
    made = {
        "leaky": (lambda x: mb.leaky_relu(x=x, alpha=0.2, name="leaky"), F.leaky_relu(t, 0.2)),
        "elu": (lambda x: mb.elu(x=x, alpha=0.7, name="elu"), F.elu(t, 0.7)),
        "prelu": (lambda x: mb.prelu(x=x, alpha=slopes, name="prelu"), F.prelu(t, torch.from_numpy(slopes))),
        "gelu": (lambda x: mb.gelu(x=x, name="gelu"), F.gelu(t)),
        "gelu_tanh": (
            lambda x: mb.gelu(x=x, mode="TANH_APPROXIMATION", name="gelu_tanh"), F.gelu(t, approximate="tanh"),
        ),
        "softmax": (lambda x: mb.softmax(x=x, axis=1, name="softmax"), F.softmax(t, 1)),
        "clip": (lambda x: mb.clip(x=x, alpha=-0.5, beta=0.5, name="clip"), t.clamp(-0.5, 0.5)),
        "hard": (lambda x: mb.sigmoid_hard(x=x, alpha=0.3, beta=0.4, name="hard"), (0.3 * t + 0.4).clamp(0, 1)),
        "rsqrt": (lambda x: mb.rsqrt(x=mb.square(x=x), epsilon=0.1, name="rsqrt"), (t * t + 0.1).rsqrt()),
        "inverse": (lambda x: mb.inverse(x=mb.square(x=x), epsilon=0.5, name="inverse"), 1 / (t * t + 0.5)),
        "log": (lambda x: mb.log(x=mb.square(x=x), epsilon=0.01, name="log"), (t * t + 0.01).log()),
        "stanh": (lambda x: mb.scaled_tanh(x=x, alpha=6.0, beta=0.5, name="stanh"), 6 * (0.5 * t).tanh()),
    }  # fmt: skip
    _, package = saved(lambda x: tuple(build(x) for build, _ in made.values()), tmp_path, x=x.shape)
    values = MilProgram(package).run(x=x)
    for name, (_, wanted) in made.items():
        np.testing.assert_allclose(values[name], wanted, atol=1e-6, rtol=1e-5, err_msg=name)


def test_operations_of_two_values_broadcast_as_in_numpy(tmp_path):
    x, y = np.abs(normal(2, 3, 8)) + 0.5, np.abs(normal(3, 1)) + 0.5
    oracles = {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "real_div": np.divide, "maximum": np.maximum,
        "minimum": np.minimum, "pow": np.power, "floor_div": np.floor_divide, "mod": np.mod,
    }  # fmt: skip
    _, package = saved(
        lambda x, y: tuple(getattr(mb, op)(x=x, y=y, name=op) for op in oracles), tmp_path, x=x.shape, y=y.shape
    )
    values = MilProgram(package).run(x=x, y=y)
    for op, oracle in oracles.items():
        np.testing.assert_allclose(values[op], oracle(x, y), atol=1e-6, rtol=1e-6, err_msg=op)


def test_reductions_take_axes_and_keep_them_if_asked(tmp_path):
    x = np.abs(normal(2, 3, 8)) + 0.1
    oracles = {
        "reduce_mean": np.mean, "reduce_sum": np.sum, "reduce_max": np.max, "reduce_min": np.min,
        "reduce_prod": np.prod, "reduce_sum_square": lambda x, **k: np.sum(x * x, **k),
        "reduce_l2_norm": lambda x, **k: np.sqrt(np.sum(x * x, **k)), "reduce_l1_norm": lambda x, **k: np.sum(x, **k),
        "reduce_log_sum_exp": lambda x, **k: np.log(np.sum(np.exp(x), **k)),
    }  # fmt: skip

    def build(x):
        kept = [getattr(mb, op)(x=x, axes=[-1], keep_dims=True, name=f"{op}_kept") for op in oracles]
        return (*kept, *(getattr(mb, op)(x=x, axes=[0, 2], keep_dims=False, name=f"{op}_gone") for op in oracles))

    _, package = saved(build, tmp_path, x=x.shape)
    values = MilProgram(package).run(x=x)
    for op, oracle in oracles.items():
        np.testing.assert_allclose(values[f"{op}_kept"], oracle(x, axis=-1, keepdims=True), rtol=1e-5, err_msg=op)
        np.testing.assert_allclose(values[f"{op}_gone"], oracle(x, axis=(0, 2)), rtol=1e-5, err_msg=op)


def test_convolutions_are_those_of_torch(tmp_path):
    x, image = normal(2, 6, 21), normal(1, 4, 9, 7)
    full, grouped, bias = normal(8, 6, 5), normal(6, 3, 3), normal(8)
    square, back = normal(5, 4, 3, 3), normal(6, 4, 5)
    t, w = torch.from_numpy, {}
    x_t = t(x)

    def build(x, image):
        return (
            mb.conv(x=x, weight=full, bias=bias, name="plain"),
            mb.conv(x=x, weight=full, strides=[4], pad_type="custom", pad=[2, 1], name="custom"),
            mb.conv(x=x, weight=grouped, groups=2, dilations=[2], pad_type="custom", pad=[3, 3], name="grouped"),
            mb.conv(x=x, weight=full, pad_type="same", strides=[2], name="same"),
            mb.conv(x=x, weight=full[:, :, :4], pad_type="same_lower", strides=[1], name="lower"),
            mb.conv(x=image, weight=square, strides=[2, 1], pad_type="custom", pad=[1, 1, 0, 2], name="flat"),
            mb.conv_transpose(x=x, weight=back, strides=[2], pad_type="custom", pad=[1, 1], name="back"),
            mb.conv_transpose(x=x, weight=back, strides=[3], groups=2, dilations=[2], name="back_grouped"),
        )

    _, package = saved(build, tmp_path, x=x.shape, image=image.shape)
    values = MilProgram(package).run(x=x, image=image)
    w["plain"] = F.conv1d(x_t, t(full), t(bias))
    w["custom"] = F.conv1d(F.pad(x_t, (2, 1)), t(full), stride=4)
    w["grouped"] = F.conv1d(x_t, t(grouped), groups=2, dilation=2, padding=3)
    w["same"] = F.conv1d(F.pad(x_t, (2, 2)), t(full), stride=2)
    w["lower"] = F.conv1d(F.pad(x_t, (2, 1)), t(full[:, :, :4].copy()))
    w["flat"] = F.conv2d(F.pad(t(image), (0, 2, 1, 1)), t(square), stride=(2, 1))
    w["back"] = F.conv_transpose1d(x_t, t(back), stride=2, padding=1)
    w["back_grouped"] = F.conv_transpose1d(x_t, t(back), stride=3, groups=2, dilation=2)
    for name, wanted in w.items():
        np.testing.assert_allclose(values[name], wanted, atol=1e-5, err_msg=name)


def test_norms_pools_and_products_are_those_of_torch(tmp_path):
    x, gain, offset = normal(2, 6, 20), np.abs(normal(6)) + 0.5, normal(6)
    weight, bias = normal(4, 20), normal(4)
    t = torch.from_numpy
    x_t = t(x)
    made = {
        "batch": (
            lambda x: mb.batch_norm(x=x, mean=offset, variance=gain, gamma=gain, beta=offset, name="batch"),
            F.batch_norm(x_t, t(offset), t(gain), t(gain), t(offset), eps=1e-5),
        ),
        "layer": (lambda x: mb.layer_norm(x=x, axes=[-1], epsilon=1e-3, name="layer"),
                  F.layer_norm(x_t, [20], eps=1e-3)),
        "instance": (lambda x: mb.instance_norm(x=x, gamma=gain, beta=offset, name="instance"),
                     F.instance_norm(x_t, weight=t(gain), bias=t(offset))),
        "average": (lambda x: mb.avg_pool(x=x, kernel_sizes=[3], strides=[2], pad_type="custom", pad=[1, 1],
                                          name="average"),
                    F.avg_pool1d(x_t, 3, 2, padding=1)),
        "inside": (
            lambda x: mb.avg_pool(x=x, kernel_sizes=[3], strides=[2], pad_type="custom", pad=[1, 1],
                                  exclude_padding_from_average=True, name="inside"),
            F.avg_pool1d(x_t, 3, 2, padding=1, count_include_pad=False),
        ),
        "highest": (lambda x: mb.max_pool(x=x, kernel_sizes=[4], strides=[3], pad_type="valid", name="highest"),
                    F.max_pool1d(x_t, 4, 3)),
        "linear": (lambda x: mb.linear(x=x, weight=weight, bias=bias, name="linear"),
                   F.linear(x_t, t(weight), t(bias))),
        "product": (lambda x: mb.matmul(x=x, y=x, transpose_y=True, name="product"), x_t @ x_t.mT),
    }  # fmt: skip
    _, package = saved(lambda x: tuple(build(x) for build, _ in made.values()), tmp_path, x=x.shape)
    values = MilProgram(package).run(x=x)
    for name, (_, wanted) in made.items():
        np.testing.assert_allclose(values[name], wanted, atol=1e-5, err_msg=name)


def test_shapes_are_cut_and_put_together_as_in_numpy(tmp_path):
    x = normal(2, 3, 8)
    made = {
        "cut": (lambda x: mb.slice_by_index(x=x, begin=[0, 1, -3], end=[1, 3, 0], end_mask=[False, False, True],
                                            name="cut"), x[0:1, 1:3, -3:]),
        "one": (lambda x: mb.slice_by_index(x=x, begin=[1, 0, 0], end=[0, 3, 8], stride=[1, 2, 3],
                                            squeeze_mask=[True, False, False], name="one"), x[1, ::2, ::3]),
        "sized": (lambda x: mb.slice_by_size(x=x, begin=[0, 1, 2], size=[-1, 2, 4], name="sized"), x[:, 1:3, 2:6]),
        "shaped": (lambda x: mb.reshape(x=x, shape=[0, -1, 4], name="shaped"), x.reshape(2, 6, 4)),
        "turned": (lambda x: mb.transpose(x=x, perm=[2, 0, 1], name="turned"), x.transpose(2, 0, 1)),
        "wider": (lambda x: mb.expand_dims(x=x, axes=[1, 3], name="wider"), x[:, None, :, None]),
        "joined": (lambda x: mb.concat(values=(x, x), axis=-1, name="joined"), np.concatenate([x, x], -1)),
        "woven": (lambda x: mb.concat(values=(x, mb.mul(x=x, y=-1.0)), axis=1, interleave=True, name="woven"),
                  np.stack([x, -x], 2).reshape(2, 6, 8)),
        "stacked": (lambda x: mb.stack(values=(x, x), axis=1, name="stacked"), np.stack([x, x], 1)),
        "tiled": (lambda x: mb.tile(x=x, reps=[1, 2, 3], name="tiled"), np.tile(x, (1, 2, 3))),
        "padded": (lambda x: mb.pad(x=x, pad=[1, 2], constant_val=3.0, name="padded"),
                   np.pad(x, ((0, 0), (0, 0), (1, 2)), constant_values=3.0)),
        "mirrored": (lambda x: mb.pad(x=x, pad=[2, 2], mode="reflect", name="mirrored"),
                     np.pad(x, ((0, 0), (0, 0), (2, 2)), "reflect")),
        "taken": (lambda x: mb.gather(x=x, indices=[2, 0], axis=1, name="taken"), x[:, [2, 0]]),
        "summed": (lambda x: mb.cumsum(x=x, axis=2, name="summed"), np.cumsum(x, 2)),
        "reversed": (lambda x: mb.reverse(x=x, axes=[2], name="reversed"), x[..., ::-1]),
    }  # fmt: skip

    def build(x):
        parts = mb.split(x=x, axis=2, split_sizes=[3, 5], name="parts")
        chosen = mb.select(cond=mb.greater(x=x, y=0.0), a=x, b=mb.mul(x=x, y=2.0), name="chosen")
        return (*(make(x) for make, _ in made.values()), *parts, chosen)

    _, package = saved(build, tmp_path, x=x.shape)
    program = MilProgram(package)
    values = program.run(x=x)
    for name, (_, wanted) in made.items():
        np.testing.assert_allclose(values[name], wanted, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(values["chosen"], np.where(x > 0, x, 2 * x))
    np.testing.assert_array_equal(values["parts_0"], x[..., :3])
    np.testing.assert_array_equal(values["parts_1"], x[..., 3:])


@pytest.mark.parametrize(
    ("compress", "config", "target"),
    [
        (cto.linear_quantize_weights, cto.OpLinearQuantizerConfig(mode="linear", weight_threshold=0), ct.target.iOS16),
        (
            cto.linear_quantize_weights,
            cto.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=0, dtype="int4",
                                        granularity="per_block", block_size=2), ct.target.iOS18,
        ),
    ],
    ids=["affine", "blockwise int4"],
)  # fmt: skip
def test_compressed_weights_are_what_coremltools_says_they_are(compress, config, target, tmp_path):
    """The oracle is coremltools' own decompression, which shares no code with the executor."""
    weight = normal(8, 32)
    model, _ = saved(lambda x: mb.linear(x=x, weight=weight, name="y"), tmp_path, target=target, x=(1, 32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = compress(model, cto.OptimizationConfig(global_config=config))
        small.save(str(tmp_path / "small.mlpackage"))
        cto.decompress_weights(small).save(str(tmp_path / "plain.mlpackage"))
    x = normal(1, 32)
    small_program, plain = MilProgram(tmp_path / "small.mlpackage"), MilProgram(tmp_path / "plain.mlpackage")
    (stored, bits), (wanted, all_bits) = small_program.weights()[0], plain.weights()[0]
    assert bits == 8  # as the executor holds them; int4 numbers too
    assert all_bits == 32
    assert not np.allclose(stored, weight, atol=1e-4)
    np.testing.assert_allclose(stored, wanted, atol=1e-6)
    np.testing.assert_allclose(small_program(x=x), plain(x=x), atol=1e-5)


def test_a_float16_program_rounds_after_each_operation(tmp_path):
    _, package = saved(
        lambda x: mb.mul(x=mb.add(x=x, y=1.0), y=0.1, name="y"), tmp_path, ct.precision.FLOAT16, x=(1, 64)
    )
    x = normal(1, 64) * 100
    half = x.astype(np.float16)
    wanted = ((half + np.float16(1)).astype(np.float16) * np.float16(0.1)).astype(np.float32)
    np.testing.assert_array_equal(MilProgram(package).run(x=x)["y"], wanted)


def test_an_unknown_operation_is_named(tmp_path):
    def build(x):
        return mb.topk(x=x, k=2, axis=1, name="best")

    _, package = saved(build, tmp_path, x=(1, 8))
    with pytest.raises(ParityError, match="topk"):
        MilProgram(package)


def test_wrong_inputs_are_refused_by_name_and_shape(tmp_path):
    _, package = saved(lambda x: mb.relu(x=x, name="y"), tmp_path, x=(1, 8))
    program = MilProgram(package)
    with pytest.raises(ParityError, match="takes \\['x'\\], got \\['z'\\]"):
        program(z=normal(1, 8))
    with pytest.raises(ParityError, match="\\[1, 8\\], got \\[1, 9\\]"):
        program(x=normal(1, 9))


def test_a_damaged_package_is_refused(tmp_path):
    _, package = saved(lambda x: mb.linear(x=x, weight=normal(64, 64), name="y"), tmp_path, x=(1, 64))
    (package / "Data/com.apple.CoreML/weights/weight.bin").write_bytes(b"")
    with pytest.raises(ParityError, match="can't be read as a Core ML package"):
        MilProgram(package)
    with pytest.raises(ParityError, match="can't be read"):
        MilProgram(tmp_path / "missing.mlpackage")


def test_integers_keep_their_type(tmp_path):
    def build(x):
        return mb.cast(x=mb.mul(x=x, y=10.0), dtype="int32", name="whole"), mb.shape(x=x, name="size")

    _, package = saved(build, tmp_path, x=(2, 8))
    values = MilProgram(package).run(x=np.full((2, 8), 0.37, np.float32))
    assert values["whole"].dtype == np.int32
    assert (values["whole"] == 3).all()
    assert types.nptype_from_builtin(types.int32) is np.int32
