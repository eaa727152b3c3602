"""`edge-ecg simulate`: replay recordings with the faults of a sensor, or at the pace of one."""

from pathlib import Path

import click

from edge_ecg.cli.options import AS_JSON, RECORDINGS, Quantity, told_of_recordings
from edge_ecg.cli.replay import ANY_DAY, BUNDLE, CHUNK, LIVE, open_bundle, replay_each
from edge_ecg.recording import Told
from edge_ecg.simulation.faults import Faults


@click.command("simulate")
@BUNDLE
@RECORDINGS
@told_of_recordings
@click.option("--drop", default=0.0, type=click.FloatRange(0, 1), help="Lose this share of the samples.")
@click.option("--gap", default="0s", type=Quantity("s"), help="Lose all samples for a while, such as 2s.")
@click.option("--noise", type=Quantity("dB"), help="Add white noise this far below the signal, such as 20dB.")
@click.option("--invert", is_flag=True, help="Invert the lead, as on the other wrist.")
@click.option("--clock", type=click.FloatRange(100, 2000), help="Sample with a clock of so many hertz.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Where the faults fall.")
@click.option("--speed", type=click.FloatRange(0, min_open=True), help="Pace: 1 is the sensor's. [as fast as it goes]")
@CHUNK
@LIVE
@ANY_DAY
@AS_JSON
def simulate_command(
    bundle_path: Path,
    recordings: tuple[str, ...],
    told: Told,
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
    as_json: bool,
) -> int:
    """Replay recordings as a faulty sensor would give them: with samples lost, noise, an inverted lead, another clock.

    Prints what `edge-ecg replay` prints. The same seed puts the same faults into the same recording.
    """
    if gap < 0:
        raise click.BadParameter(f"{gap:g} s is less than nothing", param_hint="--gap")
    faults = Faults(drop, gap, noise, invert, clock, seed)
    return replay_each(
        open_bundle(bundle_path, any_day),
        recordings,
        told,
        chunk=chunk,
        live=live,
        as_json=as_json,
        faults=faults,
        speed=speed,
    )
