"""One figure of all that the explorer shows, for slides, papers and saved notebooks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from .engine.edits import Edit
from .engine.images import InputImage
from .engine.regions import strength_of, strongest
from .plots import NOT_FINITE, PngFigure, draw_map, number, shape_of, short

_SOFT = "#5b6570"
_ACCENT, _QUIET = "#2563cf", "#a9c0ea"
_WIDTH, _EDGE, _GAP = 10.0, 0.25, 0.3  # inches
_LARGE, _SMALL = 3.1, 0.98
_CHANNELS = 9
_SHOWN_SIDE = 640  # pixels of the longer side of the photo


def plot_overview(
    cache: Any,
    image: InputImage,
    layer: str,
    channel: int = 0,
    *,
    cmap: str | Colormap = "viridis",
    limits: tuple[float, float] | None = None,
    stages: Sequence[tuple[str, int]] | None = None,
    edits: Sequence[Edit] = (),
) -> Figure:
    """Draw photo, one channel, the strongest channels of its layer, stages and predictions.

    Args:
        cache: An `ActivationCache`.
        image: The photo.
        layer: Path of a layer; one that gives a vector is drawn as bars.
        channel: Index of the channel drawn large.
        cmap: A matplotlib colormap or its name. Defaults to `"viridis"`.
        limits: Values at the two ends of the colours of the large map. Defaults to `None`, its own
            lowest and highest. All other maps are drawn from their own lowest to their own highest.
        stages: Paths of layers, each with the channel to draw, from left to right. Defaults to the
            strongest channel of each of the last four stages.
        edits: What is changed in the network, as in `cache.run`. Defaults to `()`, nothing.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    colours = matplotlib.colormaps.get_cmap(cmap).with_extremes(bad=NOT_FINITE)
    run = cache.run(image, edits) if edits else image
    values = np.asarray(cache.activation(run, layer))
    if stages is None:
        ends = cache.graph.stage_outputs[-4:]
        stages = [(path, strongest(cache.activation(run, path))) for path in ends]
    is_map = values.ndim == 3
    across = (_WIDTH - 2 * _EDGE - (len(stages) - 1) * _GAP) / max(1, len(stages))
    stage_side = min(2.3, across) if stages else 0.0
    row_channels = _SMALL + 0.62 if is_map else 0.0
    row_stages = stage_side + 0.75 if stages else 0.0
    top = 0.95 if edits else 0.75
    height = top + _LARGE + 0.55 + row_channels + row_stages + 0.15
    page = _Page(PngFigure(figsize=(_WIDTH, height), dpi=150), height)

    about = cache.about
    page.text(_EDGE, 0.34, f"{short(image.source)} through {short(about.title, 40)}", size=12)
    if edits:
        changes = "; ".join(edit.name for edit in edits)
        page.text(_EDGE, 0.56, f"Edited: {short(changes, 130)}", size=8.5)
    _photo(page.axes(_EDGE, top, _LARGE, _LARGE), image)
    left = _EDGE + _LARGE + _GAP
    if is_map:
        axes = page.axes(left, top, _LARGE, _LARGE)
        channel = min(channel, values.shape[-1] - 1)
        said = draw_map(axes, values[..., channel], colours, limits)
        _label(
            axes,
            f"{short(layer, 40)}, channel {channel} of {values.shape[-1]}",
            f"{said}, {_zeros(values, channel)}",
        )
        _colour_bar(page, left + _LARGE + 0.08, top, values[..., channel], limits, colours)
    else:
        names = cache.labels(layer) or [f"unit {unit}" for unit in range(len(values))]
        best = np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")[:8]
        axes = page.axes(left + 1.2, top, _LARGE - 1.2, _LARGE)
        _bars(axes, [(names[unit], float(values[unit])) for unit in best], number)
        _label(axes, f"{short(layer, 40)}, the {len(best)} highest of {len(values)}", "")
    predictions = cache.predictions(run)
    if predictions:
        wide = _WIDTH - _EDGE - left - _LARGE
        axes = page.axes(
            left + _LARGE + 0.45 * wide + 0.25, top, 0.45 * wide, 0.27 * len(predictions)
        )
        shares = [(one.label, one.probability) for one in predictions]
        _bars(axes, shares, _percent, limit=1.0)
        axes.set_title("prediction", fontsize=8.5, pad=4, loc="left")
    top += _LARGE + 0.55

    if is_map:
        order = np.argsort(-np.nan_to_num(strength_of(values), nan=-np.inf), kind="stable")
        said = f"Strongest channels of {short(layer, 40)}, {shape_of(values)}"
        page.text(_EDGE, top, said, size=9)
        step = (_WIDTH - 2 * _EDGE - _SMALL) / (_CHANNELS - 1)
        for position, one in enumerate(order[:_CHANNELS]):
            axes = page.axes(_EDGE + position * step, top + 0.12, _SMALL, _SMALL)
            draw_map(axes, values[..., one], colours, None)
            axes.set_xlabel(f"ch {one}", fontsize=7, labelpad=2)
            if one == channel:
                axes.spines[:].set(color="#c96a00", linewidth=2)
        top += row_channels
    if stages:
        page.text(_EDGE, top, "Stages, each map in its own range", size=9)
        for position, (path, one) in enumerate(stages):
            axes = page.axes(_EDGE + position * (across + _GAP), top + 0.12, stage_side, stage_side)
            plane = np.asarray(cache.activation(run, path))
            if plane.ndim != 3:
                axes.remove()
                continue
            one = min(one, plane.shape[-1] - 1)
            said = draw_map(axes, plane[..., one], colours, None)
            _below(axes, f"{short(path)}  {shape_of(plane)}\nch {one}: {said}")
    return page.figure


def overview_png(figure: Figure, *, dpi: int, most: int | None = None) -> bytes:
    """The figure as a PNG.

    Args:
        figure: As `plot_overview` makes it.
        dpi: Dots an inch.
        most: Bytes that it may have; to keep within them it gets 256 colours, then fewer dots.

    Returns:
        The file.
    """
    while True:
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=dpi)
        if most is None:
            return file.getvalue()
        few = Image.open(file).convert("RGB").quantize(256, dither=Image.Dither.NONE)
        file = io.BytesIO()
        few.save(file, "PNG", optimize=True)
        if file.tell() <= most or dpi < 20:
            return file.getvalue()
        dpi = int(dpi * 0.8)


class _Page:
    """Places things on a figure in inches from its upper left corner."""

    def __init__(self, figure: Figure, height: float) -> None:
        self.figure, self._height = figure, height

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        bottom = self._height - top - height
        axes = self.figure.add_axes(
            (left / _WIDTH, bottom / self._height, width / _WIDTH, height / self._height)
        )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_linewidth(0.4)
        return axes

    def text(self, left: float, baseline: float, text: str, *, size: float) -> None:
        """Text whose feet are `baseline` inches below the upper edge."""
        y = 1 - baseline / self._height
        self.figure.text(left / _WIDTH, y, text, fontsize=size, parse_math=False)


def _photo(axes: Axes, image: InputImage) -> None:
    """The whole photo; what the model does not see of it is dimmed."""
    whole = Image.fromarray(image.original)
    height, width = image.original.shape[:2]
    whole.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE), Image.Resampling.LANCZOS)
    axes.imshow(np.asarray(whole), extent=(0, width, height, 0), interpolation="antialiased")
    left, top, right, bottom = image.box
    shades = [
        (0, 0, width, top),
        (0, bottom, width, height),
        (0, top, left, bottom),
        (right, top, width, bottom),
    ]
    for x0, y0, x1, y1 in shades:
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, color="black", alpha=0.5, lw=0))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_anchor("N")
    axes.spines[:].set_visible(False)
    seen = f"the model sees {right - left} × {bottom - top} px of it"
    _label(axes, f"photo, {width} × {height} px", seen)


def _colour_bar(
    page: _Page,
    left: float,
    top: float,
    plane: np.ndarray,
    limits: tuple[float, float] | None,
    colours: Colormap,
) -> None:
    finite = plane[np.isfinite(plane)]
    low, high = limits or ((float(finite.min()), float(finite.max())) if finite.size else (0, 0))
    if low >= high:
        return
    place = page.axes(left, top, 0.1, _LARGE)
    page.figure.colorbar(ScalarMappable(Normalize(low, high), colours), cax=place)
    place.tick_params(labelsize=7)


def _bars(axes: Axes, rows: list, say: Any, *, limit: float | None = None) -> None:
    """Bars from the top down, named at the left, with their values at the right."""
    finite = [value if np.isfinite(value) else 0.0 for _, value in rows]
    most = limit or max([abs(value) for value in finite], default=0) or 1.0
    colors = [_ACCENT] + [_QUIET] * (len(rows) - 1)
    axes.barh(range(len(rows)), finite, height=0.45, color=colors)
    axes.set_yticks(range(len(rows)), [short(name, 20) for name, _ in rows], parse_math=False)
    axes.tick_params(labelsize=7.5, length=0)
    for row, (_, value) in enumerate(rows):
        axes.annotate(
            say(value),
            (1, row),
            xycoords=("axes fraction", "data"),
            fontsize=7.5,
            ha="right",
            va="center",
        )
    axes.set_xlim(min(0, *finite) if finite else 0, most * 1.45)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.spines[:].set_visible(False)


def _label(axes: Axes, title: str, below: str) -> None:
    axes.set_title(title, fontsize=8.5, pad=4, loc="left", parse_math=False)
    _below(axes, below)


def _below(axes: Axes, text: str) -> None:
    axes.set_xlabel(text, fontsize=7, labelpad=3, loc="left", color=_SOFT, parse_math=False)


def _zeros(values: np.ndarray, channel: int) -> str:
    return f"{100 * np.mean(values[..., channel] == 0):.0f} % zeros"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if np.isfinite(share) else "NaN"
