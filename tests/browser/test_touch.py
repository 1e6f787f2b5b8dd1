"""A finger on the widgets in Chromium: real touches, so that the browser decides what scrolls."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from resnet_widgets.widgets import ActivationMap, ChannelSlider

from .painted import next_frame
from .test_explorer import show_explorer, trait, wait_shown  # noqa: F401

FRAMES = {"conv": np.random.default_rng(3).random((4, 4, 8), np.float32)}


class Finger:
    """One finger on a page."""

    def __init__(self, page):
        self.page = page
        self.session = page.context.new_cdp_session(page)
        self.session.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
        page.add_style_tag(content="body { height: 4000px }")

    def _send(self, kind, *point):
        points = [{"x": point[0], "y": point[1]}] if point else []
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        next_frame(self.page)

    def down(self, x, y):
        self._send("touchStart", x, y)

    def move(self, start, end, steps=8):
        for i in range(1, steps + 1):
            x, y = (a + (b - a) * i / steps for a, b in zip(start, end, strict=True))
            self._send("touchMove", x, y)

    def up(self):
        self._send("touchEnd")

    def tap(self, x, y):
        self.down(x, y)
        self.up()

    def drag(self, start, end):
        self.down(*start)
        self.move(start, end)
        self.up()


def place(page, selector):
    """Function from shares of an element's width and height to a point of the window."""
    box = page.locator(selector).first.bounding_box()
    return lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])


def scrolled(page):
    return page.evaluate("scrollY")


@pytest.fixture
def show_map(show):
    page = show("activation_map.js", ActivationMap, FRAMES, layer="conv", width=400)
    page.wait_for_selector("canvas[data-shown]")
    return page


def test_a_quick_drag_over_a_map_scrolls_and_sets_nothing(show_map):
    finger, at = Finger(show_map), place(show_map, ".rw-picture")
    finger.drag(at(0.5, 0.9), at(0.5, 0.1))
    show_map.wait_for_function("scrollY > 50")
    assert [trait(show_map, name) for name in ("cursor", "region", "pins")] == [[], [], []]


def test_a_tap_points_and_a_second_one_pins(show_map):
    finger, at = Finger(show_map), place(show_map, ".rw-picture")
    cell = [0.25, 0.5, 0.5, 0.75]
    finger.tap(*at(0.4, 0.6))
    show_map.wait_for_function("String(stub.models.shown.get('cursor')) === '0.25,0.5,0.5,0.75'")
    assert trait(show_map, "pins") == []
    finger.tap(*at(0.4, 0.6))
    show_map.wait_for_function("stub.models.shown.get('pins').length === 1")
    assert trait(show_map, "pins") == [cell]
    finger.tap(*at(0.9, 0.1))
    show_map.wait_for_function("stub.models.shown.get('cursor')[0] === 0.75")
    assert trait(show_map, "pins") == [cell]
    assert trait(show_map, "region") == []


def test_a_finger_that_stays_draws_a_region_and_the_page_stays(show_map):
    finger, at = Finger(show_map), place(show_map, ".rw-picture")
    start, end = at(0.3, 0.3), at(0.9, 0.6)
    finger.down(*start)
    show_map.wait_for_function(
        "String(stub.models.shown.get('region')) === '0.25,0.25,0.5,0.5'"
    )  # drawn before it moves: what the hand sees is that it may
    finger.move(start, end)
    finger.up()
    assert trait(show_map, "region") == [0.25, 0.25, 1, 0.75]
    assert scrolled(show_map) == 0
    assert trait(show_map, "pins") == []


def test_a_finger_that_leaves_in_time_draws_nothing(show_map):
    finger, at = Finger(show_map), place(show_map, ".rw-picture")
    finger.tap(*at(0.3, 0.3))
    finger.down(*at(0.9, 0.9))
    show_map.wait_for_function("stub.models.shown.get('region').length === 4")
    finger.up()
    saved = show_map.evaluate("stub.models.shown.saved.flatMap(({ region }) => region ?? [])")
    assert saved == [0.75, 0.75, 1, 1], "the tap before it would have drawn first"


def test_a_pen_points_in_the_air_and_draws_when_it_stays(show_map):
    session, at = show_map.context.new_cdp_session(show_map), place(show_map, ".rw-picture")

    def pen(kind, share, **other):
        x, y = at(*share)
        event = {"type": kind, "x": x, "y": y, "pointerType": "pen", **other}
        session.send("Input.dispatchMouseEvent", event)

    pressed = {"button": "left", "buttons": 1, "clickCount": 1}
    pen("mouseMoved", (0.4, 0.6))
    show_map.wait_for_function("String(stub.models.shown.get('cursor')) === '0.25,0.5,0.5,0.75'")
    pen("mousePressed", (0.4, 0.6), **pressed)
    show_map.wait_for_function("stub.models.shown.get('region').length === 4")
    pen("mouseMoved", (0.9, 0.9), button="left", buttons=1)
    pen("mouseReleased", (0.9, 0.9), button="left", clickCount=1)
    show_map.wait_for_function("String(stub.models.shown.get('region')) === '0.25,0.5,1,1'")
    assert trait(show_map, "pins") == []


def test_the_photo_too_is_tapped_drawn_on_and_scrolled_over(show_explorer):  # noqa: F811
    page = show_explorer(width=500)
    wait_shown(page, "conv2_block1_out", 2)
    next_frame(page)
    finger = Finger(page)
    page.locator(".rw-photo").scroll_into_view_if_needed()
    at = place(page, ".rw-photo")
    finger.tap(*at(0.45, 0.7))
    page.wait_for_function("stub.models.shown.get('cursor').length === 4")
    assert trait(page, "cursor") == [3 / 8, 5 / 8, 4 / 8, 6 / 8]
    finger.down(*at(0.25, 0.25))
    page.wait_for_function("stub.models.shown.get('region').length === 4")
    finger.move(at(0.25, 0.25), at(0.6, 0.6))
    finger.up()
    assert trait(page, "region") == [8 / 32, 8 / 32, 20 / 32, 20 / 32]
    before = scrolled(page)
    finger.drag(at(0.5, 0.9), at(0.5, 0.1))
    page.wait_for_function("(before) => scrollY > before + 40", arg=before)
    assert trait(page, "region") == [8 / 32, 8 / 32, 20 / 32, 20 / 32]


def test_the_slider_goes_along_with_a_finger_and_lets_the_page_scroll(show):
    page = show("channel_slider.js", ChannelSlider, FRAMES, layer="conv", width=500)
    page.wait_for_selector("[aria-valuetext*=strength]")
    finger, at = Finger(page), place(page, "[role=slider]")
    finger.drag(at(0.1, 0.5), at(0.95, 0.5))
    page.wait_for_function("stub.models.shown.get('value') === 7")
    finger.tap(*at(0.3, 0.5))
    page.wait_for_function("stub.models.shown.get('value') === 2")
    x, y = at(0.8, 0.9)
    finger.drag((x, y), (x, y - 40))
    page.wait_for_function("scrollY > 10")
    assert trait(page, "value") == 2


def test_a_tile_is_tapped_and_the_sheet_passes_the_scroll_on(show):
    page = show("activation_map.js", ActivationMap, FRAMES, layer="conv", mode="grid", width=500)
    page.wait_for_selector(".rw-sheet canvas[data-shown]")
    next_frame(page)
    finger, at = Finger(page), place(page, ".rw-sheet")
    finger.tap(*at(3.5 / 6, 0.25))  # two rows of at most six
    page.wait_for_function("stub.models.shown.get('channel') === 3")
    expect(page.locator(".rw-lift")).to_be_hidden()
    x, y = at(0.5, 0.9)
    finger.drag((x, y), (x, y - 60))
    page.wait_for_function("scrollY > 10")
    assert trait(page, "channel") == 3
