"""`edge-ecg sign` and `edge-ecg verify`: sign a bundle, and check the signature."""

from pathlib import Path

import click

from edge_ecg.bundles.sign import needs_password, sign_bundle, verify_bundle

PATH = click.Path(path_type=Path)
BUNDLE = click.argument("bundle", metavar="BUNDLE", type=PATH)


@click.command("sign", short_help="Sign a bundle with your key.")
@BUNDLE
@click.option("--key", required=True, type=PATH, help="Ed25519 private key in PEM form; a password is asked for.")
def sign_command(bundle: Path, key: Path) -> None:
    """Sign a bundle's manifest, which holds the SHA-256 of all its files.

    Make keys with: openssl genpkey -algorithm ed25519 -out private.pem, then
    openssl pkey -in private.pem -pubout -out public.pem
    """
    password = click.prompt("Password of the key", hide_input=True, err=True) if needs_password(key) else None
    click.echo(f"{sign_bundle(bundle, key, password)}: written")


@click.command("verify", short_help="Check the signature of a bundle.")
@BUNDLE
@click.option("--public-key", required=True, type=PATH, help="Ed25519 public key in PEM form.")
def verify_command(bundle: Path, public_key: Path) -> None:
    """Check that a bundle is whole and signed by the owner of a key."""
    manifest = verify_bundle(bundle, public_key)
    click.echo(f"{bundle}: whole, {len(manifest['files']) + 1} files, signed by the owner of {public_key}")
