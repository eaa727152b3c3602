"""The picture of a bundle's artifacts: size against error."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from edge_ecg.results import ArtifactParity

PICTURE = "quantization.png"


def picture(found: Sequence[ArtifactParity]) -> bytes:
    """Error and bytes, one row per artifact; those that are not shipped are hollow."""
    shown = [row for row in found if row.logit_rms <= 1e6]
    figure = Figure(figsize=(7.5, 1.3 + 0.3 * len(shown)), layout="constrained")
    axes = figure.subplots()
    errors = [max(row.logit_rms, 1e-7) for row in shown]
    for place, (row, error) in enumerate(zip(shown, errors, strict=True)):
        axes.plot(error, place, "o", color="#6a3fb5", fillstyle="full" if row.shipped else "none")
        facts = f"{row.bytes_with_references / 1000:.1f} KB, {row.beat_flips} of {row.beats} beats differ"
        axes.annotate(facts, (error, place), (8, 0), textcoords="offset points", fontsize=8, va="center")
    axes.set_xscale("log")
    axes.set(ylim=(len(shown) - 0.5, -0.5), xlabel="RMS error of the logits, against the trained model")
    if errors:
        axes.set_xlim(min(errors) / 3, max(errors) * 300)  # room for the text of the largest error
    axes.set_yticks(range(len(shown)), [row.engine for row in shown])
    axes.set_title("Error and size of each artifact (hollow: not shipped)", fontsize=9, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.3)
    return _png(figure)


def layers_picture(by_artifact: Mapping[str, Iterable[Any]]) -> bytes:
    """The error of every operation in the order of the network, an artifact a line. rows: of `export.gate.layers`."""
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    names: dict[str, int] = {}
    for rows in by_artifact.values():
        for row in sorted(rows, key=lambda row: (row.graph == "comparator", row.place)):
            names.setdefault(f"{row.graph} {row.module or '-'} {row.operation}", len(names))
    for artifact, rows in by_artifact.items():
        placed = sorted((names[f"{r.graph} {r.module or '-'} {r.operation}"], max(r.error, 1e-9)) for r in rows)
        axes.plot(*zip(*placed, strict=True), "o-", markersize=3, linewidth=0.8, label=artifact)
    axes.set_yscale("log")
    axes.set_ylabel("largest error, share of the largest number")
    axes.set_xticks(range(len(names)), list(names), rotation=90, fontsize=6)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=5, fontsize=8)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110)
    return image.getvalue()
