"""A headless Chromium, driven by Selenium; nothing is downloaded for it."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")

in_a_browser = pytest.mark.skipif(
    (CHROMIUM is None or DRIVER is None) and not os.environ.get("CI"), reason="no Chromium with its driver here"
)
SHIFT, TAB, ENTER, RIGHT, DOWN = Keys.SHIFT, Keys.TAB, Keys.ENTER, Keys.ARROW_RIGHT, Keys.ARROW_DOWN


class Browser:
    """One window of the browser."""

    def __init__(self, driver: Chrome):
        self._driver = driver
        self.run = driver.execute_script  # what a script returns, the page's own policy notwithstanding

    def open(self, page: Path) -> None:
        """Show a page and wait until it is loaded."""
        self._driver.get(page.as_uri())

    def find(self, css: str) -> WebElement:
        """The first element that a selector finds."""
        return self._driver.find_element(By.CSS_SELECTOR, css)

    def text(self, css: str) -> str:
        """The text of an element, as it is shown."""
        return self.find(css).text

    def click(self, css: str) -> None:
        """Click on an element."""
        self.find(css).click()

    def type(self, css: str, text: str) -> None:
        """Type into an element."""
        self.find(css).send_keys(text)

    def press(self, *keys: str, holding: str = "") -> None:
        """Press keys one after the other, wherever the focus is, while another one is held."""
        actions = ActionChains(self._driver)
        if holding:
            actions.key_down(holding)
        actions.send_keys(*keys)
        if holding:
            actions.key_up(holding)
        actions.perform()

    def drag(self, start: str, end: str) -> None:
        """Press the mouse on one element and let it go on another."""
        ActionChains(self._driver).drag_and_drop(self.find(start), self.find(end)).perform()

    def picture(self, css: str = "") -> bytes:
        """What is seen as PNG: of an element, or of the window."""
        return self.find(css).screenshot_as_png if css else self._driver.get_screenshot_as_png()

    def complaints(self) -> list[str]:
        """What the browser wrote to its console: violations of the policy, errors of the script."""
        return [entry["message"] for entry in self._driver.get_log("browser")]


@contextmanager
def browser(downloads: Path, width: int = 1000, height: int = 900) -> Iterator[Browser]:
    """A browser window that saves downloads into a folder."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
        f"--window-size={width},{height}",
        f"--user-data-dir={downloads / 'profile'}",
    ):
        options.add_argument(argument)
    folder = {"download.default_directory": str(downloads), "download.prompt_for_download": False}
    options.add_experimental_option("prefs", folder)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options, Service(str(DRIVER)))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


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
