"""`python -m export.coreml`: the graphs as Core ML packages with what an app needs, once they decide as the model."""

from edge_ecg.terminal.console import run_command
from export.formats.coreml import COREML
from export.pipeline import export_command

export_coreml = export_command("coreml", COREML)

if __name__ == "__main__":
    run_command(export_coreml)
