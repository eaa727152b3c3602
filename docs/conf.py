"""How Sphinx builds this documentation: `make docs`, where a warning is an error."""

from importlib.metadata import version as installed

project = "Edge ECG"
author = "the Edge ECG authors"
version = release = installed("edge-ecg")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_copybutton"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Edge ECG {release}"
html_static_path = ["edge-ecg.css"]
html_css_files = ["edge-ecg.css"]
html_copy_source = False
html_show_copyright = False
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_class_signature = "separated"
# Links to files of the repository are checked by tests/test_docs.py.
suppress_warnings = ["myst.xref_missing"]
linkcheck_ignore = [r"\.\./.*"]


def _with_room_for_lists(_app: object, _what: str, _name: str, _of: object, _options: object, lines: list[str]) -> None:
    """Our docstrings are plain text: reStructuredText wants an empty line before a list."""
    for at in range(len(lines) - 1, 0, -1):
        above = lines[at - 1]
        if lines[at].startswith("- ") and above.strip() and not above.startswith(("- ", "  ")):
            lines.insert(at, "")


def setup(app: object) -> None:
    """What Sphinx calls first."""
    app.connect("autodoc-process-docstring", _with_room_for_lists)  # type: ignore[attr-defined]
