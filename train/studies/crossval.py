"""`python -m train.studies.crossval`: every date judged by models that have not seen it, beside baselines in one table.

OUT/folds/METHOD/DATE.json     what one method, trained on all other dates, says of the recordings of this one
OUT/folds/METHOD/split.json    the same, trained on the dataset file's train dates, of its validation and test dates
OUT/crossval.json, .txt        the figures, and as a table
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from edge_ecg.datasets.dataset_file import Dataset, read_dataset
from edge_ecg.storage.atomic import write_file
from edge_ecg.storage.files import write_json
from edge_ecg.terminal.console import between, claim_folder, columns, count, run_command, share, wrapped
from train.data import BeatSet, read_sets
from train.evaluation.folds import BASELINES, Fold, Method, all_the_same, comparator, leave_one_out, pooled, run_folds
from train.evaluation.scores import beside_the_best, counts, earned_its_place, figures
from train.fit.loop import Settings, settings_for
from train.model import DEFAULT_ARCHITECTURE
from train.options import ArchitectureName, given_beats, on_scheduler

Result = TypeVar("Result")
WRITES = ("folds", "crossval.json", "crossval.txt")


def methods_for(
    beats: BeatSet,
    architectures: Iterable[str],
    seed: int,
    baselines: Iterable[str] = BASELINES,
    epochs: int | None = None,
    compared: Method = comparator,
) -> dict[str, tuple[Method, Settings]]:
    """The baselines that have something to go by in these recordings, then the comparators, each with its settings."""
    silent = all_the_same(beats)
    usual = settings_for(DEFAULT_ARCHITECTURE, seed, epochs)
    return {
        **{name: (BASELINES[name], usual) for name in baselines if name not in silent},
        **{name: (compared, settings_for(name, seed, epochs)) for name in architectures},
    }


def cross_validate(
    dataset: Dataset,
    beats: BeatSet,
    architectures: Sequence[str],
    seed: int,
    out: Path,
    say: Callable[[str], None],
    baselines: Collection[str] = tuple(BASELINES),
    epochs: int | None = None,
    compared: Method = comparator,
) -> dict[str, Any]:
    """Judge every date and the dataset's own split by models that have not seen them, and write the figures.

    architectures: ours first, the others are more baselines. epochs: in place of the usual number. compared: how a
    comparator is trained and judges.
    """
    methods = methods_for(beats, architectures, seed, baselines, epochs, compared)
    split = Fold("split", dataset.sessions["train"], dataset.sessions["validation"] + dataset.sessions["test"])
    folds = [*leave_one_out(beats), split]
    judged = run_folds(beats, folds, methods, out, say)
    scores = {method: pooled(each[:-1]) for method, each in judged.items()}
    result = {
        "dataset": dataset.name,
        "labels": dataset.labels,
        "seed": seed,
        "dates": sorted(set(beats.dates.tolist())),
        "all_the_same": all_the_same(beats),
        "methods": {method: figures(v) for method, v in scores.items()},
        "split": {
            "dates": dataset.sessions,
            "methods": {
                method: {which: counts(each[-1].on_dates(dataset.sessions[which])) for which in ("validation", "test")}
                for method, each in judged.items()
            },
        },
        "beside": beside_the_best(architectures[0], scores),
        "verdict": earned_its_place(architectures[0], scores),
    }
    write_json(out / "crossval.json", result)
    write_file(out / "crossval.txt", (crossval_text(result) + "\n").encode())
    return result


def crossval_text(result: dict[str, Any]) -> str:
    """The figures as lines of text."""
    head = ["", "recordings", "accuracy", "Wilson 95 %", "over dates 95 %", "AUC", "sens.", "spec.", "beats"]
    rows = [[*head, "Brier", "ECE", "p"]]
    for method, f in result["methods"].items():
        c = f["recordings"]
        intervals = between(c["accuracy_95"]), between(f["accuracy_95_by_date"])
        rates = (share(rate) for rate in (c["sensitivity"], c["specificity"], f["beats_right"] / f["beats"]))
        errors = f"{f['brier']:.3f}", f"{f['expected_calibration_error']:.3f}", f"{f['permutation_p']:.3f}"
        rows.append([method, count(c), share(c["accuracy"]), *intervals, f"{f['auc']:.4f}", *rates, *errors])
    dates = [["", *result["methods"]]]
    dates += [[d, *(count(f["dates"][d]["recordings"]) for f in result["methods"].values())] for d in result["dates"]]
    split = [["", *(f"{which} {what}" for which in ("validation", "test") for what in ("recordings", "95 %", "beats"))]]
    for method, f in result["split"]["methods"].items():
        row = [method]
        for c in f.values():
            right = c["recordings"]
            row += [count(right), between(right["accuracy_95"]), share(c["beats_right"] / c["beats"])]
        split.append(row)
    missing = [f"No baseline by {name}: it is the same in all recordings." for name in result["all_the_same"]]
    learned = f"learned on {', '.join(result['split']['dates']['train'])} alone"
    blocks = [columns(rows), ["recordings right by date", *columns(dates)], [learned, *columns(split)]]
    return "\n\n".join("\n".join(lines) for lines in [*blocks, [*missing, wrapped(result["verdict"], 2)]])


def compared(
    architectures: tuple[str, ...], baselines: tuple[str, ...], shown: str
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Options for what is compared, --arch and --baseline, with these defaults; `shown` says which baselines."""

    def with_both(command: Callable[..., Result]) -> Callable[..., Result]:
        arch = click.option(
            "--arch",
            "architectures",
            multiple=True,
            type=ArchitectureName(),
            default=architectures,
            show_default=True,
            help="The comparator; given again, one more baseline.",
        )
        baseline = click.option(
            "--baseline",
            "baselines",
            multiple=True,
            type=click.Choice(list(BASELINES)),
            default=baselines,
            metavar="NAME",
            show_default=shown,
            help=f"One to compare with; may be given again: {', '.join(BASELINES)}.",
        )
        return arch(baseline(command))

    return with_both


@click.command()
@click.argument("dataset_file", metavar="DATASET.toml", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for folds and figures.")
@click.option("--data", type=click.Path(path_type=Path), help="Where the recordings are [beside DATASET.toml].")
@given_beats
@compared((DEFAULT_ARCHITECTURE, "positional"), tuple(BASELINES), "all")
@click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True)
@on_scheduler
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def crossval(
    dataset_file: Path,
    out: Path,
    data: Path | None,
    beats_file: Path | None,
    architectures: tuple[str, ...],
    baselines: tuple[str, ...],
    seed: int,
    as_json: bool,
) -> None:
    """How comparators and baselines decide on dates that they have not seen: each left out once, then by the split."""
    dataset = read_dataset(dataset_file, data)
    beats = read_sets(dataset, beats_file=beats_file)
    claim_folder(out, "train", WRITES)
    result = cross_validate(
        dataset, beats, architectures, seed, out, lambda line: click.echo(line, err=True), baselines
    )
    click.echo(json.dumps(result) if as_json else crossval_text(result))


if __name__ == "__main__":
    run_command(crossval)
