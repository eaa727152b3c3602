"""`python -m export.coreml`: the two graphs as Core ML packages, on Linux as well as on a Mac."""

import contextlib
import io
import logging
import tempfile
import warnings
from pathlib import Path

import click
import torch

from edge_ecg.console import run
from edge_ecg.contract import INTENDED_USE, Contract
from export.graphs import MOST_REFERENCES, Graph, graphs_of
from train.checkpoint import Run, load_run, write_file

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    logging.getLogger("coremltools").setLevel(logging.ERROR)  # it warns of every version newer than itself
    import coremltools as ct

PACKAGES = {"encoder": "Encoder.mlpackage", "comparator": "Comparator.mlpackage"}


def to_coreml(graph: Graph, contract: Contract) -> dict[str, bytes]:
    """One graph as the files of an mlprogram package (watchOS 9, iOS 16, macOS 13), by name inside the package."""
    count = torch.export.Dim("references", min=1, max=MOST_REFERENCES)
    dynamic = tuple({i: count for i, d in enumerate(s) if d is None} for s in graph.inputs.values())
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        # torch's own deprecations while it exports, and four progress bars of a few milliseconds each
        warnings.simplefilter("ignore")
        program = torch.export.export(
            graph.module, tuple(graph.example().values()), dynamic_shapes=dynamic if any(dynamic) else None
        ).run_decompositions({})
        model = ct.convert(
            program,
            outputs=[ct.TensorType(name=graph.output)],
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.watchOS9,
            compute_precision=ct.precision.FLOAT32,
            compute_units=ct.ComputeUnit.CPU_ONLY,
        )
    model.short_description = f"Edge ECG {graph.name}. {INTENDED_USE}"
    for name in graph.inputs:
        model.input_description[name] = graph.meaning[name]
    model.output_description[graph.output] = graph.meaning[graph.output]
    model.user_defined_metadata["edge_ecg.contract_version"] = str(contract.version)
    model.user_defined_metadata["edge_ecg.intended_use"] = INTENDED_USE
    with tempfile.TemporaryDirectory() as scratch:
        package = Path(scratch) / PACKAGES[graph.name]
        model.save(str(package))
        return {
            file.relative_to(package).as_posix(): file.read_bytes()
            for file in sorted(package.rglob("*"))
            if file.is_file() and file.name != "executorch_debug_handle_mapping.json"
        }


def coreml_files(finished: Run) -> dict[str, bytes]:
    """The files of both packages, by name."""
    return {
        f"{PACKAGES[graph.name]}/{name}": content
        for graph in graphs_of(finished.model)
        for name, content in to_coreml(graph, finished.contract).items()
    }


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the two packages.")
def export_coreml(run_folder: Path, out: Path) -> None:
    """Write Encoder.mlpackage and Comparator.mlpackage."""
    files = coreml_files(load_run(run_folder))
    for name, content in files.items():
        write_file(out / name, content)
    for package in PACKAGES.values():
        size = sum(len(content) for name, content in files.items() if name.startswith(package))
        click.echo(f"{out / package}  {size} bytes, mlprogram for watchOS 9, fp32")


if __name__ == "__main__":
    run(export_coreml)
