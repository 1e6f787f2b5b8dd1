"""Faults in a real JupyterLab: what was shown stays, and a new run brings it back."""

from __future__ import annotations

import pytest
from explorer_page import ExplorerPage
from playwright.sync_api import expect
from stress import CELLS, Stress

EXPLORER = """
import numpy as np
import resnet_widgets as rw
photo = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
explorer = rw.explore(photo, "mini")
explorer
"""


def channel_of(page: ExplorerPage) -> int:
    """The channel that the slider says."""
    return int((page.slider.get_attribute("aria-valuetext") or "").split()[1])


@pytest.mark.parametrize("fault", ["restart", "killed"])
def test_a_kernel_that_is_gone_leaves_what_was_shown_and_a_new_run_brings_it_back(
    open_notebook, fault
):
    notebook = open_notebook(EXPLORER)
    notebook.run_all()
    explorer = ExplorerPage(notebook)
    explorer.wait_until_shown("conv3_block4_out")
    if fault == "killed":
        pid = notebook.evaluate("__import__('os').getpid()")
        notebook.kill(pid)
        # JupyterLab tells as well, and its dialog has the focus.
        explorer.page.locator(".jp-Dialog button.jp-mod-accept").click()
    else:
        notebook.restart()
    # Nobody answers, and the page still draws what it has.
    before = explorer.shown[1]
    explorer.slider.focus()
    explorer.page.keyboard.press("ArrowRight")
    explorer.page.wait_for_function(
        "before => !document.querySelector('.rw-explorer-top canvas[data-shown]')"
        ".dataset.shown.endsWith('#' + before)",
        arg=before,
    )
    notebook.run_all()
    explorer.wait_until_shown("conv3_block4_out")
    assert notebook.evaluate("explorer.error") == ""


def test_an_interrupt_ends_the_cell_and_nothing_else(open_notebook):
    notebook = open_notebook(EXPLORER)
    notebook.run_all()
    explorer = ExplorerPage(notebook)
    explorer.wait_until_shown("conv3_block4_out")
    notebook.start(
        "import time\nwhile True:\n    explorer.layer = 'conv4_block6_out'; time.sleep(0.01)"
    )
    explorer.wait_until_shown("conv4_block6_out")
    notebook.interrupt()
    notebook.run("explorer.layer = 'conv2_block3_out'")
    explorer.wait_until_shown("conv2_block3_out")
    assert notebook.evaluate("[explorer.error, explorer.last_error]") == ["", None]


def test_a_page_that_was_cut_off_comes_back_to_what_it_showed(open_notebook):
    """Also to what its parts have from the page alone."""
    notebook = open_notebook(EXPLORER)
    notebook.run_all()
    explorer = ExplorerPage(notebook)
    explorer.wait_until_shown("conv3_block4_out")
    notebook.run("explorer.wait()")
    explorer.slider.focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight"):
        explorer.page.keyboard.press(key)
    chosen = (explorer.shown[0], channel_of(explorer))
    explorer.wait_until_shown(*chosen)
    notebook.wait_for_value("[explorer.layer, explorer.channel]", list(chosen))
    columns = notebook.evaluate("explorer.stages.channels")
    assert chosen[1] and any(columns), "zeros are what everything would fall back to"
    asked = "[explorer.layer, explorer.channel, explorer.stages.channels]"
    stages = explorer.root.locator(".rw-stages canvas[data-shown]")
    stages.nth(3).wait_for()
    side_by_side = [stage.get_attribute("data-shown") for stage in stages.all()]
    notebook.reconnect()
    assert notebook.evaluate(asked) == [*chosen, columns]
    assert explorer.shown == chosen
    assert [stage.get_attribute("data-shown") for stage in stages.all()] == side_by_side


def test_two_tabs_show_one_explorer(open_notebook):
    """What is done in one page is seen in the other, and both have their own frames."""
    notebook = open_notebook(EXPLORER)
    notebook.run_all()
    first = ExplorerPage(notebook)
    first.wait_until_shown("conv3_block4_out")
    notebook.save()
    second = ExplorerPage(notebook.in_another_tab())
    second.wait_until_shown("conv3_block4_out")
    notebook.run("explorer.layer, explorer.channel = 'conv4_block6_out', 3")
    for page in (first, second):
        page.wait_until_shown("conv4_block6_out", 3)
    second.slider.focus()
    second.page.keyboard.press("Home")
    expect(second.slider).to_have_attribute("aria-valuenow", "0")
    channel = channel_of(second)
    first.wait_until_shown("conv4_block6_out", channel)

    # The kernel repeats to both what it was told of a drag: that must not pull back the hand.
    notebook.run("heard = []; explorer.observe(lambda change: heard.append(change.new), 'channel')")
    second.slider.evaluate(
        """(slider) => {
          const position = () => Number(slider.getAttribute("aria-valuenow"));
          window.positions = [];
          new MutationObserver(() => positions.push(position())).observe(
            slider, { attributeFilter: ["aria-valuenow"] });
        }"""
    )
    second.drag_slider(0.02, 0.98, steps=100)
    channel = channel_of(second)
    first.wait_until_shown("conv4_block6_out", channel)
    positions = second.page.evaluate("positions")
    assert positions == sorted(positions)
    assert second.shown[1] == channel
    heard = notebook.evaluate("heard")
    assert heard[-1] == channel
    assert 2 <= len(heard) < len(positions)


def test_the_last_thing_asked_for_is_shown_however_fast_it_came(open_notebook):
    """A little of what `tools/stress_lab.py` does."""
    stress = Stress(open_notebook(*CELLS), patience=60)
    stress.slider(300, seconds=1)
    stress.tree(30, seconds=1)
    stress.photos(5)
    stress.layers(30)
