"""Figures by matplotlib, which the runtime does not import: made here, and written to a file in one step."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_ecg.errors import EdgeEcgError
from edge_ecg.inference.votes import COLORS
from edge_ecg.storage.files import write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
BASELINE_COLOR, TARGET_COLOR = COLORS  # apart for color-blind eyes as well (Okabe, Ito, 2008)
FINE, COARSE, INK, FAULT, FIT = "#f8dcdc", "#eab4b4", "#15181c", "#b00020", "#00695c"
SMALL_SQUARE_S, SMALL_SQUARE_MV = 0.04, 0.1  # of ECG paper; five of them are a large square


def new_figure(**settings: Any) -> "Figure":
    """An empty figure. Raises EdgeEcgError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise EdgeEcgError("a picture needs matplotlib: pip install -e '.[report]' in the clone") from None
    return Figure(**settings)


def check_suffix(path: Path) -> None:
    """Raises EdgeEcgError for a picture whose name ends otherwise than in .png, .svg or .pdf."""
    if path.suffix.lower() not in SUFFIXES:
        raise EdgeEcgError(f"{path}: ends with {path.suffix!r}, expected a picture as {', '.join(SUFFIXES)}")


def save(figure: "Figure", path: Path) -> None:
    """Write the figure in the format that the name ends with. Text stays text. Raises EdgeEcgError."""
    from matplotlib import rc_context
    from matplotlib.text import Text

    check_suffix(path)
    for text in figure.findobj(Text):
        if not (written := text.get_text()).isascii():  # a file's name may be no UTF-8
            text.set_text(written.encode("utf-8", "replace").decode())
    picture = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "pdf.fonttype": 42, "text.parse_math": False}):
        figure.savefig(picture, format=path.suffix.lower()[1:], dpi=150)
    write_file(path, picture.getvalue())


def paper(axes: "Axes") -> None:
    """The grid of ECG paper, for axes in seconds and millivolts."""
    from matplotlib.ticker import MultipleLocator

    for axis, square in ((axes.xaxis, SMALL_SQUARE_S), (axes.yaxis, SMALL_SQUARE_MV)):
        axis.set_minor_locator(MultipleLocator(square))
        axis.set_major_locator(MultipleLocator(5 * square))
    axes.grid(which="minor", color=FINE, linewidth=0.4)
    axes.grid(which="major", color=COARSE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
    for spine in axes.spines.values():
        spine.set(color=COARSE, linewidth=0.7)
