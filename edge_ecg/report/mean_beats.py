"""Mean beats with their spread: of one recording on ECG paper, of several recordings over each other."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edge_ecg.contract import CONTRACT
from edge_ecg.errors import EdgeEcgError
from edge_ecg.recording import Recording
from edge_ecg.report.drawing import BASELINE_COLOUR, FAULT, INK, TARGET_COLOUR, new_figure, paper
from edge_ecg.signal.beats import Beat
from edge_ecg.signal.stream import cut_beats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MM_PER_S, MM_PER_MV = 100.0, 20.0  # larger than the recording beside it
COLOURS = (BASELINE_COLOUR, TARGET_COLOUR, "#0b8a65", "#6a3fb5", "#7d8590")
BEAT_MS = (np.arange(CONTRACT.window_samples) - CONTRACT.before_r_samples) * 1000 / CONTRACT.sample_rate_hz


def mean_beat(axes: "Axes", beats: Sequence[Beat], height_mm: float) -> None:
    """The mean of the usable beats and their standard deviation, on paper that is `height_mm` high."""
    height_mv = height_mm / MM_PER_MV
    values_mv = _aligned_mv(beats) if beats else np.zeros((1, len(BEAT_MS)))
    mean, spread = values_mv.mean(0), values_mv.std(0)
    middle = ((mean - spread).min() + (mean + spread).max()) / 2
    bottom = round((middle - height_mv / 2) / 0.5) * 0.5
    axes.set(xlim=(BEAT_MS[0] / 1000, BEAT_MS[-1] / 1000), ylim=(bottom, bottom + height_mv))
    paper(axes)
    axes.set_title("Mean beat", fontsize=8, loc="left", pad=3)
    if not beats:
        axes.text(0.5, 0.5, "no beat may vote", transform=axes.transAxes, ha="center", color=FAULT, fontsize=8)
        return
    axes.fill_between(BEAT_MS / 1000, mean - spread, mean + spread, color=INK, alpha=0.22, linewidth=0)
    axes.plot(BEAT_MS / 1000, mean, color=INK, linewidth=1.1)
    scale = f"{MM_PER_S:g} mm/s, {MM_PER_MV:g} mm/mV"
    axes.set_xlabel(f"{len(beats)} beats, ± standard deviation; {scale}", fontsize=7)


def plot_states(recordings: Mapping[str, Sequence[Recording]]) -> "Figure":
    """Mean beats of several recordings by label, over each other: a thin line each, a thick one for their mean.

    The band is the standard deviation between recordings. Raises EdgeEcgError without matplotlib, or where no
    recording has a usable beat.
    """
    figure = new_figure(figsize=(7.5, 5), layout="constrained")
    axes = figure.subplots()
    for number, (label, of_label) in enumerate(recordings.items()):
        usable = [beats for beats in map(cut_beats, of_label) if beats]
        if not usable:
            continue
        means = np.array([_aligned_mv(beats).mean(0) for beats in usable])
        colour, mean, spread = COLOURS[number % len(COLOURS)], means.mean(0), means.std(0)
        axes.plot(BEAT_MS, means.T, color=colour, linewidth=0.4, alpha=0.5)
        axes.fill_between(BEAT_MS, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
        axes.plot(
            BEAT_MS,
            mean,
            color=colour,
            linewidth=2,
            linestyle="--" if number % 2 else "-",
            label=f"{label}: {len(usable)} recordings, {sum(map(len, usable))} beats",
        )
    if not axes.lines:
        raise EdgeEcgError("no usable beat in these recordings: there is no mean beat to draw")
    axes.set(xlabel="ms from R", ylabel="mV, the beat's median at 0")
    axes.set_title("Mean beats", loc="left", fontsize=10)
    axes.margins(x=0)
    axes.grid(alpha=0.4)
    for name in axes.legend(frameon=False).get_texts():
        name.set_parse_math(False)  # a label may hold dollar signs
    return figure


def _aligned_mv(beats: Sequence[Beat]) -> np.ndarray:
    """(N, window) millivolts, R upwards, each beat's median at zero: its wander is no spread of its shape."""
    values = np.array([beat.values[:-1] for beat in beats], float) / 1000
    aligned: np.ndarray = values - np.median(values, axis=1, keepdims=True)
    return aligned
