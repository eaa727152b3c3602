"""`python -m export.references`: the references that a device carries: few, and small.

A reference costs bytes and a comparison a beat. Greedy selection finds few that decide like many: one by one, of either
state in turn, the candidate is taken that lowers the loss on training beats most. How many are enough, validation says.
"""

import io
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from matplotlib.figure import Figure

from edge_ecg.atomic import write_file
from edge_ecg.bundle import REFERENCES, REFERENCES_INT8
from edge_ecg.console import run_command
from edge_ecg.contract import CONTRACT
from edge_ecg.inference.references import ReferenceBank
from train.data import BeatSet
from train.decision.calibrate import calibrate
from train.decision.decide import decide, decide_from_logits
from train.decision.references import bank_of, choose_references
from train.model.model import compare, embed
from train.run import Run, load_run

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # references of each state


def reference_files(bank: ReferenceBank) -> dict[str, bytes]:
    """Both files of the references, by name; the int8 one, for the smallest device, without what training has seen."""
    return {REFERENCES: bank.to_bytes(), REFERENCES_INT8: replace(bank, distribution=None).to_int8_bytes()}


def few_references(finished: Run, per_state: int) -> np.ndarray:
    """Indices of `per_state` training beats of each state, the baseline first, chosen greedily.

    Candidates are the typical beat of each training recording. A beat is never judged by its own recording: there
    the candidate counts as it does on average for beats of that state.
    """
    beats = finished.training
    embeddings = embed(finished.model, beats.values)
    candidates = choose_references(beats, embeddings, len(beats.sources))
    is_target = beats.is_target[candidates]
    logits = _without_own_recording(
        compare(finished.model, embeddings, embeddings[candidates]), beats, beats.recording[candidates]
    )
    side = np.where(beats.is_target, 1.0, -1.0)
    sums, chosen = {False: np.zeros(len(logits)), True: np.zeros(len(logits))}, {False: [], True: []}  # type: ignore[var-annotated]
    for turn in range(2 * per_state):
        state = bool(turn % 2)
        open_to = [c for c in np.flatnonzero(is_target == state) if c not in chosen[state]]
        if not open_to:
            continue
        ours = (sums[state][:, np.newaxis] + logits[:, open_to]) / (len(chosen[state]) + 1)
        other = (sums[not state] / max(1, len(chosen[not state])))[:, np.newaxis]
        evidence = other - ours if state else ours - other
        loss = np.logaddexp(0, -side[:, np.newaxis] * evidence).mean(0)
        best = open_to[int(loss.argmin())]
        chosen[state].append(best)
        sums[state] += logits[:, best]
    return candidates[[*chosen[False], *chosen[True]]]


def recalibrated(finished: Run, chosen: np.ndarray) -> Run:
    """The run with the sequential decision fitted to other references, as training fits it to its own."""
    bank = bank_of(finished.training, embed(finished.model, finished.training.values), chosen)
    judged = decide(finished.model, bank, finished.validation, finished.labels, CONTRACT.voting)
    return replace(finished, contract=replace(finished.contract, voting=calibrate(judged, CONTRACT.voting)))


def _without_own_recording(logits: np.ndarray, beats: BeatSet, recordings: np.ndarray) -> np.ndarray:
    fair = logits.astype(np.float64)
    for column, recording in enumerate(recordings):
        own = beats.recording == recording
        alike = ~own & (beats.is_target == beats.recording_is_target[recording])
        fair[own, column] = fair[alike, column].mean()
    return fair


@dataclass(frozen=True)
class Point:
    """A number of references, what it weighs and what it decides on validation dates."""

    per_state: int
    bytes: int  # as float32
    beats_right: float
    recordings_right: int
    recordings: int


def curve(finished: Run) -> tuple[list[Point], Point]:
    """Greedy selections by size, and the run's own references to compare with."""
    most = min(np.count_nonzero(finished.training.recording_is_target == state) for state in (False, True))
    sizes = [size for size in SIZES if size <= most]
    order = few_references(finished, max(sizes)).reshape(2, -1)  # greedy: the first few of many are the best few
    own = finished.references()[0]
    return [_point(finished, order[:, :size].ravel()) for size in sizes], _point(finished, own)


def _point(finished: Run, chosen: np.ndarray) -> Point:
    bank = bank_of(finished.training, embed(finished.model, finished.training.values), chosen)
    beats = finished.validation
    logits = compare(finished.model, embed(finished.model, beats.values), bank.embeddings)
    judged = decide_from_logits(logits, bank, beats, finished.labels, finished.contract.voting)
    right = (judged.recording_evidence > 0) == beats.recording_is_target
    return Point(
        len(chosen) // 2,
        len(bank.to_bytes()),
        float(np.mean((judged.evidence > 0) == beats.is_target)),
        int(right.sum()),
        len(right),
    )


def enough(points: list[Point], own: Point) -> Point:
    """The fewest references that decide as many validation recordings, and 99.7 % as many beats, as the run's own."""
    good = (
        p for p in points if p.recordings_right >= own.recordings_right and p.beats_right >= own.beats_right * 0.997
    )
    return next(good, points[-1])


def picture(points: list[Point], own: Point) -> bytes:
    """Size against accuracy."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([p.per_state for p in points], [p.beats_right for p in points], "o-", label="greedy selection")
    axes.plot([own.per_state], [own.beats_right], "s", color="tab:orange", label="typical beats, dates taking turns")
    axes.axvline(enough(points, own).per_state, color="0.6", linewidth=1, label="enough")
    axes.set_xlabel("references of each state")
    axes.set_ylabel("validation beats right")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110)
    return image.getvalue()


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File for the curve as a picture (PNG).")
def references(run_folder: Path, out: Path | None) -> None:
    """How few references decide like many? For `export.bundle --references K`."""
    finished = load_run(run_folder)
    points, own = curve(finished)
    click.echo(f"{'of each state':>13} {'bytes':>7} {'beats right':>12} {'recordings right':>17}")
    for point in [*points, own]:
        mark = "  the run's own, by date" if point is own else "  enough" if point is enough(points, own) else ""
        click.echo(
            f"{point.per_state:>13} {point.bytes:>7,} {point.beats_right:>12.2%} "
            f"{point.recordings_right:>11} of {point.recordings}{mark}"
        )
    if out:
        write_file(out, picture(points, own))


if __name__ == "__main__":
    run_command(references)
