"""A cohort of synthetic persons, for trying a study of many: they differ in heart, rate, drift and effect.

    python -m examples.synthetic_cohort people --persons 40
    python -m train.cohort people/study.toml --out result

Every third person has no effect at all: both states are one. `truth.csv` says who, and no command reads it.
"""

import csv
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np

from edge_ecg.errors import EdgeEcgError
from edge_ecg.simulation.synthetic import Person, State, synthetic_person, write_dataset
from edge_ecg.storage.files import atomic_folder
from edge_ecg.terminal.console import run_command


@dataclass(frozen=True)
class Truth:
    """What no command is told of a person."""

    key: str
    has_effect: bool
    heart_rate_bpm: float
    faster_bpm: float  # in the target state
    t_earlier_ms: float  # in the target state
    drift: float


def drawn(number: int, seed: int) -> tuple[Person, Truth]:
    """Person `number` (from 1) of the cohort of a seed."""
    draw = np.random.default_rng([seed, number]).uniform
    has_effect = number % 3 != 0
    rate, faster, earlier, drift = draw(50, 85), draw(0, 10), draw(10, 25), draw(0.5, 1.5)
    person = synthetic_person(100_000 * seed + number)
    baseline = replace(person.baseline, heart_rate_bpm=rate)
    target = State(rate + faster, baseline.t_delay_ms - earlier, 0.85 * baseline.t_uv) if has_effect else baseline
    truth = Truth(f"S{number:04}", has_effect, rate, faster * has_effect, earlier * has_effect, drift)
    return replace(person, baseline=baseline, target=target, drift=drift), truth


def write_cohort(out: Path, persons: int, seed: int, days: int, recordings: int) -> None:
    """Write `study.toml`, `truth.csv` and a folder of recordings a person. Raises EdgeEcgError if `out` is there."""
    if out.exists():
        raise EdgeEcgError(f"{out}: is there already; give a new folder")
    split = {"train": range(days - 4), "validation": range(days - 4, days - 2), "test": range(days - 2, days)}
    people = [drawn(number, seed) for number in range(1, persons + 1)]
    with atomic_folder(out) as fresh:
        for person, truth in people:
            write_dataset(fresh / truth.key, person, days=split, recordings_per_state=recordings, formats={})
        listed = [f"{truth.key} = {json.dumps(f'{truth.key}/dataset.toml')}" for _, truth in people]
        name = f"{persons} synthetic persons, seed {seed}"
        (fresh / "study.toml").write_text("\n".join([f"name = {json.dumps(name)}", "", "[persons]", *listed, ""]))
        with (fresh / "truth.csv").open("w", newline="") as file:
            rows = csv.DictWriter(file, list(asdict(people[0][1])))
            rows.writeheader()
            rows.writerows(asdict(truth) for _, truth in people)


@click.command()
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--persons", type=click.IntRange(1, 9999), default=40, show_default=True)
@click.option("--seed", type=click.IntRange(0, 9999), default=0, show_default=True, help="Of the whole cohort.")
@click.option("--days", type=click.IntRange(6), default=9, show_default=True, help="Of each person, with both states.")
@click.option("--recordings", type=click.IntRange(1), default=4, show_default=True, help="Of a state and day.")
def main(out: Path, persons: int, seed: int, days: int, recordings: int) -> None:
    """Write the recordings of synthetic persons, a third of them without any effect, and a study of them."""
    write_cohort(out, persons, seed, days, recordings)
    click.echo(f"{persons} persons in {out}, {persons // 3} of them without an effect")


if __name__ == "__main__":
    run_command(main)
