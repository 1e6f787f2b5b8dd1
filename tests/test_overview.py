"""The figure of the whole view: what is on it, in which range, and how large its file is."""

from __future__ import annotations

import dataclasses
import io
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from resnet_widgets.engine.images import load_image
from resnet_widgets.overview import overview_png, plot_overview

RNG = np.random.default_rng(4)
PHOTO = load_image(RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8), (32, 32))
ARRAYS = {
    "a": RNG.random((6, 6, 12), np.float32) * np.arange(12, dtype=np.float32),
    "b": RNG.random((3, 3, 4), np.float32),
    "$v$": np.array([0.1, 0.7, 0.2], np.float32),
}


def cache(predictions=True):
    labels = ["$x$ <b>", "two", "three"]
    found = [SimpleNamespace(label=label, probability=0.5) for label in labels]
    return SimpleNamespace(
        activation=lambda image, layer: ARRAYS[layer],
        about=SimpleNamespace(title="Some model"),
        graph=SimpleNamespace(stage_outputs=("a", "b")),
        predictions=lambda image: found if predictions else None,
        labels=lambda layer: labels if layer == "$v$" else None,
    )


def maps(figure):
    """The places of all pictures, in the order they were drawn: the photo is the first."""
    return [axes for axes in figure.axes if axes.images]


def values(axes):
    return np.asarray(axes.images[0].get_array().filled(np.nan))


def test_what_is_drawn():
    figure = plot_overview(cache(), PHOTO, "a", 5)
    photo, large, *others = maps(figure)
    assert photo.images[0].get_extent() == [0, 60, 40, 0]
    assert large.get_title(loc="left") == "a, channel 5 of 12"
    np.testing.assert_array_equal(values(large), ARRAYS["a"][..., 5])
    means = ARRAYS["a"].mean(axis=(0, 1))
    for axes, channel in zip(others[:9], np.argsort(-means, kind="stable"), strict=False):
        np.testing.assert_array_equal(values(axes), ARRAYS["a"][..., channel])
        assert axes.get_xlabel() == f"ch {channel}"
    stages = others[9:]
    assert len(stages) == 2
    np.testing.assert_array_equal(values(stages[0]), ARRAYS["a"][..., means.argmax()])
    assert figure.texts[0].get_text().endswith("through Some model")


def test_what_the_model_does_not_see_is_dimmed():
    figure = plot_overview(cache(), PHOTO, "a")
    shades = figure.axes[0].patches
    covered = sum(shade.get_width() * shade.get_height() for shade in shades)
    left, top, right, bottom = PHOTO.box
    assert covered == 60 * 40 - (right - left) * (bottom - top)


@pytest.mark.parametrize("limits", [None, (-1.0, 3.0)])
def test_the_colour_bar_is_that_of_the_large_map(limits):
    figure = plot_overview(cache(), PHOTO, "a", 5, limits=limits)
    plane = ARRAYS["a"][..., 5]
    low, high = limits or (plane.min(), plane.max())
    large = maps(figure)[1]
    assert large.images[0].get_clim() == pytest.approx((low, high))
    bars = [axes for axes in figure.axes if axes.get_position().width < 0.02]
    assert bars[0].get_ylim() == pytest.approx((low, high))
    # All other maps keep their own ranges.
    small = maps(figure)[2]
    assert small.images[0].get_clim() == pytest.approx((values(small).min(), values(small).max()))


def test_the_stages_that_are_on_show():
    figure = plot_overview(cache(), PHOTO, "a", stages=[("b", 2), ("b", 1)])
    planes = [values(axes) for axes in maps(figure)[11:]]
    np.testing.assert_array_equal(planes, [ARRAYS["b"][..., 2], ARRAYS["b"][..., 1]])


def test_a_vector_is_bars_with_names():
    figure = plot_overview(cache(predictions=False), PHOTO, "$v$")
    (bars,) = [axes for axes in figure.axes if axes.patches and not axes.images]
    names = [tick.get_text() for tick in bars.get_yticklabels()]
    assert names == ["two", "three", "$x$ <b>"]
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([0.7, 0.2, 0.1])
    # A name is no formula.
    assert all(not tick.get_parse_math() for tick in bars.get_yticklabels())


def test_odd_and_endless_names_stay_in_their_line_and_out_of_the_file(monkeypatch):
    name = "<b>\n\x1b[31m\u202e\ud83d" + "x" * 3000
    monkeypatch.setitem(ARRAYS, name, ARRAYS["a"])
    asked = cache()
    asked.about.title = name
    photo = dataclasses.replace(PHOTO, source=name)
    figure = plot_overview(asked, photo, name, stages=[(name, 1)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png = overview_png(figure, dpi=60)
    texts = [text.get_text() for text in figure.findobj(Text)]
    lines = [line for text in texts for line in text.splitlines()]
    assert sum("<b>��" in line for line in lines) == 4
    assert all(len(line) < 90 and line.isprintable() for line in lines)
    assert set(Image.open(io.BytesIO(png)).info) <= {"Software", "dpi"}


def test_a_channel_that_the_layer_lacks_is_its_last():
    figure = plot_overview(cache(), PHOTO, "b", 99)
    assert maps(figure)[1].get_title(loc="left") == "b, channel 3 of 4"


def test_files_have_their_size():
    figure = plot_overview(cache(), PHOTO, "a")
    full = Image.open(io.BytesIO(overview_png(figure, dpi=60)))
    assert full.format == "PNG"
    assert full.width == 600
    small = overview_png(figure, dpi=90, most=12_000)
    assert len(small) <= 12_000
    assert Image.open(io.BytesIO(small)).width >= 150
