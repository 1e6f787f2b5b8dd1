"""What is asked about: the input of a model, with a key for the cache; and with edits."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from .edits import EditedRun, key_of
from .graph import LayerGraph, Piece
from .images import InputImage, load_image

# Where the model takes any size, an array may have as many.
MOST_PIXELS = 2048 * 2048


class ModelInput:
    """What is asked about: a key for the cache, and the model's input, made when first needed."""

    def __init__(
        self, key: str, is_batch: bool, make: Callable[[], np.ndarray], *, is_fitted: bool = True
    ) -> None:
        self.key = key
        self.is_batch = is_batch
        # Whether it is a photo of the model's size, and no array of any.
        self.is_fitted = is_fitted
        self._make = make
        self._tensor: tf.Tensor | None = None
        # Index of the first piece that has to be run for this photo, and what is edited.
        self.first = 0
        self.masks: dict[str, tf.Tensor] = {}

    def tensor(self) -> tf.Tensor:
        if self._tensor is None:
            self._tensor = tf.convert_to_tensor(np.asarray(self._make(), dtype=np.float32))
        return self._tensor


class EditedInput(ModelInput):
    """A photo and what is done to its activations; with `key` `""`, nothing of it is kept."""

    def __init__(
        self,
        base: ModelInput,
        masks: Mapping[str, np.ndarray],
        graph: LayerGraph,
        key: str,
        count: int = 1,
    ) -> None:
        super().__init__(key, bool(not key), base._make, is_fitted=base.is_fitted)
        self.base = base
        self.count = count
        ranks = {path: 1 + len(graph.find(path).shape) for path in masks}
        self.masks = {
            path: tf.constant(mask if mask.ndim == ranks[path] else mask[None], tf.float32)
            for path, mask in masks.items()
        }
        # What takes anything changed, and that with what is changed.
        self.later = frozenset(graph.after(masks))
        self.touched = self.later.union(masks)
        self.first = min(graph.find(path).piece for path in masks)
        self._input = graph.layers[0].path

    def tensor(self) -> tf.Tensor:
        if self._tensor is None:
            tensor = self.base.tensor()
            mask = self.masks.get(self._input)
            self._tensor = tensor if mask is None else masked(tensor, mask)
        return self._tensor

    def edited_in(self, piece: Piece) -> list[str]:
        """Paths of the edited layers of a piece, in order."""
        return [path for path in piece.paths if path in self.masks]


class InputReader:
    """Makes the input of a model of what people ask about.

    Args:
        graph: The network.
        size: `(height, width)` that photos are fitted to, in pixels.
        preprocess: Function from float32 pixels `(batch, height, width, 3)`, 0 … 255, to what the
            model eats.
    """

    def __init__(
        self,
        graph: LayerGraph,
        size: tuple[int, int],
        preprocess: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self._graph = graph
        self._size = size
        self.preprocess = preprocess

    def read(self, image: Any, preprocess: bool = True) -> ModelInput:
        """See `ActivationCache.activation` for what `image` may be; or an `EditedRun`."""
        if isinstance(image, EditedRun):
            base = self.read(image.image, preprocess)
            if not image.edits:
                return base
            return EditedInput(base, image.masks, self._graph, f"{base.key} {key_of(image.edits)}")
        if not preprocess:
            return raw_input(image, self._graph.input_shape)
        opened = self.open(image)
        if not isinstance(opened, InputImage):
            return self._batch(opened)
        return ModelInput(opened.digest, False, lambda: self.preprocess(opened.array))

    def open(self, image: Any) -> Any:
        """An `InputImage` of a photo; a batch and an `EditedRun` as they are."""
        if isinstance(image, (EditedRun, list, tuple)):
            return image
        rank = getattr(image, "ndim", None)
        if rank is None and hasattr(image, "shape"):
            rank = len(image.shape)
        return np.asarray(image) if rank == 4 else self._load(image)

    def _load(self, image: Any) -> InputImage:
        if isinstance(image, InputImage):
            return image.fit(self._size)
        return load_image(image, self._size)

    def _batch(self, images: Iterable[Any]) -> ModelInput:
        loaded = [self._load(image) for image in images]
        if not loaded:
            raise ValueError("`image` must hold at least one picture. Received: an empty batch")
        digests = "".join(image.digest for image in loaded).encode()
        key = hashlib.sha1(digests, usedforsecurity=False).hexdigest()
        arrays = [image.array for image in loaded]
        return ModelInput(f"batch {key}", True, lambda: self.preprocess(np.concatenate(arrays)))


def raw_input(image: Any, input_shape: tuple[int | None, ...]) -> ModelInput:
    array = np.asarray(image)
    fits = array.ndim in (3, 4) and all(
        want in (None, have) for want, have in zip(input_shape, array.shape[-3:], strict=True)
    )
    if not fits or 0 in array.shape:
        expected = ", ".join("any" if n is None else str(n) for n in input_shape)
        raise ValueError(
            "With `preprocess=False`, `image` must be an array that is already what the model "
            f"eats: ({expected}), or a batch of such. Received: an array of shape {array.shape}"
        )
    if None in input_shape[:2] and math.prod(array.shape[-3:-1]) > MOST_PIXELS:
        raise ValueError(
            f"`image` should have at most {MOST_PIXELS} pixels (2048 × 2048) for a model that "
            "takes any size: its activations would be gigabytes. Crop or shrink it. "
            f"Received: an array of shape {array.shape}"
        )
    array = np.asarray(array, dtype=np.float32)
    is_batch = array.ndim == 4
    batch = array if is_batch else array[None]
    content = f"{batch.shape}".encode() + np.ascontiguousarray(batch).data
    key = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return ModelInput(f"raw {key}", is_batch, lambda: batch, is_fitted=False)


def masked(tensor: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The product; where the mask is 0 so is the result, also of infinite and undefined values."""
    mask = tf.cast(mask, tensor.dtype)
    # `multiply_no_nan` does the same, two to three times as slow.
    product = tf.where(mask == 0, tf.zeros((), tensor.dtype), tensor * mask)
    return tf.ensure_shape(product, [None, *tensor.shape[1:]])
