"""`edge-ecg replay`: recordings through a bundle, chunk by chunk, to a decision for each."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from edge_ecg.bundles.bundle import PACKED_FROM, Bundle, load_bundle
from edge_ecg.cli.day_baseline import DAY_BASELINE, DAY_BASELINE_FIRST, DayBaselines, day_baselines
from edge_ecg.cli.options import (
    AS_JSON,
    LABELS,
    Finite,
    PagePath,
    Quantity,
    bundle_and_recordings,
    for_each,
    override_options,
)
from edge_ecg.contract import CONTRACT
from edge_ecg.datasets.dataset_file import UNKNOWN
from edge_ecg.datasets.labelling import labels_by_name
from edge_ecg.inference.novelty import OUT_OF_DATE, span_of
from edge_ecg.inference.votes import INCONCLUSIVE
from edge_ecg.playback import Replayed, Step, replay
from edge_ecg.recording import Overrides, Recording
from edge_ecg.simulation.faults import Faults
from edge_ecg.storage.files import refuse_overlap, write_file
from edge_ecg.terminal.console import ellipsized_left, is_verbose, wrapped

CHUNK = click.option("--chunk", default=64, show_default=True, type=click.IntRange(1), help="Samples a push.")
LIVE = click.option("--live", is_flag=True, help="Draw trace, R marks, tally and latency as they come, in real time.")
ANY_DAY = click.option("--any-day", is_flag=True, help="Judge what is out of date as well: to study a drift.")
PAGE = click.option("--page", type=PagePath(), help="A page that plays the replay: page.html.")
CONFIDENCE = click.option(
    "--confidence",
    type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
    help="Decide at this confidence, such as 0.9. [as the bundle says, usually 0.95]",
)


@click.command("replay")
@bundle_and_recordings
@override_options
@DAY_BASELINE
@DAY_BASELINE_FIRST
@LABELS
@CONFIDENCE
@CHUNK
@LIVE
@ANY_DAY
@PAGE
@AS_JSON
def replay_command(
    bundle_path: Path,
    recordings: tuple[str, ...],
    overrides: Overrides,
    day_files: tuple[str, ...],
    first: int | None,
    labels_file: Path | None,
    confidence: float | None,
    chunk: int,
    live: bool,
    any_day: bool,
    page: Path | None,
    as_json: bool,
) -> int:
    """Replay recordings through a bundle: beats, votes, a decision as early as the evidence allows.

    A RECORDING is a file, a folder with recordings anywhere below it, or Apple's export.zip. What is decided while
    beats come in is provisional; it must still hold when the recording ends.
    """
    if page:
        refuse_overlap(page, [bundle_path, *recordings, *day_files])
    bundle = open_bundle(bundle_path, any_day)
    if confidence:
        bundle = replace(bundle, rule=bundle.rule.at(confidence))
    labels = labels_by_name(labels_file) if labels_file else {}
    note = lambda line: click.echo(f"passed over: {line}", err=True)  # noqa: E731
    baselines = day_baselines(bundle, day_files, first, recordings, overrides, labels, note)
    return replay_each(
        bundle, recordings, overrides, chunk=chunk, live=live, as_json=as_json, baselines=baselines, page=page
    )


def replay_each(
    bundle: Bundle,
    recordings: tuple[str, ...],
    overrides: Overrides,
    *,
    chunk: int,
    live: bool,
    as_json: bool,
    faults: Faults | None = None,
    speed: float | None = None,
    baselines: DayBaselines | None = None,
    page: Path | None = None,
) -> int:
    """Replay every recording found, with faults if given, and print a row or a line of JSON for each. The exit code.

    Recordings that are the day's baseline are not judged.
    """
    if live and as_json:
        raise click.UsageError("--live is for people and --json for programs: give one of them")
    baselines = baselines or DayBaselines()
    if page:
        chunk = min(chunk, CONTRACT.block_samples)  # so that a step holds one beat
    if live:
        from edge_ecg.cli.live import live_view
    played: list[tuple[Recording, Replayed, list[Step]]] = []
    out_of_date: list[str] = []
    learned = _leads(bundle)
    other_leads: Counter[str] = Counter()

    def work(recording: Recording) -> Replayed | None:
        if baselines.holds(recording):
            return None  # nothing to print
        recording = faults(recording) if faults else recording
        if recording.lead and learned and recording.lead not in learned:
            other_leads[recording.lead] += 1
        view = live_view(bundle, recording) if live else None
        steps: list[Step] = []

        def show(step: Step) -> None:
            if view:
                view(step)
            if page:
                steps.append(step)

        replayed = replay(bundle, recording, chunk, speed or (1.0 if live else None), show, baselines.of(recording))
        if view:
            view.finish()
        if OUT_OF_DATE in replayed.unusable:
            out_of_date.append(recording.source)
        if page:
            played.append((recording, replayed, steps))
        return replayed

    if not as_json:
        click.echo("\n".join(wrapped(line) for line in baselines.describe(bundle.labels)))
    if baselines.is_undated:
        click.echo("the day's baseline states no date: nothing checks that it is of the day that is judged", err=True)
    if not as_json and not live:
        click.echo(_HEADER)
    code = for_each(
        recordings,
        overrides,
        work,
        lambda replayed: json.dumps(replayed.to_json()) if as_json else _row(replayed, baselines.is_given),
    )
    if page and played:
        from edge_ecg.report.replay_page import Played, replay_page

        content = replay_page(bundle, [Played(*each) for each in played]).encode()
        write_file(page, content)
        click.echo(f"{page}: written, {len(content):,} bytes", err=True)
    distribution = bundle.references.distribution
    if out_of_date and distribution:
        click.echo(
            f"{len(out_of_date)} out of date: {bundle.path} knows recordings from {distribution.known_days}, "
            "and levels drift; enrol fresh ones of the baseline, of three dates (edge-ecg enroll)",
            err=True,
        )
    if other_leads:
        said = " and ".join(f"{count} from lead {lead}" for lead, count in other_leads.items())
        click.echo(wrapped(f"{said}: {bundle.path} learned from lead {' and '.join(sorted(learned))}", 2), err=True)
    if not as_json:
        click.echo(wrapped(_footer(bundle)))
    return code


def _leads(bundle: Bundle) -> set[str]:
    """The leads of the recordings that a bundle was trained on; none if nobody said them all."""
    try:
        leads = {str(lead) for lead in bundle.manifest["training"]["dataset"]["leads"]}
    except (KeyError, TypeError):  # one from before, or forged
        return set()
    return leads if UNKNOWN not in leads else set()


def open_bundle(path: Path, any_day: bool) -> Bundle:
    """The bundle; with `any_day` it holds no recording to be out of date."""
    bundle = load_bundle(path)
    if bundle.is_portable and PACKED_FROM not in bundle.manifest:
        click.echo(
            wrapped("ONNX Runtime is not installed: the portable form judges, at a third of the speed", 2), err=True
        )
    distribution = bundle.references.distribution
    if not any_day or not distribution:
        return bundle
    return bundle.with_references(replace(bundle.references, distribution=replace(distribution, days=span_of([]))))


_HEADER = f"{'recording':30}  {'decision':14} {'conf.':>6}  {'first':>7}  {'votes':>15}"


def _row(replayed: Replayed, by_day: bool) -> str:
    """A line for each recording, and below it what else there is to say."""
    d = replayed.decision
    confidence = f"{d.confidence:.1%}" if d.label != INCONCLUSIVE else "-"
    first = f"{d.provisional.seconds:.1f} s" if d.provisional else "-"
    votes = f"{d.beats} ({' : '.join(str(count) for count in d.votes.values())})"
    line = f"{ellipsized_left(replayed.source, 30):30}  {d.label[:14]:14} {confidence:>6}  {first:>7}  {votes:>15}"
    return "\n".join([line, *(wrapped(f"    {note}", 6) for note in _notes(replayed, by_day))])


def _notes(replayed: Replayed, by_day: bool) -> Iterator[str]:
    d = replayed.decision
    if by_day and not replayed.rule.startswith("day's"):
        yield replayed.rule
    if d.reasons:
        yield f"not decided: {', '.join(d.reasons)}"
    elif d.provisional and d.provisional.label != d.label:
        yield f"first {d.provisional.label}, after {d.provisional.beats} beats: it did not hold"
    if d.unusable:
        reasons = ", ".join(f"{reason} {count}" for reason, count in replayed.unusable.items())
        yield f"{d.unusable} unusable: {reasons}"
    if replayed.lead_is_inverted:
        turned = f"{replayed.inverted_beats} of {len(replayed.judged)} beats were turned upright"
        yield f"lead inverted: {turned} (worn on the other wrist, or the watch turned?)"
    if replayed.late_chunks:
        yield f"{replayed.late_chunks} of {replayed.chunks} chunks late"
    if is_verbose() and len(replayed.latency_us):
        yield f"{replayed.rule}; a beat in {np.median(replayed.latency_us):.0f} us (median)"


def _footer(bundle: Bundle) -> str:
    """What stands behind the decisions, for a person."""
    rule, levels = bundle.rule, bundle.rule.levels
    if levels is None:
        return "Nothing is decided: training had too few dates to tell how much days differ."
    (baseline, target), dates = rule.labels, (levels.baseline.dates, levels.target.dates)
    return (
        f"Decided at {1 - rule.constants.alpha:.0%}. Days are what counts: {dates[0]} with {baseline} and {dates[1]} "
        f"with {target} support a confidence of at most {levels.most_confident(False):.1%} for {baseline} and "
        f"{levels.most_confident(True):.1%} for {target}."
    )


MOST_NOISE_DB = 120  # a millionfold
SLOWEST, FASTEST = 0.001, 1000.0  # times the sensor's pace


@click.command("simulate")
@bundle_and_recordings
@override_options
@click.option("--drop", default=0.0, type=Finite(0, 1), help="Lose this share of the samples.")
@click.option("--gap", default="0s", type=Quantity("s"), help="Lose all samples for a while, such as 2s.")
@click.option("--noise", type=Quantity("dB"), help="Add white noise this far below the signal, such as 20dB.")
@click.option("--invert", is_flag=True, help="Invert the lead, as on the other wrist.")
@click.option("--clock", type=Finite(100, 2000), help="Sample with a clock of so many hertz.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Where the faults fall.")
@click.option("--speed", type=Finite(SLOWEST, FASTEST), help="Pace: 1 is the sensor's. [as fast as it goes]")
@CHUNK
@LIVE
@ANY_DAY
@PAGE
@AS_JSON
def simulate_command(
    bundle_path: Path,
    recordings: tuple[str, ...],
    overrides: Overrides,
    drop: float,
    gap: float,
    noise: float | None,
    invert: bool,
    clock: float | None,
    seed: int,
    speed: float | None,
    chunk: int,
    live: bool,
    any_day: bool,
    page: Path | None,
    as_json: bool,
) -> int:
    """Replay recordings as a faulty sensor would give them: with samples lost, noise, an inverted lead, another clock.

    Prints what `edge-ecg replay` prints. The same seed puts the same faults into the same recording.
    """
    if gap < 0:
        raise click.BadParameter(f"{gap:g} s is less than nothing", param_hint="--gap")
    if noise is not None and abs(noise) > MOST_NOISE_DB:
        raise click.BadParameter(f"{noise:g} dB is beyond {MOST_NOISE_DB} dB either way", param_hint="--noise")
    if page:
        refuse_overlap(page, [bundle_path, *recordings])
    faults = Faults(drop, gap, noise, invert, clock, seed)
    return replay_each(
        open_bundle(bundle_path, any_day),
        recordings,
        overrides,
        chunk=chunk,
        live=live,
        as_json=as_json,
        faults=faults,
        speed=speed,
        page=page,
    )
