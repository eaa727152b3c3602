"""A page that decides in a browser: the compiled core, a packed bundle and the page in one file."""

import base64
import re
from collections.abc import Collection
from importlib.resources import files
from pathlib import Path

from edge_ecg.bundles.bundle import PACKED_FROM, read_files
from edge_ecg.bundles.pack import packed_content
from edge_ecg.errors import BundleError
from edge_ecg.readers.pdf import WORDS
from edge_ecg.report.page import asset, interactive_page
from edge_ecg.storage.files import read_small_file

CORE = "edge_ecg.wasm.gz"  # what ios_bridge/C/build.sh makes for wasm32, compressed; a test builds it again
MOST_PACKED_BYTES = 64_000_000


def web_page(bundle: Path | None) -> str:
    """The page, with a bundle or, for None, without one. Raises BundleError, and EdgeEcgError without Jinja2."""
    core = files("edge_ecg.report").joinpath("templates", CORE).read_bytes()
    data = {
        "wasm": base64.b64encode(core).decode(),
        "bundle": bundle and base64.b64encode(_packed(bundle)).decode(),
        "name": bundle and bundle.resolve().name,
        "worker": asset("edge-ecg.js") + asset("web_pdf.js") + asset("web_worker.js"),
        "words": {name: _for_script(words) for name, words in WORDS.items()},
    }
    # The worker is text of this page, and runs the core; neither it nor the page may open a connection.
    policy = {"script-src": "'wasm-unsafe-eval'", "worker-src": "blob:", "form-action": "'none'"}
    return interactive_page("web", "Edge ECG", data, style="web.css", policy=policy)


def _for_script(words: re.Pattern[str] | str | Collection[str]) -> str | list[str]:
    """A regular expression in JavaScript's spelling, or words."""
    pattern = words.pattern if isinstance(words, re.Pattern) else words
    return re.sub(r"\(\?P<", "(?<", pattern) if isinstance(pattern, str) else list(pattern)


def _packed(bundle: Path) -> bytes:
    """A bundle as one file: its own content if it is packed already."""
    if PACKED_FROM in read_files(bundle)[0]:
        return read_small_file(bundle, MOST_PACKED_BYTES, BundleError)
    return packed_content(bundle)
