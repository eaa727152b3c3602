"""Commands that show: the beats of recordings, pictures, and the report of a run or a bundle."""

import json
from pathlib import Path, PurePath
from typing import Any

import click
import numpy as np

from edge_ecg.bundles.bundle import load_bundle
from edge_ecg.cli.day_baseline import DAY_BASELINE, DayBaselines, day_baselines
from edge_ecg.cli.options import AS_JSON, BUNDLE_HERE, RECORDINGS, PagePath, for_each, override_options
from edge_ecg.datasets.dataset_file import read_dataset
from edge_ecg.datasets.importing import DATASET
from edge_ecg.errors import EdgeEcgError
from edge_ecg.recording import Overrides, Recording
from edge_ecg.report.drawing import check_suffix, save
from edge_ecg.report.findings import read_findings
from edge_ecg.report.plot import plot, plot_states
from edge_ecg.report.report import report_of
from edge_ecg.report.web import web_page
from edge_ecg.signal.stream import heart_rate_bpm, r_peak_times_s
from edge_ecg.storage.files import refuse_overlap, write_file
from edge_ecg.terminal.console import out_option, shortened, terminal_width


@click.command("detect")
@RECORDINGS
@override_options
@AS_JSON
def detect_command(recordings: tuple[str, ...], overrides: Overrides, as_json: bool) -> int:
    """Find the R peaks of recordings."""

    def found(recording: Recording) -> dict[str, Any]:
        return {
            "file": recording.source,
            "sample_rate_hz": recording.sample_rate_hz,
            "duration_s": recording.duration_s,
            "r_peaks_s": [round(float(t), 6) for t in r_peak_times_s(recording)],
        }

    def row(facts: dict[str, Any]) -> str:
        times = np.array(facts["r_peaks_s"])
        rate = heart_rate_bpm(times)
        measured = f"  {facts['duration_s']:.1f} s  {len(times)} R peaks  {rate:.0f} a minute"
        return shortened(facts["file"], terminal_width() - len(measured)) + measured

    return for_each(recordings, overrides, found, json.dumps if as_json else row)


@click.command("plot")
@RECORDINGS
@override_options
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="A .png, .svg or .pdf.")
@click.option("--bundle", "bundle_path", type=click.Path(path_type=Path), help="Also draw evidence and decision.")
@DAY_BASELINE
def plot_command(
    recordings: tuple[str, ...], overrides: Overrides, out: Path, bundle_path: Path | None, day_files: tuple[str, ...]
) -> int:
    """Draw a recording on ECG paper: trace, R marks, unusable beats with their reasons, the mean beat.

    Several recordings are drawn as mean beats, with one color per folder.
    """
    check_suffix(out)
    bundle = load_bundle(bundle_path) if bundle_path else None
    if day_files and not bundle:
        raise click.UsageError("--day-baseline needs --bundle")
    baselines = day_baselines(bundle, day_files, None, (), overrides, {}, click.echo) if bundle else DayBaselines()
    read: list[Recording] = []
    code = for_each(recordings, overrides, read.append)
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
        first = _baseline_of(read[0])
        figure = plot_states(dict(sorted(by_label.items(), key=lambda item: (item[0] != first, item[0]))))
    save(figure, out)
    click.echo(f"{out}: {len(read)} recording{'s' if len(read) > 1 else ''}")
    return code


def _baseline_of(recording: Recording) -> str | None:
    """The baseline's label in the data set file above a recording: it is drawn first, in its color of every page."""
    for folder in Path(recording.source).absolute().parents:
        if (folder / DATASET).is_file():
            try:
                return read_dataset(folder / DATASET).labels[0]
            except EdgeEcgError:
                return None
    return None


@click.command("report")
@click.argument("sources", metavar="[RUN_OR_BUNDLE...]", nargs=-1, type=click.Path(path_type=Path))
@out_option("report.html", "The page.", PagePath())
def report_command(sources: tuple[Path, ...], out: Path) -> None:
    """Write all results of a training run or a bundle as one HTML page without scripts or links.

    It reads the results of `train`, `evaluate` and `study` in the run. A run and its bundle give one page; several runs
    are compared.
    """
    sources = sources or tuple(place for place in (Path("run"), Path("bundle")) if place.is_dir())
    if not sources:
        raise click.UsageError("give a RUN or a BUNDLE: there is no folder `run` or `bundle` here")
    refuse_overlap(out, sources)
    content = report_of([read_findings(source) for source in sources]).encode(errors="backslashreplace")
    write_file(out, content)
    click.echo(f"{out}: written, {len(content):,} bytes; open it in a browser")


@click.command("web", short_help="A page that decides on recordings in a browser.")
@click.argument("bundle_path", metavar="[BUNDLE]", required=False, type=click.Path(path_type=Path))
@out_option("person.html", "The page.", PagePath())
@click.option("--without-bundle", is_flag=True, help="A page without a bundle, into which any can be dropped.")
def web_command(bundle_path: Path | None, out: Path, without_bundle: bool) -> None:
    """Write one HTML page that reads recordings and decides in a browser, without a network.

    It contains the compiled core and the bundle, and reads the Health app's export.zip, PDF and CSV files, and columns
    of numbers. No recording leaves the computer: the page's policy forbids every connection.
    """
    if bundle_path and without_bundle:
        raise click.UsageError(f"give either {bundle_path} or --without-bundle")
    bundle_path = None if without_bundle else bundle_path or BUNDLE_HERE
    refuse_overlap(out, [bundle_path] if bundle_path else [])
    content = web_page(bundle_path).encode()
    write_file(out, content)
    click.echo(f"{out}: written, {len(content):,} bytes")
