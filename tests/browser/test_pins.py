"""Exact numbers and pinned cells in Chromium."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from resnet_widgets.widgets import ActivationMap

CELLS = ".rw-picture .rw-cells"


@pytest.fixture(scope="module")
def conv():
    rng = np.random.default_rng(3)
    return rng.normal(size=(6, 8, 5)).astype(np.float32)


@pytest.fixture
def show_map(show, conv):
    def show_it(**state):
        options = {"layer": "conv", "exact": True, **state}
        page = show("activation_map.js", ActivationMap, {"conv": conv}, **options)
        page.wait_for_selector(f"{CELLS}[data-shown^=conv]")
        return page

    return show_it


def trait(page, name):
    return page.evaluate("(name) => stub.models.shown.get(name)", name)


def point(page, row, column):
    box = page.locator(CELLS).bounding_box()
    x = box["x"] + (column + 0.5) * box["width"] / 8
    page.mouse.move(x, box["y"] + (row + 0.5) * box["height"] / 6)


def cell_messages(page):
    sent = page.evaluate("stub.models.store.sent")
    return [cell["block"] for message in sent for cell in message.get("cells", [])]


def number(text):
    return np.float32(text.split("=")[1].replace("−", "-"))


def cell(row, column):
    return pytest.approx([column / 8, row / 6, (column + 1) / 8, (row + 1) / 6])


def test_the_number_under_the_pointer_is_the_exact_one(show_map, conv):
    page = show_map(channel=2)
    point(page, 2, 5)
    reading = page.locator(".rw-reading")
    expect(reading).to_contain_text("row 2 col 5 = ")
    assert number(reading.inner_text()) == conv[2, 5, 2]
    # All channels came with it.
    before = reading.inner_text()
    page.evaluate("stub.models.shown.update({ channel: 4 })")
    expect(reading).not_to_have_text(before)
    expect(reading).to_contain_text("row 2 col 5 = ")
    assert number(reading.inner_text()) == conv[2, 5, 4]
    assert cell_messages(page) == [[5, 2, 6, 3]]


def test_until_it_is_there_the_number_is_marked_as_near(show_map, conv):
    page = show_map()
    page.evaluate("stub.holding = true")
    for column in range(8):
        point(page, 1, column)
    reading = page.locator(".rw-reading")
    expect(reading).to_contain_text("row 1 col 7 ≈ ")
    page.wait_for_function("() => stub.held.length === 1")
    page.evaluate("stub.release()")
    page.wait_for_function("() => stub.held.length === 1")
    page.evaluate("stub.release()")
    expect(reading).to_contain_text("row 1 col 7 = ")
    assert number(reading.inner_text()) == conv[1, 7, 0]
    assert len(cell_messages(page)) == 2


def test_without_exact_numbers_nobody_is_asked(show_map):
    page = show_map(exact=False)
    point(page, 2, 5)
    expect(page.locator(".rw-reading")).to_contain_text("≈")
    assert cell_messages(page) == []


def test_a_click_pins_a_cell_and_shows_all_its_channels(show_map, conv):
    page = show_map(channel=1)
    point(page, 2, 5)
    page.mouse.down()
    page.mouse.up()
    assert trait(page, "pins") == [cell(2, 5)]
    row = page.get_by_role("group", name="Pin 1, row 2 col 5")
    value = row.locator(".rw-pin-value")
    expect(value).to_contain_text("=")
    assert number(value.inner_text()) == conv[2, 5, 1]
    mark = page.locator(".rw-pin").bounding_box()
    cells = page.locator(CELLS).bounding_box()
    assert mark["x"] - cells["x"] == pytest.approx(5 / 8 * cells["width"], abs=1)
    # A click on a bar leads to its channel.
    track, before = row.get_by_role("slider").bounding_box(), value.inner_text()
    page.mouse.click(track["x"] + 3.5 / 5 * track["width"], track["y"] + 5)
    page.wait_for_function("() => stub.models.shown.get('channel') === 3")
    expect(value).not_to_have_text(before)
    assert number(value.inner_text()) == conv[2, 5, 3]
    point(page, 2, 5)
    page.mouse.down()
    page.mouse.up()
    assert trait(page, "pins") == []
    expect(page.locator(".rw-pins")).to_be_hidden()


def test_bars_are_the_numbers_in_the_order_of_the_slider(show_map, conv):
    page = show_map(pins=[[0, 0, 1 / 8, 1 / 6]], order="maximum")
    expect(page.locator(".rw-pin-value")).to_contain_text("=")
    path = page.locator(".rw-pin-row .rw-bars path").get_attribute("d")
    lengths = [-float(part.split("v")[1].split("h")[0]) for part in path.split("M")[1:]]
    values = conv[0, 0][np.argsort(-conv.max((0, 1)))]
    span = max(0, values.max()) - min(0, values.min())
    np.testing.assert_allclose(lengths, 100 * values / span, atol=0.011)
    slider = page.get_by_role("slider", name="Channel at row 0 col 0")
    slider.press("ArrowRight")
    assert (
        trait(page, "channel")
        == np.argsort(-conv.max((0, 1)))[list(np.argsort(-conv.max((0, 1)))).index(0) + 1]
    )


def test_keys_pin_and_unpin(show_map):
    page = show_map()
    picture = page.locator(".rw-picture")
    for key in ["ArrowRight", "Enter", "ArrowDown", "Enter"]:
        picture.press(key)
    assert trait(page, "pins") == [cell(3, 4), cell(4, 4)]
    picture.press("ArrowUp")
    picture.press("Delete")
    assert trait(page, "pins") == [cell(4, 4)]
    # Where no pin is, the newest goes.
    picture.press("Delete")
    assert trait(page, "pins") == []
    assert page.evaluate("stub.keys") == []


def test_rows_are_taken_away_by_button_and_key(show_map):
    pins = [[x / 8, 0, (x + 1) / 8, 1 / 6] for x in range(3)]
    page = show_map(pins=pins)
    expect(page.locator(".rw-pin-row")).to_have_count(3)
    page.get_by_role("button", name="Unpin row 0 col 1").click()
    assert trait(page, "pins") == [pytest.approx(pins[0]), pytest.approx(pins[2])]
    expect(page.get_by_role("group", name="Pin 2, row 0 col 2")).to_be_visible()
    page.get_by_role("slider", name="Channel at row 0 col 0").press("Delete")
    assert trait(page, "pins") == [pytest.approx(pins[2])]
    assert page.evaluate("stub.keys") == []


def test_the_focus_goes_to_the_pin_that_comes_next(show_map):
    page = show_map(pins=[[x / 8, 0, (x + 1) / 8, 1 / 6] for x in range(3)])
    page.get_by_role("button", name="Unpin row 0 col 0").press("Enter")
    for column in (1, 2):
        expect(page.get_by_role("button", name=f"Unpin row 0 col {column}")).to_be_focused()
        page.keyboard.press("Delete")
    expect(page.locator(".rw-pins")).to_be_hidden()
    assert page.evaluate("document.activeElement.closest('.rw-map') !== null")


def test_a_drag_pins_nothing(show_map):
    page = show_map()
    point(page, 1, 1)
    page.mouse.down()
    point(page, 4, 4)
    page.mouse.up()
    assert trait(page, "pins") == []
    assert len(trait(page, "region")) == 4
