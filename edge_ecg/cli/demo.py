"""`edge-ecg demo`: a synthetic person's recordings, training, study, export, replay and report, by the commands."""

import sys
import time
from importlib.util import find_spec
from pathlib import Path

import click

from edge_ecg.bundles.bundle import load_bundle
from edge_ecg.cli import cli
from edge_ecg.cli.replay import Shown, replay_each
from edge_ecg.errors import EdgeEcgError
from edge_ecg.inference.votes import INCONCLUSIVE
from edge_ecg.playback import replay
from edge_ecg.readers.read import read_recording
from edge_ecg.recording import NO_OVERRIDES
from edge_ecg.simulation.synthetic import synthetic_person, write_dataset
from edge_ecg.terminal.console import wrapped


@click.command("demo")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for all output.")
@click.option("--look", is_flag=True, help="Only replay three included recordings, in a second and without training.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=4,
    show_default=True,
    help="Which synthetic person; the last day of 1 drifts.",
)
def demo_command(out: Path | None, look: bool, seed: int) -> int:
    """Run all steps on a synthetic person: recordings, training, export, replay and report.

    With --look, only three included recordings are replayed; --out then gets a page of the replay.
    """
    if look:
        return look_at_replays(out)
    if out is None:
        raise click.UsageError("give --out FOLDER, or --look for a first look")
    run_demo(out, seed)
    return 0


LOOK = Path(__file__).parent.parent / "simulation" / "look"  # made by `python -m benches.small`


def look_at_replays(out: Path | None) -> int:
    """Replay the recordings that ship with this package through the packed bundle beside them. The exit code."""
    bundle, recordings = LOOK / "person.ecgbundle", [str(path) for path in sorted(LOOK.glob("*.csv"))]
    labels = {recording: Path(recording).stem.rpartition("_")[2] for recording in recordings}
    page = out and out / "look.html"
    if page:
        page.parent.mkdir(parents=True, exist_ok=True)
    code = replay_each(load_bundle(bundle), tuple(recordings), NO_OVERRIDES, Shown(page=page), labels=labels)
    click.echo("Three recordings of a synthetic person. To watch one in real time, and to draw it:")
    click.echo(f"  edge-ecg replay {bundle} {recordings[0]} --live")
    click.echo(f"  edge-ecg plot {recordings[0]} --out ecg.png")
    return code


def run_demo(out: Path, seed: int) -> None:
    """Write recordings, train, evaluate, study, export, replay and report, all below `out`.

    Raises EdgeEcgError if a step fails or the training and export extras are not installed.
    """
    missing = [name for name in ("torch", "matplotlib", "jinja2", "onnx", "coremltools") if find_spec(name) is None]
    if missing:
        raise EdgeEcgError(f"the demo needs {', '.join(missing)}: pip install -e '.[train,export,report]' in the clone")
    if out.exists() and any(out.iterdir()):
        raise EdgeEcgError(f"{out}: is not empty; give a new folder, or remove it")
    began = time.perf_counter()
    data, training, bundle_path, page = out / "data", out / "run", out / "bundle", out / "report.html"
    person = out / "person.html"

    _say(f"Write the recordings of synthetic person {seed}: two states, nine days, 30 s each, as Apple Watch files")
    dataset = write_dataset(data, synthetic_person(seed))
    click.echo(f"  {len(list(data.rglob('*.csv')))} recordings in {data}")

    _step("Train a comparator on five days; two others stop the training", "train", dataset, "--out", training)
    _step("Evaluate it on two other days", "evaluate", training, dataset)
    _step(
        "Leave out each day once, with and without the day's baseline",
        *("study", training, dataset, "--quick", "--only", "crossval,day_baseline"),
    )
    _step("Export the bundle: ONNX, Core ML, reference embeddings", "export", training, "--out", bundle_path)

    _say("Replay the test recordings, 64 samples at a time, and decide as early as possible")
    _replay_held_out(data, bundle_path)

    _step("Write all results as one page", "report", training, bundle_path, "--out", page)
    _step("Write a page that decides in a browser", "web", bundle_path, "--out", person)
    opener = {"darwin": "open", "win32": "start"}.get(sys.platform, "xdg-open")
    click.echo(f"\nAll of it took {time.perf_counter() - began:.0f} s. To see what came out, open these in a browser:")
    click.echo(f"  {opener} {page}")
    click.echo(f"  {opener} {person}  # and drop {data}/0309/*/*.csv into it")
    click.echo(f"Look around in {out}, then try")
    click.echo(f"  edge-ecg plot {data}/0309 --out beats.png")
    click.echo(f"  edge-ecg replay {bundle_path} {data}/0309")
    click.echo(f"  edge-ecg inspect {bundle_path}")


def _replay_held_out(data: Path, bundle_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    held_out = [path for date in ("0308", "0309") for path in sorted((data / date).rglob("*.csv"))]
    rows: dict[tuple[str, str], list[str]] = {}
    seconds, factors = [], []
    for path in held_out:
        replayed = replay(bundle, read_recording(path))
        truth, decision = path.parent.name, replayed.decision
        outcome = decision.label if decision.label == INCONCLUSIVE else ("wrong", "right")[decision.label == truth]
        rows.setdefault((path.parent.parent.name, truth), []).append(outcome)
        factors.append(replayed.realtime_factor)
        if decision.provisional:
            seconds.append(decision.provisional.seconds)
    click.echo(f"  {'date':6} {'state':10} {'correct':>8} {'wrong':>6} {'inconclusive':>13}")
    for (date, truth), outcomes in rows.items():
        counts = [outcomes.count(name) for name in ("right", "wrong", INCONCLUSIVE)]
        click.echo(f"  {date:6} {truth:10} {counts[0]:>8} {counts[1]:>6} {counts[2]:>13}")
    if seconds:
        times = (
            f"  first decision after {sorted(seconds)[len(seconds) // 2]:.1f} s of ECG (median; the first 3 s settle); "
            f"replayed at {sorted(factors)[len(factors) // 2]:.0f} times real time"
        )
        click.echo(wrapped(times, 2))


def _step(title: str, *arguments: object) -> None:
    """Run a command in this process, which imports torch and starts workers once for all of them."""
    words = [str(argument) for argument in arguments]
    _say(title, f"edge-ecg {' '.join(words)}")
    if code := cli.main(words, standalone_mode=False):
        raise EdgeEcgError(f"edge-ecg {words[0]} ended with exit code {code}")


def _say(title: str, command: str = "") -> None:
    click.secho(f"\n{wrapped(title)}", bold=True)
    if command:
        click.echo(wrapped(f"$ {command}", 4))
    sys.stdout.flush()
