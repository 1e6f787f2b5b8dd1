"""ActivationMap in Chromium: pixels against numpy, marks, cursor, sheet, bars, errors."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from playwright.sync_api import expect

from resnet_widgets.widgets import ActivationMap

from .painted import NO_NUMBER, colored, next_frame, pixels, range_of, shown_values, table

CELLS = ".rw-picture .rw-cells"
SHEET = ".rw-sheet .rw-cells"


@pytest.fixture(scope="module")
def conv():
    """Before a ReLU: values of both signs, of very different size in each channel."""
    rng = np.random.default_rng(3)
    return (rng.normal(size=(6, 8, 5)) * [1, 20, 0.1, 3, 7] + 0.5).astype(np.float32)


@pytest.fixture
def show_map(show, conv):
    def show_it(array=conv, **state):
        return show("activation_map.js", ActivationMap, {"conv": array}, layer="conv", **state)

    return show_it


def wait_shown(page, channel, layer="conv"):
    page.wait_for_selector(f"{CELLS}[data-shown='{layer}#{channel}']")


def trait(page, name):
    return page.evaluate("(name) => stub.models.shown.get(name)", name)


def update(page, **values):
    page.evaluate("(values) => stub.models.shown.update(values)", values)


def move_to_cell(page, row, column, shape=(6, 8)):
    box = page.locator(CELLS).bounding_box()
    x = box["x"] + (column + 0.5) * box["width"] / shape[1]
    page.mouse.move(x, box["y"] + (row + 0.5) * box["height"] / shape[0])


def test_colormaps_are_those_of_matplotlib(show_map):
    page = show_map()
    names = page.evaluate("async () => (await import('/colors.js')).COLORMAPS")
    assert [*names] == ["viridis", "magma", "inferno", "cividis", "gray", "coolwarm"]
    assert set(ActivationMap.class_traits()["colormap"].values) == {"auto", *names}
    for name in names:
        wanted = matplotlib.colormaps[name](np.arange(256)) * 255
        assert np.abs(table(page, name) - wanted).max() <= 3, name


RANGES = {
    "channel": {},
    "layer": {"blend": 1},
    "between": {"blend": 0.3},
    "symmetric": {"symmetric": True},
    "layer, symmetric": {"blend": 1, "symmetric": True},
    "clipped": {"clip": 5},
    "layer, clipped": {"blend": 1, "clip": 5},
    "limits": {"limits": [-1.0, 2.0], "blend": 1},
}


@pytest.mark.parametrize("colormap", ["auto", "gray"])
@pytest.mark.parametrize("choice", RANGES.values(), ids=RANGES)
def test_every_cell_has_the_colour_of_its_value(show_map, conv, choice, colormap):
    page = show_map(channel=3, colormap=colormap, **choice)
    wait_shown(page, 3)
    low, high = range_of(conv, 3, **choice)
    auto = "coolwarm" if choice.get("symmetric") else "viridis"
    colors = table(page, auto if colormap == "auto" else colormap)
    np.testing.assert_array_equal(pixels(page, CELLS), colored(conv, 3, low, high, colors))


def test_another_channel_is_painted_without_asking_the_kernel(show_map, conv):
    page = show_map()
    wait_shown(page, 0)
    update(page, channel=4)
    wait_shown(page, 4)
    plane = conv[:, :, 4]
    wanted = colored(conv, 4, float(plane.min()), float(plane.max()), table(page, "viridis"))
    np.testing.assert_array_equal(pixels(page, CELLS), wanted)
    assert page.evaluate("stub.models.store.sent.length") == 1
    expect(page.locator(".rw-title").first).to_contain_text("ch 4 of 5")


def test_a_large_plane_is_shown_as_means_until_all_its_cells_have_come(show_map):
    large = np.random.default_rng(4).normal(size=(9, 11, 3)).astype(np.float32)
    page = show_map(large, exact=True, most_bytes=100, mode="single", cursor=[])
    page.wait_for_selector(f"{CELLS}[data-shown='conv#0'][data-reduction='1']")
    page.evaluate("stub.holding = true")
    update(page, channel=2)
    page.wait_for_selector(f"{CELLS}[data-shown='conv#2'][data-reduction='2']")
    means = [
        [large[y : y + 2, x : x + 2, 2].mean(dtype=np.float64) for x in range(0, 11, 2)]
        for y in range(0, 9, 2)
    ]
    low, high = float(large[..., 2].min()), float(large[..., 2].max())
    codes = np.rint((np.array(means) - low) / (high - low) * 252)
    wanted = table(page, "viridis")[(codes * 255 / 252 + 0.5).astype(int)]
    wanted = wanted.repeat(2, axis=0).repeat(2, axis=1)[:9, :11]
    np.testing.assert_array_equal(pixels(page, CELLS), wanted)
    chip = page.locator(".rw-picture .rw-chip")
    expect(chip).to_have_text("means of 2 × 2 cells")
    expect(page.locator(".rw-mark-list")).to_have_text("bars: means of 2 × 2 cells")
    # The cursor walks over cells, whatever there is of them.
    move_to_cell(page, 7, 10, shape=(9, 11))
    page.wait_for_function("() => stub.models.shown.get('cursor').length")
    assert trait(page, "cursor") == pytest.approx([10 / 11, 7 / 9, 1, 8 / 9])
    page.evaluate("stub.release()")
    page.wait_for_selector(f"{CELLS}[data-shown='conv#2'][data-reduction='1']")
    wanted = colored(large, 2, low, high, table(page, "viridis"))
    np.testing.assert_array_equal(pixels(page, CELLS), wanted)
    expect(chip).to_be_hidden()
    asked = page.evaluate("stub.models.store.sent.filter((m) => m.kind === 'planes')")
    assert [[plane["channel"] for plane in one["planes"]] for one in asked] == [[0], [2]]


def test_the_sheet_of_a_large_layer_says_that_it_shows_means(show_map):
    page = show_map(np.ones((8, 8, 3), np.float32), most_bytes=50, mode="grid")
    page.wait_for_selector(f"{SHEET}[data-shown='conv']")
    expect(page.locator(".rw-title").first).to_contain_text("by index, means of 2 × 2 cells")


@pytest.mark.parametrize(("most_bytes", "said"), [(50, 1), (None, 0)])
def test_what_is_measured_on_means_is_called_so(show_map, most_bytes, said):
    page = show_map(np.eye(8, dtype=np.float32)[..., None], most_bytes=most_bytes, mode="single")
    for selector in ("select[aria-label=Clipping]", ".rw-histogram"):
        title = page.locator(selector).get_attribute("title") or ""
        assert title.count("means of 2 × 2 cells") == said


def test_a_channel_beyond_the_last_shows_the_last(show_map):
    page = show_map(channel=99)
    wait_shown(page, 4)


def test_cells_are_crisp_at_any_size(show_map):
    page = show_map(width=480)
    wait_shown(page, 0)
    cells = page.locator(CELLS)
    assert cells.evaluate("(canvas) => [canvas.width, canvas.height]") == [8, 6]
    expect(cells).to_have_css("image-rendering", "pixelated")
    box = cells.bounding_box()
    assert box["width"] / box["height"] == pytest.approx(8 / 6, rel=0.01)


def legend_numbers(page):
    texts = page.locator(".rw-legend > span").all_inner_texts()
    return [text.replace("−", "-") for text in texts if text]


def shown_range(conv, channel, **choice):
    return [f"{end:.2f}" for end in range_of(conv, channel, **choice)]


def test_the_legend_names_the_range_in_force(show_map, conv):
    page = show_map(channel=3)
    wait_shown(page, 3)
    assert legend_numbers(page) == shown_range(conv, 3)
    page.get_by_label("Range of the colours").fill("1")
    assert legend_numbers(page) == shown_range(conv, 3, blend=1)
    page.get_by_label("Range around zero").click()
    assert legend_numbers(page) == shown_range(conv, 3, blend=1, symmetric=True)
    assert "coolwarm" in page.get_by_label("Colormap").inner_text()
    page.get_by_label("Range of the colours").fill("0")
    page.get_by_label("Range around zero").click()
    page.get_by_label("Clipping").select_option("5")
    assert legend_numbers(page) == shown_range(conv, 3, clip=5)
    saved = page.evaluate("stub.models.shown.saved")
    assert saved == [
        {"blend": 1},
        {"symmetric": True},
        {"blend": 0},
        {"symmetric": False},
        {"clip": 5},
    ]


def test_the_blend_says_where_it_is(show_map):
    page = show_map(blend=0.25)
    slider = page.get_by_role("slider", name="Range of the colours")
    expect(slider).to_have_attribute("aria-valuetext", "25 % of the way to the layer's range")
    slider.press("ArrowRight")
    assert trait(page, "blend") == pytest.approx(0.26)
    assert page.evaluate("stub.keys") == []


def test_the_ends_of_the_histogram_set_the_range(show_map, conv):
    page = show_map(channel=3)
    wait_shown(page, 3)
    low, high = range_of(conv, 3)
    box = page.locator(".rw-histogram-box").bounding_box()
    end = page.get_by_role("slider", name="Upper end of the range")
    expect(end).to_have_attribute("aria-valuetext", f"{high:.2f}")
    grip = end.bounding_box()
    y = grip["y"] + grip["height"] - 4
    page.mouse.move(grip["x"] + grip["width"] / 2, y)
    page.mouse.down()
    for share in (0.9, 0.8, 0.6):
        page.mouse.move(box["x"] + share * box["width"], y)
    next_frame(page)
    page.mouse.up()
    limits = trait(page, "limits")
    wanted = [low, low + 0.6 * (high - low)]
    assert limits == pytest.approx(wanted, abs=0.01 * (high - low))
    colors = table(page, "viridis")
    np.testing.assert_array_equal(pixels(page, CELLS), colored(conv, 3, *limits, colors))
    above = int((shown_values(conv, 3) > limits[1]).sum())
    expect(page.locator(".rw-mark-list > li")).to_have_text(f"{above} above the range")
    # The axis goes on showing all values, with what lies outside in the shade.
    shade = page.locator(".rw-histogram-shade").last.bounding_box()
    assert shade["width"] == pytest.approx(0.4 * box["width"], abs=1.5)
    page.get_by_role("button", name="auto").click()
    assert trait(page, "limits") == []
    expect(page.get_by_role("button", name="auto")).to_be_hidden()


def test_the_ends_move_with_keys_and_go_back_to_automatic(show_map, conv):
    page = show_map(channel=3)
    wait_shown(page, 3)
    low, high = range_of(conv, 3)
    end = page.get_by_role("slider", name="Lower end of the range")
    end.press("ArrowRight")
    step = (high - low) / 100
    assert trait(page, "limits") == pytest.approx([low + step, high])
    end.press("Shift+ArrowRight")
    assert trait(page, "limits") == pytest.approx([low + 11 * step, high])
    end.press("Delete")
    assert trait(page, "limits") == []
    end.press("End")
    assert trait(page, "limits") == pytest.approx([high - step / 5, high])
    page.locator(".rw-histogram").dblclick(position={"x": 40, "y": 10})
    assert trait(page, "limits") == []
    end.press("x")
    assert page.evaluate("stub.keys") == []


def test_a_choice_of_the_range_takes_the_place_of_limits(show_map):
    page = show_map(limits=[-1.0, 1.5])
    page.get_by_label("Range of the colours").fill("1")
    assert (trait(page, "limits"), trait(page, "blend")) == ([], 1)


def test_cells_without_a_number_are_marked_and_named(show_map, conv):
    odd = conv.copy()
    odd[0, 0, 0], odd[1, 2, 0], odd[3, 4, 0] = np.nan, np.inf, -np.inf
    page = show_map(odd)
    wait_shown(page, 0)
    seen = pixels(page, CELLS)
    marked = [(0, 0), (1, 2), (3, 4)]
    assert all(tuple(seen[cell][:3]) == NO_NUMBER for cell in marked)
    plane = odd[:, :, 0][np.isfinite(odd[:, :, 0])]
    rest = np.isfinite(odd[:, :, 0])
    wanted = colored(odd, 0, float(plane.min()), float(plane.max()), table(page, "viridis"))
    np.testing.assert_array_equal(seen[rest], wanted[rest])
    marks = pixels(page, ".rw-marks")
    size = marks.shape[1] / 8
    inked = [
        (row, column)
        for row in range(6)
        for column in range(8)
        if marks[int(row * size) : int((row + 1) * size), int(column * size) :, 3][
            1:-1, 1 : int(size) - 1
        ].any()
    ]
    assert inked == marked
    assert page.locator(".rw-mark-list > li").all_inner_texts() == ["1 −∞", "1 +∞", "1 NaN"]


def test_values_beyond_the_limits_are_marked_and_counted(show_map, conv):
    page = show_map(limits=[-1.0, 1.5])
    wait_shown(page, 0)
    values = shown_values(conv, 0)
    below, above = int((values < -1).sum()), int((values > 1.5).sum())
    assert below
    assert above
    assert page.locator(".rw-mark-list > li").all_inner_texts() == [
        f"{below} below the range",
        f"{above} above the range",
    ]
    marks = pixels(page, ".rw-marks")[:, :, 3]
    size = marks.shape[1] / 8
    for row, column in np.ndindex(6, 8):
        top, left = int((row + 0.5) * size), int((column + 0.5) * size)
        upper = marks[int(row * size) + 1 : top, left : int((column + 1) * size) - 1]
        lower = marks[top : int((row + 1) * size) - 1, int(column * size) + 1 : left]
        assert bool(upper.any()) == (values[row, column] > 1.5)
        assert bool(lower.any()) == (values[row, column] < -1)
    update(page, limits=[])
    next_frame(page)
    expect(page.locator(".rw-marks")).to_be_hidden()
    expect(page.locator(".rw-mark-list")).to_be_hidden()


@pytest.mark.parametrize(
    ("value", "note"), [(0, "dead: all zero for this photo"), (1.25, "constant 1.25")]
)
def test_a_constant_channel_looks_constant_and_says_so(show_map, value, note):
    page = show_map(np.full((4, 4, 2), value, np.float32), width=120)
    wait_shown(page, 0)
    assert len(np.unique(pixels(page, CELLS).reshape(-1, 4), axis=0)) == 1
    chip = page.locator(".rw-picture .rw-chip")
    expect(chip).to_have_text(note)
    # All of it can be read, however narrow the map is.
    assert chip.evaluate("(chip) => chip.scrollWidth <= chip.clientWidth")
    expect(page.locator(".rw-legend > span").first).to_have_text(f"constant {value:.2f}")
    assert page.locator(".rw-legend").inner_text() == f"constant {value:.2f}"


def test_share_of_zeros(show_map):
    array = np.zeros((10, 10, 1), np.float32)
    array[:3] = 2
    page = show_map(array)
    expect(page.locator(".rw-values .rw-title")).to_contain_text("share of zeros 70 %")


def test_the_pointer_sets_the_cursor_once_a_cell(show_map, conv):
    page = show_map()
    wait_shown(page, 0)
    move_to_cell(page, 2, 5)
    page.mouse.move(0, 0)
    move_to_cell(page, 2, 5)
    assert trait(page, "cursor") == pytest.approx([5 / 8, 2 / 6, 6 / 8, 3 / 6])
    reading = page.locator(".rw-reading")
    expect(reading).to_contain_text("row 2 col 5 ≈ ")
    number = float(reading.inner_text().split("≈")[1].replace("−", "-"))
    assert number == pytest.approx(conv[2, 5, 0], abs=float(np.ptp(conv[:, :, 0])) / 500)
    here = page.locator(".rw-cursor").bounding_box()
    cells = page.locator(CELLS).bounding_box()
    assert here["x"] - cells["x"] == pytest.approx(5 / 8 * cells["width"], abs=1)
    assert here["height"] == pytest.approx(cells["height"] / 6, abs=1)
    page.evaluate(
        "() => { window.moves = 0; stub.models.shown.on('change:cursor', () => { moves += 1; }); }"
    )
    box = page.locator(CELLS).bounding_box()
    for step in range(4):
        page.mouse.move(
            box["x"] + 5.5 / 8 * box["width"] + step, box["y"] + 2.5 / 6 * box["height"]
        )
    assert page.evaluate("moves") == 0
    page.mouse.move(0, 0)
    assert trait(page, "cursor") == []
    expect(page.locator(".rw-cursor")).to_be_hidden()


def test_the_cursor_of_a_coarser_map_covers_a_block(show_map, conv):
    page = show_map(cursor=[0.5, 0, 1, 0.5])
    wait_shown(page, 0)
    reading = page.locator(".rw-reading")
    expect(reading).to_contain_text("row 0–2 col 4–7 mean ≈ ")
    number = float(reading.inner_text().split("≈")[1].replace("−", "-"))
    assert number == pytest.approx(shown_values(conv, 0)[:3, 4:].mean(), abs=1e-3)


def test_arrow_keys_move_the_cursor_and_no_key_gets_out(show_map):
    page = show_map()
    wait_shown(page, 0)
    page.locator(".rw-picture").focus()
    for key in ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp", "x"]:
        page.keyboard.press(key)
    assert trait(page, "cursor") == pytest.approx([3 / 8, 2 / 6, 4 / 8, 3 / 6])
    for _ in range(9):
        page.keyboard.press("ArrowUp")
    assert trait(page, "cursor")[1] == 0
    page.keyboard.press("Escape")
    assert trait(page, "cursor") == []
    assert page.evaluate("stub.keys") == []


def test_the_picture_says_what_it_is(show_map):
    page = show_map(np.linspace(0, 2, 16, dtype=np.float32).reshape(4, 4, 1))
    picture = page.locator(".rw-picture")
    expect(picture).to_have_attribute("aria-label", "conv, channel 0 of 1, from 0.00 to 2.00")


def test_an_error_from_the_kernel_is_shown_and_the_map_goes_on(show_map):
    page = show_map()
    wait_shown(page, 0)
    update(page, layer="missing")
    expect(page.get_by_role("alert").filter(visible=True)).to_have_text("no frame of missing")
    expect(page.locator(".rw-picture")).to_be_hidden()
    update(page, layer="conv")
    expect(page.locator(".rw-picture")).to_be_visible()
    expect(page.get_by_role("alert").filter(visible=True)).to_have_count(0)


def test_the_error_trait_is_shown_as_text(show_map):
    page = show_map(error="<img src=x onerror=alert(1)>")
    expect(page.get_by_role("alert").filter(visible=True)).to_have_text(
        "<img src=x onerror=alert(1)>"
    )


def test_while_a_frame_is_on_its_way_the_map_says_so(show, conv):
    frames = {"conv": conv, "other": conv * 2, "third": conv[:, :, :3]}
    page = show("activation_map.js", ActivationMap, frames, layer="conv")
    wait_shown(page, 0)
    page.evaluate("stub.holding = true")
    update(page, layer="other")
    expect(page.locator(".rw-map-stage .rw-empty")).to_have_text("Computing…")
    update(page, layer="third")
    expect(page.locator(".rw-title").first).to_have_text("third")
    page.evaluate("stub.release()")
    assert [want["layer"] for want in page.evaluate("stub.models.store.sent")] == [
        "conv",
        "other",
        "third",
    ]
    page.evaluate("stub.release()")
    wait_shown(page, 0, "third")
    expect(page.locator(".rw-map-stage .rw-empty")).to_be_hidden()


def test_the_number_is_that_of_the_photo_on_screen(show, conv):
    frames = {"p1|conv": conv, "p2|conv": conv + 50}
    page = show("activation_map.js", ActivationMap, frames, photo="p1", layer="conv", exact=True)
    wait_shown(page, 0)
    page.evaluate("stub.holding = true")
    update(page, photo="p2")
    page.wait_for_function("() => stub.held.length === 1")
    move_to_cell(page, 2, 5)
    page.wait_for_function("() => stub.held.length === 2")
    page.evaluate("stub.held.splice(1).forEach((now) => now())")
    reading = page.locator(".rw-reading")
    expect(reading).to_contain_text("= ")
    shown = reading.inner_text().split("= ")[1].replace("−", "-")
    assert np.float32(shown) == conv[2, 5, 0]
    # And of the other one as soon as that is there.
    page.evaluate("stub.holding = false; stub.release()")
    expect(reading).to_contain_text("= 5")
    assert np.float32(reading.inner_text().split("= ")[1]) == (conv + 50)[2, 5, 0]


def test_a_picture_on_its_way_out_looks_so_without_motion_too(show, conv):
    frames = {"conv": conv, "other": conv}
    page = show("activation_map.js", ActivationMap, frames, layer="conv")
    page.emulate_media(reduced_motion="reduce")
    wait_shown(page, 0)
    page.evaluate("stub.holding = true")
    update(page, layer="other")
    expect(page.locator(".rw-busy .rw-picture")).to_have_css("opacity", "0.35")


@pytest.mark.parametrize(
    ("theme", "scheme"),
    [
        ("vscode-high-contrast", "dark"),
        ("vscode-high-contrast-light", "light"),
        ("vscode-high-contrast vscode-high-contrast-light", "light"),
    ],
)
def test_the_theme_of_a_host_decides_what_is_light(show_map, theme, scheme):
    page = show_map()
    page.evaluate("(theme) => { document.body.className = theme; }", theme)
    expect(page.locator(".rw").first).to_have_css("color-scheme", scheme)


def test_a_forgotten_frame_is_asked_for_again(show_map):
    page = show_map()
    wait_shown(page, 0)
    page.evaluate("stub.models.store.receive({ kind: 'forget', photo: null }, [])")
    page.wait_for_function("() => stub.models.store.sent.length === 2")


def test_without_a_layer_it_says_so(show_map):
    page = show_map()
    wait_shown(page, 0)
    update(page, layer="")
    expect(page.get_by_text("No layer")).to_be_visible()
    expect(page.locator(".rw-values")).to_be_hidden()


def test_the_panel_can_be_drawn_elsewhere(show_map):
    page = show_map(values=False)
    wait_shown(page, 0)
    expect(page.locator(".rw-map-aside")).to_be_hidden()
    page.evaluate(
        """async () => {
          const el = document.createElement("div");
          el.id = "elsewhere";
          document.body.append(el);
          await stub.exports.shown.renderValues({ el, signal: stub.signal, host: stub.host });
        }"""
    )
    panel = page.locator("#elsewhere")
    expect(panel.locator(".rw-legend")).to_be_visible()
    panel.get_by_label("Colormap").select_option("magma")
    assert trait(page, "colormap") == "magma"
    # As faint as the map, where they are of a layer on its way out.
    page.evaluate("stub.holding = true")
    update(page, layer="other")
    for part in (".rw-title span:last-child", ".rw-histogram", ".rw-legend"):
        expect(panel.locator(part)).to_have_css("opacity", "0.35")


def test_a_view_that_is_gone_listens_to_nothing(show_map):
    page = show_map()
    wait_shown(page, 0)
    assert page.evaluate("stub.models.shown.listening()") > 0
    page.evaluate("stub.end()")
    assert page.evaluate("stub.models.shown.listening()") == 0


class TestVector:
    LABELS = ("<b>tench</b>", "goldfish", "great white shark")

    @pytest.fixture
    def page(self, show_map):
        values = np.array([0.2, 0.7, 0.1], np.float32)
        return show_map(values, labels=[*self.LABELS])

    def test_bars_carry_labels_and_exact_values(self, page):
        rows = page.locator(".rw-row")
        expect(rows).to_have_count(3)
        assert [text.split("\n")[0] for text in rows.all_inner_texts()] == [
            "goldfish",
            "<b>tench</b>",
            "great white shark",
        ]
        expect(rows.first).to_contain_text("0.7")
        expect(page.locator(".rw-title").first).to_contain_text("3 values")
        widths = page.locator(".rw-row-bar").evaluate_all(
            "(bars) => bars.map((b) => b.style.width)"
        )
        assert float(widths[1].rstrip("%")) == pytest.approx(100 * 0.2 / 0.7, rel=1e-3)

    def test_a_click_selects(self, page):
        page.locator(".rw-row").nth(2).click()
        assert trait(page, "channel") == 2
        expect(page.locator(".rw-row[aria-pressed=true]")).to_contain_text("great white shark")

    def test_a_row_keeps_the_focus_when_it_is_chosen(self, page):
        row = page.locator(".rw-row").nth(2)
        row.focus()
        page.keyboard.press("Enter")
        expect(row).to_have_attribute("aria-pressed", "true")
        expect(row).to_be_focused()

    def test_many_values_are_a_strip_and_a_list_of_the_largest(self, show_map):
        values = np.linspace(0, 1, 500, dtype=np.float32)
        page = show_map(values, channel=7)
        expect(page.locator(".rw-row")).to_have_count(11)
        expect(page.locator(".rw-row").last).to_contain_text("ch 7")
        strip = page.locator(".rw-vector .rw-bars-box").bounding_box()
        page.mouse.click(strip["x"] + strip["width"] / 2, strip["y"] + 5)
        assert trait(page, "channel") == pytest.approx(250, abs=1)
