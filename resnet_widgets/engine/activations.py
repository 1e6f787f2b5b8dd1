"""The activation cache: every tensor of a network for a photo, computed once, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from .classes import Classes, ClassScore, Prediction
from .edits import Edit, EditedRun
from .graph import LayerGraph, LayerInfo
from .graph_reader import read_layers
from .head import Head, head_of
from .memory import MIB, default_max_bytes, give_back, give_back_soon
from .model_input import EditedInput, InputReader
from .models import describe, load_model
from .runner import Runner
from .tensor_store import TensorStore
from .watch import WatchedRunner, WeightsWatch

# Versions of an activation that are run at once: at most so many, and of so many bytes in all.
_MOST_AT_ONCE = 32
_ROOM_FOR_VERSIONS = 384 * MIB


class CacheInfo(NamedTuple):
    """Counters of an `ActivationCache`, in the manner of `functools.lru_cache`.

    Attributes:
        hits: Activations served from memory.
        misses: Activations that had to be computed.
        evictions: Tensors dropped to stay within `max_bytes`.
        surveys: Runs of the whole network.
        pieces: Runs of a single piece of it.
        nbytes: Bytes held now.
        max_bytes: Most bytes ever held.
    """

    hits: int
    misses: int
    evictions: int
    surveys: int
    pieces: int
    nbytes: int
    max_bytes: int


class ActivationCache:
    """Activations of a Keras model, layer by layer, computed once per photo.

    A CNN is a chain of pieces between cut points (see `graph_reader.py`). What is asked of a new
    photo is answered by the few pieces on the way to it, or, if that is most of the network, by one
    *survey*: a single function with the outputs of all pieces. What lies inside a piece comes from
    that piece alone, run on the output before it. What is run again is traced, once. Activations
    are kept within `max_bytes`: insides of pieces go first, outputs of pieces last, each in the
    order they were last used.

    Weights may change, by training or by hand: the cache notices at the next question, and
    forgets what the old ones gave. All methods may be called from any thread. What has to be
    computed raises a `RuntimeError` once the cache is closed.

    Args:
        model: A `keras.Model`, or what `load_model` takes.
        max_bytes: Limit for cached bytes. Defaults to 160 MiB, or twice the outputs of all pieces
            for one photo where that is more, but never to more than 15 % of the memory this process
            may use.
        preprocess: Function from float32 pixels `(batch, height, width, 3)`, 0 … 255, to what the
            model eats. Defaults to the model's own.
        watch_weights: Whether to notice by itself that weights have changed, for which each
            question takes a look at all of them: 1 to 3 milliseconds with ResNet50, beside the
            computation if there is one. With `False`, call `clear` after a change.

    Example:

    >>> cache = ActivationCache("mini")
    >>> cache.activation("cat.jpg", "conv3_block4_out").shape
    (16, 16, 128)
    """

    def __init__(
        self,
        model: Any = "auto",
        *,
        max_bytes: int | None = None,
        preprocess: Callable[[np.ndarray], np.ndarray] | None = None,
        watch_weights: bool = True,
    ) -> None:
        if max_bytes is not None and (not isinstance(max_bytes, int) or max_bytes < 0):
            raise ValueError(
                "`max_bytes` must be a number of bytes, 0 or more, or None for the default. "
                f"Received: max_bytes={max_bytes!r}"
            )
        self.model: keras.Model = load_model(model)
        self.about = describe(self.model)
        self.input_size = self.about.input_size
        self.graph: LayerGraph = read_layers(self.model, self.input_size)
        self.head: Head | None = head_of(self.graph)
        self._inputs = InputReader(self.graph, self.input_size, preprocess or self.about.preprocess)
        if max_bytes is None:
            ends = (self.graph.find(piece.output) for piece in self.graph.pieces)
            max_bytes = default_max_bytes(sum(layer.nbytes for layer in ends))
        self._store = TensorStore(max_bytes)
        self._runner = Runner(self.graph, self._store)
        watch = WeightsWatch(self.model) if watch_weights else None
        self._watched = WatchedRunner(self._runner, self._store, watch)
        # Building a model leaves a hundred megabytes of scraps.
        give_back()

    def __repr__(self) -> str:
        info = self.info()
        return (
            f"<ActivationCache of {self.about.title}: {len(self.graph)} layers, "
            f"{info.nbytes / MIB:.0f} of {info.max_bytes / MIB:.0f} MiB>"
        )

    @property
    def preprocess(self) -> Callable[[np.ndarray], np.ndarray]:
        """Makes what the model eats of float32 pixels `(batch, height, width, 3)`, 0 … 255."""
        return self._inputs.preprocess

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """All layers in the order they run, those of nested models included."""
        return self.graph.layers

    def activation(self, image: Any, layer: str, *, preprocess: bool = True) -> np.ndarray:
        """Output of one layer for one photo, or for a batch of them.

        Args:
            image: Anything `load_image` takes; a batch is an array of rank 4 or a list of images.
            layer: Path of a layer, such as `"conv3_block4_out"`.
            preprocess: If `False`, `image` is an array that is already what the model eats,
                `(height, width, channels)` or `(batch, height, width, channels)`. Where the
                model takes any size, a picture may have 2048 × 2048 pixels at most.

        Returns:
            A read-only float32 array, `(height, width, channels)` or `(units,)`; behind a batch
            axis if `image` is a batch.

        Raises:
            ValueError: If there is no such layer, or `image` is not a picture.
            RuntimeError: If the cache is closed.
        """
        return self.activations(image, [layer], preprocess=preprocess)[layer]

    def activations(
        self, image: Any, layers: Iterable[str], *, preprocess: bool = True
    ) -> dict[str, np.ndarray]:
        """Outputs of several layers, in one pass.

        Args:
            image: As in `activation`.
            layers: Paths of layers.
            preprocess: As in `activation`.

        Returns:
            Path → read-only float32 array.

        Raises:
            ValueError: As in `activation`.
            RuntimeError: If the cache is closed.
        """
        if isinstance(layers, str):
            raise ValueError(
                "`layers` must be a list of paths; for one layer use `activation`. "
                f"Received: layers={layers!r}"
            )
        paths = [self.graph.find(path).path for path in layers]
        photo = self._inputs.read(image, preprocess)
        tensors = self._watched.tensors(photo, paths)
        return {path: _as_array(tensors[path], photo.is_batch) for path in paths}

    def stages(self, image: Any, *, preprocess: bool = True) -> dict[str, np.ndarray]:
        """What each stage of the network hands on: `conv1_relu`, `conv2_block3_out` ….

        Args:
            image: As in `activation`.
            preprocess: As in `activation`.

        Returns:
            Path → read-only float32 array, in the order of the network.

        Raises:
            ValueError: If `image` is not a picture.
            RuntimeError: If the cache is closed.
        """
        return self.activations(image, self.graph.stage_outputs, preprocess=preprocess)

    def predictions(
        self, image: Any, top: int = 5, *, preprocess: bool = True
    ) -> list[Prediction] | None:
        """What the model says is in the photo.

        Args:
            image: One photo, as in `activation`.
            top: How many classes, the most probable first.
            preprocess: As in `activation`.

        Returns:
            `(label, index, probability)` tuples, or `None` where the model has no classifier.
            Logits, of a last Dense layer without activation, go through a softmax.

        Raises:
            ValueError: If `image` is a batch, or not a picture, or `top` is not 0 or more.
            RuntimeError: If the cache is closed.
        """
        if not self._classes.are_readable:
            return None
        output = self.activation(image, self.graph.output, preprocess=preprocess)
        return self._classes.predictions(output, top)

    def scores(
        self, image: Any, top: int | None = 5, *, preprocess: bool = True
    ) -> list[ClassScore]:
        """What the model says, with the logits behind the probabilities.

        Args:
            image: One photo, as in `activation`.
            top: How many classes, the most probable first; `None` for all, in their own order.
            preprocess: As in `activation`.

        Returns:
            `(label, index, probability, logit)` tuples.

        Raises:
            ValueError: If the model has no classifier, `image` is a batch, or `top` is not 0 or
                more.
        """
        return self._classes.scores(self.logits(image, preprocess=preprocess), top)

    def logits(self, image: Any, *, preprocess: bool = True) -> np.ndarray:
        """The numbers before the model's last softmax or sigmoid.

        Args:
            image: As in `activation`.
            preprocess: As in `activation`.

        Returns:
            A read-only float32 array `(classes,)`; behind a batch axis if `image` is a batch.

        Raises:
            ValueError: If the model has no classifier, or `image` is not a picture.
            RuntimeError: If the cache is closed.
        """
        photo = self._inputs.read(image, preprocess)
        head = self.classifier
        tensor = self._watched.tensors(photo, [head.source])[head.source]
        return _as_array(head.logits(tensor), photo.is_batch)

    @property
    def classifier(self) -> Head:
        """How to read the model's answer.

        Raises:
            ValueError: If it has none that could be read.
        """
        return self._classes.classifier

    @property
    def _classes(self) -> Classes:
        # With the labels as they are now: `about` may be another one.
        return Classes(self.graph, self.head, self.about.labels)

    def run(self, image: Any, edits: Iterable[Edit] = ()) -> EditedRun:
        """Runs the network with some activations edited; only what comes after them runs again.

        Args:
            image: One photo, as in `activation`, or an `EditedRun` to add more edits to.
            edits: `Mute`, `Solo`, `Scale`, `Erase` of `resnet_widgets.explain`, in order.

        Returns:
            An `EditedRun`. The activations of the photo itself stay as they are.

        Raises:
            ValueError: If an edit does not fit the model.

        Example:

        >>> from resnet_widgets.explain import Mute
        >>> cache.run("cat.jpg", [Mute("conv5_block3_out", 150)]).scores()
        """
        made = tuple(edits)
        if isinstance(image, EditedRun):
            image, made = image.image, image.edits + made
        run = EditedRun(self, self.open(image), made)
        photo = self._inputs.read(run)
        if (photo.base if isinstance(photo, EditedInput) else photo).is_batch:
            raise ValueError("`run` takes one image at a time. Received: a batch of images")
        self._watched.tensors(photo, [self.graph.output])
        return run

    def labels(self, layer: str) -> tuple[str, ...] | None:
        """Names of the units of `layer`: those of the classes if it is the model's output."""
        return self._classes.labels if layer == self.graph.output else None

    def class_label(self, index: int) -> str:
        """Name of a class of the model: `"class 7"` where it has none."""
        return self._classes.label(index)

    def cached(self, image: Any, *, preprocess: bool = True) -> frozenset[str]:
        """Paths of the layers whose activations for `image` are in memory now.

        Args:
            image: As in `activation`.
            preprocess: As in `activation`.

        Raises:
            ValueError: If `image` is not a picture.
        """
        self._watched.look()
        return self._store.paths(self._inputs.read(image, preprocess).key)

    def peek(self, image: Any, layer: str, *, preprocess: bool = True) -> np.ndarray | None:
        """As `activation`, if it is in memory now; else `None`, and nothing is computed.

        Args:
            image: As in `activation`.
            layer: Path of a layer.
            preprocess: As in `activation`.

        Raises:
            ValueError: As in `activation`.
        """
        path = self.graph.find(layer).path
        photo = self._inputs.read(image, preprocess)
        if not self._store.get(photo.key, [path]):
            return None
        self._watched.look()
        tensor = self._runner.stored(photo, path)
        return None if tensor is None else _as_array(tensor, photo.is_batch)

    def key(self, image: Any) -> str:
        """A text that is equal for equal photos with equal edits, and for no others.

        Args:
            image: As in `activation`, or an `EditedRun`.

        Raises:
            ValueError: If `image` is not a picture.
        """
        return self._inputs.read(image).key

    def info(self) -> CacheInfo:
        """Counters and bytes; see `CacheInfo`."""
        hits, misses, surveys, pieces = self._runner.counts
        store = self._store
        return CacheInfo(
            hits, misses, store.evictions, surveys, pieces, store.nbytes, store.max_bytes
        )

    def clear(self) -> None:
        """Forgets all activations.

        New weights are noticed without it, unless `watch_weights` is `False`. What is run again is
        traced, so after a change of the model's layers make a new cache. Waits for no computation:
        what one that is running gives is not kept.
        """
        self._store.clear()

    def trace(self, image: Any, index: int | None) -> None:
        """Traces a piece, or the whole network, ahead of the run that would have to do it.

        That is the second run: the very first one does without.

        Args:
            image: One photo, as in `activation`, or an `EditedRun`.
            index: Index of a piece of `graph.pieces`; `None` is the whole network.

        Raises:
            ValueError: If `image` is not a picture.
            RuntimeError: If the cache is closed.
        """
        photo = self._inputs.read(image)
        self._watched.look()
        self._runner.trace(photo, None if index is None else self.graph.pieces[index])

    @property
    def generation(self) -> int:
        """How often everything was forgotten, by `clear` or because the weights have changed."""
        return self._watched.look()

    def close(self) -> None:
        """Gives all memory back; the cache cannot be used again."""
        self._watched.close()
        give_back_soon()

    # -- for `explain` -----------------------------------------------------------------------------

    def open(self, image: Any) -> Any:
        """A photo as an `InputImage`, so that its file is read once; all else as it is."""
        return self._inputs.open(image)

    def logits_with_masks(self, image: Any, layer: str, masks: np.ndarray) -> np.ndarray:
        """Logits for each of many versions of one activation.

        Args:
            image: One photo, or an `EditedRun`.
            layer: Path of the layer whose output is multiplied.
            masks: float32 `(versions, height, width, channels)`, any of the last three may be 1; or
                `(versions, units)`.

        Returns:
            float32 `(versions, classes)`.

        Raises:
            ValueError: If there is no such layer, or no class depends on it.
            RuntimeError: If the cache is closed.
        """
        path, _ = self._classes.way_from(layer)
        head = self.classifier
        return _as_array(head.logits(self.versions(image, path, masks, head.source)), True)

    def versions(self, image: Any, layer: str, masks: np.ndarray, output: str) -> np.ndarray:
        """The activation of `output` for each of many versions of one before it.

        Only what comes after `layer` runs, whatever is edited before it.

        Args:
            image: As in `logits_with_masks`.
            layer: As in `logits_with_masks`.
            masks: As in `logits_with_masks`.
            output: Path of a layer that depends on `layer`.

        Returns:
            float32 `(versions, …)`, in the shape of `output`.

        Raises:
            RuntimeError: If the cache is closed.
        """
        photo = self._inputs.read(image)
        after = frozenset(self.graph.after([layer]))
        later = {path: mask for path, mask in photo.masks.items() if path in after}
        own = {layer: np.asarray(masks, np.float32)}
        made = EditedInput(photo, later | own, self.graph, "", count=len(masks))
        return _as_array(self._watched.tensors(made, [output])[output], True)

    def gradient(
        self, image: Any, layer: str, target: int, values: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Logits, and the gradient of one of them with respect to an activation.

        Only what comes after `layer` runs, from the cached activation on.

        Args:
            image: One photo, or an `EditedRun`.
            layer: Path of the layer.
            target: Index of the class.
            values: float32 `(versions, …)`: other values to take for the activation. Defaults to
                `None`, its own.

        Returns:
            float32 `(versions, classes)`, and float32 `(versions, …)` in the layer's shape.

        Raises:
            ValueError: If there is no such layer, or no class depends on it.
            RuntimeError: If the cache is closed.
        """
        photo = self._inputs.read(image)
        path, paths = self._classes.way_from(layer)
        self._watched.look()
        logits, gradient = self._runner.gradient(
            photo, path, paths, self.classifier, target, values
        )
        return _as_array(logits, True), _as_array(gradient, True)

    def batch_size(self, wanted: int, layer: str | None = None) -> int:
        """How many versions to run at once: few enough for their tensors to fit into memory."""
        start = self.graph.find(layer).piece if layer else 0
        nbytes = sum(row.nbytes for row in self.graph if row.piece >= start)
        return max(1, min(wanted, _MOST_AT_ONCE, _ROOM_FOR_VERSIONS // nbytes))


def _as_array(tensor: tf.Tensor, is_batch: bool) -> np.ndarray:
    # np.asarray of a CPU tensor is a view: nothing is copied. bfloat16 has no numpy of its own.
    array = np.asarray(tensor if tensor.dtype == tf.float32 else tf.cast(tensor, tf.float32))
    array = array if is_batch else array[0]
    array.flags.writeable = False
    return array
