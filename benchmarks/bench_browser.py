"""How long until there are new pixels, in JupyterLab in Chromium? Medians, in milliseconds.

    python benchmarks/bench_browser.py [--model random] [--steps 200]

Times are taken inside the page: from the event until the first animation frame in which the canvas
holds the pixels that belong there. So half a display frame, 8 ms at 60 Hz, is waiting in any case.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Page

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "lab")]

from chromium import running_chromium  # noqa: E402
from explorer_page import ExplorerPage  # noqa: E402
from lab_driver import Notebook, serving  # noqa: E402

CELL = """
import resnet_widgets as rw
explorer = rw.explore(model={model!r}, layer={layer!r})
explorer
"""
LAYER = "conv2_block3_out"
BUSY = "while True: pass"
# One layer of each block but the one shown first, whose others the page fetches unasked.
FIRST_LOOKS = [
    f"conv{stage}_block{block}_2_conv"
    for stage, blocks in ((2, 3), (3, 4), (4, 6), (5, 3))
    for block in range(1, blocks + 1)
    if not LAYER.startswith(f"conv{stage}_block{block}_")
]
random.Random(0).shuffle(FIRST_LOOKS)

HELPERS = """
window.bench = (() => {
  const canvas = () => document.querySelector(".rw-explorer-top canvas[data-shown]");
  const slider = () => document.querySelector(".rw-explorer-main > .rw-slider [role=slider]");
  /** The time of the next frame, once all that is drawn in it has been drawn. */
  const frame = () => new Promise((done) => requestAnimationFrame(() => {
    const time = performance.now();
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => done(time);
    port2.postMessage(null);
  }));
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  function look() {
    const { width, height } = canvas();
    const { data } = canvas().getContext("2d").getImageData(0, 0, width, height);
    let hash = width;
    for (const pixel of new Uint32Array(data.buffer)) hash = (Math.imul(hash, 31) + pixel) | 0;
    return hash;
  }
  const press = (key) => slider().dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const channel = () => slider().getAttribute("aria-valuetext").split(" ")[1];
  const settled = async () => {
    while (canvas().dataset.shown.split("#")[1] !== channel()) await frame();
    await frame();
  };

  /** What each of the next positions of the slider looks like. */
  async function learn(steps) {
    press("Home");
    await settled();
    const looks = [look()];
    for (let i = 0; i < steps; i++) {
      press("ArrowRight");
      await settled();
      looks.push(look());
    }
    return looks;
  }

  /** Milliseconds of each step; steps between channels that look the same are left out. */
  async function walk(looks) {
    press("Home");
    await settled();
    const times = [];
    for (let i = 1; i < looks.length; i++) {
      await pause(20 + 17 * Math.random());
      const start = performance.now();
      press("ArrowRight");
      let time = start;
      while (look() !== looks[i]) time = await frame();
      if (looks[i] !== looks[i - 1]) times.push(time - start);
    }
    return times;
  }

  /** Milliseconds from a click in the tree until the pixels of that layer stay. */
  async function pick(layer) {
    const row = [...document.querySelectorAll(".rw-explorer [role=treeitem]")]
      .find((one) => one.title.split("\\n")[0] === layer);
    const start = performance.now();
    row.click();
    const seen = [];
    while (seen.length < 6) {
      const time = await frame();
      if (canvas().dataset.shown.startsWith(layer + "#")) seen.push([time - start, look()]);
    }
    const last = seen.at(-1)[1];
    return seen.find(([, hash]) => hash === last)[0];
  }
  const grid = () => document.querySelector(".rw-explorer .rw-sheet .rw-cells");
  const sheet = () => {
    const { width, height } = grid();
    const { data } = grid().getContext("2d").getImageData(0, 0, width, height);
    let hash = width;
    for (const pixel of new Uint32Array(data.buffer)) hash = (Math.imul(hash, 31) + pixel) | 0;
    return hash;
  };
  /** Milliseconds that the page is busy with a change and the frame that draws it. What `look`
   * costs does not count; `times` that changed nothing on the sheet are left out. */
  async function busy(change, times) {
    const found = [];
    for (let i = 0; i < times; i++) {
      const before = sheet();
      await pause(30);
      await frame();
      const start = performance.now();
      change(i);
      const changed = performance.now() - start;
      // Callbacks run in the order they were asked for: this one before those of the views …
      let begin = 0;
      let end = 0;
      await new Promise((done) => requestAnimationFrame(() => {
        end = performance.now();
        done();
      }));
      begin = lastFrameStart;
      if (sheet() !== before) found.push(changed + end - begin);
    }
    return found;
  }
  // … so the start of each frame is noted by a loop that is always first in line.
  let lastFrameStart = 0;
  (function note() {
    lastFrameStart = performance.now();
    requestAnimationFrame(note);
  })();
  const blend = () => document.querySelector(".rw-explorer .rw-blend");
  const rescale = (times) => busy((i) => {
    blend().value = String((i % 50) / 50 + 0.01);
    blend().dispatchEvent(new Event("input", { bubbles: true }));
  }, times);
  const order = () => document.querySelector(".rw-explorer-main > div .rw-order select");
  const names = ["index", "variance", "zeros", "maximum", "similarity", "strength"];
  const resort = (times) => busy((i) => {
    order().value = names[i % names.length];
    order().dispatchEvent(new Event("change", { bubbles: true }));
  }, times);

  /** A drag over the slider in `steps`, one a frame: `[milliseconds between frames, frames in which
   * the map was late, channel shown, channel under the pointer]`. */
  async function drag(steps) {
    const box = slider().getBoundingClientRect();
    const at = (i) => ({
      button: 0,
      bubbles: true,
      pointerId: 1,
      clientX: box.left + ((i + 0.5) / steps) * box.width,
    });
    slider().setPointerCapture = () => {};
    slider().hasPointerCapture = () => true;
    slider().dispatchEvent(new PointerEvent("pointerdown", at(0)));
    const times = [];
    let late = 0;
    let last = await frame();
    for (let i = 1; i < steps; i++) {
      slider().dispatchEvent(new PointerEvent("pointermove", at(i)));
      const asked = channel();
      const now = await frame();
      times.push(now - last);
      last = now;
      if (canvas().dataset.shown.split("#")[1] !== asked) late += 1;
    }
    await settled();
    const shown = canvas().dataset.shown.split("#")[1];
    return [times, late, shown, slider().getAttribute("aria-valuenow")];
  }
  return { learn, walk, pick, frame, channel, rescale, resort, drag };
})();
"""

# 64 channels of 112 × 112, and 256 channels.
GRID_LAYER, DRAG_LAYER = "conv1_relu", "conv2_block3_out"
LAYER_CHANGES = 500


# Counted inside the page: Playwright's own events would copy every frame to this process.
COUNT_TRAFFIC = """
window.traffic = { messages: 0, bytes: 0, pixels: 0 };
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
    traffic.messages += 1;
    traffic.bytes += buffer.byteLength ?? data.length;
    // Jupyter's own framing: the number of offsets first; six of them are for the message.
    if (buffer.byteLength) traffic.pixels += new DataView(buffer).getUint32(0, true) > 6;
  }
};
"""


class Traffic:
    """What the page and its kernel say to each other."""

    def __init__(self, page: Page) -> None:
        self._page = page
        page.add_init_script(COUNT_TRAFFIC)

    @property
    def so_far(self) -> list[int]:
        """Messages, bytes, messages with pixels, both ways."""
        return self._page.evaluate("[traffic.messages, traffic.bytes, traffic.pixels]")

    def wait_until_quiet(self) -> None:
        """Returns once nothing has been said for a second."""
        before = None
        while before != self.so_far:
            before = self.so_far
            self._page.wait_for_timeout(1000)


def summary(times: list[float]) -> tuple[str, str]:
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return f"{statistics.median(ordered):.1f}", f"{p95:.1f}"


def measure(notebook: Notebook, traffic: Traffic, steps: int) -> list[tuple[str, str, str, str]]:
    page, explorer = notebook.page, ExplorerPage(notebook)
    rows = []

    def row(title: str, times: list[float], target: str) -> None:
        rows.append((f"{title} ({len(times)})", *summary(times), target))

    start = time.perf_counter()
    notebook.run_all()
    explorer.wait_until_shown(LAYER)
    first = 1000 * (time.perf_counter() - start)
    rows.append(("cell run → first map, TensorFlow loaded on the way", f"{first:.0f}", "", ""))

    page.evaluate(HELPERS)
    traffic.wait_until_quiet()
    looks = page.evaluate("(steps) => bench.learn(steps)", steps)
    traffic.wait_until_quiet()
    before = traffic.so_far
    row("slider step", page.evaluate("(looks) => bench.walk(looks)", looks), "≤ 16.7, p95 ≤ 33")
    traffic.wait_until_quiet()
    messages, size, pixels = (b - a for a, b in zip(before, traffic.so_far, strict=True))
    notebook.start(BUSY)
    row(
        "slider step, kernel busy",
        page.evaluate("(looks) => bench.walk(looks)", looks),
        "≤ 16.7, p95 ≤ 33",
    )
    assert notebook.is_running
    notebook.interrupt()
    rows.append(("messages a step, both ways", f"{messages / steps:.1f}", "", ""))
    rows.append(("bytes a step, both ways", f"{size / steps:.0f}", "", ""))
    rows.append(("messages with pixels, in all steps", str(pixels), "", "0"))

    page.locator(".rw-explorer-tree input").fill("conv")
    page.evaluate("() => bench.frame()")

    def pick_all(layers: list[str]) -> list[float]:
        times = []
        for layer in layers:
            traffic.wait_until_quiet()
            times.append(page.evaluate("(layer) => bench.pick(layer)", layer))
        return times

    row("pick a layer, first look at it", pick_all(FIRST_LOOKS), "≤ 150")
    row("pick a layer, page has it", pick_all(FIRST_LOOKS), "≤ 33")
    times = []
    for layer in FIRST_LOOKS:
        traffic.wait_until_quiet()
        notebook.evaluate("explorer.store.forget()")
        traffic.wait_until_quiet()
        times += pick_all([layer])
    row("pick a layer, kernel has it", times, "≤ 150")

    notebook.start("import skimage\nexplorer.image = skimage.data.astronaut()")
    traffic.wait_until_quiet()
    row("pick a layer, kernel computes it", pick_all(FIRST_LOOKS), "≤ 150")

    rows += measure_drawing(page, traffic, row)
    saved = notebook.save()
    start = time.perf_counter()
    page.reload()
    explorer.wait_until_shown(FIRST_LOOKS[-1])
    back = 1000 * (time.perf_counter() - start)
    rows.append(("page reload → map, JupyterLab's start included", f"{back:.0f}", "", ""))
    rows.append(("saved notebook, kB", f"{saved / 1000:.1f}", "", "< 200"))
    return rows


def measure_drawing(page: Page, traffic: Traffic, row: Any) -> list[tuple[str, str, str, str]]:
    """What the page does by itself: the grid, a drag, and its memory over many layers."""
    page.evaluate("(layer) => bench.pick(layer)", GRID_LAYER)
    traffic.wait_until_quiet()
    row("grid of 64 × 112², other scale", page.evaluate("() => bench.rescale(60)"), "≤ 16")
    row("grid of 64 × 112², other order", page.evaluate("() => bench.resort(60)"), "≤ 50")
    page.evaluate("(layer) => bench.pick(layer)", DRAG_LAYER)
    traffic.wait_until_quiet()
    times, late, shown, last = page.evaluate("() => bench.drag(256)")
    row("drag over 256 channels, from frame to frame", times, "≤ 16.7")
    rows = [("… frames in which the map was not there yet", str(late), "", "0")]
    assert (last, shown) == ("255", page.evaluate("() => bench.channel()")), (last, shown)

    session = page.context.new_cdp_session(page)

    def heap() -> float:
        session.send("HeapProfiler.collectGarbage")
        return session.send("Runtime.getHeapUsage")["usedSize"] / 1e6

    def walk(count: int) -> None:
        for i in range(count):
            layer = FIRST_LOOKS[i % len(FIRST_LOOKS)]
            page.evaluate("(layer) => bench.pick(layer)", layer)

    walk(len(FIRST_LOOKS))
    before = heap()
    walk(LAYER_CHANGES)
    after = heap()
    title = f"page heap before → after {LAYER_CHANGES} layers, MB"
    rows.append((title, f"{before:.1f}", f"{after:.1f}", "flat"))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="random", help="what load_model takes")
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()

    cell = nbformat.v4.new_code_cell(CELL.format(model=arguments.model, layer=LAYER))
    content = nbformat.v4.new_notebook(
        cells=[cell], metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    )
    with tempfile.TemporaryDirectory() as folder:
        root, home = Path(folder, "notebooks"), Path(folder, "jupyter")
        root.mkdir()
        home.mkdir()
        nbformat.write(content, root / "bench.ipynb")
        with serving(root, home) as server, running_chromium() as chromium:
            page = chromium.new_page(viewport={"width": 1400, "height": 1000})
            page.set_default_timeout(120_000)
            traffic = Traffic(page)
            rows = measure(Notebook(server, page, "bench.ipynb"), traffic, arguments.steps)
            version = chromium.version

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"{arguments.model} ResNet50, Chromium {version}, {os.cpu_count()} cores, load {load:.1f}."
    )
    print()
    print(f"| {'what (how often)':52} | {'median':>7} | {'p95':>6} | target           |")
    print(f"|{'-' * 54}|{'-' * 8}:|{'-' * 7}:|{'-' * 18}|")
    for title, median, p95, target in rows:
        print(f"| {title:52} | {median:>7} | {p95:>6} | {target:16} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
