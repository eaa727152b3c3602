"""`python -m export.coreml`: the two graphs as Core ML packages, on Linux as well as on a Mac."""

import contextlib
import io
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from edge_ecg.atomic import write_file
from edge_ecg.console import run_command
from edge_ecg.contract import INTENDED_USE, Contract
from edge_ecg.errors import ParityError
from edge_ecg.inference.references import ReferenceBank
from export.apple import ct, cto
from export.compression.finetune import SCHEMES, refined
from export.compression.weights import INT8, PALETTE4, PALETTE6, Scheme
from export.formats.packages import CORE_ML_FLOAT, PACKAGES, VARIANTS, Variant
from export.formats.slim import slimmed
from export.gate.artefacts import artefact, multifunction
from export.gate.parity_check import Trial
from export.gate.reference_model import Original
from export.graphs import MOST_REFERENCES, Graph, graphs_of
from export.mil.program import MilProgram
from export.references import reference_files
from train.model.model import embed
from train.run import Run, load_run

MOST_LOSS = 0.01  # of an operation's largest number: beyond it, float16 is not for this operation
SAMPLES, LOUD_SAMPLES = 48, 16  # training beats on which that is measured


def to_coreml(
    graph: Graph, contract: Contract, variant: Variant = CORE_ML_FLOAT, spared: frozenset[str] = frozenset()
) -> dict[str, bytes]:
    """One graph as the files of an mlprogram package (watchOS 9, iOS 16, macOS 13), by name inside the package.

    The graph's weights lie on the variant's grid already. In float16, operations named in `spared` stay float32.
    """
    model = _converted(graph, variant, spared)
    model.short_description = f"Edge ECG {graph.name}. {INTENDED_USE}"
    for name in graph.inputs:
        model.input_description[name] = graph.meaning[name]
    model.output_description[graph.output] = graph.meaning[graph.output]
    model.user_defined_metadata.clear()
    model.user_defined_metadata["edge_ecg.contract_version"] = str(contract.version)
    model.user_defined_metadata["edge_ecg.intended_use"] = INTENDED_USE
    with _saved(model) as package:
        return _files(package)


def multifunction_files(variant: Variant, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Both packages of these files as one with a function for each graph (watchOS 11, iOS 18, macOS 15)."""
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        for name, content in files.items():
            write_file(Path(scratch) / name, content)
        both = ct.utils.MultiFunctionDescriptor()
        for graph in PACKAGES:
            both.add_function(str(Path(scratch) / variant.package(graph)), "main", graph)
        both.default_function_name = "encoder"
        ct.utils.save_multifunction(both, str(Path(scratch) / variant.together))
        made = _files(Path(scratch) / variant.together)
    return {f"{variant.together}/{name}": content for name, content in made.items()}


def _files(package: Path) -> dict[str, bytes]:
    """A package's files, by name inside it, without what no runtime reads."""
    files = {
        file.relative_to(package).as_posix(): file.read_bytes()
        for file in sorted(package.rglob("*"))
        if file.is_file() and file.name != "executorch_debug_handle_mapping.json"
    }
    return files | {name: slimmed(files[name]) for name in files if name.endswith(".mlmodel")}


def coarse_operations(graph: Graph, inputs: list[dict[str, np.ndarray]]) -> frozenset[str]:
    """The operations that lose more than 1 % in float16, or overflow, on exact values of these inputs."""
    with _saved(_converted(graph, CORE_ML_FLOAT, frozenset())) as package:
        program = MilProgram(package)
    return frozenset().union(*(program.coarse_steps(MOST_LOSS, **values) for values in inputs))


def _converted(graph: Graph, variant: Variant, spared: frozenset[str]) -> Any:
    precision: Any = ct.precision.FLOAT32
    if variant.half:
        precision = ct.transform.FP16ComputePrecision(op_selector=lambda op: op.name not in spared)
    with _quiet():
        model = ct.convert(
            _exported(graph),
            outputs=[ct.TensorType(name=graph.output)],
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.watchOS9,
            compute_precision=precision,
            compute_units=ct.ComputeUnit.CPU_ONLY,
            skip_model_load=True,
        )
        return _compressed(model, variant.scheme)


@contextlib.contextmanager
def _saved(model: Any) -> Iterator[Path]:
    """A model as a package on disk, for a while."""
    with tempfile.TemporaryDirectory() as scratch:
        package = Path(scratch) / "Model.mlpackage"
        model.save(str(package))
        yield package


def _exported(graph: Graph) -> torch.export.ExportedProgram:
    count = torch.export.Dim("references", min=1, max=MOST_REFERENCES)
    dynamic = tuple({i: count for i, d in enumerate(s) if d is None} for s in graph.inputs.values())
    return torch.export.export(
        graph.module, tuple(graph.example().values()), dynamic_shapes=dynamic if any(dynamic) else None
    ).run_decompositions({})


def _compressed(model: Any, scheme: Scheme) -> Any:
    """The weights of a converted model, which lie on the scheme's grid, stored as the scheme says."""
    compress: Callable[..., Any]
    if scheme is INT8:
        op: Any = cto.OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int8", weight_threshold=0)
        compress = cto.linear_quantize_weights
    elif scheme in (PALETTE6, PALETTE4):
        op = cto.OpPalettizerConfig(mode="unique", weight_threshold=scheme.fewest - 1)
        compress = cto.palettize_weights
    else:
        return model
    return compress(model, cto.OptimizationConfig(op_type_configs={"conv": op, "linear": op}))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's own deprecations while it exports, and progress bars of a few milliseconds each."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def coreml_files(
    finished: Run, original: Original, variant: Variant = CORE_ML_FLOAT, bank: ReferenceBank | None = None
) -> dict[str, bytes]:
    """The files of both packages, by name. Mixed precision is found on training beats against a bank.

    There are none of mixed precision if no operation needs more than float16.
    """
    files: dict[str, bytes] = {}
    graphs = graphs_of(original.compressed(variant.scheme))
    spared = [coarse_operations(g, _samples(finished, g, bank)) if variant.mixed else frozenset() for g in graphs]
    if variant.mixed and not any(spared):
        return files
    for graph, operations in zip(graphs, spared, strict=True):
        for name, content in to_coreml(graph, finished.contract, variant, operations).items():
            files[f"{variant.package(graph.name)}/{name}"] = content
    return files


def _samples(finished: Run, graph: Graph, bank: ReferenceBank | None) -> list[dict[str, np.ndarray]]:
    """Inputs of a graph: training beats, spread over all, and the largest of them at four times their size."""
    values = finished.training.values
    beats = values[:: max(1, len(values) // SAMPLES)]
    if graph.name == "encoder":
        largest = values[np.argsort(np.abs(values).max(1))[-LOUD_SAMPLES:]].copy()
        largest[:, :-1] *= 4  # not the RR interval; float16 must also stand a louder person
        return [{"beat": beat[np.newaxis]} for beat in np.concatenate([beats, largest])]
    references = (bank or finished.references()[1]).embeddings
    return [{"embedding": e[np.newaxis], "references": references} for e in embed(finished.model, beats)]


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the two packages.")
@click.option("--weights", type=click.Choice([v.title for v in VARIANTS]), default="fp32", show_default=True)
@click.option("--multifunction", "together", is_flag=True, help="One package with two functions (watchOS 11).")
def export_coreml(run_folder: Path, out: Path, weights: str, together: bool) -> None:
    """Write the two packages, once they have been run and decide as the model."""
    finished = load_run(run_folder)
    variant = next(v for v in VARIANTS if v.title == weights)
    trial = Trial(Original.of_run(finished), finished.validation, finished.rule)
    if variant.scheme in SCHEMES:
        trial = refined(trial, finished.training.values, [variant.scheme])
    files, kind = coreml_files(finished, trial.original, variant), artefact(variant.name)
    if not files:
        raise ParityError("no operation needs more than float16; expected --weights fp16")
    if together:
        files, kind = multifunction_files(variant, files), multifunction(variant)
    trial.check(kind, files | reference_files(trial.original.bank())).require()
    for name, content in files.items():
        write_file(out / name, content)
    for package in kind.parts:
        size = sum(len(content) for name, content in files.items() if name.startswith(package))
        target = "watchOS 11, two functions" if together else "watchOS 9"
        click.echo(f"{out / package}  {size} bytes, mlprogram for {target}, {weights}, decides as the model")


if __name__ == "__main__":
    run_command(export_coreml)
