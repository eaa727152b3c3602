"""`edge-ecg`: what a person types. Each command reads files, calls one part of the runtime and prints."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from edge_ecg import __version__
from edge_ecg.artefact_table import artefact_table
from edge_ecg.bundle import Bundle, load_bundle
from edge_ecg.cli_cost import doctor_command, profile_command
from edge_ecg.cli_enroll import enroll_command
from edge_ecg.cli_import import import_command
from edge_ecg.cli_replay import AS_JSON, RECORDINGS, for_each, replay_command
from edge_ecg.cli_report import report_command
from edge_ecg.cli_sign import sign_command, verify_command
from edge_ecg.console import run
from edge_ecg.contract import INTENDED_USE
from edge_ecg.demo import run_demo
from edge_ecg.recording import Recording
from edge_ecg.stream import r_peak_times_s

EXIT_CODES = "Exit codes: 0 done; 1 a defect; 2 bad input, the rest was done; 130 interrupted."


@click.group(epilog=f"{EXIT_CODES}\n\n{INTENDED_USE}")
@click.version_option(__version__, prog_name="edge-ecg")
def cli() -> None:
    """Judge ECG recordings with a personal comparator, as a watch would."""


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

    return for_each(recordings, found, json.dumps if as_json else row)


@cli.command("inspect")
@click.argument("bundle_path", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The manifest as JSON.")
def inspect_command(bundle_path: Path, as_json: bool) -> None:
    """Verify a bundle and say what it holds."""
    bundle = load_bundle(bundle_path)
    click.echo(json.dumps(bundle.manifest) if as_json else "\n".join(_inspected(bundle)))


@cli.command("demo", short_help="The main job on a synthetic person.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for everything it makes.")
@click.option("--seed", default=4, show_default=True, help="Which synthetic person; the last day of 1 drifts.")
def demo_command(out: Path, seed: int) -> None:
    """The main job on a synthetic person: recordings, training, bundle, replay."""
    run_demo(out, seed)


for command in (
    replay_command,
    enroll_command,
    import_command,
    sign_command,
    verify_command,
    profile_command,
    report_command,
    doctor_command,
):
    cli.add_command(command)


def _inspected(bundle: Bundle) -> Iterable[str]:
    m = bundle.manifest
    references = bundle.references.is_target
    yield f"{bundle.path}: verified, {len(m['files']) + 1} files"
    yield f"labels        {bundle.labels[0]} (baseline), {bundle.labels[1]} (target)"
    if "enrolment" in m:
        e = m["enrolment"]
        yield (
            f"enrolled      {e['recordings']} recordings of {', '.join(e['dates'])}: references moved by "
            f"{e['share']:.0%} of the way; the figures below are from before"
        )
    yield f"model         {m['model']['architecture']}, {m['model']['parameters']:,} parameters"
    yield (
        f"references    {sum(~references)} {bundle.labels[0]}, {sum(references)} {bundle.labels[1]}, "
        f"{bundle.references.embeddings.shape[1]} numbers each"
    )
    if bundle.references.seen and bundle.references.seen.known_days:
        yield f"knows         recordings from {bundle.references.seen.known_days}"
    for which, figures in m["metrics"].items():
        c, (low, high) = figures["recordings"], figures["recordings"]["accuracy_95"]
        yield (
            f"{which:13} {c['right']}/{c['total']} recordings right ({low:.0%} to {high:.0%}), "
            f"dates {', '.join(figures['dates'])}"
        )
    yield from artefact_table(m["parity"])
    yield f"intended use  {m['intended_use']}"
    for name, facts in m["files"].items():
        yield f"  {facts['bytes']:>9,}  {name}"


def main() -> None:
    """The entry point."""
    run(cli)


if __name__ == "__main__":
    main()
