"""The present view of an explorer as a figure and as PNG."""

from __future__ import annotations

from typing import Any

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
        blend, clip = view.blend, view.clip
        columns = list(zip(stages.layers, stages.channels, strict=False))
    assert cache is not None
    if colormap == "auto":
        colormap = "coolwarm" if symmetric else "viridis"
    if not limits and (blend or clip or symmetric):
        run = cache.run(image, edits) if edits else image
        limits = _range(cache.activation(run, layer), channel, blend, clip, symmetric)
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


def _range(
    values: np.ndarray, channel: int, blend: float, clip: float, symmetric: bool
) -> list[float]:
    """The ends of the colours as `ranges.js` has them; `[]` where there are none."""
    own = _ends(values[..., channel], clip)
    if own is None:
        return []
    if blend:
        own = own + blend * (_ends(values, clip) - own)
    if symmetric:
        reach = float(np.abs(own).max()) or 1.0
        return [-reach, reach]
    return own.tolist() if own[0] < own[1] else []


def _ends(values: np.ndarray, clip: float) -> Any:
    """Lowest and highest of the finite cells but `clip` percent at each end; `None` of none."""
    cells = np.sort(values[np.isfinite(values)].astype(np.float64))
    if not cells.size:
        return None
    cut = int(clip / 100 * (cells.size - 1))
    ends = cells[[cut, -1 - cut]]
    return ends if ends[0] < ends[1] else cells[[0, -1]]


def png_of(shown: ExplorerState, *, dpi: int, most: int | None = None) -> bytes:
    """The same as PNG, of at most `most` bytes where that is given."""
    return overview_png(figure_of(shown), dpi=dpi, most=most)
