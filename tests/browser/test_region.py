"""The region: a box drawn over a map by pointer or keys, and the boxes that others draw."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from resnet_widgets.engine.regions import region_channels, region_scores
from resnet_widgets.widgets import ActivationMap

FRAMES = {"conv": np.arange(8 * 8 * 2, dtype=np.float32).reshape(8, 8, 2)}


@pytest.fixture
def show_map(show):
    def show_it(**state):
        state = {"values": False, "layer": "conv", **state}
        page = show("activation_map.js", ActivationMap, FRAMES, **state)
        page.wait_for_selector(".rw-cells[data-shown]")
        return page

    return show_it


def trait(page, name, model="shown"):
    return page.evaluate("([model, name]) => stub.models[model].get(name)", [model, name])


def place(page, selector):
    """Where an element lies, in 0…1 of the map."""
    inner, outer = (page.locator(s).bounding_box() for s in (selector, ".rw-picture"))
    left = (inner["x"] - outer["x"]) / outer["width"]
    top = (inner["y"] - outer["y"]) / outer["height"]
    edges = [left, top, left + inner["width"] / outer["width"]]
    return pytest.approx([*edges, top + inner["height"] / outer["height"]], abs=0.01)


def drag(page, start, end, selector=".rw-picture"):
    """Drags from one place to another, both in 0…1 of an element."""
    box = page.locator(selector).first.bounding_box()
    (x, y), (u, v) = (
        (box["x"] + at[0] * box["width"], box["y"] + at[1] * box["height"]) for at in (start, end)
    )
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move((x + u) / 2, (y + v) / 2)
    page.mouse.move(u, v)
    page.mouse.up()


@pytest.mark.parametrize(
    ("start", "end"),
    [((0.2, 0.4), (0.55, 0.95)), ((0.55, 0.95), (0.2, 0.4)), ((0.55, 0.4), (0.2, 0.95))],
)
def test_a_dragged_box_keeps_to_whole_cells(show_map, start, end):
    page = show_map()
    drag(page, start, end)
    page.wait_for_function("stub.models.shown.get('region')[2] === 5 / 8")
    assert trait(page, "region") == [1 / 8, 3 / 8, 5 / 8, 1]
    assert place(page, ".rw-box-region") == [1 / 8, 3 / 8, 5 / 8, 1]
    saved = page.evaluate("stub.models.shown.saved.map((batch) => batch.region).filter(Boolean)")
    assert saved[-1] == [1 / 8, 3 / 8, 5 / 8, 1]


def test_a_drag_goes_no_further_than_the_picture(show_map):
    page = show_map()
    drag(page, (0.6, 0.6), (1.4, 1.2))
    page.wait_for_function("stub.models.shown.get('region')[3] === 1")
    assert trait(page, "region") == [4 / 8, 4 / 8, 1, 1]


def test_a_click_draws_nothing_and_a_drag_is_no_click(show_map):
    page = show_map()
    page.evaluate(
        """() => {
          window.clicks = 0;
          document.querySelector(".rw-picture").addEventListener("click", () => { clicks += 1; });
        }"""
    )
    page.locator(".rw-picture").click()
    assert (trait(page, "region"), page.evaluate("clicks")) == ([], 1)
    drag(page, (0.2, 0.2), (0.6, 0.6))
    assert page.evaluate("clicks") == 1
    page.locator(".rw-picture").click()
    assert page.evaluate("clicks") == 2


def test_shift_and_arrows_draw_from_the_cursor_and_escape_clears(show_map):
    page = show_map(cursor=[2 / 8, 2 / 8, 3 / 8, 3 / 8])
    page.locator(".rw-picture").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(f"Shift+{key}")
    assert trait(page, "region") == [2 / 8, 2 / 8, 5 / 8, 4 / 8]
    assert trait(page, "cursor") == [4 / 8, 3 / 8, 5 / 8, 4 / 8]
    for _ in range(4):
        page.keyboard.press("Shift+ArrowLeft")
    assert trait(page, "region") == [0, 2 / 8, 3 / 8, 4 / 8]
    # Another one, from where the cursor has gone.
    page.keyboard.press("ArrowUp")
    assert trait(page, "region") == [0, 2 / 8, 3 / 8, 4 / 8]
    page.keyboard.press("Shift+ArrowUp")
    assert trait(page, "region") == [0, 1 / 8, 1 / 8, 3 / 8]
    page.keyboard.press("Escape")
    assert trait(page, "region") == []
    assert page.locator(".rw-box-region").is_hidden()
    assert trait(page, "cursor") == [0, 1 / 8, 1 / 8, 2 / 8]
    assert page.evaluate("stub.keys") == []


def test_without_a_cursor_keys_begin_in_the_middle(show_map):
    page = show_map()
    page.locator(".rw-picture").focus()
    page.keyboard.press("Shift+ArrowRight")
    assert trait(page, "region") == [3 / 8, 3 / 8, 5 / 8, 4 / 8]


def test_boxes_set_from_python_are_shown(show_map):
    page = show_map(region=[0, 0, 0.5, 0.25], outline=[0.25, 0.5, 1, 1])
    assert place(page, ".rw-box-region") == [0, 0, 0.5, 0.25]
    assert place(page, ".rw-box-outline") == [0.25, 0.5, 1, 1]
    page.evaluate("stub.models.shown.update({ region: [], outline: [] })")
    assert page.locator(".rw-box-region").is_hidden()
    assert page.locator(".rw-box-outline").is_hidden()


@pytest.mark.parametrize("region", [[0.1, 0.2, 0.45, 0.5], [0, 0, 1, 0.25], [0.4, 0.4, 0.42, 0.42]])
def test_the_page_ranks_channels_as_numpy_does_up_to_its_bytes(show, region):
    rng = np.random.default_rng(5)
    activation = np.maximum(0, rng.normal(size=(14, 14, 96)) ** 3).astype(np.float32)
    page = show("activation_map.js", ActivationMap, {"conv": activation}, layer="conv")
    page.wait_for_selector(".rw-cells[data-shown]")
    shown, order = page.evaluate(
        """async (region) => {
          const { best, regionScores } = await import("/region_list.js");
          const { scores } = regionScores(stub.exports.store.peek("", "conv"), region);
          return [[...scores], best(scores, 96)];
        }""",
        region,
    )
    exact = region_scores(activation, region)
    # A byte is within 1/504 of the range: so is each mean, and so is the standard deviation.
    byte = np.ptp(activation, axis=(0, 1)) / 504
    slack = (2 + np.abs(exact)) * byte / (activation.std((0, 1), dtype=np.float64) - byte)
    assert np.all(np.abs(shown - exact) <= slack)
    assert slack.max() < 0.2
    # So two channels stand the other way round only where their scores are as close as that.
    ranking = [channel for channel, _ in region_channels(activation, region, 96)]
    assert sorted(order) == sorted(ranking)
    for above, below in itertools.pairwise(order):
        assert exact[above] >= exact[below] - slack[above] - slack[below]
