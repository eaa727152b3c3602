"""The documentation is true: its commands and its Python run, its links lead somewhere, it builds without a warning.

Training and exporting take minutes: their options are checked, and the shared run and bundle stand for what they make.
"""

import doctest
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "ios_bridge/README.md"]
SETS_UP = ("make ", "git ", "cd ", "source ", "pip ")
MAKES = {"train": "run", "export.bundle": "bundle"}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the documentation is written for sh")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def names(pages: list[Path]) -> list[str]:
    return [page.name for page in pages]


@pytest.fixture(scope="module")
def made(small_dataset: Path, small_run: Path, small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages speak of."""
    folder = tmp_path_factory.mktemp("docs") / "made"
    shutil.copytree(small_dataset.parent, folder / "FOLDER")
    (folder / "FOLDER/0309").rename(folder / "FOLDER/1007")
    shutil.copy(small_dataset, folder / "DATASET.toml")
    shutil.copytree(small_run, folder / "run")
    shutil.copytree(small_bundle, folder / "bundle")
    recordings = sorted(small_dataset.parent.rglob("*.csv"))
    shutil.copy(recordings[0], folder / "ecg.csv")
    with zipfile.ZipFile(folder / "export.zip", "w") as archive:
        for file in recordings:
            archive.write(file, f"apple_health_export/electrocardiograms/{file.name}")
            data = folder / "data" / f"2024-{file.parts[-3][:2]}-{file.parts[-3][2:]}" / file.parts[-2]
            data.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, data)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A fresh copy of it; the tutorial makes everything by itself."""
    if request.node.callspec.params["page"].name == "tutorial.md":
        (tmp_path / "at").mkdir()
    else:
        shutil.copytree(made, tmp_path / "at")
    (tmp_path / "at/examples").symlink_to(ROOT / "examples")
    return tmp_path / "at"


def stood_in(line: str, made: Path) -> str:
    """The line, or what stands for it: a command that takes minutes is parsed, and its result is copied."""
    words = shlex.split(line, comments=True)
    if words[:2] != ["python", "-m"] or words[2].split(".")[0] not in ("train", "export"):
        return line
    name = words[2]
    module = importlib.import_module("train.__main__" if name == "train" else name)
    commands = [value for value in vars(module).values() if isinstance(value, click.Command)]
    assert len(commands) == 1, name
    with commands[0].make_context(name, words[3:]):  # raises on an unknown option or a missing argument
        pass
    out = words[words.index("--out") + 1] if "--out" in words else ""
    return f"cp -r {made / MAKES[name]} {out}.made && rm -rf {out} && mv {out}.made {out}" if name in MAKES else ":"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "sh")], ids=lambda page: page.name)
def test_every_command_of_a_page_runs(page: Path, folder: Path, made: Path) -> None:
    if page.name == "SECURITY.md":
        pytest.importorskip("cryptography")
        if shutil.which("openssl") is None:
            pytest.skip("no openssl here")
    lines = "".join(blocks(page, "sh")).splitlines()
    script = "\n".join(stood_in(line, made) for line in lines if not line.startswith(SETS_UP))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    for output in folder.glob("*.jsonl"):
        assert all(json.loads(line) for line in output.read_text().splitlines())


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), {})


def anchors(page: Path) -> set[str]:
    """The headings of a page, as GitHub and `myst_heading_anchors` name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        leads_to = page.parent / target if target else page
        assert leads_to.exists(), link
        assert not anchor or anchor in anchors(leads_to), link


def test_no_page_is_left_out_of_the_table_of_contents() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert re.search(rf"^({page.stem}|e\[vx\]\*)$", index, re.MULTILINE) or page.stem == "index"


def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    for needed in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(needed)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "read_recording" in (tmp_path / "api.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["recording", "synthetic", "labelling"])
def test_the_examples_in_docstrings_are_true(name: str) -> None:
    done = doctest.testmod(importlib.import_module(f"edge_ecg.{name}"))
    assert done.failed == 0
    assert done.attempted > 0


@pytest.mark.parametrize("page", sorted((ROOT / "examples").glob("*.ipynb")), ids=lambda page: page.name)
def test_the_notebook_runs(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads(page.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(folder)
    scope: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], "the notebook is kept without outputs"
            exec(compile("".join(cell["source"]), page.name, "exec"), scope)
