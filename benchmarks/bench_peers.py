"""The same picture, the usual ways and ours: a slider over channels, a choice of layers.

    python benchmarks/bench_peers.py [--model random] [--steps 20]

One notebook in JupyterLab in Chromium, one cell per way; the ways take turns. Times are taken in
the page, from the key press or the click until the first animation frame with other pixels; a layer
of the tree is clicked 200 ms after its row can be seen. ipympl takes part if it is installed
(dependency group `bench`).
"""

from __future__ import annotations

import argparse
import importlib.util
import sys

from in_lab import REST, Traffic, browser_of, opened
from measure import Row, Times, setting, table

from lab_driver import Notebook  # isort: skip  # found by in_lab
from playwright.sync_api import Error  # isort: skip

LAYER = "conv2_block3_out"
CHOICES = [
    f"conv{stage}_block{block}_2_relu"
    for stage, blocks in ((2, 3), (3, 4), (4, 6), (5, 3))
    for block in range(1, blocks + 1)
]
RESTED = f"ours, in the tree, the pointer there for {REST} ms"
PRELUDE = f"""
import io
import ipywidgets, keras, numpy as np, skimage
import matplotlib.pyplot as plt
from IPython.display import clear_output, display
from PIL import Image
import resnet_widgets as rw
cache = rw.ActivationCache(MODEL)
model = cache.model
photo = rw.load_image(skimage.data.chelsea(), cache.input_size)
x = cache.about.preprocess(photo.array)
activation = cache.activation(photo, "{LAYER}")
count = activation.shape[-1]
layers = {CHOICES}
"""
# By name: what a cell of a person who does it that way would hold.
SLIDERS = {
    "`interact` and `imshow`": """
@ipywidgets.interact(channel=(0, count - 1))
def show(channel=0):
    plt.imshow(activation[..., channel])
    plt.show()
""",
    "`Output`, cleared and drawn again": """
output = ipywidgets.Output()
slider = ipywidgets.IntSlider(max=count - 1)
def draw(change=None):
    with output:
        clear_output(wait=True)
        plt.imshow(activation[..., slider.value])
        plt.show()
slider.observe(draw, "value")
draw()
display(slider, output)
""",
    "`ipywidgets.Image`": """
colours = plt.get_cmap("viridis")
image = ipywidgets.Image(width=400)
slider2 = ipywidgets.IntSlider(max=count - 1)
def paint(change=None):
    plane = activation[..., slider2.value]
    plane = (plane - plane.min()) / (np.ptp(plane) or 1)
    file = io.BytesIO()
    Image.fromarray(colours(plane, bytes=True)).save(file, "PNG")
    image.value = file.getvalue()
slider2.observe(paint, "value")
paint()
display(slider2, image)
""",
    # Without pyplot: the inline backend, which the others need, closes all figures of pyplot.
    "ipympl": """
from ipympl.backend_nbagg import Canvas, FigureManager
from matplotlib.figure import Figure
figure = Figure()
canvas = Canvas(figure)
manager = FigureManager(canvas, 0)
shown = figure.subplots().imshow(activation[..., 0])
slider3 = ipywidgets.IntSlider(max=count - 1)
def update(change):
    shown.set_data(activation[..., change.new])
    shown.autoscale()
    canvas.draw_idle()
slider3.observe(update, "value")
display(slider3, canvas)
""",
    "ours": """
store = rw.FrameStore(lambda photo, layer: rw.Frame.from_activation(activation, layer=layer))
where = dict(store=store, photo="photo", layer="layer")
picture, slider4 = rw.ActivationMap(**where), rw.ChannelSlider(**where)
ipywidgets.jslink((slider4, "value"), (picture, "channel"))
display(slider4, picture)
""",
}
LAYERS = {
    "`Model(...).predict` and `imshow`": """
%matplotlib inline
chooser = ipywidgets.Dropdown(options=layers)
output2 = ipywidgets.Output()
def look(change=None):
    part = keras.Model(model.input, model.get_layer(chooser.value).output)
    plane = part.predict(x, verbose=0)[0, ..., 0]
    with output2:
        clear_output(wait=True)
        plt.imshow(plane)
        plt.show()
chooser.observe(look, "value")
look()
display(chooser, output2)
""",
    "ours, with a `Dropdown`": """
chooser2 = ipywidgets.Dropdown(options=layers)
store2 = rw.FrameStore(
    lambda photo, layer: rw.Frame.from_activation(cache.activation(x[0], layer, preprocess=False)))
map2 = rw.ActivationMap(store=store2, photo="photo", layer=layers[0])
chooser2.observe(lambda change: setattr(map2, "layer", change.new), "value")
display(chooser2, map2)
""",
    "ours, in the tree": """
explorer = rw.explore(skimage.data.rocket(), cache=cache)
explorer
""",
    RESTED: """
explorer2 = rw.explore(skimage.data.astronaut(), cache=cache)
explorer2
""",
}

HELPERS = """
window.peers = (() => {
  const { frame } = inLab;
  const cellAt = (index) => document.querySelectorAll(".jp-CodeCell")[index];
  function look(cell) {
    const node = cell.querySelector(".rw-explorer-top canvas[data-shown]")
      ?? cell.querySelector("canvas.rw-cells, .jupyter-matplotlib canvas, img");
    if (!node) return "";
    if (node.tagName === "IMG") return node.complete && node.naturalWidth ? node.src : "";
    return String(inLab.look(node));
  }
  /** Milliseconds until the cell's picture is another one, and stays so for three frames. */
  async function until(cell, before, start) {
    let [time, last, same] = [0, before, 0];
    while (last === before || same < 3) {
      const now = await frame();
      const seen = look(cell);
      if (now - start > 20000) throw new Error("no other picture within 20 seconds");
      if (seen && seen !== last) [time, last, same] = [now, seen, 0];
      else same += 1;
    }
    return time - start;
  }
  async function step(index) {
    const cell = cellAt(index);
    const before = look(cell);
    const handle = cell.querySelector(".noUi-handle, .rw-slider [role=slider]");
    const start = performance.now();
    handle.focus();
    handle.dispatchEvent(new KeyboardEvent("keydown",
      { key: "ArrowRight", code: "ArrowRight", bubbles: true, cancelable: true }));
    return until(cell, before, start);
  }
  async function choose(index, layer, pointed) {
    const cell = cellAt(index);
    const before = look(cell);
    const select = cell.querySelector(".widget-dropdown select");
    const row = select ? null : await inLab.row(cell, layer, pointed);
    const start = performance.now();
    if (row) row.click();
    else {
      select.value = layer;
      select.dispatchEvent(new Event("change", { bubbles: true }));
    }
    return until(cell, before, start);
  }
  return { step, choose, look: (index) => look(cellAt(index)) };
})();
"""


def measure(notebook: Notebook, traffic: Traffic, steps: int, sliders: list[str]) -> list[Row]:
    page = notebook.page
    notebook.run_all()
    page.evaluate(HELPERS)
    ways = {"slider: ": sliders, "layer: ": list(LAYERS)}
    names = [kind + name for kind, names in ways.items() for name in names]
    cells = {name: 1 + index for index, name in enumerate(names)}
    for index in cells.values():
        page.wait_for_function("(index) => peers.look(index)", arg=index)
    times, sizes = Times(), Times()

    def take_turns(kind: str, names: list[str], run: str, turns: list[str]) -> None:
        for turn, layer in enumerate(turns):
            for name in names:
                traffic.wait_until_quiet()
                before = traffic.so_far["bytes"]
                try:
                    pointed = name == RESTED
                    taken = page.evaluate(run, [cells[kind + name], layer, pointed])
                except Error as error:
                    # One way that draws nothing here must not hide what the others take.
                    print(f"{name}: {error.message.splitlines()[0]}", file=sys.stderr)
                    continue
                traffic.wait_until_quiet()
                # The first turn of each warms it up.
                if turn:
                    times.add(kind + name, taken)
                    sizes.add(kind + name, (traffic.so_far["bytes"] - before) / 1000)

    run = "([index]) => peers.step(index)"
    take_turns("slider: ", sliders, run, [LAYER] * (steps + 1))
    run = "([index, layer, pointed]) => peers.choose(index, layer, pointed)"
    take_turns("layer: ", list(LAYERS), run, CHOICES[1 : steps + 2])
    rows = []
    for kind, names in ways.items():
        for name in names:
            if kind + name not in times:
                rows.append(Row(kind + name, "none"))
                continue
            row = times.row(kind + name, kind + name, kind + names[-1])
            rows.append(row._replace(target=f"{sizes.median(kind + name):.0f} kB"))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="random", help="what load_model takes")
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    has_ipympl = importlib.util.find_spec("ipympl") is not None
    sliders = [name for name in SLIDERS if name != "ipympl" or has_ipympl]

    sources = [PRELUDE.replace("MODEL", repr(arguments.model))]
    sources += [SLIDERS[name] for name in sliders] + list(LAYERS.values())
    # Tall enough for all cells: a notebook does not draw what is far out of sight.
    with opened(sources, 1200, 6000) as (notebook, traffic):
        rows = measure(notebook, traffic, arguments.steps, sliders)
        version = browser_of(notebook)
    print(f"{arguments.model} ResNet50 in {version}, medians of {arguments.steps} steps;")
    print("the last column is what a step sends over the wire, both ways.")
    print(setting("jupyterlab", "ipywidgets", "matplotlib", "ipympl"), end="\n\n")
    print(table(rows, last="traffic"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
