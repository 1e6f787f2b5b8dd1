"""Press on the explorer in a real JupyterLab, then look whether the last thing asked for is shown.

    python tools/stress_lab.py
    python tools/stress_lab.py --events 1000 --layers 100 --photos 10 --seconds 2

Two explorers share one cache; a cell computes all the while. The page gets `--events` key presses
on a slider within `--seconds`, then `--layers` in the tree; then the kernel sets `--photos` photos
in a row, and `--layers` layers at random. After each of these the pixels of the map are compared
with NumPy's, and the memory of kernel and page is read. Kernels use another ipykernel if it comes
first on the path:

    pip install --target /tmp/ipykernel6 --no-deps "ipykernel<7" nest_asyncio
    PYTHONPATH=/tmp/ipykernel6 python tools/stress_lab.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import nbformat

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "lab")]

from chromium import running_chromium  # noqa: E402
from explorer_page import ExplorerPage  # noqa: E402
from lab_driver import Notebook, serving  # noqa: E402
from pictures import TOLERANCE, differ_by, pixels_of, viridis  # noqa: E402

LONG = 300.0  # seconds, for a busy machine
FIRST = """
import random, time
import numpy as np
import resnet_widgets as rw

photos = np.random.default_rng(0).integers(0, 256, (4, 96, 128, 3), np.uint8)
cache = rw.ActivationCache("mini")
explorer = rw.explore(photos[0], cache=cache)
explorer
"""
SECOND = "other = rw.explore(photos[1], cache=cache)\nother"
BUSY = "while True: np.linalg.norm(np.random.random((99, 99))); time.sleep(0.01)"
# Key presses on whatever has the focus, spread evenly over the time.
PRESS = """async ([keys, count, seconds]) => {
  const began = performance.now();
  for (let sent = 0; sent < count; ) {
    const share = (performance.now() - began) / (seconds * 1000);
    const due = Math.min(count, Math.ceil(count * share));
    for (; sent < due; sent++) {
      const key = keys[Math.floor(Math.random() * keys.length)];
      document.activeElement.dispatchEvent(
        new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }),
      );
    }
    await new Promise((done) => setTimeout(done));
  }
  return performance.now() - began;
}"""
MEMORY = (
    "next(int(line.split()[1]) // 1024 for line in open('/proc/self/status')"
    " if line.startswith('VmRSS'))"
)
PHOTOS = """
for number in range({count}):
    explorer.image = other.image = np.roll(photos[number % 4], number, axis=1)
"""
LAYERS = """
paths = [row.path for row in cache.layers if len(row.shape) == 3]
for _ in range({count}):
    explorer.layer, other.layer = random.choices(paths, k=2)
    time.sleep(0.002)
"""


class Stress:
    """One notebook with two explorers, and what is done to them."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.explorer = ExplorerPage(notebook)
        notebook.run_all()
        self.wait_until_done()
        self.page.wait_for_selector(".rw-explorer-top canvas[data-shown]")

    def wait_until_done(self) -> None:
        """Until both explorers have computed what they were last asked for."""
        done = "[e.photo == e.image.digest and e.status == '' for e in (explorer, other)]"
        fitted = done.replace("e.image", "e.image.fit(cache.input_size)")
        self.notebook.wait_for_value(fitted, [True, True], LONG)

    def slider(self, count: int, seconds: float) -> None:
        """`count` steps of the channel slider, back and forth."""
        self.explorer.slider.focus()
        keys = ["ArrowRight", "ArrowLeft", "PageUp", "PageDown", "Home", "End"]
        self.page.evaluate(PRESS, [keys, count, seconds])
        label = self.explorer.slider.get_attribute("aria-valuetext") or ""
        self.agree(channel=int(label.split()[1]))

    def tree(self, count: int, seconds: float) -> None:
        """`count` steps through the tree of layers, up and down."""
        self.explorer.selected.first.focus()
        self.page.evaluate(PRESS, [["ArrowDown", "ArrowUp", "ArrowDown"], count, seconds])
        self.agree()

    def from_kernel(self, code: str) -> None:
        """Something the user's own code does, a few hundred times."""
        self.notebook.interrupt()
        self.notebook.run(code)
        self.agree()
        self.notebook.start(BUSY)

    def agree(self, channel: int | None = None) -> None:
        """Waits until both sides say the same, and compares the pixels with the numbers."""
        running = self.notebook.is_running
        if running:
            self.notebook.interrupt()
        self.wait_until_done()
        layer = self.notebook.evaluate("explorer.layer")
        if channel is not None:
            self.notebook.wait_for_value("explorer.channel", channel, LONG)
        channel = self.notebook.evaluate("explorer.channel")
        self.explorer.wait_until_shown(layer, channel)
        plane = f"cache.activation(explorer.image, {layer!r})[..., {channel}].tolist()"
        expected = viridis(self.notebook.evaluate(plane))
        difference = differ_by(pixels_of(self.explorer.canvas), expected)
        assert difference <= TOLERANCE, f"{layer} {channel} shows something else: {difference}"
        assert self.notebook.evaluate("explorer.error + other.error") == ""
        nbytes, limit = self.notebook.evaluate("[cache.info().nbytes, cache.info().max_bytes]")
        assert nbytes <= limit
        if running:
            self.notebook.start(BUSY)

    def memory(self) -> str:
        """What kernel and page hold now."""
        kernel = self.notebook.evaluate(MEMORY)
        heap = self.page.evaluate("() => performance.memory.usedJSHeapSize / 2 ** 20")
        return f"kernel {kernel} MiB, page {heap:.0f} MiB"


def run(notebook: Notebook, events: int, layers: int, photos: int, seconds: float) -> None:
    stress = Stress(notebook)
    print("start:", stress.memory(), flush=True)
    notebook.start(BUSY)
    for what, do in {
        f"{events} slider events": lambda: stress.slider(events, seconds),
        f"{layers} layers in the tree": lambda: stress.tree(layers, seconds),
        f"{photos} photos": lambda: stress.from_kernel(PHOTOS.format(count=photos)),
        f"{layers} layers from the kernel": lambda: stress.from_kernel(LAYERS.format(count=layers)),
        f"{events} slider events again": lambda: stress.slider(events, seconds),
    }.items():
        began = time.monotonic()
        do()
        print(f"{what}: {time.monotonic() - began:.1f} s;", stress.memory(), flush=True)
    notebook.interrupt()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--layers", type=int, default=1_000)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_chromium() as browser:
        root = Path(folder, "notebooks")
        root.mkdir()
        cells = [nbformat.v4.new_code_cell(source) for source in (FIRST, SECOND)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), root / "stress.ipynb")
        with serving(root, Path(folder, "jupyter")) as server:
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.set_default_timeout(300_000)
            notebook = Notebook(server, page, "stress.ipynb")
            print("ipykernel", notebook.evaluate("__import__('ipykernel').__version__"), flush=True)
            run(notebook, options.events, options.layers, options.photos, options.seconds)
            notebook.close()


if __name__ == "__main__":
    main()
