"""The one browser that tests and benchmarks use."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = [
    "--force-color-profile=srgb",
    # It finds no host but this one.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


def find_chromium() -> str | None:
    """Path of a Chromium: `RW_CHROMIUM`, or one on `PATH`, or `None`."""
    names = [os.environ["RW_CHROMIUM"]] if "RW_CHROMIUM" in os.environ else _NAMES
    return next(filter(None, map(shutil.which, names)), None)


@contextlib.contextmanager
def running_chromium() -> Iterator[Browser]:
    """A Chromium without a window, closed at the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=_ARGUMENTS)
        yield browser
        browser.close()
