"""The report's pictures: each an SVG for the page, and in words what is seen in it."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from edge_ecg.errors import EdgeEcgError
from edge_ecg.report.page import Picture

# The page has its colours twice, light and dark; what stands for each until the page is written.
COLOURS = {
    name: f"#0101{number:02x}"
    for number, name in enumerate(
        ("ink", "soft", "line", "paper", "baseline", "target", "ours", "second", "third", "fourth", "fifth", "heat")
    )
}
LINES = {"": "-", "dashed": "--", "dotted": ":"}
WIDE_INCHES, HALF_INCHES = 4.6, 3.4
RULE: dict[str, Any] = {"color": COLOURS["soft"], "linewidth": 0.8, "linestyle": (0, (3, 3))}


@contextmanager
def _drawing() -> Iterator[Any]:
    """matplotlib's Figure, in the page's colours. Raises EdgeEcgError without matplotlib."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise EdgeEcgError("a picture needs matplotlib: pip install -e '.[report]' in the clone") from None
    ink, soft, line = COLOURS["ink"], COLOURS["soft"], COLOURS["line"]
    settings: Any = {
        "svg.fonttype": "none",  # text stays text
        "text.parse_math": False,  # a name may hold dollar signs
        "font.size": 8.5,
        "text.color": ink,
        "axes.labelcolor": soft,
        "axes.edgecolor": line,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 9,
        "axes.titlelocation": "left",
        "xtick.color": line,
        "ytick.color": line,
        "xtick.labelcolor": soft,
        "ytick.labelcolor": soft,
        "grid.color": line,
        "grid.linewidth": 0.5,
        "figure.facecolor": "none",
    }
    with rc_context(settings):
        yield Figure


def _svg(drawn: Any, name: str) -> str:
    """The figure for a page: nothing before the element, no addresses, ids of its own, the page's colours."""
    from matplotlib import rc_context

    picture = io.StringIO()
    with rc_context({"svg.hashsalt": name}):
        drawn.savefig(picture, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = picture.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg ") :], flags=re.DOTALL)
    svg = re.sub(r' (xmlns(:xlink)?|version|width|height)="[^"]*"', "", svg[: svg.index(">")]) + svg[svg.index(">") :]
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for colour, stands_for_it in COLOURS.items():
        svg = svg.replace(stands_for_it, f"var(--{colour})")
    return svg.strip()


def strips(by_date: dict[str, tuple[np.ndarray, np.ndarray]], labels: tuple[str, str]) -> Picture:
    """Recordings by date: where the evidence of each lies. by_date: evidence (M,) and is it the target's (M,) bool."""
    with _drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, 0.8 + 0.3 * len(by_date)), layout="constrained")
        axes = drawn.subplots()
        for row, (evidence, is_target) in enumerate(by_date.values()):
            for state, shift, marker, colour in ((False, -0.17, "o", "baseline"), (True, 0.17, "D", "target")):
                shown = evidence[is_target == state]
                height = np.full(len(shown), row + shift)
                size = 12 if state else 15
                axes.scatter(shown, height, size, COLOURS[colour], marker=marker, alpha=0.75, linewidths=0, zorder=3)
                wrong = (shown > 0) != state
                ring = {"facecolors": "none", "edgecolors": COLOURS["ink"], "linewidths": 1.1, "zorder": 4}
                axes.scatter(shown[wrong], height[wrong], 42, marker="o", **ring)
        axes.axvline(0, **RULE)
        axes.set_yticks(range(len(by_date)), list(by_date))
        axes.set(ylim=(len(by_date) - 0.4, -0.6), xlabel="evidence for the target: mean of the recording's beats")
        axes.grid(axis="y")
        axes.tick_params(length=0)
        svg = _svg(drawn, "strips")
    right = {date: (int(((e > 0) == t).sum()), len(e)) for date, (e, t) in by_date.items()}
    said = ", ".join(f"{date} {r} of {n}" for date, (r, n) in right.items())
    return svg, (
        f"One row a date, one mark a recording: {labels[0]} belongs left of zero, {labels[1]} right of it. "
        f"On the right side: {said}."
    )


def roc(curves: Sequence[tuple[str, str, np.ndarray, np.ndarray]], said: Sequence[str]) -> Picture:
    """ROC curves: of each its colour, its line, the evidence of recordings and whether they are the target's.

    said: name and area of each, in words.
    """
    with _drawing() as Figure:
        drawn = Figure(figsize=(HALF_INCHES, HALF_INCHES), layout="constrained")
        axes = drawn.subplots()
        axes.plot([0, 100], [0, 100], **RULE)
        for number, (colour, line, evidence, is_target) in enumerate(curves):
            thresholds = np.concatenate([[np.inf], np.unique(evidence)[::-1]])
            true, false = (
                np.array([100 * np.mean(evidence[is_target == state] >= t) for t in thresholds])
                for state in (True, False)
            )
            ours = number == 0
            width, order = (2.4, 4) if ours else (1.3, 3)
            axes.plot(false, true, color=COLOURS[colour], linewidth=width, linestyle=LINES[line], zorder=order)
        axes.set(xlabel="baseline called target, %", ylabel="target called target, %", aspect="equal")
        axes.set(xlim=(-1.5, 101.5), ylim=(-1.5, 101.5))
        axes.grid()
        svg = _svg(drawn, "roc")
    return svg, f"ROC curves of recordings. Area under each: {', '.join(said)}. The diagonal, 0.5, is guessing."


def reliability(rows: Sequence[tuple[float, float, tuple[float, float], int]]) -> Picture:
    """Calibration: of each bin the mean probability said, the share that was the target, its interval, recordings."""
    with _drawing() as Figure:
        drawn = Figure(figsize=(HALF_INCHES, HALF_INCHES), layout="constrained")
        axes = drawn.subplots()
        axes.plot([0, 100], [0, 100], **RULE)
        for said, share, (low, high), recordings in rows:
            axes.plot([100 * said] * 2, [100 * low, 100 * high], color=COLOURS["ours"], linewidth=1.2, alpha=0.6)
            axes.scatter([100 * said], [100 * share], 18, COLOURS["ours"], zorder=3)
            left = said > 0.93
            axes.annotate(
                str(recordings),
                (100 * said, 100 * share),
                (-5 if left else 5, 0),
                textcoords="offset points",
                ha="right" if left else "left",
                va="center",
                fontsize=7.5,
                color=COLOURS["soft"],
            )
        axes.set(xlabel="probability of the target, said, %", ylabel="were the target, %", aspect="equal")
        axes.set(xlim=(-3, 103), ylim=(-3, 103))
        axes.grid()
        svg = _svg(drawn, "reliability")
    seen = "; ".join(f"said {said:.0%}, were {share:.0%} of {n}" for said, share, _, n in rows)
    return svg, f"Said probability against what came, with 95 % intervals: {seen}."


def beats(
    mean_uv: Sequence[np.ndarray],
    from_ms: np.ndarray,
    windows: Sequence[tuple[float, float, float, tuple[float, float]]],
) -> Picture:
    """Mean beats of both states over what covering a window costs: of each its begin and end in ms, share, interval."""
    with _drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, 4.2), layout="constrained")
        above, below = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        most = max(max(lost for _, _, lost, _ in windows), 1e-9)
        step = windows[1][0] - windows[0][0] if len(windows) > 1 else windows[0][1] - windows[0][0]
        for begin, end, lost, _ in windows:
            middle = (begin + end) / 2
            shade: dict[str, Any] = {"color": COLOURS["heat"], "alpha": 0.75 * max(lost, 0.0) / most, "linewidth": 0}
            above.axvspan(middle - step / 2, middle + step / 2, **shade)
        for samples, colour, line in zip(mean_uv, ("baseline", "target"), ("-", "--"), strict=True):
            above.plot(from_ms, samples, color=COLOURS[colour], linewidth=1.5, linestyle=line)
        above.set(ylabel="µV", xlim=(from_ms[0], from_ms[-1]))
        middles = [(begin + end) / 2 for begin, end, _, _ in windows]
        low, high = (np.array([100 * interval[side] for _, _, _, interval in windows]) for side in (0, 1))
        below.fill_between(middles, low, high, color=COLOURS["heat"], alpha=0.35, linewidth=0)
        below.plot(middles, [100 * lost for _, _, lost, _ in windows], color=COLOURS["ink"], linewidth=1.3)
        below.axhline(0, **RULE)
        below.set(ylabel="evidence lost, %", xlabel="ms from R")
        for axes in (above, below):
            axes.grid(axis="x")
        svg = _svg(drawn, "beats")
    strongest = sorted(windows, key=lambda window: -window[2])[:3]
    said = ", ".join(f"{begin:.0f} to {end:.0f} ms ({lost:.1%})" for begin, end, lost, _ in strongest)
    return (
        svg,
        f"Mean beats of both states, shaded by the evidence lost when a window is covered. Most is lost at {said}.",
    )


def levels(by_date: dict[str, tuple[float | None, float | None]], unseen: Sequence[str]) -> Picture:
    """Where the usual baseline and target recording of each date lie in the embedding; `unseen` dates are marked."""
    with _drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, 0.8 + 0.26 * len(by_date)), layout="constrained")
        axes = drawn.subplots()
        for row, both in enumerate(by_date.values()):
            known = [level for level in both if level is not None]
            axes.plot(known, [row] * len(known), color=COLOURS["line"], linewidth=2, zorder=2)
            for level, marker, colour in zip(both, "oD", ("baseline", "target"), strict=True):
                if level is not None:
                    axes.scatter([level], [row], 30, COLOURS[colour], marker=marker, linewidths=0, zorder=3)
        axes.axvline(0.5, **RULE)
        names = [f"{date} (held out)" if date in unseen else date for date in by_date]
        axes.set_yticks(range(len(by_date)), names)
        axes.set(ylim=(len(by_date) - 0.5, -0.5), xlabel="0 training's usual baseline, 1 its usual target")
        axes.grid(axis="x")
        axes.tick_params(length=0)
        svg = _svg(drawn, "levels")
    said = "; ".join(
        f"{date} {' to '.join('-' if level is None else f'{level:.2f}' for level in both)}"
        for date, both in by_date.items()
    )
    return svg, f"By date, the mean place of baseline and target recordings on the line between the states: {said}."


def learning(epochs: Sequence[dict[str, float]], best: int) -> Picture:
    """Loss and accuracy by epoch."""
    panels = (
        ("loss", "loss", "validation_loss"),
        ("share right, %", "pair_accuracy", "validation_beat_accuracy"),
    )
    with _drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, 2.3), layout="constrained")
        for axes, (title, training, validation) in zip(drawn.subplots(1, 2), panels, strict=True):
            scale = 1 if training == "loss" else 100
            for name, colour, line in ((training, "soft", "--"), (validation, "ours", "-")):
                shown = [scale * row[name] if row.get(name) is not None else np.nan for row in epochs]
                axes.plot(range(1, len(epochs) + 1), shown, color=COLOURS[colour], linestyle=line, linewidth=1.5)
            axes.axvline(best, **RULE)
            axes.set(xlabel="epoch", title=title)
            axes.grid(axis="y")
        svg = _svg(drawn, "learning")
    last = epochs[-1]
    return svg, (
        f"By epoch: training loss from {epochs[0]['loss']:.3g} to {last['loss']:.3g}, validation loss from "
        f"{epochs[0]['validation_loss']:.3g} to {last['validation_loss']:.3g}; epoch {best} was kept."
    )
