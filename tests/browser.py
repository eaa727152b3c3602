"""A headless Chromium, driven through its own driver by the WebDriver protocol (W3C, 2018)."""

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # how the protocol marks an element

in_a_browser = pytest.mark.skipif(
    (CHROMIUM is None or DRIVER is None) and not os.environ.get("CI"), reason="no Chromium with its driver here"
)
SHIFT, TAB, ENTER, RIGHT, DOWN = "\ue008", "\ue004", "\ue007", "\ue014", "\ue015"


class Browser:
    """One window of the browser."""

    def __init__(self, session: str):
        self._session = session

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return ask(method, f"{self._session}{path}", body)

    def open(self, page: Path) -> None:
        """Show a page and wait until it is loaded."""
        self._ask("POST", "/url", {"url": page.as_uri()})

    def run(self, script: str, *arguments: Any) -> Any:
        """What the script returns, the page's own policy notwithstanding."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": arguments})

    def find(self, css: str) -> dict[str, str]:
        """The first element that a selector finds."""
        found: dict[str, str] = self._ask("POST", "/element", {"using": "css selector", "value": css})
        return found

    def text(self, css: str) -> str:
        """The text of an element, as it is shown."""
        return str(self._ask("GET", f"/element/{self.find(css)[ELEMENT]}/text"))

    def click(self, css: str) -> None:
        """Click on an element."""
        self._ask("POST", f"/element/{self.find(css)[ELEMENT]}/click", {})

    def type(self, css: str, text: str) -> None:
        """Type into an element."""
        self._ask("POST", f"/element/{self.find(css)[ELEMENT]}/value", {"text": text})

    def press(self, *keys: str, holding: str = "") -> None:
        """Press keys one after the other, wherever the focus is, while another one is held."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        if holding:
            actions = [{"type": "keyDown", "value": holding}, *actions, {"type": "keyUp", "value": holding}]
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def drag(self, start: str, end: str) -> None:
        """Press the mouse on one element and let it go on another."""
        moves = [{"type": "pointerMove", "origin": self.find(css), "x": 0, "y": 0} for css in (start, end)]
        down, up = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}
        pointer = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}
        self._ask("POST", "/actions", {"actions": [{**pointer, "actions": [moves[0], down, moves[1], up]}]})

    def picture(self, css: str = "") -> bytes:
        """What is seen as PNG: of an element, or of the window."""
        path = f"/element/{self.find(css)[ELEMENT]}/screenshot" if css else "/screenshot"
        return base64.b64decode(self._ask("GET", path))

    def complaints(self) -> list[str]:
        """What the browser wrote to its console: violations of the policy, errors of the script."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]


def ask(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    """One request to the driver; its own errors come as AssertionError."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(json.load(error)["value"]["message"]) from None


@contextmanager
def browser(downloads: Path, width: int = 1000, height: int = 900) -> Iterator[Browser]:
    """A browser window that saves downloads into a folder."""
    with subprocess.Popen([str(DRIVER), "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            port = next(line.rstrip(".\n").split()[-1] for line in driver.stdout if "started successfully" in line)
            arguments = [
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
                f"--window-size={width},{height}",
                f"--user-data-dir={downloads / 'profile'}",
            ]
            options = {
                "binary": CHROMIUM,
                "args": arguments,
                "prefs": {"download.default_directory": str(downloads), "download.prompt_for_download": False},
            }
            capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            base = f"http://127.0.0.1:{port}/session"
            session = ask("POST", base, {"capabilities": {"alwaysMatch": capabilities}})["sessionId"]
            try:
                yield Browser(f"{base}/{session}")
            finally:
                ask("DELETE", f"{base}/{session}")
        finally:
            driver.terminate()


def waited_for(path: Path, seconds: float = 10) -> Path:
    """The file, once it is there."""
    end = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert path.exists(), f"{path} did not come"
    return path


def until(shown: Browser, script: str, seconds: float = 60) -> Any:
    """What a script returns once that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := shown.run(script):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{script} did not come true: {shown.run('return document.body.innerText')[:500]}")


def drop(shown: Browser, *files: Path) -> None:
    """Choose files in the page of `edge-ecg web`, and wait until all are read and judged."""
    shown.type("#files", "\n".join(map(str, files)))
    settled(shown)


def settled(shown: Browser) -> None:
    """Wait until that page has read and judged all that it was given."""
    until(shown, "return document.body.dataset.idle === 'true' && !isListDue")
