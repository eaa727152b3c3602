"""`python -m export`: a bundle from a training run, as `python -m export.bundle`."""

from edge_ecg.console import run_command
from export.bundle import export_bundle

run_command(export_bundle)
