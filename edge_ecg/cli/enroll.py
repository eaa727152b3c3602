"""`edge-ecg enroll`: fresh recordings of the baseline move a bundle's references."""

import json
from pathlib import Path

import click

from edge_ecg.bundle import load_bundle, refuse_to_lose
from edge_ecg.cli.options import RECORDINGS, Reading, told_of_recordings
from edge_ecg.enroll import describe, enroll, write_enrolled
from edge_ecg.layout import folded
from edge_ecg.recording import Told
from edge_ecg.storage.atomic import refuse_overlap


@click.command("enroll")
@click.argument("bundle_path", metavar="BUNDLE", type=click.Path(path_type=Path))
@RECORDINGS
@told_of_recordings
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the enrolled bundle.")
@click.option("--json", "as_json", is_flag=True, help="What was found, as JSON.")
def enroll_command(bundle_path: Path, recordings: tuple[str, ...], told: Told, out: Path, as_json: bool) -> int:
    """Move a bundle's references to fresh recordings of the baseline, without training.

    A RECORDING is a file, a folder with recordings anywhere below it, or Apple's export.zip. They must be
    of three dates at least: what a single ordinary date may differ by is not taken for a drift.
    """
    refuse_overlap(out, [bundle_path, *recordings])
    refuse_to_lose(out)
    bundle = load_bundle(bundle_path)
    reading = Reading(told)
    try:
        enrolment = enroll(bundle, reading.each(recordings))
    finally:  # what was passed over may be why there are too few
        code = reading.finish()
    write_enrolled(bundle, enrolment, out)
    if as_json:
        click.echo(json.dumps(enrolment.to_json()))
    else:
        click.echo("\n".join(folded(line, 2) for line in (*describe(enrolment), f"{out}: written")))
    return code
