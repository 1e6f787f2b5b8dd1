"""StageViewer in Chromium: columns, one cursor, channels, selection, layout, messages."""

from __future__ import annotations

import re

import numpy as np
import pytest
import traitlets
from playwright.sync_api import expect
from stub_comm import StubComm

from resnet_widgets.widgets import ActivationMap, ChannelSlider, StageViewer

from .painted import colored, next_frame, pixels, table

RNG = np.random.default_rng(1)
SHAPES = {
    "conv2_block3_out": (16, 16, 4),
    "conv3_block4_out": (8, 8, 6),
    "conv4_block6_out": (4, 4, 8),
    "conv5_block3_out": (2, 2, 10),
}
FRAMES = {name: RNG.random(shape, np.float32) for name, shape in SHAPES.items()}
LAYERS = [*SHAPES]


@pytest.fixture
def show_stages(show):
    def show_it(layers=LAYERS, **state):
        others = {}
        for i in range(4):
            others[f"map{i}"] = ("activation_map.js", ActivationMap, {"values": False})
            others[f"slider{i}"] = ("channel_slider.js", ChannelSlider, {})
        state = {
            "layers": list(layers),
            "channels": [1, 2, 3, 4][: len(layers)],
            "maps": [f"anywidget:map{i}" for i in range(len(layers))],
            "sliders": [f"anywidget:slider{i}" for i in range(len(layers))],
            **state,
        }
        page = show("stage_viewer.js", StageViewer, FRAMES, width=800, others=others, **state)
        wait_columns(page, len(layers))
        return page

    return show_it


def wait_columns(page, count):
    page.wait_for_function(
        """(count) => document.querySelectorAll(".rw-stage .rw-cells[data-shown]").length === count
          && document.querySelectorAll(".rw-stage [aria-valuetext*=strength]").length === count""",
        arg=count,
    )


def trait(page, name, model="shown"):
    return page.evaluate("([model, name]) => stub.models[model].get(name)", [model, name])


def saves(page):
    """How many messages with traits each model has sent to the kernel."""
    counts = page.evaluate(
        "Object.fromEntries(Object.entries(stub.models).map(([name, m]) => [name, m.saved.length]))"
    )
    return {name: count for name, count in counts.items() if count}


def test_each_column_shows_its_layer_and_channel(show_stages):
    page = show_stages()
    for i, (layer, array) in enumerate(FRAMES.items()):
        plane = array[:, :, i + 1]
        cells = f".rw-stage:nth-child({i + 1}) .rw-cells[data-shown='{layer}#{i + 1}']"
        low, high = float(plane.min()), float(plane.max())
        wanted = colored(array, i + 1, low, high, table(page, "viridis"))
        np.testing.assert_array_equal(pixels(page, cells), wanted)
    names = page.locator(".rw-stage-name").all_inner_texts()
    facts = page.locator(".rw-stage-foot").all_inner_texts()
    captions = zip(names, facts, strict=True)
    assert [" ".join(" ".join(texts).split()) for texts in captions] == [
        "conv2 16 × 16 × 4 ch 1",
        "conv3 8 × 8 × 6 ch 2",
        "conv4 4 × 4 × 8 ch 3",
        "conv5 2 × 2 × 10 ch 4",
    ]
    assert saves(page) == {}
    assert page.evaluate("stub.models.store.sent.length") == 4


def test_the_cursor_is_the_same_place_in_every_column(show_stages):
    page = show_stages()
    cells = page.locator(".rw-stage:nth-child(2) .rw-picture").bounding_box()
    page.mouse.move(cells["x"] + 5.5 / 8 * cells["width"], cells["y"] + 2.5 / 8 * cells["height"])
    assert trait(page, "cursor") == [5 / 8, 2 / 8, 6 / 8, 3 / 8]
    places = page.locator(".rw-stage .rw-cursor").evaluate_all(
        "(all) => all.map(({ style }) => [style.left, style.top, style.width, style.height])"
    )
    assert places == [
        ["62.5%", "25%", "12.5%", "12.5%"],
        ["62.5%", "25%", "12.5%", "12.5%"],
        ["50%", "25%", "25%", "25%"],
        ["50%", "0%", "50%", "50%"],
    ]
    facts = page.locator(".rw-stage-fact").all_inner_texts()
    wanted = [
        FRAMES[LAYERS[0]][4:6, 10:12, 1].mean(),
        FRAMES[LAYERS[1]][2, 5, 2],
        FRAMES[LAYERS[2]][1, 2, 3],
        FRAMES[LAYERS[3]][0, 1, 4],
    ]
    numbers = [float(text.split("≈ ")[1]) for text in facts]
    assert numbers == pytest.approx(wanted, abs=0.004)
    # The kernel hears it from the map that was touched and from the viewer, not from all columns.
    assert saves(page) == {"map1": 1, "shown": 1}


def test_numbers_under_the_cursor_are_exact_and_asked_for_in_one_message(show_stages):
    page = show_stages(exact=True, cursor=[5 / 8, 2 / 8, 6 / 8, 3 / 8])
    facts = page.locator(".rw-stage-fact")
    wanted = [
        ("mean = ", FRAMES[LAYERS[0]][4:6, 10:12, 1].mean(dtype=np.float64)),
        ("= ", FRAMES[LAYERS[1]][2, 5, 2]),
        ("= ", FRAMES[LAYERS[2]][1, 2, 3]),
        ("= ", FRAMES[LAYERS[3]][0, 1, 4]),
    ]
    for fact, (sign, number) in zip(facts.all(), wanted, strict=True):
        expect(fact).to_have_text(re.compile(f"^{sign}"))
        assert np.float32(fact.inner_text().split("= ")[1]) == np.float32(number)
    page.evaluate("stub.models.store.sent.length = 0")
    page.evaluate("stub.models.shown.set('cursor', [0, 0, 1 / 8, 1 / 8])")
    expect(facts.nth(3)).to_have_text(re.compile("^= "))
    asked = page.evaluate("stub.models.store.sent")
    assert [len(message["cells"]) for message in asked] == [4]


def test_a_slider_moves_its_own_column_only(show_stages):
    page = show_stages()
    page.get_by_role("slider").nth(2).focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".rw-cells[data-shown='conv4_block6_out#4']")
    assert trait(page, "channels") == [1, 2, 4, 4]
    assert saves(page) == {"slider2": 1, "shown": 1}
    assert page.evaluate("stub.keys") == []


def test_what_a_channel_is_is_said_once(show_stages):
    page = show_stages()
    notes = page.locator(".rw-stage .rw-track-note")
    notes.first.wait_for(state="attached")
    # The map says it, and in a column there is no room above the bars.
    assert set(notes.evaluate_all("all => all.map((el) => getComputedStyle(el).display)")) == {
        "none"
    }


def test_channels_set_from_python_move_the_sliders(show_stages):
    page = show_stages()
    page.evaluate("stub.models.shown.update({ channels: [0, 0, 0, 9] })")
    page.wait_for_selector(".rw-cells[data-shown='conv5_block3_out#9']")
    assert trait(page, "value", "slider3") == 9
    assert saves(page) == {}


def test_a_click_or_enter_on_a_name_selects_its_layer(show_stages):
    page = show_stages()
    names = page.locator(".rw-stage-name")
    names.nth(1).click()
    assert trait(page, "selected") == "conv3_block4_out"
    expect(names.nth(1)).to_have_attribute("aria-pressed", "true")
    names.nth(3).focus()
    page.keyboard.press("Enter")
    assert trait(page, "selected") == "conv5_block3_out"
    expect(names.nth(1)).to_have_attribute("aria-pressed", "false")


def test_range_and_colormap_hold_for_all_columns(show_stages):
    page = show_stages()
    page.evaluate("stub.models.shown.update({ blend: 0.5, colormap: 'gray' })")
    assert [trait(page, "blend", f"map{i}") for i in range(4)] == [0.5] * 4
    assert [trait(page, "colormap", f"map{i}") for i in range(4)] == ["gray"] * 4


def test_other_layers_keep_the_columns(show_stages):
    page = show_stages(LAYERS[:2])
    page.evaluate("(layers) => stub.models.shown.update({ layers })", LAYERS[2:])
    page.wait_for_selector(".rw-cells[data-shown='conv4_block6_out#1']")
    page.wait_for_selector(".rw-cells[data-shown='conv5_block3_out#2']")
    assert "conv5" in page.locator(".rw-stage-name").nth(1).inner_text()


def test_more_layers_bring_more_columns_and_old_ones_let_go(show_stages):
    page = show_stages(LAYERS[:2])
    before = page.evaluate("stub.models.map0.listening()")
    page.evaluate(
        """(layers) => stub.models.shown.update({
          layers,
          channels: [0, 0, 0],
          maps: [0, 1, 2].map((i) => `anywidget:map${i}`),
          sliders: [0, 1, 2].map((i) => `anywidget:slider${i}`),
        })""",
        LAYERS[:3],
    )
    wait_columns(page, 3)
    assert page.evaluate("stub.models.map0.listening()") == before
    page.evaluate("stub.end()")
    assert page.evaluate("stub.models.map0.listening() + stub.models.shown.listening()") == 0


def test_a_column_removed_before_it_was_filled_does_nothing_more(show_stages):
    page = show_stages(LAYERS[:1])
    page.evaluate(
        """() => {
          const { getModel } = stub.host;
          stub.waiting = [];
          stub.host.getModel = async (name) => {
            await new Promise((resolve) => stub.waiting.push(resolve));
            return getModel(name);
          };
        }"""
    )
    columns = """(count) => stub.models.shown.update({
      layers: ["conv2_block3_out", "conv3_block4_out"].slice(0, count),
      channels: [0, 0].slice(0, count),
      maps: ["anywidget:map0", "anywidget:map1"].slice(0, count),
      sliders: ["anywidget:slider0", "anywidget:slider1"].slice(0, count),
    })"""
    page.evaluate(columns, 2)
    page.wait_for_function("() => stub.waiting.length === 2")
    page.evaluate(columns, 1)
    expect(page.locator(".rw-stage")).to_have_count(1)
    page.evaluate("stub.waiting.forEach((go) => go())")
    next_frame(page)
    page.evaluate("stub.models.shown.update({ colormap: 'magma' })")
    assert page.evaluate("stub.models.map0.get('colormap')") == "magma"
    assert page.evaluate("stub.models.map1.get('colormap')") == "auto"
    assert page.evaluate("stub.models.map1.listening()") == 0


@pytest.mark.parametrize(("width", "per_row"), [(800, 4), (640, 4), (630, 2), (240, 2)])
def test_four_columns_are_two_by_two_where_there_is_little_room(show_stages, width, per_row):
    page = show_stages()
    page.evaluate(
        "(width) => { document.getElementById('place').style.width = width }", f"{width}px"
    )
    boxes = [column.bounding_box() for column in page.locator(".rw-stage").all()]
    assert len({round(box["x"]) for box in boxes}) == per_row
    assert all(box["x"] + box["width"] <= 20 + width + 1 for box in boxes)
    overflow = page.locator(".rw-stages").evaluate("(el) => el.scrollWidth - el.clientWidth")
    assert overflow <= 0


def test_without_layers_it_says_so(show_stages):
    page = show_stages([])
    expect(page.get_by_text("No layers to compare")).to_be_visible()


def test_columns_are_added_moved_and_removed(show_stages):
    page = show_stages(LAYERS[:3], selected=LAYERS[3], channel=7)
    first = page.locator(".rw-stage").first
    first.hover()
    first.get_by_role("button", name="Move conv2 to the right").click()
    assert trait(page, "layers") == [LAYERS[1], LAYERS[0], LAYERS[2]]
    assert trait(page, "channels") == [2, 1, 3]
    # The hand goes with the column.
    page.keyboard.press("Enter")
    assert trait(page, "layers") == [LAYERS[1], LAYERS[2], LAYERS[0]]
    page.get_by_role("button", name="Remove conv4").press("Enter")
    assert trait(page, "layers") == [LAYERS[1], LAYERS[0]]
    page.get_by_role("button", name=f"Add {LAYERS[3]} as a column").click()
    assert trait(page, "layers") == [LAYERS[1], LAYERS[0], LAYERS[3]]
    assert trait(page, "channels") == [2, 1, 7]
    update = "(layers) => stub.models.shown.update({ layers })"
    page.evaluate(update, [LAYERS[0]] * 12)
    expect(page.get_by_role("button", name="room for 12 columns")).to_be_disabled()


def test_what_a_page_may_make_of_the_columns():
    viewer = StageViewer(store=None)
    comm = StubComm(viewer)
    comm.page_sets(layers=["a", "b"], channels=[1, 2])
    assert (viewer.layers, viewer.channels) == (["a", "b"], [1, 2])
    for wrong in (["a"] * 13, ["a", 3], ["x" * 10_001], "ab", None):
        comm.page_sets(layers=wrong)
        assert viewer.layers == ["a", "b"]
    comm.page_sets(channels=["1", 2])
    assert viewer.channels == [1, 2]
    with pytest.raises(traitlets.TraitError, match="at most 12 paths"):
        viewer.layers = ["a"] * 13
