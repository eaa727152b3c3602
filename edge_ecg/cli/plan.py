"""`edge-ecg plan`: simulated decisions by number of sessions, from the variances of a run."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from edge_ecg.cli.options import AS_JSON
from edge_ecg.datasets.plan import RECORDINGS, TOO_FEW, Plan, plan_from, sessions_without_model
from edge_ecg.errors import ContractError, RunError
from edge_ecg.inference.levels import Levels
from edge_ecg.storage.files import read_json
from edge_ecg.terminal.console import columns, wrapped

CONFIG = "config.json"


def plan_of_run(run: Path, recordings: int = RECORDINGS, confidence: float = 0.95) -> tuple[Plan, tuple[str, str]]:
    """The plan from the levels of a finished run, and its labels. Raises RunError."""
    if not (run / CONFIG).exists():
        raise RunError(f"{run}: has no {CONFIG}, expected the folder of a finished training run")
    config = read_json(run / CONFIG)
    try:
        baseline, target = config["labels"]
        levels = Levels.from_json(config["levels"])
    except (ContractError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{run / CONFIG}: lacks labels or levels: {error}") from None
    if levels is None:
        raise RunError(f"{run}: {TOO_FEW}")
    return plan_from(levels, recordings, confidence), (str(baseline), str(target))


@click.command("plan")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--recordings",
    type=click.IntRange(3),
    default=RECORDINGS,
    show_default=True,
    help="Recordings per state and session.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 0.999, min_open=True),
    default=0.95,
    show_default=True,
    help="Required confidence.",
)
@AS_JSON
def plan_command(run: Path, recordings: int, confidence: float, as_json: bool) -> None:
    """Simulate how many decisions more sessions would give, from the variances of a run."""
    plan, labels = plan_of_run(run, recordings, confidence)
    if as_json:
        click.echo(json.dumps({**asdict(plan), "sessions_without_model": sessions_without_model(confidence)}))
        return
    rows = [["sessions", "decided", "wrong of these", "without baseline", "half the effect"]]
    for row in plan.rows:
        shares = row.with_baseline.decided, row.with_baseline.wrong, row.without.decided, row.half_as_far.decided
        rows.append([str(row.sessions), *(f"{share:.1%}" for share in shares)])
    click.echo("\n".join([*columns(rows), *(wrapped(sentence) for sentence in plan.sentences(labels))]))
