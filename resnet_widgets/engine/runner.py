"""Runs what is needed of a network to have some tensors of it, and keeps those."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from .graph import LayerGraph, Piece
from .head import Head
from .model_input import EditedInput, ModelInput
from .program import Program
from .tensor_store import TensorStore

# Each input shape costs a second of tracing and memory that TensorFlow never gives back.
_MAX_SHAPES = 4
# Stands for the stage of whatever comes next.
_ANY_STAGE = "*"


class Counts(NamedTuple):
    """What a `Runner` has done so far; see `CacheInfo`."""

    hits: int
    misses: int
    surveys: int
    pieces: int


class Runner:
    """Fills the gaps of a `TensorStore` with as little work as it can; one computation at a time.

    Args:
        graph: The network.
        store: Where tensors are kept.
    """

    def __init__(self, graph: LayerGraph, store: TensorStore) -> None:
        self.graph = graph
        self._store = store
        self._programs: OrderedDict[tuple, Program] = OrderedDict()
        # All photos are fitted to one size, so one of them tells the shape of all.
        self._photo_shape: tuple[int, ...] | None = None
        self._computing = threading.Lock()
        # The store's when the computation that is running began.
        self._generation = 0
        self._counting = threading.Lock()
        self._hits = self._misses = self._surveys = self._pieces = 0
        self._closed = False

    @property
    def counts(self) -> Counts:
        """How often what was done."""
        with self._counting:
            return Counts(self._hits, self._misses, self._surveys, self._pieces)

    def close(self) -> None:
        """Gives tensors and traced functions back; nothing can be computed any more."""
        with self._computing:
            self._closed = True
            self._programs.clear()
            self._store.clear()

    def stored(self, photo: ModelInput, path: str) -> tf.Tensor | None:
        """One tensor, if it is there without computing."""
        found = self._store.get(photo.key, [path])
        with self._counting:
            self._hits += len(found)
        return found.get(path)

    def tensors(self, photo: ModelInput, paths: Iterable[str]) -> dict[str, tf.Tensor]:
        """The outputs of the layers `paths`, from the store or computed."""
        wanted = dict.fromkeys(paths)
        found = self._store.get(photo.key, wanted)
        if len(found) < len(wanted):
            with self._computing:
                self._check_open()
                self._generation = self._store.generation
                # While this one waited, another thread may have computed them, or forgotten those
                # that were found: not to be mixed with what the new weights give.
                found = self._store.get(photo.key, wanted)
                missing = wanted.keys() - found.keys()
                with self._counting:
                    self._misses += len(missing)
                    self._hits += len(found)
                found |= self._compute(photo, missing)
            self._store.give_back()
        else:
            with self._counting:
                self._hits += len(found)
        return found

    def gradient(
        self,
        photo: ModelInput,
        path: str,
        paths: tuple[str, ...],
        head: Head,
        target: int,
        values: Any = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits, and the gradient of one of them by the output of `path`, through `paths`."""
        others = [p for p in self.graph.taken_by(paths) if p != path]
        tensors = self.tensors(photo, [path, *others])
        x = tensors[path] if values is None else tf.cast(values, tensors[path].dtype)
        count = int(x.shape[0])
        rest = {p: _repeated(tensors[p], count) for p in others}
        masks = {p: m for p, m in photo.masks.items() if p in paths}
        with self._computing:
            self._check_open()
            return self._program(photo).gradient(path, x, rest, paths, masks, head, target)

    def trace(self, photo: ModelInput, piece: Piece | None) -> None:
        """Traces a piece, or with `None` the whole network, and runs it once, for later photos."""
        base = photo.base if isinstance(photo, EditedInput) else photo
        with self._computing:
            self._check_open()
            self._generation = self._store.generation
            program = self._program(base)
            if program.is_traced(piece):
                return
            if piece is None or not piece.index:
                tensor = base.tensor()
            else:
                tensor = self._known(base, {piece.source})[piece.source]
            if piece is None:
                program.survey(tensor, "pieces", traced=True)
            else:
                self._keep(base, program.piece(piece, tensor, traced=True))

    def _compute(self, photo: ModelInput, missing: set[str]) -> dict[str, tf.Tensor]:
        """Runs what is needed for the layers `missing`, keeps what there is room for."""
        if not missing:
            return {}
        if isinstance(photo, EditedInput):
            return self._compute_edited(photo, missing)
        pieces = self.graph.pieces
        source = self.graph.layers[0].path
        # What this request has computed, whether or not the cache has room for it.
        known: dict[str, tf.Tensor] = {}
        if source in missing:
            known[source] = photo.tensor()
            if missing == {source}:
                return known
        layers = [self.graph.find(path) for path in missing]
        inside = {layer.piece for layer in layers if not layer.is_cut}
        if len(inside) > len(pieces) // 2:
            known |= self._survey(photo, self._outputs_covering(missing))
            return {path: known[path] for path in missing}
        ends = {layer.piece for layer in layers if layer.path != source}
        needed = self._way_to(photo, inside | ends, known)
        if len(needed) > len(pieces) // 2:
            known |= self._survey(photo, "pieces")
            needed = inside
        for index in sorted(needed):
            known |= self._run_piece(photo, pieces[index], known)
        return {path: known[path] for path in missing}

    def _way_to(
        self, photo: ModelInput, indices: Iterable[int], known: dict[str, tf.Tensor]
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

    def _compute_edited(self, photo: EditedInput, missing: set[str]) -> dict[str, tf.Tensor]:
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
                known |= self._run_edited(photo, pieces, known)
            elif pieces[0].index in whole:
                known |= self._run_piece(photo, pieces[0], known)
            else:
                taken = known[pieces[0].source] if pieces[0].index else photo.tensor()
                result = self._program(photo).segment(pieces, taken)
                self._keep(photo, result)
                known |= result
        return {path: known[path] for path in missing}

    def _segments(
        self, photo: EditedInput, indices: Iterable[int], whole: set[int]
    ) -> list[list[Piece]]:
        """Neighbouring pieces to be run as one; alone what is wanted or edited from within.

        None reaches beyond a stage, so that few different ones are ever traced; but the head, which
        is small, goes with the stage before it, and what is edited at its end only is multiplied
        together with what comes next.
        """
        last = len(self.graph.pieces) - 1
        result: list[list[Piece]] = []
        stage_before: str | None = None
        for index in indices:
            piece = self.graph.pieces[index]
            edited = photo.edited_in(piece)
            at_end = edited == [piece.output] and piece.source not in photo.touched
            alone = index in whole or (edited and not at_end)
            stage = None if alone else self.graph.find(piece.output).stage
            follows = bool(result and stage_before) and result[-1][-1].index == index - 1
            fits = index == last or stage_before in (stage, _ANY_STAGE)
            if stage and not edited and follows and fits:
                result[-1].append(piece)
            else:
                result.append([piece])
            stage_before = _ANY_STAGE if at_end else stage
        return result

    def _run_edited(
        self, photo: EditedInput, pieces: Sequence[Piece], known: dict[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Runs what follows the edits inside the first of some pieces, and the others.

        On its changed source, if that is changed.
        """
        piece = pieces[0]
        edited = photo.edited_in(piece)
        paths = [path for path in piece.paths if path in photo.later]
        taken = dict.fromkeys([*self.graph.taken_by(paths), *edited])
        taken = {path: None for path in taken if path not in paths}
        fresh = [path for path in taken if path == piece.source and path in photo.touched]
        inputs = self._known(photo.base, set(taken) - set(fresh))
        inputs |= {path: known[path] if piece.index else photo.tensor() for path in fresh}
        # The masks of the source belong to the piece before, whose output it is.
        masks = {path: photo.masks[path] for path in edited}
        inputs = {path: _repeated(inputs[path], photo.count, masks.get(path)) for path in taken}
        result = self._program(photo).edited(pieces, inputs, paths, masks)
        with self._counting:
            self._pieces += 1
        self._keep(photo, result)
        return result

    def _known(self, photo: ModelInput, paths: set[str]) -> dict[str, tf.Tensor]:
        """Tensors from the cache or computed; the lock is held already."""
        found = self._store.get(photo.key, paths)
        return found | self._compute(photo, paths - found.keys())

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("This cache is closed; make a new ActivationCache.")

    def _run_piece(
        self, photo: ModelInput, piece: Piece, known: dict[str, tf.Tensor]
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

    def _survey(self, photo: ModelInput, outputs: str) -> dict[str, tf.Tensor]:
        result = self._program(photo).survey(photo.tensor(), outputs)
        with self._counting:
            self._surveys += 1
        self._keep(photo, result)
        return result

    def _keep(self, photo: ModelInput, tensors: dict[str, tf.Tensor]) -> None:
        if not photo.key:
            return
        for path, tensor in tensors.items():
            lasting = self.graph.find(path).is_cut
            self._store.put(photo.key, path, tensor, lasting=lasting, generation=self._generation)

    def _program(self, photo: ModelInput) -> Program:
        # To preprocess a photo takes longer than a small piece; most are run on what is known.
        shape = self._photo_shape if photo.is_fitted else None
        if shape is None:
            shape = tuple(photo.tensor().shape[1:])
        if photo.is_fitted:
            self._photo_shape = shape
        program = self._programs.pop(shape, None) or Program(self.graph)
        self._programs[shape] = program
        if len(self._programs) > _MAX_SHAPES:
            self._programs.popitem(last=False)
        return program


def _repeated(tensor: tf.Tensor, count: int, mask: tf.Tensor | None = None) -> tf.Tensor:
    """`tensor` once for each of `count` versions, unless a mask of as many does that anyway."""
    if count == 1 or tensor.shape[0] == count or (mask is not None and mask.shape[0] == count):
        return tensor
    return tf.repeat(tensor, count, axis=0)
