"""ChannelSlider in Chromium: keys, pointer, ARIA, order, play."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from playwright.sync_api import expect

from resnet_widgets.widgets import ChannelSlider

STRENGTH = np.array([3, 0, 5, 1, 4, 2, 0.5, 6], np.float32)
BY_STRENGTH = [7, 2, 4, 0, 5, 3, 6, 1]


@pytest.fixture
def show_slider(show):
    def show_it(strength=STRENGTH, **state):
        frames = {"conv": np.broadcast_to(strength, (2, 2, len(strength)))}
        page = show("channel_slider.js", ChannelSlider, frames, layer="conv", **state)
        if state.get("store", "") is not None:
            page.wait_for_selector("[aria-valuetext*=strength]")
        return page

    return show_it


def value(page):
    return page.evaluate("stub.models.shown.get('value')")


def saved_values(page):
    saved = page.evaluate("stub.models.shown.saved")
    return [batch["value"] for batch in saved if "value" in batch]


def watch(page):
    """From now on each value that the page has is in `seen`."""
    page.evaluate(
        """() => {
          const model = stub.models.shown;
          window.seen = [];
          model.on("change:value", () => seen.push(model.get("value")));
        }"""
    )


def press(page, *keys):
    page.get_by_role("slider").focus()
    seen = []
    for key in keys:
        page.keyboard.press(key)
        seen.append(value(page))
    return seen


def test_keys_walk_through_all_channels(show_slider):
    page = show_slider(value=2)
    assert press(page, "ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown") == [3, 4, 3, 2]
    assert press(page, "End", "ArrowRight", "PageDown", "Home", "ArrowLeft") == [7, 7, 6, 0, 0]
    assert press(page, "PageUp", "x") == [1, 1]
    assert page.evaluate("stub.keys") == []


def test_keys_follow_the_order(show_slider):
    page = show_slider(value=7, order="strength")
    assert [7, *press(page, *["ArrowRight"] * 7)] == BY_STRENGTH


def test_the_strongest_channel_is_one_action_away_in_any_order(show_slider):
    page = show_slider(value=1, order="index")
    page.get_by_role("button", name="strongest").click()
    assert value(page) == BY_STRENGTH[0]
    assert saved_values(page) == [BY_STRENGTH[0]]


def test_the_strongest_of_a_layer_on_its_way_is_chosen_when_it_is_there(show):
    frames = {"conv": np.broadcast_to(STRENGTH, (2, 2, 8)), "next": np.zeros((2, 2, 8))}
    frames["next"][..., 3] = 1
    page = show("channel_slider.js", ChannelSlider, frames, layer="conv", value=1)
    page.wait_for_selector("[aria-valuetext*=strength]")
    page.evaluate("stub.holding = true; stub.models.shown.update({ layer: 'next' })")
    page.wait_for_function("stub.held.length === 1")
    page.get_by_role("button", name="strongest").click()
    assert value(page) == 1, "that of the layer before says nothing"
    page.evaluate("stub.release()")
    page.wait_for_function("stub.models.shown.get('value') === 3")


def test_the_wish_for_the_strongest_outlives_a_layer_with_fewer_channels(show):
    frames = {"conv": np.broadcast_to(STRENGTH, (2, 2, 8)), "next": np.zeros((2, 2, 4))}
    frames["next"][..., 1] = 1
    page = show("channel_slider.js", ChannelSlider, frames, layer="conv", value=7)
    page.wait_for_selector("[aria-valuetext*=strength]")
    page.evaluate("stub.holding = true; stub.models.shown.update({ layer: 'next' })")
    page.wait_for_function("stub.held.length === 1")
    page.get_by_role("button", name="strongest").click()
    page.evaluate("stub.release()")
    page.wait_for_function("stub.models.shown.get('value') < 4")
    assert value(page) == 1


def test_hidden_channels_are_passed_over_and_counted(show_slider):
    # All channels of this frame are constant, and one of them is dead.
    page = show_slider(value=2, hide=True)
    slider = page.get_by_role("slider")
    text = "channel 2 of 8, strength 5.00, constant, 7 hidden"
    expect(slider).to_have_attribute("aria-valuetext", text)
    note = page.locator(".rw-track-note")
    expect(note).to_have_text("=constant7 hidden")
    assert press(page, "ArrowRight", "End", "Home") == [2, 2, 2]
    page.evaluate("stub.models.shown.update({ hide: false })")
    expect(note).to_have_text("=constant")
    assert press(page, "ArrowRight") == [3]


def test_the_strongest_is_none_that_is_hidden(show):
    array = np.random.default_rng(0).random((6, 6, 4), np.float32)
    array[..., 1] = 9
    array[..., 2] += 0.5
    page = show("channel_slider.js", ChannelSlider, {"conv": array}, layer="conv", hide=True)
    page.wait_for_selector("[aria-valuetext*=strength]")
    strongest = page.get_by_role("button", name="strongest")
    strongest.click()
    assert value(page) == 2
    assert press(page, "Home", "ArrowRight", "ArrowRight") == [0, 2, 3]
    page.evaluate("stub.models.shown.update({ hide: false })")
    strongest.click()
    assert value(page) == 1


def test_what_is_the_matter_with_a_channel_is_seen_and_heard(show):
    array = np.random.default_rng(0).random((4, 4, 4), np.float32)
    array[..., 1] = 0
    array[:3, :, 2] = 1
    array[0, 0, 3] = np.nan
    page = show("channel_slider.js", ChannelSlider, {"conv": array}, layer="conv")
    page.wait_for_selector("[aria-valuetext*=strength]")
    slider = page.get_by_role("slider")
    signs = [[], ["0", "dead"], ["^", "saturated"], ["×", "not finite"]]

    def said(channel):
        page.evaluate("value => stub.models.shown.update({ value })", channel)
        text = slider.get_attribute("aria-valuetext")
        assert slider.get_attribute("title") == text
        marks = page.locator(".rw-track-note > :visible").all_inner_texts()
        assert marks == signs[channel]
        return text.split(", ", 2)[2:]

    assert [said(channel) for channel in range(4)] == [
        [],
        ["dead: all zero for this photo"],
        ["saturated: at its maximum in half of its cells or more"],
        ["has cells that are not finite"],
    ]


def test_a_vector_has_no_constant_channels(show):
    page = show("channel_slider.js", ChannelSlider, {"fc": STRENGTH}, layer="fc", value=1)
    page.wait_for_selector("[aria-valuetext*=strength]")
    text = "channel 1 of 8, strength 0.00"
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuetext", text)


def test_a_reader_hears_channel_and_strength(show_slider):
    page = show_slider(value=4, order="strength", description="Filter")
    slider = page.get_by_role("slider", name="Filter")
    expect(slider).to_have_attribute("aria-valuetext", "channel 4 of 8, strength 4.00, constant")
    for name, number in [("now", "2"), ("min", "0"), ("max", "7")]:
        expect(slider).to_have_attribute(f"aria-value{name}", number)


def test_a_drag_ends_where_the_pointer_does(show_slider):
    page = show_slider()
    box = page.get_by_role("slider").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 2, y)
    page.mouse.down()
    for step in range(1, 30):
        page.mouse.move(box["x"] + step / 30 * 5.5 / 8 * box["width"], y)
    page.mouse.move(box["x"] + 5.5 / 8 * box["width"], y + 300)
    page.mouse.up()
    page.wait_for_function("() => stub.models.shown.get('value') === 5")
    page.mouse.move(box["x"] + 2, y)
    assert value(page) == 5
    # The kernel hears each position once, and the last one last.
    sent = saved_values(page)
    assert sent[-1] == 5
    assert all(a != b for a, b in pairwise(sent))


def test_a_burst_of_moves_sets_the_value_once_a_frame(show_slider):
    page = show_slider(np.ones(200, np.float32))
    watch(page)
    page.get_by_role("slider").evaluate(
        """async (track) => {
          const box = track.getBoundingClientRect();
          const move = (share) => track.dispatchEvent(new PointerEvent("pointermove",
            { pointerId: 1, clientX: box.left + share * box.width }));
          track.hasPointerCapture = () => true;
          await new Promise(requestAnimationFrame);
          for (let i = 0; i < 100; i++) move((i + 0.6) / 100);
        }"""
    )
    page.wait_for_function("() => stub.models.shown.get('value') === 199")
    assert page.evaluate("seen") == [1, 199]


def test_the_kernel_follows_at_its_own_pace_and_is_there_when_the_hand_lets_go(show_slider):
    page = show_slider(np.ones(200, np.float32))
    page.get_by_role("slider").evaluate(
        """async (track) => {
          const key = (kind, key) => track.dispatchEvent(
            new KeyboardEvent(kind, { key, bubbles: true, cancelable: true }));
          key("keydown", "ArrowRight");
          // The first is said as soon as the page has taken it in, in a microtask.
          await null;
          for (let i = 1; i < 100; i++) key("keydown", "ArrowRight");
          window.meanwhile = stub.models.shown.saved.length;
          key("keyup", "ArrowRight");
        }"""
    )
    assert value(page) == 100
    assert page.evaluate("meanwhile") == 1
    assert saved_values(page) == [1, 100]


def test_the_thumb_is_the_bar_of_its_channel(show_slider):
    page = show_slider(value=3, order="strength")
    box, thumb = page.locator(".rw-bars-box").bounding_box(), page.locator(".rw-thumb")
    place = thumb.bounding_box()
    center = (place["x"] + place["width"] / 2 - box["x"]) / box["width"]
    assert center == pytest.approx(5.5 / 8, abs=0.01)
    edge = thumb.evaluate("(thumb) => parseFloat(thumb.style.getPropertyValue('--rw-from'))")
    assert 1 - edge / 100 == pytest.approx(1 / 6, rel=1e-6)
    path = page.locator(".rw-bars path").get_attribute("d")
    heights = [float(part.split("v-")[1].split("h")[0]) for part in path.split("M")[1:7]]
    assert heights == sorted(heights, reverse=True)


def test_more_channels_than_pixels_are_all_in_reach(show_slider):
    page = show_slider(np.arange(2048, dtype=np.float32), value=1000)
    assert press(page, "ArrowRight", "ArrowRight", "End") == [1001, 1002, 2047]
    bars = page.locator(".rw-bars path").get_attribute("d").count("M")
    assert bars <= page.get_by_role("slider").bounding_box()["width"]


def test_choosing_an_order_keeps_the_channel(show_slider):
    page = show_slider(value=2)
    page.get_by_label("Order of the channels").select_option("strength")
    assert value(page) == 2
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "1")


def test_playing_goes_to_the_end_and_stops(show_slider):
    page = show_slider(value=2, order="strength", speed=60)
    watch(page)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("() => !stub.models.shown.get('playing')")
    assert page.evaluate("seen") == BY_STRENGTH[2:]
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("() => !stub.models.shown.get('playing')")
    assert page.evaluate("seen")[-8:] == BY_STRENGTH


def test_two_views_play_at_the_pace_of_one(show_slider):
    page = show_slider(speed=60)
    watch(page)
    page.evaluate(
        """async () => {
          const el = document.body.appendChild(document.createElement("div"));
          const { default: widget } = await import("/channel_slider.js");
          const { signal, host } = stub;
          await widget.render({ model: stub.models.shown, el, signal, host });
        }"""
    )
    page.evaluate("stub.models.shown.update({ playing: true })")
    page.wait_for_function("() => !stub.models.shown.get('playing')")
    assert page.evaluate("seen") == [*range(1, 8)]


def test_a_hand_on_the_slider_stops_the_play(show_slider):
    page = show_slider(playing=True, speed=0.1)
    page.get_by_role("slider").click()
    assert page.evaluate("stub.models.shown.get('playing')") is False


def test_a_layer_with_fewer_channels_pulls_the_value_in(show_slider):
    page = show_slider(value=500)
    page.wait_for_function("() => stub.models.shown.get('value') === 7")


def test_alone_it_counts(show_slider):
    page = show_slider(store=None, count=12, value=4)
    slider = page.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuetext", "channel 4 of 12")
    expect(page.get_by_label("Order of the channels")).to_be_hidden()
    assert press(page, "End") == [11]
    page.evaluate("stub.models.shown.update({ count: 5 })")
    expect(slider).to_have_attribute("aria-valuemax", "4")


def test_without_channels_it_is_disabled(show_slider):
    page = show_slider(store=None, count=0)
    slider = page.get_by_role("slider")
    expect(slider).to_have_attribute("aria-disabled", "true")
    assert press(page, "ArrowRight", "End") == [0, 0]


def test_a_view_that_is_gone_listens_to_nothing(show_slider):
    page = show_slider()
    page.evaluate("stub.end()")
    assert page.evaluate("stub.models.shown.listening()") == 0


def test_the_speed_can_be_chosen(show_slider):
    page = show_slider(speed=3.0)
    speed = page.get_by_label("Channels a second")
    expect(speed.locator("option:checked")).to_have_text("3 / s")
    speed.select_option("16")
    assert page.evaluate("stub.models.shown.get('speed')") == 16
    assert page.evaluate("stub.models.shown.saved") == [{"speed": 16}]


def test_similarity_is_to_the_channel_it_was_asked_for(show):
    rng = np.random.default_rng(0)
    frames = {"conv": rng.normal(size=(4, 4, 6))}
    page = show("channel_slider.js", ChannelSlider, frames, layer="conv", value=2)
    page.wait_for_selector("[aria-valuetext*=strength]")
    page.get_by_label("Order of the channels").select_option("similarity")
    slider = page.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuenow", "0")
    order = [2, *press(page, *["ArrowRight"] * 5)]
    planes = frames["conv"].reshape(-1, 6).T
    assert order == list(np.argsort(-np.corrcoef(planes)[2]))
