"""The paths a person takes, in a real JupyterLab with a real kernel."""

from __future__ import annotations

import numpy as np
from pictures import TOLERANCE, differ_by, pixels_of, viridis

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


def drag(page, track, start, end, steps=20):
    """Drags along `track` with the mouse, from one share of its width to another."""
    # Hovering first waits until the track has stopped moving about the page.
    track.hover()
    box = track.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], y, steps=steps)
    page.mouse.up()


def test_parts_work_in_a_plain_box_while_a_cell_runs(open_notebook):
    notebook = open_notebook(PARTS)
    notebook.run_all()
    canvas = notebook.page.locator("canvas[data-shown]")
    notebook.page.wait_for_selector("canvas[data-shown='noise#0']")
    assert differ_by(pixels_of(canvas), viridis(NOISE[..., 0])) <= TOLERANCE

    notebook.start(BUSY)
    drag(notebook.page, notebook.page.get_by_role("slider"), 0.01, 0.99)
    notebook.page.wait_for_selector("canvas[data-shown='noise#39']")
    assert notebook.kernel_status == "busy"
    assert differ_by(pixels_of(canvas), viridis(NOISE[..., 39])) <= TOLERANCE

    notebook.interrupt()
    notebook.wait_for_value("[slider.value, picture.channel]", [39, 39])
    # Two views and forty channels, and the kernel was asked once.
    assert notebook.evaluate("asked") == ["noise"]


def test_keys_pressed_in_a_widget_stay_there(open_notebook):
    notebook = open_notebook(PARTS, "pass")
    notebook.run_all()
    notebook.page.wait_for_selector("canvas[data-shown]")
    for part in (notebook.page.get_by_role("slider"), notebook.page.locator(".rw-picture")):
        part.focus()
        for key in ("x", "d", "d", "a", "b", "ArrowDown"):
            part.press(key)
    assert notebook.cell_count == 2
