"""Reading early: which class the features of each block are nearest to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..download import Progress
from ..edits import EditedRun
from .pace import Pace

if TYPE_CHECKING:
    from ..activations import ActivationCache


@dataclasses.dataclass(frozen=True)
class BlockReading:
    """What a block knows already.

    Attributes:
        layer: Path of the block's output.
        labels: Labels, the nearest first.
        similarities: Of the same order: cosine between the photo's pooled features and the mean of
            that label's photos, after the mean of all labels was taken away; -1 to 1.
    """

    layer: str
    labels: tuple[str, ...]
    similarities: tuple[float, ...]


def early_reading(
    cache: ActivationCache,
    image: Any,
    photos: Iterable[tuple[Any, str]],
    *,
    progress: Progress | None = None,
) -> list[BlockReading]:
    """For each block the labels whose photos look most like this one to it.

    Features are the means of the channels over the map. Each block's are compared with the mean of
    each label's photos (nearest class mean). A photo of the set that is `image` itself is left
    out of the means.

    Args:
        cache: The `ActivationCache`.
        image: One photo, or an `EditedRun`.
        photos: `(photo, label)` pairs; at least two labels.
        progress: Called with the share that is done and a text. What it raises ends the work.

    Returns:
        A `BlockReading` for each cut of the network that has a map, in order.

    Raises:
        ValueError: If there are fewer than two labels.
    """
    layers = [p.output for p in cache.graph.pieces if len(cache.graph.find(p.output).shape) == 3]
    own = cache.key(image.image if isinstance(image, EditedRun) else image)
    known: dict[str, list[dict[str, np.ndarray]]] = {}
    pairs = list(photos)
    pace = Pace("Reading labelled photos", len(pairs) + 1, progress)
    for photo, label in pairs:
        if cache.key(photo) != own:
            known.setdefault(str(label), []).append(_pooled(cache, photo, layers))
        pace.step()
    if len(known) < 2:
        raise ValueError(
            "`photos` must be (photo, label) pairs with at least two labels, beside the photo "
            f"itself. Received: {len(pairs)} photos with the labels {sorted(known)}"
        )
    mine = _pooled(cache, image, layers)
    pace.step()
    result = []
    for layer in layers:
        means = {label: np.mean([f[layer] for f in some], axis=0) for label, some in known.items()}
        middle = np.mean(list(means.values()), axis=0)
        near = {label: _cosine(mine[layer] - middle, m - middle) for label, m in means.items()}
        order = sorted(near, key=lambda label: -near[label])
        result.append(BlockReading(layer, tuple(order), tuple(near[label] for label in order)))
    return result


def _pooled(cache: ActivationCache, image: Any, layers: list[str]) -> dict[str, np.ndarray]:
    tensors = cache.activations(image, layers)
    return {path: tensor.mean(axis=(0, 1), dtype=np.float64) for path, tensor in tensors.items()}


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > 0 else 0.0
