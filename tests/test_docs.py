"""The documentation is true: its commands and its Python run and lead to what it says, its links lead somewhere.

Every command of every page runs for real, training and exports as well, in the order of the page: README and tutorial
in a folder with nothing but `examples`, as in a clean clone after `make demo`; other pages where the tutorial ended.
"""

import doctest
import importlib
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import PRINTED
from docs.notebook import executed
from docs.pages import README, ROOT, SETS_UP, TUTORIAL, blocks, commands, typed
from docs.pictures import DRAWN, NOTEBOOKS, PICTURES, PLAYED, SHOWN
from edge_ecg.bundles.bundle import load_bundle
from edge_ecg.datasets.dataset_file import read_dataset
from edge_ecg.datasets.measured import BETWEEN
from edge_ecg.datasets.sensors import SENSOR_FORMATS
from edge_ecg.readers.read import formats
from train.run import load_run

PAGES = [README, ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "ios_bridge/README.md"]
FROM_SCRATCH = (README, TUTORIAL)
REPLAYED = re.compile(r"^\S*_\d{6}\.csv", re.MULTILINE)  # a row of a replay

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the documentation is written for sh")


@pytest.fixture
def folder(tutorial: Path, tmp_path: Path) -> Path:
    """A copy of the folder in which the tutorial was typed."""
    return Path(shutil.copytree(tutorial, tmp_path / "at", symlinks=True))


def rows(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def after_commands(folder: Path, printed: str) -> None:
    assert len(rows(folder / "decisions.jsonl")) == 90
    assert all(40 < row["heart_rate_bpm"] < 110 for row in rows(folder / "peaks.jsonl") if "heart_rate_bpm" in row)
    assert json.loads((folder / "manifest.json").read_text())["labels"] == ["fasting", "glucose"]
    crossval = json.loads((folder / "run/study/crossval/crossval.json").read_text())
    assert crossval["dates"] == [f"2024-03-0{day}" for day in range(1, 10)]
    assert "Does the evidence follow the measured glucose?" in (folder / "report.html").read_text(encoding="utf-8")
    for page in ("report.html", "shipped.html"):
        assert "<html" in (folder / page).read_text(encoding="utf-8")


def after_apple(folder: Path, printed: str) -> None:
    assert {path.name for path in (folder / "coreml").glob("*.mlpackage")}
    flips = {
        engine: (int(beats), int(recordings))
        for engine, beats, recordings in re.findall(
            r"^((?:onnx|coreml|portable) \S+) .*?(\d+) of +\d+ +(\d+) of +\d+", printed, re.MULTILINE
        )
    }
    assert flips["onnx fp32"] == flips["coreml fp32"] == flips["portable fp32"] == (0, 0)
    assert all(recordings == 0 for _, recordings in flips.values())


def after_protocol(folder: Path, printed: str) -> None:
    curve = json.loads((folder / "run/study/learning_curve/learning_curve.json").read_text())
    assert curve["methods"]["comparator"][0]["days"] == 2
    said = json.loads(printed.splitlines()[-1])
    assert any("before glucose on every date" in warning for warning in said["warnings"])
    assert (folder / "study/dataset.toml").is_file()


def after_recordings(folder: Path, printed: str) -> None:
    for form in formats():
        assert f"{form.name} recordings" in printed
    assert read_dataset(folder / "measured/dataset.toml").measured == "measured.csv"


def after_bundle(folder: Path, printed: str) -> None:
    assert "verified" in printed
    assert json.loads((folder / "manifest.json").read_text()) == load_bundle(folder / "bundle").manifest


def after_stream(folder: Path, printed: str) -> None:
    assert len(REPLAYED.findall(printed)) >= 16  # eight recordings, replayed twice


def after_security(folder: Path, printed: str) -> None:
    assert "signed by the owner of public.pem" in printed
    assert (folder / "bundle/manifest.sig").is_file()


def after_index(folder: Path, printed: str) -> None:
    assert len(REPLAYED.findall(printed)) >= 8
    assert (folder / "beats.png").stat().st_size > 10_000
    assert "beats flipped" in (folder / "report.html").read_text(encoding="utf-8")


def after_models(folder: Path, printed: str) -> None:
    bundle = load_bundle(folder / "own_bundle")
    assert bundle.manifest["model"]["architecture"] == "my_networks:small"
    assert bundle.manifest["training"]["settings"]["architecture_version"].startswith("sha256 ")
    assert not bundle.manifest["not_made"]
    assert all(row["shipped"] for row in bundle.manifest["parity"] if row["engine"].endswith("fp32"))
    assert len(REPLAYED.findall(printed)) >= 8


def after_cohort(folder: Path, printed: str) -> None:
    assert "4 persons, 4 with figures, 0 not finished" in " ".join(printed.split())
    assert "Every person" in (folder / "result/cohort.html").read_text(encoding="utf-8")
    assert load_bundle(folder / "result/persons/S0001/bundle").labels == ("fasting", "glucose")


OUTCOMES: dict[str, Callable[[Path, str], None]] = {
    "index.md": after_index,
    "commands.md": after_commands,
    "recordings.md": after_recordings,
    "apple.md": after_apple,
    "models.md": after_models,
    "protocol.md": after_protocol,
    "bundle.md": after_bundle,
    "cohort.md": after_cohort,
    "stream.md": after_stream,
    "SECURITY.md": after_security,
}


@pytest.mark.ci
@pytest.mark.parametrize(
    "page", [p for p in PAGES if commands(p) and p not in FROM_SCRATCH], ids=lambda page: page.name
)
def test_every_command_of_a_page_does_what_the_page_says(page: Path, folder: Path) -> None:
    if page.name == "SECURITY.md":
        pytest.importorskip("cryptography")
        if shutil.which("openssl") is None:
            pytest.skip("no openssl here")
    OUTCOMES[page.name](folder, typed(page, folder))


def without_comments(page: Path) -> list[str]:
    lines = (line.partition("  #")[0].rstrip() for line in commands(page))
    return [line for line in lines if not line.startswith(SETS_UP)]


def test_the_readme_types_what_the_tutorial_types() -> None:
    """In the same order, with other commands between; so its commands are run by the tutorial's test."""
    tutorial = iter(without_comments(TUTORIAL))
    missing = [line for line in without_comments(README) if line not in tutorial]
    assert not missing


@pytest.mark.ci
def test_the_tutorial_leads_from_an_export_to_a_bundle(tutorial: Path) -> None:
    printed = (tutorial / PRINTED).read_text(encoding="utf-8")
    assert "90 recordings" in printed
    assert load_run(tutorial / "run").labels == load_bundle(tutorial / "bundle").labels == ("fasting", "glucose")
    assert "verified" in printed


@pytest.mark.ci
def test_the_tutorial_is_a_true_story(tutorial: Path) -> None:
    assert [date.name for date in sorted((tutorial / "few").glob("2*"))] == ["2024-03-01", "2024-03-02", "2024-03-03"]
    without, compared = outcomes(tutorial / "decisions.jsonl"), outcomes(tutorial / "compared.jsonl")
    assert (sum(without.values()), sum(compared.values())) == (72, 72 - 9 * 2)
    assert (tutorial / "sheet.html").stat().st_size > 100_000
    assert without["False"] == compared["False"] == 0
    assert max(compared["inconclusive"], without["inconclusive"]) <= 4
    assert load_bundle(tutorial / "enrolled").manifest["enrollment"]["dates"] == [
        "2024-03-07",
        "2024-03-08",
        "2024-03-09",
    ]


def outcomes(file: Path) -> Counter[str]:
    """How many decisions on labeled recordings are right, wrong and inconclusive.

    The export numbers the recordings of a day by time, and the data set has them in folders of their labels.
    """
    truth = {}
    for date in (file.parent / "data").glob("2*"):
        of_day = sorted(date.glob("*/*.csv"), key=lambda path: path.name)
        for number, path in enumerate(of_day, 1):
            truth[path.stem] = truth[f"ecg_{date.name}_{number}"] = path.parent.name
    found: Counter[str] = Counter()
    for row in rows(file):
        state = truth[Path(row["file"]).stem]
        if state != BETWEEN:
            found[row["decision"] if row["decision"] == "inconclusive" else str(row["decision"] == state)] += 1
    return found


@pytest.mark.parametrize("page", FROM_SCRATCH, ids=lambda page: page.name)
def test_a_page_makes_what_it_uses(page: Path) -> None:
    """Nothing of ours is typed before the environment that has it is made and active."""
    lines = commands(page)
    first = next(number for number, line in enumerate(lines) if re.match(r"edge-ecg |python ", line))
    before = lines[:first]
    assert any(line.startswith("make ") for line in before)
    assert "source .venv/bin/activate" in before


def test_no_page_names_what_nothing_makes() -> None:
    for page in LINKED:
        for line in commands(page):
            assert not re.search(r"\b(FOLDER|OWNER|DATASET\.toml)\b", line), f"{page.name}: {line}"
        assert not re.search(r"pip install ['\"]?edge-ecg", page.read_text(encoding="utf-8")), page.name


@pytest.mark.ci
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


def test_every_picture_is_made_by_a_command_of_a_page_and_shown_with_words() -> None:
    shown = set()
    for page in LINKED:
        text = page.read_text(encoding="utf-8")
        for words, name in re.findall(r"!\[([^\]]*)\]\((?:docs/)?pictures/([\w.]+)\)", text):
            assert len(words.split()) > 4, f"{page.name}: {name}"
            shown.add(name)
    made = {**DRAWN, **SHOWN, **PLAYED}
    assert shown == set(made) == {path.name for path in PICTURES.iterdir()}
    for page, file, *_ in made.values():
        written = {"quantization.png": "bundle"}.get(Path(file).name, file)
        assert written in "\n".join(commands(ROOT / f"docs/{page}.md"))


def test_no_page_is_left_out_of_the_table_of_contents() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert re.search(rf"^({page.stem}|e\[vx\]\*)$", index, re.MULTILINE) or page.stem == "index"


def test_the_tables_of_recordings_and_sensors_are_those_of_the_formats() -> None:
    page = (ROOT / "docs/recordings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w ]+) \| (.+) \|$", page, re.MULTILINE)
    for heading, table in (("format", [*formats()]), ("sensor", [*SENSOR_FORMATS])):
        first = [name for name, _ in rows].index(heading) + 1
        assert rows[first : first + len(table)] == [(form.name, form.describes) for form in table]


@pytest.mark.ci
def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    for needed in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(needed)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "read_recording" in (tmp_path / "api.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["recording", "simulation.synthetic", "datasets.labeling"])
def test_the_examples_in_docstrings_are_true(name: str) -> None:
    done = doctest.testmod(importlib.import_module(f"edge_ecg.{name}"))
    assert done.failed == 0
    assert done.attempted > 0


def kinds(notebook: dict[str, Any]) -> list[list[str]]:
    """Of each cell of code what it printed, numbers apart, and that it drew."""
    return [
        [re.sub(r"[\d.]+", "#", "".join(output.get("text", ["picture"]))) for output in cell["outputs"]]
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


@pytest.mark.ci
@pytest.mark.parametrize("page", NOTEBOOKS, ids=lambda page: page.name)
def test_the_notebook_shows_what_it_prints_and_draws(page: Path, folder: Path) -> None:
    notebook = json.loads(page.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    assert sum(outputs.count("picture") for outputs in kinds(notebook)) == 2
    assert kinds(executed(page, folder)) == kinds(notebook)
