"""What is on a canvas, and what numpy says should be there."""

from __future__ import annotations

import base64

import numpy as np
from playwright.sync_api import Page

from resnet_widgets.frame import Frame

NO_NUMBER = (0, 0xE5, 0xFF)


def next_frame(page: Page) -> None:
    """Waits until everything that is due has been painted."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def pixels(page: Page, selector: str) -> np.ndarray:
    """The pixels of a canvas, `uint8` of shape `(H, W, 4)`."""
    next_frame(page)
    width, height, text = page.locator(selector).evaluate(
        """(canvas) => {
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          let letters = "";
          for (const byte of data) letters += String.fromCharCode(byte);
          return [width, height, btoa(letters)];
        }"""
    )
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)


def table(page: Page, name: str) -> np.ndarray:
    """The colormap as the page has it, `uint8` of shape `(256, 4)`."""
    numbers = page.evaluate(
        "async (name) => [...(await import('/colors.js')).colormapTable(name)]", name
    )
    return np.array(numbers, "<u4").view(np.uint8).reshape(256, 4)


def shown_values(array: np.ndarray, channel: int) -> np.ndarray:
    """One channel after its way through the bytes of a frame, `float64` of shape `(H, W)`."""
    frame = Frame.from_activation(array)
    low, high = float(frame.low[channel]), float(frame.high[channel])
    return low + frame.data[channel] / 252 * (high - low)


def range_of(
    array: np.ndarray,
    channel: int,
    *,
    blend: float = 0,
    symmetric: bool = False,
    clip: float = 0,
    limits: tuple[float, ...] | list[float] = (),
) -> tuple[float, float]:
    """The numbers at the ends of the colormap; `clip` with percentiles that are values."""
    if limits:
        return limits[0], limits[1]

    def ends(values: np.ndarray) -> np.ndarray:
        low = np.percentile(values, clip, method="lower")
        return np.array([low, np.percentile(values, 100 - clip, method="higher")])

    own = ends(shown_values(array, channel))
    layer = ends(np.stack([shown_values(array, c) for c in range(array.shape[2])]))
    low, high = (1 - blend) * own + blend * layer
    reach = max(abs(low), abs(high))
    return (-reach, reach) if symmetric else (low, high)


def colored(
    array: np.ndarray, channel: int, low: float, high: float, colors: np.ndarray
) -> np.ndarray:
    """One channel as pixels: the nearest of 256 colours from `low` to `high`, the ends beyond."""
    frame = Frame.from_activation(array)
    first, last = float(frame.low[channel]), float(frame.high[channel])
    start = (first - low) / (high - low) * 255 + 0.5
    step = (last - first) / (high - low) * 255 / 252
    return colors[np.clip(start + frame.data[channel] * step, 0, 255).astype(int)]
