"""A small bundle of a synthetic person, for what needs one quickly: `python -m benches.small FOLDER`.

FOLDER gets `person/` (a data set of nine dates), `run/` (a few epochs) and `bundle/`; what is there already is kept.
With `--look` it also writes what `edge-ecg demo --look` replays, to be made anew when the format of bundles changes.
"""

import shutil
import sys
from pathlib import Path

import click

from edge_ecg.bundles.pack import pack_bundle
from edge_ecg.cli.demo import LOOK
from edge_ecg.simulation.synthetic import synthetic_person, write_dataset
from export.__main__ import export_bundle
from train.__main__ import train


def small_bundle(folder: Path) -> Path:
    """The bundle below a folder, made if it is not there."""
    person, run, bundle = folder / "person", folder / "run", folder / "bundle"
    if not bundle.exists():
        if not person.exists():
            write_dataset(person, synthetic_person(1), recordings_per_state=2)
        _done(train, str(person / "dataset.toml"), "--out", str(run), "--resume")
        _done(export_bundle, str(run), "--out", str(bundle))
    return bundle


def _done(command: click.Command, *arguments: str) -> None:
    command.main(list(arguments), standalone_mode=False)


def write_look(folder: Path) -> None:
    """Pack the bundle, and put three recordings of dates that training has not seen beside it."""
    shutil.rmtree(LOOK, ignore_errors=True)
    LOOK.mkdir()
    pack_bundle(folder / "bundle", LOOK / "person.ecgbundle")
    for date, state in (("0308", "fasting"), ("0308", "glucose"), ("0309", "glucose")):
        (recording, *_) = sorted((folder / "person" / date / state).glob("*.csv"))
        shutil.copy(recording, LOOK / f"{recording.stem}_{state}.csv")


if __name__ == "__main__":
    print(small_bundle(Path(sys.argv[1])))
    if "--look" in sys.argv:
        write_look(Path(sys.argv[1]))
