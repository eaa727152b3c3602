"""`python -m export`: a bundle from a training run, as `python -m export.bundle`."""

from edge_ecg.terminal.console import run_command
from export.bundle import export_bundle

if __name__ == "__main__":
    run_command(export_bundle)
