"""Which channels of a layer matter most for a class: each is muted by itself."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from ..download import Progress
from .pace import Pace
from .target import class_index

if TYPE_CHECKING:
    from ..activations import ActivationCache


@dataclasses.dataclass(frozen=True, eq=False)
class ChannelEffects:
    """What muting single channels does to a class.

    Attributes:
        layer: Path of the layer.
        target: Index of the class.
        changes: Logit without the channel minus logit with it, float32 `(channels,)`: negative
            where the channel speaks for the class.
    """

    layer: str
    target: int
    changes: np.ndarray

    def ranked(self) -> list[tuple[int, float]]:
        """`(channel, change)`, the greatest change first, whatever its sign."""
        order = np.argsort(-np.abs(self.changes), kind="stable")
        return [(int(channel), float(self.changes[channel])) for channel in order]


def rank_channels(
    cache: ActivationCache,
    image: Any,
    layer: str,
    target: int | str | None = None,
    *,
    progress: Progress | None = None,
) -> ChannelEffects:
    """Mutes each channel of a layer by itself, and sees what becomes of a class.

    Only what comes after the layer runs, in batches.

    Args:
        cache: The `ActivationCache`.
        image: One photo, or an `EditedRun`.
        layer: Path of the layer.
        target: Index or label of the class. Defaults to the most probable one.
        progress: Called with the share that is done and a text. What it raises ends the work.

    Returns:
        `ChannelEffects`.

    Raises:
        ValueError: If there is no such layer or class, no class depends on the layer, the network
            gives no number for the class, or `image` is a batch.
    """
    image = cache.open(image)
    index = class_index(cache, image, target)
    path = cache.graph.find(layer).path
    activation = cache.activation(image, path)
    count = activation.shape[-1]
    before = cache.logits(image)[index]
    # Muting a channel that is zero everywhere changes nothing.
    alive = np.flatnonzero(activation.any(axis=tuple(range(activation.ndim - 1))))
    changes = np.zeros(count, np.float32)
    pace = Pace(f"Muting the channels of {path}", len(alive), progress)
    size = cache.batch_size(len(alive), path)
    for start in range(0, len(alive), size):
        some = alive[start : start + size]
        masks = np.ones((len(some), *(1,) * (activation.ndim - 1), count), np.float32)
        masks[np.arange(len(some)), ..., some] = 0
        changes[some] = cache.logits_with_masks(image, path, masks)[:, index] - before
        pace.step(len(some))
    return ChannelEffects(path, index, changes)
