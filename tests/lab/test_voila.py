"""The first notebook as an app, with its cells out of sight."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lab_driver import free_port, private_environment
from playwright.sync_api import Browser, expect

FIRST_LOOK = Path(__file__).parents[2] / "notebooks" / "01_first_look.ipynb"


def listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


@contextlib.contextmanager
def app(notebook: Path, home: Path) -> Iterator[str]:
    """Address of a Voilà that serves one notebook."""
    port = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "voila", str(notebook), "--no-browser", f"--port={port}"),
            "--Voila.ip=127.0.0.1",
        ],
        env=private_environment(home),
        stdout=(home / "voila.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}/"
    try:
        end = time.monotonic() + 120
        while not listens(port):
            log = (home / "voila.log").read_text()
            assert process.poll() is None and time.monotonic() < end, log
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_the_first_look_is_an_app(chromium: Browser, tmp_path: Path):
    with app(FIRST_LOOK, tmp_path) as url:
        context = chromium.new_context(viewport={"width": 1200, "height": 1000})
        context.set_default_timeout(300_000)
        page = context.new_page()
        page.goto(url)
        canvas = page.locator(".rw-explorer-top canvas[data-shown]").first
        canvas.wait_for()
        colours = canvas.evaluate(
            """(canvas) => {
              const { width, height } = canvas;
              const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
              return new Set(new Uint32Array(data.buffer)).size;
            }"""
        )
        assert colours > 10
        expect(page.locator(".rw-still").first).to_be_hidden()
        expect(page.get_by_text("explorer = rw.explore(photo)")).to_have_count(0)
        context.close()
