"""One JupyterLab for all tests of this folder; a page and a kernel for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab_driver import Notebook, Server, serving
from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("jupyter")) as lab:
        yield lab


@pytest.fixture
def open_notebook(server: Server, chromium: Browser) -> Iterator[Callable[..., Notebook]]:
    """Opens a notebook made of code cells, or a copy of a file, in a fresh page."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(60_000)
    opened: list[Notebook] = []

    def open_it(*cells: str, file: Path | None = None, view: str = "doc/tree") -> Notebook:
        path = file.name if file else server.write_notebook(*cells)
        if file:
            (server.root / path).write_bytes(file.read_bytes())
        opened.append(Notebook(server, context.new_page(), path, view))
        return opened[-1]

    yield open_it
    for notebook in opened:
        notebook.close()
    context.close()
