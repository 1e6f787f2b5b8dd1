"""LayerTree in Chromium: what is drawn, keys, ARIA, search, marks."""

from __future__ import annotations

import itertools
import re

import pytest
from playwright.sync_api import expect

from resnet_widgets.widgets.layer_tree import LayerTree

OUT = "conv3_block1_out"


def layer(path, kind="Conv2D", inputs=(), shape=(28, 28, 512), stage=None, block=""):
    return {
        "path": path,
        "name": path.rpartition("/")[2],
        "kind": kind,
        "detail": "1×1/2" if kind == "Conv2D" else "relu" if kind == "Activation" else "",
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
    """Full names of the rows that are drawn, from top to bottom."""
    return page.eval_on_selector_all(
        "[role=treeitem]", "items => items.map(i => i.getAttribute('data-name'))"
    )


def focused(page):
    return page.evaluate("document.activeElement.getAttribute('data-name')")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def item(page, name):
    """A stage, a block or a layer."""
    return page.locator(f"[role=treeitem][data-name='{name}']")


def twisty(page, name):
    """The triangle that opens a stage or a block and does no more."""
    return item(page, name).locator(".rw-tree-twisty")


def selected(page):
    return page.evaluate("stub.models.shown.get('selected')")


def set_trait(page, name, value):
    page.evaluate("([name, value]) => stub.models.shown.set(name, value)", [name, value])


def test_what_is_not_opened_is_not_drawn(tree):
    many = [
        layer(f"conv{stage}_block{block}_{n}", block=f"conv{stage}_block{block}")
        for stage in range(2, 6)
        for block in range(1, 11)
        for n in range(6)
    ]
    page = tree(layers=many)
    assert page.locator("[role=treeitem]").count() == 4
    twisty(page, "conv2").click()
    assert page.locator("[role=treeitem]").count() == 4 + 10
    twisty(page, "conv2_block3").click()
    assert page.locator("[role=treeitem]").count() == 4 + 10 + 6


def test_a_stage_opens_and_closes_by_its_triangle(tree):
    page = tree()
    assert seen(page) == ["conv1", "conv3", "conv4", "head"]
    twisty(page, "conv3").click()
    expect(item(page, "conv3")).to_have_attribute("aria-expanded", "true")
    assert seen(page) == ["conv1", "conv3", "conv3_block1", "conv3_block2", "conv4", "head"]
    twisty(page, "conv3").click()
    expect(item(page, "conv3")).to_have_attribute("aria-expanded", "false")
    assert seen(page) == ["conv1", "conv3", "conv4", "head"]
    assert selected(page) == ""


@pytest.mark.parametrize("by", ["click", "Enter"])
def test_opening_a_stage_or_a_block_selects_what_it_hands_on(tree, by):
    page = tree()
    press(page, "Tab", "Tab")

    def go(name, *keys):
        if by == "click":
            item(page, name).click()
        else:
            press(page, *keys, by)
        expect(item(page, name)).to_be_focused()

    go("conv3", "ArrowDown")
    assert selected(page) == "conv3_block2_out"
    expect(item(page, "conv3_block2_out")).to_be_visible()
    go("conv3_block1", "ArrowDown")
    assert selected(page) == OUT
    set_trait(page, "selected", "predictions")
    go("conv3", "ArrowUp")
    expect(item(page, "conv3")).to_have_attribute("aria-expanded", "true")
    assert selected(page) == "conv3_block2_out", "one that is open already is shown, not closed"
    set_trait(page, "selected", OUT)
    go("conv3")
    expect(item(page, "conv3")).to_have_attribute("aria-expanded", "false")
    assert selected(page) == OUT, "closing selects nothing"


def test_rows_say_what_they_are(tree):
    page = tree(selected=OUT)
    assert item(page, "conv1").inner_text().split() == ["conv1", "112²"]
    assert item(page, "conv3").inner_text().split("\n") == ["conv3", "28² · 2 blocks"]
    assert item(page, "conv3_block1").inner_text().split("\n") == ["block1", "28² × 512"]
    assert item(page, OUT).inner_text() == "ReLU"
    expect(item(page, OUT)).to_have_attribute("title", re.compile(f"^{OUT}\nActivation relu"))


def lines(page):
    """Text of each line of the layers that are drawn."""
    return [" ".join(t.split()) for t in page.locator(".rw-tree-site").all_inner_texts()]


def test_a_block_is_drawn_as_people_draw_it(tree):
    page = tree(selected=OUT)
    assert lines(page) == [
        "conv 1×1/2 ReLU 512",
        "conv 1×1/2 512",
        "conv 1×1/2 512",
        "conv 1×1/2 BN shortcut 512",
        "add ReLU 512",
    ]
    nodes = page.eval_on_selector_all(
        ".rw-tree-node",
        "nodes => nodes.map(n => [n.getAttribute('class').split('-').at(-1),"
        " n.getBoundingClientRect().x + n.getBoundingClientRect().width / 2])",
    )
    assert [sign for sign, _ in nodes] == ["dot", "dot", "dot", "dot", "add"]
    way, around = nodes[0][1], nodes[3][1]
    assert around == way - 11, "the shortcut goes around the others"
    assert [x for _, x in nodes] == [way, way, way, around, way]
    # Each line ends where the next one begins, so that the way through the block is not broken.
    ends = page.eval_on_selector_all(
        ".rw-tree-rail",
        """rails => rails.map((rail) => {
          const { y, height } = rail.getBoundingClientRect();
          const own = rail.querySelector("path").getBBox();
          return [y, y + height, own.y, own.y + own.height];
        })""",
    )
    for (_, end, _, low), (start, _, high, _) in itertools.pairwise(ends):
        assert start == end
        assert (low, high) == (24, 0)


def test_without_a_block_in_the_names_the_graph_tells_the_same(tree):
    bare = [{**one, "stage": "", "block": ""} for one in residual_block("net/a", "image")]
    page = tree(layers=bare)
    assert len(lines(page)) == 5
    assert page.locator(".rw-tree-node-add").count() == 1


def test_the_selected_layer_is_shown_with_its_parents_open_and_its_facts(tree):
    page = tree(selected=OUT)
    assert OUT in seen(page)
    expect(item(page, OUT)).to_have_attribute("aria-selected", "true")
    assert page.locator("[aria-selected=true]").count() == 1
    assert page.locator(".rw-tree-facts").inner_text().split("\n") == [
        OUT,
        "Activation relu · 28 × 28 × 512",
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
    item(page, "conv3_block1_add").click()
    assert selected(page) == "conv3_block1_add"
    assert page.evaluate("stub.models.shown.saved") == [{"selected": "conv3_block1_add"}]
    item(page, "conv3_block1_add").click()
    assert len(page.evaluate("stub.models.shown.saved")) == 1


def test_the_list_scrolls_to_the_selection_and_the_page_stays(tree):
    page = tree()
    page.evaluate("""() => {
      document.querySelector(".rw-tree").style.setProperty("--rw-tree-height", "220px");
      document.body.style.paddingTop = document.body.style.paddingBottom = "2000px";
    }""")
    inside = """name => {
      const list = document.querySelector(".rw-tree-list").getBoundingClientRect();
      const row = document.querySelector(`[data-name="${name}"]`);
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


def test_layers_of_the_shortcut_stand_just_before_the_addition(tree):
    page = tree(selected=OUT)
    inside = [name.removeprefix("conv3_block1_") for name in seen(page)[3:-3]]
    assert inside == ["1_conv", "1_relu", "2_conv", "3_conv", "0_conv", "0_bn", "add", "out"]
    for name in ("0_conv", "0_bn"):
        described = item(page, f"conv3_block1_{name}").get_attribute("aria-description")
        assert described.startswith("on the shortcut")


MANY = [
    layer("image", "InputLayer"),
    *(
        one
        for stage in range(2, 6)
        for block in range(1, 14)
        for one in residual_block(f"conv{stage}_block{block}", "image")
    ),
    *(layer(f"tail_{n}", inputs=[f"tail_{n - 1}"], stage="") for n in range(101)),
]


def test_of_517_layers_no_more_is_drawn_than_of_50(tree):
    assert len(MANY) > 517
    counts = []
    for layers in (MANY[:50], MANY):
        page = tree(layers=layers)
        start = page.locator("#place *").count()
        twisty(page, "conv2").click()
        press(page, "*", "ArrowDown", "*")
        counts.append((start, page.locator("#place *").count()))
    (_, small_open), (large, large_open) = counts
    assert large < 400
    assert large_open < 400
    assert large_open <= small_open + 20
    total = page.locator(".rw-tree-space").evaluate("s => s.offsetHeight / 24")
    assert total == 5 + 1 + 4 * 13 + 13 * 5 + 101, "and yet all of it is there"


def test_walking_and_scrolling_reach_what_is_not_drawn(tree):
    page = tree(layers=MANY)
    last = "tail_100"
    assert last not in seen(page)
    press(page, "Tab", "Tab", "End")
    expect(item(page, last)).to_be_focused()
    assert selected(page) == last
    assert "image" not in seen(page)
    page.locator(".rw-tree-list").evaluate("list => { list.scrollTop = 0; }")
    expect(item(page, "image")).to_be_visible()
    assert focused(page) == last, "what has the focus is never taken away"
    press(page, "ArrowUp")
    expect(item(page, "tail_99")).to_be_focused()
    press(page, "PageUp")
    there = int(focused(page).removeprefix("tail_"))
    assert 75 < there < 90, "about as many lines as can be seen"
    assert seen(page) == sorted(seen(page), key=[r["path"] for r in MANY].index)


@pytest.mark.parametrize("shrinks", ["search", "open_groups"])
def test_a_list_that_shrinks_while_scrolled_down_is_drawn_at_once(tree, shrinks):
    groups = [f"conv{n}" for n in range(2, 6)] + [row["block"] for row in MANY if row["block"]]
    page = tree(layers=MANY, open_groups=sorted(set(groups)))
    drawn = page.evaluate(
        """async (shrinks) => {
          const list = document.querySelector(".rw-tree-list");
          list.scrollTop = list.scrollHeight;
          for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
          const before = list.scrollTop;
          if (shrinks === "search") {
            const field = document.querySelector("input");
            field.value = "add conv2";
            field.dispatchEvent(new Event("input"));
          } else stub.models.shown.update({ open_groups: [] });
          const box = list.getBoundingClientRect();
          const rows = [...list.querySelectorAll(".rw-tree-row")].filter((row) => {
            const { top, bottom } = row.getBoundingClientRect();
            return top < box.bottom && bottom > box.top;
          });
          return [before, rows.length, Math.min(list.clientHeight, list.scrollHeight) / 24];
        }""",
        shrinks,
    )
    scrolled, rows, room = drawn
    assert scrolled > 3000
    assert rows >= int(room) > 5


def test_positions_are_told_to_a_screen_reader(tree):
    page = tree(selected=OUT)
    expect(page.get_by_role("tree")).to_have_accessible_name("Layers")
    expect(item(page, OUT)).to_have_accessible_name(f"{OUT}, ReLU")
    expect(item(page, "conv1")).to_have_accessible_name("conv1 112²")
    expect(item(page, "conv3_block1")).to_have_accessible_name("conv3_block1, block1 28² × 512")
    told = item(page, OUT).evaluate(
        "i => ['level', 'setsize', 'posinset'].map(n => i.getAttribute(`aria-${n}`))"
    )
    assert told == ["3", "8", "8"]
    assert item(page, OUT).get_attribute("aria-expanded") is None
    expect(item(page, OUT)).to_have_accessible_description(
        "Activation relu · 28 × 28 × 512, not in the cache"
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
    assert focused(page) == "conv3_block1_1_relu", "beside it in the same line"
    press(page, "ArrowRight")
    assert focused(page) == "conv3_block1_1_relu", "there is no more in the line"
    press(page, "ArrowDown", "ArrowUp", "ArrowLeft")
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
    assert [i.get_attribute("data-name") for i in opened.all()] == [
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
    item(page, "conv3_block1_1_conv").click()
    page.keyboard.type("2_c")
    assert focused(page) == "conv3_block1_2_conv"
    assert selected(page) == "conv3_block1_2_conv"


def test_no_key_reaches_the_notebook(tree):
    page = tree(selected=OUT)
    item(page, OUT).click()
    press(page, "x", "d", "d", "ArrowDown", "Enter", "a", "b", "Escape", "?", "/")
    page.keyboard.type("conv x")
    press(page, "ArrowDown", "Escape")
    assert page.evaluate("stub.keys") == []


def test_keys_the_tree_has_no_use_for_are_left_to_what_is_around_it(tree):
    page = tree(selected=OUT)
    page.evaluate("document.getElementById('place').classList.add('rw')")
    item(page, OUT).click()
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
    item(page, OUT).click()
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
    item(page, "conv3").click()
    before = seen(page)
    search_for(page, "predictions")
    search_for(page, "conv1")
    search_for(page, "")
    assert seen(page) == before


def kept(page, name):
    return page.evaluate("name => stub.models.shown.get(name)", name)


def test_what_a_hand_has_opened_is_kept_and_drawn_again(tree):
    page = tree()
    twisty(page, "conv3").click()
    twisty(page, "conv3_block2").click()
    assert kept(page, "open_groups") == ["conv3", "conv3_block2"]
    before = seen(page)
    search_for(page, "predictions")
    twisty(page, "head").click()
    assert kept(page, "open_groups") == ["conv3", "conv3_block2"], "a search has its own"
    again = tree(open_groups=["conv3", "conv3_block2", "conv9"])
    assert seen(again) == before
    set_trait(again, "open_groups", ["head"])
    expect(item(again, "head")).to_have_attribute("aria-expanded", "true")
    expect(item(again, "conv3")).to_have_attribute("aria-expanded", "false")


def test_what_is_opened_elsewhere_does_not_hide_the_selected_layer(tree):
    page = tree(selected=OUT)
    set_trait(page, "open_groups", ["head"])
    expect(item(page, "head")).to_have_attribute("aria-expanded", "true")
    expect(item(page, OUT)).to_be_visible()


def test_groups_of_one_name_open_and_close_each_by_itself(tree):
    rows = [layer(f"{stage}_{n}", stage=stage, block="block1") for stage in "ab" for n in "12"]
    page = tree(layers=rows, open_groups=["a", "b"])
    blocks = [item(page, "block1").nth(n) for n in (0, 1)]
    blocks[0].locator(".rw-tree-twisty").click()
    expect(blocks[0]).to_have_attribute("aria-expanded", "true")
    expect(blocks[1]).to_have_attribute("aria-expanded", "false")
    blocks[1].locator(".rw-tree-twisty").click()
    blocks[0].locator(".rw-tree-twisty").click()
    expect(blocks[0]).to_have_attribute("aria-expanded", "false")
    expect(blocks[1]).to_have_attribute("aria-expanded", "true")
    assert kept(page, "open_groups") == ["a", "b", "block1"]


def test_what_is_searched_for_is_kept_and_searched_for_again(tree):
    page = tree()
    search_for(page, "predictions")
    assert kept(page, "search") == "predictions"
    before = seen(page)
    again = tree(search="predictions")
    assert seen(again) == before
    expect(again.get_by_label("Find a layer")).to_have_value("predictions")
    set_trait(again, "search", "")
    expect(again.get_by_label("Find a layer")).to_have_value("")
    assert len(seen(again)) == 4
    assert again.get_by_label("Find a layer").get_attribute("maxlength") == "200"
    # Half an emoji is nothing that a kernel could be told.
    again.get_by_label("Find a layer").evaluate(
        "(field) => { field.value = 'a\\ud83d'; field.dispatchEvent(new Event('input')); }"
    )
    assert kept(again, "search") == "a�"


def test_a_page_that_goes_says_the_last_of_what_was_set(tree):
    page = tree()
    said = page.get_by_label("Find a layer").evaluate(
        """async (field) => {
          const said = () => stub.models.shown.saved.map(({ search }) => search);
          for (const text of ["c", "co"]) {
            field.value = text;
            field.dispatchEvent(new Event("input"));
            await null;
          }
          const before = said();
          dispatchEvent(new Event("pagehide"));
          return [before, said()];
        }"""
    )
    assert said == [["c"], ["c", "co"]]


def test_a_click_changes_only_what_is_another_and_asks_for_no_layout(tree):
    page = tree(selected=OUT)
    changed = item(page, "conv3_block1_add").evaluate(
        """(row) => {
          const list = row.closest("[role=tree]");
          for (const name of ["clientHeight", "scrollTop"]) {
            Object.defineProperty(list, name, { get() { throw new Error(name); } });
          }
          const seen = new MutationObserver(() => {});
          const what = { subtree: true, attributes: true, childList: true };
          seen.observe(list, what);
          row.click();
          return seen.takeRecords().map(({ target, attributeName }) =>
            [target.dataset.name, attributeName]);
        }"""
    )
    tabs = [[OUT, "tabindex"], ["conv3_block1_add", "tabindex"]]
    chosen = [["conv3_block1_add", "aria-selected"], [OUT, "aria-selected"]]
    marked = [["conv3_block1_add", "data-lm-suppress-shortcuts"]]
    assert sorted(changed) == sorted(tabs + chosen + marked)


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


def paint(page, name, what, style):
    """How a mark of a row is painted; of layers it is the line under the word."""
    target, pseudo = (".rw-tree-dot", None) if what == "dot" else (".rw-tree-word", "::after")
    return (
        item(page, name)
        .locator(target)
        .evaluate(
            "(node, [pseudo, style]) => getComputedStyle(node, pseudo)[style]", [pseudo, style]
        )
    )


def test_marks_tell_what_is_in_the_cache(tree):
    page = tree(selected=OUT)
    expect(item(page, OUT)).to_have_attribute("data-cached", "none")
    set_trait(page, "cached", [OUT, "conv1_conv", "conv1_relu", "unknown"])
    states = dict.fromkeys((OUT, "conv1"), "all") | {"conv3_block1": "some", "conv4": "none"}
    for name, state in states.items():
        expect(item(page, name)).to_have_attribute("data-cached", state)
    assert "1 of 8 layers in the cache" in item(page, "conv3_block1").get_attribute(
        "aria-description"
    )
    assert paint(page, OUT, "word", "backgroundColor") == "rgb(31, 138, 91)"
    assert paint(page, "conv1", "dot", "backgroundColor") == "rgb(31, 138, 91)"
    assert paint(page, "conv3_block1_add", "word", "backgroundColor") == "rgba(0, 0, 0, 0)"
    assert "in the cache" in item(page, OUT).get_attribute("aria-description")
    item(page, "conv1").click()
    expect(item(page, "conv1_relu")).to_have_attribute("data-cached", "all")


def test_the_layer_that_is_computed_pulses_unless_motion_is_unwanted(tree):
    page = tree(selected=OUT, computing=OUT)
    pulsing = page.locator(".rw-tree-computing > :is(.rw-tree-word, .rw-tree-dot)")
    names = "all => all.map(d => getComputedStyle(d).animationName)"
    assert pulsing.evaluate_all(names) == ["rw-tree-pulse"] * 3
    for name in (OUT, "conv3_block1", "conv3"):
        assert "being computed" in item(page, name).get_attribute("aria-description")
    page.emulate_media(reduced_motion="reduce")
    page.wait_for_function("() => document.getAnimations().length === 0")
    assert pulsing.count() == 3
    assert pulsing.first.evaluate("d => getComputedStyle(d).boxShadow") != "none"
    set_trait(page, "computing", "")
    assert page.locator(".rw-tree-computing").count() == 0


def test_facts_are_about_the_group_that_was_clicked_and_then_of_the_layer_again(tree):
    page = tree(selected=OUT)
    item(page, "conv4").click()
    facts = page.locator(".rw-tree-facts")
    assert facts.inner_text().split("\n")[:2] == ["conv4", "8 layers · 28 × 28 × 512"]
    page.get_by_role("searchbox").focus()
    assert facts.inner_text().split("\n")[0] == "conv4_block1_out"


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
    for name in HOSTILE:
        set_trait(page, "selected", name)
        expect(page.locator("[aria-selected=true]")).to_have_attribute("data-name", name)
        heights = page.eval_on_selector_all(
            ".rw-tree-row, .rw-tree-word, .rw-tree-facts > div",
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
    words = page.locator(".rw-tree-word, .rw-tree-label, .rw-tree-aside")
    assert words.evaluate_all("all => all.every(w => w.scrollWidth <= w.clientWidth)"), "whole"


@pytest.mark.parametrize(("width", "is_there"), [(200, False), (240, True)])
def test_the_word_shortcut_is_there_whole_or_not_at_all(tree, width, is_there):
    aside = tree(width=width, selected=OUT).locator(".rw-tree-aside", has_text="shortcut").first
    box, word = aside.evaluate(
        """(aside) => {
          const range = document.createRange();
          range.selectNodeContents(aside);
          const edges = ({ left, right, top, bottom }) => [left, top, -right, -bottom];
          return [aside, range].map((one) => edges(one.getBoundingClientRect()));
        }"""
    )
    is_inside = all(mine <= its for mine, its in zip(box, word, strict=True))
    is_outside = word[1] >= -box[3]
    assert (is_inside, is_outside) == (is_there, not is_there)


def test_what_can_be_touched_is_large_enough(tree):
    page = tree(selected=OUT)
    sizes = page.eval_on_selector_all(
        "[role=treeitem], input", "all => all.map(i => [i.offsetWidth, i.offsetHeight])"
    )
    assert min(min(size) for size in sizes) >= 24


def test_an_ended_view_listens_no_more(tree):
    page = tree()
    page.evaluate("stub.end()")
    assert page.evaluate("stub.models.shown.listening()") == 0
    item(page, "conv3").click()
    assert "conv3_block1" not in seen(page)
