"""`make fuzz`: atheris looks for bytes that a reader answers with anything but a result or one sentence, soon.

python tests/fuzz_readers.py READER --data FOLDER --bundle BUNDLE --out CORPUS [options of libFuzzer]

A finding is left in CORPUS as `crash-…`, and ends the run with an error. Needs `pip install -e '.[fuzz]'`.
"""

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edge_ecg", "train", "zipfile", "tomllib", "edfio"]):
    from bad_bundles import forge
    from fuzzing import SECRET, answers, good_files, zipped

    from edge_ecg.bundles.bundle import REFERENCES, load_bundle
    from edge_ecg.bundles.manifest import MANIFEST, sealed
    from edge_ecg.datasets.dataset_file import read_dataset
    from edge_ecg.datasets.labeling import Item, by_table
    from edge_ecg.inference.references import ReferenceBank
    from edge_ecg.readers.find import find_recordings
    from edge_ecg.readers.read import read_recording

ITEMS = [Item("x/a.csv", "2024-03-01 08:00:00 +0000", 512.0, 30.0)]


def recording(content: bytes, folder: Path) -> None:
    """Apple's CSV in any language, columns, `.npy`, EDF: the content says which."""
    (folder / "a").write_bytes(content)
    read_recording(folder / "a")


def archive(content: bytes, folder: Path) -> None:
    """Apple's export.zip."""
    (folder / "a").write_bytes(content)
    for found in find_recordings(folder / "a"):
        answers(found.read)


def bundle(content: bytes, folder: Path) -> None:
    """A bundle in a zip."""
    (folder / "a").write_bytes(content)
    load_bundle(folder / "a")


def manifest(content: bytes, folder: Path) -> None:
    """A manifest, sealed anew wherever a forger could."""
    with contextlib.suppress(ValueError, AttributeError, TypeError, RecursionError):
        content = sealed(json.loads(content))[MANIFEST]
    forge(folder, content)
    load_bundle(folder)


def references(content: bytes, folder: Path) -> None:
    """Safetensors."""
    ReferenceBank.from_bytes(content)


def dataset(content: bytes, folder: Path) -> None:
    """dataset.toml."""
    (folder / "a").write_bytes(content)
    for which in ("train", "validation", "test"):
        read_dataset(folder / "a").entries(which)


def labels(content: bytes, folder: Path) -> None:
    """labels.csv."""
    (folder / "a").write_bytes(content)
    by_table(ITEMS, folder / "a")


READERS = {reader.__name__: reader for reader in (recording, archive, bundle, manifest, references, dataset, labels)}
OWN_WORDS = ("dataset", "labels")  # files of the user, which may be quoted


def write_seeds(corpus: Path, data: Path, good_bundle: Path) -> None:
    """Good inputs for each reader, made from the data set and the bundle of a synthetic person."""
    with tempfile.TemporaryDirectory() as scratch:
        good = good_files(Path(scratch))
    made = {
        "recording": [content for name, content in good.items() if not name.endswith((".zip", ".hea", ".dat"))],
        "archive": [content for name, content in good.items() if name.endswith(".zip")],
        "bundle": [zipped(good_bundle)],
        "manifest": [(good_bundle / MANIFEST).read_bytes()],
        "references": [(good_bundle / REFERENCES).read_bytes()],
        "dataset": [(data / "dataset.toml").read_bytes()],
        "labels": [b"file,label\n2024-03-01 08:00,rest\na.csv,run\n"],
    }
    for reader, contents in made.items():
        (corpus / reader).mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(contents):
            (corpus / reader / f"seed{number}").write_bytes(content)


def main() -> None:
    """Fuzz one reader, with a corpus that grows from run to run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", choices=READERS)
    for name in ("data", "bundle", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    told, options = parser.parse_known_args()
    write_seeds(told.out, told.data, told.bundle)
    read, secret = READERS[told.reader], "\n" if told.reader in OWN_WORDS else SECRET
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if told.reader == "manifest":
            shutil.copytree(told.bundle, folder, dirs_exist_ok=True)
        before = set(folder.rglob("*"))

        def once(content: bytes) -> None:
            answers(lambda: read(content, folder), secret)
            assert {path for path in folder.rglob("*") if path.name != "a"} == before

        corpus = told.out / told.reader
        limits = [f"-artifact_prefix={corpus}/", "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], str(corpus), *limits, *options], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
