"""`python -m train.evaluate`: how a run decides on recordings of dates that it has not seen."""

import json
import sys
from pathlib import Path
from typing import Any

import click
import torch

from edge_ecg.console import run_command
from edge_ecg.datasets.dataset_file import SETS, read_dataset
from train.data import read_beats
from train.decision.decide import decide
from train.run import load_run


def table(figures: dict[str, dict[str, Any]], labels: tuple[str, str]) -> str:
    """Figures by set as lines of text: recordings first, since they are what counts."""
    lines = []
    for which, of_set in figures.items():
        sequential = of_set["sequential"]
        lines += [
            f"{which}: {', '.join(of_set['dates'])}",
            f"  {'':24}{'right':>12}  {'accuracy':>8}  {'95 % interval':>16}  {'sensitivity':>11}  {'specificity':>11}",
            _row("recordings, soft", of_set["recordings"]),
            _row("recordings, hard votes", of_set["recordings_hard_votes"]),
            _row("beats, soft", of_set["beats"], interval=False),
            _row("beats, hard votes", of_set["beats_hard_votes"], interval=False),
            f"  sequential decision: {sequential['right']} right, {sequential['wrong']} wrong, "
            f"{sequential['inconclusive']} inconclusive, median {sequential['median_beats']:.0f} beats",
        ]
    lines.append(f"  sensitivity is the share of {labels[1]!r} that was recognised, specificity that of {labels[0]!r}")
    return "\n".join(lines)


def _row(name: str, c: dict[str, Any], interval: bool = True) -> str:
    low, high = c["accuracy_95"]
    between = f"{low:.1%} to {high:.1%}" if interval else "not independent"
    shares = "  ".join(f"{'-' if s is None else f'{s:.1%}':>11}" for s in (c["sensitivity"], c["specificity"]))
    return f"  {name:24}{c['right']:>6}/{c['total']:<5}  {c['accuracy']:>8.1%}  {between:>16}  {shares}"


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("dataset_file", metavar="DATASET.toml", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Where the recordings are [beside DATASET.toml].")
@click.option("--set", "which", type=click.Choice(SETS), default="test", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def evaluate(run_folder: Path, dataset_file: Path, data: Path | None, which: str, as_json: bool) -> None:
    """Judge one set of a dataset with the model and references of a run."""
    torch.set_num_threads(1)
    finished = load_run(run_folder)
    entries = read_dataset(dataset_file, data).entries(which)
    with click.progressbar(entries, label=f"reading {which}", file=sys.stderr, hidden=as_json) as shown:
        beats = read_beats(shown, finished.contract)
    _, references = finished.references()
    figures = decide(finished.model, references, beats, finished.rule).to_json()
    click.echo(json.dumps({"set": which, **figures}) if as_json else table({which: figures}, finished.labels))


if __name__ == "__main__":
    run_command(evaluate)
