"""What a hand can do in the explorer: overlay, pixels, regions, two photos, bookmarks."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from resnet_widgets.engine.regions import region_channels

from . import test_explorer
from .painted import colored, next_frame, pixels, shown_values, table
from .test_explorer import FIELDS, FRAMES, OF_ROCKET, READY, trait, update, wait_shown
from .test_region import drag

show_explorer = test_explorer.show_explorer
LAYER = "conv2_block1_out"
NOTE = "<img src=x onerror=alert(1)>"


def point(page, x, y, selector=".rw-photo"):
    """Moves the pointer to a place in 0…1 of an element."""
    box = page.locator(selector).bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])


MUTE = {"kind": "mute", "layer": LAYER, "channels": [1]}
GOING = {
    # Button, what it needs in which model, and where the focus goes.
    "undo": ("undo", "why", {"edits": [MUTE]}, ".rw-explorer"),
    "region": ("Clear", "shown", {"region": [0, 0, 0.5, 0.5]}, ".rw-explorer"),
    "range": ("auto", "map", {"limits": [0.25, 0.5]}, ".rw-explorer"),
    "order": ("like 2", "slider", {"reference": 0, "order": "similarity"}, ".rw-order select"),
    "zoom": ("Smaller tiles", "grid", {"zoom": 0.7}, "[aria-label='Larger tiles']"),
}


@pytest.mark.parametrize(("name", "model", "state", "place"), GOING.values(), ids=GOING)
def test_a_button_that_goes_hands_the_focus_on(show_explorer, name, model, state, place):
    page = show_explorer()
    wait_shown(page, LAYER, 2)
    update(page, model, **state)
    button = page.get_by_role("button", name=name, exact=True).first
    button.press("Enter")
    expect(button).to_be_disabled() if name == "Smaller tiles" else expect(button).to_be_hidden()
    next_frame(page)
    assert page.evaluate("(place) => document.activeElement.matches(place)", place)


def test_a_pixel_of_the_photo_outlines_the_cells_that_see_it(show_explorer):
    page = show_explorer()
    wait_shown(page, LAYER, 2)
    point(page, 14.5 / 32, 3.5 / 32)
    assert trait(page, "pixel") == [14, 3]
    assert trait(page, "cursor") == [3 / 8, 0, 4 / 8, 1 / 8]
    field = FIELDS[LAYER]
    edges = []
    for axis, pixel in ((1, 14), (0, 3)):
        start, stride, size = (field[name][axis] for name in ("start", "stride", "size"))
        seeing = [i for i in range(8) if start + i * stride <= pixel < start + i * stride + size]
        edges.append((seeing[0] / 8, (seeing[-1] + 1) / 8))
    (x0, x1), (y0, y1) = edges
    assert trait(page, "outline", "map") == [x0, y0, x1, y1]
    # The first stage has no field that is known.
    assert trait(page, "outlines", "stages") == [[], [x0, y0, x1, y1]]
    assert trait(page, "outline", "map1") == [x0, y0, x1, y1]
    assert trait(page, "outline", "grid") == [x0, y0, x1, y1]
    point(page, 0.5, 0.5, ".rw-explorer-top .rw-picture")
    assert trait(page, "pixel") == []
    assert trait(page, "outline", "map1") == []


def test_what_a_cell_sees_has_its_true_size_and_what_is_inside(show_explorer):
    page = show_explorer(cursor=[3 / 8, 0, 4 / 8, 1 / 8])
    expect(page.get_by_text("sees 10 × 7 of 10²")).to_be_visible()
    update(page, cursor=[3 / 8, 3 / 8, 4 / 8, 4 / 8])
    expect(page.get_by_text("sees 10 × 10 px", exact=True)).to_be_visible()


def test_keys_walk_over_the_photo(show_explorer):
    page = show_explorer()
    wait_shown(page, LAYER, 2)
    page.locator(".rw-photo").focus()
    page.keyboard.press("ArrowRight")
    assert trait(page, "cursor") == [3 / 8, 3 / 8, 4 / 8, 4 / 8]
    page.keyboard.press("ArrowUp")
    assert trait(page, "cursor") == [3 / 8, 2 / 8, 4 / 8, 3 / 8]
    assert trait(page, "pixel") == [14, 10]
    page.keyboard.press("Shift+ArrowLeft")
    assert trait(page, "region") == [2 / 8, 2 / 8, 4 / 8, 3 / 8]
    page.keyboard.press("Escape")
    assert trait(page, "region") == []
    page.keyboard.press("Escape")
    assert trait(page, "cursor") == []
    assert trait(page, "layer") == LAYER


def test_the_number_that_keys_lead_to_is_read_out(show_explorer):
    page = show_explorer()
    wait_shown(page, LAYER, 2)
    read_out = page.locator(".rw-explorer [aria-live=polite]:visible").filter(has_text="row")
    page.locator(".rw-explorer-top .rw-picture").press("ArrowRight")
    expect(read_out).to_contain_text(re.compile("row 4 col 4 ≈"))
    point(page, 0.1, 0.1, ".rw-explorer-top .rw-picture")
    expect(page.locator(".rw-explorer-where")).to_contain_text("row 0 col 0")
    expect(read_out).to_have_count(0)


def test_the_map_lies_over_the_photo_as_strongly_as_wanted(show_explorer):
    page = show_explorer()
    wait_shown(page, LAYER, 2)
    overlay = page.locator(".rw-overlay")
    expect(overlay).to_be_hidden()
    slider = page.get_by_label("Overlay")
    slider.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert trait(page, "overlay") == 0.99
    expect(overlay).to_have_css("opacity", "0.99")
    shown = ".rw-explorer-top .rw-cells[data-shown]"
    np.testing.assert_array_equal(pixels(page, ".rw-overlay"), pixels(page, shown))
    page.evaluate("stub.models.slider.set('value', 5)")
    wait_shown(page, LAYER, 5)
    array = FRAMES[LAYER]
    low, high = array[:, :, 5].min(), array[:, :, 5].max()
    expected = colored(array, 5, low, high, table(page, "viridis"))
    np.testing.assert_array_equal(pixels(page, ".rw-overlay"), expected)
    update(page, overlay=0)
    expect(overlay).to_be_hidden()
    update(page, overlay=0.5, layer="predictions")
    expect(overlay).to_be_hidden()
    expect(slider).to_be_disabled()


def test_a_box_on_the_photo_lists_the_channels_that_fire_there(show_explorer):
    page = show_explorer()
    wait_shown(page, LAYER, 2)
    part = page.locator(".rw-region-part")
    expect(part).to_be_hidden()
    drag(page, (4.5 / 32, 8.5 / 32), (15.5 / 32, 19.5 / 32), ".rw-photo")
    region = [4 / 32, 8 / 32, 16 / 32, 20 / 32]
    page.wait_for_function("() => stub.models.shown.get('region')[2] === 0.5")
    assert trait(page, "region") == region
    assert trait(page, "region", "map1") == region
    expect(part).to_be_visible()
    next_frame(page)
    ranking = region_channels(FRAMES[LAYER], region)
    tiles = part.locator(".rw-region-tile:visible")
    texts = [" ".join(text.split()) for text in tiles.all_inner_texts()]
    assert texts == [f"ch {c} {score:.1f}".replace("-", "−") for c, score in ranking]
    array, first = FRAMES[LAYER], ranking[0][0]
    low, high = array[:, :, first].min(), array[:, :, first].max()
    expected = colored(array, first, low, high, table(page, "viridis"))
    cells = f".rw-region-part .rw-cells[data-shown='{LAYER}#{first}']"
    np.testing.assert_array_equal(pixels(page, cells), expected)
    tiles.nth(1).click()
    assert trait(page, "channel") == ranking[1][0]
    expect(tiles.nth(1)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    assert trait(page, "region") == []
    expect(part).to_be_hidden()


@pytest.mark.parametrize(("most_bytes", "said"), [(None, False), (300, True)])
def test_scores_from_means_of_cells_are_called_so(show_explorer, most_bytes, said):
    page = show_explorer(region=[0, 0, 0.5, 0.5], most_bytes=most_bytes)
    title = page.locator(".rw-region-part .rw-title")
    expect(title).to_contain_text("std above the rest")
    assert ("means of 2 × 2 cells" in title.inner_text()) == said


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"region": [0, 0, 1, 1]}, "The region is the whole picture"),
        ({"region": [0, 0, 0.5, 1], "layer": "predictions", "channel": 0}, "has no places"),
    ],
)
def test_where_there_is_nothing_to_rank_it_says_why(show_explorer, state, text):
    page = show_explorer(**state)
    expect(page.locator(".rw-region-part .rw-empty")).to_contain_text(text)
    page.get_by_role("button", name="Clear").click()
    assert trait(page, "region") == []


def test_two_photos_through_one_channel_and_their_difference(show_explorer):
    page = show_explorer(compare_photo="rocket", compare_picture={"name": "<i>rocket</i>.jpg"})
    columns = page.locator(".rw-compare-column")
    expect(columns).to_have_count(3)
    expect(columns.nth(2)).to_be_visible()
    next_frame(page)
    a, b = FRAMES[LAYER], OF_ROCKET[LAYER]
    low = min(a[:, :, 2].min(), b[:, :, 2].min())
    high = max(a[:, :, 2].max(), b[:, :, 2].max())
    viridis = table(page, "viridis")
    for i, array in enumerate((a, b)):
        cells = f".rw-compare-column:nth-child({i + 1}) .rw-cells"
        np.testing.assert_array_equal(pixels(page, cells), colored(array, 2, low, high, viridis))
    values = shown_values(a, 2) - shown_values(b, 2)
    reach = np.abs(values).max()
    codes = np.floor(126 + values / reach * 126 + 0.5)
    expected = table(page, "coolwarm")[(0.5 + codes * 255 / 252).astype(int)]
    np.testing.assert_array_equal(
        pixels(page, ".rw-compare-column:nth-child(3) .rw-cells"), expected
    )
    expect(columns.nth(1)).to_contain_text("<i>rocket</i>.jpg")
    # One cursor for all, and the numbers under it.
    update(page, cursor=[1 / 8, 2 / 8, 2 / 8, 3 / 8])
    texts = page.locator(".rw-compare-reading").all_inner_texts()
    numbers = [float(text.removeprefix("≈ ").replace("−", "-")) for text in texts]
    wanted = [a[2, 1, 2], b[2, 1, 2], a[2, 1, 2] - b[2, 1, 2]]
    assert numbers == pytest.approx(wanted, abs=0.006)


def test_a_comparison_of_a_channel_dead_in_both_photos_says_so(show_explorer, monkeypatch):
    for frames in (FRAMES, OF_ROCKET):
        array = frames[LAYER].copy()
        array[:, :, 2] = 0
        monkeypatch.setitem(frames, LAYER, array)
    page = show_explorer(compare_photo="rocket")
    columns = page.locator(".rw-compare-column")
    expect(columns.nth(2)).to_be_visible()
    for i in range(2):
        expect(columns.nth(i).locator(".rw-legend")).to_have_text("constant 0.00")
        expect(columns.nth(i).locator(".rw-gradient")).to_be_hidden()
    update(page, channel=3)
    expect(columns.first.locator(".rw-gradient")).to_be_visible()


def test_a_difference_is_named_and_is_nothing_where_both_are_the_same(show_explorer, monkeypatch):
    monkeypatch.setitem(OF_ROCKET, LAYER, FRAMES[LAYER] + np.eye(6, dtype=np.float32)[3])
    page = show_explorer(compare_photo="rocket")
    picture = page.locator(".rw-compare-column").nth(2).locator(".rw-picture")
    name = f"first − second of {LAYER}, channel"
    expect(picture).to_have_attribute("aria-label", f"{name} 2, no difference")
    expect(picture.locator(".rw-chip")).to_have_text("no difference")
    update(page, channel=3)
    expect(picture).to_have_attribute("aria-label", re.compile(f"^{name} 3, from −1.* to 1"))
    expect(picture.locator(".rw-chip")).to_be_hidden()


def test_the_numbers_of_a_comparison_are_exact(show_explorer):
    page = show_explorer(exact=True, compare_photo="rocket", cursor=[1 / 8, 2 / 8, 2 / 8, 3 / 8])
    a, b = FRAMES[LAYER][2, 1, 2], OF_ROCKET[LAYER][2, 1, 2]
    readings = page.locator(".rw-compare-reading")
    for reading, number in zip(readings.all(), [a, b, a - b], strict=True):
        expect(reading).to_have_text(re.compile("^= "))
        text = reading.inner_text().removeprefix("= ").replace("−", "-")
        assert np.float32(text) == np.float32(number)


def png(color, size=(80, 60)):
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return list(file.getvalue())


def test_both_photos_of_a_comparison_are_there_in_little(show_explorer):
    of_rocket = {"name": "rocket.jpg", "size": [60, 80], "box": [10, 0, 70, 60], "notes": []}
    page = show_explorer(compare_photo="rocket", compare_picture=of_rocket)
    expect(page.locator(".rw-compare-columns")).to_be_visible()
    asked = page.evaluate("stub.models.shown.sent")
    pictures = [message["photo"] for message in asked if message["kind"] == "picture"]
    assert sorted(pictures) == ["cat", "rocket"], "each is asked for once"
    thumbs = page.locator(".rw-thumb-photo")
    for key, color in (("cat", (200, 0, 0)), ("rocket", (0, 0, 200))):
        page.evaluate(
            "([photo, bytes]) => stub.models.shown.receive({ kind: 'picture', photo },"
            " [new DataView(Uint8Array.from(bytes).buffer)])",
            [key, png(color)],
        )
    for index, color in enumerate([(200, 0, 0), (0, 0, 200)]):
        expect(thumbs.nth(index)).to_be_visible()
        shown = pixels(page, f".rw-compare-column:nth-child({index + 1}) .rw-thumb-photo")
        assert shown.shape[:2] == (36, 36)
        assert np.abs(shown[..., :3].astype(int) - color).max() <= 2
    update(page, compare_photo="", compare_picture={})
    expect(thumbs.nth(1)).to_be_hidden()


def test_a_picture_is_asked_for_once_and_not_again_for_edits(show_explorer):
    page = show_explorer()
    asked = "stub.models.shown.sent.filter((m) => m.kind === 'picture').map((m) => m.photo)"
    of_rocket = {"name": "rocket.jpg", "size": [60, 80], "box": [10, 0, 70, 60], "notes": []}
    update(page, photo="rocket", picture=of_rocket)
    page.wait_for_function(f"{asked}.length > 1")
    update(page, photo="rocket edits")
    next_frame(page)
    assert page.evaluate(asked) == ["cat", "rocket"]
    page.evaluate(
        "(bytes) => stub.models.shown.receive({ kind: 'picture', photo: 'rocket' },"
        " [new DataView(Uint8Array.from(bytes).buffer)])",
        png((0, 0, 200)),
    )
    expect(page.get_by_role("application", name="Photo rocket.jpg")).to_be_visible()


def test_whether_the_whole_photo_shows_is_a_trait(show_explorer):
    page = show_explorer(whole=True)
    crop = page.get_by_role("button", name="32² crop")
    expect(crop).to_have_attribute("aria-pressed", "true")
    crop.click()
    assert trait(page, "whole") is False
    update(page, whole=True)
    expect(crop).to_have_attribute("aria-pressed", "true")


def test_the_comparison_follows_layer_and_photo(show_explorer):
    page = show_explorer(compare_photo="rocket")
    shown = ".rw-compare-column:nth-child({}) .rw-cells[data-shown='{}#2']"
    page.wait_for_selector(shown.format(2, LAYER))
    update(page, layer="conv3_block1_out")
    page.wait_for_selector(shown.format(2, "conv3_block1_out"))
    update(page, layer="predictions", channel=0)
    expect(page.locator(".rw-compare")).to_contain_text("one number a channel")
    update(page, layer=LAYER, channel=2)
    page.wait_for_selector(shown.format(1, LAYER))
    update(page, compare_photo="nobody")
    expect(page.locator(".rw-compare")).to_contain_text(f"no frame of {LAYER}")
    update(page, compare_photo="")
    expect(page.locator(".rw-compare-empty")).to_be_visible()
    expect(page.locator(".rw-compare-columns")).to_be_hidden()


def test_the_second_photo_is_swapped_and_removed_by_the_kernel(show_explorer):
    page = show_explorer()
    wait_shown(page, LAYER, 2)
    compare = page.locator(".rw-compare")
    expect(compare.locator(".rw-compare-empty")).to_contain_text("second photo")
    expect(compare.get_by_role("button", name="Swap")).to_be_hidden()
    # Without a second photo nothing is asked for in its name.
    assert {want["photo"] for want in page.evaluate("stub.models.store.sent")} == {"cat"}
    update(page, compare_photo="rocket")
    compare.get_by_role("button", name="Swap").click()
    compare.get_by_role("button", name="Remove").click()
    sent = page.evaluate("stub.models.shown.sent")
    assert [message["kind"] for message in sent if message["kind"] != "picture"] == [
        "swap",
        "remove",
    ]


def test_a_bookmark_is_three_keys_away_and_comes_back_with_a_click(show_explorer):
    page = show_explorer(region=[0, 0, 0.5, 0.5])
    wait_shown(page, LAYER, 2)
    page.evaluate("stub.models.map.set('colormap', 'magma')")
    edit = {"kind": "mute", "layer": LAYER, "channels": [2]}
    page.evaluate("(edit) => stub.models.why.set('edits', [edit])", edit)
    page.locator(".rw-explorer").focus()
    page.keyboard.press("b")
    expect(page.get_by_label("Note for a bookmark")).to_be_focused()
    page.keyboard.type(NOTE)
    page.keyboard.press("Enter")
    [kept] = trait(page, "bookmarks")
    assert (kept["layer"], kept["channel"], kept["digest"]) == (LAYER, 2, "cat")
    assert (kept["note"], kept["region"]) == (NOTE, [0, 0, 0.5, 0.5])
    go = page.locator(".rw-bookmark-go")
    expect(go).to_contain_text(NOTE)
    expect(go).to_contain_text("1 edit")
    assert kept["edits"] == [edit]
    assert page.locator(".rw-bookmarks img").count() == 0
    expect(go).to_have_attribute("aria-pressed", "true")
    page.evaluate("stub.models.why.set('edits', [])")
    expect(go).to_have_attribute("aria-pressed", "false")
    update(page, layer="conv3_block1_out", channel=7, region=[])
    page.evaluate("stub.models.map.set('colormap', 'auto')")
    expect(go).to_have_attribute("aria-pressed", "false")
    go.click()
    wait_shown(page, LAYER, 2)
    expect(page.get_by_role("group", name="Photo and map")).to_be_focused()
    assert trait(page, "region") == [0, 0, 0.5, 0.5]
    assert trait(page, "colormap", "map") == "magma"
    assert trait(page, "edits", "why") == [edit]
    assert "show" not in {message["kind"] for message in page.evaluate("stub.models.shown.sent")}
    assert page.evaluate("stub.keys") == []


def test_the_photo_of_a_bookmark_is_for_the_kernel_to_find(show_explorer):
    entry = {"photo": "r.jpg", "digest": "rocket", "layer": "conv3_block1_out", "channel": 4}
    page = show_explorer(bookmarks=[{**entry, "region": [], "note": "", "colours": {}}])
    wait_shown(page, LAYER, 2)
    page.locator(".rw-bookmark-go").click()
    wait_shown(page, "conv3_block1_out", 4)
    show = {"kind": "show", "photo": "rocket", "name": "r.jpg"}
    assert show in page.evaluate("stub.models.shown.sent")
    page.get_by_role("button", name="Delete bookmark 1").click()
    assert trait(page, "bookmarks") == []
    expect(page.get_by_label("Note for a bookmark")).to_be_focused()


def test_a_bookmark_keeps_the_second_photo(show_explorer):
    rocket = {**READY["picture"], "name": "<b>r.jpg</b>"}
    page = show_explorer()
    wait_shown(page, LAYER, 2)
    page.get_by_role("button", name="☆ Bookmark").click()
    update(page, compare_photo="rocket", compare_picture=rocket)
    expect(page.locator(".rw-bookmark-go")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="☆ Bookmark").click()
    go = page.locator(".rw-bookmark-go").last
    expect(go).to_contain_text("with <b>r.jpg</b>")
    update(page, compare_photo="", compare_picture={})
    expect(go).to_have_attribute("aria-pressed", "false")
    go.click()
    [show] = [m for m in page.evaluate("stub.models.shown.sent") if m["kind"] == "show"]
    assert show == {"kind": "show", "photo": "rocket", "name": "<b>r.jpg</b>", "second": True}


def test_the_kernel_hears_of_the_edits_before_it_looks_at_a_second_photo(show_explorer):
    edits = [[{"kind": "mute", "layer": LAYER, "channels": [n]}] for n in (1, 2)]
    entry = {"photo": "cat.png", "digest": "cat", "layer": LAYER, "channel": 2, "region": []}
    entry |= {"note": "", "colours": {}, "edits": edits[0]}
    second = {**entry, "edits": edits[1], "compare": "r.jpg", "compare_digest": "rocket"}
    page = show_explorer(bookmarks=[entry, second])
    wait_shown(page, LAYER, 2)
    heard = page.evaluate(
        """() => {
          const { shown, why } = stub.models;
          const heard = [];
          shown.send = (content) => heard.push([content.kind, why.saved.at(-1).edits]);
          // One right after the other: what is set by the second may wait.
          for (const button of document.querySelectorAll(".rw-bookmark-go")) button.click();
          return heard;
        }"""
    )
    assert heard == [["show", edits[1]]]


def test_a_layer_is_not_pointed_at_by_a_finger_nor_by_a_pointer_that_has_left(show_explorer):
    page = show_explorer()
    wait_shown(page, LAYER, 2)
    row = page.locator(f"[role=treeitem][data-name={LAYER}]")
    waiting = row.evaluate(
        """(row) => {
          const { setTimeout, clearTimeout } = window;
          const waiting = new Set();
          window.setTimeout = (task) => waiting.add(task) && task;
          window.clearTimeout = (task) => waiting.delete(task);
          const point = (pointerType) => {
            row.dispatchEvent(new PointerEvent("pointerover", { bubbles: true, pointerType }));
            return waiting.size;
          };
          const leave = () => {
            for (let node = row; node; node = node.parentElement)
              node.dispatchEvent(new PointerEvent("pointerleave"));
            return waiting.size;
          };
          const sizes = [point("mouse"), leave(), point("touch")];
          Object.assign(window, { setTimeout, clearTimeout });
          return sizes;
        }"""
    )
    assert waiting == [1, 0, 0]


def test_an_echo_takes_back_nothing_that_a_hand_has_set_since(show_explorer):
    page = show_explorer(opened=True)
    wait_shown(page, LAYER, 2)
    kept = page.evaluate(
        """() => {
          const { shown, map, why } = stub.models;
          const tabs = [...document.querySelectorAll(".rw-why [role=tab]")];
          // The kernel repeats what it has heard: the first of each.
          for (const n of [3, 4]) map.set("channel", n);
          shown.update({ channel: 3 });
          for (const n of [3, 4]) tabs[n].click();
          why.update({ section: "residual" });
          return [shown.get("channel"), map.get("channel"), why.get("section")];
        }"""
    )
    assert kept == [4, 4, "channel"]


def test_that_a_bookmark_was_kept_is_said_until_the_next_action(show_explorer):
    page = show_explorer()
    wait_shown(page, LAYER, 2)
    status = page.locator(".rw-bookmark-status")
    note = page.get_by_label("Note for a bookmark")
    for focus, key in ((page.locator(".rw-explorer"), "ArrowRight"), (note, "x")):
        note.press("Enter")
        expect(status).to_contain_text("Kept as bookmark")
        focus.press(key)
        expect(status).to_have_text("")
