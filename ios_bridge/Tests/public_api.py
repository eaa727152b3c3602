"""The public API of the Swift libraries: a line for each symbol of the symbol graphs in a folder."""

import json
import sys
from pathlib import Path

LIBRARY = {"EdgeECGCore": "EdgeECG"}  # an app imports EdgeECG, which exports the core
lines = set()
for path in Path(sys.argv[1]).glob("EdgeECG*.symbols.json"):
    graph = json.loads(path.read_text(encoding="utf-8"))
    module = graph["module"]["name"]
    for symbol in graph["symbols"]:
        name, kind = ".".join(symbol["pathComponents"]), symbol["kind"]["identifier"].removeprefix("swift.")
        lines.add(f"{LIBRARY.get(module, module)} {name} ({kind})")
print("\n".join(sorted(lines)))
