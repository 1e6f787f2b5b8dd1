"""Figures: what they show, in which range, and that their colours are right to the pixel."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
import threading
import warnings
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from PIL import Image

from resnet_widgets import plots
from resnet_widgets.engine.images import load_image
from resnet_widgets.plots import plot_channels, plot_stages

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)


class StubCache:
    """Answers as an `ActivationCache` does, with given arrays."""

    input_size = (32, 32)
    about = SimpleNamespace(title="a network of $\\alpha_")
    class_names: tuple | None = None

    def __init__(self, **arrays: np.ndarray) -> None:
        self.arrays = arrays
        self.images: list = []
        for array in arrays.values():
            array.setflags(write=False)

    def activation(self, image, layer):
        self.images.append(image)
        return self.arrays[layer]

    def stages(self, image):
        self.images.append(image)
        return self.arrays

    def labels(self, layer):
        return self.class_names if layer == "predictions" else None


def layer(channels: int = 20, side: int = 6) -> np.ndarray:
    array = RNG.normal(size=(side, side, channels)).astype(np.float32)
    return array * np.arange(1, channels + 1, dtype=np.float32)


def maps(figure: Figure) -> list:
    return [axes for axes in figure.axes if axes.images]


def values(axes) -> np.ndarray:
    return np.asarray(axes.images[0].get_array().filled(np.nan))


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.texts)


def pixel(figure: Figure, axes, row: int, column: int) -> tuple[int, ...]:
    """Colour in the middle of a cell, as drawn."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    drawn = Image.open(buffer).convert("RGBA")
    scale = drawn.width / figure.bbox.width
    x, y = axes.transData.transform((column, row)) * scale
    return drawn.getpixel((int(x), int(drawn.height - y)))


def rgba(colour):
    """The bytes of a colour; renderers round them either way."""
    return pytest.approx([value * 255 for value in to_rgba(colour)], abs=1)


def test_sixteen_channels_by_default():
    array = layer()
    cache = StubCache(some_layer=array)
    figure = plot_channels(cache, PHOTO, "some_layer")
    assert isinstance(figure, Figure)
    assert cache.images[0] is PHOTO
    shown = maps(figure)
    assert [axes.get_title() for axes in shown] == [f"ch {c}" for c in range(16)]
    for channel, axes in enumerate(shown):
        np.testing.assert_array_equal(values(axes), array[..., channel])
    assert len({round(axes.get_position().x0, 6) for axes in shown}) == 4
    assert len({round(axes.get_position().y0, 6) for axes in shown}) == 4
    assert "some_layer, 6 × 6 × 20" in texts(figure)
    assert "First 16 of 20 channels" in texts(figure)


@pytest.mark.parametrize(("n", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (5, 3, 2), (100, 5, 4)])
def test_the_grid_is_as_square_as_it_can_be(n, columns, rows):
    shown = maps(plot_channels(StubCache(a=layer()), PHOTO, "a", n))
    assert len(shown) == min(n, 20)
    assert len({round(axes.get_position().x0, 6) for axes in shown}) == columns
    assert len({round(axes.get_position().y0, 6) for axes in shown}) == rows


def test_nothing_overlaps_and_nothing_leaves_the_page():
    for figure in (
        plot_channels(StubCache(a=layer()), PHOTO, "a", 1),
        plot_channels(StubCache(a=layer()), PHOTO, "a", 7, scale="layer"),
        plot_channels(StubCache(a=layer()), PHOTO, "a", symmetric=True),
        plot_channels(StubCache(a=layer()[0, 0]), PHOTO, "a"),
        plot_stages(StubCache(a=layer(), b=layer()), PHOTO),
    ):
        figure.draw_without_rendering()
        boxes = [axes.get_tightbbox() for axes in figure.axes]
        boxes += [text.get_window_extent() for text in figure.texts]
        for i, box in enumerate(boxes):
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= figure.bbox.x1
            assert box.y1 <= figure.bbox.y1
            assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_strongest_first():
    array = np.zeros((2, 2, 5), np.float32)
    array[0, 0] = [1, 5, -9, 5, 2]
    array[1, 1, 0] = np.nan  # counts neither as high nor as low
    array[..., 4] = np.inf
    figure = plot_channels(StubCache(a=array), PHOTO, "a", 4, order="strength")
    assert [axes.get_title() for axes in maps(figure)] == ["ch 1", "ch 3", "ch 0", "ch 2"]
    assert "Strongest 4 of 5 channels" in texts(figure)


def test_equally_strong_channels_stay_in_order():
    cache = StubCache(a=np.tile(np.float32([1, 2]), (2, 2, 100)))
    shown = maps(plot_channels(cache, PHOTO, "a", 20, order="strength"))
    assert [axes.get_title() for axes in shown] == [f"ch {c}" for c in range(1, 41, 2)]


def test_each_map_in_its_own_range():
    array = layer()
    figure = plot_channels(StubCache(a=array), PHOTO, "a", scale="channel")
    for channel, axes in enumerate(maps(figure)):
        low, high = array[..., channel].min(), array[..., channel].max()
        assert axes.images[0].get_clim() == (low, high)
        assert axes.get_xlabel() == f"{low:.3g} … {high:.3g}".replace("-", "−")
    assert "Each map in its own range" in texts(figure)
    bar = figure.axes[-1]
    assert [label.get_text() for label in bar.get_yticklabels()] == ["its lowest", "its highest"]


def test_all_maps_in_one_range():
    array = layer()
    figure = plot_channels(StubCache(a=array), PHOTO, "a", 4, scale="layer")
    limits = (float(array.min()), float(array.max()))
    assert {axes.images[0].get_clim() for axes in maps(figure)} == {limits}
    assert "All maps in one range, that of the whole layer" in texts(figure)
    assert figure.axes[-1].get_ylim() == limits


def test_zero_is_the_middle_of_a_symmetric_range():
    array = np.zeros((2, 2, 2), np.float32)
    array[..., 0] = [[-4, 0], [1, np.nan]]
    array[..., 1] = [[0, 2], [0, 0]]
    options = {"cmap": "coolwarm", "symmetric": True}
    own = plot_channels(StubCache(a=array), PHOTO, "a", **options)
    assert [axes.images[0].get_clim() for axes in maps(own)] == [(-4, 4), (-2, 2)]
    middle = matplotlib.colormaps["coolwarm"](0.5)
    assert pixel(own, maps(own)[0], 0, 1) == rgba(middle)
    # What stands below a map is what is in it.
    assert maps(own)[1].get_xlabel() == "0 … 2"
    bar = own.axes[-1]
    assert [t.get_text() for t in bar.get_yticklabels()] == ["− largest", "0", "+ largest"]
    assert "Each map around zero" in texts(own)
    one = plot_channels(StubCache(a=array), PHOTO, "a", scale="layer", **options)
    assert "All maps around zero" in texts(one)
    assert {axes.images[0].get_clim() for axes in maps(one)} == {(-4, 4)}
    assert one.axes[-1].get_ylim() == (-4, 4)


def test_a_figure_says_which_network_it_shows():
    cache = StubCache(a=np.abs(layer()))
    for array in (layer(), layer()[0, 0]):
        assert cache.about.title in texts(plot_channels(StubCache(a=array), PHOTO, "a"))
    assert cache.about.title in texts(plot_stages(cache, PHOTO))


def test_a_strip_of_five_stages_fits_a_page():
    cache = StubCache(**{f"conv{n}_block3_out": layer() for n in range(1, 6)})
    assert plot_stages(cache, PHOTO).get_figwidth() < 8.3


@pytest.mark.parametrize("form", ["pdf", "PS"])
def test_text_of_a_file_for_print_is_text(form, tmp_path):
    """Type 3 fonts are outlines that journals refuse; pyplot's settings stay as they were."""
    before = dict(matplotlib.rcParams)
    figure = plot_channels(StubCache(a=layer()), PHOTO, "a", 1)
    figure.savefig(tmp_path / f"a.{form}")
    figure.savefig(tmp_path / "b", format=form)
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        assert b"Type3" not in data
        # For printers that know no TrueType, matplotlib 3.8 puts a Type 3 font beside it.
        assert form == "pdf" or b"/FontType 42" in data
        assert b"DejaVuSans" in data
    assert dict(matplotlib.rcParams) == before


def test_colours_are_right_to_the_pixel():
    array = np.zeros((3, 3, 4), np.float32)
    array[..., 0] = np.arange(9).reshape(3, 3)
    array[..., 1] = 7
    array[0, 1, 2], array[2, 2, 2], array[1, 0, 2] = np.nan, np.inf, 5
    array[..., 3] = -np.inf
    figure = plot_channels(StubCache(a=array), PHOTO, "a")
    ramp, constant, marked, nothing = maps(figure)
    viridis = matplotlib.colormaps["viridis"]
    assert pixel(figure, ramp, 0, 0) == rgba(viridis(0.0))
    assert pixel(figure, ramp, 1, 1) == rgba(viridis(0.5))
    assert pixel(figure, ramp, 2, 2) == rgba(viridis(1.0))
    assert pixel(figure, constant, 1, 1) == rgba(viridis(0.0))
    assert constant.get_xlabel() == "constant 7"
    assert pixel(figure, marked, 0, 1) == rgba(plots.NOT_FINITE)
    assert pixel(figure, marked, 2, 2) == rgba(plots.NOT_FINITE)
    assert pixel(figure, marked, 1, 0) == rgba(viridis(1.0))
    assert marked.get_xlabel() == "0 … 5, 2 not finite"
    assert pixel(figure, nothing, 1, 1) == rgba(plots.NOT_FINITE)
    assert nothing.get_xlabel() == "nothing finite"


@pytest.mark.parametrize("value", [0.0, -3.0, 1e30, np.nan])
def test_a_layer_without_a_range_has_no_colour_bar(value):
    array = np.full((3, 3, 4), value, np.float32)
    figure = plot_channels(StubCache(a=array), PHOTO, "a", scale="layer")
    assert len(figure.axes) == 4
    colour = plots.NOT_FINITE if np.isnan(value) else matplotlib.colormaps["viridis"](0.0)
    assert pixel(figure, figure.axes[0], 1, 1) == rgba(colour)


def test_another_colormap_is_used_and_not_changed():
    magma = matplotlib.colormaps["magma"]
    before = magma.get_bad().copy()
    figure = plot_channels(StubCache(a=layer()), PHOTO, "a", 2, cmap=magma)
    assert maps(figure)[0].images[0].get_cmap().name == "magma"
    np.testing.assert_array_equal(magma.get_bad(), before)
    named = plot_channels(StubCache(a=layer()), PHOTO, "a", 2, cmap="magma")
    assert maps(named)[0].images[0].get_cmap().name == "magma"


def test_a_vector_is_drawn_as_bars():
    vector = np.array([0.5, -2, np.nan, 3, 0], np.float32)
    figure = plot_channels(StubCache(avg_pool=vector), PHOTO, "avg_pool", 4)
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.5, -2, 0, 3]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["ch 0", "ch 1", "ch 2", "ch 3"]
    assert [t.get_text() for t in axes.texts] == ["0.5", "−2", "nan", "3"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first one is at the top
    assert "avg_pool, 5" in texts(figure)
    strongest = plot_channels(StubCache(p=vector), PHOTO, "p", 2, order="strength")
    assert [t.get_text() for t in strongest.axes[0].get_yticklabels()] == ["ch 3", "ch 0"]


def test_the_bars_of_the_last_layer_have_the_names_of_the_classes():
    scores = np.array([0.1, 0.7, 0.2], np.float32)
    cache = StubCache(hidden=scores, predictions=scores, other=np.zeros(4))
    cache.class_names = ("cat", "a $name$", "x" * 99)

    def labels(layer):
        figure = plot_channels(cache, PHOTO, layer, order="strength")
        figure.draw_without_rendering()
        return [text.get_text() for text in figure.axes[0].get_yticklabels()]

    assert labels("predictions") == ["a $name$  1", "x" * 26 + "…  2", "cat  0"]
    assert labels("hidden") == ["ch 1", "ch 2", "ch 0"]
    cache.class_names = None
    assert labels("predictions") == ["ch 1", "ch 2", "ch 0"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 0}, "`n` should be an integer ≥ 1. Received: 0"),
        ({"n": 2.5}, "Received: 2.5"),
        ({"n": True}, "Received: True"),
        ({"order": "mean"}, "`order` should be 'index' or 'strength'. Received: 'mean'"),
        ({"scale": "zero"}, "`scale` should be 'channel' or 'layer'. Received: 'zero'"),
        ({"cmap": "sunset"}, "sunset"),
        ({"layer": "batch"}, r"`image` should be one picture.*shape \(2, 3, 3, 4\)"),
    ],
)
def test_wrong_arguments(change, message):
    cache = StubCache(a=layer(), batch=np.zeros((2, 3, 3, 4)))
    with pytest.raises(ValueError, match=message):
        plot_channels(cache, PHOTO, **{"layer": "a", **change})


def test_the_strip_shows_the_photo_and_the_strongest_channel_of_each_stage():
    first, second = np.abs(layer(5, 8)), np.abs(layer(7, 4))
    first[..., 2] += 100
    second[..., 6] += 100
    second[0, 0, 3] = np.inf
    cache = StubCache(conv1_relu=first, conv2_block3_out=second)
    figure = plot_stages(cache, PHOTO)
    photo, *stages = maps(figure)
    assert photo.images[0].get_array().shape == (32, 32, 3)
    assert photo.get_title() == "array 60×40\n32 × 32 × 3"
    # The cache is asked about the very pixels that are shown.
    np.testing.assert_array_equal(photo.images[0].get_array(), cache.images[0].pixels)
    assert [axes.get_title() for axes in stages] == [
        "conv1_relu\n8 × 8 × 5",
        "conv2_block3_out\n4 × 4 × 7",
    ]
    np.testing.assert_array_equal(values(stages[0]), first[..., 2])
    np.testing.assert_array_equal(values(stages[1]), second[..., 6])
    assert [axes.get_xlabel().partition(":")[0] for axes in stages] == ["ch 2", "ch 6"]
    assert "Each map in its own range" in texts(figure)


def test_names_are_text_and_never_formulas():
    name = r"conv$\frac{1}$ <img onerror=x>"
    figure = plot_channels(StubCache(**{name: layer()}), PHOTO, name, 1)
    figure.savefig(io.BytesIO())
    assert name in texts(figure)
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "PNG")
    file.name = r"$\cat_{.png"
    figure = plot_stages(StubCache(**{name: layer()}), file)
    figure.savefig(io.BytesIO())
    assert maps(figure)[0].get_title().startswith(file.name)


@pytest.mark.parametrize(
    "odd", ["\n", "\t", "\x1b[31m", "\0", "\u202e", "\ud83d", "\u3042"], ids=ascii
)
def test_letters_that_no_font_has_are_drawn_as_a_sign(odd):
    """Warnings about glyphs would stand in the notebook, and half an emoji is none to draw."""
    name = f"conv{odd}1"
    cache = StubCache(**{name: layer()})
    cache.about = SimpleNamespace(title=name)
    photo = dataclasses.replace(load_image(PHOTO), source=name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in (plot_channels(cache, photo, name, 1), plot_stages(cache, photo)):
            figure.savefig(io.BytesIO())
    assert maps(figure)[0].get_title().splitlines()[0] == f"conv�{odd[1:]}1"


def test_a_long_name_is_cut():
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "PNG")
    file.name = "x" * 300 + ".png"
    title = maps(plot_stages(StubCache(a=layer()), file))[0].get_title()
    assert title.splitlines()[0] == "x" * 26 + "…"


def test_a_notebook_can_show_it_without_pyplot():
    png = plot_channels(StubCache(a=layer()), PHOTO, "a", 1)._repr_png_()
    assert png.startswith(b"\x89PNG")
    script = "import sys, resnet_widgets.plots; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"matplotlib.pyplot", "tensorflow", "keras"} & set(loaded)


def test_it_draws_in_any_thread():
    done = []
    cache = StubCache(a=layer())
    thread = threading.Thread(
        target=lambda: done.append(plot_channels(cache, PHOTO, "a")._repr_png_())
    )
    thread.start()
    thread.join()
    assert done


def test_the_usual_tutorial(random_resnet50, photo_path):
    """The first 16 channels of one layer of ResNet50, as `Model(...).predict` gives them."""
    import keras

    from resnet_widgets.engine.activations import ActivationCache
    from resnet_widgets.engine.images import load_image

    cache = ActivationCache(random_resnet50)
    figure = plot_channels(cache, photo_path, "conv3_block4_out")
    output = random_resnet50.get_layer("conv3_block4_out").output
    x = keras.applications.resnet50.preprocess_input(load_image(photo_path).array.copy())
    expected = keras.Model(random_resnet50.input, output)(x, training=False).numpy()[0]
    drawn = np.stack([values(axes) for axes in maps(figure)], axis=-1)
    np.testing.assert_allclose(drawn, expected[..., :16], atol=1e-5 * np.abs(expected).max())
    assert "conv3_block4_out, 28 × 28 × 512" in texts(figure)
    strip = maps(plot_stages(cache, photo_path))
    assert [axes.get_title().splitlines()[0] for axes in strip] == [
        "chelsea.png",
        "conv1_relu",
        "conv2_block3_out",
        "conv3_block4_out",
        "conv4_block6_out",
        "conv5_block3_out",
    ]
