"""How long until there are new pixels, in JupyterLab in Chromium? Medians.

    python benchmarks/bench_browser.py [--model random] [--side 224] [--steps 200] [--picks 15]
                                       [--layers 500]

Times are taken inside the page: from the event until the first animation frame in which the canvas
holds the pixels that belong there. So half a display frame, 8 ms at 60 Hz, is waiting in any case.
A layer is clicked 200 ms after its row can be seen, and once the photo's predictions are there.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from in_lab import REST, Traffic, browser_of, opened
from measure import Row, Times, setting, short, table

from explorer_page import ExplorerPage  # isort: skip  # found by in_lab
from lab_driver import Notebook  # isort: skip

CELL = """
import keras, skimage
import resnet_widgets as rw
explorer = rw.explore(skimage.data.chelsea(), {model}, layer={layer!r})
explorer
"""
# For photos larger than what ResNet50 is trained on.
LARGER = "keras.applications.ResNet50(weights=None, input_shape=({side}, {side}, 3))"
LAYER = "conv2_block3_out"
# 64 channels of 112 × 112; 256 channels; 2048, where cells at the edge do not see all of the photo.
GRID_LAYER, DRAG_LAYER, SMALL_LAYER = "conv1_relu", "conv2_block3_out", "conv5_block1_out"
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
  const { frame, pause } = inLab;
  const canvas = () => document.querySelector(".rw-explorer-top canvas[data-shown]");
  const slider = () => document.querySelector(".rw-explorer-main > .rw-slider [role=slider]");
  const look = () => inLab.look(canvas());
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
  async function pick(layer, pointed) {
    const row = await inLab.row(document, layer, pointed);
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
  const grid = () => document.querySelector(".rw-explorer .rw-sheet .rw-cells[data-shown]");
  /** Milliseconds that the page is busy with a change and the frame that draws it. What `look`
   * costs does not count; `times` that changed nothing on the `canvas` are left out. */
  async function busy(change, times, canvas = grid) {
    const found = [];
    for (let i = 0; i < times; i++) {
      const before = inLab.look(canvas());
      await pause(30);
      await frame();
      const start = performance.now();
      change(i);
      const changed = performance.now() - start;
      // Callbacks run in the order they were asked for: this one before those of the views …
      let begin = 0;
      let end = 0;
      await new Promise((done) => requestAnimationFrame(() => {
        // Lines are drawn when somebody looks.
        canvas().getContext("2d").getImageData(0, 0, 1, 1);
        end = performance.now();
        done();
      }));
      begin = lastFrameStart;
      if (inLab.look(canvas()) !== before) found.push(changed + end - begin);
    }
    return found;
  }
  // … so the start of each frame is noted by a loop that is always first in line.
  let lastFrameStart = 0;
  (function note() {
    lastFrameStart = performance.now();
    requestAnimationFrame(note);
  })();
  const blend = () =>
    [...document.querySelectorAll(".rw-explorer .rw-blend")].find((one) => one.offsetParent);
  function rescale(times) {
    // To look for it lays out the page, which is no part of the change.
    const input = blend();
    return busy((i) => {
      input.value = String((i % 50) / 50 + 0.01);
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }, times);
  }
  const order = () => document.querySelector(".rw-explorer-main > .rw-slider .rw-order select");
  const names = ["index", "variance", "zeros", "maximum", "similarity", "strength"];
  const resort = (times) => busy((i) => {
    order().value = names[i % names.length];
    order().dispatchEvent(new Event("change", { bubbles: true }));
  }, times);

  /** The pointer on the photo: the cells that look at that pixel are outlined in every tile. */
  function point(times) {
    const photo = document.querySelector(".rw-explorer .rw-photo-pixels");
    const box = photo.getBoundingClientRect();
    const outlines = () => grid().parentElement.querySelector(".rw-sheet-looking");
    return busy((i) => photo.dispatchEvent(new PointerEvent("pointermove", {
      bubbles: true,
      pointerType: "mouse",
      clientX: box.left + (((i * 0.37) % 1) * 0.9 + 0.05) * box.width,
      clientY: box.top + (((i * 0.23) % 1) * 0.9 + 0.05) * box.height,
    })), times, outlines);
  }

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
  return { learn, walk, pick, channel, rescale, resort, point, drag };
})();
"""


class Bench:
    """The explorer in its page, and what was measured there."""

    def __init__(self, notebook: Notebook, traffic: Traffic, picks: int) -> None:
        self.notebook, self.page, self.traffic = notebook, notebook.page, traffic
        self.picked = FIRST_LOOKS[:picks]
        self.explorer = ExplorerPage(notebook)
        self.rows: list[Row] = []

    def note(self, title: str, times: list[float], target: str = "") -> None:
        found = Times()
        for taken in times:
            found.add(title, taken)
        self.rows.append(found.row(f"{title} ({len(times)})", title, target=target))

    def pick_all(self, layers: list[str], *, pointed: bool = False) -> list[float]:
        times = []
        for layer in layers:
            self.traffic.wait_until_quiet()
            run = "([layer, pointed]) => bench.pick(layer, pointed)"
            times.append(self.page.evaluate(run, [layer, pointed]))
        return times

    def slider(self, steps: int) -> None:
        page, traffic = self.page, self.traffic
        looks = page.evaluate("(steps) => bench.learn(steps)", steps)
        traffic.wait_until_quiet()
        before = traffic.so_far
        self.note("slider step", page.evaluate("(looks) => bench.walk(looks)", looks), "≤ 16.7")
        traffic.wait_until_quiet()
        sent = {name: count - before[name] for name, count in traffic.so_far.items()}
        self.notebook.start(BUSY)
        times = page.evaluate("(looks) => bench.walk(looks)", looks)
        self.note("slider step, kernel busy", times, "≤ 16.7")
        assert self.notebook.is_running
        self.notebook.interrupt()
        self.rows += [
            Row("… messages a step, both ways", short(sent["messages"] / steps)),
            Row("… bytes a step, both ways", short(sent["bytes"] / steps)),
            Row("… messages with pixels, in all steps", str(sent["pixels"]), target="0"),
        ]

    def show(self, photo: str) -> None:
        """Another photo, of which the predictions are there, and no layer that will be picked."""
        self.pick_all([LAYER])
        self.notebook.run(f"explorer.image = skimage.data.{photo}(); explorer.wait()")
        self.traffic.wait_until_quiet()

    def layers(self) -> None:
        self.note("pick a layer, first look at it", self.pick_all(self.picked), "≤ 100")
        self.note("pick a layer, page has it", self.pick_all(self.picked), "≤ 33")
        times = []
        for layer in self.picked:
            self.notebook.evaluate("explorer.store.forget()")
            times += self.pick_all([layer])
        self.note("pick a layer, kernel has it", times, "≤ 100")
        self.show("astronaut")
        self.note("pick a layer, kernel runs its block", self.pick_all(self.picked), "≤ 100")
        self.show("rocket")
        title = f"… and the pointer came {REST} ms before the click"
        self.note(title, self.pick_all(self.picked, pointed=True), "≤ 100")

    def drawing(self) -> None:
        """What the page does by itself: the grid, and a drag."""
        page = self.page
        self.pick_all([GRID_LAYER])
        largest = self.traffic.so_far["largest"] / 1000
        self.rows.append(Row("… largest message so far, kB", short(largest), target="≤ 810"))
        self.traffic.wait_until_quiet()
        times = page.evaluate("() => bench.rescale(60)")
        self.note("grid of 64 × 112², other scale", times, "≤ 16")
        self.note("grid of 64 × 112², other order", page.evaluate("() => bench.resort(60)"), "≤ 50")
        self.pick_all([SMALL_LAYER])
        self.traffic.wait_until_quiet()
        times = page.evaluate("() => bench.point(60)")
        self.note("2048 tiles of 7², cells that see a pixel outlined", times, "≤ 16")
        self.pick_all([DRAG_LAYER])
        self.traffic.wait_until_quiet()
        times, late, shown, last = page.evaluate("() => bench.drag(256)")
        most = self.explorer.slider.get_attribute("aria-valuemax")
        assert (last, shown) == (most, page.evaluate("() => bench.channel()")), (last, shown)
        self.note("drag over 256 channels, from frame to frame", times, "≤ 16.7")
        self.rows.append(Row("… frames in which the map was not there yet", str(late), target="0"))

    def heap(self, count: int) -> None:
        """The page's memory over many layers."""
        session = self.page.context.new_cdp_session(self.page)

        def used() -> float:
            session.send("HeapProfiler.collectGarbage")
            return session.send("Runtime.getHeapUsage")["usedSize"] / 1e6

        def walk(count: int) -> None:
            for i in range(count):
                layer = self.picked[i % len(self.picked)]
                self.page.evaluate("(layer) => bench.pick(layer)", layer)

        walk(2 * len(self.picked))
        before = used()
        walk(count)
        title = f"page heap, more after {count} layers than {before:.0f}, MB"
        self.rows.append(Row(title, f"{used() - before:+.1f}", target="flat"))

    def run(self, steps: int, layers: int) -> None:
        start = time.perf_counter()
        self.notebook.run_all()
        self.explorer.wait_until_shown(LAYER)
        first = 1000 * (time.perf_counter() - start)
        self.rows.append(Row("cell run → first map, TensorFlow loaded on the way", short(first)))
        self.page.evaluate(HELPERS)
        self.traffic.wait_until_quiet()
        self.slider(steps)
        self.layers()
        self.drawing()
        self.heap(layers)
        shown = self.explorer.shown[0]
        saved = self.notebook.save()
        start = time.perf_counter()
        self.page.reload()
        self.explorer.wait_until_shown(shown)
        back = 1000 * (time.perf_counter() - start)
        self.rows.append(Row("page reload → map, JupyterLab's start included", short(back)))
        self.rows.append(Row("saved notebook, kB", short(saved / 1000), target="< 200"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="random", help="what load_model takes")
    parser.add_argument("--side", type=int, default=224, help="of the photo; above 224 the model "
                        "is one with random weights")  # fmt: skip
    parser.add_argument("--steps", type=int, default=200, help="of the slider")
    parser.add_argument("--picks", type=int, default=len(FIRST_LOOKS), help="layers in each row")
    parser.add_argument("--layers", type=int, default=500, help="changes, for the page's memory")
    arguments = parser.parse_args()
    side = arguments.side
    model = repr(arguments.model) if side == 224 else LARGER.format(side=side)
    cell = CELL.format(model=model, layer=LAYER)
    with opened([cell], 1400, 1000) as (notebook, traffic):
        bench = Bench(notebook, traffic, arguments.picks)
        bench.run(arguments.steps, arguments.layers)
        version = browser_of(notebook)
    print(f"{arguments.model} ResNet50, {side} × {side} pixels, in {version}; behind each name")
    print("how often it was measured.")
    print(setting("jupyterlab", "anywidget"), end="\n\n")
    print(table(bench.rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
