"""What a canvas shows, and what it ought to show."""

from __future__ import annotations

import matplotlib
import numpy as np
from playwright.sync_api import Locator

# Steps of 1/252 of a channel's range, a table of 256 colours, and both rounded.
TOLERANCE = 8


def pixels_of(canvas: Locator) -> np.ndarray:
    """The canvas as `uint8` `(H, W, 3)`, at its own size, not that on the screen."""
    size, data = canvas.evaluate(
        """(canvas) => {
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          return [[height, width], Array.from(data)];
        }"""
    )
    return np.array(data, np.uint8).reshape(*size, 4)[..., :3]


def viridis(plane: np.ndarray) -> np.ndarray:
    """One channel in matplotlib's viridis over its own range, `uint8` `(H, W, 3)`."""
    plane = np.asarray(plane, np.float64)
    span = np.ptp(plane) or 1.0
    colors = matplotlib.colormaps["viridis"]((plane - plane.min()) / span)
    return np.round(colors[..., :3] * 255).astype(np.uint8)


def differ_by(a: np.ndarray, b: np.ndarray) -> int:
    """The largest difference of two pictures in any pixel, 0…255; 256 if their sizes differ."""
    if a.shape != b.shape:
        return 256
    return int(np.abs(a.astype(int) - b.astype(int)).max())
