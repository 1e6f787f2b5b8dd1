"""LayerTree in Chromium: what is drawn, keys, ARIA, search, marks."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from resnet_widgets.widgets.layer_tree import LayerTree

OUT = "conv3_block1_out"


def layer(path, kind="Conv2D", inputs=(), shape=(28, 28, 512), stage=None, block=""):
    return {
        "path": path,
        "name": path.rpartition("/")[2],
        "kind": kind,
        "stage": path[:5] if stage is None else stage,
        "block": block,
        "shape": list(shape),
        "dtype": "float32",
        "parameters": 0,
        "field": {"size": [99, 99], "stride": [8, 8], "start": [0, 0]},
        "inputs": list(inputs),
    }


def residual_block(name, before):
    def part(short, *inputs, kind="Conv2D"):
        taken = [path if path == before else f"{name}_{path}" for path in inputs]
        return layer(f"{name}_{short}", kind, taken, block=name)

    return [
        part("1_conv", before),
        part("0_conv", before),
        part("1_relu", "1_conv", kind="Activation"),
        part("0_bn", "0_conv", kind="BatchNormalization"),
        part("2_conv", "1_relu"),
        part("3_conv", "2_conv"),
        part("add", "0_bn", "3_conv", kind="Add"),
        part("out", "add", kind="Activation"),
    ]


ROWS = [
    layer("conv1_conv", shape=(112, 112, 64)),
    layer("conv1_relu", "Activation", ["conv1_conv"], shape=(112, 112, 64)),
    *residual_block("conv3_block1", "conv1_relu"),
    *residual_block("conv3_block2", OUT),
    *residual_block("conv4_block1", "conv3_block2_out"),
    layer("predictions", "Dense", ["conv4_block1_out"], shape=(1000,), stage="head"),
]


@pytest.fixture()
def tree(show):
    """Opens a tree in a page."""

    def open_tree(width=280, **state):
        return show("layer_tree.js", LayerTree, width=width, **{"layers": ROWS, **state})

    return open_tree


def seen(page):
    """Full names of the rows that can be seen, from top to bottom."""
    return page.eval_on_selector_all(
        "[role=treeitem]",
        "items => items.filter(i => i.checkVisibility()).map(i => i.getAttribute('aria-label'))",
    )


def focused(page):
    return page.evaluate("document.activeElement.getAttribute('aria-label')")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def item(page, name):
    return page.get_by_role("treeitem", name=name, exact=True)


def row(page, name):
    return item(page, name).locator(":scope > .rw-tree-row")


def selected(page):
    return page.evaluate("stub.models.shown.get('selected')")


def set_trait(page, name, value):
    page.evaluate("([name, value]) => stub.models.shown.set(name, value)", [name, value])


def test_what_is_not_opened_is_not_drawn(tree):
    many = [
        layer(f"conv{stage}_block{block}_{n}", block=f"conv{stage}_block{block}")
        for stage in range(2, 6)
        for block in range(1, 11)
        for n in range(13)
    ]
    page = tree(layers=many)
    assert page.locator("[role=treeitem]").count() == 4
    row(page, "conv2").click()
    assert page.locator("[role=treeitem]").count() == 4 + 10
    row(page, "conv2_block3").click()
    assert page.locator("[role=treeitem]").count() == 4 + 10 + 13


def test_a_stage_opens_and_closes_by_click(tree):
    page = tree()
    assert seen(page) == ["conv1", "conv3", "conv4", "head"]
    row(page, "conv3").click()
    expect(item(page, "conv3")).to_have_attribute("aria-expanded", "true")
    assert seen(page) == ["conv1", "conv3", "conv3_block1", "conv3_block2", "conv4", "head"]
    row(page, "conv3").click()
    expect(item(page, "conv3")).to_have_attribute("aria-expanded", "false")
    assert seen(page) == ["conv1", "conv3", "conv4", "head"]
    assert selected(page) == ""


def test_rows_say_what_they_are(tree):
    page = tree(selected=OUT)
    assert row(page, "conv1").inner_text().split() == ["conv1", "112²"]
    assert row(page, "conv3").inner_text().split("\n") == ["conv3", "28² · 2 blocks"]
    assert row(page, "conv3_block1").inner_text().split("\n") == ["block1", "28² × 512"]
    assert row(page, OUT).inner_text().split("\n") == ["R", "out", "512"]
    badge = row(page, OUT).locator(".rw-tree-badge")
    expect(badge).to_have_attribute("title", "Activation")


def test_the_selected_layer_is_shown_with_its_parents_open_and_its_facts(tree):
    page = tree(selected=OUT)
    assert OUT in seen(page)
    expect(item(page, OUT)).to_have_attribute("aria-selected", "true")
    assert page.locator("[aria-selected=true]").count() == 1
    assert page.locator(".rw-tree-facts").inner_text().split("\n") == [
        OUT,
        "Activation · 28 × 28 × 512",
        "no parameters",
        "sees 99 × 99 px, stride 8",
    ]
    set_trait(page, "selected", "conv4_block1_add")
    expect(item(page, "conv4_block1_add")).to_have_attribute("aria-selected", "true")
    assert page.locator("[aria-selected=true]").count() == 1
    set_trait(page, "selected", "")
    assert page.locator("[aria-selected=true]").count() == 0
    expect(page.locator(".rw-tree-facts")).to_be_hidden()


def test_a_click_selects_and_tells_the_kernel_once(tree):
    page = tree(selected=OUT)
    row(page, "conv3_block1_add").click()
    assert selected(page) == "conv3_block1_add"
    assert page.evaluate("stub.models.shown.saved") == [{"selected": "conv3_block1_add"}]
    row(page, "conv3_block1_add").click()
    assert len(page.evaluate("stub.models.shown.saved")) == 1


def test_the_list_scrolls_to_the_selection_and_the_page_stays(tree):
    page = tree()
    page.evaluate("""() => {
      document.querySelector(".rw-tree").style.setProperty("--rw-tree-height", "220px");
      document.body.style.paddingTop = document.body.style.paddingBottom = "2000px";
    }""")
    inside = """name => {
      const list = document.querySelector(".rw-tree-list").getBoundingClientRect();
      const row = document.querySelector(`[aria-label=${name}] > .rw-tree-row`)
      const { top, bottom } = row.getBoundingClientRect();
      return top >= list.top - 0.5 && bottom <= list.bottom + 0.5;
    }"""
    for name in ("conv4_block1_out", "conv3_block1_1_conv"):
        set_trait(page, "selected", name)
        assert page.evaluate(inside, name)
        assert page.evaluate("scrollY") == 0
    item(page, "conv3_block1_1_conv").evaluate("item => item.focus({ preventScroll: true })")
    press(page, "End")
    assert page.evaluate(inside, "head")
    assert page.evaluate("scrollY") == 0


def test_a_tree_drawn_before_it_has_its_place_shows_the_selection_later(tree):
    page = tree(selected="conv4_block1_out")
    page.evaluate("""async () => {
      const place = document.createElement("div");
      place.style.cssText = "display: none; --rw-tree-height: 200px";
      const el = document.createElement("div");
      place.append(el);
      document.body.append(place);
      const { default: widget } = await import("/layer_tree.js");
      await widget.render({ model: stub.models.shown, el, signal: stub.signal });
      place.style.display = "block";
    }""")
    page.wait_for_function("() => document.querySelectorAll('.rw-tree-list')[1].scrollTop > 0")


def test_layers_of_the_shortcut_stand_apart_just_before_the_addition(tree):
    page = tree(selected=OUT)
    inside = item(page, "conv3_block1").locator("[role=treeitem]")
    labels = inside.locator(".rw-tree-label").all_inner_texts()
    assert labels == ["1_conv", "1_relu", "2_conv", "3_conv", "0_conv", "0_bn", "add", "out"]
    marked = page.locator(".rw-tree-shortcut")
    assert marked.locator(".rw-tree-label").all_inner_texts() == ["0_conv", "0_bn"]
    assert page.locator(".rw-tree-heading").all_inner_texts() == ["shortcut"]
    assert "shortcut" in item(page, "conv3_block1_0_bn").get_attribute("aria-description")
    indent = [
        row(page, f"conv3_block1_{name}").locator(".rw-tree-badge").bounding_box()["x"]
        for name in ("0_conv", "add")
    ]
    assert indent[0] > indent[1]


def test_positions_are_told_to_a_screen_reader(tree):
    page = tree(selected=OUT)
    expect(page.get_by_role("tree")).to_have_accessible_name("Layers")
    told = item(page, OUT).evaluate(
        "i => ['level', 'setsize', 'posinset'].map(n => i.getAttribute(`aria-${n}`))"
    )
    assert told == ["3", "8", "8"]
    assert item(page, OUT).evaluate("i => i.parentElement.role") == "group"
    assert item(page, OUT).get_attribute("aria-expanded") is None
    expect(item(page, OUT)).to_have_accessible_description(
        "Activation · 28 × 28 × 512, not in the cache"
    )


def test_one_row_is_in_the_tab_order(tree):
    page = tree(selected=OUT)
    assert page.locator("[role=treeitem][tabindex='0']").count() == 1
    press(page, "Tab", "Tab")
    assert focused(page) == OUT
    press(page, "ArrowUp")
    assert page.locator("[role=treeitem][tabindex='0']").count() == 1
    expect(item(page, "conv3_block1_add")).to_be_focused()


def test_arrows_walk_open_and_close(tree):
    page = tree()
    press(page, "Tab", "Tab")
    assert focused(page) == "conv1"
    press(page, "ArrowUp")
    assert focused(page) == "conv1"
    press(page, "ArrowDown", "ArrowRight")
    assert focused(page) == "conv3"
    assert "conv3_block1" in seen(page)
    press(page, "ArrowRight", "ArrowRight", "ArrowRight")
    assert focused(page) == "conv3_block1_1_conv"
    assert selected(page) == "conv3_block1_1_conv"
    press(page, "ArrowRight")
    assert focused(page) == "conv3_block1_1_conv"
    press(page, "ArrowLeft")
    assert focused(page) == "conv3_block1"
    press(page, "ArrowLeft", "ArrowLeft", "ArrowLeft")
    assert focused(page) == "conv3"
    assert seen(page) == ["conv1", "conv3", "conv4", "head"]
    press(page, "End")
    assert focused(page) == "head"
    press(page, "ArrowDown")
    assert focused(page) == "head"
    press(page, "Home")
    assert focused(page) == "conv1"
    assert selected(page) == "conv3_block1_1_conv", "groups are not selected"


def test_enter_space_and_star(tree):
    page = tree()
    press(page, "Tab", "Tab", "Enter")
    assert "conv1_conv" in seen(page)
    press(page, "Space")
    assert "conv1_conv" not in seen(page)
    press(page, "*")
    opened = page.locator("[aria-expanded=true]")
    assert [i.get_attribute("aria-label") for i in opened.all()] == [
        "conv1",
        "conv3",
        "conv4",
        "head",
    ]
    press(page, "ArrowDown")
    set_trait(page, "selected", "")
    press(page, "Enter")
    assert selected(page) == "conv1_conv"


def test_typing_leads_to_a_row(tree):
    page = tree(selected=OUT)
    row(page, "conv3_block1_1_conv").click()
    page.keyboard.type("2_c")
    assert focused(page) == "conv3_block1_2_conv"
    assert selected(page) == "conv3_block1_2_conv"


def test_no_key_reaches_the_notebook(tree):
    page = tree(selected=OUT)
    row(page, OUT).click()
    press(page, "x", "d", "d", "ArrowDown", "Enter", "a", "b", "Escape", "?", "/")
    page.keyboard.type("conv x")
    press(page, "ArrowDown", "Escape")
    assert page.evaluate("stub.keys") == []


def test_keys_the_tree_has_no_use_for_are_left_to_what_is_around_it(tree):
    page = tree(selected=OUT)
    page.evaluate("document.getElementById('place').classList.add('rw')")
    row(page, OUT).click()
    press(page, "ArrowUp", "?", "F2", "o", "?")
    assert page.evaluate("stub.keys") == ["?", "F2"], (
        "the last one belongs to a word begun in the tree"
    )


def search_for(page, text):
    page.get_by_role("searchbox", name="Find a layer").fill(text)


def test_search_shows_what_is_found_with_its_parents(tree):
    page = tree()
    search_for(page, "ADD conv3")
    assert seen(page) == [
        "conv3",
        "conv3_block1",
        "conv3_block1_add",
        "conv3_block2",
        "conv3_block2_add",
    ]
    expect(page.get_by_role("status")).to_have_text("2 of 27 layers")
    expect(item(page, "conv3_block2_add")).to_have_attribute("aria-setsize", "1")


def test_enter_selects_what_is_found_first_and_escape_ends_the_search(tree):
    page = tree()
    page.keyboard.press("Tab")
    press(page, "Enter")
    assert selected(page) == "", "nothing was searched for"
    page.keyboard.type("block2_out")
    press(page, "Enter")
    assert selected(page) == "conv3_block2_out"
    press(page, "Escape")
    expect(page.get_by_role("searchbox")).to_have_value("")
    expect(page.get_by_role("searchbox")).to_be_focused()
    assert {"conv1", "conv3_block2_out", "head"} < set(seen(page))
    assert "conv3_block1_out" not in seen(page)


def test_slash_leads_to_the_search_and_down_to_the_first_row(tree):
    page = tree(selected=OUT)
    row(page, OUT).click()
    press(page, "/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.get_by_role("searchbox")).to_have_value("")
    page.keyboard.type("conv4_block1_2")
    press(page, "ArrowDown")
    assert focused(page) == "conv4_block1_2_conv"
    press(page, "Escape")
    assert focused(page) == "conv4_block1_2_conv", "Escape in the list keeps the place"
    assert "conv1" in seen(page)


def test_arrows_walk_what_is_found_only(tree):
    page = tree()
    search_for(page, "1_conv")
    press(page, "ArrowDown")
    assert focused(page) == "conv1_conv"
    press(page, "ArrowRight", "ArrowDown")
    assert focused(page) == "conv3", "a layer has nothing to open; a stage follows"
    press(page, "Home")
    assert focused(page) == "conv1"


def test_what_was_open_before_a_search_is_open_after_it(tree):
    page = tree()
    row(page, "conv3").click()
    before = seen(page)
    search_for(page, "predictions")
    search_for(page, "conv1")
    search_for(page, "")
    assert seen(page) == before


def test_nothing_found_and_no_model_say_so(tree):
    page = tree()
    search_for(page, "<b>vgg</b>")
    expect(page.get_by_role("status")).to_have_text("No layer matches “<b>vgg</b>”")
    expect(page.locator(".rw-tree-list")).to_be_hidden()
    search_for(page, "")
    set_trait(page, "layers", [])
    expect(page.get_by_role("status")).to_have_text("No model yet")
    expect(page.get_by_role("searchbox")).to_be_disabled()
    set_trait(page, "layers", ROWS)
    assert seen(page) == ["conv1", "conv3", "conv4", "head"]
    expect(page.get_by_role("status")).to_have_text("")


def dot(page, name):
    return row(page, name).locator(".rw-tree-dot")


def test_dots_tell_what_is_in_the_cache(tree):
    page = tree(selected=OUT)
    expect(dot(page, OUT)).to_have_attribute("data-cached", "none")
    set_trait(page, "cached", [OUT, "conv1_conv", "conv1_relu", "unknown"])
    states = dict.fromkeys((OUT, "conv1"), "all") | {"conv3_block1": "some", "conv4": "none"}
    for name, state in states.items():
        expect(dot(page, name)).to_have_attribute("data-cached", state)
    expect(dot(page, "conv3_block1")).to_have_attribute("title", "1 of 8 layers in the cache")
    ready = dot(page, OUT).evaluate("d => getComputedStyle(d).backgroundColor")
    not_ready = dot(page, "conv3_block1_add").evaluate("d => getComputedStyle(d).backgroundColor")
    assert ready == "rgb(31, 138, 91)"
    assert not_ready == "rgba(0, 0, 0, 0)"
    assert "in the cache" in item(page, OUT).get_attribute("aria-description")
    row(page, "conv1").click()
    expect(dot(page, "conv1_relu")).to_have_attribute("data-cached", "all")


def test_the_layer_that_is_computed_pulses_unless_motion_is_unwanted(tree):
    page = tree(selected=OUT, computing=OUT)
    names = "d => getComputedStyle(d).animationName"
    for name in (OUT, "conv3_block1", "conv3"):
        assert dot(page, name).evaluate(names) == "rw-tree-pulse"
    assert "being computed" in item(page, OUT).get_attribute("aria-description")
    page.emulate_media(reduced_motion="reduce")
    assert dot(page, OUT).evaluate(names) == "none"
    assert dot(page, OUT).evaluate("d => getComputedStyle(d).boxShadow") != "none"
    set_trait(page, "computing", "")
    assert page.locator(".rw-tree-computing").count() == 0


HOSTILE = [
    '<img src=x onerror="alert(1)">',
    "\"'><script>alert(1)</script>",
    "one\ntwo\tthree",
    "__proto__",
    "x" * 300,
    "\u202eevil",
]


def test_hostile_names_are_only_text(tree):
    page = tree(layers=[], cached=["__proto__"], computing="constructor")
    page.evaluate("() => void (window.alert = (text) => stub.keys.push(text))")
    layers = [layer(name, kind=name, stage="__proto__", block=name) for name in HOSTILE]
    set_trait(page, "layers", layers)
    row(page, "__proto__").first.click()
    row(page, "__proto__").first.click()
    for name in HOSTILE:
        set_trait(page, "selected", name)
        assert page.locator("[aria-selected=true]").get_attribute("aria-label") == name
        heights = page.eval_on_selector_all(
            ".rw-tree-row, .rw-tree-facts > div",
            "rows => rows.map(r => r.getBoundingClientRect()).filter(b => b.height > 24)",
        )
        assert heights == []
    assert page.locator("#place img, #place script").count() == 0
    assert page.evaluate("stub.keys") == [], "no script has run"
    assert page.evaluate("document.querySelector('.rw-tree').scrollWidth") <= 280


def test_it_fits_240_pixels(tree):
    page = tree(width=240, selected=OUT)
    wide = page.eval_on_selector_all(
        ".rw-tree *", "all => all.filter(n => n.getBoundingClientRect().right > 260).length"
    )
    assert wide == 0
    label = row(page, OUT).locator(".rw-tree-label")
    assert label.evaluate("l => l.scrollWidth <= l.clientWidth"), "short names are whole"


def test_an_ended_view_listens_no_more(tree):
    page = tree()
    page.evaluate("stub.end()")
    assert page.evaluate("stub.models.shown.listening()") == 0
    row(page, "conv3").click()
    assert "conv3_block1" not in seen(page)
