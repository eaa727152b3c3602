"""A saved Core ML package, run in NumPy, so that its file can be checked on any machine.

A check of the artifact (weights file, graph, compression), not of Apple's kernels: those add in another order and, on
the Neural Engine, in float16. On macOS `export.parity` runs the package through Core ML as well.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_ecg.errors import ParityError, UnsupportedOperationError, first_line
from export.mil.apple import ct, load_mil, types
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

    def run(self, values: dict[str, np.ndarray]) -> None:
        """Add the values that it makes, rounded as the program declares."""
        taken = {
            argument: [_single(values[v]) if isinstance(v, str) else v for v in source]
            if isinstance(source, list)
            else _single(values[source])
            for argument, source in self.takes.items()
        }
        results = self.function(**taken, **self.constants)
        for name, dtype, value in zip(self.makes, self.dtypes, _listed(results, self.makes), strict=True):
            values[name] = np.asarray(value).astype(dtype, copy=False)


class MilProgram:
    """The program of a `.mlpackage`.

    Raises ParityError for a package that can't be read, UnsupportedOperationError for an operation that is not known.

    Called with arrays by name it gives the only output. Operations compute in float32 and round to the type that the
    program declares, so that sums of a float16 program are rounded once.
    """

    def __init__(self, package: str | Path):
        self.package = Path(package)
        spec, program = _read(self.package)
        if "main" not in program.functions:
            raise ParityError(f"{self.package.name} has functions {sorted(program.functions)}, expected 'main'")
        body = program.functions["main"]
        self.inputs = {name: _shape(var) for name, var in body.inputs.items()}
        self.outputs = {var.name: _shape(var) for var in body.outputs}
        self._input_dtypes = {name: _dtype(var) for name, var in body.inputs.items()}
        self._check_features(spec)
        self._constants: dict[str, Any] = {}
        self._bits: dict[str, int] = {}  # that one number of a constant takes in the file
        self._weights: list[str] = []  # constants that are weights
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
        with np.errstate(all="ignore"):  # overflow shows as a wrong value
            for step in self.steps:
                step.run(values)
        return values

    def weights(self) -> list[tuple[np.ndarray, int]]:
        """The weights of its convolutions and linear layers, each with the bits that one number takes in the file."""
        return [(np.asarray(self._constants[name], np.float32), self._bits[name]) for name in self._weights]

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
        return {name: value.astype(dtypes[name], copy=False) for name, value in inputs.items()}

    def _check_features(self, spec: Any) -> None:
        """Check that the package describes the inputs and outputs of its program."""
        described = {f.name for f in spec.description.input}, {f.name for f in spec.description.output}
        if described != (set(self.inputs), set(self.outputs)):
            raise ParityError(
                f"{self.package.name} describes {sorted(described[0])} -> {sorted(described[1])}, "
                f"its program has {sorted(self.inputs)} -> {sorted(self.outputs)}"
            )

    def _add(self, op: Any) -> None:
        names = tuple(var.name for var in op.outputs)
        if op.op_type == "const":
            self._constants[names[0]] = value = op.outputs[0].val
            self._bits[names[0]] = 8 * np.asarray(value).itemsize
            return
        if op.op_type not in OPS:
            raise UnsupportedOperationError(
                f"{self.package.name} uses {op.op_type} ({op.name}), which the executor does not know"
            )
        constants: dict[str, Any] = {}
        takes: dict[str, str | list[Any]] = {}
        for argument, var in op.inputs.items():
            if isinstance(var, list | tuple):
                takes[argument] = [self._constants.get(v.name, v.name) for v in var]
            elif var is not None and var.name in self._constants:
                constants[argument] = _single(self._constants[var.name])
                if argument == "weight":
                    self._weights.append(var.name)
            elif var is not None:
                takes[argument] = var.name
        step = Step(op.name, op.op_type, OPS[op.op_type], constants, takes, names, tuple(map(_dtype, op.outputs)))
        if op.op_type.startswith("constexpr_"):  # decompressed when the package is loaded
            step.run(self._constants)
            sources = [var.name for var in op.inputs.values() if var is not None]
            self._bits[names[0]] = self._bits[max(sources, key=lambda name: np.size(self._constants[name]))]
        else:
            self.steps.append(step)


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
        reason = first_line(error)
        raise ParityError(f"{package.name} can't be read as a Core ML package: {reason}") from None
