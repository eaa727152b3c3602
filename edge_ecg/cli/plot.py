"""`edge-ecg plot`: one recording on ECG paper, or the mean beats of several, as a picture."""

from pathlib import Path, PurePath

import click

from edge_ecg.bundle import load_bundle
from edge_ecg.cli.day_baseline import DAY_BASELINE, DayBaselines, day_baselines
from edge_ecg.cli.options import RECORDINGS, for_each, told_of_recordings
from edge_ecg.errors import EdgeEcgError
from edge_ecg.recording import Recording, Told
from edge_ecg.report.drawing import check_suffix, save
from edge_ecg.report.mean_beats import plot_states
from edge_ecg.report.plot import plot


@click.command("plot")
@RECORDINGS
@told_of_recordings
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="A .png, .svg or .pdf.")
@click.option("--bundle", "bundle_path", type=click.Path(path_type=Path), help="Draw evidence and decision as well.")
@DAY_BASELINE
def plot_command(
    recordings: tuple[str, ...], told: Told, out: Path, bundle_path: Path | None, day_files: tuple[str, ...]
) -> int:
    """Draw a recording on ECG paper: trace, R marks, beats that may not vote and why, the mean beat.

    Several recordings are drawn as mean beats over each other, in the colour of the folder that each lies in.
    """
    check_suffix(out)
    bundle = load_bundle(bundle_path) if bundle_path else None
    if day_files and not bundle:
        raise click.UsageError("--day-baseline needs --bundle")
    baselines = day_baselines(bundle, day_files, None, (), told, {}, click.echo) if bundle else DayBaselines()
    read: list[Recording] = []
    code = for_each(recordings, told, read.append)
    if not read:
        raise EdgeEcgError("no recording to draw")
    if len(read) > 1 and bundle:
        raise EdgeEcgError(f"{len(read)} recordings: evidence and decision are drawn of one recording; give one")
    if len(read) == 1:
        figure = plot(read[0], bundle, baselines.of(read[0]))
    else:
        by_label: dict[str, list[Recording]] = {}
        for recording in read:
            by_label.setdefault(PurePath(recording.source).parent.name or "recordings", []).append(recording)
        figure = plot_states(dict(sorted(by_label.items())))
    save(figure, out)
    click.echo(f"{out}: {len(read)} recording{'s' if len(read) > 1 else ''}")
    return code
