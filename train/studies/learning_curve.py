"""`python -m train.studies.learning_curve`: how many days have to be recorded, and what does each method make of them?

    OUT/folds/METHOD/DAYS-DRAW.json    what one method, trained on the days of one draw, says of all other dates
    OUT/learning_curve.json, .png      the figures, and as a picture

A day counts that has both states. Draws of days are by the seed; a finished one is a file, so that an interrupted run
goes on where it was.
"""

import io
import json
from collections.abc import Callable, Collection
from itertools import combinations
from pathlib import Path
from typing import Any

import click
import numpy as np
from matplotlib.figure import Figure

from edge_ecg.datasets.dataset_file import FEWEST_DAYS, Dataset, days_with_both_states, read_dataset
from edge_ecg.errors import DatasetError
from edge_ecg.storage.atomic import write_file
from edge_ecg.storage.files import write_json
from edge_ecg.terminal.console import claim_folder, columns, run_command, share
from train.data import BeatSet, read_sets
from train.evaluation.folds import BASELINES, Fold, Method, comparator, pooled, run_folds
from train.evaluation.scores import RecordingScores
from train.fit.loop import Settings
from train.options import given_beats, on_scheduler

WRITES = ("folds", "learning_curve.json", "learning_curve.png")
METHODS: dict[str, Method] = {
    **{name: BASELINES[name] for name in ("logistic regression", "logistic, T aligned", "same network, no pairs")},
    "comparator": comparator,
}


def draw_days(beats: BeatSet, draws: int, seed: int) -> dict[int, list[Fold]]:
    """By number of days with both states: folds that learn on some such days and judge all other dates.

    Never the same days twice, so that there may be fewer than `draws`. Raises DatasetError if there are too few days.
    """
    dates = sorted(set(beats.dates.tolist()))
    days = days_with_both_states(zip(beats.dates.tolist(), beats.recording_is_target.tolist(), strict=True))
    if len(days) <= FEWEST_DAYS:
        raise DatasetError(f"{len(days)} days have both states, expected {FEWEST_DAYS + 1} at least")
    rng = np.random.default_rng(seed)
    folds = {}
    for number in range(1, len(days)):
        all_draws = list(combinations(days, number))
        chosen = rng.permutation(len(all_draws))[:draws]
        folds[number] = [
            Fold(f"{number}-{draw}", all_draws[index], tuple(d for d in dates if d not in all_draws[index]))
            for draw, index in enumerate(chosen)
        ]
    return folds


def learn_by_days(
    dataset: Dataset,
    beats: BeatSet,
    draws: int,
    seed: int,
    out: Path,
    say: Callable[[str], None],
    only: Collection[str] = tuple(METHODS),
) -> dict[str, Any]:
    """Let each method learn on every draw of days, and write the figures. only: some of the methods, or all."""
    folds = draw_days(beats, draws, seed)
    methods = {name: (method, Settings(seed=seed)) for name, method in METHODS.items() if name in only}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in methods}
    enough = [days for days in folds if days >= FEWEST_DAYS]
    few = [days for days in folds if days < FEWEST_DAYS]
    for numbers, able in ((few, methods.keys() - {"comparator"}), (enough, methods.keys())):
        together = [fold for days in numbers for fold in folds[days]]
        judged = run_folds(beats, together, {name: methods[name] for name in methods if name in able}, out, say)
        for name, scores in judged.items():
            of_fold = dict(zip((fold.name for fold in together), scores, strict=True))
            rows[name] += [row(days, [of_fold[fold.name] for fold in folds[days]]) for days in numbers]
    result = {"dataset": dataset.name, "seed": seed, "methods": rows}
    write_json(out / "learning_curve.json", result)
    write_file(out / "learning_curve.png", learning_curve_png(result))
    return result


def row(days: int, scores: list[RecordingScores]) -> dict[str, Any]:
    """Recordings of all other dates right: mean, standard deviation and the worst of the draws.

    In the mean each recording counts once, by how often it is right: the more days are learned, the fewer are left to
    judge, and the hard ones among them would weigh more.
    """
    right = [float(s.right.mean()) for s in scores]
    spread = float(np.std(right, ddof=1)) if len(right) > 1 else 0.0
    together = pooled(scores)
    judged_in = {date: sum(date in s.dates for s in scores) for date in set(together.dates.tolist())}
    mean = np.average(together.right, weights=[1 / judged_in[date] for date in together.dates.tolist()])
    return {"days": days, "draws": len(right), "mean": float(mean), "sd": spread, "worst": min(right)}


def learning_curve_text(result: dict[str, Any]) -> str:
    """A line for each number of days: mean, standard deviation and worst draw of each method."""
    methods = result["methods"]
    lines = [["days with both states", "draws", *methods]]
    for days in sorted({row["days"] for rows in methods.values() for row in rows}):
        of_days = [next((row for row in rows if row["days"] == days), None) for rows in methods.values()]
        cells = [
            f"{share(r['mean'])} sd {share(r['sd'])} worst {share(r['worst'])}" if r else "refused" for r in of_days
        ]
        lines.append([str(days), str(next(r["draws"] for r in of_days if r)), *cells])
    return "\n".join(columns(lines))


def learning_curve_png(result: dict[str, Any]) -> bytes:
    """Mean and worst draw by number of days."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for number, (method, rows) in enumerate(result["methods"].items()):
        days, colour = [row["days"] for row in rows], f"C{number}"
        axes.plot(days, [100 * row["mean"] for row in rows], "o-", color=colour, label=f"{method}, mean")
        axes.plot(days, [100 * row["worst"] for row in rows], ":", color=colour, label="worst draw")
    axes.set_xlabel("days with both states to learn from")
    axes.set_ylabel("recordings of all other days right, %")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, ncols=2)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()


@click.command()
@click.argument("dataset_file", metavar="DATASET.toml", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for draws and figures.")
@click.option("--data", type=click.Path(path_type=Path), help="Where the recordings are [beside DATASET.toml].")
@click.option(
    "--draws", type=click.IntRange(1), default=12, show_default=True, help="Of days, for each number of them."
)
@click.option("--seed", default=0, show_default=True)
@given_beats
@on_scheduler
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def learning_curve(
    dataset_file: Path, out: Path, data: Path | None, draws: int, seed: int, beats_file: Path | None, as_json: bool
) -> None:
    """Train on a few days at a time and judge all other dates: how many days with both states are enough?"""
    dataset = read_dataset(dataset_file, data)
    beats = read_sets(dataset, beats_file=beats_file)
    claim_folder(out, "train", WRITES)
    result = learn_by_days(dataset, beats, draws, seed, out, lambda line: click.echo(line, err=True))
    click.echo(json.dumps(result) if as_json else learning_curve_text(result))


if __name__ == "__main__":
    run_command(learning_curve)
