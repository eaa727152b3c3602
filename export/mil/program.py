"""A saved Core ML package, run in NumPy: what the file says, checked on any machine.

A check of the artefact (weights file, graph, compression), not of Apple's kernels: those add in another order and, on
the Neural Engine, in float16. On macOS `export.parity` runs the package through Core ML as well.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.errors import ParityError
from export.apple import ct, load_mil, types
from export.mil.ops import OPS


@dataclass(frozen=True)
class Step:
    """One operation: a function, its constant arguments, and the names of the values it takes and makes."""

    name: str
    op_type: str
    function: Callable[..., Any]
    constants: dict[str, Any]
    takes: dict[str, str | list[Any]]  # by argument; a list holds names and constants
    makes: tuple[str, ...]
    dtypes: tuple[np.dtype, ...]

    def values_taken(self) -> list[str]:
        """The names of the values it takes."""
        sources = [source if isinstance(source, list) else [source] for source in self.takes.values()]
        return [value for source in sources for value in source if isinstance(value, str)]

    def run(self, values: dict[str, np.ndarray], half: bool) -> Iterator[tuple[str, np.ndarray]]:
        """The values it makes, rounded as the program declares; `half` rounds every float to float16."""
        taken = {
            argument: [_single(values[v]) if isinstance(v, str) else v for v in source]
            if isinstance(source, list)
            else _single(values[source])
            for argument, source in self.takes.items()
        }
        with np.errstate(all="ignore"):  # overflow is reported by `half_precision`, and shows as a wrong value
            results = self.function(**taken, **self.constants)
            for name, dtype, value in zip(self.makes, self.dtypes, _listed(results, self.makes), strict=True):
                rounded = np.asarray(value).astype(dtype, copy=False)
                yield name, rounded.astype(np.float16) if half and _is_float(rounded) else rounded


class MilProgram:
    """One function of a `.mlpackage`. Raises ParityError for a package that can't be read or an op that is not known.

    Called with arrays by name it gives the only output; `half` rounds to float16 after each operation, as a program
    of compute_precision=FLOAT16 would: operations compute in float32, so sums are rounded once.
    """

    def __init__(self, package: str | Path, function: str = "main", half: bool = False):
        self.package = Path(package)
        self.half = half
        spec, program = _read(self.package)
        if function not in program.functions:
            raise ParityError(f"{self.package.name} has functions {sorted(program.functions)}, expected {function!r}")
        body = program.functions[function]
        self.inputs = {name: _shape(var) for name, var in body.inputs.items()}
        self.outputs = {var.name: _shape(var) for var in body.outputs}
        self._input_dtypes = {name: _dtype(var) for name, var in body.inputs.items()}
        self._check_features(spec, function)
        self._constants: dict[str, Any] = {}
        self.steps: list[Step] = []
        for op in body.operations:
            self._add(op)

    def __call__(self, **inputs: np.ndarray) -> np.ndarray:
        values = self.run(**inputs)
        if len(self.outputs) != 1:
            raise ParityError(f"{self.package.name} has outputs {list(self.outputs)}, expected one")
        return values[next(iter(self.outputs))].astype(np.float32)

    def run(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Every value that the program computes, by name, its outputs among them."""
        values = {**self._constants, **self._checked(inputs)}
        for step in self.steps:
            values.update(step.run(values, self.half))
        return values

    def coarse_steps(self, most_loss: float, **inputs: np.ndarray) -> frozenset[str]:
        """The operations that float16 alone, on exact values rounded to it, puts off by more than a share."""
        exact = self.run(**inputs)
        with np.errstate(over="ignore"):
            rounded = {n: v.astype(np.float16) if _is_float(v) else v for n, v in exact.items()}
        return frozenset(
            step.name
            for step in self.steps
            if any(not _relative_error(exact[n], v) <= most_loss for n, v in step.run(rounded, True))
        )

    def weights(self) -> list[np.ndarray]:
        """The weights of its convolutions and linear layers."""
        return [np.asarray(s.constants["weight"]) for s in self.steps if "weight" in s.constants]

    def _checked(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if inputs.keys() != self.inputs.keys():
            raise ParityError(f"{self.package.name} takes {sorted(self.inputs)}, got {sorted(inputs)}")
        for name, value in inputs.items():
            wanted = self.inputs[name]
            if len(wanted) != np.ndim(value) or any(
                w not in (None, n) for w, n in zip(wanted, value.shape, strict=True)
            ):
                raise ParityError(f"{self.package.name} takes {name} {wanted}, got {list(np.shape(value))}")
        dtypes = self._input_dtypes
        return {
            n: v.astype(np.float16 if self.half and dtypes[n] == np.float32 else dtypes[n], copy=False)
            for n, v in inputs.items()
        }

    def _check_features(self, spec: Any, function: str) -> None:
        """What the package tells an app must be what its program has."""
        described = {f.name: f for f in spec.description.functions}.get(function, spec.description)
        told = {f.name for f in described.input}, {f.name for f in described.output}
        if told != (set(self.inputs), set(self.outputs)):
            raise ParityError(
                f"{self.package.name} describes {sorted(told[0])} -> {sorted(told[1])}, "
                f"its program has {sorted(self.inputs)} -> {sorted(self.outputs)}"
            )

    def _add(self, op: Any) -> None:
        names = tuple(var.name for var in op.outputs)
        if op.op_type == "const":
            value = op.outputs[0].val
            self._constants[names[0]] = value.astype(np.float16) if self.half and _is_float(value) else value
            return
        if op.op_type not in OPS:
            raise ParityError(f"{self.package.name} uses {op.op_type} ({op.name}), which the executor does not know")
        constants: dict[str, Any] = {}
        takes: dict[str, str | list[Any]] = {}
        for argument, var in op.inputs.items():
            if isinstance(var, list | tuple):
                takes[argument] = [self._constants.get(v.name, v.name) for v in var]
            elif var is not None and var.name in self._constants:
                constants[argument] = _single(self._constants[var.name])
            elif var is not None:
                takes[argument] = var.name
        step = Step(op.name, op.op_type, OPS[op.op_type], constants, takes, names, tuple(map(_dtype, op.outputs)))
        if op.op_type.startswith("constexpr_"):  # decompressed when the package is loaded
            self._constants.update(step.run({}, self.half))
        else:
            self.steps.append(step)


@dataclass(frozen=True)
class HalfPrecision:
    """What float16 does to a program on some inputs."""

    overflows: str | None  # the first operation whose result is finite in float32 and not in float16
    worst: str  # of the others, the operation that adds most relative error
    worst_error: float  # ... and how much
    output_error: float  # of the output, relative to its largest number


def half_precision(package: str | Path, **inputs: np.ndarray) -> HalfPrecision:
    """Run a package in both arithmetics and find where float16 goes wrong."""
    single, half = MilProgram(package), MilProgram(package, half=True)
    exact, rounded = single.run(**inputs), half.run(**inputs)
    overflows, added = None, {}
    errors = {name: _relative_error(exact[name], rounded[name]) for name in inputs}
    for step in single.steps:
        errors |= {name: _relative_error(exact[name], rounded[name]) for name in step.makes}
        came_in = max((errors[name] for name in step.values_taken()), default=0.0)
        went_out = max(errors[name] for name in step.makes)
        title = f"{step.name} ({step.op_type})"
        if np.isfinite(went_out):
            added[title] = went_out - came_in
        elif overflows is None:
            overflows = title
    worst = max(added, key=added.__getitem__, default=str(overflows))
    return HalfPrecision(overflows, worst, added.get(worst, np.inf), max(errors[name] for name in single.outputs))


def _relative_error(exact: Any, rounded: Any) -> float:
    exact = np.asarray(exact)
    if exact.dtype.kind != "f" or exact.size == 0:
        return 0.0
    off = np.abs(exact.astype(np.float64) - np.asarray(rounded, np.float64)).max()
    scale = float(np.abs(exact).max())
    return float(np.inf if not np.isfinite(off) else off / scale if scale else off)


def _is_float(value: Any) -> bool:
    return getattr(value, "dtype", None) == np.float32


def _single(value: Any) -> Any:
    """float16 numbers as float32, to compute with."""
    return value.astype(np.float32) if getattr(value, "dtype", None) == np.float16 else value


def _listed(results: Any, names: tuple[str, ...]) -> Any:
    return results if len(names) > 1 or isinstance(results, list | tuple) else [results]


def _shape(var: Any) -> list[int | None]:
    return [int(size) if isinstance(size, int | np.integer) else None for size in var.shape]


def _dtype(var: Any) -> np.dtype:
    dtype = np.dtype(types.nptype_from_builtin(var.dtype))
    return np.dtype(np.float32) if dtype == np.float64 else dtype


def _read(package: Path) -> tuple[Any, Any]:
    """The specification and the MIL program of a package."""
    try:
        spec = ct.utils.load_spec(str(package))
        weights = package / "Data" / "com.apple.CoreML" / "weights"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return spec, load_mil(spec, spec.specificationVersion, file_weights_dir=str(weights))
    except Exception as error:  # coremltools, protobuf and its weight reader share no base class
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ParityError(f"{package.name} can't be read as a Core ML package: {reason}") from None
