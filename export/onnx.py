"""`python -m export.onnx`: the two graphs as ONNX files, written only after they agree with torch."""

import logging
import warnings
from pathlib import Path

import click
import onnx
import torch
from onnx import ModelProto

from edge_ecg.bundle import COMPARATOR, ENCODER
from edge_ecg.comparator import OnnxComparator
from edge_ecg.console import run
from edge_ecg.encoder import OnnxEncoder
from export.graphs import MOST_REFERENCES, Graph, graphs_of
from export.parity import Engine, check, torch_engine
from train.checkpoint import Run, load_run, write_file

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


def onnx_engine(encoder: bytes, comparator: bytes, beat_length: int) -> Engine:
    """The two files through ONNX Runtime, as the runtime runs them."""
    encode = OnnxEncoder(encoder, beat_length)
    return Engine("onnx", encode, OnnxComparator(comparator, encode.embedding_length))


def checked_onnx(finished: Run) -> dict[str, bytes]:
    """Both files, by name. Raises ParityError unless they agree with torch (1e-5 of full scale) and decide alike."""
    encoder, comparator = graphs_of(finished.model)
    files = {ENCODER: to_onnx(encoder), COMPARATOR: to_onnx(comparator)}
    engine = onnx_engine(files[ENCODER], files[COMPARATOR], finished.contract.beat_length)
    check(finished, torch_engine(finished.model), engine).require(most_error=1e-5)
    return files


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
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the two files.")
def export_onnx(run_folder: Path, out: Path) -> None:
    """Write encoder.onnx and comparator.onnx."""
    for name, content in checked_onnx(load_run(run_folder)).items():
        write_file(out / name, content)
        click.echo(f"{out / name}  {len(content)} bytes, opset {OPSET}, decides as torch does")


if __name__ == "__main__":
    run(export_onnx)
