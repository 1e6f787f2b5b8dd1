"""What the benchmarks in a browser share: a notebook open in JupyterLab, and what it says."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "lab")]

from chromium import running_chromium  # noqa: E402
from lab_driver import Notebook, serving  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Milliseconds from when a row can be seen until a hand clicks on it.
REST = 200

# Counted inside the page: Playwright's own events would copy every frame to this process.
COUNT = """
window.traffic = { messages: 0, bytes: 0, pixels: 0, largest: 0 };
window.WebSocket = class extends WebSocket {
  constructor(...options) {
    super(...options);
    this.addEventListener("message", ({ data }) => this.count(data));
  }
  send(data) {
    this.count(data);
    super.send(data);
  }
  count(data) {
    const buffer = data.buffer ?? data;
    const bytes = buffer.byteLength ?? data.length;
    traffic.messages += 1;
    traffic.bytes += bytes;
    traffic.largest = Math.max(traffic.largest, bytes);
    // Jupyter's own framing: the number of offsets first; six of them are for the message.
    if (buffer.byteLength) traffic.pixels += new DataView(buffer).getUint32(0, true) > 6;
  }
};
"""

# The time of the next frame, once all that is drawn in it has been drawn; and what a canvas shows.
HELPERS = """
window.inLab = (() => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => {
    const time = performance.now();
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => done(time);
    port2.postMessage(null);
  }));
  const look = (canvas) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    let hash = width;
    for (const pixel of new Uint32Array(data.buffer)) hash = (Math.imul(hash, 31) + pixel) | 0;
    return hash;
  };
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  /** The row of a layer in an explorer's tree. Only rows that can be seen are there; the search
   * brings this one into sight. Returns it REST ms later, when a hand would click; if it is
   * `pointed` at, the pointer is on it meanwhile. */
  async function row(explorer, layer, pointed) {
    const field = explorer.querySelector(".rw-explorer-tree input");
    field.value = layer;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    await frame();
    const found = () => explorer.querySelector(`[role=treeitem][data-name="${layer}"]`);
    if (pointed) found().dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
    await pause(REST);
    return found();
  }
  return { frame, look, pause, row };
})();
""".replace("REST", str(REST))


class Traffic:
    """What a page and its kernel say to each other, both ways."""

    def __init__(self, page: Page) -> None:
        self._page = page
        page.add_init_script(COUNT)

    @property
    def so_far(self) -> dict[str, int]:
        """`messages`, `bytes`, messages with `pixels`, bytes of the `largest`."""
        return self._page.evaluate("traffic")

    def wait_until_quiet(self) -> None:
        """Returns once nothing has been said for half a second."""
        before = None
        while before != self.so_far:
            before = self.so_far
            self._page.wait_for_timeout(500)


@contextlib.contextmanager
def opened(sources: Iterable[str], width: int, height: int) -> Iterator[tuple[Notebook, Traffic]]:
    """A notebook of these cells in a JupyterLab and a Chromium of its own; nothing has run yet."""
    content = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in sources],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    with tempfile.TemporaryDirectory() as folder:
        root, home = Path(folder, "notebooks"), Path(folder, "jupyter")
        root.mkdir()
        home.mkdir()
        nbformat.write(content, root / "bench.ipynb")
        with serving(root, home) as server, running_chromium() as chromium:
            page = chromium.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(120_000)
            traffic = Traffic(page)
            page.add_init_script(HELPERS)
            notebook = Notebook(server, page, "bench.ipynb")
            yield notebook, traffic
            notebook.close()


def browser_of(notebook: Notebook) -> str:
    """Name and version of the browser."""
    browser = notebook.page.context.browser
    return f"Chromium {browser.version if browser else 'unknown'}"
