"""A signature says whose bundle this is: any other key, byte or bundle is refused, and the bundle works without it."""

import base64
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from edge_ecg.bundles.bundle import MANIFEST, load_bundle, read_files, write_bundle
from edge_ecg.bundles.sign import PURPOSE, needs_password, sign_bundle, signature_path, verify_bundle
from edge_ecg.errors import BundleError, EdgeEcgError
from edge_ecg.terminal.console import run_command

pytest.importorskip("cryptography")
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519


def key_pair(
    folder: Path, name: str = "key", private: object = None, password: bytes | None = None
) -> tuple[Path, Path]:
    private = private or ed25519.Ed25519PrivateKey.generate()
    kind = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / f"{name}.pem").write_bytes(private.private_bytes(pem, pkcs8, kind))
    public = private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{name}.pub").write_bytes(public)
    return folder / f"{name}.pem", folder / f"{name}.pub"


@pytest.fixture
def bundle(small_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_bundle, tmp_path / "bundle"))


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return key_pair(tmp_path)


def test_a_signed_bundle_is_verified_and_opens_as_before(bundle: Path, keys: tuple[Path, Path]) -> None:
    private, public = keys
    before = load_bundle(bundle).manifest
    assert sign_bundle(bundle, private) == bundle / "manifest.sig"
    assert verify_bundle(bundle, public) == before == load_bundle(bundle).manifest


def test_the_signature_is_ed25519_over_the_purpose_and_the_manifests_bytes(
    bundle: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    """OpenSSL is the oracle: it verifies the signature over the file as it lies on disk."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    signature = json.loads(sign_bundle(bundle, keys[0]).read_text())
    (tmp_path / "sig").write_bytes(base64.b64decode(signature["signature"]))
    (tmp_path / "message").write_bytes(PURPOSE + (bundle / MANIFEST).read_bytes())
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", keys[1], "-rawin", "-in", tmp_path / "message"]
    done = subprocess.run([*command, "-sigfile", tmp_path / "sig"], capture_output=True, text=True, check=False)
    assert "Successfully" in done.stdout, done


def test_another_key_is_refused(bundle: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    sign_bundle(bundle, keys[0])
    with pytest.raises(BundleError, match="not signed by the owner of"):
        verify_bundle(bundle, key_pair(tmp_path, "other")[1])


def test_a_bundle_sealed_anew_by_a_forger_loads_and_is_not_verified(bundle: Path, keys: tuple[Path, Path]) -> None:
    signature = sign_bundle(bundle, keys[0]).read_bytes()
    manifest, files = read_files(bundle)
    shutil.rmtree(bundle)
    write_bundle(bundle, {**manifest, "intended_use": "diagnosis"}, files)
    load_bundle(bundle)  # hashes show damage, not malice
    (bundle / "manifest.sig").write_bytes(signature)
    with pytest.raises(BundleError, match="not signed by"):
        verify_bundle(bundle, keys[1])


@pytest.mark.parametrize("name", [MANIFEST, "encoder.onnx", "references.safetensors", "manifest.sig"])
def test_any_changed_byte_is_refused(bundle: Path, keys: tuple[Path, Path], name: str) -> None:
    sign_bundle(bundle, keys[0])
    raw = bytearray((bundle / name).read_bytes())
    for place in range(0, len(raw), max(1, len(raw) // 20)):
        changed = raw.copy()
        changed[place] ^= 1
        (bundle / name).write_bytes(changed)
        with pytest.raises(BundleError):
            verify_bundle(bundle, keys[1])


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"algorithm":"Ed25519","signature":7}', b"[" * 9999, b"\xff", b'{"algorithm":"none"}'],
)
def test_a_file_that_is_no_signature_is_refused(bundle: Path, keys: tuple[Path, Path], content: bytes) -> None:
    (bundle / "manifest.sig").write_bytes(content)
    with pytest.raises(BundleError, match=r"is no signature of a bundle"):
        verify_bundle(bundle, keys[1])


def test_an_unsigned_bundle_is_refused(bundle: Path, keys: tuple[Path, Path]) -> None:
    with pytest.raises(BundleError, match="the bundle is not signed"):
        verify_bundle(bundle, keys[1])


def test_a_zip_has_its_signature_beside_it(bundle: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    archive = tmp_path / "bundle.zip"
    with zipfile.ZipFile(archive, "w") as z:
        for file in bundle.rglob("*"):
            z.write(file, file.relative_to(bundle).as_posix())
    assert sign_bundle(archive, keys[0]) == signature_path(archive) == tmp_path / "bundle.zip.sig"
    assert verify_bundle(archive, keys[1]) == load_bundle(bundle).manifest


def test_keys_of_another_kind_are_refused(bundle: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    private, public = key_pair(tmp_path, "ec", ec.generate_private_key(ec.SECP256R1()))
    sign_bundle(bundle, keys[0])
    for key in (private, public, keys[1], tmp_path / "bundle/encoder.onnx"):
        with pytest.raises(EdgeEcgError, match=r"expected Ed25519|is no private key"):
            sign_bundle(bundle, key)
    for key in (private, public, keys[0], tmp_path / "bundle/encoder.onnx"):
        with pytest.raises(EdgeEcgError, match=r"expected Ed25519|is no public key"):
            verify_bundle(bundle, key)


def test_the_commands_answer_with_an_exit_code(
    bundle: Path, keys: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge_ecg.cli import cli

    def code(*arguments: object) -> object:
        with pytest.raises(SystemExit) as caught:
            run_command(cli, [str(a) for a in arguments])
        return caught.value.code

    assert code("verify", bundle, "--public-key", keys[1]) == 2
    assert code("sign", bundle, "--key", keys[0]) == 0
    assert code("verify", bundle, "--public-key", keys[1]) == 0
    assert "signed by the owner of" in capsys.readouterr().out
    assert code("verify", bundle, "--public-key", tmp_path / "absent") == 2


def test_an_encrypted_key_needs_its_password(bundle: Path, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path, "locked", password=b"secret")
    assert needs_password(private)
    with pytest.raises(EdgeEcgError, match="the password is wrong"):
        sign_bundle(bundle, private, "guess")
    sign_bundle(bundle, private, "secret")
    assert verify_bundle(bundle, public)
