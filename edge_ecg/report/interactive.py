"""Pages with a script of their own: one file, no network, and a content security policy that lets nothing else run."""

import base64
import hashlib
import json
from importlib.resources import files
from pathlib import PurePath
from typing import Any

import numpy as np

from edge_ecg.report.page import whole_page

MISSING = -32768  # stands for a missing sample; the others are whole microvolts
MOST_UV = 32767


def interactive_page(name: str, title: str, data: dict[str, Any], **values: object) -> str:
    """The page of the templates `name`.html, .css and .js, with the data that its script reads.

    Script and style are allowed by their hash, everything else is forbidden. Raises EdgeEcgError without Jinja2.
    """
    style, script = (_asset(file) for file in ("interactive.css", f"{name}.js"))
    policy = f"default-src 'none'; script-src {_hashed(script)}; style-src {_hashed(style)}; base-uri 'none'"
    as_json = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return whole_page(
        f"{name}.html",
        title=title,
        policy=policy,
        style=style,
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
    """A recording's file with the two folders that it lies in: enough to know it, and no machine's path."""
    return "/".join(PurePath(source).parts[-3:])


def _asset(name: str) -> str:
    return files("edge_ecg.report").joinpath("templates", name).read_text(encoding="utf-8")


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
