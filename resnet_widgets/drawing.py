"""The present view of an explorer as a figure and as PNG."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from .explorer_state import ExplorerState
from .overview import overview_png, plot_overview
from .widgets._base import traits_lock


def figure_of(shown: ExplorerState) -> Figure:
    """What is on show, in the colours it has in the page; everything must be there."""
    with traits_lock:
        cache, image, layer, channel = shown.cache, shown.image, shown.layer, shown.channel
        edits = tuple(shown.edits)
        view, stages = shown.map, shown.stages
        colormap, limits, symmetric = view.colormap, view.limits, view.symmetric
        columns = dict(zip(stages.layers, stages.channels, strict=False))
    assert cache is not None
    if colormap == "auto":
        colormap = "coolwarm" if symmetric else "viridis"
    if symmetric and not limits:
        plane = cache.run(image, edits).activation(layer)[..., channel]
        most = float(np.abs(plane[np.isfinite(plane)]).max(initial=0))
        limits = [-most, most]
    return plot_overview(
        cache,
        image,
        layer,
        channel,
        cmap=colormap,
        limits=limits or None,
        stages=columns,
        edits=edits,
    )


def png_of(shown: ExplorerState, *, dpi: int, most: int | None = None) -> bytes:
    """The same as PNG, of at most `most` bytes where that is given."""
    return overview_png(figure_of(shown), dpi=dpi, most=most)
