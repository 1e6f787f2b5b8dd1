"""The explorer in Chromium: its children bound to each other, keys, states, narrow cells."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from resnet_widgets.explorer import Explorer
from resnet_widgets.widgets import (
    ActivationMap,
    ChannelSlider,
    ExplainPanel,
    ImagePicker,
    LayerTree,
    StageViewer,
)

from .painted import colored, next_frame, pixels, table

RNG = np.random.default_rng(2)
SHAPES = {
    "conv1_relu": (16, 16, 4),
    "conv2_block1_1_conv": (8, 8, 4),
    "conv2_block1_out": (8, 8, 6),
    "conv3_block1_out": (4, 4, 8),
    "predictions": (5,),
}
FRAMES = {name: RNG.random(shape, np.float32) for name, shape in SHAPES.items()}
FRAMES["conv1_relu"][..., 3] = 0
OF_ROCKET = {name: RNG.random(shape, np.float32) for name, shape in SHAPES.items()}
FIELDS = {"conv2_block1_out": {"size": [10, 10], "stride": [4, 4], "start": [-3, -3]}}
ROWS = [
    {
        "path": path,
        "name": path,
        "kind": "Activation",
        "detail": "relu",
        "stage": path.split("_")[0] if len(shape) == 3 else "head",
        "block": "_".join(path.split("_")[:2]) if "_block" in path else "",
        "shape": list(shape),
        "dtype": "float32",
        "parameters": 0,
        "field": FIELDS.get(path),
        "inputs": [],
    }
    for path, shape in SHAPES.items()
]
STAGES = ["conv1_relu", "conv2_block1_out"]
READY = {
    "photo": "cat",
    "layer": "conv2_block1_out",
    "channel": 2,
    "picture": {"name": "cat.png", "size": [60, 80], "box": [10, 0, 70, 60], "notes": []},
    "predictions": [["cat", 0.75], ["<b>dog</b>", 0.25]],
    "about": {"title": "A model", "note": "embedded mini", "size": [32, 32]},
    "memory": {"nbytes": 2**20, "max_bytes": 4 * 2**20},
}


@pytest.fixture
def show_explorer(show):
    def show_it(width=1000, rows=ROWS, **state):
        state = {**READY, **state}
        others = {
            "tree": ("layer_tree.js", LayerTree, {"layers": rows}),
            "map": ("activation_map.js", ActivationMap, {"values": False}),
            "grid": ("activation_map.js", ActivationMap, {"values": False, "mode": "grid"}),
            "slider": ("channel_slider.js", ChannelSlider, {}),
            "stages": ("stage_viewer.js", StageViewer, {}),
            "picker": ("image_picker.js", ImagePicker, {}),
            "compare_picker": ("image_picker.js", ImagePicker, {}),
            "why": ("explain_panel.js", ExplainPanel, {}),
        }
        for i in range(2):
            others[f"map{i}"] = ("activation_map.js", ActivationMap, {"values": False})
            others[f"slider{i}"] = ("channel_slider.js", ChannelSlider, {})
        if state["photo"]:
            others["stages"][2].update(
                layers=STAGES,
                channels=[0, 0],
                maps=["anywidget:map0", "anywidget:map1"],
                sliders=["anywidget:slider0", "anywidget:slider1"],
            )
        for name in ("map", "grid", "slider", "stages"):
            others[name][2]["photo"] = state["photo"]
        references = {name: f"anywidget:{name}" for name in others if hasattr(Explorer, name)}
        frames = {f"cat|{name}": array for name, array in FRAMES.items()}
        frames |= {f"rocket|{name}": array for name, array in OF_ROCKET.items()}
        return show(
            "explorer.js", Explorer, frames, width=width, others=others, **{**references, **state}
        )

    return show_it


def test_a_part_that_does_not_start_leaves_no_blank_cell(show_explorer):
    page = show_explorer(tree="anywidget:gone")
    assert page.get_by_role("alert").text_content() == (
        "A part of the explorer did not start. Run this cell again. (no widget anywidget:gone)"
    )


def trait(page, name, model="shown"):
    return page.evaluate("([model, name]) => stub.models[model].get(name)", [model, name])


def update(page, model="shown", **values):
    page.evaluate("([model, values]) => stub.models[model].update(values)", [model, values])


def wait_shown(page, layer, channel):
    page.wait_for_selector(f".rw-explorer-top canvas[data-shown='{layer}#{channel}']")


def test_neighbours_are_fetched_once_a_hand_rests_and_the_layer_is_drawn(show_explorer):
    page = show_explorer()
    fetched = page.evaluate(
        """async () => {
          const [{ store }, { shown }] = [stub.exports, stub.models];
          const fetched = [];
          store.prefetch = (photo, layers) => fetched.push(layers);
          for (const layer of ["conv3_block1_out", "conv1_relu", "conv2_block1_1_conv"]) {
            shown.update({ layer });
            await new Promise((done) => setTimeout(done));
          }
          const soon = fetched.length;
          await new Promise((done) => setTimeout(done, 50));
          return [soon, fetched];
        }"""
    )
    assert fetched == [0, [["conv2_block1_out", "conv1_relu"]]]


def test_it_shows_layer_and_channel_everywhere(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    array = FRAMES["conv2_block1_out"]
    low, high = array[..., 2].min(), array[..., 2].max()
    expected = colored(array, 2, low, high, table(page, "viridis"))
    np.testing.assert_array_equal(pixels(page, ".rw-explorer-top canvas[data-shown]"), expected)
    assert trait(page, "selected", "tree") == "conv2_block1_out"
    assert [trait(page, name, "slider") for name in ("layer", "value")] == ["conv2_block1_out", 2]
    assert [trait(page, name, "grid") for name in ("layer", "channel")] == ["conv2_block1_out", 2]


def test_a_child_that_changes_takes_the_others_along(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.evaluate("stub.models.tree.set('selected', 'conv3_block1_out')")
    wait_shown(page, "conv3_block1_out", 2)
    page.evaluate("stub.models.slider.set('value', 7)")
    wait_shown(page, "conv3_block1_out", 7)
    assert [trait(page, "layer"), trait(page, "channel")] == ["conv3_block1_out", 7]
    assert trait(page, "channel", "grid") == 7


def test_a_channel_that_the_new_layer_lacks_becomes_its_strongest(show_explorer):
    page = show_explorer(channel=5)
    update(page, layer="conv1_relu")
    strongest = int(FRAMES["conv1_relu"].mean(axis=(0, 1)).argmax())
    assert strongest < FRAMES["conv1_relu"].shape[-1] - 1, "or it could be the last one as such"
    wait_shown(page, "conv1_relu", strongest)
    assert trait(page, "channel") == strongest
    expect(page.locator(".rw-jumps-here")).to_have_text(f"conv1_relu · ch {strongest}")


def test_a_channel_without_a_histogram_moves_nothing(show_explorer):
    page = show_explorer(width=860, layer="conv1_relu", channel=0)
    wait_shown(page, "conv1_relu", 0)
    slider = page.locator(".rw-explorer-main > .rw-slider")
    before = slider.bounding_box()
    update(page, channel=3)
    wait_shown(page, "conv1_relu", 3)
    expect(page.locator(".rw-explorer .rw-values .rw-histogram").first).to_be_hidden()
    assert slider.bounding_box() == before


def test_a_layer_pointed_at_is_fetched_before_the_click(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.get_by_role("searchbox").fill("predictions")
    page.get_by_role("treeitem", name="predictions").hover()
    page.wait_for_function("stub.exports.store.peek('cat', 'predictions')")
    assert trait(page, "layer") == "conv2_block1_out"


@pytest.mark.parametrize("by", ["click", "Enter"])
def test_a_layer_that_failed_is_tried_again_when_it_is_chosen_again(show_explorer, by):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.evaluate(
        """() => {
          const { store } = stub.models;
          const { receive } = store;
          store.receive = (message, buffers) => {
            if (message.layer !== "conv3_block1_out") return receive(message, buffers);
            store.receive = receive;
            receive({ ...message, kind: "error", message: "out of memory" }, []);
          };
          stub.models.tree.set("selected", "conv3_block1_out");
        }"""
    )
    alert = page.locator(".rw-explorer-top").get_by_role("alert").filter(has_text="out of memory")
    expect(alert).to_be_visible()
    row = page.get_by_role("treeitem", name="conv3_block1_out")
    row.click() if by == "click" else row.press(by)
    wait_shown(page, "conv3_block1_out", 2)
    expect(alert).to_be_hidden()


def test_a_stage_name_selects_its_layer_each_time(show_explorer):
    page = show_explorer()
    name = page.locator(".rw-stage-name").first
    for _ in range(2):
        page.evaluate("stub.models.shown.saved.length = 0")
        name.click()
        assert trait(page, "layer") == "conv1_relu"
        expect(name).to_have_attribute("aria-pressed", "true")
        # Until the kernel has heard of it, what a hand has chosen wins.
        page.wait_for_function("stub.models.shown.saved.at(-1)?.layer === 'conv1_relu'")
        update(page, layer="conv3_block1_out")
        expect(name).to_have_attribute("aria-pressed", "false")


def test_a_step_of_the_slider_lays_the_page_out_once(show_explorer):
    """Who asks for a size between two writes has the page laid out each time."""
    page = show_explorer(layer="conv3_block1_out", channel=0)
    wait_shown(page, "conv3_block1_out", 0)
    slider = page.locator(".rw-explorer-main > .rw-slider [role=slider]")
    slider.press("Home")
    page.wait_for_selector(".rw-sheet .rw-cells[data-shown=conv3_block1_out]")
    next_frame(page)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def counts():
        metrics = session.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: metric["value"] for metric in metrics}

    before = counts()
    slider.evaluate(
        """async (slider) => {
          // Each step begins between two frames, as an event does.
          const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
          for (let step = 0; step < 20; step++) {
            await frame();
            const key = step % 8 < 4 ? "ArrowRight" : "ArrowLeft";
            const options = { key, bubbles: true, cancelable: true };
            slider.dispatchEvent(new KeyboardEvent("keydown", options));
          }
          await frame();
        }"""
    )
    after = counts()
    assert slider.get_attribute("aria-valuenow") == "4"
    # One a step, that of its frame, and a frame or two that something else asked for.
    assert 20 <= after["LayoutCount"] - before["LayoutCount"] <= 23


def test_one_message_a_change(show_explorer):
    """The kernel hears of a slider step from the slider and from the explorer: positions only."""
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.evaluate("for (const model of Object.values(stub.models)) model.saved.length = 0")
    page.locator(
        ".rw-explorer-main > div > .rw-slider [role=slider], .rw-slider [role=slider]"
    ).first.press("End")
    wait_shown(page, "conv2_block1_out", 5)
    saved = page.evaluate(
        "Object.entries(stub.models).flatMap(([name, m]) => m.saved.map((s) => [name, s]))"
    )
    (shown, position), (slider, values) = sorted(saved, key=str)
    assert (shown, position) == ("shown", {"channel": 5})
    # A layer that the page has given the slider goes along with the first thing it says.
    assert (slider, values.pop("value")) == ("slider", 5)
    assert values in ({}, {"layer": "conv2_block1_out"})


def test_the_kernel_hears_of_a_layer_once_its_frame_is_there(show_explorer):
    """But not never, should that not come."""
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    choose = """async (layer) => {
      const { shown, tree } = stub.models;
      const start = performance.now();
      tree.set("selected", layer);
      while (shown.saved.at(-1)?.layer !== layer) {
        if (performance.now() - start > 10000) throw new Error("the kernel was not told");
        await new Promise((done) => setTimeout(done));
      }
      return [performance.now() - start, Boolean(stub.exports.store.peek("cat", layer))];
    }"""
    page.evaluate("stub.holding = true")
    waited, is_there = page.evaluate(choose, "predictions")
    assert waited >= 200
    assert not is_there
    page.evaluate("stub.holding = false; stub.release()")
    page.wait_for_function("stub.exports.store.peek('cat', 'predictions')")
    page.evaluate(choose, "conv2_block1_out")
    page.evaluate("stub.models.store.receive({ kind: 'forget', photo: null }, [])")
    assert page.evaluate(choose, "predictions")[1]


def test_pointing_at_the_photo_marks_the_cell_and_what_it_sees(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.wait_for_selector(".rw-stage canvas[data-shown]")
    next_frame(page)
    box = page.locator(".rw-photo").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.7)
    assert trait(page, "cursor") == [3 / 8, 5 / 8, 4 / 8, 6 / 8]
    assert trait(page, "cursor", "map") == trait(page, "cursor")
    assert trait(page, "cursor", "stages") == trait(page, "cursor")
    # Row 5 sees the pixels from -3 + 5 * 4 on, ten of them, column 3 likewise.
    footer = page.locator(".rw-explorer-footer")
    expect(footer).to_contain_text("row 5 col 3")
    expect(footer).to_contain_text("photo x 9–18, y 17–26 px")
    value = FRAMES["conv2_block1_out"][5, 3, 2]
    shown = float(footer.inner_text().split("≈ ")[1].split()[0])
    assert shown == pytest.approx(value, abs=1 / 504 + 5e-4)
    field = page.locator(".rw-field").bounding_box()
    assert field["x"] - box["x"] == pytest.approx(box["width"] * 9 / 32, abs=1)
    assert field["height"] == pytest.approx(box["height"] * 10 / 32, abs=1)
    page.mouse.move(box["x"] - 5, box["y"] - 40)
    assert trait(page, "cursor") == []


def test_the_footer_follows_photo_and_layer(show_explorer):
    page = show_explorer(cursor=[0, 0, 1 / 8, 1 / 8])
    footer = page.locator(".rw-explorer-footer")
    expect(footer).to_contain_text("row 0 col 0")
    update(page, layer="conv3_block1_out")
    expect(footer).to_contain_text("≈")
    update(page, photo="dog")
    update(page, model="map", photo="dog")
    expect(footer).not_to_contain_text("≈")


def test_keys(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    root = page.locator(".rw-explorer")
    root.focus()
    page.keyboard.press("ArrowDown")
    wait_shown(page, "conv3_block1_out", 2)
    page.keyboard.press("ArrowRight")
    wait_shown(page, "conv3_block1_out", 3)
    page.keyboard.press("?")
    card = page.get_by_role("dialog")
    expect(card).to_be_visible()
    expect(card.get_by_role("group", name="What to do, and keys")).to_be_focused()
    for key in card.locator("kbd").all():
        assert key.bounding_box()["height"] < 24, "the name of a key is broken into lines"
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("x")
    assert page.evaluate("stub.keys") == []


def test_a_box_that_is_ticked_leaves_the_keys_to_the_explorer(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    update(page, model="why", opened=True)
    page.get_by_role("button", name="Which channels matter most?").click()
    page.evaluate(
        """() => {
          const question = stub.models.why.sent.findLast((message) => message.what === "rank");
          const rows = [[0, -0.5], [2, 0.1]];
          const data = { layer: "conv2_block1_out", label: "cat", target: 0, rows, edits: [] };
          stub.models.why.receive({ ...question, kind: "answer", data }, []);
        }"""
    )
    box = page.get_by_label("choose channel 0 of conv2_block1_out")
    box.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    wait_shown(page, "conv2_block1_out", 3)
    expect(box).to_be_checked()
    expect(box).to_be_focused()
    page.keyboard.press("ArrowDown")
    wait_shown(page, "conv3_block1_out", 3)
    expect(box).not_to_be_checked()


def test_that_the_card_of_keys_is_open_is_a_trait(show_explorer):
    page = show_explorer(help_open=True)
    card, button = page.get_by_role("dialog", name="Help"), page.get_by_label("Help: keys")
    expect(card).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    assert page.evaluate("document.activeElement === document.body"), "nobody asked for the focus"
    card.get_by_role("button", name="Close").click()
    assert trait(page, "help_open") is False
    update(page, help_open=True)
    expect(card).to_be_visible()


@pytest.mark.parametrize("place", [".rw-photo", ".rw-explorer-top .rw-picture"])
def test_escape_closes_the_card_of_keys_wherever_the_focus_is(show_explorer, place):
    page = show_explorer(cursor=[0, 0, 1 / 8, 1 / 8], help_open=True)
    wait_shown(page, "conv2_block1_out", 2)
    page.locator(place).focus()
    page.keyboard.press("Escape")
    assert (trait(page, "cursor"), trait(page, "help_open")) == ([], True)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_in_the_card_of_keys_arrows_scroll_it(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.locator(".rw-explorer").focus()
    page.keyboard.press("?")
    groups = page.locator(".rw-help-groups")
    groups.evaluate("(node) => { node.parentElement.style.maxHeight = '240px'; node.focus(); }")
    assert groups.evaluate("(node) => node.scrollWidth === node.clientWidth")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.querySelector('.rw-help-groups').scrollTop > 0")
    page.keyboard.press("ArrowRight")
    assert (trait(page, "layer"), trait(page, "channel")) == ("conv2_block1_out", 2)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_the_card_of_keys_gives_the_focus_back_in_the_shadow_of_a_page_too(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.evaluate(
        """() => {
          const shadow = document.body.appendChild(document.createElement("div"));
          shadow.attachShadow({ mode: "open" }).append(document.querySelector(".rw-explorer"));
        }"""
    )
    button = page.get_by_role("button", name="strongest").first
    button.focus()
    page.keyboard.press("?")
    expect(page.get_by_role("group", name="What to do, and keys")).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()


def test_the_card_of_keys_opens_at_its_top_wherever_the_page_is(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.set_viewport_size({"width": 1000, "height": 480})
    page.locator(".rw-bookmark-note").scroll_into_view_if_needed()
    page.locator(".rw-explorer").evaluate("(node) => node.focus({ preventScroll: true })")
    page.keyboard.press("?")
    card = page.get_by_role("dialog")
    expect(card.get_by_text("Choose a layer in the tree")).to_be_in_viewport()
    box = card.bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 480


def test_an_answer_with_edits_says_so_and_takes_them_back(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    said = page.locator(".rw-predictions-edited")
    expect(said).to_be_hidden()
    mute = [{"kind": "mute", "layer": "conv2_block1_out", "channels": [c]} for c in (1, 2)]
    page.evaluate("(edits) => stub.models.why.set('edits', edits)", mute[:1])
    expect(said).to_contain_text("with 1 edit")
    page.evaluate("(edits) => stub.models.why.set('edits', edits)", mute)
    expect(said).to_contain_text("with 2 edits")
    said.get_by_role("button", name="undo").click()
    assert trait(page, "edits", "why") == []
    expect(said).to_be_hidden()


def test_shares_of_the_prediction_are_never_rounded_to_all(show_explorer):
    page = show_explorer(predictions=[["cat", 0.996], ["dog", 0.004], ["cow", None]])
    rows = page.locator(".rw-predictions li")
    for row, text in zip(rows.all(), ["> 99 %", "< 1 %", "not finite"], strict=True):
        expect(row.locator("span").last).to_have_text(text)


def test_s_leads_to_the_strongest_channel(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.locator(".rw-explorer").focus()
    page.keyboard.press("s")
    strength = FRAMES["conv2_block1_out"].mean((0, 1))
    wait_shown(page, "conv2_block1_out", int(strength.argmax()))


PARTS = ["Map", "All channels", "Side by side", "Compare", "Bookmarks", "Why?"]


@pytest.mark.parametrize("by", ["click", "key"])
def test_each_part_is_one_action_away(show_explorer, by):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.wait_for_selector(".rw-stage canvas[data-shown]")
    links = page.get_by_role("navigation", name="Parts of the explorer").get_by_role("button")
    assert links.all_inner_texts() == PARTS
    page.locator(".rw-explorer").focus()
    for number, link in [*enumerate(links.all(), 1)][::-1]:
        if by == "click":
            link.click()
        else:
            page.keyboard.press(str(number))
        part = page.locator(".rw-explorer-part").nth(number - 1)
        expect(part).to_be_focused()
        expect(part).to_be_in_viewport()
        expect(link).to_be_in_viewport()
        top = part.bounding_box()["y"]
        row = page.locator(".rw-jumps").bounding_box()
        assert top >= row["y"] + row["height"] - 1, "the row does not lie over what it leads to"
    expect(page.get_by_role("tab").first).to_be_visible()
    assert page.evaluate("stub.keys") == []


def test_there_is_no_way_to_a_part_that_is_not_there(show_explorer):
    page = show_explorer(layer="predictions", channel=0)
    expect(page.locator(".rw-vector").first).to_be_visible()
    expect(page.get_by_role("button", name="All channels", exact=True)).to_be_disabled()
    update(page, model="why", live=False)
    expect(page.get_by_role("button", name="Why?", exact=True)).to_be_disabled()
    page.locator(".rw-explorer").focus()
    taken = """(key) => {
      const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
      return !document.querySelector(".rw-explorer").dispatchEvent(event);
    }"""
    assert page.evaluate(taken, "1"), "there is a map"
    assert not page.evaluate(taken, "2"), "a key without a part is left alone"


def test_tree_links_and_reading_stay_in_sight(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.wait_for_selector(".rw-stage canvas[data-shown]")
    for number in ("6", "1"):
        page.locator(".rw-explorer").focus()
        page.keyboard.press(number)
        for part in (page.get_by_role("tree"), page.locator(".rw-jumps")):
            expect(part).to_be_in_viewport(ratio=1)
        expect(page.locator(".rw-explorer-footer")).to_be_in_viewport(ratio=1)


CUT = """() => {
  const edge = document.querySelector(".rw-explorer").getBoundingClientRect().right;
  const wide = (node) => node.getClientRects().length && node.getBoundingClientRect().right > edge;
  return [...document.querySelectorAll(".rw-explorer *")].filter(wide).map((n) => n.outerHTML);
}"""


def test_nothing_is_cut_off_at_any_width(show_explorer):
    page = show_explorer(exact=True, cursor=[1 / 8, 2 / 8, 2 / 8, 3 / 8], region=[0, 0, 0.5, 0.5])
    page.set_viewport_size({"width": 1500, "height": 800})
    wait_shown(page, "conv2_block1_out", 2)
    page.wait_for_selector(".rw-stage canvas[data-shown]")
    for width in (480, 560, 719, 720, 760, 1000, 1400):
        page.locator("#place").evaluate("(place, px) => { place.style.width = `${px}px`; }", width)
        next_frame(page)
        assert page.evaluate(CUT) == [], width
    page.set_viewport_size({"width": 1040, "height": 800})


def test_what_is_hidden_in_the_sheet_is_passed_over_by_the_slider(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.evaluate("stub.models.grid.set('hide', true)")
    assert [trait(page, "hide", name) for name in ("map", "grid", "slider")] == [True] * 3


def test_labels_are_text(show_explorer):
    page = show_explorer()
    rows = page.locator(".rw-predictions li")
    expect(rows.nth(1).locator("span").first).to_have_text("<b>dog</b>")
    expect(rows.first.locator("span").last).to_have_text("75 %")


def test_a_vector_needs_no_sheet_of_channels(show_explorer):
    page = show_explorer(layer="predictions", channel=0)
    expect(page.locator(".rw-vector").first).to_be_visible()
    expect(page.locator(".rw-map-grid")).to_be_hidden()


def test_the_selected_layer_stays_in_view_when_the_tree_gets_shorter(show_explorer):
    many = [
        {**ROWS[1], "path": f"conv2_block1_{i}", "name": f"conv2_block1_{i}"} for i in range(40)
    ]
    page = show_explorer(rows=[ROWS[0], *many, *ROWS[2:]])
    wait_shown(page, "conv2_block1_out", 2)
    page.wait_for_selector(".rw-stage canvas[data-shown]")
    next_frame(page)
    update(page, layer="predictions", channel=0)
    expect(page.locator(".rw-map-grid")).to_be_hidden()
    next_frame(page)
    page.locator(".rw-tree").evaluate("(tree) => { tree.style.maxHeight = '260px'; }")
    next_frame(page)
    tree = page.get_by_role("tree").bounding_box()
    row = page.locator("[role=treeitem][aria-selected=true]").bounding_box()
    assert tree["y"] - 1 <= row["y"]
    assert row["y"] + row["height"] <= tree["y"] + tree["height"] + 1


def test_the_whole_photo_can_be_seen(show_explorer):
    page = show_explorer()
    file = io.BytesIO()
    Image.new("RGB", (80, 60), (200, 0, 0)).save(file, "PNG")
    page.evaluate(
        "(bytes) => stub.models.shown.receive({ kind: 'picture', photo: 'cat' },"
        " [new DataView(Uint8Array.from(bytes).buffer)])",
        list(file.getvalue()),
    )
    page.wait_for_function("document.querySelector('.rw-photo').ariaLabel === 'Photo cat.png'")
    next_frame(page)
    crop = page.get_by_role("button", name="32² crop")
    assert pixels(page, ".rw-photo-pixels")[:, :, 0].min() >= 198
    crop.click()
    expect(crop).to_have_attribute("aria-pressed", "true")
    whole = pixels(page, ".rw-photo-pixels")
    height, width = whole.shape[:2]
    assert whole[2, width // 2, 3] == 0  # nothing above the picture
    assert whole[height // 2, width // 2, 0] >= 198  # the crop
    assert 90 <= whole[height // 2, 2, 0] <= 110  # what the model does not see is dimmed


@pytest.mark.parametrize("waiting", [True, False])
def test_waiting_and_stopped(show_explorer, waiting):
    page = show_explorer(rows=[], photo="", layer="", status="Loading …", stopped=not waiting)
    expect(page.locator(".rw-explorer-body")).to_be_hidden()
    expect(page.get_by_text("Loading …" if waiting else "No model was loaded.")).to_be_visible()
    page.get_by_role("button", name="Cancel" if waiting else "Try again").click()
    assert {"kind": "cancel" if waiting else "retry"} in page.evaluate("stub.models.shown.sent")


def test_no_photo(show_explorer):
    page = show_explorer(photo="", layer="", picture={}, predictions=[])
    expect(page.get_by_text("No photo yet.")).to_be_visible()
    expect(page.get_by_role("tree")).to_be_visible()
    assert page.evaluate("stub.models.store.sent") == []


def test_errors_are_alerts(show_explorer):
    page = show_explorer(error="`image` is no picture.")
    expect(page.get_by_role("alert").first).to_have_text("`image` is no picture.")


def test_a_restarted_kernel_is_told_and_what_needs_none_goes_on(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.evaluate("stub.models.shown.emit('comm_live_update')")
    line = page.get_by_role("alert").filter(
        has_text="The kernel was restarted. Run this cell again"
    )
    expect(line).to_be_visible()
    wait_shown(page, "conv2_block1_out", 2)
    page.locator(".rw-explorer").focus()
    page.keyboard.press("ArrowRight")
    wait_shown(page, "conv2_block1_out", 3)
    expect(line).to_be_visible()
    page.evaluate("stub.models.shown.receive({ kind: 'pong' }, [])")
    expect(line).to_be_hidden()


@pytest.mark.parametrize("picker", ["picker", "compare_picker"])
def test_a_photo_that_does_not_arrive_is_not_waited_for_for_ever(show_explorer, picker):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.evaluate(
        """(picker) => {
          const { setTimeout } = window;
          window.setTimeout = (task, wait) => setTimeout(task, wait === 4000 ? 0 : wait);
          stub.models[picker].set("busy", true);
        }""",
        picker,
    )
    # Asked whether it is there, the kernel is silent.
    expect(page.get_by_text("The kernel is not answering")).to_be_visible()
    assert trait(page, "busy", picker) is False


def test_what_was_done_to_a_photo_is_said_under_it(show_explorer):
    notes = ["reduced from 6000 × 4000 to 2048 × 1365", "first frame of 3"]
    page = show_explorer(picture={**READY["picture"], "notes": notes})
    expect(page.get_by_text("; ".join(notes))).to_be_visible()
    update(page, picture=READY["picture"])
    expect(page.locator(".rw-photo-notes")).to_be_hidden()


def test_the_note_opens(show_explorer):
    page = show_explorer()
    pill = page.get_by_role("button", name="embedded mini")
    expect(page.locator(".rw-note")).to_be_hidden()
    pill.click()
    expect(page.locator(".rw-note")).to_have_text("embedded mini")


@pytest.mark.parametrize("width", [480, 640, 1000])
def test_nothing_sticks_out(show_explorer, width):
    page = show_explorer(width=width)
    wait_shown(page, "conv2_block1_out", 2)
    next_frame(page)
    out = page.evaluate(
        """() => {
          const root = document.querySelector(".rw-explorer").getBoundingClientRect();
          return [...document.querySelectorAll(".rw-explorer *")]
            .filter((node) => node.getBoundingClientRect().right > root.right + 1)
            .map((node) => node.className || node.tagName);
        }"""
    )
    assert out == []
    assert page.locator(".rw-explorer-tree").evaluate("(node) => node.open") == (width >= 720)


def test_nothing_listens_after_the_end(show_explorer):
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.evaluate("stub.end()")
    counts = page.evaluate(
        "Object.fromEntries(Object.entries(stub.models).map(([n, m]) => [n, m.listening()]))"
    )
    assert counts == {**dict.fromkeys(counts, 0), "store": counts["store"]}
