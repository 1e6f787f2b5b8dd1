"""A saved page, opened from the disk in a browser that has no network."""

from __future__ import annotations

import dataclasses
import re

import keras
import numpy as np
import pytest
from playwright.sync_api import expect

import resnet_widgets as rw
from resnet_widgets.explain import Mute

from .painted import colored, next_frame, pixels

HOSTILE = (
    "</script><script>window.hacked = 1</script>",
    "\"'><img src=x onerror='window.hacked = 1'>",
    "<!-- <script> \u2028 \u2029 `${window.hacked = 1}` \\",
    "]]>&lt;b&gt; \ud800",
)
PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def network():
    keras.utils.set_random_seed(3)
    x = inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", name="conv1_conv")(x)
    x = keras.layers.ReLU(name="conv1_relu")(x)
    for stage in (2, 3):
        name = f"conv{stage}_block1"
        shortcut = keras.layers.Conv2D(8, 1, strides=2, name=f"{name}_0_conv")(x)
        x = keras.layers.Conv2D(8, 3, strides=2, padding="same", name=f"{name}_1_conv")(x)
        x = keras.layers.ReLU(name=f"{name}_1_relu")(x)
        x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
        x = keras.layers.ReLU(name=f"{name}_out")(x)
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, keras.layers.Dense(4, "softmax", name="predictions")(x))


@pytest.fixture(scope="module")
def cache():
    cache = rw.ActivationCache(network())
    cache.about = dataclasses.replace(cache.about, labels=HOSTILE, title=HOSTILE[0])
    return cache


@pytest.fixture(scope="module")
def saved(cache, tmp_path_factory):
    image = dataclasses.replace(
        rw.load_image(PHOTO), source=HOSTILE[1] + HOSTILE[2], notes=HOSTILE[:3]
    )
    explorer = rw.Explorer(image, cache=cache, layer="conv2_block1_out").wait()
    for note in HOSTILE[:3]:
        explorer.add_bookmark(note)
    page = explorer.to_html(tmp_path_factory.mktemp("pages") / "page.html")
    explorer.close()
    return page


@pytest.fixture
def open_page(chromium, saved):
    """Opens the page with no network; whatever it would have fetched is a failure."""
    opened, wrong = [], []

    def open_it(saved=saved, **options):
        context = chromium.new_context(**options)
        context.set_offline(True)
        context.set_default_timeout(10_000)
        asked = lambda route: (wrong.append(route.request.url), route.abort())  # noqa: E731
        context.route(re.compile("^(https?|wss?)://"), asked)
        page = context.new_page()
        # The policy, too, tells the console what it has stopped.
        page.on("console", lambda line: line.type == "error" and wrong.append(line.text))
        page.on("pageerror", lambda error: wrong.append(error.message))
        page.goto(saved.path.as_uri())
        opened.append(context)
        return page

    yield open_it
    hacked = [page.evaluate("window.hacked") for context in opened for page in context.pages]
    for context in opened:
        context.close()
    assert wrong == []
    assert hacked == [None] * len(hacked)


def pick(page, layer):
    """Finds a layer in the tree and chooses it."""
    field = page.get_by_role("searchbox")
    field.fill(layer)
    field.press("Enter")


def shown(page, layer, channel):
    return page.wait_for_selector(f".rw-explorer-top canvas[data-shown='{layer}#{channel}']")


GRAY = np.stack([*[np.arange(256)] * 3, np.full(256, 255)], axis=1).astype(np.uint8)


def choose_gray(page):
    page.locator(".rw-explorer-facts select").first.select_option("gray")


def in_levels(array):
    """The numbers that a page has for those of an activation: 38 to each channel."""
    low, high = array.min(axis=(0, 1)), array.max(axis=(0, 1))
    codes = np.rint((array - low) / np.where(high > low, high - low, 1) * 252)
    levels = np.where((codes == 0) | (codes == 252), codes, codes // 7 * 7 + 3)
    return low + levels / 252 * (high - low)


def is_painted(page, array, channel):
    low, high = float(array[..., channel].min()), float(array[..., channel].max())
    found = pixels(page, ".rw-explorer-top canvas[data-shown]")
    np.testing.assert_array_equal(found, colored(in_levels(array), channel, low, high, GRAY))
    assert len(np.unique(found[..., 0])) > 10


def test_layers_are_picked_and_the_slider_dragged(open_page, cache):
    page = open_page()
    canvas = page.locator(".rw-explorer-top canvas[data-shown]")
    expect(canvas).to_have_attribute("data-shown", re.compile("^conv2_block1_out#"))
    first = int(canvas.get_attribute("data-shown").split("#")[1])
    choose_gray(page)
    is_painted(page, cache.activation(PHOTO, "conv2_block1_out"), first)

    pick(page, "conv1_relu")
    shown(page, "conv1_relu", min(first, 5))
    track = page.locator(".rw-explorer-main > .rw-slider [role=slider]")
    track.hover()
    box = track.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    array = cache.activation(PHOTO, "conv1_relu")
    strongest = int(array.mean(axis=(0, 1)).argmax())
    shown(page, "conv1_relu", strongest)
    is_painted(page, array, strongest)


def test_cursor_receptive_field_colours_and_predictions(open_page, cache):
    page = open_page()
    picture = page.locator(".rw-explorer-top .rw-picture")
    picture.wait_for()
    box = picture.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.6)
    expect(page.locator(".rw-explorer-footer")).to_contain_text("photo x")
    expect(page.locator(".rw-field")).to_be_visible()
    # Exact numbers are the kernel's: nobody is asked for them, and none is promised.
    expect(page.locator(".rw-explorer-footer")).to_contain_text("≈")
    expect(page.locator(".rw-explorer [role=alert]:visible")).to_have_count(0)
    assert page.locator(".rw-stage .rw-cursor:not([hidden])").count() == 3

    before = pixels(page, ".rw-explorer-top canvas[data-shown]")
    choose_gray(page)
    after = pixels(page, ".rw-explorer-top canvas[data-shown]")
    assert (before != after).any()
    expect(page.locator(".rw-predictions li")).to_have_count(4)
    probable = cache.predictions(PHOTO)[0]
    assert page.locator(".rw-predictions li span").first.text_content() in (
        probable.label,
        probable.label.replace("\ud800", "\ufffd"),
    )
    photo = pixels(page, "canvas.rw-photo-pixels")
    assert photo[..., 3].min() == 255
    assert photo[..., :3].std() > 10


def test_units_have_their_names(open_page):
    page = open_page()
    pick(page, "predictions")
    expect(page.locator(".rw-vector").first).to_contain_text("window.hacked = 1")


def test_a_layer_that_is_not_inside_says_so(open_page, saved):
    missing = "conv2_block1_1_conv"
    assert missing not in saved.layers
    page = open_page()
    there = page.locator("[role=treeitem][data-name=conv2_block1_out]")
    other = page.locator(f"[role=treeitem][data-name={missing}]")
    style = "(item) => getComputedStyle(item.firstElementChild).borderTopStyle"
    assert [item.evaluate(style) for item in (there, other)] == ["solid", "dashed"]
    expect(there).to_have_attribute("aria-description", re.compile("in this page$"))
    expect(other).to_have_attribute("aria-description", re.compile("not in this page$"))
    facts = page.locator(".rw-tree-facts")
    expect(facts).not_to_contain_text("this page")
    pick(page, missing)
    alert = page.locator(".rw-explorer-top [role=alert]", has_text="is not in this page")
    expect(alert).to_be_visible()
    expect(facts).to_contain_text("not in this page")
    add = page.locator(".rw-stage-add")
    expect(add).to_be_disabled()
    expect(add).to_have_attribute("title", f"{missing} is not in this page")
    pick(page, "conv2_block1_out")
    page.wait_for_selector(".rw-explorer-top canvas[data-shown^='conv2_block1_out#']")
    expect(alert).to_have_count(0)
    expect(add).to_be_enabled()


def test_columns_come_move_and_go(open_page):
    page = open_page()
    shown = page.locator(".rw-stage canvas[data-shown]")
    expect(shown).to_have_count(3)
    before = [canvas.get_attribute("data-shown") for canvas in shown.all()]
    pick(page, "conv1_relu")
    page.locator(".rw-stage-add").click()
    expect(shown).to_have_count(len(before) + 1)
    added = re.compile("^conv1_relu#")
    expect(shown.last).to_have_attribute("data-shown", added)
    page.locator(".rw-stage").last.get_by_role("button", name="to the left").click()
    expect(shown.last).to_have_attribute("data-shown", before[-1])
    for _ in before:
        page.locator(".rw-stage").first.get_by_role("button", name="Remove").click()
    expect(shown).to_have_count(1)
    expect(shown).to_have_attribute("data-shown", before[-1])
    page.locator(".rw-stage").get_by_role("button", name="Remove").click()
    expect(shown).to_have_count(0)
    page.locator(".rw-stage-add").click()
    expect(shown).to_have_attribute("data-shown", added)


def test_what_needs_the_kernel_says_so(open_page):
    page = open_page()
    expect(page.locator(".rw-explorer-status")).to_have_text("saved page, no kernel")
    assert page.locator(".rw-picker").count() >= 1
    assert page.locator(".rw-picker:visible").count() == 0
    expect(page.locator(".rw-memory")).to_be_hidden()
    for place in (".rw-why", ".rw-compare"):
        words = page.locator(place).get_by_text("need the notebook this page came from")
        expect(words).to_be_visible()
    expect(page.get_by_role("button", name="Why?")).to_be_enabled()
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          const png = Uint8Array.from([137, 80, 78, 71, 13, 10, 26, 10]);
          data.items.add(new File([png], "cat.png"));
          document.querySelector(".rw-explorer").dispatchEvent(
            new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }"""
    )
    expect(page.get_by_role("alert").first).to_contain_text("needs the notebook")


def test_an_answer_with_edits_is_never_shown_as_one_without(open_page, cache, tmp_path):
    explorer = rw.Explorer(PHOTO, cache=cache, layer="conv2_block1_out").wait()
    explorer.add_bookmark("before")
    explorer.edits = [Mute("conv1_relu", 1)]
    page = open_page(explorer.wait().to_html(tmp_path / "page.html"))
    explorer.close()
    said = page.locator(".rw-predictions-edited")
    expect(said).to_have_text(re.compile("with 1 edit"))
    expect(page.get_by_role("button", name="undo")).to_be_hidden()
    page.get_by_role("button", name="before").click()
    expect(said).to_be_visible()


def test_hostile_names_are_text(open_page):
    page = open_page()
    expect(page.locator(".rw-explorer-name")).to_contain_text("onerror='window.hacked = 1'")
    assert page.title().startswith("\"'><img src=x")
    for kept, note in zip(page.locator(".rw-bookmark-go").all(), HOSTILE[:3], strict=True):
        assert kept.text_content().startswith(note)
    assert page.locator("img").count() == 0
    assert page.evaluate("document.scripts.length") == page.evaluate(
        "document.querySelectorAll('script[type], script[id]').length + 2"
    )


def test_the_policy_lets_nothing_in_or_out(chromium, saved):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(saved.path.as_uri())
    blocked = page.evaluate(
        """async () => {
          const seen = [];
          addEventListener("securitypolicyviolation", (event) =>
            seen.push(event.effectiveDirective));
          await fetch("http://127.0.0.1:9/").catch(() => {});
          const image = new Image();
          const done = new Promise((end) => { image.onerror = image.onload = end; });
          image.src = "http://127.0.0.1:9/x.png";
          await done;
          const script = document.createElement("script");
          script.textContent = "window.hacked = 1";
          document.head.append(script);
          await new Promise((end) => setTimeout(end));
          return [seen.sort(), window.hacked ?? null];
        }"""
    )
    context.close()
    assert blocked == [["connect-src", "img-src", "script-src-elem"], None]


def test_a_browser_too_old_to_unpack_it_says_so(chromium, saved):
    context = chromium.new_context()
    context.add_init_script("delete window.DecompressionStream")
    page = context.new_page()
    page.goto(saved.path.as_uri())
    expect(page.locator("body")).to_contain_text("This page could not be unpacked. It needs Chrome")
    context.close()


@pytest.mark.parametrize("width", [480, 1010])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_window_and_the_theme(open_page, width, scheme):
    page = open_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.wait_for_selector(".rw-stage canvas[data-shown]")
    next_frame(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.querySelector('.rw')).backgroundColor")
    dark = sum(map(int, re.findall(r"\d+", ground)[:3])) < 300
    assert dark == (scheme == "dark")
    assert ground == page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
