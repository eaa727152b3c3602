"""The picture of a bundle's artefacts: what they weigh against how far they are from the model."""

import io
from typing import Any

from matplotlib.figure import Figure

PICTURE = "quantization.png"


def picture(found: list[dict[str, Any]]) -> bytes:
    """Bytes against error, an artefact a point; those that are not shipped are hollow."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    formats = list(dict.fromkeys(row["engine"].split()[0] for row in found))
    for row in found:
        if row["logit_rms"] > 1e6:
            continue
        colour = f"C{formats.index(row['engine'].split()[0])}"
        size, error = row["bytes_with_references"] / 1024, max(row["logit_rms"], 1e-7)
        axes.plot(size, error, "o", color=colour, fillstyle="full" if row["shipped"] else "none")
        label = f" {row['engine']}, {row['beat_flips']}/{row['beats']} beats"
        axes.annotate(label, (size, error), fontsize=8, rotation=20)
    axes.set_yscale("log")
    axes.set_xlabel("what a device carries: graphs and references, KiB")
    axes.set_ylabel("RMS error of a logit against the model")
    axes.set_title("Bytes, error, and beats that vote otherwise (hollow: changes a decision, not shipped)", fontsize=9)
    axes.margins(0.2)
    axes.grid(alpha=0.3)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110)
    return image.getvalue()
