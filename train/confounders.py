"""`python -m train.confounders`: is it the state, or what comes along with it, and which part of the beat says so?

    RUN/confounders.json    the figures, for `edge-ecg report`

Nothing is trained. The beats of the validation dates, which training has not learned from, are judged again by the
run's model and references.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from edge_ecg.console import run_command
from train.data import BeatSet
from train.evaluation.drift import drift, matched_pairs, state_axis
from train.evaluation.occlusion import RunEvidence, occlusion, without
from train.evaluation.scores import RecordingScores
from train.model.beat import PR_SEGMENT, SAMPLES
from train.model.weights import WEIGHTS
from train.run import Run, load_run, write_json

CONFOUNDERS = "confounders.json"
MATCHED_MS = 10.0


def confounders(finished: Run) -> dict[str, Any]:
    """All figures of a run, as JSON has them."""
    run, sets = RunEvidence(finished), {"train": finished.training, "validation": finished.validation}
    held_out = finished.validation
    evidence = run.evidence(held_out.values)
    scores = RecordingScores.of(held_out, evidence)
    pairs = [
        matched_pairs(held_out, evidence, same_date, within_ms)
        for same_date in (True, False)
        for within_ms in (None, MATCHED_MS)
    ]
    along = state_axis(run)
    return {
        "weights_sha256": hashlib.sha256((finished.path / WEIGHTS).read_bytes()).hexdigest(),
        "labels": finished.labels,
        "data": [row for which, beats in sets.items() for row in counted(which, beats)],
        "recordings": {
            "date": scores.dates.tolist(),
            "is_target": scores.is_target.tolist(),
            "evidence": scores.evidence.tolist(),
        },
        "without": without(run, held_out),
        "pairs": [row for row in pairs if row],
        "drift": {
            which: {
                "evidence": drift(beats, RecordingScores.of(beats, run.evidence(beats.values)).evidence),
                "embedding": drift(beats, along(beats)),
            }
            for which, beats in sets.items()
        },
        "occlusion": {**occlusion(run, held_out), "mean_beats_uv": mean_beats_uv(held_out)},
    }


def counted(which: str, beats: BeatSet) -> list[dict[str, Any]]:
    """Recordings of each state and beats, by date."""
    return [
        {
            "date": date,
            "set": which,
            "baseline": int(np.sum((beats.dates == date) & ~beats.recording_is_target)),
            "target": int(np.sum((beats.dates == date) & beats.recording_is_target)),
            "beats": int(np.sum(beats.date == date)),
        }
        for date in sorted(set(beats.dates.tolist()))
    ]


def mean_beats_uv(beats: BeatSet) -> list[list[float]]:
    """The mean beats of both states (2, 383), the baseline first, PR segment at 0, recordings weighing the same."""
    samples = beats.values[:, :SAMPLES] - beats.values[:, PR_SEGMENT].mean(1, keepdims=True)
    recordings = np.stack([samples[beats.recording == number].mean(0) for number in range(len(beats.sources))])
    states = [recordings[beats.recording_is_target == state].mean(0) for state in (False, True)]
    return [[round(float(value), 1) for value in mean] for mean in states]


def table(figures: dict[str, Any]) -> str:
    """The figures as lines of text."""
    lines = [f"{'validation dates':58} {'recordings':>10} {'95 %':>16} {'AUC':>6} {'95 %':>14} {'beats':>6}"]
    for row in figures["without"]:
        c = row["recordings"]
        lines.append(
            f"{row['name']:58} {c['right']:>5}/{c['total']:<4} {_between(c['accuracy_95']):>16} {row['auc']:>6.3f} "
            f"{_from_to(row['auc_95']):>14} {row['beats_right'] / row['beats']:>6.1%}"
        )
    lines += ["", "pairs of a target and a baseline beat: the target beat has more evidence (and the shorter RR)"]
    for row in figures["pairs"]:
        dates = "same date" if row["same_date"] else "different dates"
        apart = f"RR within {row['within_ms']:.0f} ms" if row["within_ms"] else "any RR"
        lines.append(
            f"  {dates:16} {apart:16} {row['share']:.1%} ({_between(row['share_95'])}), RR {row['shorter_rr']:.1%}; "
            f"{row['pairs']} pairs, {row['recordings']} recordings, {row['dates']} dates"
        )
    lines += [
        "",
        "state beside drift: effect, its sd between dates; sd of dates, of recordings of a date; order explains",
    ]
    for which, of_set in figures["drift"].items():
        for name, row in of_set.items():
            keys = ("effect", "effect_sd_between_dates", "dates_sd", "recordings_sd")
            numbers = ["-" if row[key] is None else f"{row[key]:.3f}" for key in keys]
            order = "-" if row["order"] is None else f"{row['order']:.0%} ({_between(row['order_95'])})"
            lines.append(f"  {which:11} {name:10} {numbers[0]}, {numbers[1]}; {numbers[2]}, {numbers[3]}; {order}")
    lines += ["", "share of the evidence that is lost when a part is covered"]
    for row in figures["occlusion"]["parts"]:
        c = row["recordings"]
        lines.append(
            f"  {row['name']:34} {row['lost']:6.1%} ({_between(row['lost_95'])}), {c['right']}/{c['total']} right"
        )
    return "\n".join(lines)


def _between(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}"


def _from_to(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def confounders_command(run_folder: Path, as_json: bool) -> None:
    """RunEvidence the validation beats of a run again with something taken out, and write RUN/confounders.json."""
    torch.set_num_threads(1)
    figures = confounders(load_run(run_folder))
    write_json(run_folder / CONFOUNDERS, figures)
    click.echo(json.dumps(figures) if as_json else table(figures))


if __name__ == "__main__":
    run_command(confounders_command)
