"""Which channels fire in a part of a picture: means inside against means outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

# Less than this share of the cells outside is none: a region that ends at 0.9999999 is the picture.
_NOTHING = 1e-9


def region_scores(activation: Any, region: Sequence[float]) -> np.ndarray:
    """How much more each channel fires inside a region than in the rest of the picture.

    For a channel with values `x` and `w`, the share of each cell that lies in the region:

        score = (sum(w x) / sum(w) - sum((1 - w) x) / sum(1 - w)) / std(x)

    that is, the distance of the two means in standard deviations of the channel. Up to a factor
    that is the same for all channels, this is the correlation of the channel with the region (the
    point-biserial one, if the region ends between cells). So a channel cannot get ahead by large
    numbers alone, nor by a single bright cell: it has to look like the region.

    Args:
        activation: Real numbers of shape `(H, W, C)`, such as `ActivationCache.activation` gives.
        region: `[x0, y0, x1, y1]` in 0…1 of the picture, from its left and upper edge.

    Returns:
        `float64` array of shape `(C,)`: 0 where a channel is constant, NaN where it is not finite.

    Raises:
        ValueError: If `activation` has another shape, or `region` is not a part of the picture.
    """
    values = np.asarray(activation)
    if values.ndim != 3 or 0 in values.shape:
        raise ValueError(
            "Argument `activation` must have shape (H, W, C): a vector has no places. "
            f"Received: array of shape {values.shape}"
        )
    across, down = _weights(region, values.shape)
    inside, cells = across.sum() * down.sum(), values.shape[0] * values.shape[1]
    with np.errstate(all="ignore"):
        values = values.astype(np.float64)
        mean, deviation = values.mean((0, 1)), values.std((0, 1))
        mean_inside = np.einsum("h,w,hwc->c", down, across, values) / inside
        # Of all cells and of those inside follows that of the others, for all channels at once.
        mean_outside = (mean * cells - mean_inside * inside) / (cells - inside)
        scores = (mean_inside - mean_outside) / deviation
    # A constant channel has a deviation of nothing but rounding.
    constant = values.min((0, 1)) == values.max((0, 1))
    return np.where(constant, 0.0, scores)


def region_channels(
    activation: Any, region: Sequence[float], n: int = 10
) -> list[tuple[int, float]]:
    """The channels that fire most in a region, against the rest of the picture.

    Args:
        activation: As in `region_scores`.
        region: As in `region_scores`.
        n: How many channels at most. Defaults to 10.

    Returns:
        `(channel, score)` pairs, the highest score first; see `region_scores`. Channels with values
        that are not finite are left out.

    Raises:
        ValueError: As `region_scores`.

    Example:

    >>> region_channels(cache.activation("cat.jpg", "conv3_block4_out"), [0.2, 0.0, 0.45, 0.3])
    """
    scores = region_scores(activation, region)
    order = np.argsort(-scores, kind="stable")
    return [(int(c), float(scores[c])) for c in order if np.isfinite(scores[c])][: max(0, n)]


def _weights(region: Sequence[float], shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Which share of each column and of each row lies in `region`."""
    try:
        x0, y0, x1, y1 = (float(edge) for edge in region)
    except (TypeError, ValueError):
        x0 = y0 = x1 = y1 = np.nan
    if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
        raise ValueError(
            "Argument `region` must be [x0, y0, x1, y1] with 0 <= x0 < x1 <= 1 and "
            f"0 <= y0 < y1 <= 1, in parts of the picture. Received: {region!r}"
        )
    if (x1 - x0) * (y1 - y0) > 1 - _NOTHING:
        raise ValueError(
            "Argument `region` covers the whole picture, so there is no rest to compare it with. "
            f"Choose a part of it. Received: {region!r}"
        )
    return _share(x0, x1, shape[1]), _share(y0, y1, shape[0])


def _share(start: float, end: float, count: int) -> np.ndarray:
    """Which share of each of `count` equal parts of 0…1 lies between `start` and `end`."""
    edges = np.arange(count + 1) / count
    return np.maximum(0, np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)) * count


def strongest(activation: np.ndarray) -> int:
    """Index of the channel whose finite cells have the greatest mean: a good first look."""
    return int(np.nan_to_num(strength_of(activation), nan=-np.inf).argmax())


def strength_of(activation: np.ndarray) -> np.ndarray:
    """Mean of the finite cells of each channel; NaN where there is none."""
    cells = activation.reshape(-1, activation.shape[-1])
    finite = np.isfinite(cells)
    total = np.where(finite, cells, 0).sum(axis=0, dtype=np.float64)
    count = finite.sum(axis=0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
