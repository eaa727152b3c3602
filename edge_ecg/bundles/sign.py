"""Signatures of bundles: Ed25519 over the manifest, which contains the SHA-256 of every other file.

The hashes in a bundle detect damage; anyone can compute them. A signature proves that the owner of a key wrote it. It
covers a line that names the purpose, then the exact bytes of `manifest.json`. The signature is a separate
file, `manifest.sig` in a folder or `NAME.sig` beside a zip, which `load_bundle` neither reads nor needs.
"""

import base64
import json
from pathlib import Path
from typing import Any

from edge_ecg.bundles.bundle import SIGNATURE, read_whole
from edge_ecg.errors import BundleError, EdgeEcgError
from edge_ecg.storage.files import path_of, read_small_file, refuse_overlap, write_file

PURPOSE = b"edge-ecg bundle manifest, version 1\n"
ALGORITHM = "Ed25519"
MOST_BYTES = 10_000  # of a key or a signature file


def signature_path(bundle: Path) -> Path:
    """Path of a bundle's signature."""
    return bundle / SIGNATURE if bundle.is_dir() else bundle.with_name(f"{bundle.name}.sig")


def sign_bundle(bundle: Path, key: Path, password: str | None = None) -> Path:
    """Verify a bundle's files, sign its manifest with the private key (PEM), and return the signature's path.

    Raises BundleError for a damaged bundle, EdgeEcgError for an unusable key.
    """
    bundle, key = path_of(bundle, BundleError), path_of(key)
    raw, _, _ = read_whole(bundle)
    signature = _private_key(key, password).sign(PURPOSE + raw)
    content = {"algorithm": ALGORITHM, "signature": base64.b64encode(signature).decode()}
    path = signature_path(bundle)
    refuse_overlap(path, [key])
    if path.exists():
        _signature(path)  # what is replaced is a signature
    write_file(path, (json.dumps(content) + "\n").encode())
    return path


def verify_bundle(bundle: Path, public_key: Path) -> dict[str, Any]:
    """The manifest of an intact bundle that is signed by the owner of the public key (PEM).

    Raises BundleError if a file was altered, or the signature is missing, damaged or by another key.
    """
    bundle, public_key = path_of(bundle, BundleError), path_of(public_key)
    raw, manifest, _ = read_whole(bundle)
    key, signature = _public_key(public_key), _signature(signature_path(bundle))
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, PURPOSE + raw)
    except InvalidSignature:
        raise BundleError(f"{bundle}: not signed by the owner of {public_key}, or changed since") from None
    return manifest


def needs_password(key: Path) -> bool:
    """Whether a private key's file is encrypted."""
    return b"ENCRYPTED" in read_small_file(key, MOST_BYTES)


def _signature(path: Path) -> bytes:
    try:
        content = json.loads(read_small_file(path, MOST_BYTES))
        if content["algorithm"] == ALGORITHM:
            return base64.b64decode(content["signature"], validate=True)
    except FileNotFoundError:
        raise BundleError(f"{path}: is missing: the bundle is not signed") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise BundleError(f"{path}: is no signature of a bundle")


def _private_key(path: Path, password: str | None) -> Any:
    content = read_small_file(path, MOST_BYTES)
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        key = load_pem_private_key(content, password.encode() if password else None)
    except ImportError:
        raise _not_installed() from None
    except (ValueError, TypeError):  # says nothing of the key's content
        raise EdgeEcgError(f"{path}: is no private key in PEM form, or the password is wrong") from None
    except Exception:  # cryptography's own error for algorithms that it does not know
        raise EdgeEcgError(f"{path}: is another kind of key; expected Ed25519") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise EdgeEcgError(f"{path}: is another kind of key; expected Ed25519")
    return key


def _public_key(path: Path) -> Any:
    content = read_small_file(path, MOST_BYTES)
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        key = load_pem_public_key(content)
    except ImportError:
        raise _not_installed() from None
    except Exception:
        raise EdgeEcgError(f"{path}: is no public key in PEM form") from None
    if not isinstance(key, Ed25519PublicKey):
        raise EdgeEcgError(f"{path}: is another kind of key; expected Ed25519")
    return key


def _not_installed() -> EdgeEcgError:
    return EdgeEcgError("signatures need one more package: pip install -e '.[sign]' in the clone")
