"""The panel that asks why, under hands that are quicker or slower than its answers."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from .conftest import LAYER
from .painted import next_frame
from .test_explain import EDITED, RESIDUAL, SCORES, answer, answer_photo, show_cam, trait, update

MUTED = [{"kind": "mute", "layer": LAYER, "channels": [7]}]


def count_of(what):
    return f"stub.models.shown.sent.filter((m) => m.kind === 'ask' && m.what === '{what}').length"


@pytest.mark.parametrize("by", ["pointer", "Space"])
def test_a_press_during_which_the_answer_comes_is_a_click(show_panel, by):
    page = show_panel()
    answer(page, "scores", SCORES)
    pin = page.get_by_role("button", name="pin dog")
    update(page, edits=MUTED)
    page.wait_for_function(f"{count_of('scores')} === 2")
    if by == "pointer":
        pin.hover()
        page.mouse.down()
    else:
        pin.focus()
        page.keyboard.down(by)
    # Of what comes meanwhile the last is shown, then.
    answer(page, "scores", EDITED)
    update(page, edits=[*MUTED, {**MUTED[0], "channels": [8]}])
    page.wait_for_function(f"{count_of('scores')} === 3")
    answer(page, "scores", {**EDITED, "rows": EDITED["rows"][:1]})
    next_frame(page)
    page.mouse.up() if by == "pointer" else page.keyboard.up(by)
    assert trait(page, "target") == 5
    expect(page.locator(".rw-why-scores tbody th")).to_have_text(["dog"])


def focus_and_answer(page):
    """Focuses a class, which then is in another row and still has the focus."""
    page.get_by_role("button", name="pin dog").focus()
    update(page, edits=MUTED)
    page.wait_for_function(f"{count_of('scores')} === 2")
    answer(page, "scores", EDITED)
    expect(page.locator(".rw-why-scores tbody th").first).to_have_text("dog")
    expect(page.get_by_role("button", name="pin dog")).to_be_focused()


def test_the_focus_stays_with_its_class_and_its_channel(show_panel):
    page = show_panel()
    answer(page, "scores", SCORES)
    focus_and_answer(page)
    page.keyboard.press("Enter")
    assert trait(page, "target") == 5
    update(page, section="cam")
    show_cam(page)
    row = page.locator(".rw-why-list .rw-row", has_text="ch 2")
    row.evaluate("(row) => row.focus()")
    page.get_by_label("Channels ranked by").evaluate(
        "(by) => { by.value = 'weight'; by.dispatchEvent(new Event('change')); }"
    )
    expect(page.locator(".rw-why-list .rw-row").nth(1)).to_contain_text("ch 2")
    expect(row).to_be_focused()


def test_another_channel_changes_no_answer_and_no_row(show_panel):
    page = show_panel()
    answer(page, "scores", SCORES)
    pin = page.get_by_role("button", name="pin dog").element_handle()
    update(page, channel=8, layer="a")
    next_frame(page)
    assert page.evaluate(count_of("scores")) == 1
    assert pin.evaluate("(pin) => pin.isConnected")
    # New weights, of which all frames are forgotten, say something else.
    for times in (2, 3):
        # The second time they come while it is asked what the first ones say.
        page.evaluate("() => stub.models.store.receive({kind: 'forget', photo: null}, [])")
        next_frame(page)
        if times == 3:
            answer(page, "scores", EDITED)
        page.wait_for_function(f"{count_of('scores')} === {times}")
    answer(page, "scores", EDITED)
    # An answer that is for other edits in the end is not the last word.
    update(page, edits=MUTED)
    for times in (4, 5, 6):
        page.wait_for_function(f"{count_of('scores')} === {times}")
        answer(page, "scores", {**EDITED, "edits": []})
    update(page, photo="cat 1234")
    page.wait_for_function(f"{count_of('scores')} === 7")
    answer(page, "scores", {**EDITED, "edits": MUTED})
    update(page, layer=LAYER, section="cam")
    show_cam(page)
    row = page.locator(".rw-why-list .rw-row").first
    handle = row.element_handle()
    expect(row).to_have_attribute("aria-pressed", "false")
    update(page, channel=2)
    expect(row).to_have_attribute("aria-pressed", "true")
    assert handle.evaluate("(row) => row.isConnected")
    assert page.evaluate(count_of("scores")) == 7


def test_what_fails_or_is_lost_does_not_keep_the_newest_question_back(show_panel):
    page = show_panel()
    update(page, edits=MUTED)
    next_frame(page)
    answer(page, "scores", None, kind="trouble", message="out of memory")
    page.wait_for_function(f"{count_of('scores')} === 2")
    answer(page, "scores", EDITED)
    expect(page.locator(".rw-why-edits li")).to_have_count(1)
    expect(page.locator(".rw-why-trouble")).to_be_hidden()


def test_an_undo_takes_the_edit_that_it_names(show_panel):
    [seven, nine, three] = [{**MUTED[0], "channels": [channel]} for channel in (7, 9, 3)]
    page = show_panel(edits=[nine])
    update(page, edits=[nine, seven, three])
    answer(page, "scores", {**EDITED, "edits": [seven]})
    page.get_by_role("button", name=f"Undo mute channel 7 of {LAYER}").click()
    assert trait(page, "edits") == [nine, three]


def test_each_view_asks_and_cancels_for_itself(show_panel):
    page = show_panel()
    page.evaluate(
        """async () => {
          const el = document.createElement("div");
          document.body.append(el);
          const widget = await stub.host.getWidget("anywidget:shown");
          await widget.render({ el, signal: stub.signal });
        }"""
    )
    page.wait_for_function(f"{count_of('scores')} === 2")
    questions = page.evaluate("() => stub.models.shown.sent")
    views = [question["view"] for question in questions]
    assert all(views) and views[0] != views[1]
    page.get_by_role("button", name="Which channels matter most?").first.click()
    page.get_by_role("button", name="Cancel").click()
    ended = {"kind": "cancel", "what": "rank", "view": views[0]}
    assert page.evaluate("() => stub.models.shown.sent.at(-1)") == ended
    # A page that goes, or a view, lets go of what it still waits for.
    for go in ("window.dispatchEvent(new Event('pagehide'))", "stub.end()"):
        page.evaluate(f"() => {{ stub.models.shown.sent.length = 0; {go}; }}")
        sent = page.evaluate("() => stub.models.shown.sent")
        for view in views:
            assert {"kind": "cancel", "what": "scores", "view": view} in sent


def test_what_blocks_bring_goes_with_their_photo(show_panel):
    page = show_panel(section="residual")
    answer(page, "residual", RESIDUAL)
    facts = page.get_by_text("brings 25 % of the energy")
    expect(facts).to_be_visible()
    update(page, channel=8)
    page.wait_for_function(f"{count_of('residual')} === 2")
    # Another channel of the same photo is no other answer yet.
    expect(facts).to_be_visible()
    update(page, photo="dog")
    page.wait_for_function(f"{count_of('residual')} === 3")
    expect(facts).to_have_count(0)
    for part in (".rw-why-maps", ".rw-why-blocks", ".rw-why-key"):
        expect(page.locator(part)).to_be_hidden()
    # The maps wait too: their range and channel are of the other photo.
    update(page, cursor=[0, 0, 0.25, 0.25])
    assert page.evaluate("() => stub.models.m0.get('photo')") == "cat"
    answer(page, "residual", {**RESIDUAL, "limit": 3})
    expect(facts).to_be_visible()
    for name, value in (("photo", "dog"), ("limits", [-3, 3]), ("cursor", [0, 0, 0.25, 0.25])):
        assert page.evaluate("name => stub.models.m0.get(name)", name) == value


def test_the_trouble_of_one_section_is_not_that_of_another(show_panel):
    page = show_panel()
    trouble = page.locator(".rw-why-trouble")
    answer(page, "scores", None, kind="trouble", message="no classes")
    expect(trouble).to_have_text("no classes")
    update(page, section="residual")
    page.wait_for_function(f"{count_of('residual')} === 1")
    expect(trouble).to_be_hidden()
    update(page, section="knobs")
    page.wait_for_function(f"{count_of('scores')} === 2")
    update(page, section="dream")
    answer(page, "estimate", {"method": "visualise", "seconds": 2})
    answer(page, "scores", None, kind="trouble", message="no classes")
    next_frame(page)
    expect(trouble).to_be_hidden()


@pytest.mark.parametrize("section", ["pixels", "cam"])
def test_a_picture_stays_when_its_photo_comes_back(show_panel, section):
    page = show_panel(section=section)
    other = "pixels" if section == "cam" else "cam"
    if section == "cam":
        show_cam(page)
    else:
        answer_photo(page)
        page.get_by_role("button", name="Compute").click()
        data = {"shape": [2, 2], "gap": None, "steps": 1, "label": "cat"}
        answer(page, "pixels", data, np.ones((2, 2), "<f4"))
    expect(page.locator(".rw-why-key")).to_be_visible()
    update(page, section=other)
    next_frame(page)
    for times, (photo, colour) in enumerate((("dog", "red"), ("cat", "lime")), 2):
        update(page, photo=photo)
        page.wait_for_function(f"{count_of('photo')} === {times}")
        answer_photo(page, colour)
    update(page, section=section)
    next_frame(page)
    page.get_by_label("How strongly the map covers the photo").fill("0")
    page.wait_for_function(
        """() => {
          const canvas = document.querySelector(".rw-why-overlay");
          return canvas.getContext("2d").getImageData(9, 9, 1, 1).data[1] === 255;
        }"""
    )


def test_a_scale_that_is_dragged_is_of_the_channel_it_began_with(show_panel):
    page = show_panel()
    answer(page, "scores", SCORES)
    factor = page.get_by_label("Scale the channel")
    box = factor.bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in (1, 2):
        # The channels are played meanwhile.
        update(page, channel=7 + step)
        page.mouse.move(box["x"] + (0.4 + 0.2 * step) * box["width"], box["y"] + 9)
        next_frame(page)
    number = float(factor.input_value())
    page.mouse.up()
    next_frame(page)
    assert number > 2
    scaled = {"kind": "scale", "layer": LAYER, "channels": [7], "factor": number}
    assert trait(page, "edits") == [scaled]
    # Then the slider is of the channel that is looked at.
    expect(factor).to_have_value("1")
    expect(page.locator(".rw-why-where b")).to_have_text(f"{LAYER} · channel 9")


def test_the_focus_stays_in_the_shadow_of_a_page_too(show_panel):
    page = show_panel()
    answer(page, "scores", SCORES)
    page.evaluate(
        """() => {
          const shadow = document.body.appendChild(document.createElement("div"));
          shadow.attachShadow({ mode: "open" }).append(document.querySelector(".rw-why"));
        }"""
    )
    focus_and_answer(page)
    page.get_by_role("button", name="Undo mute").focus()
    page.keyboard.press("Enter")
    answer(page, "scores", SCORES)
    expect(page.get_by_role("button", name="Mute", exact=True)).to_be_focused()
