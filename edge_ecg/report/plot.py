"""A recording on ECG paper: trace, R marks, unusable beats, the mean beat; with a bundle the decision."""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_ecg.bundles.bundle import Bundle
from edge_ecg.contract import CONTRACT
from edge_ecg.errors import EdgeEcgError
from edge_ecg.playback import Replayed, Step, replay
from edge_ecg.recording import Recording, require_recording
from edge_ecg.report.drawing import (
    BASELINE_COLOR,
    FAULT,
    FIT,
    INK,
    SMALL_SQUARE_MV,
    TARGET_COLOR,
    new_figure,
    paper,
)
from edge_ecg.signal.beats import Beat
from edge_ecg.signal.stream import BeatStream, cut_beats, heart_rate_bpm, r_peak_times_s
from edge_ecg.watch import DayBaseline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BEAT_MM_PER_S, BEAT_MM_PER_MV = 100.0, 20.0  # larger than the recording beside it
COLORS = (BASELINE_COLOR, TARGET_COLOR, "#0b8a65", "#6a3fb5", "#7d8590")
BEAT_MS = (np.arange(CONTRACT.window_samples) - CONTRACT.before_r_samples) * 1000 / CONTRACT.sample_rate_hz


def mean_beat(axes: "Axes", beats: Sequence[Beat], height_mm: float) -> None:
    """The mean of the usable beats and their standard deviation, on paper that is `height_mm` high."""
    height_mv = height_mm / BEAT_MM_PER_MV
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
    scale = f"{BEAT_MM_PER_S:g} mm/s, {BEAT_MM_PER_MV:g} mm/mV"
    axes.set_xlabel(f"{len(beats)} beats, ± standard deviation; {scale}", fontsize=7)


def plot_states(recordings: Mapping[str, Sequence[Recording]]) -> "Figure":
    """Mean beats of several recordings by label: a thin line per recording, a thick one for their mean.

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
        color, mean, spread = COLORS[number % len(COLORS)], means.mean(0), means.std(0)
        axes.plot(BEAT_MS, means.T, color=color, linewidth=0.4, alpha=0.5)
        axes.fill_between(BEAT_MS, mean - spread, mean + spread, color=color, alpha=0.15, linewidth=0)
        axes.plot(
            BEAT_MS,
            mean,
            color=color,
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
        name.set_parse_math(False)  # a label may contain dollar signs
    return figure


def _aligned_mv(beats: Sequence[Beat]) -> np.ndarray:
    """(N, window) millivolts, R upwards, each beat's median at zero: its wander is no spread of its shape."""
    values = np.array([beat.values[:-1] for beat in beats], float) / 1000
    aligned: np.ndarray = values - np.median(values, axis=1, keepdims=True)
    return aligned


MM_PER_S, MM_PER_MV = 25.0, 10.0  # the standard of paper ECGs
ROW_S, TAIL_S = 10.0, 0.5  # a watch's 30 s are some 30.1 s: the last row may be longer by a tail
MOST_ROWS = 6
ROW_SQUARES = (4, 12)  # large squares in a row of paper, fewest and most; what lies beyond is cut off
MARGIN_MM, HEADER_MM, LOWER_MM = 10.0, 15.0, 54.0
REASON_LINES, REASON_LINE_MM = 4, 1.9
INCH_MM = 25.4

# Marks above R, and their colors.
MAY_VOTE, MAY_NOT, NO_BEAT = ("v", FIT), ("x", FAULT), (".", "#8a949e")

Marked = Sequence[tuple[Beat, tuple[str, ...]]]  # beats, and why each may not vote


def plot(recording: Recording, bundle: Bundle | None = None, day_baseline: DayBaseline | None = None) -> "Figure":
    """The recording on ECG paper (25 mm/s, 10 mm/mV) in rows of 10 s, at most 60 s, as a matplotlib figure.

    Marks every R peak, with the reasons of beats that do not vote. Below: the mean of the usable beats with their
    standard deviation, and with `bundle` the evidence of each beat and the log odds, compared with the day's baseline
    if one is given. Raises EdgeEcgError without matplotlib.
    """
    require_recording(recording)
    steps: list[Step] = []
    replayed = (
        replay(bundle, recording, CONTRACT.block_samples, show=steps.append, day_baseline=day_baseline)
        if bundle
        else None
    )
    beats: Marked = (
        [(judged.beat, judged.unusable) for judged in replayed.judged]
        if replayed
        else [(beat, beat.unusable) for beat in BeatStream(recording.sample_rate_hz).push(recording.samples_uv)]
    )
    peaks_s = r_peak_times_s(recording)
    rows = _rows_s(recording.duration_s)
    low_mv, high_mv = _range_mv(recording.samples_uv[: round(rows[-1][1] * recording.sample_rate_hz)])
    paper_mm = MM_PER_MV * (high_mv - low_mv)
    lines = min(REASON_LINES, max((len(reasons) for _, reasons in beats), default=0))
    above_mm = 4 + lines * REASON_LINE_MM
    row_mm = above_mm + paper_mm + 4
    width_mm = 2 * MARGIN_MM + MM_PER_S * (ROW_S + TAIL_S)
    height_mm = HEADER_MM + len(rows) * row_mm + 8 + LOWER_MM + 14
    figure = new_figure(figsize=(width_mm / INCH_MM, height_mm / INCH_MM))

    def area(left_mm: float, top_mm: float, wide_mm: float, high_mm: float) -> "Axes":
        """Axes at a place on the sheet, from its upper left corner."""
        bottom_mm = height_mm - top_mm - high_mm
        return figure.add_axes((left_mm / width_mm, bottom_mm / height_mm, wide_mm / width_mm, high_mm / height_mm))

    left = MARGIN_MM / width_mm
    name = "/".join(PurePath(recording.source).parts[-3:])
    figure.text(left, 1 - 5 / height_mm, name[-100:], fontsize=11, weight="bold", va="top", parse_math=False)
    facts = _facts(recording, beats, peaks_s, rows[-1][1])
    figure.text(left, 1 - 10.5 / height_mm, facts, fontsize=8, va="top", parse_math=False)
    right = MARGIN_MM + MM_PER_S * ROW_S
    _key(figure, (right / width_mm, 1 - 10.7 / height_mm))
    if bundle and replayed:
        _chip(figure, ((right - 1.2) / width_mm, 1 - 3.2 / height_mm), replayed, bundle)
    for row, (start_s, end_s) in enumerate(rows):
        axes = area(MARGIN_MM, HEADER_MM + row * row_mm + above_mm, MM_PER_S * (end_s - start_s), paper_mm)
        axes.set(xlim=(start_s, end_s), ylim=(low_mv, high_mv))
        paper(axes)
        _trace(axes, recording)
        _marks(axes, beats, peaks_s)
    top_mm = HEADER_MM + len(rows) * row_mm + 8
    beat_mm = BEAT_MM_PER_S * CONTRACT.window_samples / CONTRACT.sample_rate_hz
    usable = [beat for beat, reasons in beats if not reasons]
    mean_beat(area(MARGIN_MM, top_mm, beat_mm, LOWER_MM), usable, LOWER_MM)
    if bundle and replayed:
        left_mm = MARGIN_MM + beat_mm + 18
        wide_mm, half_mm = MARGIN_MM + MM_PER_S * ROW_S - left_mm, (LOWER_MM - 7) / 2
        _evidence(area(left_mm, top_mm, wide_mm, half_mm), replayed, bundle)
        _decision(area(left_mm, top_mm + half_mm + 7, wide_mm, half_mm), replayed, steps, recording, bundle)
    return figure


def _key(figure: "Figure", corner: tuple[float, float]) -> None:
    """Meaning of the marks above the trace."""
    from matplotlib.lines import Line2D

    marks = ((MAY_VOTE, "votes"), (MAY_NOT, "does not vote"), (NO_BEAT, "no beat"))
    handles = [Line2D([], [], linestyle="", marker=m, color=c, markersize=4, label=text) for (m, c), text in marks]
    figure.legend(
        handles=handles,
        loc="upper right",
        bbox_to_anchor=corner,
        ncols=len(marks),
        fontsize=7,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handletextpad=0,
        columnspacing=1,
    )


def _chip(figure: "Figure", corner: tuple[float, float], replayed: Replayed, bundle: Bundle) -> None:
    """The decision as a large word in the color of its state."""
    decision = replayed.decision
    color = dict(zip(bundle.labels, (BASELINE_COLOR, TARGET_COLOR), strict=True)).get(decision.label, "#5b6470")
    text = decision.label if replayed.why else f"{decision.label}, {decision.confidence:.1%}"
    box = {"boxstyle": "round,pad=0.3", "facecolor": color, "edgecolor": "none"}
    style: dict[str, Any] = {"fontsize": 11, "weight": "bold", "color": "white", "ha": "right", "va": "top"}
    figure.text(*corner, text, bbox=box, parse_math=False, **style)


def _rows_s(duration_s: float) -> list[tuple[float, float]]:
    """Begin and end of each row, in seconds."""
    rows = min(MOST_ROWS, max(1, ceil((duration_s - TAIL_S) / ROW_S)))
    ends = [ROW_S * (row + 1) for row in range(rows)]
    if ends[-1] < duration_s <= ends[-1] + TAIL_S:
        ends[-1] = duration_s
    return [(ROW_S * row, end) for row, end in enumerate(ends)]


def _range_mv(samples_uv: np.ndarray) -> tuple[float, float]:
    """Range of a row of paper, in whole large squares around the usual values."""
    square_mv = 5 * SMALL_SQUARE_MV
    if not np.isfinite(samples_uv).any():
        return -square_mv, square_mv
    low, high = np.nanpercentile(samples_uv, (0.1, 99.9)) / 1000
    squares = int(np.clip(ceil((high - low) / square_mv) + 1, *ROW_SQUARES))
    bottom = round(((low + high) / 2) / square_mv - squares / 2) * square_mv
    return bottom, bottom + squares * square_mv


def _facts(recording: Recording, beats: Marked, peaks_s: np.ndarray, shown_s: float) -> str:
    usable = sum(not reasons for _, reasons in beats)
    facts = [
        recording.recorded_at or (f"{recording.day}" if recording.day else "no date"),
        f"{recording.duration_s:.1f} s at {recording.sample_rate_hz:g} Hz",
        f"{heart_rate_bpm(peaks_s):.0f} beats a minute" if len(peaks_s) > 1 else "no heart rate",
        f"{usable} of {len(beats)} beats may vote",
    ]
    if 2 * sum(beat.is_turned for beat, _ in beats) > len(beats):
        facts.append("lead inverted")
    if recording.duration_s > shown_s:
        facts.append(f"the first {shown_s:.0f} s are shown")
    return "    ".join([*facts, f"{MM_PER_S:g} mm/s, {MM_PER_MV:g} mm/mV"])


def _trace(axes: "Axes", recording: Recording) -> None:
    """The samples that a row shows, missing ones as a hole, and the seconds below."""
    start_s, end_s = axes.get_xlim()
    first, last = (round(second * recording.sample_rate_hz) for second in (start_s, end_s))
    samples_mv = recording.samples_uv[first : last + 1] / 1000
    axes.plot((first + np.arange(len(samples_mv))) / recording.sample_rate_hz, samples_mv, color=INK, linewidth=0.7)
    for second in np.arange(start_s, np.floor(end_s) + 1):
        axes.annotate(
            f"{second:.0f} s",
            (second, 0),
            (0, -2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            fontsize=6.5,
            ha="center",
            va="top",
        )


def _marks(axes: "Axes", beats: Marked, peaks_s: np.ndarray) -> None:
    """Above each R: a triangle for a beat that votes, a cross and the reasons for one that does not, else a dot."""
    start_s, end_s = axes.get_xlim()
    at = axes.get_xaxis_transform()

    def mark(seconds: Sequence[float], marker: str, color: str) -> None:
        places = [1 + 1.6 * _mm(axes)] * len(seconds)
        axes.plot(seconds, places, marker, color=color, markersize=4, transform=at, clip_on=False)

    shown = [(beat.r_index / CONTRACT.sample_rate_hz, reasons) for beat, reasons in beats]
    shown = [(second, reasons) for second, reasons in shown if start_s <= second < end_s]
    cut = {beat.r_index for beat, _ in beats}
    other = [s for s in peaks_s if start_s <= s < end_s and round(s * CONTRACT.sample_rate_hz) not in cut]
    mark([second for second, reasons in shown if not reasons], *MAY_VOTE)
    mark([second for second, reasons in shown if reasons], *MAY_NOT)
    mark(other, *NO_BEAT)
    for second, reasons in shown:
        for line, reason in enumerate(reasons[:REASON_LINES]):
            place = 1 + (3 + line * REASON_LINE_MM) * _mm(axes)
            axes.text(second, place, reason, transform=at, fontsize=4.8, color=FAULT, ha="center", va="bottom")


def _mm(axes: "Axes") -> float:
    """A millimeter of paper as a share of the height of the axes."""
    low_mv, high_mv = axes.get_ylim()
    return 1 / (MM_PER_MV * (high_mv - low_mv))


def _evidence(axes: "Axes", replayed: Replayed, bundle: Bundle) -> None:
    """The evidence of each beat, when it was known."""
    baseline, target = bundle.labels
    votes = [(j.beat.known_at_s, j.vote.evidence) for j in replayed.judged if j.vote]
    for is_target, color in ((False, BASELINE_COLOR), (True, TARGET_COLOR)):
        shown = [(second, evidence) for second, evidence in votes if (evidence > 0) == is_target]
        axes.bar([s for s, _ in shown], [evidence for _, evidence in shown], width=0.3, color=color)
    silent = [j.beat.known_at_s for j in replayed.judged if not j.vote]
    axes.plot(silent, [0] * len(silent), "x", color=FAULT, markersize=3.5, clip_on=False)
    axes.axhline(0, color=INK, linewidth=0.6)
    if not votes:
        axes.set_ylim(-1, 1)
    _panel(axes, f"Evidence of each beat: below 0 for {baseline}, above for {target}", replayed)
    axes.tick_params(labelbottom=False)


def _decision(axes: "Axes", replayed: Replayed, steps: Sequence[Step], recording: Recording, bundle: Bundle) -> None:
    """The log odds between their boundaries, and the times of decisions."""
    times_s = np.cumsum([len(step.samples_uv) for step in steps]) / recording.sample_rate_hz
    axes.step(times_s, [step.log_odds for step in steps], where="post", color=INK, linewidth=1)
    for boundary, color in ((bundle.rule.lower, BASELINE_COLOR), (bundle.rule.upper, TARGET_COLOR)):
        axes.axhline(boundary, color=color, linewidth=0.9, linestyle="--")
    decision, provisional = replayed.decision, replayed.decision.provisional
    final = f"inconclusive, {replayed.why}" if replayed.why else f"{decision.label}, {decision.confidence:.1%}"
    title = f"Log odds, {replayed.rule}: {final}"
    if provisional is not None:
        title += f"; first {provisional.label} at {provisional.seconds:.1f} s, {provisional.beats} beats"
        axes.axvline(provisional.seconds, color=INK, linewidth=0.9, linestyle=":")
    _panel(axes, title, replayed)
    axes.set_xlabel("seconds", fontsize=7)


def _panel(axes: "Axes", title: str, replayed: Replayed) -> None:
    axes.set_title(title, fontsize=8, loc="left", pad=3, parse_math=False)
    axes.set_xlim(0, replayed.duration_s + 0.5)
    axes.tick_params(labelsize=6.5)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
