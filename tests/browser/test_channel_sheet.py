"""The contact sheet in Chromium: pixels and marks against numpy, zoom, order, keys, ARIA."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from playwright.sync_api import expect

from resnet_widgets.widgets import ActivationMap

from .painted import NO_NUMBER, colored, next_frame, pixels, range_of, shown_values, table

SHEET = ".rw-sheet .rw-cells"
MARKS = ".rw-sheet-marks"
GAP = 2


@pytest.fixture(scope="module")
def conv():
    rng = np.random.default_rng(3)
    return (rng.normal(size=(6, 8, 5)) * [1, 20, 0.1, 3, 7] + 0.5).astype(np.float32)


@pytest.fixture
def show_sheet(show, conv):
    def show_it(array=conv, **state):
        frames = {"conv": array}
        page = show("activation_map.js", ActivationMap, frames, layer="conv", mode="grid", **state)
        page.wait_for_selector(f"{SHEET}[data-shown=conv]")
        return page

    return show_it


def trait(page, name):
    return page.evaluate("(name) => stub.models.shown.get(name)", name)


def update(page, **values):
    page.evaluate("(values) => stub.models.shown.update(values)", values)


def tile_pixels(page, selector, position, width=72, height=54):
    left = position * (width + GAP)
    return pixels(page, selector)[:height, left : left + width]


RANGES = {
    "channel": {},
    "layer": {"blend": 1},
    "between": {"blend": 0.3},
    "symmetric": {"symmetric": True},
    "clipped": {"clip": 5},
    "layer, clipped": {"blend": 1, "clip": 5},
    "limits": {"limits": [-1.0, 2.0]},
}


@pytest.mark.parametrize("choice", RANGES.values(), ids=RANGES)
def test_enlarged_tiles_are_exact(show_sheet, conv, choice):
    page = show_sheet(order="strength", **choice)
    seen = pixels(page, SHEET)
    rows, columns = np.arange(54) * 6 // 54, np.arange(72) * 8 // 72
    colors = table(page, "coolwarm" if choice.get("symmetric") else "viridis")
    order = np.argsort(-conv.mean((0, 1)), kind="stable")
    for position, channel in enumerate(order):
        low, high = range_of(conv, channel, **choice)
        cells = colored(conv, channel, low, high, colors)
        left = position * (72 + GAP)
        np.testing.assert_array_equal(seen[:54, left : left + 72], cells[np.ix_(rows, columns)])
        assert not seen[:54, left + 72 : left + 72 + GAP, 3].any()


def test_reduced_tiles_show_means_of_values(show_sheet):
    big = np.random.default_rng(0).random((144, 144, 1), np.float32)
    page = show_sheet(big, colormap="gray")
    blocks = shown_values(big, 0).reshape(72, 2, 72, 2).mean((1, 3))
    steps = (blocks - big.min()) / np.ptp(big) * 255
    seen = pixels(page, SHEET)[:72, :72, 0]
    assert np.abs(seen - steps).max() <= 1.1


def test_large_cells_carry_their_own_marks(show_sheet, conv):
    page = show_sheet(limits=[-1.0, 2.0])
    values = shown_values(conv, 3)
    marks = tile_pixels(page, MARKS, 3)[:, :, 3]
    for row, column in np.ndindex(6, 8):
        cell = marks[row * 9 : row * 9 + 9, column * 9 : column * 9 + 9]
        assert bool(cell[:3, 7:].any()) == (values[row, column] > 2), (row, column)
        assert bool(cell[6:, :2].any()) == (values[row, column] < -1), (row, column)


def test_tiles_of_small_cells_carry_one_mark_a_side(show_sheet):
    array = np.tile(np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20, 1), 3)
    array = array + np.float32([0, 1, 2])
    page = show_sheet(array, limits=[0.5, 2.5])
    for channel, (below, above) in enumerate([(True, False), (False, False), (False, True)]):
        alpha = tile_pixels(page, MARKS, channel, 72, 72)[:, :, 3]
        assert (alpha[-2, 1] > 0, alpha[1, -2] > 0) == (below, above)
        assert not alpha[20:50, 20:50].any()


ODD = np.random.default_rng(1).random((4, 4, 5)).astype(np.float32)
ODD[:, :, 1] = 0
ODD[:, :, 2] = 1.5
ODD[:2, :, 3] = 7
ODD[1, 2, 4] = np.nan


def test_dead_constant_saturated_and_non_finite_channels_are_marked_and_named(show_sheet):
    page = show_sheet(ODD)
    signs = [tile_pixels(page, MARKS, channel, 72, 72)[1:10, 1:10] for channel in range(5)]
    assert [bool(sign[:, :, 3].all()) for sign in signs] == [False, True, True, True, False]
    # Each its own sign, white on black.
    for sign in signs[1:4]:
        assert sign[:, :, 0].min() == 0
        assert sign[:, :, 0].max() > 180
    assert len({sign.tobytes() for sign in signs[1:4]}) == 3
    cell = tile_pixels(page, MARKS, 4, 72, 72)[18:36, 36:54, 3]
    assert cell.any()
    assert tuple(tile_pixels(page, SHEET, 4, 72, 72)[20, 38, :3]) == NO_NUMBER
    texts = page.locator(".rw-kinds > li").all_inner_texts()
    assert [text.split(maxsplit=1)[1] for text in texts] == [
        "1 dead",
        "1 constant",
        "1 saturated",
        "1 not finite",
    ]


def test_a_channel_that_an_edit_set_to_zero_is_muted_not_dead(show_sheet):
    array = ODD.copy()
    array[:, :, 0] = 0
    page = show_sheet(array, muted=(0, 2))
    signs = [tile_pixels(page, MARKS, channel, 72, 72)[1:10, 1:10] for channel in (0, 1)]
    assert signs[0].tobytes() != signs[1].tobytes()
    texts = page.locator(".rw-kinds > li").all_inner_texts()
    assert [text.split(maxsplit=1)[1] for text in texts][:3] == ["1 muted", "1 dead", "1 constant"]


@pytest.mark.parametrize("zoom", [1, 3])
def test_the_cells_that_look_at_a_pixel_are_framed_in_every_tile(show_sheet, zoom):
    page = show_sheet(outline=[0.25, 0.5, 0.5, 1], zoom=zoom)
    page.wait_for_selector(".rw-sheet-looking:not([hidden])")
    ink = pixels(page, ".rw-sheet-looking")
    shown = pixels(page, SHEET)
    assert ink.shape == shown.shape
    place = page.locator(".rw-tile-here").bounding_box()
    width, height = round(place["width"]), round(place["height"])
    # Between two black lines, the outer one along the edge.
    left, right, top, bottom = (
        int(width * 0.25 + 0.5) + 1,
        int(width * 0.5 + 0.5) - 2,
        int(height * 0.5 + 0.5) + 1,
        height - 2,
    )
    white = (ink == 255).all(axis=-1)
    for start in (0, width + GAP):
        tile = white[:height, start : start + width]
        wanted = np.zeros_like(tile)
        wanted[[top, bottom], left : right + 1] = True
        wanted[top : bottom + 1, [left, right]] = True
        for corner in itertools.product((top, bottom), (left, right)):
            tile[corner] = wanted[corner] = False  # where two strokes meet is the browser's affair
        np.testing.assert_array_equal(tile, wanted)
    update(page, outline=[])
    expect(page.locator(".rw-sheet-looking")).to_be_hidden()


def test_marked_channels_can_be_left_out(show_sheet):
    page = show_sheet(ODD, order="index")
    grid = page.get_by_role("grid")
    expect(grid).to_have_attribute("aria-colcount", "5")
    page.get_by_role("button", name="Hide 4").click()
    expect(grid).to_have_attribute("aria-colcount", "1")
    assert trait(page, "hide") is True
    button = page.get_by_role("button", name="Show 4 hidden")
    # The name says what the button does next; a state beside it would say the contrary.
    assert button.get_attribute("aria-pressed") is None
    # One that is selected elsewhere is shown while it is selected.
    update(page, channel=2)
    expect(grid).to_have_attribute("aria-colcount", "2")
    expect(page.get_by_role("gridcell")).to_have_attribute("aria-colindex", "2")
    button.click()
    expect(grid).to_have_attribute("aria-colcount", "5")


def test_a_button_that_can_do_no_more_can_still_be_read(show_sheet):
    page = show_sheet(zoom=0.5)
    button = page.get_by_role("button", name="Smaller tiles")
    expect(button).to_be_disabled()
    larger = page.get_by_role("button", name="Larger tiles")
    color = "(node) => getComputedStyle(node).color"
    assert button.evaluate(color) == larger.evaluate(color)
    expect(button).to_have_css("opacity", "0.45")


def test_without_marked_channels_there_is_nothing_to_hide(show_sheet):
    page = show_sheet()
    expect(page.get_by_role("button", name="Hide")).to_be_hidden()


def test_another_order_lays_the_page_out_once(show_sheet):
    page = show_sheet()
    asked = page.evaluate(
        """async () => {
          const sheet = document.querySelector(".rw-sheet");
          const { get } = Object.getOwnPropertyDescriptor(Element.prototype, "clientHeight");
          let asked = 0;
          Object.defineProperty(sheet, "clientHeight", {
            get() { asked += 1; return get.call(this); },
          });
          stub.models.shown.update({ order: "variance" });
          for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
          return asked;
        }"""
    )
    assert asked == 1


def test_click_and_keys_select_a_channel(show_sheet, conv):
    page = show_sheet(np.tile(conv, 20), width=400)
    sheet = page.get_by_role("grid")
    box = sheet.bounding_box()
    chosen = page.get_by_role("gridcell")
    tile = chosen.bounding_box()
    columns = round(box["width"] / (tile["width"] + GAP))
    page.mouse.click(box["x"] + 2.5 * (tile["width"] + GAP), box["y"] + 1.5 * (tile["height"] + 2))
    assert trait(page, "channel") == columns + 2
    expect(chosen).to_have_attribute("aria-colindex", "3")
    expect(page.locator("[role=row]")).to_have_attribute("aria-rowindex", "2")
    for key, channel in [
        ("ArrowRight", columns + 3),
        ("ArrowDown", 2 * columns + 3),
        ("ArrowUp", columns + 3),
        ("ArrowLeft", columns + 2),
        ("End", 99),
        ("Home", 0),
        ("x", 0),
    ]:
        page.keyboard.press(key)
        assert trait(page, "channel") == channel
    assert page.evaluate("stub.keys") == []
    expect(sheet).to_have_attribute("aria-label", "All 100 channels of conv")
    expect(sheet).to_have_attribute("aria-colcount", str(columns))
    expect(sheet).to_have_attribute("aria-rowcount", str(-(-100 // columns)))
    assert chosen.get_attribute("id") == sheet.get_attribute("aria-activedescendant")
    facts = f"mean {conv[:, :, 0].mean():.2f} · max {conv[:, :, 0].max():.2f} · zeros 0 %"
    expect(chosen).to_have_attribute("aria-label", f"channel 0, {facts}")


def test_the_chosen_tile_is_scrolled_to_within_the_sheet(show_sheet, conv):
    page = show_sheet(np.tile(conv, 200), width=400)
    update(page, channel=999)
    page.wait_for_function("() => document.querySelector('.rw-sheet').scrollTop > 0")
    tile = page.get_by_role("gridcell").bounding_box()
    box = page.get_by_role("grid").bounding_box()
    assert tile["y"] + tile["height"] <= box["y"] + box["height"] + 1
    assert page.evaluate("window.scrollY") == 0
    # No row is cut at its top.
    for channel in (500, 999):
        update(page, channel=channel)
        next_frame(page)
        scrolled = page.locator(".rw-sheet").evaluate("(sheet) => sheet.scrollTop")
        assert scrolled > 0
        assert scrolled % (tile["height"] + GAP) == 0


def test_only_what_is_in_view_is_painted_and_scrolling_paints_the_rest(show_sheet):
    array = np.random.default_rng(2).random((7, 7, 1024), np.float32)
    page = show_sheet(array, width=400, colormap="gray")
    sizes = page.locator(SHEET).evaluate(
        "(canvas) => [canvas.clientHeight, canvas.parentElement.clientHeight]"
    )
    assert sizes[0] < sizes[1] / 2
    page.locator(".rw-sheet").evaluate("(sheet) => { sheet.scrollTop = 1e6; }")
    page.wait_for_function(f"() => Number(document.querySelector('{SHEET}').dataset.row) > 0")
    first = int(page.locator(SHEET).get_attribute("data-row"))
    columns = int(page.get_by_role("grid").get_attribute("aria-colcount"))
    tile = round(page.get_by_role("gridcell").evaluate("(cell) => cell.offsetWidth"))
    channel = first * columns
    at = np.arange(tile) * 7 // tile
    low, high = range_of(array, channel)
    wanted = colored(array, channel, low, high, table(page, "gray"))[np.ix_(at, at)]
    np.testing.assert_array_equal(pixels(page, SHEET)[:tile, :tile], wanted)


def test_hovering_lifts_the_tile_out_and_names_it(show_sheet, conv):
    page = show_sheet(order="strength", colormap="gray")
    box = page.locator(SHEET).bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + 10)
    channel = int(np.argsort(-conv.mean((0, 1)))[1])
    plane = conv[:, :, channel]
    expect(page.locator(".rw-tip > b")).to_have_text(f"ch {channel}")
    expect(page.locator(".rw-tip > span").first).to_have_text(
        f"mean {plane.mean():.2f} · max {plane.max():.2f} · zeros 0 %".replace("-", "−")
    )
    seen = pixels(page, ".rw-lift-cells")
    rows = np.arange(seen.shape[0]) * 6 // seen.shape[0]
    columns = np.arange(seen.shape[1]) * 8 // seen.shape[1]
    low, high = range_of(conv, channel)
    wanted = colored(conv, channel, low, high, table(page, "gray"))
    np.testing.assert_array_equal(seen, wanted[np.ix_(rows, columns)])
    assert seen.shape[1] > 72
    page.mouse.move(box["x"] + 73, box["y"] + 400)
    expect(page.locator(".rw-lift")).to_be_hidden()


def test_a_lifted_tile_stays_in_what_can_be_seen(show_sheet, conv):
    page = show_sheet(np.tile(conv, 40), width=400)
    # As in JupyterLab: the notebook scrolls, not the page.
    page.evaluate(
        """() => {
          const place = document.getElementById("place");
          place.style.cssText = "height: 180px; overflow: auto; padding-top: 120px";
        }"""
    )
    place, sheet = (page.locator(name).bounding_box() for name in ("#place", ".rw-sheet"))
    end = place["y"] + place["height"]
    assert sheet["y"] < end < sheet["y"] + sheet["height"]
    for y in (sheet["y"] + 4, end - 4):
        page.mouse.move(sheet["x"] + 200, y)
        expect(page.locator(".rw-lift")).to_be_visible()
        lift = page.locator(".rw-lift").bounding_box()
        assert place["y"] <= lift["y"], y
        assert lift["y"] + lift["height"] <= end, y


def test_a_lifted_tile_is_seen_where_the_page_itself_scrolls(show_sheet, conv):
    page = show_sheet(np.tile(conv, 40), width=400)
    page.evaluate(
        """() => {
          document.documentElement.style.cssText = "height: 100%; overflow-y: scroll";
          document.body.style.height = "100%";
          document.getElementById("place").style.padding = "1500px 0";
          scrollTo(0, 1400);
        }"""
    )
    sheet = page.locator(".rw-sheet").bounding_box()
    assert 0 < sheet["y"] < 200
    page.mouse.move(sheet["x"] + 200, sheet["y"] + 20)
    expect(page.locator(".rw-lift")).to_be_visible()
    lift = page.locator(".rw-lift").bounding_box()
    assert lift["y"] >= 0
    assert lift["y"] + lift["height"] <= page.evaluate("innerHeight")


class TestZoom:
    def columns(self, page):
        next_frame(page)
        return int(page.get_by_role("grid").get_attribute("aria-colcount"))

    @pytest.fixture
    def page(self, show_sheet, conv):
        return show_sheet(np.tile(conv, 40), width=400)

    def test_buttons_and_keys_zoom(self, page):
        fitted = self.columns(page)
        page.get_by_role("button", name="Larger tiles").click()
        assert self.columns(page) < fitted
        assert trait(page, "zoom") == pytest.approx(2**0.5, abs=1e-3)
        page.get_by_role("button", name="Smaller tiles").click()
        assert self.columns(page) == fitted
        page.get_by_role("grid").press("+")
        page.get_by_role("grid").press("+")
        assert trait(page, "zoom") == pytest.approx(2, abs=2e-3)
        page.get_by_role("grid").press("-")
        page.get_by_role("grid").press("0")
        assert trait(page, "zoom") == 1
        assert self.columns(page) == fitted
        assert page.evaluate("stub.keys") == []

    def test_it_ends_where_a_tile_fills_the_width(self, page):
        for _ in range(12):
            page.get_by_role("grid").press("+")
        assert trait(page, "zoom") == 16
        assert self.columns(page) == 1
        expect(page.get_by_role("button", name="Larger tiles")).to_be_disabled()

    def test_there_is_no_room_after_tiles_higher_than_the_view(self, show_sheet, conv):
        page = show_sheet(np.repeat(conv, 4, axis=0), width=400, zoom=16)
        self.columns(page)
        sheet = page.locator(".rw-sheet")
        tile = page.get_by_role("gridcell").bounding_box()["height"]
        assert tile > sheet.evaluate("(sheet) => sheet.clientHeight")
        sheet.evaluate("(sheet) => { sheet.scrollTop = 1e6; }")
        end = sheet.evaluate("(sheet) => sheet.scrollTop + sheet.clientHeight")
        assert end == conv.shape[-1] * (tile + GAP) - GAP
        # A whole tile below is gone to all the same.
        sheet.evaluate("(sheet) => { sheet.scrollTop = 0; }")
        next_frame(page)
        update(page, channel=3)
        page.wait_for_function(
            "top => document.querySelector('.rw-sheet').scrollTop === top", arg=3 * (tile + GAP)
        )

    def test_ctrl_and_wheel_zoom_around_the_pointer(self, page):
        tile = page.get_by_role("gridcell")
        box = page.get_by_role("grid").bounding_box()
        page.mouse.move(box["x"] + 100, box["y"] + 60)
        fitted = self.columns(page)
        size = tile.evaluate("(cell) => cell.offsetHeight")
        row = 60 // (size + GAP)
        before = row * (size + GAP)
        under = int(row * fitted + 100 // (402 / fitted))
        page.keyboard.down("Control")
        page.mouse.wheel(0, -300)
        page.keyboard.up("Control")
        page.wait_for_function("() => stub.models.shown.get('zoom') > 1.9")
        columns = self.columns(page)
        assert columns < fitted
        size = tile.evaluate("(cell) => cell.offsetHeight")
        scrolled = page.locator(".rw-sheet").evaluate("(sheet) => sheet.scrollTop")
        # Its upper edge is where it was.
        assert under // columns * (size + GAP) - scrolled == before

    def test_the_wheel_alone_scrolls(self, page):
        box = page.get_by_role("grid").bounding_box()
        page.mouse.move(box["x"] + 100, box["y"] + 60)
        page.mouse.wheel(0, 200)
        page.wait_for_function("() => document.querySelector('.rw-sheet').scrollTop > 0")
        assert trait(page, "zoom") == 1


class TestOrder:
    def test_each_order_is_that_of_numpy(self, show_sheet, conv):
        array = np.maximum(conv, 0)
        page = show_sheet(array, channel=3, reference=3)
        flat = array.reshape(-1, 5).T.astype(float)
        keys = {
            "strength": flat.mean(1),
            "maximum": flat.max(1),
            "variance": flat.var(1),
            "zeros": (flat == 0).mean(1),
            "similarity": np.corrcoef(flat)[3],
        }
        for order, key in keys.items():
            page.get_by_label("Order of the channels").select_option(order)
            next_frame(page)
            place = page.get_by_role("gridcell")
            ranks = np.argsort(-key, kind="stable")
            for channel in range(5):
                update(page, channel=channel)
                expect(place).to_have_attribute(
                    "aria-colindex", str(list(ranks).index(channel) + 1)
                )
            update(page, channel=3)

    def test_similarity_is_to_the_channel_it_was_asked_for(self, show_sheet):
        page = show_sheet(channel=2)
        page.get_by_label("Order of the channels").select_option("similarity")
        expect(page.get_by_role("gridcell")).to_have_attribute("aria-colindex", "1")
        expect(page.locator(".rw-map-main .rw-title")).to_contain_text("sorted like ch 2")
        page.get_by_role("grid").press("ArrowRight")
        assert trait(page, "reference") == 2
        expect(page.get_by_role("gridcell")).to_have_attribute("aria-colindex", "2")
        channel = trait(page, "channel")
        page.get_by_role("button", name=f"like {channel}").click()
        assert trait(page, "reference") == channel
        expect(page.get_by_role("gridcell")).to_have_attribute("aria-colindex", "1")
        expect(page.get_by_role("button", name="like")).to_be_hidden()

    def test_asked_for_from_python_it_is_to_the_channel_shown(self, show_sheet):
        page = show_sheet(channel=4)
        update(page, order="similarity")
        page.wait_for_function("() => stub.models.shown.get('reference') === 4")
        expect(page.get_by_role("gridcell")).to_have_attribute("aria-colindex", "1")


def test_a_scrollbar_has_its_room_before_it_comes(show_sheet):
    # With less room tiles would be smaller, all of them fit, and the scrollbar go again, for ever.
    page = show_sheet()
    sheet = page.get_by_role("grid")
    assert sheet.evaluate("(sheet) => sheet.scrollHeight <= sheet.clientHeight")
    assert sheet.evaluate("(sheet) => sheet.offsetWidth - sheet.clientWidth") > 0
