"""The activation cache: every tensor of a network for a photo, computed once, in bounded memory."""

from __future__ import annotations

import hashlib
import math
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from .edits import ClassScore, Edit, EditedRun, key_of
from .graph import LayerGraph, LayerInfo, Piece, read_layers
from .head import Head, head_of
from .images import InputImage, load_image
from .models import describe, load_model
from .watch import WeightsWatch

MIB = 2**20

# Each input shape costs a second of tracing and memory that TensorFlow never gives back.
_MAX_SHAPES = 4
_SCOPE_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
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


class Prediction(NamedTuple):
    """One class of the model's answer: its label, its index, its probability from 0 to 1."""

    label: str
    index: int  # type: ignore[assignment]  # tuple.index is of no use here
    probability: float


class ActivationCache:
    """Activations of a Keras model, layer by layer, computed once per photo.

    A CNN is a chain of pieces between cut points (see `graph.py`). What is asked of a new photo
    is answered by the few pieces on the way to it, or, if that is most of the network, by one
    *survey*: a single traced function with the outputs of all pieces. What lies inside a piece
    comes from that piece alone, run on the output before it. Everything is traced once and kept
    within `max_bytes`: insides of pieces go first, outputs of pieces last, each in the order they
    were last used.

    Weights may change, by training or by hand: the cache notices at the next question, and
    forgets what the old ones gave. All methods may be called from any thread.

    Args:
        model: A `keras.Model`, or what `load_model` takes.
        max_bytes: Limit for cached bytes. Defaults to the smaller of 256 MiB and 15 % of the memory
            this process may use.
        preprocess: Function from float32 pixels `(batch, height, width, 3)`, 0 … 255, to what the
            model eats. Defaults to the model's own.

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
        self.preprocess = preprocess or self.about.preprocess
        self._store = _Store(_default_max_bytes() if max_bytes is None else max_bytes)
        self._programs: OrderedDict[tuple, _Program] = OrderedDict()
        self._computing = threading.Lock()
        self._counting = threading.Lock()
        self._hits = self._misses = self._surveys = self._pieces = 0
        self._closed = False
        self._weights = WeightsWatch(self.model)
        self._noticing = threading.Lock()
        self._generation = 0

    def __repr__(self) -> str:
        info = self.info()
        return (
            f"<ActivationCache of {self.about.title}: {len(self.graph)} layers, "
            f"{info.nbytes / MIB:.0f} of {info.max_bytes / MIB:.0f} MiB>"
        )

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
                `(height, width, channels)` or `(batch, height, width, channels)`.

        Returns:
            A read-only float32 array, `(height, width, channels)` or `(units,)`; behind a batch
            axis if `image` is a batch.

        Raises:
            ValueError: If there is no such layer, or `image` is not a picture.
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
        """
        if isinstance(layers, str):
            raise ValueError(
                "`layers` must be a list of paths; for one layer use `activation`. "
                f"Received: layers={layers!r}"
            )
        paths = [self.graph.find(path).path for path in layers]
        photo = self._photo(image, preprocess)
        tensors = self._tensors(photo, paths)
        return {path: _as_array(tensors[path], photo.is_batch) for path in paths}

    def stages(self, image: Any, *, preprocess: bool = True) -> dict[str, np.ndarray]:
        """What each stage of the network hands on: `conv1_relu`, `conv2_block3_out` ….

        Args:
            image: As in `activation`.
            preprocess: As in `activation`.

        Returns:
            Path → read-only float32 array, in the order of the network.
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
        """
        output = self.graph.output
        to_probabilities = _reading_of(self.graph.operation(output))
        if to_probabilities is None or len(self.graph.find(output).shape) != 1:
            return None
        values = self.activation(image, output, preprocess=preprocess)
        if values.ndim > 1:
            raise ValueError(
                "`predictions` takes one image at a time. "
                f"Received: a batch of {values.shape[0]} images"
            )
        values = to_probabilities(values)
        labels = self.labels(output) or [f"class {index}" for index in range(len(values))]
        best = np.argsort(values)[::-1][:top]
        return [Prediction(labels[i], int(i), float(values[i])) for i in best]

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
            ValueError: If the model has no classifier.
        """
        logits = self.logits(image, preprocess=preprocess)
        probabilities = self.classifier.probabilities(logits)
        labels = self.labels(self.graph.output) or [f"class {i}" for i in range(len(logits))]
        chosen = range(len(logits)) if top is None else np.argsort(logits)[::-1][:top]
        return [
            ClassScore(labels[i], int(i), float(probabilities[i]), float(logits[i])) for i in chosen
        ]

    def logits(self, image: Any, *, preprocess: bool = True) -> np.ndarray:
        """The numbers before the model's last softmax or sigmoid, float32 `(classes,)`.

        Raises:
            ValueError: If the model has no classifier.
        """
        photo = self._photo(image, preprocess)
        head = self.classifier
        tensor = self._tensors(photo, [head.source])[head.source]
        return _as_array(head.logits(tensor), photo.is_batch)

    @property
    def classifier(self) -> Head:
        """How to read the model's answer.

        Raises:
            ValueError: If it has none that could be read.
        """
        if self.head is None:
            raise ValueError(
                "This model does not end in a classifier (Dense, softmax, sigmoid), so there is no "
                f"class to explain. Received: a model that ends in {self.graph.output!r}"
            )
        return self.head

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
        run = EditedRun(self, image, made)
        if self._photo(image, True).is_batch:
            raise ValueError("`run` takes one image at a time. Received: a batch of images")
        self._tensors(self._photo(run, True), [self.graph.output])
        return run

    def labels(self, layer: str) -> tuple[str, ...] | None:
        """Names of the units of `layer`: those of the classes if it is the model's output."""
        labels = self.about.labels
        if not labels or layer != self.graph.output:
            return None
        return labels if self.graph.find(layer).shape == (len(labels),) else None

    def cached(self, image: Any, *, preprocess: bool = True) -> frozenset[str]:
        """Paths of the layers whose activations for `image` are in memory now."""
        self._notice_new_weights()
        return self._store.paths(self._photo(image, preprocess).key)

    def peek(self, image: Any, layer: str, *, preprocess: bool = True) -> np.ndarray | None:
        """As `activation`, if it is in memory now; else `None`, and nothing is computed."""
        path = self.graph.find(layer).path
        photo = self._photo(image, preprocess)
        self._notice_new_weights()
        found = self._store.get(photo.key, [path])
        with self._counting:
            self._hits += len(found)
        return _as_array(found[path], photo.is_batch) if found else None

    def key(self, image: Any) -> str:
        """A text that is equal for equal photos with equal edits, and for no others."""
        return self._photo(image, True).key

    def info(self) -> CacheInfo:
        """Counters and bytes; see `CacheInfo`."""
        with self._counting:
            counts = self._hits, self._misses, self._surveys, self._pieces
        hits, misses, surveys, pieces = counts
        store = self._store
        return CacheInfo(
            hits, misses, store.evictions, surveys, pieces, store.nbytes, store.max_bytes
        )

    def clear(self) -> None:
        """Forgets all activations.

        New weights are noticed without it; do this after a change of the model's layers. Waits for
        a computation that is running.
        """
        with self._computing:
            self._generation += 1
            self._store.clear()

    @property
    def generation(self) -> int:
        """How often everything was forgotten, by `clear` or because the weights have changed."""
        self._notice_new_weights()
        return self._generation

    def close(self) -> None:
        """Gives all memory back; the cache cannot be used again."""
        with self._computing:
            self._closed = True
            self._programs.clear()
            self._store.clear()

    # -- photos ------------------------------------------------------------------------------------

    def _photo(self, image: Any, preprocess: bool) -> _Photo:
        if isinstance(image, EditedRun):
            base = self._photo(image.image, preprocess)
            if not image.edits:
                return base
            return _EditedPhoto(base, image.masks, self.graph, f"{base.key} {key_of(image.edits)}")
        if not preprocess:
            return _raw_photo(image, self.graph.input_shape)
        if isinstance(image, (list, tuple)):
            return self._batch(image)
        rank = getattr(image, "ndim", None)
        if rank is None and hasattr(image, "shape"):
            rank = len(image.shape)
        if rank == 4:
            return self._batch(np.asarray(image))
        loaded = self._load(image)
        return _Photo(loaded.digest, False, lambda: self.preprocess(loaded.array))

    def _load(self, image: Any) -> InputImage:
        if isinstance(image, InputImage):
            return image.fit(self.input_size)
        return load_image(image, self.input_size)

    def _batch(self, images: Iterable[Any]) -> _Photo:
        loaded = [self._load(image) for image in images]
        if not loaded:
            raise ValueError("`image` must hold at least one picture. Received: an empty batch")
        key = hashlib.sha1("".join(image.digest for image in loaded).encode()).hexdigest()
        arrays = [image.array for image in loaded]
        return _Photo(f"batch {key}", True, lambda: self.preprocess(np.concatenate(arrays)))

    # -- computing ---------------------------------------------------------------------------------

    def _notice_new_weights(self) -> None:
        # Under a lock: whoever asks meanwhile must not get what is about to be forgotten.
        with self._noticing:
            if self._weights.changed():
                self.clear()

    def _tensors(self, photo: _Photo, paths: Iterable[str]) -> dict[str, tf.Tensor]:
        self._notice_new_weights()
        wanted = dict.fromkeys(paths)
        found = self._store.get(photo.key, wanted)
        if len(found) < len(wanted):
            with self._computing:
                self._check_open()
                # Another thread may have computed them while this one waited.
                found |= self._store.get(photo.key, wanted.keys() - found.keys())
                missing = wanted.keys() - found.keys()
                with self._counting:
                    self._misses += len(missing)
                    self._hits += len(found)
                found |= self._compute(photo, missing)
        else:
            with self._counting:
                self._hits += len(found)
        return found

    def _compute(self, photo: _Photo, missing: set[str]) -> dict[str, tf.Tensor]:
        """Runs what is needed for the layers `missing`, keeps what there is room for."""
        if not missing:
            return {}
        if isinstance(photo, _EditedPhoto):
            return self._compute_edited(photo, missing)
        pieces = self.graph.pieces
        source = self.graph.layers[0].path
        # What this request has computed, whether or not the cache has room for it.
        known: dict[str, tf.Tensor] = {}
        if source in missing:
            known[source] = photo.tensor()
            if missing == {source}:
                return known
        inside = {self.graph.find(p).piece for p in missing if not self.graph.find(p).is_cut}
        if len(inside) > len(pieces) // 2:
            known |= self._survey(photo, self._outputs_covering(missing))
            return {path: known[path] for path in missing}
        ends = {self.graph.find(p).piece for p in missing if p != source}
        needed = self._way_to(photo, inside | ends, known)
        if len(needed) > len(pieces) // 2:
            known |= self._survey(photo, "pieces")
            needed = inside
        for index in sorted(needed):
            known |= self._run_piece(photo, pieces[index], known)
        return {path: known[path] for path in missing}

    def _way_to(
        self, photo: _Photo, indices: Iterable[int], known: dict[str, tf.Tensor]
    ) -> set[int]:
        """Indices of the pieces to run: those asked for, and those before them not yet known.

        The cached tensors where these ways begin are added to `known`: running one piece may evict
        what another one starts from.
        """
        needed: set[int] = set()
        for index in indices:
            while index not in needed:
                needed.add(index)
                source = self.graph.pieces[index].source
                known |= self._store.get(photo.key, [source])
                if index == photo.first or source in known:
                    break
                index -= 1
        return needed

    def _compute_edited(self, photo: _EditedPhoto, missing: set[str]) -> dict[str, tf.Tensor]:
        """As `_compute`, of a photo with edits: what comes before them is that of the photo."""
        known = self._known(photo.base, missing - photo.touched)
        source = self.graph.layers[0].path
        if source in missing & photo.touched:
            known[source] = photo.tensor()
        changed = [self.graph.find(path) for path in missing & photo.touched if path != source]
        needed = self._way_to(photo, {layer.piece for layer in changed}, known)
        whole = {layer.piece for layer in changed if not layer.is_cut}
        for pieces in self._segments(photo, sorted(needed), whole):
            if photo.edited_in(pieces[0]):
                known |= self._run_edited(photo, pieces[0], known)
            elif pieces[0].index in whole:
                known |= self._run_piece(photo, pieces[0], known)
            else:
                taken = known[pieces[0].source] if pieces[0].index else photo.tensor()
                result = self._program(photo).segment(pieces, taken)
                self._keep(photo, result)
                known |= result
        return {path: known[path] for path in missing}

    def _segments(
        self, photo: _EditedPhoto, indices: Iterable[int], whole: set[int]
    ) -> list[list[Piece]]:
        """Neighbouring pieces to be run as one; alone what is edited or wanted from within.

        None reaches beyond a stage, so that few different ones are ever traced.
        """
        result: list[list[Piece]] = []
        stage_before = None
        for index in indices:
            piece = self.graph.pieces[index]
            alone = index in whole or photo.edited_in(piece)
            stage = None if alone else self.graph.find(piece.output).stage
            if stage and stage == stage_before and result[-1][-1].index == index - 1:
                result[-1].append(piece)
            else:
                result.append([piece])
            stage_before = stage
        return result

    def _run_edited(
        self, photo: _EditedPhoto, piece: Piece, known: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Runs what follows the edits inside a piece, on its changed source if that is changed."""
        edited = photo.edited_in(piece)
        begin = [*edited, piece.source] if piece.source in photo.touched else edited
        later = set(self.graph.after(begin))
        paths = [path for path in piece.paths if path in later]
        taken = dict.fromkeys([*self.graph.taken_by(paths), *edited])
        taken = {path: None for path in taken if path not in paths}
        fresh = [path for path in taken if path == piece.source and path in photo.touched]
        inputs = self._known(photo.base, set(taken) - set(fresh))
        inputs |= {path: known[path] if piece.index else photo.tensor() for path in fresh}
        # The masks of the source belong to the piece before, whose output it is.
        masks = {path: photo.masks[path] for path in edited}
        inputs = {path: _repeated(inputs[path], photo.count, masks.get(path)) for path in taken}
        result = self._program(photo).edited(piece, inputs, paths, masks)
        with self._counting:
            self._pieces += 1
        self._keep(photo, result)
        return result

    def _known(self, photo: _Photo, paths: set[str]) -> dict[str, tf.Tensor]:
        """Tensors from the cache or computed; the lock is held already."""
        found = self._store.get(photo.key, paths)
        return found | self._compute(photo, paths - found.keys())

    # -- for `explain` -----------------------------------------------------------------------------

    def logits_with_masks(self, image: Any, layer: str, masks: np.ndarray) -> np.ndarray:
        """Logits for each of many versions of one activation.

        Args:
            image: One photo, or an `EditedRun`.
            layer: Path of the layer whose output is multiplied.
            masks: float32 `(versions, height, width, channels)`, any of the last three may be 1; or
                `(versions, units)`.

        Returns:
            float32 `(versions, classes)`.
        """
        photo = self._photo(image, True)
        path = self.graph.find(layer).path
        base, before = (photo.base, photo.masks) if isinstance(photo, _EditedPhoto) else (photo, {})
        own = np.asarray(masks, np.float32) * np.asarray(before.get(path, np.float32(1)))
        versions = _EditedPhoto(base, {**before, path: own}, self.graph, "", count=len(masks))
        head = self.classifier
        tensor = self._tensors(versions, [head.source])[head.source]
        return _as_array(head.logits(tensor), True)

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
        """
        photo = self._photo(image, True)
        path, head = self.graph.find(layer).path, self.classifier
        way = set(self.graph.before(head.source))
        paths = tuple(p for p in self.graph.after([path]) if p in way)
        if not paths and path != head.source:
            raise ValueError(
                f"No class depends on this layer: choose one before {self.graph.output!r}. "
                f"Received: layer={layer!r}"
            )
        others = [p for p in self.graph.taken_by(paths) if p != path]
        tensors = self._tensors(photo, [path, *others])
        x = tensors[path] if values is None else tf.cast(values, tensors[path].dtype)
        count = int(x.shape[0])
        rest = {p: _repeated(tensors[p], count) for p in others}
        masks = {p: m for p, m in photo.masks.items() if p in paths}
        with self._computing:
            self._check_open()
            program = self._program(photo)
            logits, gradient = program.gradient(path, x, rest, paths, masks, head, target)
        return _as_array(logits, True), _as_array(gradient, True)

    def batch_size(self, wanted: int, layer: str | None = None) -> int:
        """How many versions to run at once: few enough for their tensors to fit into memory."""
        start = self.graph.find(layer).piece if layer else 0
        shapes = [layer.shape for layer in self.graph.layers if layer.piece >= start]
        numbers = sum(math.prod(n or 1 for n in shape) for shape in shapes)
        return max(1, min(wanted, _MOST_AT_ONCE, _ROOM_FOR_VERSIONS // (4 * numbers)))

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("This cache is closed; make a new ActivationCache.")

    def _run_piece(
        self, photo: _Photo, piece: Piece, known: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        taken = known[piece.source] if piece.index else photo.tensor()
        result = self._program(photo).piece(piece, taken)
        with self._counting:
            self._pieces += 1
        self._keep(photo, result)
        return result

    def _outputs_covering(self, paths: set[str]) -> str:
        """The cheapest kind of survey that has all of `paths`: each output costs its copy."""
        return "activations" if paths <= self.graph.activations else "layers"

    def _survey(self, photo: _Photo, outputs: str) -> dict[str, tf.Tensor]:
        result = self._program(photo).survey(photo.tensor(), outputs)
        with self._counting:
            self._surveys += 1
        self._keep(photo, result)
        return result

    def _keep(self, photo: _Photo, tensors: dict[str, tf.Tensor]) -> None:
        if not photo.key:
            return
        for path, tensor in tensors.items():
            self._store.put(photo.key, path, tensor, lasting=self.graph.find(path).is_cut)

    def _program(self, photo: _Photo) -> _Program:
        shape = tuple(photo.tensor().shape[1:])
        program = self._programs.pop(shape, None) or _Program(self.graph)
        self._programs[shape] = program
        if len(self._programs) > _MAX_SHAPES:
            self._programs.popitem(last=False)
        return program


class _Photo:
    """What is asked about: a key for the cache, and the model's input, made when first needed."""

    def __init__(self, key: str, is_batch: bool, make: Callable[[], np.ndarray]) -> None:
        self.key = key
        self.is_batch = is_batch
        self._make = make
        self._tensor: tf.Tensor | None = None
        # Index of the first piece that has to be run for this photo, and what is edited.
        self.first = 0
        self.masks: dict[str, tf.Tensor] = {}

    def tensor(self) -> tf.Tensor:
        if self._tensor is None:
            self._tensor = tf.convert_to_tensor(np.asarray(self._make(), dtype=np.float32))
        return self._tensor


class _EditedPhoto(_Photo):
    """A photo and what is done to its activations; with `key` `""`, nothing of it is kept."""

    def __init__(
        self,
        base: _Photo,
        masks: Mapping[str, np.ndarray],
        graph: LayerGraph,
        key: str,
        count: int = 1,
    ) -> None:
        super().__init__(key, bool(not key), base._make)
        self.base = base
        self.count = count
        ranks = {path: 1 + len(graph.find(path).shape) for path in masks}
        self.masks = {
            path: tf.convert_to_tensor(mask if mask.ndim == ranks[path] else mask[None], tf.float32)
            for path, mask in masks.items()
        }
        self.touched = frozenset(masks) | frozenset(graph.after(masks))
        self.first = min(graph.find(path).piece for path in masks)
        self._input = graph.layers[0].path

    def tensor(self) -> tf.Tensor:
        if self._tensor is None:
            tensor = self.base.tensor()
            mask = self.masks.get(self._input)
            self._tensor = tensor if mask is None else _masked(tensor, mask)
        return self._tensor

    def edited_in(self, piece: Piece) -> list[str]:
        """Paths of the edited layers of a piece, in order."""
        return [path for path in piece.paths if path in self.masks]


def _masked(tensor: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The product; where the mask is 0 so is the result, also of infinite and undefined values."""
    product = tf.math.multiply_no_nan(tensor, tf.cast(mask, tensor.dtype))
    return tf.ensure_shape(product, [None, *tensor.shape[1:]])


def _repeated(tensor: tf.Tensor, count: int, mask: tf.Tensor | None = None) -> tf.Tensor:
    """`tensor` once for each of `count` versions, unless a mask of as many does that anyway."""
    if count == 1 or tensor.shape[0] == count or (mask is not None and mask.shape[0] == count):
        return tensor
    return tf.repeat(tensor, count, axis=0)


def _raw_photo(image: Any, input_shape: tuple[int | None, ...]) -> _Photo:
    array = np.asarray(image, dtype=np.float32)
    fits = array.ndim in (3, 4) and all(
        want in (None, have) for want, have in zip(input_shape, array.shape[-3:], strict=True)
    )
    if not fits or 0 in array.shape:
        expected = ", ".join("any" if n is None else str(n) for n in input_shape)
        raise ValueError(
            "With `preprocess=False`, `image` must be an array that is already what the model "
            f"eats: ({expected}), or a batch of such. Received: an array of shape {array.shape}"
        )
    is_batch = array.ndim == 4
    batch = array if is_batch else array[None]
    key = hashlib.sha1(f"{batch.shape}".encode() + np.ascontiguousarray(batch).data).hexdigest()
    return _Photo(f"raw {key}", is_batch, lambda: batch)


class _Program:
    """The traced functions for one shape of input, made when first called."""

    def __init__(self, graph: LayerGraph) -> None:
        self._graph = graph
        self._functions: dict[object, Any] = {}

    def survey(self, tensor: tf.Tensor, outputs: str) -> dict[str, tf.Tensor]:
        """Runs the whole network; returns the outputs of all `"pieces"`, or besides them those of
        all `"activations"` or of all `"layers"`."""
        pieces = self._graph.pieces
        paths = [path for piece in pieces for path in piece.paths]
        ends = {piece.output for piece in pieces}
        kept = {"pieces": ends, "activations": ends | self._graph.activations, "layers": {*paths}}
        wanted = [path for path in paths if path in kept[outputs]]
        return self._call(("survey", outputs), paths, pieces[0].source, wanted, tensor)

    def piece(self, piece: Piece, tensor: tf.Tensor) -> dict[str, tf.Tensor]:
        """Runs one piece; returns the outputs of all its layers."""
        return self._call(piece.index, piece.paths, piece.source, piece.paths, tensor)

    def segment(self, pieces: Sequence[Piece], tensor: tf.Tensor) -> dict[str, tf.Tensor]:
        """Runs neighbouring pieces as one; returns their outputs."""
        paths = [path for piece in pieces for path in piece.paths]
        wanted = [piece.output for piece in pieces]
        key = ("segment", pieces[0].index, pieces[-1].index)
        return self._call(key, paths, pieces[0].source, wanted, tensor)

    def edited(
        self,
        piece: Piece,
        inputs: Mapping[str, tf.Tensor],
        paths: Sequence[str],
        masks: Mapping[str, tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        """Runs `paths` of a piece on `inputs`, some of the outputs multiplied by `masks`.

        Returns the edited outputs, and those of `paths`.
        """
        wanted = list(dict.fromkeys([*masks, *paths]))

        def run(known: list[tf.Tensor], factors: list[tf.Tensor]) -> dict[str, tf.Tensor]:
            by_path = dict(zip(masks, factors, strict=True))
            return self._graph.run_from(
                dict(zip(inputs, known, strict=True)),
                paths,
                wanted,
                lambda path, x: _masked(x, by_path[path]) if path in by_path else x,
            )

        key = ("edited", piece.index, tuple(inputs), tuple(masks))
        return self._traced(key, run, list(inputs.values()), list(masks.values()))

    def gradient(
        self,
        path: str,
        x: tf.Tensor,
        rest: Mapping[str, tf.Tensor],
        paths: Sequence[str],
        masks: Mapping[str, tf.Tensor],
        head: Head,
        target: int,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits when the output of `path` is `x`, and the gradient of one of them by `x`."""

        def run(
            x: tf.Tensor, known: list[tf.Tensor], target: tf.Tensor, factors: list[tf.Tensor]
        ) -> tuple[tf.Tensor, tf.Tensor]:
            by_path = dict(zip(masks, factors, strict=True))
            with tf.GradientTape() as tape:
                tape.watch(x)
                values = self._graph.run_from(
                    {path: x, **dict(zip(rest, known, strict=True))},
                    paths,
                    [head.source],
                    lambda p, value: _masked(value, by_path[p]) if p in by_path else value,
                )
                logits = head.logits(values[head.source])
                score = tf.reduce_sum(tf.gather(logits, target, axis=1))
            return logits, tape.gradient(score, x)

        key = ("gradient", path, tuple(masks))
        index = tf.constant([target], tf.int32)
        return self._traced(key, run, x, list(rest.values()), index, list(masks.values()))

    def _traced(self, key: object, run: Callable[..., Any], *arguments: Any) -> Any:
        """Calls `run`, traced once for any batch; its last argument are masks of any size."""
        if key not in self._functions:
            *first, masks = arguments
            signature = [
                *tf.nest.map_structure(
                    lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), first
                ),
                [tf.TensorSpec((None,) * mask.shape.rank, mask.dtype) for mask in masks],
            ]
            self._functions[key] = tf.function(run, input_signature=signature, autograph=False)
        return self._functions[key](*arguments)

    def _call(
        self, key: object, paths: Iterable[str], source: str, wanted: Iterable[str], x: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        if key not in self._functions:
            if not all(_SCOPE_NAME.fullmatch(self._graph.operation(p).name) for p in paths):
                # Keras makes a scope of each layer's name, and in a traced function TensorFlow
                # takes no name with a space, say. Such a model runs as it would by itself.
                self._functions[key] = lambda x: self._graph.run(paths, source, x, wanted)
                return self._functions[key](x)
            # A concrete function is never traced again, whichever thread calls it.
            self._functions[key] = tf.function(
                lambda tensor: self._graph.run(paths, source, tensor, wanted),
                input_signature=[tf.TensorSpec((None, *x.shape[1:]), x.dtype)],
                autograph=False,
            ).get_concrete_function()
        return self._functions[key](x)


class _Store:
    """Tensors by photo and layer, never more than `max_bytes`; thread-safe.

    Lasting tensors, the outputs of pieces, outlive the others: from them any other tensor of the
    photo can be made again by running a single piece. They take at most three quarters of the
    room, so that there is always some for the block that is being looked at.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.evictions = 0
        self._lasting = _Shelf(max_bytes * 3 // 4)
        self._passing = _Shelf(max_bytes)
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        return self._lasting.nbytes + self._passing.nbytes

    def get(self, photo: str, paths: Iterable[str]) -> dict[str, tf.Tensor]:
        found = {}
        with self._lock:
            for path in paths:
                for shelf in (self._lasting, self._passing):
                    if (photo, path) in shelf.tensors:
                        shelf.tensors.move_to_end((photo, path))
                        found[path] = shelf.tensors[photo, path]
        return found

    def paths(self, photo: str) -> frozenset[str]:
        with self._lock:
            keys = [*self._lasting.tensors, *self._passing.tensors]
        return frozenset(path for key, path in keys if key == photo)

    def put(self, photo: str, path: str, tensor: tf.Tensor, *, lasting: bool) -> None:
        with self._lock:
            if any((photo, path) in s.tensors for s in (self._lasting, self._passing)):
                return
            shelf = self._lasting if lasting else self._passing
            room = shelf.max_bytes - (0 if lasting else self._lasting.nbytes)
            size = _nbytes(tensor)
            if size > room:
                return
            while shelf.nbytes + size > room:
                self.evictions += shelf.drop_oldest()
            shelf.add((photo, path), tensor)
            while self.nbytes > self.max_bytes:
                self.evictions += self._passing.drop_oldest()

    def clear(self) -> None:
        with self._lock:
            for shelf in (self._lasting, self._passing):
                while shelf.tensors:
                    shelf.drop_oldest()


class _Shelf:
    """Tensors in the order of their last use, the oldest first."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.nbytes = 0
        self.tensors: OrderedDict[tuple[str, str], tf.Tensor] = OrderedDict()

    def add(self, key: tuple[str, str], tensor: tf.Tensor) -> None:
        self.tensors[key] = tensor
        self.nbytes += _nbytes(tensor)

    def drop_oldest(self) -> int:
        """Returns how many went: one."""
        _, tensor = self.tensors.popitem(last=False)
        self.nbytes -= _nbytes(tensor)
        return 1


def _nbytes(tensor: tf.Tensor) -> int:
    return int(tensor.shape.num_elements()) * tensor.dtype.size


def _as_array(tensor: tf.Tensor, is_batch: bool) -> np.ndarray:
    # np.asarray of a CPU tensor is a view: nothing is copied. bfloat16 has no numpy of its own.
    array = np.asarray(tensor if tensor.dtype == tf.float32 else tf.cast(tensor, tf.float32))
    array = array if is_batch else array[0]
    array.flags.writeable = False
    return array


def _reading_of(head: Any) -> Callable[[np.ndarray], np.ndarray] | None:
    """How to read the outputs of a model's last operation as probabilities, or `None`."""
    activation = getattr(getattr(head, "activation", None), "__name__", "")
    if isinstance(head, keras.layers.Softmax) or activation in ("softmax", "sigmoid"):
        return lambda values: values
    if isinstance(head, keras.layers.Dense) and activation == "linear" and head.units > 1:
        return _softmax
    return None


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def _default_max_bytes() -> int:
    return min(256 * MIB, int(0.15 * _memory_limit()))


def _memory_limit() -> int:
    """Bytes this process may use: what the hub, the container or the machine grants."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")] if _has_sysconf() else []
    limits.append(_number(os.environ.get("MEM_LIMIT", "")))
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(_number(Path(file).read_text()))
        except OSError:
            continue
    return min((n for n in limits if n), default=2048 * MIB)


def _has_sysconf() -> bool:
    return "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {})


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0
