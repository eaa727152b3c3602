"""The pages of the documentation, and the commands and programs that they hold."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README, TUTORIAL = ROOT / "README.md", ROOT / "docs/tutorial.md"
SETS_UP = ("make ", "source .venv/bin/activate", "pip install -e ")  # whoever types these pages has been set up


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """The lines of a page that are typed."""
    return "".join(blocks(page, "sh")).splitlines()


def typed(page: Path, folder: Path) -> str:
    """What the page's commands print, typed in their order in a folder."""
    script = "\n".join(line for line in commands(page) if not line.startswith(SETS_UP))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def clone(folder: Path) -> Path:
    """A folder with nothing but the examples, as a clean clone after `make demo`."""
    folder.mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder
