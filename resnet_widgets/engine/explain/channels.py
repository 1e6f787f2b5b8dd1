"""How a channel is made: what each input channel of a convolution adds to it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from .residual import site_paths
from .target import map_of

if TYPE_CHECKING:
    from ..activations import ActivationCache


@dataclasses.dataclass(frozen=True, eq=False)
class InputShares:
    """What a convolution's input channels add to one of its output channels.

    Attributes:
        conv: Path of the convolution.
        source: Path of the layer whose output it takes.
        channel: Index of the output channel.
        cell: `(row, column)` of the cell, or `None` for the mean over all cells.
        shares: What each input channel adds, float32 `(input channels,)`.
        bias: What is added besides.
        value: The number that they sum up to: that cell, or the mean of the channel, before the
            convolution's own activation and edits of it.
    """

    conv: str
    source: str
    channel: int
    cell: tuple[int, int] | None
    shares: np.ndarray
    bias: float
    value: float

    def ranked(self) -> list[tuple[int, float]]:
        """`(input channel, share)`, the greatest first, whatever its sign."""
        order = np.argsort(-np.abs(self.shares), kind="stable")
        return [(int(channel), float(self.shares[channel])) for channel in order]


def inputs_of(
    cache: ActivationCache,
    image: Any,
    layer: str,
    channel: int,
    *,
    cell: tuple[int, int] | None = None,
) -> InputShares:
    """What each input channel adds to one channel of a convolution.

    For a 1×1 convolution that is weight × activation; for larger ones the sum of that over the
    kernel. All of them together, with the bias, are the value before the batch norm.

    Args:
        cache: The `ActivationCache`.
        image: One photo, or an `EditedRun`.
        layer: Path of the convolution, or of the batch norm or ReLU after it.
        channel: Index of the output channel.
        cell: `(row, column)` of one cell. Defaults to `None`, the mean over all cells.

    Returns:
        `InputShares`.

    Raises:
        ValueError: If there is no such convolution, channel or cell.
    """
    conv, kernel, operation = _kernel(cache, layer, channel)
    if operation.groups != 1:
        raise ValueError(
            "Grouped convolutions cannot be taken apart yet: choose another layer. "
            f"Received: layer={layer!r} with groups={operation.groups}"
        )
    source = cache.graph.find(conv).inputs[0]
    image = cache.open(image)
    x = map_of(cache, image, source)
    maps = _share_maps(x, kernel[..., channel], operation)
    rows, columns = maps.shape[:2]
    if cell is not None and not (0 <= cell[0] < rows and 0 <= cell[1] < columns):
        raise ValueError(
            f"`cell` must be (row, column) within {rows} × {columns}. Received: cell={cell!r}"
        )
    shares = np.asarray(maps.mean(axis=(0, 1)) if cell is None else maps[cell], np.float32)
    bias = float(keras.ops.convert_to_numpy(operation.bias)[channel]) if operation.use_bias else 0.0
    value = float(shares.sum(dtype=np.float64)) + bias
    return InputShares(conv, source, channel, cell, shares, bias, value)


def kernels_of(cache: ActivationCache, layer: str, channel: int) -> np.ndarray:
    """The kernels that make one channel of a convolution.

    Args:
        cache: The `ActivationCache`.
        layer: Path of the convolution, or of the batch norm or ReLU after it.
        channel: Index of the output channel.

    Returns:
        float32 `(height, width, input channels)`. In the first layer of ResNet50 the input channels
        are blue, green, red: `[..., ::-1]` shows them as they look.

    Raises:
        ValueError: If there is no such convolution or channel.
    """
    return _kernel(cache, layer, channel)[1][..., channel]


def _kernel(cache: ActivationCache, layer: str, channel: int) -> tuple[str, np.ndarray, Any]:
    conv = site_paths(cache.graph, layer)[0]
    operation = cache.graph.operation(conv)
    kernel = keras.ops.convert_to_numpy(operation.kernel)
    if not 0 <= channel < kernel.shape[-1]:
        raise ValueError(
            f"{conv} has {kernel.shape[-1]} channels, 0 to {kernel.shape[-1] - 1}. "
            f"Received: channel={channel!r}"
        )
    return conv, kernel, operation


def _share_maps(x: np.ndarray, kernel: np.ndarray, operation: Any) -> np.ndarray:
    """What each input channel adds, cell by cell, `(height, width, input channels)`."""
    rows, columns = operation.strides
    if kernel.shape[:2] == (1, 1):
        return x[::rows, ::columns] * kernel[0, 0]
    if rows == columns:
        return np.asarray(
            keras.ops.depthwise_conv(
                x[None],
                kernel[..., None],
                strides=rows,
                padding=operation.padding,
                data_format="channels_last",
                dilation_rate=operation.dilation_rate,
            )
        )[0]
    steps = (1, rows, columns, 1)
    padding = operation.padding.upper()
    return np.stack(
        [
            tf.nn.conv2d(x[None, ..., k : k + 1], kernel[..., k : k + 1, None], steps, padding)[
                0, ..., 0
            ]
            for k in range(x.shape[2])
        ],
        axis=-1,
    )
