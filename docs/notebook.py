"""A notebook run from its first cell to its last, with what it prints and draws: `executed(NOTEBOOK, FOLDER)`."""

import base64
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl


def executed(path: Path, folder: Path) -> dict[str, Any]:
    """The notebook with fresh outputs, its code run in a folder, where its files are expected."""
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    mpl.use("agg")
    scope: dict[str, object] = {}
    with contextlib.chdir(folder):
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        for count, cell in enumerate(cells, 1):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile("".join(cell["source"]), path.name, "exec"), scope)
            cell["outputs"] = [*_text(printed.getvalue()), *_figures()]
            cell["execution_count"] = count
    return notebook


def _text(printed: str) -> list[dict[str, Any]]:
    return [{"output_type": "stream", "name": "stdout", "text": printed.splitlines(keepends=True)}] if printed else []


def _figures() -> list[dict[str, Any]]:
    """The figures that are open, which are closed."""
    from matplotlib import pyplot as plt

    outputs = []
    for number in plt.get_fignums():
        picture = io.BytesIO()
        plt.figure(number).savefig(picture, format="png", dpi=80)
        data = {"image/png": base64.b64encode(picture.getvalue()).decode()}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    plt.close("all")
    return outputs
