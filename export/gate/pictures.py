"""The picture of a bundle's artifacts: size against error."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from edge_ecg.results import ArtifactParity

PICTURE = "quantization.png"


def picture(found: Sequence[ArtifactParity]) -> bytes:
    """Bytes against error, an artifact a point; those that are not shipped are hollow."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    formats = list(dict.fromkeys(row.engine.split()[0] for row in found))
    for row in found:
        if row.logit_rms > 1e6:
            continue
        color = f"C{formats.index(row.engine.split()[0])}"
        size, error = row.bytes_with_references / 1024, max(row.logit_rms, 1e-7)
        axes.plot(size, error, "o", color=color, fillstyle="full" if row.shipped else "none")
        label = f" {row.engine}, {row.beat_flips}/{row.beats} beats"
        axes.annotate(label, (size, error), fontsize=8, rotation=20)
    axes.set_yscale("log")
    axes.set_xlabel("what a device carries: graphs and references, KiB")
    axes.set_ylabel("RMS error of a logit against the model")
    axes.set_title("Bytes, error, and beats that vote otherwise (hollow: changes a decision, not shipped)", fontsize=9)
    axes.margins(0.2)
    axes.grid(alpha=0.3)
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
