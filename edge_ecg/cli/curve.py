"""`edge-ecg curve`: error and abstention against the number of beats, over labelled recordings."""

import csv
import json
from pathlib import Path

import click

from edge_ecg.cli.options import RECORDINGS, for_each
from edge_ecg.cli.replay import ANY_DAY, BUNDLE, open_bundle
from edge_ecg.errors import EdgeEcgError
from edge_ecg.recording import Recording
from edge_ecg.replay import Replayed, replay
from edge_ecg.report.curve import curve, curve_json, curve_picture, curve_text, label_of


@click.command("curve")
@BUNDLE
@RECORDINGS
@click.option("--labels", "labels_file", type=click.Path(path_type=Path), help="CSV of file,label. [folder names]")
@click.option("--picture", type=click.Path(path_type=Path), help="The curve as a picture too: .png, .svg or .pdf.")
@ANY_DAY
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def curve_command(
    bundle_path: Path,
    recordings: tuple[str, ...],
    labels_file: Path | None,
    picture: Path | None,
    any_day: bool,
    as_json: bool,
) -> int:
    """Show how error and abstention fall as beats come in, over all recordings whose label is known.

    A recording's label is what --labels says of its file, else the nearest folder that is named as a label.
    """
    bundle = open_bundle(bundle_path, any_day)
    labels = _read_labels(labels_file) if labels_file else {}
    known: list[tuple[Replayed, str]] = []

    def work(recording: Recording) -> None:
        if label := label_of(recording.source, bundle.labels, labels):
            known.append((replay(bundle, recording), label))

    code = for_each(recordings, work)
    points = curve(known, bundle.labels)
    if picture:
        curve_picture(points, len(known), picture)
    click.echo(json.dumps(curve_json(points, len(known))) if as_json else curve_text(points, len(known)))
    return code


def _read_labels(path: Path) -> dict[str, str]:
    """Labels by path or file name, from a CSV of two columns; a heading is no harm."""
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EdgeEcgError(f"{path}: can't be read as a CSV of file,label: {error}") from None
    if not rows or any(len(row) != 2 for row in rows):
        raise EdgeEcgError(f"{path}: expected two columns in every row: file,label")
    return {file.strip(): label.strip() for file, label in rows}
