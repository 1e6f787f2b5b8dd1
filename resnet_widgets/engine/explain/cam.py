"""Class activation maps, opened up: which channels of a layer speak for a class, and where.

Grad-CAM: Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391, equations 1 and 2.
Grad-CAM++: Chattopadhay et al. 2018, https://arxiv.org/abs/1710.11063, equations 10 and 19.
Layer-CAM: Jiang et al. 2021, https://doi.org/10.1109/TIP.2021.3089943, equations 5 to 7.
Score-CAM: Wang et al. 2020, https://arxiv.org/abs/1910.01279, equations 5 to 8.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..download import Progress
from .pace import Pace
from .target import class_index, map_of

if TYPE_CHECKING:
    from ..activations import ActivationCache

METHODS = ("grad-cam", "grad-cam++", "layer-cam")


@dataclasses.dataclass(frozen=True, eq=False)
class Cam:
    """A class activation map, and the channels it is the sum of.

    Attributes:
        method: `"grad-cam"`, `"grad-cam++"`, `"layer-cam"` or `"score-cam"`.
        layer: Path of the layer.
        target: Index of the class.
        activation: Of the layer, float32 `(height, width, channels)`.
        weights: What each channel is multiplied with: `(channels,)`, or, for Layer-CAM,
            `(height, width, channels)`.
    """

    method: str
    layer: str
    target: int
    activation: np.ndarray
    weights: np.ndarray

    @cached_property
    def contributions(self) -> np.ndarray:
        """What each channel adds to the map: the mean of its cells, float32 `(channels,)`."""
        return (self.weights * self.activation).mean(axis=(0, 1))

    @cached_property
    def alphas(self) -> np.ndarray:
        """One weight a channel: the weights, or their means over the cells."""
        return self.weights if self.weights.ndim == 1 else self.weights.mean(axis=(0, 1))

    @cached_property
    def order(self) -> np.ndarray:
        """Channels, those that add most first."""
        return np.argsort(-self.contributions, kind="stable")

    @cached_property
    def map(self) -> np.ndarray:
        """The whole map, no cell below 0, float32 `(height, width)`."""
        return np.maximum((self.activation * self.weights).sum(axis=2), 0)

    def ranked(self, by: str = "contribution") -> list[tuple[int, float, float]]:
        """`(channel, weight, contribution)`, the greatest first.

        Args:
            by: `"contribution"`, what they add, or `"weight"`, their αₖ.

        Raises:
            ValueError: If `by` is something else.
        """
        if by not in ("contribution", "weight"):
            raise ValueError(f'`by` must be "contribution" or "weight". Received: by={by!r}')
        weighed = np.argsort(-self.alphas, kind="stable")
        order = self.order if by == "contribution" else weighed
        return [(int(c), float(self.alphas[c]), float(self.contributions[c])) for c in order]

    def partial(self, count: int) -> np.ndarray:
        """The map of the `count` channels that add most only; all channels give `map`."""
        some = self.order[: max(0, count)]
        weights = self.weights[..., some]
        return np.maximum((self.activation[..., some] * weights).sum(axis=2), 0)

    def at(self, height: int, width: int) -> np.ndarray:
        """The map at another resolution, such as that of the photo, interpolated linearly."""
        return resized(self.map, height, width)


def resized(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """`(height, width)` values at another resolution, float32, interpolated linearly."""
    picture = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.array(picture.resize((width, height), Image.Resampling.BILINEAR))


def grad_cam(
    cache: ActivationCache,
    image: Any,
    layer: str,
    target: int | str | None = None,
    *,
    method: str = "grad-cam",
) -> Cam:
    """Which channels of a layer speak for a class, and where, from the gradient of its logit.

    Only what comes after the layer runs, forward and backward, from the cached activation on.

    - Grad-CAM: α of a channel is the mean of its gradient; the map is ReLU(Σ α · A).
    - Grad-CAM++: α is the sum of the positive gradients, each weighted by
      g² / (2 g² + g³ Σ A), for the exponential of the logit (whose own, common factor is left out).
    - Layer-CAM: each cell has a weight of its own, its positive gradient.

    Args:
        cache: The `ActivationCache`.
        image: One photo, or an `EditedRun`.
        layer: Path of the layer.
        target: Index or label of the class. Defaults to the most probable one.
        method: `"grad-cam"`, `"grad-cam++"` or `"layer-cam"`.

    Returns:
        A `Cam`.

    Raises:
        ValueError: If there is no such layer, class or method, the layer has no map, no class
            depends on it, the network gives no number for the class, or `image` is a batch.
    """
    if method not in METHODS:
        raise ValueError(
            f"`method` must be one of {METHODS}; for Score-CAM use `score_cam`. "
            f"Received: method={method!r}"
        )
    image = cache.open(image)
    index = class_index(cache, image, target)
    path = cache.graph.find(layer).path
    activation = map_of(cache, image, path)
    gradient = cache.gradient(image, path, index)[1][0]
    if method == "grad-cam":
        weights = gradient.mean(axis=(0, 1))
    elif method == "grad-cam++":
        weights = _plus_plus(activation, gradient)
    else:
        weights = np.maximum(gradient, 0)
    return Cam(method, path, index, activation, weights)


def score_cam(
    cache: ActivationCache,
    image: Any,
    layer: str,
    target: int | str | None = None,
    *,
    most: int | None = None,
    progress: Progress | None = None,
) -> Cam:
    """Which channels of a layer speak for a class, without any gradient.

    Each channel's map, enlarged to the input and brought to 0…1, dims the input; the softmax of
    the logits that the class then gets are the weights. One run of the whole network a channel.

    Args:
        cache: The `ActivationCache`.
        image: One photo, or an `EditedRun`.
        layer: Path of the layer.
        target: Index or label of the class. Defaults to the most probable one.
        most: Only so many channels, those that vary most; the others get weight 0.
        progress: Called with the share that is done and a text. What it raises ends the work.

    Returns:
        A `Cam`. A channel that is the same everywhere has weight 0.

    Raises:
        ValueError: If there is no such layer or class, the layer has no map, the network gives no
            number for the class, or `image` is a batch.
    """
    image = cache.open(image)
    index = class_index(cache, image, target)
    path = cache.graph.find(layer).path
    activation = map_of(cache, image, path)
    low, high = activation.min(axis=(0, 1)), activation.max(axis=(0, 1))
    varied = np.flatnonzero(high > low)
    if most is not None:
        spread = activation.std(axis=(0, 1))[varied]
        varied = np.sort(varied[np.argsort(-spread, kind="stable")[: max(1, most)]])
    source = cache.layers[0].path
    height, width = map_of(cache, image, source).shape[:2]
    scores = np.full(activation.shape[2], -np.inf, np.float64)
    pace = Pace("Score-CAM", len(varied), progress)
    size = cache.batch_size(len(varied))
    for start in range(0, len(varied), size):
        some = varied[start : start + size]
        planes = (activation[..., some] - low[some]) / (high[some] - low[some])
        masks = np.stack([resized(planes[..., i], height, width) for i in range(len(some))])
        logits = cache.logits_with_masks(image, source, np.clip(masks, 0, 1)[..., None])
        scores[some] = logits[:, index]
        pace.step(len(some))
    weights = np.zeros(len(scores), np.float32)
    if len(varied):
        powers = np.exp(scores - scores.max())
        weights = (powers / powers.sum()).astype(np.float32)
    return Cam("score-cam", path, index, activation, weights)


def _plus_plus(activation: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    g = gradient.astype(np.float64)
    below = 2 * g**2 + g**3 * activation.sum(axis=(0, 1), dtype=np.float64)
    share = np.divide(g**2, below, out=np.zeros_like(g), where=below != 0)
    return (share * np.maximum(g, 0)).sum(axis=(0, 1)).astype(np.float32)
