"""`python -m export.onnx`: the graphs as ONNX files with what an app needs, once they decide as the model."""

from edge_ecg.terminal.console import run_command
from export.formats.onnx import ONNX
from export.pipeline import export_command

export_onnx = export_command("onnx", ONNX)

if __name__ == "__main__":
    run_command(export_onnx)
