"""One activation made ready for the browser: the contract between the two sides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

_TOP = 252
_MINUS_INFINITY, _PLUS_INFINITY, _NAN = 253, 254, 255
# Cells transposed at a time: few enough to stay in the processor's cache.
_STRIP = 128


@dataclass(frozen=True, eq=False, repr=False)
class Frame:
    """One activation as `uint8` planes, with the range of each channel beside them.

    A byte `b` of channel `c` stands for `low[c] + b / 252 * (high[c] - low[c])`; 253 is -inf, 254
    is +inf, 255 is NaN. The four statistics are taken over the finite cells of a channel, and are
    NaN (`zeros`: 0) where it has none. A vector, such as the output of a pooling layer, has planes
    of one cell; its exact values are `strength`.

    A large activation can be reduced: then a byte stands for the mean of a square of cells, while
    the statistics are still those of all cells.

    Attributes:
        layer: Path of the layer.
        shape: `(H, W, C)`, or `(C,)` for a vector.
        low: Smallest value of each channel, `float32` of shape `(C,)`.
        high: Largest value of each channel, `float32` of shape `(C,)`.
        strength: Mean of each channel, `float32` of shape `(C,)`.
        zeros: Share of the cells of each channel that are exactly 0, `float32` of shape `(C,)`.
        data: The planes, `uint8` of shape `(C, H, W)`; reduced, `(C, ceil(H / n), ceil(W / n))`.
        reduction: `n`, the cells along a side of the squares whose means are in `data`; 1 where
            each byte is a cell.
        muted: Indices of the channels that an edit has set to zero.
    """

    layer: str
    shape: tuple[int, ...]
    low: np.ndarray
    high: np.ndarray
    strength: np.ndarray
    zeros: np.ndarray
    data: np.ndarray
    reduction: int = 1
    muted: tuple[int, ...] = ()

    @classmethod
    def from_activation(
        cls,
        array: Any,
        *,
        layer: str = "",
        most_bytes: int | None = None,
        muted: tuple[int, ...] = (),
    ) -> Frame:
        """Makes a frame of one image's activation. The array is not changed.

        Args:
            array: Real numbers of shape `(H, W, C)` or `(C,)`; anything `numpy.asarray` takes.
            layer: Path of the layer. Defaults to `""`.
            most_bytes: Size of the planes above which they are reduced, as little as possible.
                Defaults to `None`: never.
            muted: Indices of the channels that an edit has set to zero. Defaults to `()`.

        Returns:
            A `Frame`. Values are taken as `float32`.

        Raises:
            TypeError: If the values are not real numbers.
            ValueError: If the shape is another, or has no cells.
        """
        values = _real(array)
        if values.ndim not in (1, 3) or 0 in values.shape:
            hint = " Take one image of a batch, such as `array[0]`." if values.ndim == 4 else ""
            raise ValueError(
                "Argument `array` must have shape (H, W, C) or (C,), with at least one cell."
                f"{hint} Received: array of shape {values.shape}"
            )
        cells = values if values.ndim == 3 else values[None, None]
        rows = _rows(cells)
        low, high, strength, zeros = _statistics(rows)
        reduction = _reduction(cells.shape, most_bytes)
        if reduction > 1:
            cells = _means(cells, reduction)
            rows = _rows(cells)
        height, width, channels = cells.shape
        return cls(
            layer=layer,
            shape=values.shape,
            low=low,
            high=high,
            strength=strength,
            zeros=zeros,
            data=_quantise(rows, low, high).reshape(channels, height, width),
            reduction=reduction,
            muted=muted,
        )

    def to_message(self) -> tuple[dict[str, Any], bytes]:
        """The frame as one header and one buffer.

        Returns:
            `header`, a `dict` with `layer`, `shape`, `reduction` and `muted`, and `buffer`: `low`,
            `high`, `strength` and `zeros` as little-endian `float32`, then the planes, channel
            after channel.
        """
        statistics = np.stack([self.low, self.high, self.strength, self.zeros]).astype("<f4")
        header = {
            "layer": self.layer,
            "shape": list(self.shape),
            "reduction": self.reduction,
            "muted": list(self.muted),
        }
        return header, b"".join((statistics.tobytes(), self.data.tobytes()))

    def __repr__(self) -> str:
        return f"Frame(layer={self.layer!r}, shape={self.shape})"


def _real(array: Any) -> np.ndarray:
    """`array` as `float32`; numbers beyond its range become ±inf without a warning."""
    raw = np.asarray(array)
    if raw.dtype.kind in "cOSUmM":
        raise TypeError(
            f"Argument `array` must hold real numbers. Received: array of dtype {raw.dtype}"
        )
    with np.errstate(over="ignore"):
        return raw.astype(np.float32, copy=False)


def _rows(cells: np.ndarray) -> np.ndarray:
    """`(H, W, C)` → `(C, H · W)`, strip by strip: half the time, of a large array a quarter."""
    flat = cells.reshape(-1, cells.shape[2])
    rows = np.empty(flat.shape[::-1], flat.dtype)
    for start in range(0, len(flat), _STRIP):
        rows[:, start : start + _STRIP] = flat[start : start + _STRIP].T
    return rows


def _reduction(shape: tuple[int, ...], most_bytes: int | None) -> int:
    """The smallest side of squares of which one byte each fits."""
    height, width, channels = shape
    side = 1
    while most_bytes is not None and side < max(height, width):
        if channels * math.ceil(height / side) * math.ceil(width / side) <= most_bytes:
            break
        side += 1
    return side


def _means(cells: np.ndarray, side: int) -> np.ndarray:
    """The mean of each square of `side` × `side` cells; those at the far edges may be smaller."""
    height, width, channels = cells.shape
    size = math.ceil(height / side), math.ceil(width / side)
    sums, counts = np.zeros((*size, channels)), np.zeros((*size, 1))
    with np.errstate(invalid="ignore"):  # squares with both infinities
        for row in range(side):
            for column in range(side):
                part = cells[row::side, column::side]
                sums[: part.shape[0], : part.shape[1]] += part
                counts[: part.shape[0], : part.shape[1]] += 1
    sums /= counts
    return sums.astype(np.float32)


def _statistics(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`low`, `high`, `strength`, `zeros` of each row, over its finite cells."""
    cells = rows.shape[1]
    low, high = rows.min(axis=1), rows.max(axis=1)
    with np.errstate(invalid="ignore"):  # rows with both infinities
        strength = rows.mean(axis=1, dtype=np.float64)
    zeros = (cells - np.count_nonzero(rows, axis=1)) / cells
    # NaN and ±inf show in low or high, so only the few rows that have them pay for a second look.
    for row in np.flatnonzero(~(np.isfinite(low) & np.isfinite(high))):
        finite = rows[row][np.isfinite(rows[row])]
        low[row] = finite.min() if finite.size else math.nan
        high[row] = finite.max() if finite.size else math.nan
        strength[row] = finite.mean(dtype=np.float64) if finite.size else math.nan
        zeros[row] = np.mean(finite == 0) if finite.size else 0
    return low, high, strength.astype(np.float32), zeros.astype(np.float32)


def _quantise(rows: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The byte of every cell."""
    with np.errstate(all="ignore"):
        # A range that overflows float32 is rare and needs the wider type.
        wide: Any = np.float32 if np.isfinite(high - low).all() else np.float64
        start = low.astype(wide)[:, None]
        span = high.astype(wide)[:, None] - start
        steps = rows - start
        steps /= np.where(span > 0, span, 1)
        steps *= _TOP
        np.rint(steps, out=steps)
        codes = steps.astype(np.uint8)
    for row in np.flatnonzero(~np.isfinite(rows).all(axis=1)):
        codes[row][np.isneginf(rows[row])] = _MINUS_INFINITY
        codes[row][np.isposinf(rows[row])] = _PLUS_INFINITY
        codes[row][np.isnan(rows[row])] = _NAN
    return codes
