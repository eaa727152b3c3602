"""The pictures of README and documentation, made by the commands of their pages: `python -m docs.pictures [NAME...]`.

The tutorial is typed in a new folder, then the other pages; what they drew is copied to docs/pictures, pages as they
look in Chromium (Debian's packages chromium and chromium-driver). Notebooks are run there as well, and keep what they
printed and drew.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat

from docs.notebook import executed
from docs.pages import ROOT, TUTORIAL, clone, typed
from tests.browser import CHROMIUM, DRIVER, Browser, browser, drop, settled

PICTURES = ROOT / "docs/pictures"
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
# By name: the page with the commands, and the file; of a page in a browser, also the part that is shown.
DRAWN = {
    "beats.png": ("tutorial", "beats.png"),
    "ecg.png": ("commands", "ecg.png"),
    "bytes.png": ("bundle", "bundle/quantization.png"),
}
SHOWN = {
    "report.png": ("commands", "report.html", ""),
    "by_date.png": ("commands", "report.html", "#by_date figure"),
    "days.png": ("protocol", "days.html", "#days figure"),
    "artifacts.png": ("commands", "shipped.html", "#artifacts figure"),
    "sheet.png": ("commands", "sheet.html", ""),
    "web.png": ("commands", "person.html", ""),
}
PLAYED = {"replay.webp": ("commands", "replay.html")}


def make_pictures(folder: Path) -> None:
    """Type the pages in a folder that does not exist yet, and put what they drew into docs/pictures."""
    typed(TUTORIAL, clone(folder))
    for page in sorted({page for page, *_ in (*DRAWN.values(), *SHOWN.values(), *PLAYED.values())} - {"tutorial"}):
        typed(ROOT / f"docs/{page}.md", folder)
    PICTURES.mkdir(exist_ok=True)
    for name, (_, file) in DRAWN.items():
        shutil.copyfile(folder / file, PICTURES / name)
    for notebook in NOTEBOOKS:
        nbformat.write(executed(notebook, folder), notebook)
    with browser(folder) as window:
        for name, (_, file, part) in SHOWN.items():
            show(window, folder / file, part, PICTURES / name)
        for name, (_, file) in PLAYED.items():
            play(window, folder / file, PICTURES / name)


def show(window: Browser, page: Path, part: str, picture: Path) -> None:
    """Write what is seen of a page: its top, or one part of it."""
    window.open(page)
    if page.name == "person.html":  # a day that the bundle has not seen, against its first two baselines
        drop(window, *sorted((page.parent / "data/2024-03-09").rglob("*.csv")))
        window.run("propose()")
        settled(window)
        window.run("document.querySelectorAll('.row')[1].scrollIntoView()")
    if part:
        window.run("document.querySelector(arguments[0]).style.padding = '0 1rem'", part)
    picture.write_bytes(window.picture(part))


def play(window: Browser, page: Path, picture: Path) -> None:
    """Write the player of a replay, with a recording decided as the target, as an animation of a frame per second."""
    from PIL import Image

    window.open(page)
    window.run("document.querySelector('#index .chip.target').closest('tr').querySelector('button').click()")
    move = "const m = document.querySelector('#moment'); m.value = arguments[0]; m.dispatchEvent(new Event('input'))"
    frames = []
    for second in (*range(4, 22), 31):
        window.run(move, second)
        frames.append(Image.open(io.BytesIO(window.picture("section"))).convert("RGB"))
    durations = [600] * (len(frames) - 1) + [3000]
    frames[0].save(picture, save_all=True, append_images=frames[1:], duration=durations, loop=0, quality=45, method=6)


if __name__ == "__main__":
    if CHROMIUM is None or DRIVER is None:
        sys.exit("the pictures of pages need chromium and chromedriver: apt-get install chromium chromium-driver")
    with tempfile.TemporaryDirectory() as made:
        make_pictures(Path(made) / "clone")
