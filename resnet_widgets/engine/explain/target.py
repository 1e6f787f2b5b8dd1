"""Which class is to be explained."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..activations import ActivationCache


def class_index(cache: ActivationCache, image: Any, target: int | str | None) -> int:
    """Index of the class to explain.

    Args:
        cache: The `ActivationCache`.
        image: One photo.
        target: Index or label of a class; `None` for the most probable one.

    Raises:
        ValueError: If the model has no such class, its logit is not a number, or `image` is a
            batch.
    """
    logits = cache.logits(image)
    if logits.ndim != 1:
        raise ValueError(
            "`image` must be one photo: a class is explained for one image at a time. "
            f"Received: a batch of {len(logits)} images"
        )
    if target is None:
        # Where all are NaN, any of them.
        target = int(np.argmax(np.where(np.isnan(logits), -np.inf, logits)))
    index = _index_of(cache, target)
    if not np.isfinite(logits[index]):
        raise ValueError(
            "The network gives no number for this class, so there is nothing to explain: look in "
            "its weights, its input and the edits for NaN and infinity. "
            f"Received: target={index} with the logit {logits[index]}"
        )
    return index


def _index_of(cache: ActivationCache, target: int | str) -> int:
    labels = cache.labels(cache.graph.output) or ()
    count = cache.graph.find(cache.graph.output).shape[-1] or 0
    if isinstance(target, str):
        if target in labels:
            return labels.index(target)
        raise ValueError(
            f"`target` must be one of the model's {count} labels, or an index. "
            f"Received: target={target!r}"
        )
    try:
        index = operator.index(target)
    except TypeError:
        index = -1
    if not 0 <= index < count:
        raise ValueError(
            f"`target` must be the index of a class, 0 to {count - 1}, a label, or None. "
            f"Received: target={target!r}"
        )
    return index


def map_of(cache: ActivationCache, image: Any, layer: str) -> np.ndarray:
    """The activation of a layer that has a map, `(height, width, channels)`.

    Raises:
        ValueError: If it is a vector, or `image` a batch.
    """
    activation = cache.activation(image, layer)
    if activation.ndim != 3:
        raise ValueError(
            "`layer` must have a map, and `image` be one photo: choose a layer before the pooling. "
            f"Received: layer={layer!r}, of shape {activation.shape}"
        )
    return activation
