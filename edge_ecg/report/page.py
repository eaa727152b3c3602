"""Pages from templates: every value is escaped, and a page leads nowhere and runs nothing."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_ecg import results
from edge_ecg.errors import EdgeEcgError
from edge_ecg.results import wilson_interval

if TYPE_CHECKING:
    from jinja2 import Environment

Picture = tuple[str, str]  # an SVG, and in words what is seen in it
DASH = "–"


def render(template: str, **values: object) -> str:
    """A template of this package with its values filled in, escaped unless another template made them.

    Raises EdgeEcgError without Jinja2, and KeyError where a template asks for an entry that is not there.
    """
    return _environment().get_template(template).render(values)


def whole_page(template: str, **values: object) -> str:
    """A whole page; what can't be written as UTF-8 becomes a question mark."""
    return render(template, **values).encode("utf-8", "replace").decode()


@cache
def _environment() -> "Environment":
    try:
        import jinja2
        from markupsafe import Markup
    except ImportError:
        raise EdgeEcgError("a page needs Jinja2: pip install -e '.[report]' in the clone") from None

    class NoEntry(jinja2.StrictUndefined):
        """A missing entry is a KeyError, as outside of templates."""

        def __init__(self, hint: Any = None, obj: Any = None, name: Any = None, exc: Any = None):
            super().__init__(hint, obj, name, lambda _: KeyError(name))  # type: ignore[arg-type]

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("edge_ecg.report"),
        autoescape=True,
        undefined=NoEntry,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "between": between, "fixed": fixed, "thousands": thousands}
    environment.filters["drawn"] = lambda picture: Markup(drawn(picture))
    environment.filters["naming_cells"] = lambda rows, head: Markup(naming_cells(rows, head))
    environment.globals |= {"wilson": wilson_interval, "counted": counted}
    return environment


def drawn(picture: Picture) -> str:
    """A picture for a page: its SVG, with its description for screen readers."""
    svg, alt = picture
    return f'<svg role="img" aria-label="{escape(alt)}" {svg.removeprefix("<svg ")}'


def naming_cells(rows: str, head: Sequence[str]) -> str:
    """Rows of a table with the name of its column in each cell: on a phone a row is shown as a card.

    >>> naming_cells("<tr><th>a</th><td>1</td></tr>", ["name", "R & S"])
    '<tr><th>a</th><td data-name="R &amp; S">1</td></tr>'
    """
    named = []
    for row in rows.split("<tr>"):
        first, *cells = row.split("<td>")
        columns = head[1:] if cells else []
        with_names = (f'<td data-name="{escape(name)}">{cell}' for name, cell in zip(columns, cells, strict=True))
        named.append("".join([first, *with_names]))
    return "<tr>".join(named)


def percent(share: float) -> str:
    """A share as a percentage, with the space and the minus sign of print."""
    return _typeset(results.percent(share))


def between(interval: Sequence[float]) -> str:
    """A 95 % interval of a share."""
    return _typeset(results.between(interval))


def _typeset(text: str) -> str:
    return text.replace("%", "\u202f%").replace("-", "\u2212")


def fixed(value: float | None, digits: int) -> str:
    """A number with so many digits after the point; a dash where there is none."""
    return DASH if value is None else f"{value:.{digits}f}"


def thousands(count: int) -> str:
    """A count with its thousands apart."""
    return f"{count:,}"


def counted(right: int, total: int) -> str:
    """An accuracy as its count and interval."""
    return f"{right} of {total} ({between(wilson_interval(right, total))})" if total else "none"


MISSING = -32768  # stands for a missing sample; the others are whole microvolts
MOST_UV = 32767


def interactive_page(
    name: str,
    title: str,
    data: dict[str, Any],
    *,
    style: str = "interactive.css",
    policy: Mapping[str, str] | None = None,
    **values: object,
) -> str:
    """The page of the templates `name`.html and .js and of a style, with the data that its script reads.

    Script and style are allowed by their hash, everything else is forbidden but what `policy` allows by directive.
    Raises EdgeEcgError without Jinja2.
    """
    css, script = asset("palette.css") + asset(style), asset(f"{name}.js")
    allowed = {"default-src": "'none'", "script-src": _hashed(script), "style-src": _hashed(css), "base-uri": "'none'"}
    for directive, source in (policy or {}).items():
        allowed[directive] = f"{allowed.get(directive, '')} {source}".strip()
    as_json = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return whole_page(
        f"{name}.html",
        title=title,
        policy="; ".join(f"{directive} {sources}" for directive, sources in allowed.items()),
        style=css,
        script=script,
        data=as_json.replace("<", "\\u003c"),  # so that no text can end the element that holds it
        **values,
    )


def packed(samples_uv: np.ndarray) -> str:
    """Samples as base64 of little-endian 16-bit microvolts, a missing one as -32768."""
    whole = np.clip(np.nan_to_num(np.rint(samples_uv)), -MOST_UV, MOST_UV)
    whole[~np.isfinite(samples_uv)] = MISSING
    return base64.b64encode(whole.astype("<i2").tobytes()).decode()


def short_name(source: str) -> str:
    """A recording's file name with its two parent folders, without the path of the machine."""
    return "/".join(PurePath(source).parts[-3:])


def asset(name: str) -> str:
    """The text of a file in the folder of templates."""
    return files("edge_ecg.report").joinpath("templates", name).read_text(encoding="utf-8")


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
