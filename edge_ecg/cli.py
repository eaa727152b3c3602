"""`edge-ecg`: what a person types. Each command reads files, calls one part of the runtime and prints."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_ecg import __version__
from edge_ecg.bundle import Bundle, load_bundle
from edge_ecg.console import report_error, run
from edge_ecg.contract import INTENDED_USE
from edge_ecg.demo import run_demo
from edge_ecg.errors import EdgeEcgError
from edge_ecg.recording import Recording, read_recording
from edge_ecg.replay import Replayed, replay
from edge_ecg.stream import r_peak_times_s

Result = TypeVar("Result")
RECORDINGS = click.argument("recordings", metavar="RECORDING...", nargs=-1, required=True)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a recording on standard output.")


@click.group(epilog=INTENDED_USE)
@click.version_option(__version__, prog_name="edge-ecg")
def cli() -> None:
    """Judge ECG recordings with a personal comparator, as a watch would."""


@cli.command("replay")
@click.argument("bundle_path", metavar="BUNDLE", type=click.Path(path_type=Path))
@RECORDINGS
@click.option("--chunk", default=64, show_default=True, type=click.IntRange(1), help="Samples a push.")
@click.option("--speed", type=click.FloatRange(0, min_open=True), help="Pace: 1 is the sensor's. [as fast as it goes]")
@AS_JSON
def replay_command(
    bundle_path: Path, recordings: tuple[str, ...], chunk: int, speed: float | None, as_json: bool
) -> int:
    """Replay recordings through a bundle: beats, votes, a decision as early as the evidence allows."""
    bundle = load_bundle(bundle_path)
    if not as_json:
        click.echo(_REPLAY_HEADER)
    return _for_each(
        recordings,
        lambda recording: replay(bundle, recording, chunk, speed),
        lambda replayed: json.dumps(replayed.to_json()) if as_json else _replay_row(replayed),
    )


@cli.command("detect")
@RECORDINGS
@AS_JSON
def detect_command(recordings: tuple[str, ...], as_json: bool) -> int:
    """Find the R peaks of recordings."""

    def found(recording: Recording) -> dict[str, Any]:
        return {
            "file": recording.source,
            "sample_rate_hz": recording.sample_rate_hz,
            "duration_s": recording.duration_s,
            "r_peaks_s": [round(float(t), 6) for t in r_peak_times_s(recording)],
        }

    def row(facts: dict[str, Any]) -> str:
        times = facts["r_peaks_s"]
        rate = 60 * (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else float("nan")
        return f"{facts['file']}  {facts['duration_s']:.1f} s  {len(times)} R peaks  {rate:.0f} a minute"

    return _for_each(recordings, found, json.dumps if as_json else row)


@cli.command("inspect")
@click.argument("bundle_path", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The manifest as JSON.")
def inspect_command(bundle_path: Path, as_json: bool) -> None:
    """Verify a bundle and say what it holds."""
    bundle = load_bundle(bundle_path)
    click.echo(json.dumps(bundle.manifest) if as_json else "\n".join(_inspected(bundle)))


@cli.command("demo")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for everything it makes.")
@click.option("--seed", default=1, show_default=True, help="Which synthetic person.")
def demo_command(out: Path, seed: int) -> None:
    """The main job on a synthetic person: recordings, training, bundle, replay."""
    run_demo(out, seed)


def _for_each(paths: Iterable[str], work: Callable[[Recording], Result], show: Callable[[Result], str]) -> int:
    """Work on each recording; a bad one is reported and the others still run. The exit code."""
    code = 0
    for path in paths:
        try:
            click.echo(show(work(read_recording(path))))
        except EdgeEcgError as error:
            code = report_error(error)
    return code


_REPLAY_HEADER = (
    f"{'recording':36}  {'decision':14} {'confidence':>10}  {'decided after':>17}  {'beats (votes)':>16}  "
    f"{'a beat p50':>10}  {'real time':>9}"
)


def _replay_row(replayed: Replayed) -> str:
    line = replayed.to_json()
    after = (
        f"{line['seconds_to_decision']:5.1f} s, {line['beats_to_decision']:2} beats"
        if line["beats_to_decision"]
        else "-"
    )
    votes = f"{line['beats']} ({' : '.join(str(count) for count in line['votes'].values())})"
    latency = "-" if line["latency_us"]["p50"] is None else f"{line['latency_us']['p50']:.0f} us"
    return (
        f"{line['file'][-36:]:36}  {line['decision']:14} {line['confidence']:>10.1%}  {after:>17}  {votes:>16}  "
        f"{latency:>10}  {line['realtime_factor']:>8.0f}x"
    )


def _inspected(bundle: Bundle) -> Iterable[str]:
    m = bundle.manifest
    references = bundle.references.is_target
    yield f"{bundle.path}: verified, {len(m['files']) + 1} files"
    yield f"labels        {bundle.labels[0]} (baseline), {bundle.labels[1]} (target)"
    yield f"model         {m['model']['architecture']}, {m['model']['parameters']:,} parameters"
    yield (
        f"references    {sum(~references)} {bundle.labels[0]}, {sum(references)} {bundle.labels[1]}, "
        f"{bundle.references.embeddings.shape[1]} numbers each"
    )
    for which, figures in m["metrics"].items():
        c, (low, high) = figures["recordings"], figures["recordings"]["accuracy_95"]
        yield (
            f"{which:13} {c['right']}/{c['total']} recordings right ({low:.0%} to {high:.0%}), "
            f"dates {', '.join(figures['dates'])}"
        )
    for parity in m["parity"]:
        yield (
            f"parity        {parity['engine']} against torch: logits within {parity['logit_max_abs']:.1g}, "
            f"{parity['recording_flips']} of {parity['recordings']} recordings decided otherwise"
        )
    yield f"intended use  {m['intended_use']}"
    for name, facts in m["files"].items():
        yield f"  {facts['bytes']:>9,}  {name}"


def main() -> None:
    """The entry point."""
    run(cli)


if __name__ == "__main__":
    main()
