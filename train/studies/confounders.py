"""Is it the state, or what comes along with it, and which part of the beat says so?

    RUN/confounders.json    the figures, for `edge-ecg report`

Nothing is trained. The beats of the validation dates, which training has not learned from, are judged again by the
run's model and references.
"""

import json
from pathlib import Path
from typing import Any

import click
import torch

from edge_ecg.datasets.dataset_file import Dataset
from edge_ecg.errors import RunError
from edge_ecg.report.findings import weights_sha256
from edge_ecg.storage.files import write_json
from edge_ecg.terminal.console import claim_folder, run_command
from edge_ecg.terminal.layout import between, columns, count, share
from train.data import BeatSet
from train.evaluation.drift import drift, matched_pairs, state_axis
from train.evaluation.occlusion import RunEvidence, occlusion, without
from train.evaluation.scores import RecordingScores
from train.overview import OVERVIEW, overview, recording_means_uv, rounded
from train.run import Run, load_run

CONFOUNDERS = "confounders.json"
MATCHED_MS = 10.0


def confounders(finished: Run) -> dict[str, Any]:
    """All figures of a run, as JSON has them. Raises RunError if the validation dates have one state only."""
    if not can_be_judged(finished):
        raise RunError(f"{finished.path}: its validation dates have one state only, expected both")
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
        "weights_sha256": weights_sha256(finished.path),
        "labels": finished.labels,
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


def leave_for_the_report(run: Run, dataset: Dataset) -> None:
    """Write into a run's folder what costs nothing: its overview, and what may pass for the state."""
    write_json(run.path / OVERVIEW, overview(dataset, {"train": run.training, "validation": run.validation}))
    if can_be_judged(run):
        write_json(run.path / CONFOUNDERS, confounders(run))


def can_be_judged(finished: Run) -> bool:
    """Whether the validation dates have both states."""
    return len(set(finished.validation.recording_is_target.tolist())) == 2


def mean_beats_uv(beats: BeatSet) -> list[list[float]]:
    """The mean beats of both states (2, 383), the baseline first, recordings weighing the same."""
    means = recording_means_uv(beats)
    return [rounded(means[beats.recording_is_target == state].mean(0)) for state in (False, True)]


def confounders_text(figures: dict[str, Any]) -> str:
    """The figures as lines of text."""
    without = [["validation dates", "recordings", "95 %", "AUC", "95 %", "beats"]]
    for row in figures["without"]:
        c, beats = row["recordings"], share(row["beats_right"] / row["beats"])
        auc, auc_95 = f"{row['auc']:.3f}", "{:.3f} to {:.3f}".format(*row["auc_95"])
        without.append([row["name"], count(c), between(c["accuracy_95"]), auc, auc_95, beats])
    pairs = [["pairs of a target and a baseline beat", "more evidence", "95 %", "shorter RR", "pairs", "recordings"]]
    for row in figures["pairs"]:
        apart = f"RR within {row['within_ms']:.0f} ms" if row["within_ms"] else "any RR"
        name = f"{'same date' if row['same_date'] else 'different dates'}, {apart}"
        counts = str(row["pairs"]), str(row["recordings"])
        pairs.append([name, share(row["share"]), between(row["share_95"]), share(row["shorter_rr"]), *counts])
    keys = {"effect": "effect", "effect_sd_between_dates": "its sd", "dates_sd": "dates sd", "recordings_sd": "rec. sd"}
    drifts = [["state beside drift", *keys.values(), "explained by order", "95 %"]]
    for which, of_set in figures["drift"].items():
        for name, row in of_set.items():
            numbers = ["-" if row[key] is None else f"{row[key]:.3f}" for key in keys]
            order_95 = between(row["order_95"]) if row["order_95"] else "-"
            drifts.append([f"{which}, {name}", *numbers, share(row["order"]), order_95])
    parts = [["covered", "evidence lost", "95 %", "recordings right"]]
    for row in figures["occlusion"]["parts"]:
        parts.append([row["name"], share(row["lost"]), between(row["lost_95"]), count(row["recordings"])])
    return "\n\n".join("\n".join(columns(rows)) for rows in (without, pairs, drifts, parts))


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def confounders_command(run_folder: Path, as_json: bool) -> None:
    """Judge the validation beats of a run again with something taken out, and write RUN/confounders.json."""
    torch.set_num_threads(1)
    figures = confounders(load_run(run_folder))
    claim_folder(run_folder, "train", [CONFOUNDERS])
    write_json(run_folder / CONFOUNDERS, figures)
    click.echo(json.dumps(figures) if as_json else confounders_text(figures))


if __name__ == "__main__":
    run_command(confounders_command)
