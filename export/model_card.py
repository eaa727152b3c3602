"""The model card of a bundle: its manifest as a page for people, in the form that Hugging Face reads."""

from typing import Any

import jinja2

CARD = "README.md"


def model_card(manifest: dict[str, Any]) -> bytes:
    """The card in Markdown with a metadata block. It names dates, never files or persons."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("export"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
    )
    levels = manifest["levels"] or {}
    text = environment.get_template("model_card.md").render(
        m={"enrolment": None, **manifest},
        validation=manifest["metrics"]["validation"],
        dates=[levels.get(state, {}).get("dates", 0) for state in ("baseline", "target")],
    )
    return text.encode()
