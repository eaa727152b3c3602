"""`python -m train.evaluate`: how a run decides on recordings of dates that it has not seen.

    RUN/evaluation.json    metrics by set, with time and number of evaluations

Test dates that are evaluated repeatedly, with changes in between, are no test dates any more.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import click
import msgspec
import torch

from edge_ecg.datasets.dataset_file import SETS, read_dataset
from edge_ecg.report.findings import weights_sha256
from edge_ecg.results import Accuracy, Evaluation, SetMetrics, between, percent, read_record, write_record
from edge_ecg.terminal.console import claim_folder, columns, run_command, wrapped
from train.data import read_sets
from train.fit.decision import decide
from train.options import DATA, DATASET, RUN, given_beats
from train.run import Run, load_run

EVALUATION = "evaluation.json"
FIGURES = {
    "recordings, soft": "recordings",
    "recordings, hard votes": "recordings_hard_votes",
    "beats, soft": "beats",
    "beats, hard votes": "beats_hard_votes",
}


def metrics_text(sets: Mapping[str, SetMetrics], labels: tuple[str, str]) -> str:
    """Metrics by set as lines of text, recordings first."""
    lines = []
    for which, of_set in sets.items():
        rows = [["", "correct", "accuracy", "95 % interval", "sens.", "spec."]]
        for name, key in FIGURES.items():
            c: Accuracy = getattr(of_set, key)
            interval = between(c.accuracy_95) if name.startswith("recordings") else "not independent"
            rates = (percent(rate) for rate in (c.sensitivity, c.specificity))
            rows.append([f"  {name}", f"{c.right}/{c.total}", percent(c.accuracy), interval, *rates])
        s = of_set.sequential
        lines += [
            f"{which}: {', '.join(of_set.dates)}",
            *columns(rows),
            wrapped(
                f"  decisions without a day's baseline: {s.right} correct, {s.wrong} wrong, {s.inconclusive} "
                f"inconclusive; first decision after {s.median_beats:.0f} beats (median)",
                4,
            ),
        ]
    lines.append(wrapped(f"  sens.: share of {labels[1]!r} recognized; spec.: share of {labels[0]!r}", 4))
    return "\n".join(lines)


@click.command()
@RUN
@DATASET
@DATA
@given_beats
@click.option("--set", "which", type=click.Choice(SETS), default="test", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def evaluate(
    run_folder: Path, dataset_file: Path, data: Path | None, beats_file: Path | None, which: str, as_json: bool
) -> None:
    """Evaluate the model of a run on one set of a dataset."""
    torch.set_num_threads(1)
    finished = load_run(run_folder)
    dataset = read_dataset(dataset_file, data)
    beats = read_sets(dataset, [which], finished.contract, as_json, beats_file)
    _, references = finished.references()
    metrics = decide(finished.model, references, beats, finished.rule).metrics()
    claim_folder(run_folder, "train", [EVALUATION])
    looks = noted(finished, which, metrics)
    if as_json:
        click.echo(json.dumps({"set": which, "looks": looks, **msgspec.to_builtins(metrics)}))
        return
    click.echo(metrics_text({which: metrics}, finished.labels))
    if which == "test":
        again = f"evaluation {looks}; changes made in between were chosen by them" if looks > 1 else "first evaluation"
        click.echo(f"  test dates of this run: {again}")


def noted(run: Run, which: str, metrics: SetMetrics) -> int:
    """Write the metrics of a set into the run, and return its number of evaluations, including this one."""
    file = run.path / EVALUATION
    sets = read_record(file, dict[str, Evaluation]) if file.exists() else {}
    looks = 1 + (sets[which].looks if which in sets else 0)
    sets[which] = Evaluation(
        **msgspec.structs.asdict(metrics),
        looks=looks,
        time=datetime.now().astimezone().isoformat(timespec="seconds"),
        weights_sha256=weights_sha256(run.path),
        references_per_state=run.config["settings"]["references_per_state"],
    )
    write_record(file, sets)
    return looks


if __name__ == "__main__":
    run_command(evaluate)
