"""Figures of activations for papers and slides: a grid of channels, a strip of stages."""

from __future__ import annotations

import io
import math
import threading
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from resnet_widgets.engine.edits import EditedRun
from resnet_widgets.engine.images import load_image
from resnet_widgets.engine.regions import strength_of, strongest

# No colormap of activations goes through it, so marked cells cannot be taken for values.
NOT_FINITE = "#ff2d95"
_PANEL, _GAP, _ROW_GAP = 1.35, 0.14, 0.5  # inches
_STAGE = 1.05  # so that six of them are about as wide as a page
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.15, 0.9, 0.7, 0.2


# TrueType in place of matplotlib's Type 3, which journals refuse and editors cannot edit.
_FONTS: Any = {"pdf.fonttype": 42, "ps.fonttype": 42}
_fonts_lock = threading.Lock()


class PngFigure(Figure):
    """A figure that a notebook shows although pyplot, which would do that, is not loaded."""

    def savefig(self, fname: Any, **options: Any) -> None:
        """As matplotlib's; the text of a PDF is text, in fonts that it brings along."""
        form = str(options.get("format") or fname).lower()
        if not form.endswith(("pdf", "ps")):
            return super().savefig(fname, **options)
        with _fonts_lock, matplotlib.rc_context(_FONTS):
            return super().savefig(fname, **options)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def plot_channels(
    cache: Any,
    image: Any,
    layer: str,
    n: int = 16,
    *,
    cmap: str | Colormap = "viridis",
    order: str = "index",
    scale: str = "channel",
    symmetric: bool = False,
) -> Figure:
    """Draw channels of one layer as a grid of maps, or as bars if the layer is a vector.

    Every map is drawn cell by cell, with its lowest and highest value below it. Cells that are NaN
    or infinite are pink and counted.

    Args:
        cache: An `ActivationCache`.
        image: One picture, as `load_image` takes it, or an `EditedRun`.
        layer: Path of a layer, such as `"conv3_block4_out"`.
        n: How many channels. Defaults to 16; a layer with fewer shows all it has.
        cmap: A matplotlib colormap or its name. Defaults to `"viridis"`.
        order: `"index"` for the first `n` channels, `"strength"` for the `n` with the highest
            mean, highest first.
        scale: `"channel"` if the colours of each map go from its own lowest to its own highest
            value, `"layer"` if all maps share the range of the whole layer.
        symmetric: Whether the range goes as far below zero as above, for a layer with negative
            values and a colormap with a middle, such as `"coolwarm"`.

    Returns:
        A `matplotlib.figure.Figure`; save it with `figure.savefig("channels.pdf")`.

    Raises:
        ValueError: If an argument is none of the above.
    """
    _check("order", order, ("index", "strength"))
    _check("scale", scale, ("channel", "layer"))
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"`n` should be an integer ≥ 1. Received: {n!r}")
    colours = matplotlib.colormaps.get_cmap(cmap).with_extremes(bad=NOT_FINITE)
    values = np.asarray(cache.activation(image, layer))
    if values.ndim not in (1, 3):
        raise ValueError(
            "`image` should be one picture, and `layer` one with maps (H, W, C) or a vector (C,). "
            f"Received: layer {layer!r} of shape {values.shape}"
        )
    if order == "strength":
        # Channels without a finite cell are weakest.
        strength = np.nan_to_num(strength_of(values), nan=-np.inf)
        channels = np.argsort(-strength, kind="stable")[:n]
    else:
        channels = np.arange(values.shape[-1])[:n]
    title = f"{short(layer, 40)}, {shape_of(values)}"
    which = {"index": "First", "strength": "Strongest"}[order]
    caption = f"{which} {len(channels)} of {values.shape[-1]} channels, {_network(cache)}"
    if values.ndim == 1:
        names = cache.labels(layer)
        return _bars(values, channels, names, title, caption, colours)
    return _grid(values, channels, title, caption, colours, scale == "layer", symmetric)


def plot_stages(cache: Any, image: Any, *, cmap: str | Colormap = "viridis") -> Figure:
    """Draw what a network makes of a picture: the picture, then one map for each stage.

    The map of a stage is that of its strongest channel, the one with the highest mean, in colours
    from its own lowest to its own highest value.

    Args:
        cache: An `ActivationCache`.
        image: One picture, as `load_image` takes it, or an `EditedRun`.
        cmap: A matplotlib colormap or its name. Defaults to `"viridis"`.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    colours = matplotlib.colormaps.get_cmap(cmap).with_extremes(bad=NOT_FINITE)
    run = image if isinstance(image, EditedRun) else load_image(image, cache.input_size)
    photo = run.image if isinstance(run, EditedRun) else run
    stages = cache.stages(run)
    columns = 1 + len(stages)
    figure = _figure(columns, 1, _STAGE)
    axes = _panel(figure, 0, columns, _STAGE)
    axes.imshow(photo.pixels)
    height, width = photo.pixels.shape[:2]
    _label(axes, f"{short(photo.source)}\n{height} × {width} × 3", "what the model sees")
    for column, (path, values) in enumerate(stages.items(), start=1):
        channel = strongest(values)
        axes = _panel(figure, column, columns, _STAGE)
        said = draw_map(axes, values[..., channel], colours, None)
        _label(axes, f"{short(path, 40)}\n{shape_of(values)}", f"ch {channel}: {said}")
    _title(figure, f"{_network(cache)}: one channel of each stage")
    _channel_bar(figure, _bar_axes(figure, columns, 1, _STAGE), colours)
    _caption(figure, "Strongest channel of each stage (highest mean)", "channel")
    return figure


def _grid(
    values: np.ndarray,
    channels: np.ndarray,
    title: str,
    caption: str,
    colours: Colormap,
    shared: bool,
    symmetric: bool,
) -> Figure:
    columns = math.ceil(math.sqrt(len(channels)))
    rows = math.ceil(len(channels) / columns)
    figure = _figure(columns, rows, _PANEL)
    limits = _limits(values, symmetric) if shared else None
    for position, channel in enumerate(channels):
        axes = _panel(figure, position, columns, _PANEL)
        plane = values[..., channel]
        own = limits if shared else _limits(plane, symmetric)
        _label(axes, f"ch {channel}", draw_map(axes, plane, colours, own))
    _title(figure, title)
    if not shared:
        _channel_bar(figure, _bar_axes(figure, columns, rows, _PANEL), colours, symmetric)
    elif limits and limits[0] < limits[1]:
        place = _bar_axes(figure, columns, rows, _PANEL)
        bar = figure.colorbar(ScalarMappable(Normalize(*limits), colours), cax=place)
        bar.set_label("activation", fontsize=7)
        place.tick_params(labelsize=7)
    _caption(figure, caption, "layer" if shared else "channel", symmetric)
    return figure


def _limits(values: np.ndarray, symmetric: bool) -> tuple[float, float] | None:
    """Lowest and highest finite value, or as far below zero as above; `None` if there is none."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    low, high = float(finite.min()), float(finite.max())
    most = max(-low, high)
    return (-most, most) if symmetric else (low, high)


def draw_map(
    axes: Axes, plane: np.ndarray, colours: Colormap, limits: tuple[float, float] | None
) -> str:
    """Draw one channel; returns its range in words."""
    finite = np.isfinite(plane)
    marked = int(plane.size - finite.sum())
    pink = f", {marked} not finite" if marked else ""
    if marked == plane.size:
        said, low, high = "nothing finite", 0.0, 1.0
    else:
        low, high = float(plane[finite].min()), float(plane[finite].max())
        said = f"constant {number(low)}" if low == high else f"{number(low)} … {number(high)}"
        said += pink
    low, high = limits or (low, high)
    axes.imshow(
        np.ma.masked_where(~finite, plane.astype(np.float64)),
        cmap=colours,
        vmin=low,
        vmax=high,  # a constant, low == high, gets the lowest colour
        interpolation="nearest",
    )
    return said


def _bars(
    values: np.ndarray,
    channels: np.ndarray,
    names: tuple[str, ...] | None,
    title: str,
    caption: str,
    colours: Colormap,
) -> Figure:
    left = 2.0 if names else 0.75
    width, tall = left + 4.7, 0.24 * len(channels)
    height = tall + 1.3
    figure = PngFigure(figsize=(width, height), dpi=150)
    axes = figure.add_axes((left / width, 0.75 / height, 4.2 / width, tall / height))
    chosen = values[channels].astype(np.float64)
    finite = np.isfinite(chosen)
    rows = np.arange(len(channels))
    axes.barh(rows, np.where(finite, chosen, 0), height=0.7, color=colours(0.45))
    for row in rows:
        value = chosen[row] if finite[row] else 0.0
        axes.annotate(
            number(chosen[row]),
            (value, row),
            xytext=(3 if value >= 0 else -3, 0),
            textcoords="offset points",
            ha="left" if value >= 0 else "right",
            va="center",
            fontsize=7,
            color=matplotlib.rcParams["text.color"] if finite[row] else NOT_FINITE,
        )
    texts = [f"{short(names[c])}  {c}" if names else f"ch {c}" for c in channels]
    axes.set_yticks(rows, texts, parse_math=False)
    axes.tick_params(labelsize=7)
    axes.set_ylim(len(channels) - 0.4, -0.6)
    axes.margins(x=0.12)
    axes.axvline(0, color="0.5", linewidth=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    _title(figure, title)
    figure.text(_LEFT / width, 0.12 / height, caption, fontsize=7.5, parse_math=False)
    return figure


# ------------------------------------------------------------------------------- page layout
# Positions are computed in inches: automatic layouts take seconds with hundreds of panels.
def _figure(columns: int, rows: int, size: float) -> PngFigure:
    width = max(_LEFT + columns * (size + _GAP) + _RIGHT, 3.2)
    return PngFigure(figsize=(width, _TOP + rows * (size + _ROW_GAP) + _BOTTOM), dpi=150)


def _panel(figure: Figure, position: int, columns: int, size: float) -> Axes:
    width, height = figure.get_size_inches()
    row, column = divmod(position, columns)
    left = _LEFT + column * (size + _GAP)
    bottom = height - _TOP - row * (size + _ROW_GAP) - size
    axes = figure.add_axes((left / width, bottom / height, size / width, size / height))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_linewidth(0.4)
    return axes


def _bar_axes(figure: Figure, columns: int, rows: int, size: float) -> Axes:
    """A place for the colour bar, right of the first row or two."""
    width, height = figure.get_size_inches()
    left = _LEFT + columns * (size + _GAP) + 0.05
    tall = size if rows == 1 else 2 * size + _ROW_GAP
    bottom = height - _TOP - tall
    return figure.add_axes((left / width, bottom / height, 0.12 / width, tall / height))


def _channel_bar(figure: Figure, place: Axes, colours: Colormap, symmetric: bool = False) -> None:
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), colours), cax=place)
    if symmetric:
        bar.set_ticks([0, 0.5, 1], labels=["− largest", "0", "+ largest"])
    else:
        bar.set_ticks([0, 1], labels=["its lowest", "its highest"])
    bar.ax.tick_params(labelsize=7)


# Names come from models and files: `parse_math=False`, or a `$` in one would be read as a formula.
def _label(axes: Axes, title: str, below: str) -> None:
    axes.set_title(title, fontsize=8, pad=3, parse_math=False)
    axes.set_xlabel(below, fontsize=6.5, labelpad=2, parse_math=False)


def _network(cache: Any) -> str:
    return short(cache.about.title, 40)


def _title(figure: Figure, text: str) -> None:
    height = figure.get_figheight()
    left = _LEFT / figure.get_figwidth()
    figure.text(left, 1 - 0.2 / height, text, fontsize=10.5, va="top", parse_math=False)


def _caption(figure: Figure, text: str, scale: str, symmetric: bool = False) -> None:
    width, height = figure.get_size_inches()
    ranges = {
        ("channel", False): "Each map in its own range, given below it.",
        ("channel", True): "Each map around zero, as far as its largest value either way.",
        ("layer", False): "All maps in one range, that of the whole layer.",
        ("layer", True): "All maps around zero, as far as the largest value of the layer.",
    }
    said = f"{text}.\n{ranges[scale, symmetric]}"
    figure.text(_LEFT / width, 0.12 / height, said, fontsize=7.5, parse_math=False)


def short(name: str, most: int = 27) -> str:
    """A name of somebody else's as a figure can show it: cut, and � for what no font has.

    Of a letter without a glyph matplotlib warns, in the middle of a notebook.
    """
    families = matplotlib.rcParams["font.family"]
    fonts = [get_font(findfont(FontProperties(family=[family]))) for family in families]

    def is_drawable(letter: str) -> bool:
        code = ord(letter)
        return letter.isprintable() and any(font.get_char_index(code) for font in fonts)

    name = name if len(name) <= most else f"{name[: most - 1]}…"
    return "".join(letter if is_drawable(letter) else "�" for letter in name)


def shape_of(values: np.ndarray) -> str:
    return " × ".join(map(str, values.shape))


def number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _check(name: str, value: str, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise ValueError(
            f"`{name}` should be {' or '.join(map(repr, accepted))}. Received: {value!r}"
        )
