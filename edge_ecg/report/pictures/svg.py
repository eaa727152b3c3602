"""Pictures as SVG by matplotlib, in the page's colors, their text as text."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edge_ecg.errors import EdgeEcgError

# The page has its colors twice, light and dark; in a figure, each is one of these until the page is written.
COLORS = {
    name: f"#0101{number:02x}"
    for number, name in enumerate(
        (
            *("ink", "soft", "line", "paper", "baseline", "target", "ours", "second", "third", "fourth", "fifth"),
            *("heat", "right", "wrong", "open"),
        )
    )
}
LINES = {"": "-", "dashed": "--", "dotted": ":"}
WIDE_INCHES, HALF_INCHES = 5.2, 2.6  # as wide as the page's column, and as half of it
RULE: dict[str, Any] = {"color": COLORS["soft"], "linewidth": 0.8, "linestyle": (0, (3, 3))}


@contextmanager
def drawing() -> Iterator[Any]:
    """matplotlib's Figure, in the page's colors. Raises EdgeEcgError without matplotlib."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise EdgeEcgError("a picture needs matplotlib: pip install -e '.[report]' in the clone") from None
    ink, soft, line = COLORS["ink"], COLORS["soft"], COLORS["line"]
    settings: Any = {
        "svg.fonttype": "none",  # text stays text
        "text.parse_math": False,  # a name may contain dollar signs
        "font.size": 7.5,
        "text.color": ink,
        "axes.labelcolor": soft,
        "axes.edgecolor": line,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 8,
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


def svg_of(drawn: Any, name: str) -> str:
    """The figure for a page: nothing before the element, no addresses, ids of its own, the page's colors."""
    from matplotlib import rc_context

    picture = io.StringIO()
    with rc_context({"svg.hashsalt": name}):
        drawn.savefig(picture, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = picture.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg ") :], flags=re.DOTALL)
    svg = re.sub(r' (xmlns(:xlink)?|version|width|height)="[^"]*"', "", svg[: svg.index(">")]) + svg[svg.index(">") :]
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for color, in_figure in COLORS.items():
        svg = svg.replace(in_figure, f"var(--{color})")
    return svg.strip()
