"""Pictures of beats, of training, and of artifacts: mean beats, traces, occlusion, levels by date, epochs, bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_ecg.report.page import Picture
from edge_ecg.report.pictures.svg import COLORS, RULE, WIDE_INCHES, drawing, svg_of
from edge_ecg.results import Epoch

T_WAVE_FROM_MS = 120.0


def states(
    mean_uv: Sequence[Sequence[float]],
    spread_uv: Sequence[Sequence[float]],
    from_ms: np.ndarray,
    labels: tuple[str, str],
) -> Picture:
    """Mean beats of both states over each other, with the standard deviation between recordings."""
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, 2.0), layout="constrained")
        whole, t_wave = drawn.subplots(1, 2)
        late = from_ms > T_WAVE_FROM_MS
        for axes, shown in ((whole, np.ones_like(late)), (t_wave, late)):
            for mean, spread, color, line in zip(mean_uv, spread_uv, ("baseline", "target"), ("-", "--"), strict=True):
                middle, half = np.array(mean, float)[shown], np.array(spread, float)[shown]
                shade: dict[str, Any] = {"color": COLORS[color], "alpha": 0.16, "linewidth": 0}
                axes.fill_between(from_ms[shown], middle - half, middle + half, **shade)
                axes.plot(from_ms[shown], middle, color=COLORS[color], linewidth=1.5, linestyle=line)
            axes.set(xlabel="ms from R", xlim=(from_ms[shown][0], from_ms[shown][-1]))
            axes.grid()
        whole.set(ylabel="µV", title="mean beats")
        t_wave.set(title="T waves, enlarged")
        svg = svg_of(drawn, "states")
    peaks = [
        f"{label} {from_ms[late][np.argmax(np.array(mean, float)[late])]:.0f} ms after R"
        for label, mean in zip(labels, mean_uv, strict=True)
    ]
    return svg, f"Mean beats of both states. The highest point of the T wave: {', '.join(peaks)}."


def traces(samples_uv: Sequence[Sequence[float]], rate_hz: float, labels: tuple[str, str]) -> Picture:
    """A few seconds of a recording of each state."""
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, 2.0), layout="constrained")
        both = drawn.subplots(2, 1, sharex=True, sharey=True)
        for axes, samples, color in zip(both, samples_uv, ("baseline", "target"), strict=True):
            trace = np.array(samples, float)
            axes.plot(np.arange(len(trace)) / rate_hz, trace - np.median(trace), color=COLORS[color], linewidth=0.9)
            axes.set(ylabel="µV")
            axes.grid(axis="x")
        both[1].set(xlabel="s", xlim=(0, len(samples_uv[0]) / rate_hz))
        svg = svg_of(drawn, "traces")
    seconds = len(samples_uv[0]) / rate_hz
    return svg, f"{seconds:.0f} s of a recording of each state: {labels[0]} above, {labels[1]} below."


def beats(
    mean_uv: Sequence[np.ndarray],
    from_ms: np.ndarray,
    windows: Sequence[tuple[float, float, float, tuple[float, float]]],
) -> Picture:
    """Mean beats of both states, and below the evidence lost by covering windows: begin, end in ms, share, interval."""
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, 3.5), layout="constrained")
        above, below = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        most = max(max(lost for _, _, lost, _ in windows), 1e-9)
        step = windows[1][0] - windows[0][0] if len(windows) > 1 else windows[0][1] - windows[0][0]
        for begin, end, lost, _ in windows:
            middle = (begin + end) / 2
            shade: dict[str, Any] = {"color": COLORS["heat"], "alpha": 0.75 * max(lost, 0.0) / most, "linewidth": 0}
            above.axvspan(middle - step / 2, middle + step / 2, **shade)
        for samples, color, line in zip(mean_uv, ("baseline", "target"), ("-", "--"), strict=True):
            above.plot(from_ms, samples, color=COLORS[color], linewidth=1.5, linestyle=line)
        above.set(ylabel="µV", xlim=(from_ms[0], from_ms[-1]))
        middles = [(begin + end) / 2 for begin, end, _, _ in windows]
        low, high = (np.array([100 * interval[side] for _, _, _, interval in windows]) for side in (0, 1))
        below.fill_between(middles, low, high, color=COLORS["heat"], alpha=0.35, linewidth=0)
        below.plot(middles, [100 * lost for _, _, lost, _ in windows], color=COLORS["ink"], linewidth=1.3)
        below.axhline(0, **RULE)
        below.set(ylabel="evidence lost, %", xlabel="ms from R")
        for axes in (above, below):
            axes.grid(axis="x")
        svg = svg_of(drawn, "beats")
    strongest = sorted(windows, key=lambda window: -window[2])[:3]
    most_lost = ", ".join(f"{begin:.0f} to {end:.0f} ms ({lost:.1%})" for begin, end, lost, _ in strongest)
    return (
        svg,
        f"Mean beats of both states, shaded by the evidence lost when a window is covered, most at {most_lost}.",
    )


def levels(by_date: dict[str, tuple[float | None, float | None]], unseen: Sequence[str]) -> Picture:
    """Position of the mean baseline and target recording of each date in the embedding; `unseen` dates are marked."""
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, max(1.5, 0.7 + 0.2 * len(by_date))), layout="constrained")
        axes = drawn.subplots()
        for row, both in enumerate(by_date.values()):
            known = [level for level in both if level is not None]
            axes.plot(known, [row] * len(known), color=COLORS["line"], linewidth=2, zorder=2)
            for level, marker, color in zip(both, "oD", ("baseline", "target"), strict=True):
                if level is not None:
                    axes.scatter([level], [row], 30, COLORS[color], marker=marker, linewidths=0, zorder=3)
        axes.axvline(0.5, **RULE)
        names = [f"{date} (held out)" if date in unseen else date for date in by_date]
        axes.set_yticks(range(len(by_date)), names)
        axes.set(ylim=(len(by_date) - 0.5, -0.5), xlabel="position: 0 = mean baseline of training, 1 = mean target")
        axes.grid(axis="x")
        axes.tick_params(length=0)
        svg = svg_of(drawn, "levels")
    places = "; ".join(
        f"{date} {' to '.join('-' if level is None else f'{level:.2f}' for level in both)}"
        for date, both in by_date.items()
    )
    return (
        svg,
        f"By date, mean position of baseline and target recordings on the line between the states: {places}.",
    )


def artifacts(rows: Sequence[tuple[str, int, float | None, bool]]) -> Picture:
    """Bytes of each artifact with its references: name, bytes, microseconds per beat if measured, is it shipped."""
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, max(1.5, 0.6 + 0.2 * len(rows))), layout="constrained")
        axes = drawn.subplots()
        for row, (_, size, us, is_shipped) in enumerate(rows):
            filled = {"color": COLORS["ours"], "linewidth": 0}
            hollow = {"facecolor": "none", "edgecolor": COLORS["ours"], "linewidth": 0.8}
            axes.barh(row, size / 1000, 0.62, **(filled if is_shipped else hollow))
            facts = [f"{size / 1000:.1f} KB", *([] if us is None else [f"{us:.0f} µs per beat"])]
            facts += [] if is_shipped else ["not shipped"]
            axes.annotate(
                ", ".join(facts),
                (size / 1000, row),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
                color=COLORS["soft"],
            )
        axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
        axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="KB, graphs and references")
        axes.set_xlim(0, 1.45 * max(size for _, size, *_ in rows) / 1000)  # room for the longest text
        axes.tick_params(length=0)
        svg = svg_of(drawn, "artifacts")
    seen = "; ".join(
        f"{name} {size:,} bytes{'' if us is None else f', {us:.0f} µs per beat'}{'' if ships else ', not shipped'}"
        for name, size, us, ships in rows
    )
    return svg, f"Size of each artifact, and time per beat where it was measured: {seen}."


def learning(epochs: Sequence[Epoch], best: int) -> Picture:
    """Loss and accuracy by epoch."""
    panels = (
        ("loss", "loss", "validation_loss"),
        ("correct, %", "pair_accuracy", "validation_beat_accuracy"),
    )
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, 1.9), layout="constrained")
        for axes, (title, training, validation) in zip(drawn.subplots(1, 2), panels, strict=True):
            scale = 1 if training == "loss" else 100
            for name, color, line in ((training, "soft", "--"), (validation, "ours", "-")):
                values = [getattr(row, name) for row in epochs]
                shown = [np.nan if value is None else scale * value for value in values]
                axes.plot(range(1, len(epochs) + 1), shown, color=COLORS[color], linestyle=line, linewidth=1.5)
            axes.axvline(best, **RULE)
            axes.set(xlabel="epoch", title=title)
            axes.grid(axis="y")
        svg = svg_of(drawn, "learning")
    last = epochs[-1]
    return svg, (
        f"By epoch: training loss from {epochs[0].loss:.3g} to {last.loss:.3g}, validation loss from "
        f"{epochs[0].validation_loss:.3g} to {last.validation_loss:.3g}; epoch {best} was kept."
    )
