"""Pictures of the model: how it learned, what each part of its design is worth, what its artefacts weigh."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge_ecg.report.page import Picture
from edge_ecg.report.pictures.svg import COLOURS, RULE, WIDE_INCHES, drawing, svg_of


def ablations(rows: Sequence[Mapping[str, Any]]) -> Picture:
    """Of each variant the mean count of recordings right, and its range over seeds; the first is the default."""
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, max(1.4, 0.7 + 0.26 * len(rows))), layout="constrained")
        axes = drawn.subplots()
        axes.axvline(rows[0]["right_mean"], **RULE)
        for row, of in enumerate(rows):
            half, colour = of["right_spread"] / 2, COLOURS["ours" if row == 0 else "fourth"]
            axes.plot([of["right_mean"] - half, of["right_mean"] + half], [row, row], color=colour, linewidth=1.5)
            axes.scatter([of["right_mean"]], [row], 24, colour, linewidths=0, zorder=3)
        axes.set_yticks(range(len(rows)), [of["name"] for of in rows])
        axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel=f"recordings right, of {rows[0]['of']}")
        axes.grid(axis="x")
        axes.tick_params(length=0)
        svg = svg_of(drawn, "ablations")
    seen = "; ".join(f"{of['name']} {of['right_mean']:.1f}" for of in rows)
    return svg, f"Recordings right with one thing changed, of {rows[0]['of']}: {seen}."


def artefacts(rows: Sequence[tuple[str, int, float | None]]) -> Picture:
    """Bytes of each artefact with its references, and microseconds a beat where they were measured."""
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, max(1.4, 0.7 + 0.28 * len(rows))), layout="constrained")
        sizes, times = drawn.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        for row, (_, size, us) in enumerate(rows):
            sizes.barh(row, size / 1000, 0.62, color=COLOURS["ours"], linewidth=0)
            sizes.text(size / 1000, row, f" {size / 1000:.1f}", va="center", fontsize=7.5, color=COLOURS["soft"])
            if us is not None:
                times.barh(row, us, 0.62, color=COLOURS["second"], linewidth=0)
            said = "not run here" if us is None else f" {us:.0f}"
            times.text(us or 0, row, said, va="center", fontsize=7.5, color=COLOURS["soft"])
        sizes.set_yticks(range(len(rows)), [name for name, *_ in rows])
        sizes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="KB with references")
        times.set(xlabel="µs a beat, this machine")
        for axes in (sizes, times):
            axes.margins(x=0.16)
            axes.tick_params(length=0)
        svg = svg_of(drawn, "artefacts")
    seen = "; ".join(f"{name} {size:,} bytes" + ("" if us is None else f", {us:.0f} µs") for name, size, us in rows)
    return svg, f"Size of each artefact, and time a beat where it runs here: {seen}."


def learning(epochs: Sequence[dict[str, float]], best: int) -> Picture:
    """Loss and accuracy by epoch."""
    panels = (
        ("loss", "loss", "validation_loss"),
        ("share right, %", "pair_accuracy", "validation_beat_accuracy"),
    )
    with drawing() as Figure:
        drawn = Figure(figsize=(WIDE_INCHES, 2.3), layout="constrained")
        for axes, (title, training, validation) in zip(drawn.subplots(1, 2), panels, strict=True):
            scale = 1 if training == "loss" else 100
            for name, colour, line in ((training, "soft", "--"), (validation, "ours", "-")):
                shown = [scale * row[name] if row.get(name) is not None else np.nan for row in epochs]
                axes.plot(range(1, len(epochs) + 1), shown, color=COLOURS[colour], linestyle=line, linewidth=1.5)
            axes.axvline(best, **RULE)
            axes.set(xlabel="epoch", title=title)
            axes.grid(axis="y")
        svg = svg_of(drawn, "learning")
    last = epochs[-1]
    return svg, (
        f"By epoch: training loss from {epochs[0]['loss']:.3g} to {last['loss']:.3g}, validation loss from "
        f"{epochs[0]['validation_loss']:.3g} to {last['validation_loss']:.3g}; epoch {best} was kept."
    )
