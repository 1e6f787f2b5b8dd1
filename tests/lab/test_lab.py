"""The paths a person takes, in a real JupyterLab with a real kernel."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from explorer_page import ExplorerPage, drag
from pictures import TOLERANCE, differ_by, pixels_of, viridis
from playwright.sync_api import expect

FIRST_LOOK = Path(__file__).parents[2] / "notebooks" / "01_first_look.ipynb"

PARTS = """
import ipywidgets
import numpy as np
from resnet_widgets.frame import Frame
from resnet_widgets.widgets.activation_map import ActivationMap
from resnet_widgets.widgets.channel_slider import ChannelSlider
from resnet_widgets.widgets.frame_store import FrameStore

array = np.random.default_rng(7).random((6, 5, 40), np.float32)
asked = []

def source(photo, layer):
    asked.append(layer)
    return Frame.from_activation(array, layer=layer)

store = FrameStore(source)
picture = ActivationMap(store=store, layer="noise", channel=3)
slider = ChannelSlider(store=store, layer="noise")
ipywidgets.jslink((slider, "value"), (picture, "channel"))
ipywidgets.VBox([slider, picture])
"""
NOISE = np.random.default_rng(7).random((6, 5, 40), np.float32)
BUSY = "import time\nwhile True: time.sleep(0.01)"


def test_parts_work_in_a_plain_box_while_a_cell_runs(open_notebook):
    notebook = open_notebook(PARTS)
    notebook.run_all()
    canvas = notebook.page.locator("canvas[data-shown]")
    notebook.page.wait_for_selector("canvas[data-shown='noise#0']")
    assert differ_by(pixels_of(canvas), viridis(NOISE[..., 0])) <= TOLERANCE

    notebook.start(BUSY)
    drag(notebook.page.get_by_role("slider", name="Channel", exact=True), 0.01, 0.99)
    notebook.page.wait_for_selector("canvas[data-shown='noise#39']")
    assert notebook.is_running
    assert differ_by(pixels_of(canvas), viridis(NOISE[..., 39])) <= TOLERANCE

    notebook.interrupt()
    notebook.wait_for_value("[slider.value, picture.channel]", [39, 39])
    # Two views and forty channels, and the kernel was asked once.
    assert notebook.evaluate("asked") == ["noise"]


@pytest.mark.parametrize("view", ["doc/tree", "notebooks"], ids=["JupyterLab", "Notebook 7"])
def test_keys_pressed_in_a_widget_stay_there(open_notebook, view):
    notebook = open_notebook(PARTS, "pass", view=view)
    notebook.run_all()
    notebook.page.wait_for_selector("canvas[data-shown]")
    slider = notebook.page.get_by_role("slider", name="Channel", exact=True)
    for part in (slider, notebook.page.locator(".rw-picture")):
        part.focus()
        for key in ("x", "d", "d", "a", "b", "ArrowDown"):
            part.press(key)
    assert notebook.cell_count == 2


def test_first_look(open_notebook):
    """Run the notebook, walk the tree, drag while a cell runs, save, reload: all in one sitting."""
    notebook = open_notebook(file=FIRST_LOOK)
    cells = notebook.cell_count
    notebook.run_all()
    explorer = ExplorerPage(notebook)
    explorer.wait_until_shown("conv3_block4_out", 44)

    explorer.selected.focus()
    explorer.page.keyboard.press("ArrowUp")
    explorer.wait_until_shown("conv3_block4_add", 44)

    notebook.start(BUSY)
    explorer.drag_slider(0.05, 0.6)
    explorer.page.keyboard.press("ArrowRight")
    label = explorer.slider.get_attribute("aria-valuetext")
    channel = int(label.split()[1])
    explorer.wait_until_shown("conv3_block4_add", channel)
    assert notebook.is_running
    pixels = pixels_of(explorer.canvas)
    notebook.interrupt()
    activation = "explorer.cache.activation(explorer.image, 'conv3_block4_add')"
    plane = notebook.evaluate(f"{activation}[..., {channel}].tolist()")
    assert differ_by(pixels, viridis(plane)) <= TOLERANCE
    notebook.wait_for_value("explorer.channel", channel)

    for part in (explorer.slider, explorer.selected):
        part.focus()
        for key in ("x", "d", "d", "b"):
            explorer.page.keyboard.press(key)
    assert notebook.cell_count == cells
    explorer.page.keyboard.press("Escape")

    shown = explorer.shown
    assert notebook.save() < 200_000
    notebook.reload()
    notebook.reload_until_alive()
    explorer.wait_until_shown(*shown)
    assert notebook.evaluate("[explorer.layer, explorer.channel]") == list(shown)


def test_a_restart_of_the_kernel_is_told_and_the_picture_stays(open_notebook):
    notebook = open_notebook(
        "import numpy as np\nimport resnet_widgets as rw\n"
        "photo = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)\n"
        "explorer = rw.explore(photo, 'mini')\nexplorer"
    )
    notebook.run_all()
    explorer = ExplorerPage(notebook)
    explorer.canvas.wait_for()
    explorer.page.wait_for_selector(".rw-predictions li")
    layer, channel = explorer.shown
    gone = explorer.page.get_by_role("alert").filter(has_text="The kernel was restarted.")
    assert not gone.is_visible()
    notebook.restart()
    gone.wait_for()
    assert explorer.shown == (layer, channel)
    explorer.slider.focus()
    explorer.page.keyboard.press("End")
    explorer.page.wait_for_function(
        "(before) => document.querySelector('.rw-explorer-top canvas[data-shown]')"
        ".dataset.shown !== before",
        arg=f"{layer}#{channel}",
    )
    assert gone.is_visible()


def test_why(open_notebook):
    """Mute a channel, look at the map without it, undo; solo two of a CAM; cancel a dream."""
    notebook = open_notebook(
        "import skimage\nimport resnet_widgets as rw\n"
        "explorer = rw.explore(skimage.data.chelsea(), 'mini', layer='conv5_block3_out')\nexplorer"
    )
    notebook.run_all()
    explorer, page = ExplorerPage(notebook), notebook.page
    explorer.wait_until_shown("conv5_block3_out")
    page.locator(".rw-why summary").first.click()
    scores = page.locator(".rw-why-scores tbody tr")
    scores.first.wait_for()
    before = notebook.evaluate("explorer.cache.scores(explorer.image, 1)[0].probability")
    channel = notebook.evaluate("explorer.channel")

    page.get_by_role("button", name="Mute", exact=True).click()
    page.get_by_text(f"mute channel {channel} of conv5_block3_out").wait_for()
    notebook.wait_for_value("len(explorer.edits)", 1)
    after = notebook.evaluate(
        "explorer.cache.run(explorer.image, explorer.edits)"
        ".scores(None)[explorer.cache.scores(explorer.image, 1)[0].index].probability"
    )
    assert after != before
    cat = scores.filter(has=page.get_by_role("rowheader", name="cat", exact=True))
    now, then = (f"{100 * probability:.0f} %" for probability in (after, before))
    expect(cat.locator("td").nth(1)).to_have_text(f"{then} → {now}")
    explorer.wait_until_shown("conv5_block3_out", channel)
    page.wait_for_function(
        """() => {
          const canvas = document.querySelector(".rw-explorer-top canvas[data-shown]");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return new Set(new Uint32Array(data.buffer)).size === 1;
        }"""
    )

    page.get_by_role("button", name="Mute", exact=True).click()
    notebook.wait_for_value("len(explorer.edits)", 0)
    page.get_by_role("tab", name="CAM").click()
    page.get_by_text("512 of 512 channels").wait_for()

    boxes = page.get_by_label(re.compile("^choose channel"))
    names = [boxes.nth(place).get_attribute("aria-label") for place in (1, 3)]
    for name in names:
        page.get_by_label(name, exact=True).check()
    page.get_by_role("button", name="Turn the knobs of 2 channels").click()
    page.get_by_role("button", name="Solo 2 channels").click()
    both = sorted(int(name.split()[2]) for name in names)
    notebook.wait_for_value("[list(edit.channels) for edit in explorer.edits]", [both])
    page.get_by_text(f"only channels {both[0]}, {both[1]} of conv5_block3_out").wait_for()
    page.get_by_role("button", name="Solo 2 channels").click()
    notebook.wait_for_value("len(explorer.edits)", 0)

    page.get_by_role("tab", name="Dream").click()
    page.get_by_label("Steps").select_option("512")
    page.get_by_role("button", name="Make a picture").click()
    dream = page.get_by_role("img", name="The picture so far")
    dream.wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled.").wait_for()
    # What has grown so far stays, and the next picture may begin.
    assert len(np.unique(pixels_of(dream))) > 2
    assert page.get_by_role("button", name="Make a picture").is_enabled()
    assert notebook.evaluate("explorer.why.error") == ""
