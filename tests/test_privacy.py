"""The person's name and birth date, planted in every recording, are in no output: files, reports or errors."""

import shutil
import zipfile
from pathlib import Path

import pytest

from edge_ecg.cli import cli
from edge_ecg.terminal.console import run_command

NAME, BIRTH = "Wilhelmine Einthoven", "21.05.1860"
# The synthetic person's files have these two, and the shared run and bundle were made from them.
SYNTHETIC = ("Synthetic Person", "Synthetic Date")


@pytest.fixture(scope="module")
def export(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export.zip of the shared person's recordings under another name, one of them broken."""
    path = tmp_path_factory.mktemp("phone") / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, file in enumerate(sorted(small_dataset.parent.rglob("*.csv"))):
            text = file.read_text(encoding="utf-8")
            assert all(word in text for word in SYNTHETIC)
            text = text.replace(SYNTHETIC[0], NAME).replace(SYNTHETIC[1], BIRTH)
            if number == 5:
                text = text[:-800] + f"\nName,{NAME}\nDate of Birth,{BIRTH}\n"
            archive.writestr(f"apple_health_export/electrocardiograms/{file.name}", text)
    return path


def everything_below(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_nobody(outputs: dict[str, bytes], *secrets: str) -> None:
    assert outputs
    words = {word for secret in secrets for word in (secret, *(secret.split() if secret in (NAME, BIRTH) else ()))}
    for name, content in outputs.items():
        for word in words:
            for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
                assert word.encode(encoding) not in content, f"{word} in {name}"


def said_by(capfd: pytest.CaptureFixture[str], *arguments: object) -> dict[str, bytes]:
    with pytest.raises(SystemExit):
        run_command(cli, [str(argument) for argument in arguments])
    out, err = capfd.readouterr()
    return {f"{arguments[0]} stdout": out.encode() + b" ", f"{arguments[0]} stderr": err.encode() + b" "}


@pytest.mark.slow
def test_no_command_on_a_phones_export_repeats_the_person(
    export: Path, small_bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    windows = ("--window", "fasting=06:00-09:00", "--window", "after=10:00-12:00")
    outputs: dict[str, bytes] = {}
    for arguments in (
        ("import", export),
        ("import", export, "--json", "--verbose"),
        ("import", export, "--out", tmp_path / "data", *windows),
        ("import", export, "--out", tmp_path / "data", "--window", "nobody=01:00-02:00"),
        ("detect", export, "--json"),
        ("replay", small_bundle, export),
        ("replay", small_bundle, export, "--json", "--verbose"),
        ("replay", export, export, "--verbose"),
        ("inspect", export, "--verbose"),
        ("import", small_bundle / "encoder.onnx", "--verbose"),
    ):
        said = said_by(capfd, *arguments)
        assert_nobody(said, NAME, BIRTH)
        outputs |= {f"{len(outputs)} {name}": content for name, content in said.items()}
    errors = b"".join(content for name, content in outputs.items() if "stderr" in name)
    assert b"is text, and the values began before it" in errors  # the broken one was met
    written = everything_below(tmp_path / "data")
    assert len(written) == 35 + 2
    assert_nobody(written, NAME, BIRTH)


def test_a_training_run_and_its_bundle_do_not_hold_the_person(
    small_run: Path, small_bundle: Path, small_dataset: Path
) -> None:
    assert_nobody(everything_below(small_run), *SYNTHETIC)
    assert_nobody(everything_below(small_bundle), *SYNTHETIC, str(small_dataset.parent), str(small_run))


def test_a_training_that_fails_does_not_repeat_the_person(
    small_dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from train.__main__ import train

    data = Path(shutil.copytree(small_dataset.parent, tmp_path / "data"))
    for file in sorted(data.rglob("*.csv"))[:2]:
        text = file.read_text(encoding="utf-8").replace(SYNTHETIC[0], NAME)
        file.write_text(text.replace("hertz", NAME).replace("µV", f"µV {BIRTH}"), encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        run_command(train, [str(data / "dataset.toml"), "--out", str(tmp_path / "run"), "--epochs", "1", "--verbose"])
    assert caught.value.code == 2
    out, err = capfd.readouterr()
    assert "error: " in err
    assert_nobody({"train": out.encode() + err.encode()}, NAME, BIRTH, *SYNTHETIC)
