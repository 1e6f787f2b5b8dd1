"""How long from muting a channel until the classes have moved, in JupyterLab in Chromium? Medians.

    python benchmarks/bench_why.py [--runs 15]

The strongest channel of the last block, then those next to it, one at a time: an edit that was made
before is in the cache. Then, in some other layers, the first edit that is made there. From the
click until the first animation frame in which the table shows the new probabilities.
"""

from __future__ import annotations

import argparse
import sys

from in_lab import Traffic, browser_of, opened
from measure import Row, Times, setting, table

from explorer_page import ExplorerPage  # isort: skip  # found by in_lab
from lab_driver import Notebook  # isort: skip

CELL = """
import skimage
import resnet_widgets as rw
explorer = rw.explore(skimage.data.chelsea(), {model!r}, layer="conv5_block3_out")
explorer
"""
EDITED_ONCE = (
    "conv2_block1_out",
    "conv3_block1_out",
    "conv3_block4_out",
    "conv4_block2_2_relu",
    "conv4_block5_out",
)
TARGETS = {"mini": 150, "random": 400}

HELPERS = """
window.why = (() => {
  const { frame } = inLab;
  const button = (text) => [...document.querySelectorAll(".rw-why-controls button")]
    .find((one) => one.textContent === text);
  const edits = () => document.querySelectorAll(".rw-why-edits li").length;
  const shown = () => edits() > 0 && !document.querySelector(".rw-why-then").hidden;

  /** Milliseconds until the table is that of the edited network; then the edit is undone. */
  async function mute() {
    const start = performance.now();
    button("Mute").click();
    let time = start;
    while (!shown()) time = await frame();
    button("Mute").click();
    while (edits() > 0) await frame();
    return time - start;
  }
  return { mute };
})();
"""


def measure_why(notebook: Notebook, traffic: Traffic, runs: int) -> tuple[list[float], list[float]]:
    """Mutes one channel after another in the panel, and one of each of some other layers.

    Returns:
        Milliseconds until the classes have moved: of the former, and of the latter.
    """
    page = notebook.page
    notebook.run_all()
    ExplorerPage(notebook).wait_until_shown("conv5_block3_out")
    page.locator(".rw-why summary").first.click()
    page.wait_for_selector(".rw-why-scores tbody tr")
    strongest = notebook.evaluate(
        "[int(c) for c in (-explorer.cache.activation(explorer.image, explorer.layer)"
        f".mean((0, 1))).argsort()[: {runs + 1}]]"
    )
    page.evaluate(HELPERS)

    def mute(place: str) -> float:
        page.wait_for_function(
            "(text) => document.querySelector('.rw-why-where').textContent.includes(text)",
            arg=place,
        )
        traffic.wait_until_quiet()
        return page.evaluate("() => why.mute()")

    times = []
    for channel in strongest:
        notebook.run(f"explorer.channel = {channel}")
        times.append(mute(f"channel {channel}"))
    once = []
    for layer in EDITED_ONCE:
        notebook.run(f"explorer.layer = {layer!r}")
        once.append(mute(layer))
    return times[1:], once


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="channels to mute")
    parser.add_argument("--model", choices=TARGETS, help="one of them only")
    arguments = parser.parse_args()
    times, rows = Times(), list[Row]()
    for model in [arguments.model] if arguments.model else TARGETS:
        with opened([CELL.format(model=model)], 1400, 1000) as (notebook, traffic):
            often, once = measure_why(notebook, traffic, arguments.runs)
            for name, values in ((model, often), (f"{model} once", once)):
                for value in values:
                    times.add(name, value)
            version = browser_of(notebook)
        title = f"mute a channel of the last block → classes, {model} ({arguments.runs})"
        rows.append(times.row(title, model, target=f"≤ {TARGETS[model]}"))
        title = f"the first edit of a layer → classes, {model} ({len(EDITED_ONCE)} layers)"
        rows.append(times.row(title, f"{model} once"))
    print(f"{version}. {setting('jupyterlab', 'anywidget')}", end="\n\n")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
