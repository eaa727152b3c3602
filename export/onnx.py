"""`python -m export.onnx`: the two graphs as ONNX files, written only after they agree with torch."""

import logging
import warnings
from pathlib import Path

import click
import onnx
import torch
from onnx import ModelProto

from edge_ecg.atomic import write_file
from edge_ecg.bundle import COMPARATOR, ENCODER
from edge_ecg.console import run_command
from export.compression.finetune import refined
from export.compression.qdq import to_int8
from export.compression.weights import INT8
from export.gate.artefacts import artefact
from export.gate.parity_check import Trial, require
from export.gate.reference_model import Original
from export.graphs import MOST_REFERENCES, Graph, graphs_of
from export.references import reference_files
from train.model.model import Model
from train.run import load_run

OPSET = 18


def to_onnx(graph: Graph) -> bytes:
    """One graph as a self-contained ONNX file at opset 18, without metadata."""
    count = torch.export.Dim("references", min=1, max=MOST_REFERENCES)
    dynamic = tuple({i: count for i, d in enumerate(s) if d is None} for s in graph.inputs.values())
    with warnings.catch_warnings(), _quiet("torch.onnx"):
        warnings.simplefilter("ignore")  # torch's own deprecations while it exports
        program = torch.onnx.export(
            graph.module,
            tuple(graph.example().values()),
            input_names=list(graph.inputs),
            output_names=[graph.output],
            dynamic_shapes=dynamic if any(dynamic) else None,
            opset_version=OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return _stripped(program.model_proto, graph).SerializeToString()


def _stripped(model: ModelProto, graph: Graph) -> ModelProto:
    """The model without what no runtime reads: torch's metadata takes twice the bytes of the weights."""
    names = {name: name for name in (*graph.inputs, graph.output, "")}
    body = model.graph
    for value in (*(i.name for i in body.initializer), *(o for n in body.node for o in n.output)):
        names.setdefault(value, f"v{len(names)}")
    for tensor in body.initializer:
        tensor.name = names[tensor.name]
    for node in body.node:
        node.input[:] = [names[value] for value in node.input]
        node.output[:] = [names[value] for value in node.output]
        node.ClearField("name")
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    for field in ("value_info", "metadata_props", "doc_string"):
        body.ClearField(field)
    for field in ("functions", "metadata_props", "doc_string"):
        model.ClearField(field)
    body.name = graph.name
    for feature in (*body.input, *body.output):
        feature.ClearField("metadata_props")
        feature.doc_string = graph.meaning[feature.name]
    onnx.checker.check_model(model, full_check=True)
    return model


def onnx_files(model: Model) -> dict[str, bytes]:
    """Both files, by name."""
    encoder, comparator = graphs_of(model)
    return {ENCODER: to_onnx(encoder), COMPARATOR: to_onnx(comparator)}


class _quiet:
    """Silence a logger that warns about parts that are not installed and not needed."""

    def __init__(self, name: str):
        self._logger = logging.getLogger(name)

    def __enter__(self) -> None:
        self._level = self._logger.level
        self._logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        self._logger.setLevel(self._level)


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
@click.option("--int8", "with_int8", is_flag=True, help="The int8 pair as well.")
def export_onnx(run_folder: Path, out: Path, with_int8: bool) -> None:
    """Write encoder.onnx and comparator.onnx, once they have been run and decide as the model."""
    finished = load_run(run_folder)
    trial = Trial(Original.of_run(finished), finished.validation, finished.rule)
    bank = trial.original.bank()
    files, references = onnx_files(finished.model), reference_files(bank)
    require([trial.check(artefact("onnx fp32"), files | references)])
    if with_int8:
        trial, int8 = refined(trial, finished.training.values, [INT8]), artefact("onnx int8")
        passes = lambda made: trial.passes(int8, {**made, **references})  # noqa: E731
        files |= to_int8(finished, onnx_files(trial.original.compressed(INT8)), bank, passes).files
        require([trial.check(int8, files | references)])
    for name, content in files.items():
        write_file(out / name, content)
        click.echo(f"{out / name}  {len(content)} bytes, opset {OPSET}, decides as the model")


if __name__ == "__main__":
    run_command(export_onnx)
