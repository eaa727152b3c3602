"""`edge-ecg replay`: recordings through a bundle, sample by sample, as a watch would hear them."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from edge_ecg.bundle import load_bundle
from edge_ecg.cli.live import live_view
from edge_ecg.cli.options import AS_JSON, RECORDINGS, Quantity, for_each
from edge_ecg.curve import curve, curve_json, curve_picture, curve_text, label_of
from edge_ecg.errors import EdgeEcgError
from edge_ecg.inference.novelty import OUT_OF_DATE, span_of
from edge_ecg.recording import Recording
from edge_ecg.replay import Replayed, replay
from edge_ecg.simulation.faults import Faults


@click.command("replay")
@click.argument("bundle_path", metavar="BUNDLE", type=click.Path(path_type=Path))
@RECORDINGS
@click.option("--chunk", default=64, show_default=True, type=click.IntRange(1), help="Samples a push.")
@click.option("--speed", type=click.FloatRange(0, min_open=True), help="Pace: 1 is the sensor's. [as fast as it goes]")
@click.option("--live", is_flag=True, help="Watch it: trace, R marks, tally, latency. Paced by 1 unless told.")
@click.option("--curve", "with_curve", is_flag=True, help="Then error and abstention against beats, as a table.")
@click.option("--picture", type=click.Path(path_type=Path), help="The curve as a .png or .svg.")
@click.option("--labels", "labels_file", type=click.Path(path_type=Path), help="CSV of file,label. [folder names]")
@click.option("--any-day", is_flag=True, help="Judge what is out of date as well: to study a drift.")
@click.option("--drop", default=0.0, type=click.FloatRange(0, 1), help="Fault: lose this share of the samples.")
@click.option("--gap", default="0s", type=Quantity("s"), help="Fault: lose everything for a while, such as 2s.")
@click.option("--noise", type=Quantity("dB"), help="Fault: white noise this far below the signal, such as 20dB.")
@click.option("--invert", is_flag=True, help="Fault: the watch on the other wrist.")
@click.option("--rate", type=click.FloatRange(100, 2000), help="Fault: a sensor clock of so many hertz.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the faults.")
@AS_JSON
def replay_command(
    bundle_path: Path,
    recordings: tuple[str, ...],
    chunk: int,
    speed: float | None,
    live: bool,
    with_curve: bool,
    picture: Path | None,
    labels_file: Path | None,
    any_day: bool,
    drop: float,
    gap: float,
    noise: float | None,
    invert: bool,
    rate: float | None,
    seed: int,
    as_json: bool,
) -> int:
    """Replay recordings through a bundle: beats, votes, a decision as early as the evidence allows.

    A RECORDING is a file, a folder with recordings anywhere below it, or Apple's export.zip.
    """
    if gap < 0:
        raise click.BadParameter(f"{gap:g} s is less than nothing", param_hint="--gap")
    if live and as_json:
        raise click.UsageError("--live is for people and --json for programs: give one of them")
    bundle = load_bundle(bundle_path)
    distribution = bundle.references.distribution
    if any_day and distribution:
        bundle = bundle.with_references(
            replace(bundle.references, distribution=replace(distribution, days=span_of([])))
        )
    labels = _read_labels(labels_file) if labels_file else {}
    faults = Faults(drop, gap, noise, invert, rate, seed)
    known: list[tuple[Replayed, str]] = []
    out_of_date: list[str] = []

    def work(recording: Recording) -> Replayed:
        recording = faults(recording)
        view = live_view(bundle, recording) if live else None
        replayed = replay(bundle, recording, chunk, speed or (1.0 if live else None), view)
        if view:
            view.finish()
        if OUT_OF_DATE in replayed.unusable:
            out_of_date.append(recording.source)
        label = label_of(recording.source, bundle.labels, labels)
        if label:
            known.append((replayed, label))
        return replayed

    if not as_json and not live:
        click.echo(_HEADER)
    code = for_each(
        recordings,
        work,
        lambda replayed: json.dumps(replayed.to_json()) if as_json else _row(replayed),
    )
    if out_of_date and distribution:
        click.echo(
            f"{len(out_of_date)} out of date: {bundle_path} knows recordings from {distribution.known_days}, "
            "and levels drift; enrol fresh ones of the baseline (edge-ecg enroll)",
            err=True,
        )
    if with_curve or picture:
        points = curve(known, bundle.labels)
        click.echo(json.dumps(curve_json(points, len(known))) if as_json else curve_text(points, len(known)))
        if picture:
            curve_picture(points, len(known), picture)
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


_HEADER = (
    f"{'recording':36}  {'decision':14} {'confidence':>10}  {'decided after':>17}  {'beats (votes)':>16}  "
    f"{'a beat p50':>10}  {'real time':>9}"
)


def _row(replayed: Replayed) -> str:
    d = replayed.decision
    after = f"{d.seconds_to_decision:5.1f} s, {d.beats_to_decision:2} beats" if d.beats_to_decision else "-"
    votes = f"{d.beats} ({' : '.join(str(count) for count in d.votes.values())})"
    latency = f"{np.median(replayed.latency_us):.0f} us" if len(replayed.latency_us) else "-"
    reasons = ", ".join(f"{reason} {count}" for reason, count in replayed.unusable.items())
    return (
        f"{replayed.source[-36:]:36}  {d.label:14} {d.confidence:>10.1%}  {after:>17}  {votes:>16}  "
        f"{latency:>10}  {replayed.realtime_factor:>8.0f}x"
        + (f"  {d.unusable} unusable: {reasons}" if d.unusable else "")
        + (f"  {_inverted(replayed)}" if replayed.lead_is_inverted else "")
        + (f"  {replayed.late_chunks} of {replayed.chunks} chunks late" if replayed.late_chunks else "")
    )


def _inverted(replayed: Replayed) -> str:
    turned = f"{replayed.inverted_beats} of {len(replayed.judged)} beats were turned upright"
    return f"lead inverted: {turned} (worn on the other wrist, or the watch turned?)"
