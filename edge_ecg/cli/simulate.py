"""`edge-ecg simulate`: replay recordings with the faults of a sensor, or at the pace of one."""

from pathlib import Path

import click

from edge_ecg.cli.options import AS_JSON, RECORDINGS, Finite, Quantity, told_of_recordings
from edge_ecg.cli.replay import ANY_DAY, BUNDLE, CHUNK, LIVE, PAGE, open_bundle, replay_each
from edge_ecg.recording import Told
from edge_ecg.simulation.faults import Faults
from edge_ecg.storage.atomic import refuse_overlap

MOST_NOISE_DB = 120  # a millionfold
SLOWEST, FASTEST = 0.001, 1000.0  # times the sensor's pace


@click.command("simulate")
@BUNDLE
@RECORDINGS
@told_of_recordings
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
        told,
        chunk=chunk,
        live=live,
        as_json=as_json,
        faults=faults,
        speed=speed,
        page=page,
    )
