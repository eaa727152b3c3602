"""`edge-ecg replay`: recordings through a bundle, chunk by chunk, to a decision for each."""

import json
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from edge_ecg.atomic import refuse_overlap, write_file
from edge_ecg.bundle import Bundle, load_bundle
from edge_ecg.cli.live import live_view
from edge_ecg.cli.options import AS_JSON, RECORDINGS, for_each, told_of_recordings
from edge_ecg.contract import CONTRACT
from edge_ecg.inference.novelty import OUT_OF_DATE, span_of
from edge_ecg.recording import Recording, Told
from edge_ecg.replay import Replayed, Step, replay
from edge_ecg.report.replay_page import Played, replay_page
from edge_ecg.simulation.faults import Faults

BUNDLE = click.argument("bundle_path", metavar="BUNDLE", type=click.Path(path_type=Path))
CHUNK = click.option("--chunk", default=64, show_default=True, type=click.IntRange(1), help="Samples a push.")
LIVE = click.option("--live", is_flag=True, help="Draw trace, R marks, tally and latency as they come, in real time.")
ANY_DAY = click.option("--any-day", is_flag=True, help="Judge what is out of date as well: to study a drift.")
PAGE = click.option("--page", type=click.Path(path_type=Path), help="A page that plays the replay: page.html.")


@click.command("replay")
@BUNDLE
@RECORDINGS
@told_of_recordings
@CHUNK
@LIVE
@ANY_DAY
@PAGE
@AS_JSON
def replay_command(
    bundle_path: Path,
    recordings: tuple[str, ...],
    told: Told,
    chunk: int,
    live: bool,
    any_day: bool,
    page: Path | None,
    as_json: bool,
) -> int:
    """Replay recordings through a bundle: beats, votes, a decision as early as the evidence allows.

    A RECORDING is a file, a folder with recordings anywhere below it, or Apple's export.zip.
    """
    return replay_each(
        bundle_path, recordings, told, chunk=chunk, live=live, any_day=any_day, as_json=as_json, page=page
    )


def replay_each(
    bundle_path: Path,
    recordings: tuple[str, ...],
    told: Told,
    *,
    chunk: int,
    live: bool,
    any_day: bool,
    as_json: bool,
    faults: Faults | None = None,
    speed: float | None = None,
    page: Path | None = None,
) -> int:
    """Replay every recording found, with faults if given, and print a row or a line of JSON for each. The exit code."""
    if live and as_json:
        raise click.UsageError("--live is for people and --json for programs: give one of them")
    if page:
        refuse_overlap(page, [bundle_path, *recordings])
        chunk = min(chunk, CONTRACT.block_samples)  # so that a step holds one beat
    bundle = open_bundle(bundle_path, any_day)
    played: list[Played] = []
    out_of_date: list[str] = []

    def work(recording: Recording) -> Replayed:
        recording = faults(recording) if faults else recording
        view = live_view(bundle, recording) if live else None
        steps: list[Step] = []

        def show(step: Step) -> None:
            if view:
                view(step)
            if page:
                steps.append(step)

        replayed = replay(bundle, recording, chunk, speed or (1.0 if live else None), show)
        if view:
            view.finish()
        if OUT_OF_DATE in replayed.unusable:
            out_of_date.append(recording.source)
        if page:
            played.append(Played(recording, replayed, steps))
        return replayed

    if not as_json and not live:
        click.echo(_HEADER)
    code = for_each(
        recordings,
        told,
        work,
        lambda replayed: json.dumps(replayed.to_json()) if as_json else _row(replayed),
    )
    if page and played:
        content = replay_page(bundle, played).encode()
        write_file(page, content)
        click.echo(f"{page}: written, {len(content):,} bytes", err=True)
    distribution = bundle.references.distribution
    if out_of_date and distribution:
        click.echo(
            f"{len(out_of_date)} out of date: {bundle_path} knows recordings from {distribution.known_days}, "
            "and levels drift; enrol fresh ones of the baseline (edge-ecg enroll)",
            err=True,
        )
    return code


def open_bundle(path: Path, any_day: bool) -> Bundle:
    """The bundle; with `any_day` it holds no recording to be out of date."""
    bundle = load_bundle(path)
    distribution = bundle.references.distribution
    if not any_day or not distribution:
        return bundle
    return bundle.with_references(replace(bundle.references, distribution=replace(distribution, days=span_of([]))))


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
