"""The panel that asks why, in Chromium: what it asks, and what it makes of the answers."""

from __future__ import annotations

import base64
import re
from unittest.mock import ANY

import numpy as np
import pytest
from playwright.sync_api import expect

from .conftest import LAYER
from .painted import next_frame, pixels
from .test_accessibility import AXE, audit

SCORES = {
    "rows": [
        {"index": 3, "label": "<b>cat</b>", "before": [0.5, 2.0], "after": [0.5, 2.0]},
        {"index": 5, "label": "dog", "before": [0.25, 1.3], "after": [0.25, 1.3]},
    ],
    "best": [3, 3],
    "names": [],
}
EDITED = {
    "rows": [
        {"index": 5, "label": "dog", "before": [0.25, 1.3], "after": [0.6, 2.2]},
        {"index": 3, "label": "<b>cat</b>", "before": [0.5, 2.0], "after": [0.1, 0.4]},
    ],
    "best": [3, 5],
    "names": [f"mute channel 7 of {LAYER}"],
}

RANKED = {
    "layer": LAYER,
    "target": 3,
    "label": "cat",
    "rows": [[9, -0.5], [7, 0.1]],
    "edits": [],
}


def asked(page, what):
    """The newest question of a kind, once there is one."""
    page.wait_for_function(
        "what => stub.models.shown.sent.some((m) => m.kind === 'ask' && m.what === what)", arg=what
    )
    questions = [m for m in page.evaluate("() => stub.models.shown.sent") if m.get("what") == what]
    return [m for m in questions if m["kind"] == "ask"][-1]


def answer(page, what, data, *buffers, kind="answer", **more):
    """The kernel answers the newest question of a kind, as a rule for the edits that there are."""
    if kind == "answer":
        data = {"edits": trait(page, "edits"), **data}
    message = {**asked(page, what), "kind": kind, "data": data, **more}
    texts = [base64.b64encode(np.asarray(b).tobytes()).decode() for b in buffers]
    page.evaluate(
        """([message, texts]) => stub.models.shown.receive(message, texts.map((text) =>
          new DataView(Uint8Array.from(atob(text), (l) => l.charCodeAt(0)).buffer)))""",
        [message, texts],
    )


def trait(page, name):
    return page.evaluate("name => stub.models.shown.get(name)", name)


def test_closed_it_asks_nothing(show_panel):
    page = show_panel(opened=False)
    expect(page.locator(".rw-why summary").first).to_contain_text("Why?")
    assert page.evaluate("() => stub.models.shown.sent") == []
    page.locator(".rw-why summary").first.click()
    asked(page, "scores")
    assert trait(page, "opened") is True


def test_a_muted_channel_moves_the_classes(show_panel):
    page = show_panel()
    answer(page, "scores", SCORES)
    rows = page.locator(".rw-why-scores tbody tr")
    expect(rows.nth(0)).to_contain_text("<b>cat</b>")
    expect(rows.nth(0)).to_contain_text("50 %")
    expect(page.locator(".rw-why-then").first).to_be_hidden()
    page.get_by_role("button", name="Mute", exact=True).click()
    assert trait(page, "edits") == [{"kind": "mute", "layer": LAYER, "channels": [7]}]
    assert page.evaluate("() => stub.models.shown.saved.at(-1).edits.length") == 1
    answer(page, "scores", EDITED)
    expect(rows.nth(0).locator("th")).to_have_text("dog")
    expect(rows.nth(0)).to_contain_text("25 % → 60 %")
    expect(page.locator(".rw-why-then").first).to_be_visible()
    expect(page.locator(".rw-why-edits li")).to_have_text([EDITED["names"][0] + "×"])
    page.get_by_role("button", name=f"Undo {EDITED['names'][0]}").click()
    assert trait(page, "edits") == []


@pytest.mark.parametrize("width", [460, 580, 960])
def test_what_was_and_what_is_have_room_beside_each_other(show_panel, width):
    page = show_panel(width=width)
    rows = [
        {"index": n, "label": "dog", "before": [0.489, -1.38], "after": [0.534, -2.63]}
        for n in range(3)
    ]
    page.get_by_role("button", name="Mute", exact=True).click()
    answer(page, "scores", {"rows": rows, "best": [0, 0], "names": ["mute"]})
    expect(page.locator(".rw-why-scores tbody tr").first).to_contain_text("−1.38 → −2.63")
    boxes = page.locator(".rw-why-scores tr").evaluate_all(
        """(rows) => rows.map((row) => [...row.cells].map((cell) => {
          const range = document.createRange();
          range.selectNodeContents(cell);
          return [range.getBoundingClientRect(), cell.getBoundingClientRect()]
            .map(({ left, right }) => [left, right]);
        }))"""
    )
    for row in boxes:
        for (left, right), (begin, end) in row[2:4]:
            assert begin - 1 <= left
            assert right <= end + 1


def test_knobs_make_edits(show_panel):
    page = show_panel()
    answer(page, "scores", SCORES)
    erase = page.get_by_role("button", name="Erase region")
    expect(erase).to_be_disabled()
    expect(erase).to_have_attribute("title", re.compile(": drag, or Shift and arrows$"))
    page.evaluate("() => stub.models.shown.update({region: [0, 0, 0.5, 1]})")
    erase.click()
    page.get_by_role("button", name="Solo").click()
    factor = page.get_by_label("Scale the channel")
    factor.fill("2")
    factor.fill("0.5")
    page.wait_for_function("() => stub.models.shown.get('edits').at(-1).factor === 0.5")
    assert trait(page, "edits") == [
        {"kind": "erase", "layer": LAYER, "box": [0, 0, 0.5, 1], "channels": []},
        {"kind": "solo", "layer": LAYER, "channels": [7]},
        {"kind": "scale", "layer": LAYER, "channels": [7], "factor": 0.5},
    ]
    # What is done already is undone by the same button.
    solo = page.get_by_role("button", name="Solo")
    expect(solo).to_have_attribute("aria-pressed", "true")
    solo.click()
    assert [edit["kind"] for edit in trait(page, "edits")] == ["erase", "scale"]
    expect(solo).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Undo all").click()
    assert trait(page, "edits") == []


def test_a_region_is_erased_in_the_channels_that_were_chosen(show_panel):
    page = show_panel(region=[0, 0, 0.5, 1])
    answer(page, "scores", SCORES)
    erase = page.get_by_role("button", name="Erase region", exact=True)
    expect(erase).to_have_attribute("title", re.compile("to zero, in all channels$"))
    field = page.get_by_label("channels", exact=True)
    erased = {"kind": "erase", "layer": LAYER, "box": [0, 0, 0.5, 1]}
    for text, channels, which in (
        ("3, 40-42", [3, 40, 41, 42], "4 channels"),
        ("40", [40], "channel 40"),
    ):
        field.fill(text)
        chosen = page.get_by_role("button", name=f"Erase region in {which}")
        expect(chosen).to_have_text("Erase region")
        expect(chosen).to_have_attribute("title", re.compile(f"to zero, in {which}$"))
        chosen.click()
        assert trait(page, "edits") == [{**erased, "channels": channels}]
        expect(chosen).to_have_attribute("aria-pressed", "true")
        chosen.click()
        assert trait(page, "edits") == []
    page.get_by_role("button", name="The selected channel alone").click()
    erase.click()
    assert trait(page, "edits") == [{**erased, "channels": []}]


@pytest.mark.parametrize("width", [460, 720, 960])
def test_edits_move_nothing_that_is_below_them(show_panel, width):
    page = show_panel(width)
    row = {"label": "cat", "before": [0.489, -0.38], "after": [0.489, -0.38]}
    rows = [{**row, "index": index} for index in range(7)]
    answer(page, "scores", {**SCORES, "rows": rows})
    page.get_by_role("button", name="Which channels matter most?").click()
    answer(page, "rank", {**RANKED, "rows": [[n, 1 / (n + 1)] for n in range(24)]})
    ranking = page.locator(".rw-why-list")
    expect(page.get_by_text("Nothing is changed.")).to_be_visible()
    place = ranking.bounding_box()
    names = [f"erase 0–50 %, 0–100 % in channels 3, 17, {n} of {LAYER}" for n in range(9)]
    moved = {**SCORES, "rows": [{**row, "after": [0.534, -0.47]} for row in rows]}
    list_ = page.locator(".rw-why-edits")
    for count in (1, 2, 9):
        edits = [{"kind": "mute", "layer": LAYER, "channels": [n]} for n in range(count)]
        update(page, edits=edits)
        answer(page, "scores", {**moved, "names": names[:count]})
        expect(list_.locator("li")).to_have_count(count)
        expect(page.get_by_text("1 edit" if count == 1 else f"{count} edits")).to_be_visible()
        assert ranking.bounding_box() == place
        # It can be seen that it is done, and undone.
        expect(list_.locator("li").last).to_be_in_viewport()
        seen = list_.evaluate("(list) => list.scrollTop + list.clientHeight - list.scrollHeight")
        assert abs(seen) < 1
    undo = page.get_by_role("button", name="Undo all")
    expect(undo).to_be_visible()
    undo.click()
    answer(page, "scores", {**SCORES, "rows": rows})
    expect(page.get_by_text("Nothing is changed.")).to_be_visible()
    expect(undo).to_be_hidden()
    assert ranking.bounding_box() == place


@pytest.mark.parametrize("width", [460, 836])
def test_no_line_of_what_scrolls_is_cut(show_panel, width):
    page = show_panel(width)
    seven = {**SCORES, "rows": SCORES["rows"][:1] * 7}
    answer(page, "scores", seven)
    page.get_by_role("button", name="Which channels matter most?").click()
    answer(page, "rank", {**RANKED, "rows": [[n, 1 / (n + 1)] for n in range(24)]})
    update(page, edits=[{"kind": "mute", "layer": LAYER, "channels": [n]} for n in range(9)])
    answer(page, "scores", {**seven, "names": [f"mute channel {n}" for n in range(9)]})
    expect(page.locator(".rw-why-edits > li")).to_have_count(9)
    assert_no_line_is_cut(page, ".rw-why-edits")
    # Where it is wide all of the ranking is there.
    if width < 640:
        assert_no_line_is_cut(page, ".rw-why-list")


def assert_no_line_is_cut(page, name):
    """Of a list that scrolls, each line is there whole, or out of sight."""
    inside, cut, outside = page.locator(name).evaluate(
        """(list) => {
          const { top, bottom } = list.getBoundingClientRect();
          const counts = [0, 0, 0];
          for (const line of list.children) {
            const box = line.getBoundingClientRect();
            const isInside = box.top >= top - 1 && box.bottom <= bottom + 1;
            const isOutside = box.bottom <= top + 1 || box.top >= bottom - 1;
            counts[isInside ? 0 : isOutside ? 2 : 1] += 1;
          }
          return counts;
        }"""
    )
    assert inside > 0 and cut == 0 and outside > 0, (name, inside, cut, outside)


def test_a_second_click_undoes_no_second_edit(show_panel):
    edits = [{"kind": kind, "layer": LAYER, "channels": [7]} for kind in ("mute", "solo")]
    page = show_panel(edits=edits)
    names = [f"{edit['kind']} channel 7 of {LAYER}" for edit in edits]
    answer(page, "scores", {**EDITED, "names": names})
    page.get_by_role("button", name=f"Undo {names[0]}").dblclick()
    assert trait(page, "edits") == edits[1:]


def test_the_scale_is_that_of_this_channel_alone(show_panel):
    both = {"kind": "scale", "layer": LAYER, "channels": [7, 8], "factor": 2}
    page = show_panel(edits=[both])
    answer(page, "scores", SCORES)
    factor = page.get_by_label("Scale the channel")
    expect(factor).to_have_value("1")
    update(page, edits=[both, {**both, "channels": [7], "factor": 3}])
    expect(factor).to_have_value("3")
    # What does not fit on the slider is written nevertheless.
    update(page, edits=[{**both, "channels": [7], "factor": -1.25}])
    expect(page.get_by_text("× −1.25")).to_be_visible()
    update(page, channel=8)
    expect(page.get_by_text("× 1.0")).to_be_visible()


def test_a_muted_channel_is_scaled_by_nothing(show_panel):
    page = show_panel(edits=[{"kind": "scale", "layer": LAYER, "channels": [7], "factor": 2}])
    factor = page.get_by_label("Scale the channel")
    mute = page.get_by_role("button", name="Mute", exact=True)
    mute.click()
    expect(factor).to_have_value("0")
    expect(page.get_by_text("× 0.0")).to_be_visible()
    mute.click()
    expect(factor).to_have_value("2")
    # Who turns it up wants to hear it.
    mute.click()
    factor.fill("0.5")
    expect(mute).to_have_attribute("aria-pressed", "false")
    expect(factor).to_have_value("0.5")
    scaled = {"kind": "scale", "layer": LAYER, "channels": [7], "factor": 0.5}
    assert trait(page, "edits") == [scaled]
    # What silences others too is not for this slider to undo.
    for other in ({"kind": "solo", "channels": [8]}, {"kind": "mute", "channels": [7, 8]}):
        update(page, edits=[scaled, {**other, "layer": LAYER}])
        expect(factor).to_have_value("0")
        expect(factor).to_be_disabled()
    update(page, layer="a")
    expect(factor).to_have_value("1")
    expect(factor).to_be_enabled()


def test_the_focus_stays_when_the_answer_comes(show_panel):
    page = show_panel()
    answer(page, "scores", SCORES)
    page.get_by_role("button", name="pin dog").focus()
    page.keyboard.press("Enter")
    asked_of(page, "scores", target=5)
    answer(page, "scores", SCORES)
    expect(page.get_by_role("button", name="pinned dog")).to_be_focused()
    # The last edit goes with its button: the focus is not lost with it.
    page.get_by_role("button", name="Mute", exact=True).click()
    answer(page, "scores", EDITED)
    page.get_by_role("button", name="Undo mute").focus()
    page.keyboard.press("Enter")
    answer(page, "scores", SCORES)
    expect(page.get_by_role("button", name="Mute", exact=True)).to_be_focused()


def test_a_scale_that_is_dragged_asks_one_question_at_a_time(show_panel):
    page = show_panel()
    count = "stub.models.shown.sent.filter((m) => m.kind === 'ask' && m.what === 'scores').length"
    for n in range(3):
        update(page, edits=[{"kind": "scale", "layer": LAYER, "channels": [7], "factor": 2 + n}])
        next_frame(page)
    assert page.evaluate(count) == 1
    answer(page, "scores", SCORES)
    page.wait_for_function(f"{count} === 2")
    answer(page, "scores", EDITED)
    expect(page.locator(".rw-why-edits li")).to_have_count(1)
    assert page.evaluate(count) == 2
    # What fails leaves the way free for the next.
    update(page, target=5)
    page.wait_for_function(f"{count} === 3")
    answer(page, "scores", None, kind="trouble", message="no weights")
    expect(page.get_by_text("no weights")).to_be_visible()
    update(page, target=3)
    page.wait_for_function(f"{count} === 4")


def test_a_class_is_pinned_and_let_go(show_panel):
    page = show_panel()
    answer(page, "scores", SCORES)
    page.get_by_role("button", name="pin dog").click()
    assert trait(page, "target") == 5
    page.wait_for_function(
        "() => stub.models.shown.sent.some((m) => m.what === 'scores' && m.options.target === 5)"
    )
    answer(page, "scores", SCORES)
    page.get_by_role("button", name="pinned dog").click()
    assert trait(page, "target") == -1


def test_any_class_can_be_pinned(show_panel):
    page = show_panel()
    answer(page, "scores", SCORES)
    field = page.get_by_label("pin another class")
    assert "classes" not in {m.get("what") for m in page.evaluate("stub.models.shown.sent")}
    field.focus()
    answer(page, "classes", {"labels": ["crane", "<i>b</i>", "Crane", "zebra"]})
    expect(page.locator("datalist option")).to_have_count(4)
    for said, target in (("2", 2), ("Zebra", 3), ("<i>b</i>", 1)):
        field.fill(said)
        page.keyboard.press("Enter")
        page.wait_for_function("n => stub.models.shown.get('target') === n", arg=target)
        expect(field).to_have_value("")
    for said in ("unicorn", "4"):
        field.fill(said)
        page.keyboard.press("Enter")
        expect(page.get_by_text("There is no such class.")).to_be_visible()
        field.fill("")
        page.keyboard.press("Enter")
        expect(page.get_by_text("There is no such class.")).to_have_count(0)
    assert trait(page, "target") == 1


def test_no_class_is_denied_before_the_kernel_has_said_which_there_are(show_panel):
    page = show_panel()
    field = page.get_by_label("pin another class")
    field.fill("zebra")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The classes are not here yet.")).to_be_visible()
    answer(page, "classes", None, kind="trouble", message="no model")
    next_frame(page)
    expect(page.get_by_text("The classes are not here yet.")).to_be_visible()
    expect(field).to_have_value("zebra")
    field.fill("Zebra")
    page.keyboard.press("Enter")
    answer(page, "classes", {"labels": ["crane", "zebra"]})
    page.wait_for_function("stub.models.shown.get('target') === 1")


def test_ranking_shows_progress_and_picks_channels(show_panel):
    page = show_panel()
    answer(page, "scores", SCORES)
    page.get_by_role("button", name="Which channels matter most?").click()
    answer(page, "rank", None, kind="progress", share=0.5, text="32 of 64")
    expect(page.locator(".rw-why progress")).to_have_js_property("value", 0.5)
    expect(page.get_by_text("32 of 64")).to_be_visible()
    answer(page, "rank", RANKED)
    rows = page.locator(".rw-why-list .rw-row")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_have_attribute("aria-pressed", "true")
    rows.nth(0).click()
    assert trait(page, "channel") == 9
    expect(rows.nth(0)).to_have_attribute("aria-pressed", "true")
    expect(rows.nth(1)).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_text(f"each channel of {LAYER} does to the logit of cat")).to_be_visible()
    page.evaluate("stub.models.shown.update({layer: 'a'})")
    expect(rows).to_have_count(2)
    page.evaluate("stub.models.shown.update({target: 5})")
    expect(rows).to_have_count(0)
    expect(page.get_by_text("logit of cat")).to_have_count(0)


def test_a_ranking_stays_to_be_muted_down_and_says_that_it_is_old(show_panel):
    page = show_panel()
    answer(page, "scores", SCORES)
    page.get_by_role("button", name="Which channels matter most?").click()
    answer(page, "rank", RANKED)
    rows = page.locator(".rw-why-list .rw-row")
    new = page.get_by_text("each channel of conv5_block3_out does to the logit of cat")
    old = page.get_by_text("Ranked before the edits were changed")
    expect(new).to_be_visible()
    place = page.locator(".rw-why-list").bounding_box()
    first, second = (page.get_by_role("button", name=f"mute channel {n} of") for n in (9, 7))
    first.focus()
    page.keyboard.press("Enter")
    muted = [{"kind": "mute", "layer": LAYER, "channels": [channel]} for channel in (9, 7)]
    assert trait(page, "edits") == muted[:1]
    # The key of the edited photo comes when its maps are there.
    update(page, photo="cat 1234")
    expect(rows).to_have_count(2)
    expect(old).to_be_visible()
    expect(old).to_have_role("status")
    expect(page.locator(".rw-why-list")).to_have_attribute("data-old", "")
    expect(first).to_be_focused()
    expect(first).to_have_attribute("aria-pressed", "true")
    # It stays there when something else is chosen, and the list where the hand is.
    update(page, channel=3)
    expect(old).to_be_visible()
    assert page.locator(".rw-why-list").bounding_box() == place
    second.click()
    assert trait(page, "edits") == muted
    second.click()
    first.click()
    # It was made of just these edits: none.
    assert trait(page, "edits") == []
    expect(new).to_be_visible()
    expect(old).to_have_count(0)
    first.click()
    page.get_by_role("button", name="Rank again").click()
    # What is asked is answered for the edits that the kernel has.
    answer(page, "rank", {**RANKED, "edits": muted[:1], "rows": [[7, 0.25]]})
    expect(rows).to_have_count(1)
    expect(new).to_be_visible()
    expect(page.get_by_role("button", name="Which channels matter most?")).to_be_visible()
    # Of another photo it says nothing.
    update(page, photo="dog")
    expect(rows).to_have_count(0)
    expect(new).to_have_count(0)


def test_a_ranking_that_is_old_before_it_is_there_says_so(show_panel):
    page = show_panel()
    answer(page, "scores", SCORES)
    page.get_by_role("button", name="Which channels matter most?").click()
    answer(page, "rank", RANKED)
    update(page, edits=[{"kind": "mute", "layer": LAYER, "channels": [9]}])
    old = page.get_by_text("Ranked before the edits were changed")
    expect(old).to_be_visible()
    page.get_by_role("button", name="Rank again").click()
    expect(old).to_have_count(0)
    update(page, edits=[{"kind": "mute", "layer": LAYER, "channels": [7]}])
    answer(page, "rank", {**RANKED, "edits": [{"kind": "mute", "layer": LAYER, "channels": [9]}]})
    expect(old).to_be_visible()


def test_channels_that_are_typed_are_turned_together(show_panel):
    page = show_panel()
    field = page.get_by_label("channels", exact=True)
    where = page.locator(".rw-why-where")
    expect(where.locator("b")).to_have_text(f"{LAYER} · channel 7")
    field.fill("17, 3 40 – 42")
    expect(where.locator("b")).to_have_text(f"{LAYER} · 5 channels")
    chosen = {"layer": LAYER, "channels": [3, 17, 40, 41, 42]}
    mute = page.get_by_role("button", name="Mute 5 channels")
    mute.click()
    expect(field).to_have_value("3, 17, 40-42")
    assert trait(page, "edits") == [{"kind": "mute", **chosen}]
    expect(mute).to_have_attribute("aria-pressed", "true")
    factor = page.get_by_label("Scale 5 channels")
    expect(factor).to_have_value("0")
    factor.fill("2")
    expect(mute).to_have_attribute("aria-pressed", "false")
    assert trait(page, "edits") == [{"kind": "scale", **chosen, "factor": 2}]
    page.get_by_role("button", name="Solo 5 channels").click()
    assert trait(page, "edits")[1:] == [{"kind": "solo", **chosen}]
    page.get_by_role("button", name="The selected channel alone").click()
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    # Silent, for it is not among those that were soloed.
    expect(page.get_by_label("Scale the channel")).to_be_disabled()
    besides = where.locator("span")
    expect(besides).to_have_text(" · silenced")
    # It is soloed, and is one of those that are doubled.
    field.fill("40")
    expect(besides).to_have_text(" · scaled already")
    expect(page.get_by_label("Scale the channel")).to_be_enabled()
    expect(where.locator("b")).to_have_text(f"{LAYER} · channel 40")
    update(page, layer="a")
    expect(field).to_have_value("")
    expect(where.locator("b")).to_have_text("a · channel 7")
    expect(besides).to_have_text("")


def test_channels_are_typed_before_it_is_known_how_many_there_are(show_panel):
    page = show_panel()
    # A model without a classifier has no scores.
    answer(page, "scores", None, kind="trouble", message="no classes")
    field = page.get_by_label("channels", exact=True)
    where = page.locator(".rw-why-where b")
    field.focus()
    page.evaluate("stub.holding = true")
    update(page, layer="a")
    expect(field).to_be_focused()
    page.keyboard.type("0, 3")
    expect(where).to_have_text("a · 2 channels")
    page.evaluate("stub.release()")
    # The frame says that there is one.
    expect(where).to_have_text("a · which channels?")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Channels are 0 to 0. Received: 3")).to_be_visible()
    # What is known of one layer is not of the next.
    update(page, layer="b")
    page.keyboard.type("0, 3")
    expect(where).to_have_text("b · 2 channels")


def test_a_channel_that_a_set_silences_is_not_scaled(show_panel):
    both = {"kind": "scale", "layer": LAYER, "channels": [3, 7], "factor": 0}
    page = show_panel(edits=[both])
    expect(page.get_by_text("· silenced")).to_be_visible()
    expect(page.get_by_text("× 0.0")).to_be_visible()
    expect(page.get_by_label("Scale the channel")).to_be_disabled()
    page.get_by_label("channels", exact=True).fill("3, 7")
    expect(page.get_by_text("· silenced")).to_have_count(0)
    expect(page.get_by_label("Scale 2 channels")).to_be_enabled()


PLACES = """() => [...document.querySelectorAll(".rw-why-channels ~ *, .rw-why-wide")]
  .map((node) => node.getBoundingClientRect().top)"""


def test_what_names_no_channels_turns_none_and_is_said(show_panel):
    page = show_panel()
    answer(page, "scores", SCORES)
    field = page.get_by_label("channels", exact=True)
    mute = page.get_by_role("button", name="Mute", exact=True)
    update(page, region=[0, 0, 0.5, 1])
    field.fill("3, 510-512")
    note = page.get_by_text("Received: ")
    status = page.locator(".rw-why-wrong")
    expect(status).to_have_role("status")
    expect(status).to_have_css("display", "block")
    places = page.evaluate(PLACES)
    # Not while it is typed, but nothing is done with it either.
    expect(mute).to_be_disabled()
    expect(page.get_by_label("Scale the channel")).to_be_disabled()
    expect(note).to_have_count(0)
    page.keyboard.press("Enter")
    said = "Channels are 0 to 511. Received: 510-512"
    expect(note).to_have_text(said)
    expect(note).to_be_visible()
    # It is left by a click on what is below, which must not move away.
    assert page.evaluate(PLACES) == places
    expect(mute).to_be_visible()
    expect(page.get_by_role("button", name="Erase region")).to_be_visible()
    # Not in all channels either, by mistake.
    expect(page.get_by_role("button", name="Erase region")).to_be_disabled()
    expect(page.locator(".rw-why-where")).to_be_hidden()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(said)
    field.fill("3, 510")
    expect(note).to_have_count(0)
    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("button", name="Mute 2 channels")).to_be_enabled()
    # What cannot be read goes with its layer too.
    field.fill("<b>x</b>" * 9)
    page.keyboard.press("Enter")
    expect(note).to_contain_text("Received: <b>x</b>")
    assert page.evaluate(PLACES) == places
    update(page, layer="a")
    expect(field).to_have_value("")
    expect(note).to_have_count(0)
    expect(mute).to_be_enabled()


def test_what_is_wrong_can_be_read_in_the_narrowest_of_two_columns(show_panel):
    page = show_panel(645, layer="wide")
    field = page.get_by_label("channels", exact=True)
    field.fill("2040-2050")
    expect(page.locator(".rw-why-where")).to_contain_text("which channels?")
    page.keyboard.press("Enter")
    note = page.get_by_text("Channels are 0 to 2047. Received: 2040-2050")
    expect(note).to_be_visible()
    assert note.bounding_box()["x"] > 645 / 2
    assert note.evaluate("(note) => note.scrollWidth <= note.clientWidth")


def test_channels_that_are_ticked_are_turned_together(show_panel):
    page = show_panel()
    answer(page, "scores", SCORES)
    page.get_by_role("button", name="Which channels matter most?").click()
    answer(page, "rank", RANKED)
    nine, seven = (page.get_by_label(f"choose channel {n} of {LAYER}") for n in (9, 7))
    top = page.locator(".rw-why-list").bounding_box()["y"]
    nine.focus()
    page.keyboard.press("Space")
    seven.check()
    field = page.get_by_label("channels", exact=True)
    expect(field).to_have_value("7, 9")
    # The next box is where the hand is.
    assert page.locator(".rw-why-list").bounding_box()["y"] == top
    page.get_by_role("button", name="Mute 2 channels").click()
    both = {"kind": "mute", "layer": LAYER, "channels": [7, 9]}
    assert trait(page, "edits") == [both]
    # One of them alone is silent by that.
    expect(page.get_by_role("button", name=f"mute channel 9 of {LAYER}")).to_be_disabled()
    seven.uncheck()
    expect(field).to_have_value("9")
    field.fill("7")
    expect(seven).to_be_checked()
    expect(nine).not_to_be_checked()
    # Half a number is none of them, and a tick begins anew.
    field.fill("7, x")
    expect(seven).not_to_be_checked()
    nine.check()
    expect(field).to_have_value("9")
    # Channels of another layer are others; a tick goes back to the layer that was ranked.
    update(page, layer="a")
    expect(nine).not_to_be_checked()
    seven.check()
    assert trait(page, "layer") == LAYER
    expect(seven).to_be_checked()
    expect(nine).not_to_be_checked()
    expect(page.locator(".rw-why-where b")).to_have_text(f"{LAYER} · channel 7")


@pytest.mark.parametrize("width", [460, 960])
def test_a_long_ranking_leaves_no_half_empty(show_panel, width):
    page = show_panel(width)
    page.get_by_role("button", name="Which channels matter most?").click()
    answer(page, "rank", {**RANKED, "rows": [[n, 1 / (n + 1)] for n in range(24)]})
    rows = page.locator(".rw-why-list .rw-why-ranked")
    expect(rows).to_have_count(24)
    listed = page.locator(".rw-why-list")
    lesson = page.locator(".rw-why-lesson").bounding_box()
    below = listed.bounding_box()
    assert lesson["y"] >= below["y"] + below["height"]
    lefts = rows.evaluate_all("(rows) => rows.map((row) => row.getBoundingClientRect().left)")
    is_scrolled = listed.evaluate("(list) => list.scrollHeight > list.clientHeight")
    if width == 960:
        assert lefts[0] == lefts[11] < width / 2 < lefts[12] == lefts[23]
        assert not is_scrolled
    else:
        assert len(set(lefts)) == 1
        assert is_scrolled


@pytest.mark.parametrize(
    ("section", "what", "button"),
    [
        ("knobs", "rank", "Which channels matter most?"),
        ("pixels", "pixels", "Compute"),
    ],
)
def test_what_is_begun_after_an_edit_is_not_ended_by_its_photo(show_panel, section, what, button):
    page = show_panel(section=section)
    edit = {"kind": "mute", "layer": LAYER, "channels": [7]}
    update(page, edits=[edit])
    page.get_by_role("button", name=button).click()
    asked(page, what)
    update(page, photo="cat 1234")
    next_frame(page)
    sent = page.evaluate("() => stub.models.shown.sent")
    assert {"kind": "cancel", "what": what, "view": ANY} not in sent[
        sent.index(asked(page, what)) :
    ]
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()


@pytest.mark.parametrize("change", [{"photo": "dog"}, {"target": 5}], ids=["photo", "class"])
def test_a_ranking_that_runs_is_ended_when_it_is_of_something_else(show_panel, change):
    page = show_panel()
    page.get_by_role("button", name="Which channels matter most?").click()
    asked(page, "rank")
    update(page, **change)
    expect(page.get_by_role("button", name="Which channels matter most?")).to_be_visible()
    assert {"kind": "cancel", "what": "rank", "view": ANY} in page.evaluate(
        "() => stub.models.shown.sent"
    )
    answer(page, "rank", RANKED)
    next_frame(page)
    expect(page.locator(".rw-why-list .rw-row")).to_have_count(0)


def answer_photo(page, color="black"):
    """The photo is of one colour."""
    photo = page.evaluate(
        """async (color) => {
          const canvas = new OffscreenCanvas(256, 256);
          const context = canvas.getContext("2d");
          context.fillStyle = color;
          context.fillRect(0, 0, 256, 256);
          const blob = await canvas.convertToBlob();
          return btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer())));
        }""",
        color,
    )
    answer(page, "photo", {}, np.frombuffer(base64.b64decode(photo), np.uint8))


# Channel, what it adds, and its weight.
CONTRIBUTION = ((2, 0.5, 0.3), (7, 0.1, 0.2))


def show_cam(page, sums=(((1, 0), (0, 0)), ((1, 0), (0, 2))), contribution=CONTRIBUTION):
    maps = np.array(sums, "<f4")
    answer_photo(page)
    data = {
        "method": "grad-cam",
        "layer": LAYER,
        "target": 3,
        "label": "cat",
        "shape": [2, 2],
        "counts": [1, 4],
        "channels": 4,
        "rows": {
            "contribution": contribution,
            "weight": [[3, 0.9, 0.1], [2, 0.5, 0.3]],
        },
    }
    answer(page, "cam", data, maps)
    expect(page.locator(".rw-why-list .rw-row")).to_have_count(len(contribution))


def test_a_cam_is_the_sum_of_its_channels(show_panel):
    page = show_panel(section="cam")
    show_cam(page)
    count = page.get_by_label("How many channels are added up")
    expect(page.get_by_text("4 of 4 channels")).to_be_visible()
    canvas = ".rw-why-overlay"
    expect(page.locator(".rw-why-key")).to_have_text("0.002.00")
    whole = pixels(page, canvas)[..., :3].sum(axis=2).astype(int)
    assert whole[-1, -1] > whole[0, 0] > whole[0, -1]
    count.fill("0")
    expect(page.get_by_text("1 of 4 channels")).to_be_visible()
    first = pixels(page, canvas)[..., :3].sum(axis=2).astype(int)
    # The scale stays: what was there keeps its colour, what is not yet there is gone.
    assert abs(first[0, 0] - whole[0, 0]) <= 3
    assert first[-1, -1] == first[0, -1] == 0
    page.get_by_label("How strongly the map covers the photo").fill("0")
    assert not pixels(page, canvas)[..., :3].any()
    page.locator(".rw-why-list .rw-row").nth(0).click()
    assert trait(page, "channel") == 2
    page.get_by_label("Channels ranked by").select_option("weight")
    rows = page.locator(".rw-why-list .rw-row")
    expect(rows).to_have_text(["ch 3adds 0.1000.900", "ch 2adds 0.3000.500"])
    expect(rows.nth(1)).to_have_attribute("aria-pressed", "true")
    rows.nth(0).click()
    assert trait(page, "channel") == 3


def test_channels_of_a_cam_are_ticked_for_the_knobs(show_panel):
    page = show_panel(section="cam", width=960)
    show_cam(page)
    turn = page.get_by_role("button", name=re.compile("^Turn the knobs of"))
    expect(turn).to_have_count(0)
    page.get_by_label(f"choose channel 7 of {LAYER}").check()
    page.get_by_label("Channels ranked by").select_option("weight")
    # Those of the other list stay chosen.
    page.get_by_label(f"choose channel 3 of {LAYER}").check()
    expect(turn).to_have_text("Turn the knobs of 2 channels")
    page.get_by_label("Channels ranked by").select_option("contribution")
    expect(page.get_by_label(f"choose channel 7 of {LAYER}")).to_be_checked()
    box = page.get_by_label(f"choose channel 7 of {LAYER}").element_handle()
    expect(page.get_by_role("group", name="Channels that make the map")).to_be_visible()
    turn.click()
    expect(page.get_by_role("tab", name="Prediction & knobs")).to_be_focused()
    expect(page.get_by_label("channels", exact=True)).to_have_value("3, 7")
    page.get_by_role("button", name="Solo 2 channels").click()
    assert trait(page, "edits") == [{"kind": "solo", "layer": LAYER, "channels": [3, 7]}]
    go_to(page, "CAM")
    update(page, layer="b")
    expect(turn).to_have_count(0)
    # Boxes that are no longer in the page are not kept, to be marked with those that are.
    assert box.evaluate("(box) => [box.isConnected, box.checked]") == [False, True]


def test_a_long_list_of_channels_ends_where_the_picture_beside_it_does(show_panel):
    page = show_panel(section="cam", width=960)
    show_cam(page)
    listed = page.locator(".rw-why-list")
    listed.locator(".rw-why-ranked").first.evaluate("(row) => { row.style.height = '2000px'; }")
    ends = [
        part.bounding_box()["y"] + part.bounding_box()["height"]
        for part in (listed, page.get_by_text("4 of 4 channels"))
    ]
    assert abs(ends[0] - ends[1]) < 20


def test_no_line_of_the_channels_of_a_cam_is_cut(show_panel):
    page = show_panel(section="cam", width=836)
    show_cam(page, contribution=[(n, 1 / (n + 1), 0.1) for n in range(24)])
    assert_no_line_is_cut(page, ".rw-why-list")


def go_to(page, section):
    page.get_by_role("tab", name=section, exact=True).click()


def update(page, **traits):
    """The kernel sets traits."""
    page.evaluate("traits => stub.models.shown.update(traits)", traits)


def asked_of(page, what, **options):
    """Waits for a question of a kind that has these options."""
    page.wait_for_function(
        """([what, options]) => stub.models.shown.sent.some((m) => m.kind === "ask" &&
          m.what === what && Object.entries(options).every(([n, v]) => m.options[n] === v))""",
        arg=[what, options],
    )


def test_a_photo_that_another_section_has_let_go_is_not_drawn(show_panel):
    page = show_panel(section="pixels")
    answer_photo(page, "red")
    answer(page, "estimate", {"method": "saliency", "seconds": 2})
    page.get_by_role("button", name="Compute").click()
    shape = {"shape": [2, 2], "gap": None, "steps": 1, "label": "cat"}
    answer(page, "pixels", shape, np.ones((2, 2), "<f4"))
    expect(page.locator(".rw-why-key")).to_be_visible()
    go_to(page, "CAM")
    asked(page, "cam")
    update(page, photo="dog")
    page.wait_for_function("stub.models.shown.sent.filter((m) => m.what === 'photo').length === 2")
    answer_photo(page, "lime")
    page.wait_for_function(
        "stub.models.shown.sent.filter((m) => m.kind === 'ask' && m.what === 'cam').length === 2"
    )
    go_to(page, "Pixels")
    expect(page.locator(".rw-why-key")).to_be_hidden()
    page.wait_for_function(
        """() => {
          const canvas = document.querySelector(".rw-why-overlay");
          const [red, green] = canvas.getContext("2d").getImageData(9, 9, 1, 1).data;
          return red === 0 && green === 255;
        }"""
    )
    expect(page.locator(".rw-why-trouble")).to_be_hidden()


def test_sections_left_early_have_the_photo_too(show_panel):
    page = show_panel(section="cam")
    asked(page, "photo")
    go_to(page, "Pixels")
    next_frame(page)
    photos = "stub.models.shown.sent.filter((m) => m.what === 'photo').length"
    assert page.evaluate(photos) == 1
    answer_photo(page, "lime")
    asked(page, "cam")
    for section in ("Pixels", "CAM"):
        go_to(page, section)
        expect(page.locator(".rw-why-overlay")).to_have_js_property("width", 256)
        assert (pixels(page, ".rw-why-overlay")[..., 1] == 255).all()


def test_a_map_goes_with_what_it_was_made_of(show_panel):
    page = show_panel(section="cam")
    show_cam(page)
    heard = "stub.models.shown.sent.filter((m) => m.kind === 'ask' && m.what === 'cam').length"
    update(page, layer="b")
    page.wait_for_function(f"{heard} === 2")
    # Only the black photo is left until the answer comes.
    assert not pixels(page, ".rw-why-overlay")[..., :3].any()
    expect(page.locator(".rw-why-list .rw-row")).to_have_count(0)
    expect(page.locator(".rw-why-key")).to_be_hidden()
    expect(page.get_by_text("of 4 channels")).to_have_count(0)
    # Nothing to blend, and nothing to add up.
    for label in ("How strongly the map covers the photo", "How many channels are added up"):
        expect(page.get_by_label(label)).to_be_hidden()


def test_a_slow_map_goes_too_and_a_late_answer_is_not_taken(show_panel):
    page = show_panel(section="cam")
    show_cam(page)
    page.get_by_label("Method").select_option("score-cam")
    expect(page.locator(".rw-why-list .rw-row")).to_have_count(0)
    asked_of(page, "estimate", method="score-cam")
    page.get_by_role("button", name="Compute").click()
    asked_of(page, "cam", method="score-cam")
    update(page, target=5)
    expect(page.get_by_role("button", name="Compute")).to_be_visible()
    maps = np.ones((1, 2, 2), "<f4")
    late = {"layer": LAYER, "label": "cat", "shape": [2, 2], "counts": [4], "channels": 4}
    answer(
        page,
        "cam",
        {**late, "method": "score-cam", "target": 3, "rows": {"contribution": [[2, 1, 1]]}},
        maps,
    )
    next_frame(page)
    expect(page.locator(".rw-why-list .rw-row")).to_have_count(0)
    assert page.evaluate("stub.models.shown.sent.some((m) => m.kind === 'cancel')")


def test_what_is_answered_for_older_edits_is_asked_again(show_panel):
    new = [{"kind": "mute", "layer": LAYER, "channels": [7]}]
    page = show_panel(section="pixels", edits=new)
    page.get_by_role("button", name="Compute").click()
    count = "stub.models.shown.sent.filter((m) => m.kind === 'ask' && m.what === 'pixels').length"
    data = {"method": "saliency", "shape": [2, 2], "gap": None, "steps": 1, "label": "cat"}
    for times in (2, 3):
        answer(page, "pixels", {**data, "edits": []}, np.ones((2, 2), "<f4"))
        assert page.evaluate(count) == times
        expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    answer(page, "pixels", {**data, "edits": new, "label": "dog"}, np.ones((2, 2), "<f4"))
    expect(page.locator(".rw-why-facts")).to_contain_text("dog")
    # Where the kernel has no such edits it is not asked for ever.
    update(page, edits=[])
    page.get_by_role("button", name="Compute").click()
    for _ in range(3):
        answer(page, "pixels", {**data, "edits": new, "label": "hen"}, np.ones((2, 2), "<f4"))
    expect(page.locator(".rw-why-facts")).to_contain_text("hen")
    assert page.evaluate(count) == 6


def test_channels_that_take_away_keep_within_the_scale(show_panel):
    page = show_panel(section="cam")
    # The second channel takes away what the first one gave.
    show_cam(page, [[[4, 0], [0, 0]], [[1, 0], [0, 2]]])
    expect(page.locator(".rw-why-key")).to_have_text("0.004.00")
    whole = pixels(page, ".rw-why-overlay")[..., :3].sum(axis=2).astype(int)
    page.get_by_label("How many channels are added up").fill("0")
    expect(page.get_by_text("1 of 4 channels")).to_be_visible()
    first = pixels(page, ".rw-why-overlay")[..., :3].sum(axis=2).astype(int)
    assert first[0, 0] > whole[-1, -1] > whole[0, 0]


def test_the_key_says_what_is_beyond_it(show_panel):
    page = show_panel(section="pixels")
    answer_photo(page)
    method = page.get_by_label("Method")
    values = np.zeros((20, 20), "<f4")
    values[:2] = 1
    values[0, 0] = 9
    data = {"shape": [20, 20], "gap": None, "steps": 1, "label": "cat"}
    for name, said in (("saliency", "0.00≥ 1.00"), ("occlusion", "−1.00≥ 1.00")):
        method.select_option(name)
        asked_of(page, "estimate", method=name)
        page.get_by_role("button", name="Compute").click()
        asked_of(page, "pixels", method=name)
        answer(page, "pixels", data, values)
        expect(page.locator(".rw-why-key")).to_have_text(said)
    page.get_by_role("button", name="Compute").click()
    answer(page, "pixels", data, -values)
    expect(page.locator(".rw-why-key")).to_have_text("≤ −1.001.00")


@pytest.mark.parametrize("width", [460, 960])
@pytest.mark.parametrize("section", ["pixels", "dream"])
def test_what_a_section_teaches_fills_the_room_beside_it(show_panel, section, width):
    page = show_panel(width, section=section)
    tall, lesson = (
        page.locator(f".rw-why-content {part}").bounding_box()
        for part in (".rw-why-tall", ".rw-why-lesson")
    )
    if width == 960:
        assert (
            lesson["x"] >= tall["x"] + tall["width"] or tall["x"] >= lesson["x"] + lesson["width"]
        )
        assert lesson["width"] < width / 2
    else:
        assert lesson["y"] >= tall["y"] + tall["height"]
        assert lesson["width"] > width - 40


def test_an_attribution_says_what_it_is_of(show_panel):
    page = show_panel(section="pixels")
    answer_photo(page)
    page.get_by_role("button", name="Compute").click()
    data = {"shape": [2, 2], "gap": 0.0095, "steps": 65, "label": "<b>cat</b>"}
    answer(page, "pixels", data, np.ones((2, 2), "<f4"))
    facts = page.locator(".rw-why-facts")
    said = ["Class", "<b>cat</b>", "Runs of the network", "65", "Completeness gap", "0.95 %"]
    expect(facts.locator("span")).to_have_text(said)
    page.get_by_role("button", name="Compute").click()
    answer(page, "pixels", {**data, "gap": None}, np.ones((2, 2), "<f4"))
    expect(facts.locator("span")).to_have_text(said[:4])
    page.get_by_label("Method").select_option("occlusion")
    expect(facts).to_have_text("")


def test_what_cannot_be_explained_is_said(show_panel):
    page = show_panel(section="cam")
    answer_photo(page)
    answer(page, "cam", None, kind="trouble", message="`layer` must have a map")
    expect(page.get_by_text("`layer` must have a map")).to_be_visible()


def test_a_picture_grows_and_is_cancelled_half_way(show_panel):
    page = show_panel(section="dream")
    answer(page, "estimate", {"method": "visualise", "seconds": 12})
    expect(page.get_by_text("takes about 12 s")).to_be_visible()
    page.get_by_role("button", name="Make a picture").click()
    assert asked(page, "dream")["options"] == {
        "layer": LAYER,
        "channel": 7,
        "steps": 128,
        "seed": 0,
    }
    grey = np.full((8, 8, 3), (10, 120, 200), np.uint8)
    answer(page, "dream", None, grey, kind="progress", share=0.5, text="Step 64 of 128")
    np.testing.assert_array_equal(pixels(page, ".rw-why-overlay")[..., :3], grey)
    page.get_by_role("button", name="Cancel").click()
    assert page.evaluate("() => stub.models.shown.sent.at(-1)") == {
        "kind": "cancel",
        "what": "dream",
        "view": ANY,
    }
    answer(page, "dream", None, kind="trouble", cancelled=True, message="Cancelled.")
    expect(page.get_by_text("Cancelled.")).to_be_visible()
    expect(page.get_by_role("button", name="Make a picture")).to_be_visible()
    # What has grown so far stays.
    np.testing.assert_array_equal(pixels(page, ".rw-why-overlay")[..., :3], grey)
    # The estimate is of the number of steps that is chosen.
    page.get_by_label("Steps").select_option("512")
    asked_of(page, "estimate", steps=512)
    answer(page, "estimate", {"method": "visualise", "seconds": 48})
    expect(page.get_by_text("takes about 48 s")).to_be_visible()


def test_a_picture_need_not_be_square(show_panel):
    page = show_panel(section="dream", size=[4, 8])
    page.get_by_role("button", name="Make a picture").click()
    picture = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)
    answer(page, "dream", None, picture, kind="progress", share=0.5, text="Step 64 of 128")
    np.testing.assert_array_equal(pixels(page, ".rw-why-overlay")[..., :3], picture)


RESIDUAL = {
    "block": "conv5_block3",
    "layers": ["a", "b", "c", "d"],
    "channel": 0,
    "limit": 2,
    "of_channel": [3, 1, 4, 1],
    "of_block": [1, 1, 2, 0],
    "agreement": -0.25,
    "blocks": [
        {"block": "conv5_block2", "share": 0.1, "agreement": 0.1, "cut": 0.5, "out": "x"},
        {"block": "conv5_block3", "share": 0.2, "agreement": 0.1, "cut": 0.5, "out": "d"},
    ],
}


def test_four_maps_of_a_block_share_channel_and_cursor(show_panel):
    page = show_panel(section="residual")
    answer(page, "residual", RESIDUAL)
    page.wait_for_selector(".rw-why-map canvas[data-shown='d#0']")
    expect(page.get_by_text("brings 25 % of the energy")).to_be_visible()
    page.evaluate("() => stub.models.m2.set('cursor', [0, 0, 0.25, 0.25])")
    for name in ("shown", "m0", "m1", "m3"):
        cursor = page.evaluate("name => stub.models[name].get('cursor')", name)
        assert cursor == [0, 0, 0.25, 0.25]
    assert page.evaluate("() => stub.models.m1.get('limits')") == [-2, 2]
    expect(page.locator(".rw-why-key")).to_have_text("−2.002.00")
    page.get_by_title("conv5_block2: branch 10 %").click()
    assert trait(page, "layer") == "x"


def test_blocks_that_take_long_say_so_and_can_be_cancelled(show_panel):
    page = show_panel(section="residual")
    asked(page, "residual")
    # Neither maps nor a chart of nothing.
    expect(page.locator(".rw-why-maps")).to_be_hidden()
    expect(page.get_by_text("All blocks")).to_be_hidden()
    answer(page, "residual", RESIDUAL)
    bars = page.get_by_title("conv5_block2: branch 10 %")
    expect(bars).to_be_visible()
    count = "stub.models.shown.sent.filter((m) => m.kind === 'ask' && m.what === 'residual').length"
    asked_before = page.evaluate(count)
    update(page, photo="dog")
    page.wait_for_function(f"{count} === {asked_before + 1}")
    answer(page, "residual", None, kind="progress", share=0.5, text="8 of 16")
    expect(page.get_by_text("8 of 16")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    assert page.evaluate("stub.models.shown.sent.at(-1)") == {
        "kind": "cancel",
        "what": "residual",
        "view": ANY,
    }
    answer(page, "residual", None, kind="trouble", cancelled=True, message="Cancelled.")
    expect(page.get_by_text("Cancelled.")).to_be_visible()
    # They were of the other photo.
    expect(bars).to_be_hidden()
    expect(page.locator(".rw-why-maps")).to_be_hidden()
    page.get_by_role("button", name="Take the blocks apart").click()
    page.wait_for_function(f"{count} === {asked_before + 2}")
    answer(page, "residual", RESIDUAL)
    expect(bars).to_be_visible()
    expect(page.get_by_role("button", name="Take the blocks apart")).to_be_hidden()
    # The button that has gone had the focus.
    expect(page.locator(".rw-why-blocks button").first).to_be_focused()


def test_there_are_four_maps_however_often_they_are_asked_for(show_panel):
    page = show_panel()
    page.evaluate(
        """async () => {
          stub.models.shown.update({ section: "residual" });
          for (let channel = 0; channel < 9; channel++) {
            await null;
            stub.models.shown.update({ channel });
          }
        }"""
    )
    answer(page, "residual", RESIDUAL)
    page.wait_for_selector(".rw-why-map canvas[data-shown='d#0']")
    expect(page.locator(".rw-why-map")).to_have_count(4)
    # Nothing to colour, nothing to explain.
    page.get_by_title("conv5_block2: branch 10 %").click()
    answer(page, "residual", {**RESIDUAL, "limit": 0})
    expect(page.locator(".rw-why-key")).to_be_hidden()


def test_a_pointer_that_crosses_cells_asks_one_question_at_a_time(show_panel):
    page = show_panel(section="channel")
    asked(page, "channel")
    count = "stub.models.shown.sent.filter((m) => m.kind === 'ask' && m.what === 'channel').length"
    for at in (0, 0.25, 0.5):
        update(page, cursor=[at, 0, at + 0.25, 0.25])
        next_frame(page)
    assert page.evaluate(count) == 1
    data = {**CHANNEL, "facts": {**CHANNEL["facts"], "cut": None}}
    answer(page, "channel", data, np.zeros((3, 2, 2), "<f4"))
    expect(page.get_by_text("No ReLU layer follows here.", exact=True)).to_be_visible()
    page.wait_for_function(f"{count} === 2")
    assert asked(page, "channel")["options"]["cursor"] == [0.5, 0, 0.75, 0.25]
    answer(page, "channel", CHANNEL, np.zeros((3, 2, 2), "<f4"))
    expect(page.get_by_text("ReLU cuts away 50 %")).to_be_visible()
    assert page.evaluate(count) == 2


def test_where_there_is_no_convolution_those_of_the_block_are_offered(show_panel):
    page = show_panel(section="channel")
    answer(page, "channel", {"choices": ["conv5_block3_1_conv", "<b>odd</b>"]})
    said = page.get_by_text("This layer is no convolution")
    expect(said).to_be_visible()
    # There is nothing beside them.
    assert said.bounding_box()["width"] > 700
    page.get_by_role("button", name="<b>odd</b>").click()
    assert trait(page, "layer") == "<b>odd</b>"


READING = {
    "labels": ["<i>cat</i>", "dog"],
    "forms": 1,
    "photos": 8,
    "blocks": [
        {"layer": "a", "block": "conv1_relu", "nearest": "dog", "similarities": [-0.2, 0.5]},
        {"layer": "b", "block": "conv2_block1", "nearest": "<i>cat</i>", "similarities": [0.4, 0]},
        {"layer": "c", "block": "conv2_block2", "nearest": "<i>cat</i>", "similarities": [0.8, -1]},
    ],
}


def test_without_labelled_photos_it_is_told_how_to_give_them(show_panel):
    page = show_panel(section="reading")
    expect(page.get_by_text("explorer.early_reading({")).to_be_visible()
    expect(page.get_by_role("button", name="Read again")).to_be_hidden()
    assert "reading" not in {m.get("what") for m in page.evaluate("stub.models.shown.sent")}


def test_the_answer_forms_block_after_block(show_panel):
    page = show_panel(section="reading", labelled="8 photos of 2 labels: <i>cat</i>, dog")
    expect(page.get_by_text("explorer.early_reading({")).to_be_hidden()
    answer(page, "reading", None, kind="progress", share=0.5, text="Reading: 4 of 8")
    expect(page.get_by_text("Reading: 4 of 8")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    assert page.evaluate("stub.models.shown.sent.at(-1)") == {
        "kind": "cancel",
        "what": "reading",
        "view": ANY,
    }
    answer(page, "reading", None, kind="trouble", cancelled=True, message="Cancelled.")
    page.get_by_role("button", name="Read again").click()
    answer(page, "reading", READING)
    expect(page.get_by_text("<i>cat</i> is nearest from conv2_block1 on")).to_be_visible()
    expect(page.get_by_role("button", name="nearest").first).to_be_focused()
    lines = page.locator(".rw-why-reading polyline")
    expect(lines).to_have_count(2)
    # The range is that of all lines, -1 to 0.8: the label that is nearest ends at the upper edge.
    points = lines.last.get_attribute("points").split()
    assert points[-1].endswith(",0.0")
    assert [point.split(",")[0] for point in points] == ["166.7", "500.0", "833.3"]
    assert lines.first.get_attribute("points").split()[-1].endswith(",200.0")
    page.get_by_role("button", name="conv2_block1, nearest <i>cat</i>").click()
    assert trait(page, "layer") == "b"
    page.evaluate("stub.models.shown.update({photo: 'dog'})")
    page.wait_for_function(
        "stub.models.shown.sent.filter((m) => m.what === 'reading').length === 4"
    )
    # The chart was of the other photo; it does not come back when this one cannot be read.
    expect(page.locator(".rw-why-reading")).to_be_hidden()
    answer(page, "reading", None, kind="trouble", cancelled=False, message="no such file")
    expect(page.get_by_text("no such file")).to_be_visible()
    update(page, layer="c")
    next_frame(page)
    expect(page.locator(".rw-why-reading")).to_be_hidden()


CHANNEL = {
    **dict.fromkeys(("conv", "bn", "relu"), LAYER),
    "channel": 7,
    "facts": dict.fromkeys(("scale", "shift", "mean", "variance", "gain", "offset", "cut"), 0.5),
    "source": "before",
    "cell": None,
    "bias": 0,
    "value": 1.5,
    "inputs": 3,
    "rest": 0,
    "rows": [[2, 1], [0, 0.7], [1, -0.2]],
    "shown": "map",
    "shape": [2, 2, 3],
}


@pytest.mark.parametrize("width", [480, 1000])
@pytest.mark.parametrize(
    "section", ["knobs", "cam", "pixels", "residual", "channel", "reading", "no photos", "dream"]
)
@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: `npm ci` installs it")
def test_no_section_has_a_violation(show_panel, section, width):
    if section == "no photos":
        page = show_panel(width, section="reading")
        expect(page.get_by_text("explorer.early_reading({")).to_be_visible()
    else:
        page = show_panel(width, section=section, labelled="8 photos of 2 labels: cat, dog")
    if section == "knobs":
        answer(page, "scores", SCORES)
        page.get_by_role("button", name="Which channels matter most?").click()
        answer(page, "rank", RANKED)
        page.get_by_role("button", name="Mute", exact=True).click()
        answer(page, "scores", EDITED)
        expect(page.get_by_text("Ranked before")).to_be_visible()
    elif section == "cam":
        show_cam(page)
    elif section == "pixels":
        answer_photo(page)
        answer(page, "estimate", {"method": "saliency", "seconds": 2})
        page.get_by_role("button", name="Compute").click()
        answer(page, "pixels", None, kind="progress", share=0.5, text="half way")
    elif section == "residual":
        answer(page, "residual", RESIDUAL)
        page.wait_for_selector(".rw-why-map canvas[data-shown='d#0']")
    elif section == "channel":
        answer(page, "channel", CHANNEL, np.zeros((3, 2, 2), "<f4"))
    elif section == "reading":
        answer(page, "reading", READING)
    elif section == "dream":
        answer(page, "estimate", {"method": "visualise", "seconds": 2})
    for summary in page.locator(".rw-why-lesson summary").all():
        summary.click()
    assert audit(page) == []


def test_tabs_by_keys(show_panel):
    page = show_panel()
    tabs = page.get_by_role("tab")
    places = "(tabs) => tabs.map((tab) => tab.getBoundingClientRect().left)"
    before = tabs.evaluate_all(places)
    tabs.nth(0).focus()
    page.keyboard.press("ArrowRight")
    expect(tabs.nth(1)).to_be_focused()
    assert trait(page, "section") == "cam"
    expect(page.get_by_role("tabpanel", name="CAM")).to_be_visible()
    # None is wider when it is chosen: one that stands last in its row would go to the next.
    assert tabs.evaluate_all(places) == before
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(tabs.last).to_be_focused()
    assert trait(page, "section") == "dream"
    assert page.evaluate("() => stub.keys") == []


def test_without_a_kernel_there_is_no_panel(show_panel):
    page = show_panel(live=False, opened=False)
    expect(page.locator(".rw-why")).to_be_hidden()
