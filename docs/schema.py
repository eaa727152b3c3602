"""`python -m docs.schema`: print the JSON Schema of a manifest into docs/bundle.md, from the record that decides."""

import json
from pathlib import Path
from typing import Any

from edge_ecg.bundles.manifest import schema

PAGE = Path(__file__).parent / "bundle.md"
START, END = "```json\n", "```\n"


def printed(value: Any, indent: int = 0) -> str:
    """JSON with one entry a line, and what fits on a line on one."""
    flat = json.dumps(value)
    if len(flat) + indent <= 118 or not isinstance(value, dict | list):
        return flat
    if isinstance(value, list):
        (start, end), rows = "[]", [printed(item, indent + 1) for item in value]
    else:
        (start, end), rows = "{}", [f"{json.dumps(key)}: {printed(item, indent + 1)}" for key, item in value.items()]
    margin = "\n" + " " * indent
    return start + ",".join(f"{margin} {row}" for row in rows) + margin + end


def with_schema(page: str) -> str:
    """The page with the schema as it is now in its one block of JSON."""
    before, _, rest = page.partition(START)
    return before + START + printed(schema()) + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(with_schema(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
