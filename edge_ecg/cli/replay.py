"""`edge-ecg replay`: recordings through a bundle, chunk by chunk, to a decision for each."""

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np

from edge_ecg.bundles.bundle import PACKED_FROM, Bundle, load_bundle
from edge_ecg.cli.day_baseline import DAY_BASELINE, DAY_BASELINE_FIRST, DayBaselines, day_baselines, label_of
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
from edge_ecg.inference.novelty import OUT_OF_DATE, span_of
from edge_ecg.inference.votes import INCONCLUSIVE
from edge_ecg.playback import BETWEEN, Replayed, Step, replay
from edge_ecg.recording import UNKNOWN, Overrides, Recording
from edge_ecg.storage.files import refuse_overlap, write_file
from edge_ecg.terminal.console import is_verbose, shortened, terminal_width, wrapped

if TYPE_CHECKING:
    from edge_ecg.simulation.faults import Faults

CHUNK = 64


class Shown(NamedTuple):
    """Options of a replay and its output."""

    chunk: int = CHUNK
    live: bool = False
    page: Path | None = None
    as_json: bool = False


def shown_options(command: Callable[..., int]) -> Callable[..., int]:
    """The options of a replay; the command gets them as `shown`, beside `any_day`."""

    @click.option("--chunk", default=CHUNK, show_default=True, type=click.IntRange(1), help="Samples per push.")
    @click.option("--live", is_flag=True, help="Show trace, R marks, votes and latency in real time.")
    @click.option("--any-day", is_flag=True, help="Also decide on recordings that are out of date.")
    @click.option("--page", type=PagePath(), help="Write a page that plays the replay.")
    @AS_JSON
    @functools.wraps(command)
    def with_shown(*args: Any, **others: Any) -> int:
        shown = Shown(*(others.pop(name) for name in Shown._fields))
        if shown.live and shown.as_json:
            raise click.UsageError("--live and --json exclude each other")
        return command(*args, shown=shown, **others)

    return with_shown


CONFIDENCE = click.option(
    "--confidence",
    type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
    help="Required confidence, such as 0.9. [that of the bundle, usually 0.95]",
)


@click.command("replay")
@bundle_and_recordings
@override_options
@DAY_BASELINE
@DAY_BASELINE_FIRST
@LABELS
@CONFIDENCE
@shown_options
def replay_command(
    bundle_path: Path,
    recordings: tuple[str, ...],
    overrides: Overrides,
    day_files: tuple[str, ...],
    first: int | None,
    labels_file: Path | None,
    confidence: float | None,
    any_day: bool,
    shown: Shown,
) -> int:
    """Replay recordings through a bundle, and decide on each as early as the evidence allows.

    A RECORDING is a file, a folder with recordings anywhere below it, or Apple's export.zip. An early decision is
    provisional: if the evidence no longer supports it at the end of the recording, the result is inconclusive.
    """
    if shown.page:
        refuse_overlap(shown.page, [bundle_path, *recordings, *day_files])
    bundle = open_bundle(bundle_path, any_day)
    if confidence:
        bundle = replace(bundle, rule=bundle.rule.at(confidence))
    labels: dict[str, str] = {}
    if labels_file:
        from edge_ecg.datasets.labeling import labels_by_name  # which takes long to import

        labels = labels_by_name(labels_file)
    note = lambda line: click.echo(f"skipped: {line}", err=True)  # noqa: E731
    baselines = day_baselines(bundle, day_files, first, recordings, overrides, labels, note)
    return replay_each(bundle, recordings, overrides, shown, baselines=baselines, labels=labels)


def replay_each(
    bundle: Bundle,
    recordings: tuple[str, ...],
    overrides: Overrides,
    shown: Shown,
    *,
    faults: "Faults | None" = None,
    speed: float | None = None,
    baselines: DayBaselines | None = None,
    labels: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Replay every recording found, with faults if given, and print a row or a line of JSON for each. The exit code.

    Recordings of the day's baseline are skipped. labels: known labels by path or file name, in addition to those of
    folders.
    """
    chunk, live, page, as_json = shown
    baselines = baselines or DayBaselines()
    if page:
        chunk = min(chunk, CONTRACT.block_samples)  # so that a step holds one beat
    if live:
        from edge_ecg.cli.live import live_view
    played: list[tuple[Recording, Replayed, list[Step], str | None]] = []
    out_of_date: list[str] = []
    learned = _leads(bundle)
    other_leads: Counter[str] = Counter()
    table = Table(bundle.labels, labels, baselines.is_given)

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
            known = label_of(replayed.source, bundle.labels, labels)
            played.append((recording, replayed, steps, known if known in bundle.labels else None))
        return replayed

    def printed(replayed: Replayed) -> str:
        if as_json:
            return json.dumps(replayed.to_json())
        row = table.row(replayed)
        if table.rows > 1:
            return row
        head = [wrapped(line) for line in baselines.describe(bundle.labels)]
        return "\n".join([*head, *([] if live else [table.header()]), row])

    if baselines.is_undated:
        click.echo("the day's baseline has no date: nothing verifies that it is from the same day", err=True)
    code = for_each(recordings, overrides, work, printed)
    if page and played:
        from edge_ecg.report.replay_page import Played, replay_page

        content = replay_page(bundle, [Played(*each) for each in played]).encode()
        write_file(page, content)
        click.echo(f"{page}: written, {len(content):,} bytes", err=True)
    distribution = bundle.references.distribution
    if out_of_date and distribution:
        click.echo(
            f"{len(out_of_date)} out of date: {bundle.path} was trained on recordings from {distribution.known_days}, "
            "and levels drift; enroll fresh baseline recordings of three dates (edge-ecg enroll)",
            err=True,
        )
    if other_leads:
        others = " and ".join(f"{count} from lead {lead}" for lead, count in other_leads.items())
        click.echo(wrapped(f"{others}: {bundle.path} was trained on lead {' and '.join(sorted(learned))}", 2), err=True)
    if table.rows:
        for line in [*table.total(), _footer(bundle)]:
            click.echo(wrapped(line))
    return code


def _leads(bundle: Bundle) -> set[str]:
    """The leads of the recordings that a bundle was trained on; none where a recording does not state it."""
    try:
        leads = {str(lead) for lead in bundle.manifest["training"]["dataset"]["leads"]}
    except (KeyError, TypeError):  # one from before, or forged
        return set()
    return leads if UNKNOWN not in leads else set()


def open_bundle(path: Path, any_day: bool) -> Bundle:
    """The bundle; with `any_day`, no recording is out of date."""
    bundle = load_bundle(path)
    if bundle.is_portable and PACKED_FROM not in bundle.manifest:
        click.echo(
            wrapped("ONNX Runtime is not installed: the portable form is used, at a third of the speed", 2), err=True
        )
    distribution = bundle.references.distribution
    if not any_day or not distribution:
        return bundle
    return bundle.with_references(replace(bundle.references, distribution=replace(distribution, days=span_of([]))))


MOST_NAME, MOST_LABEL = 60, 12  # columns


class Table:
    """The rows that a replay prints, and how many of the recordings with a known label are decided correctly."""

    def __init__(self, labels: tuple[str, str], known: Mapping[str, str], by_day: bool):
        """known: labels by path or file name; by_day: whether a day's baseline is given."""
        self._labels, self._known, self._by_day = labels, known, by_day
        self._label_width = min(MOST_LABEL, max(5, *map(len, labels)))
        others = self._label_width + len(self._cells("", "", "", "", ""))
        self._name_width = min(MOST_NAME, terminal_width() - others)
        self._outcomes: Counter[str] = Counter()
        self._between = 0
        self.rows = 0

    def header(self) -> str:
        """The names of the columns."""
        return f"{'recording':{self._name_width}}{self._cells('label', 'decision', 'conf.', 'first', 'beats')}"

    def _cells(self, label: str, decision: str, confidence: str, first: str, beats: str) -> str:
        width = self._label_width
        states = f"{shortened(label, width):{width}}  {shortened(decision, 12):12}"
        return f"  {states}  {confidence:>6}  {first:>6}  {beats:>5}"

    def row(self, replayed: Replayed) -> str:
        """A line for a recording, and its notes below."""
        d = replayed.decision
        self.rows += 1
        label = label_of(replayed.source, self._labels, self._known)
        if label in self._labels:
            outcome = INCONCLUSIVE if d.label == INCONCLUSIVE else "correct" if d.label == label else "wrong"
            self._outcomes[outcome] += 1
        self._between += replayed.why == BETWEEN
        confidence = f"{d.confidence:.1%}" if d.label != INCONCLUSIVE else "-"
        first = f"{d.provisional.seconds:.1f} s" if d.provisional else "-"
        name = shortened(replayed.source, self._name_width)
        line = f"{name:{self._name_width}}{self._cells(label or '-', d.label, confidence, first, str(d.beats))}"
        return "\n".join([line, *(wrapped(f"    {note}", 6) for note in _notes(replayed, self._by_day))])

    def total(self) -> Iterator[str]:
        """Lines below the rows."""
        if self._outcomes:
            yield ", ".join(f"{self._outcomes[outcome]} {outcome}" for outcome in ("correct", "wrong", INCONCLUSIVE))
        if self._between and not self._by_day:
            yield (
                f"For recordings between the two states, compare with {self._labels[0]} recordings of the same day: "
                "--day-baseline-first 2"
            )


def _notes(replayed: Replayed, by_day: bool) -> Iterator[str]:
    d = replayed.decision
    if by_day and not replayed.rule.startswith("day's"):
        yield replayed.rule
    if replayed.why:
        yield f"{INCONCLUSIVE}: {replayed.why}"
    if d.unusable:
        reasons = ", ".join(f"{reason} {count}" for reason, count in replayed.unusable.items())
        yield f"{d.unusable} unusable: {reasons}"
    if replayed.lead_is_inverted:
        turned = f"{replayed.inverted_beats} of {len(replayed.judged)} beats were turned upright"
        yield f"lead inverted: {turned} (worn on the other wrist, or the watch turned?)"
    if replayed.late_chunks:
        yield f"{replayed.late_chunks} of {replayed.chunks} chunks late"
    if is_verbose() and len(replayed.latency_us):
        votes = ", ".join(f"{count} {label}" for label, count in d.votes.items())
        yield f"{replayed.rule}; votes {votes}; a beat in {np.median(replayed.latency_us):.0f} us (median)"


def _footer(bundle: Bundle) -> str:
    """The level of the decisions, and why confidence has a cap."""
    rule, levels = bundle.rule, bundle.rule.levels
    if levels is None:
        return "Nothing is decided, because training had too few dates to measure how much days differ."
    (baseline, target), dates = rule.labels, (levels.baseline.dates, levels.target.dates)
    confidence = 1 - rule.constants.alpha
    return (
        f"Decided at {confidence:.0%}: odds of {confidence / rule.constants.alpha:.0f}:1 in the model of levels, not a "
        f"measured error rate. Confidence is capped at {levels.most_confident(False):.1%} for {baseline} and "
        f"{levels.most_confident(True):.1%} for {target}, because training had {dates[0]} dates with {baseline} and "
        f"{dates[1]} with {target}."
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
@click.option("--clock", type=Finite(100, 2000), help="Sample with a clock of this rate in hertz.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the faults.")
@click.option("--speed", type=Finite(SLOWEST, FASTEST), help="Pace: 1 is real time. [as fast as possible]")
@shown_options
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
    any_day: bool,
    shown: Shown,
) -> int:
    """Replay recordings with simulated faults of a sensor: lost samples, noise, an inverted lead, another clock.

    The output is that of `edge-ecg replay`. The same seed gives the same faults.
    """
    if gap < 0:
        raise click.BadParameter(f"{gap:g} s is negative", param_hint="--gap")
    if noise is not None and abs(noise) > MOST_NOISE_DB:
        raise click.BadParameter(f"{noise:g} dB is beyond {MOST_NOISE_DB} dB either way", param_hint="--noise")
    if shown.page:
        refuse_overlap(shown.page, [bundle_path, *recordings])
    from edge_ecg.simulation.faults import Faults

    faults = Faults(drop, gap, noise, invert, clock, seed)
    return replay_each(open_bundle(bundle_path, any_day), recordings, overrides, shown, faults=faults, speed=speed)
