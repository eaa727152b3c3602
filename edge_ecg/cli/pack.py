"""`edge-ecg pack`: a bundle as one small file, which an iPhone sends to its watch."""

from pathlib import Path

import click

from edge_ecg.bundle import load_bundle
from edge_ecg.bundles.pack import pack_bundle


@click.command("pack", short_help="One small file for a watch.")
@click.argument("bundle", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file: person.ecgbundle.")
def pack_command(bundle: Path, out: Path) -> None:
    """Write what a device needs of a bundle as one file: int8 weights and references, contract, levels.

    Swift opens it, and so does every command that judges by a bundle. Its manifest is its own: a signature of the
    bundle says nothing of it; sign the file (edge-ecg sign person.ecgbundle --key private.pem).
    """
    size = pack_bundle(bundle, out)
    packed = load_bundle(out)
    references = len(packed.references.is_target)
    click.echo(f"{out}: written, {size:,} bytes, {len(packed.manifest['files']) + 1} files, {references} references")
