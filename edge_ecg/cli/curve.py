"""`edge-ecg curve`: error and abstention against the number of beats, over labelled recordings."""

import json
from pathlib import Path

import click

from edge_ecg.cli.options import LABELS, RECORDINGS, for_each, told_of_recordings
from edge_ecg.cli.replay import ANY_DAY, BUNDLE, open_bundle
from edge_ecg.datasets.labelling import labels_by_name
from edge_ecg.recording import Recording, Told
from edge_ecg.replay import Replayed, replay
from edge_ecg.report.curve import curve, curve_json, curve_picture, curve_text, label_of
from edge_ecg.report.drawing import check_suffix, save
from edge_ecg.storage.atomic import refuse_overlap


@click.command("curve")
@BUNDLE
@RECORDINGS
@told_of_recordings
@LABELS
@click.option("--picture", type=click.Path(path_type=Path), help="The curve as a picture too: .png, .svg or .pdf.")
@ANY_DAY
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def curve_command(
    bundle_path: Path,
    recordings: tuple[str, ...],
    told: Told,
    labels_file: Path | None,
    picture: Path | None,
    any_day: bool,
    as_json: bool,
) -> int:
    """Show how error and abstention fall as beats come in, over all recordings whose label is known.

    A recording's label is what --labels says of its file, else the nearest folder that is named as a label.
    """
    if picture:
        check_suffix(picture)
        refuse_overlap(picture, [bundle_path, *(path for path in recordings if Path(path).is_file())])
    bundle = open_bundle(bundle_path, any_day)
    labels = labels_by_name(labels_file) if labels_file else {}
    known: list[tuple[Replayed, str]] = []

    def work(recording: Recording) -> None:
        if label := label_of(recording.source, bundle.labels, labels):
            known.append((replay(bundle, recording), label))

    code = for_each(recordings, told, work)
    points = curve(known, bundle.labels)
    if picture:
        save(curve_picture(points, len(known)), picture)
    click.echo(json.dumps(curve_json(points, len(known))) if as_json else curve_text(points, len(known)))
    return code
