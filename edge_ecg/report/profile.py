"""The cost of a bundle by layer: parameters, multiply-adds, bytes, time on this machine, an estimate for a watch.

Counted on the portable form, whose flat list of layers is what a device runs.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import safetensors.numpy

from edge_ecg.bundles.bundle import Bundle, read_files
from edge_ecg.errors import BundleError, RunError
from edge_ecg.inference.portable import LAYERS, OPS, WEIGHTS, WEIGHTS_INT8, with_defaults
from edge_ecg.results import DeviceCounts, DeviceFigures, read_record

# Assumed and not measured: cycles an instruction, and what a microcontroller with such a core draws for a cycle, its
# memories included (100 uA/MHz at 3 V, 280 uA/MHz at 3.3 V).
CYCLES_AN_INSTRUCTION = 1.5
NANOJOULES_A_CYCLE = {"m4f": 0.3, "m7": 0.9}


def power_mw(name: str, counts: DeviceCounts) -> float | None:
    """Estimated power of listening; None where nothing is assumed of such a device."""
    if name not in NANOJOULES_A_CYCLE:
        return None
    return counts.instructions_a_second_of_ecg * CYCLES_AN_INSTRUCTION * NANOJOULES_A_CYCLE[name] * 1e-6


def _device_json(figures: DeviceFigures) -> dict[str, Any]:
    """Counts by device, the estimate of power beside them."""
    return {
        name: {
            **msgspec.to_builtins(counts),
            "differences": len(counts.differences),
            "estimated_power_mw": power_mw(name, counts),
        }
        for name, counts in figures.devices.items()
    }


def _device_lines(figures: DeviceFigures) -> Iterator[str]:
    """One line per device, then the assumptions."""
    for name, of in figures.devices.items():
        memory = f", {of.code_bytes:,} bytes of code, {of.ram_bytes:,} of RAM" if of.code_bytes and of.ram_bytes else ""
        power = power_mw(name, of)
        energy = f"; an estimate of {power:.2f} mW" if power else ""
        wrong = f"; {len(of.differences)} DIFFERENCES from Python" if of.differences else ""
        yield (
            f"{'counted, ' + name:19} {of.instructions_a_second_of_ecg / 1e6:.2f} million instructions a second "
            f"of ECG, {of.instructions_to_open / 1e6:.1f} million to open{memory}{energy}{wrong}"
        )
    yield (
        f"{'':19} on emulated devices, {figures.form}, {figures.recordings} recordings of {figures.seconds:.0f} s "
        f"in all. The estimates assume {CYCLES_AN_INSTRUCTION} cycles an instruction and "
        + ", ".join(f"{nanojoules} nJ a cycle ({name})" for name, nanojoules in NANOJOULES_A_CYCLE.items())
    )


def read_device_figures(path: Path, bundle_sha256: str) -> DeviceFigures:
    """The figures of the bundle whose manifest has that SHA-256. Raises RunError for another's, and for no figures."""
    try:
        figures = read_record(path, DeviceFigures)
    except RunError as error:
        raise RunError(f"{error}: python -m benches.device BUNDLE RECORDING... --json {path}") from None
    if figures.bundle_sha256 != bundle_sha256:
        raise RunError(f"{path}: is of another bundle; measure this one: python -m benches.device BUNDLE RECORDING...")
    return figures


BEATS_PER_SECOND = 75 / 60
# A watch-class core, assumed and not measured: one multiply-add every third cycle of 1.5 GHz in plain Swift without
# vector instructions, a cycle and a half for any other number that a layer writes, 1 us to start a layer.
WATCH_MULTIPLY_ADDS_PER_S = 0.5e9
WATCH_NUMBERS_PER_S = 1e9
WATCH_LAYER_S = 1e-6
FLOAT_BYTES = 4
TIMED_RUNS = 200


@dataclass(frozen=True)
class LayerCost:
    """Costs of one layer for one beat against all references."""

    program: str
    op: str
    output: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    live_bytes: int  # values that must be kept while it runs, as float32
    us: float  # in the NumPy engine, here: which layers are slow, not how fast a device is

    @property
    def watch_s(self) -> float:
        """The estimate for a watch-class core."""
        work = self.multiply_adds / WATCH_MULTIPLY_ADDS_PER_S if self.multiply_adds else 0.0
        return work + prod(self.shape) / WATCH_NUMBERS_PER_S + WATCH_LAYER_S


@dataclass(frozen=True)
class Profile:
    """Layers, and bytes that a device must carry."""

    layers: list[LayerCost]
    weight_bytes: dict[str, int]  # by artifact
    reference_bytes: int
    beat_us: float  # one beat through ONNX Runtime, here
    device: DeviceFigures | None = None  # what was counted on emulated devices

    def to_json(self) -> dict[str, Any]:
        """Everything, with the sums."""
        parameters, multiply_adds = (sum(getattr(c, n) for c in self.layers) for n in ("parameters", "multiply_adds"))
        return {
            "parameters": parameters,
            "multiply_adds_a_beat": multiply_adds,
            "multiply_adds_a_second": multiply_adds * BEATS_PER_SECOND,
            "peak_activation_bytes": max(c.live_bytes for c in self.layers),
            "weight_bytes": self.weight_bytes,
            "reference_bytes": self.reference_bytes,
            "onnx_beat_us": self.beat_us,
            "watch_estimate_us": sum(c.watch_s for c in self.layers) * 1e6,
            **({"devices": _device_json(self.device)} if self.device else {}),
            "layers": [asdict(c) for c in self.layers],
        }

    def lines(self) -> Iterator[str]:
        """The profile as a table."""
        facts = self.to_json()
        yield f"{'layer':22} {'output':12} {'parameters':>10} {'multiply-adds':>13} {'live bytes':>10} {'of time':>8}"
        total_us = sum(c.us for c in self.layers)
        for c in self.layers:
            shape = "x".join(map(str, c.shape))
            yield (
                f"{c.program + ' ' + c.op:22} {shape:12} {c.parameters:>10,} {c.multiply_adds:>13,} "
                f"{c.live_bytes:>10,} {c.us / total_us:>8.1%}"
            )
        yield f"parameters          {facts['parameters']:,} (batch norm folded)"
        yield (
            f"multiply-adds       {facts['multiply_adds_a_beat']:,} per beat, "
            f"{facts['multiply_adds_a_second'] / 1e6:.2f} million a second of stream at 75 beats a minute"
        )
        yield f"peak activations    {facts['peak_activation_bytes']:,} bytes"
        yield f"references          {self.reference_bytes:,} bytes"
        for name, size in self.weight_bytes.items():
            yield f"{name:19} {size:,} bytes"
        yield f"measured here       {self.beat_us:.0f} us per beat in ONNX Runtime, one thread; the shares are NumPy's"
        yield (
            f"watch, an estimate  {facts['watch_estimate_us'] / 1000:.1f} ms per beat, assuming 0.5 billion "
            "multiply-adds and 1 billion written numbers a second, and 1 us a layer; not measured on a watch"
        )
        if self.device:
            yield from _device_lines(self.device)


def profile(bundle: Bundle, device_figures: Path | None = None) -> Profile:
    """Count and time a bundle's layers; with a file of `python -m benches.device`, add measurements on devices.

    Raises BundleError if it has no portable form, RunError if the file is of another bundle.
    """
    _, files = read_files(bundle.path)
    if LAYERS not in files:
        raise BundleError(f"{bundle.path}: holds no {LAYERS} to count; export it again")
    device = read_device_figures(device_figures, bundle.sha256) if device_figures else None
    form, tensors = json.loads(files[LAYERS]), safetensors.numpy.load(files[WEIGHTS])
    beat = np.ones((1, bundle.contract.beat_length), np.float32)
    beat[0, : bundle.contract.window_samples] = 100 * np.sin(np.arange(bundle.contract.window_samples))
    references = bundle.references.embeddings
    inputs = {"encoder": [beat], "comparator": [bundle.encoder(beat), references]}
    layers = [cost for name, given in inputs.items() for cost in _layers(name, form[name], tensors, given)]
    began = time.perf_counter()
    for _ in range(TIMED_RUNS):
        bundle.comparator(bundle.encoder(beat), references)
    beat_us = (time.perf_counter() - began) / TIMED_RUNS * 1e6
    return Profile(layers, _weight_bytes(files), len(files["references.safetensors"]), beat_us, device)


def _layers(
    name: str, program: dict[str, Any], tensors: dict[str, np.ndarray], inputs: list[np.ndarray]
) -> list[LayerCost]:
    values = {**tensors, **dict(zip(program["inputs"], inputs, strict=True))}
    steps = with_defaults(program)
    last_use = {source: i for i, layer in enumerate(steps) for source in layer["inputs"]}
    last_use[program["output"]] = len(steps)
    costs = []
    for i, layer in enumerate(steps):
        given = [values[source] for source in layer["inputs"]]
        shape = tuple(len(inputs[-1]) if size == "R" else size for size in layer["shape"])
        began = time.perf_counter()
        for _ in range(TIMED_RUNS):
            result = OPS[layer["op"]](layer, *given)
        us = (time.perf_counter() - began) / TIMED_RUNS * 1e6
        values[layer["output"]] = np.broadcast_to(result, shape) if layer["op"] == "expand" else result.reshape(shape)
        weights = [tensors[source] for source in layer["inputs"] if source in tensors]
        live = [v for v in values if v not in tensors and v != "references" and last_use.get(v, -1) >= i]
        live_bytes = FLOAT_BYTES * sum(values[v].size for v in {*live, layer["output"]})
        parameters = sum(weight.size for weight in weights)
        costs.append(
            LayerCost(
                name,
                layer["op"],
                layer["output"],
                shape,
                parameters,
                _multiply_adds(layer, shape, weights),
                live_bytes,
                us,
            )
        )
    return costs


def _multiply_adds(layer: dict[str, Any], shape: tuple[int, ...], weights: list[np.ndarray]) -> int:
    """Each number that a convolution or linear layer writes is as many as its kernel has weights."""
    return prod(shape) * prod(weights[0].shape[1:]) if layer["op"] in ("conv1d", "linear") else 0


def _weight_bytes(files: dict[str, bytes]) -> dict[str, int]:
    """Bytes of each artifact that a device must carry, without references."""
    sizes = {
        "ONNX": sum(len(c) for n, c in files.items() if n in ("encoder.onnx", "comparator.onnx")),
        "ONNX int8": sum(len(c) for n, c in files.items() if n.endswith("_int8.onnx")),
        "Core ML": sum(len(c) for n, c in files.items() if n.startswith(("Encoder.mlpackage", "Comparator.mlpackage"))),
        "Core ML int8": sum(len(c) for n, c in files.items() if "_int8.mlpackage/" in n),
        "portable": len(files[LAYERS]) + len(files[WEIGHTS]),
        "portable int8": len(files[LAYERS]) + len(files.get(WEIGHTS_INT8, b"")) if WEIGHTS_INT8 in files else 0,
    }
    return {name: size for name, size in sizes.items() if size}
