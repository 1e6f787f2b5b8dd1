"""Reading early: which class the features of each block are nearest to.

Nearest class mean on pooled features, block by block, in the manner of the probes of Alain and
Bengio 2016, https://arxiv.org/abs/1610.01644, but with nothing to train.
"""

from __future__ import annotations

import dataclasses
import os
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..download import Progress
from ..edits import EditedRun
from ..images import load_image
from .pace import Pace

if TYPE_CHECKING:
    from ..activations import ActivationCache

# What each block makes of a photo takes some 60 kB in ResNet50.
_MOST_PHOTOS = 512


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


class LabelledPhotos:
    """A small set of photos with labels, and what each block makes of them, computed once.

    Args:
        photos: `{"cat": [photo, …], "dog": [photo, …]}`, or `(photo, label)` pairs. Photos are
            anything `load_image` takes; 512 at most, of two labels or more. They are opened when
            they are first needed. `LabelledPhotos` are returned as they are, with all they know.

    Raises:
        ValueError: If it is something else.
    """

    def __new__(cls, photos: Any) -> LabelledPhotos:
        return photos if isinstance(photos, cls) else super().__new__(cls)

    def __init__(
        self, photos: LabelledPhotos | Mapping[str, Iterable[Any]] | Iterable[tuple[Any, str]]
    ) -> None:
        if photos is self:
            return
        self.pairs = _pairs(photos)
        self.labels = tuple(dict.fromkeys(label for _, label in self.pairs))
        if len(self.labels) < 2 or len(self.pairs) > _MOST_PHOTOS:
            raise ValueError(
                f"`photos` must have at least two labels, and at most {_MOST_PHOTOS} photos. "
                f"Received: {len(self.pairs)} photos with the labels {list(self.labels)}"
            )
        self._known: dict[int, tuple[str, dict[str, np.ndarray]]] = {}
        self._known_to: tuple[Any, int] | None = None

    def _features(
        self, cache: ActivationCache, index: int, layers: Sequence[str]
    ) -> tuple[str, dict[str, np.ndarray]]:
        """Key of a photo, and the means of the channels of `layers` for it."""
        made_by = (weakref.ref(cache), cache.generation)
        if self._known_to != made_by:
            self._known, self._known_to = {}, made_by
        if index not in self._known:
            photo = load_image(self.pairs[index][0], cache.input_size)
            self._known[index] = cache.key(photo), _pooled(cache, photo, layers)
        return self._known[index]


def early_reading(
    cache: ActivationCache,
    image: Any,
    photos: LabelledPhotos | Mapping[str, Iterable[Any]] | Iterable[tuple[Any, str]],
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
        photos: What `LabelledPhotos` takes, or one, which does not compute a second time what it
            knows.
        progress: Called with the share that is done and a text. What it raises ends the work.

    Returns:
        A `BlockReading` for each cut of the network that has a map, in order.

    Raises:
        ValueError: If there are fewer than two labels, beside the photo itself, `image` is a
            batch, or the network has no map.
    """
    photos = LabelledPhotos(photos)
    layers = [p.output for p in cache.graph.pieces if len(cache.graph.find(p.output).shape) == 3]
    if not layers:
        raise ValueError(
            "Early reading goes from map to map, and this network has no layer with a map that all "
            f"that follows depends on. Received: {cache!r}"
        )
    image = cache.open(image)
    own = cache.key(image.image if isinstance(image, EditedRun) else image)
    known: dict[str, list[dict[str, np.ndarray]]] = {}
    pace = Pace("Reading labelled photos", len(photos.pairs) + 1, progress)
    for index, (_, label) in enumerate(photos.pairs):
        key, features = photos._features(cache, index, layers)
        if key != own:
            known.setdefault(label, []).append(features)
        pace.step()
    if len(known) < 2:
        raise ValueError(
            "`photos` must have at least two labels with a photo each, beside the photo itself. "
            f"Received: {len(photos.pairs)} photos, without it of the labels {list(known)}"
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


def forms_at(readings: Sequence[BlockReading]) -> int:
    """Index of the block from which on the nearest label is that of the last block."""
    last = readings[-1].labels[0]
    changes = [i for i, reading in enumerate(readings) if reading.labels[0] != last]
    return changes[-1] + 1 if changes else 0


def _pairs(photos: Any) -> list[tuple[Any, str]]:
    if isinstance(photos, Mapping):
        for label, some in photos.items():
            if isinstance(some, (str, bytes, os.PathLike)):
                raise ValueError(
                    f"`photos` must have a list of photos for each label, also for one photo: "
                    f"{{{label!r}: [photo]}}. Received: {label!r}: {type(some).__name__}"
                )
        photos = [(photo, label) for label, some in photos.items() for photo in some]
    try:
        return [(photo, str(label)) for photo, label in photos]
    except (TypeError, ValueError):
        raise ValueError(
            '`photos` must be {"cat": [photo, …], "dog": [photo, …]}, or (photo, label) pairs. '
            f"Received: {type(photos).__name__}"
        ) from None


def _pooled(cache: ActivationCache, image: Any, layers: Sequence[str]) -> dict[str, np.ndarray]:
    tensors = cache.activations(image, layers)
    for tensor in tensors.values():
        if tensor.ndim != 3:
            raise ValueError(
                "`image` must be one photo: early reading takes one image at a time. "
                f"Received: a batch of {len(tensor)} images"
            )
    return {path: tensor.mean(axis=(0, 1), dtype=np.float32) for path, tensor in tensors.items()}


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Not a number where the features are none."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size != 0 else 0.0
