"""Presses on two explorers that share a cache, then looks whether the last thing asked is shown."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from explorer_page import ExplorerPage
from lab_driver import Notebook
from pictures import TOLERANCE, differ_by, pixels_of, viridis

# A cache this small is full after the first photo, so that all goes on at its limit.
CELLS = (
    """
import random, time
import numpy as np
import resnet_widgets as rw

photos = np.random.default_rng(0).integers(0, 256, (4, 96, 128, 3), np.uint8)
cache = rw.ActivationCache("mini", max_bytes=16 * 2**20)
one = rw.explore(photos[0], cache=cache)
one
""",
    "two = rw.explore(photos[1], cache=cache)\ntwo",
)
_BUSY = "while True: np.linalg.norm(np.random.random((99, 99))); time.sleep(0.01)"
# Random keys on whatever has the focus, evenly over the time, then `last`.
_PRESS = """async ([keys, last, count, seconds]) => {
  const press = (key) => document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }),
  );
  const began = performance.now();
  for (let sent = 0; sent < count; ) {
    const share = (performance.now() - began) / (seconds * 1000);
    const due = Math.min(count, Math.ceil(count * share));
    for (; sent < due; sent++) press(keys[Math.floor(Math.random() * keys.length)]);
    await new Promise((done) => setTimeout(done));
  }
  for (const key of last) press(key);
  document.activeElement.dispatchEvent(new KeyboardEvent("keyup", { bubbles: true }));
}"""
_PHOTOS = """
for number in range({count}):
    one.image = two.image = np.roll(photos[number % 4], number, axis=1)
"""
_LAYERS = """
paths = [row.path for row in cache.layers if len(row.shape) == 3]
for _ in range({count}):
    one.layer, two.layer = random.choices(paths, k=2)
    time.sleep(0.002)
"""
_MEMORY = (
    "next(int(line.split()[1]) / 1024 for line in open('/proc/self/status')"
    " if line.startswith('VmRSS'))"
)


class Stress:
    """A notebook of `CELLS`, and what is done to it.

    Args:
        notebook: Open, and not run yet.
        patience: Seconds to wait for anything at most.
    """

    def __init__(self, notebook: Notebook, patience: float) -> None:
        self.notebook, self.page, self.patience = notebook, notebook.page, patience
        self.explorers = {"one": ExplorerPage(notebook, 0), "two": ExplorerPage(notebook, 1)}
        notebook.run_all()
        self.agree()

    @contextlib.contextmanager
    def a_cell_running(self) -> Iterator[None]:
        """A cell that computes until the end of the block; then both sides are compared."""
        self.notebook.start(_BUSY)
        yield
        assert self.notebook.is_running
        self.notebook.interrupt()
        self.agree()

    def slider(self, count: int, seconds: float) -> None:
        """Steps of the channel slider, back and forth, while a cell runs."""
        slider = self.explorers["one"].slider
        with self.a_cell_running():
            slider.focus()
            keys = ["ArrowRight", "ArrowLeft", "PageUp", "PageDown", "Home", "End"]
            self.page.evaluate(_PRESS, [keys, ["Home", "ArrowRight"], count, seconds])
            label = slider.get_attribute("aria-valuetext") or ""
        channel = self.notebook.evaluate("one.channel")
        assert channel == int(label.split()[1]), (
            f"channel {channel}, but the last key led to {label}"
        )

    def tree(self, count: int, seconds: float) -> None:
        """Steps through the tree of layers, up and down, while a cell runs."""
        with self.a_cell_running():
            self.explorers["one"].selected.focus()
            keys = ["ArrowDown", "ArrowUp", "ArrowDown", "ArrowUp", "End", "Home"]
            # The last layers are vectors, and have no pixels to compare.
            last = ["End", *["ArrowUp"] * 5]
            self.page.evaluate(_PRESS, [keys, last, count, seconds])

    def photos(self, count: int) -> None:
        """Photos that the user's own code sets, one right after another."""
        self.notebook.run(_PHOTOS.format(count=count))
        self.agree()

    def layers(self, count: int) -> None:
        """Layers that the user's own code sets, at random."""
        self.notebook.run(_LAYERS.format(count=count))
        self.agree()

    def agree(self) -> None:
        """Waits until page and kernel say the same, and compares the pixels with the numbers."""
        for name, explorer in self.explorers.items():
            explorer.canvas.scroll_into_view_if_needed()
            self._wait_until_computed(name)
            layer, channel = self.notebook.evaluate(f"[{name}.layer, {name}.channel]")
            explorer.wait_until_shown(layer, channel)
            plane = f"cache.activation({name}.image, {layer!r})[..., {channel}].tolist()"
            expected = viridis(self.notebook.evaluate(plane))
            # Layer and channel may be those of the photo before.
            end = time.monotonic() + self.patience
            while (off := differ_by(pixels_of(explorer.canvas), expected)) > TOLERANCE:
                assert time.monotonic() < end, f"{name}: {layer} {channel} is off by {off}"
            assert self.notebook.evaluate(f"{name}.error") == ""
        self.explorers["one"].canvas.scroll_into_view_if_needed()
        nbytes, limit = self.notebook.evaluate("[cache.info().nbytes, cache.info().max_bytes]")
        assert nbytes <= limit

    def memory(self) -> tuple[float, float]:
        """MiB that the kernel and the page have now."""
        devtools = self.page.context.new_cdp_session(self.page)
        devtools.send("HeapProfiler.collectGarbage")
        heap = devtools.send("Runtime.getHeapUsage")
        devtools.detach()
        page = heap["usedSize"] + heap.get("backingStorageSize", 0)
        return self.notebook.evaluate(_MEMORY), page / 2**20

    def _wait_until_computed(self, name: str) -> None:
        """Until the explorer has nothing left to compute for what it was last asked."""
        fitted = f"{name}.image.fit(cache.input_size).digest"
        self.notebook.wait_for_value(
            f"[{name}.photo == {fitted}, {name}.status]", [True, ""], self.patience
        )
