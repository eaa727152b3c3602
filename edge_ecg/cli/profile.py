"""`edge-ecg profile`: what a bundle costs in multiply-adds, bytes and time."""

import json
from pathlib import Path

import click

from edge_ecg.bundle import PACKED_FROM, load_bundle
from edge_ecg.errors import BundleError
from edge_ecg.layout import folded
from edge_ecg.report.profile import profile


@click.command("profile")
@click.argument("bundle_path", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option("--device", type=click.Path(path_type=Path), help="What python -m benches.device --json wrote.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def profile_command(bundle_path: Path, device: Path | None, as_json: bool) -> None:
    """Count what a bundle costs: multiply-adds and bytes by layer, time here, a watch estimated.

    With --device also the instructions, code and memory that were counted on emulated devices.
    """
    bundle = load_bundle(bundle_path)
    if PACKED_FROM in bundle.manifest:
        raise BundleError(f"{bundle_path}: is packed for a device; give the whole bundle, whose graphs are timed")
    costs = profile(bundle, device)
    click.echo(json.dumps(costs.to_json()) if as_json else "\n".join(folded(line, 20) for line in costs.lines()))
