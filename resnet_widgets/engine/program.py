"""The traced functions that run a network, whole or in pieces."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from .graph import LayerGraph, Piece
from .head import Head
from .model_input import masked

_SCOPE_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
# Each holds a traced copy of what comes after its layer.
_MOST_OF_EDITS = 32
# Of so many places it is known how often they were run.
_MOST_COUNTED = 256
# To trace what comes after a layer takes a second or two. That pays after so many untraced runs,
# or, where they went by pieces that are traced, after so many of those.
_WORTH_TRACING = 6
_WORTH_JOINING = 64


def can_trace(graph: LayerGraph, paths: Iterable[str]) -> bool:
    """Whether layers can be called in a traced function.

    Keras makes a scope of each layer's name, and in a traced function TensorFlow takes no name with
    a space, say. Such a model runs as it would by itself.
    """
    return all(_SCOPE_NAME.fullmatch(graph.operation(path).name) for path in paths)


class Program:
    """The functions for one shape of input.

    What is called for the first time runs as it is: to trace it takes three times as long. What is
    called again is traced, and runs in a tenth of the time from then on. What an edit leaves to be
    run is another function for each place of edits: it is run by pieces, and traced as one only
    once it has been run often.
    """

    def __init__(self, graph: LayerGraph) -> None:
        self._graph = graph
        # What was called once is `None`.
        self._functions: dict[object, Any] = {}
        # For what is edited or explained, and what comes after it: the last few, the oldest first.
        self._of_edits: OrderedDict[object, Any] = OrderedDict()
        # How often what is not among them was run.
        self._runs: OrderedDict[object, int] = OrderedDict()

    def survey(
        self, tensor: tf.Tensor, outputs: str, *, traced: bool = False
    ) -> dict[str, tf.Tensor]:
        """Runs the whole network; returns the outputs of all `"pieces"`, or besides them those of
        all `"activations"` or of all `"layers"`. With `traced` it is traced at once."""
        pieces = self._graph.pieces
        paths = [path for piece in pieces for path in piece.paths]
        ends = {piece.output for piece in pieces}
        kept = {"pieces": ends, "activations": ends | self._graph.activations, "layers": {*paths}}
        wanted = [path for path in paths if path in kept[outputs]]
        key = ("survey", outputs)
        if not traced and self._is_new(key):
            return self._by_pieces(pieces, tensor, kept[outputs])
        return self._call(key, paths, pieces[0].source, wanted, tensor)

    def piece(
        self, piece: Piece, tensor: tf.Tensor, *, traced: bool = False
    ) -> dict[str, tf.Tensor]:
        """Runs one piece; returns the outputs of all its layers. As `survey` otherwise."""
        if not traced and self._is_new(piece.index):
            return self._graph.run(piece.paths, piece.source, tensor, piece.paths)
        return self._call(piece.index, piece.paths, piece.source, piece.paths, tensor)

    def is_traced(self, piece: Piece | None) -> bool:
        """Whether a piece, or the survey of all pieces, will run at its full speed."""
        key = ("survey", "pieces") if piece is None else piece.index
        return self._functions.get(key) is not None

    def segment(self, pieces: Sequence[Piece], tensor: tf.Tensor) -> dict[str, tf.Tensor]:
        """Runs neighbouring pieces, as one once that pays; returns their outputs."""
        key = ("segment", pieces[0].index, pieces[-1].index)
        if self._is_rare(key, pieces):
            return self._by_pieces(pieces, tensor)
        paths = [path for piece in pieces for path in piece.paths]
        source, wanted = pieces[0].source, [piece.output for piece in pieces]
        return self._call_of_edits(
            key, paths, lambda x: self._graph.run(paths, source, x, wanted), (tensor,)
        )

    def edited(
        self,
        pieces: Sequence[Piece],
        inputs: Mapping[str, tf.Tensor],
        paths: Sequence[str],
        masks: Mapping[str, tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        """Runs `paths` of the first piece on `inputs`, some of the outputs multiplied by `masks`,
        and the other pieces after it.

        Returns the edited outputs, those of `paths`, and those of the other pieces.
        """
        piece, *others = pieces
        own = list(dict.fromkeys([*masks, *paths]))
        key = ("edited", piece.index, pieces[-1].index, tuple(inputs), tuple(masks))
        if self._is_rare(key, others):
            found = self._masked(inputs, masks, paths, own)
            return found | (self._by_pieces(others, found[piece.output]) if others else {})
        wanted = list(dict.fromkeys([*own, *(other.output for other in others)]))
        paths = [*paths, *(path for other in others for path in other.paths)]
        # Without what is in them: the function stays.
        taken, edited = list(inputs), list(masks)

        def run(known: list[tf.Tensor], factors: list[tf.Tensor]) -> dict[str, tf.Tensor]:
            return self._masked(
                dict(zip(taken, known, strict=True)),
                dict(zip(edited, factors, strict=True)),
                paths,
                wanted,
            )

        return self._call_of_edits(key, paths, run, (list(inputs.values()),), list(masks.values()))

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
        taken, edited = list(rest), list(masks)

        def run(
            x: tf.Tensor, known: list[tf.Tensor], target: tf.Tensor, factors: list[tf.Tensor]
        ) -> tuple[tf.Tensor, tf.Tensor]:
            by_path = dict(zip(edited, factors, strict=True))
            with tf.GradientTape() as tape:
                tape.watch(x)
                known_by_path = {path: x, **dict(zip(taken, known, strict=True))}
                values = self._masked(known_by_path, by_path, paths, [head.source])
                logits = head.logits(values[head.source])
                score = tf.reduce_sum(tf.gather(logits, target, axis=1))
            return logits, tape.gradient(score, x)

        key = ("gradient", path, tuple(masks))
        arguments = (x, list(rest.values()), tf.constant([target], tf.int32))
        factors = list(masks.values())
        if self._is_rare(key):
            return run(*arguments, factors)
        return self._call_of_edits(key, paths, run, arguments, factors)

    def _is_rare(self, key: object, pieces: Sequence[Piece] = ()) -> bool:
        """Whether this has not been run often enough yet to be worth tracing; counts its runs."""
        if key in self._of_edits:
            return False
        runs = self._runs.pop(key, 0)
        self._runs[key] = runs + 1
        if len(self._runs) > _MOST_COUNTED:
            self._runs.popitem(last=False)
        by_pieces = bool(pieces) and all(self.is_traced(piece) for piece in pieces)
        return runs < (_WORTH_JOINING if by_pieces else _WORTH_TRACING)

    def _by_pieces(
        self, pieces: Sequence[Piece], tensor: tf.Tensor, kept: Collection[str] = ()
    ) -> dict[str, tf.Tensor]:
        """Runs neighbouring pieces one by one, as they are traced or not.

        Returns their outputs, and those of the layers `kept`. What is not kept goes early.
        """
        found: dict[str, tf.Tensor] = {}
        for piece in pieces:
            wanted = [path for path in piece.paths if path in kept or path == piece.output]
            if self.is_traced(piece):
                found |= {p: x for p, x in self.piece(piece, tensor).items() if p in wanted}
            else:
                found |= self._graph.run(piece.paths, piece.source, tensor, wanted)
            tensor = found[piece.output]
        return found

    def _masked(
        self,
        known: Mapping[str, tf.Tensor],
        masks: Mapping[str, tf.Tensor],
        paths: Iterable[str],
        wanted: Iterable[str],
    ) -> dict[str, tf.Tensor]:
        """Runs `paths` on what is `known`; some outputs are multiplied by `masks`."""
        return self._graph.run_from(
            known, paths, wanted, lambda path, x: masked(x, masks[path]) if path in masks else x
        )

    def _call_of_edits(
        self,
        key: object,
        paths: Iterable[str],
        run: Callable[..., Any],
        arguments: tuple[Any, ...],
        masks: list[tf.Tensor] | None = None,
    ) -> Any:
        """Calls `run`, traced; what was traced for the last few keys is kept."""
        function = self._of_edits.pop(key, None) or self._trace(paths, run, arguments, masks)
        self._of_edits[key] = function
        if len(self._of_edits) > _MOST_OF_EDITS:
            self._of_edits.popitem(last=False)
        return function(*arguments) if masks is None else function(*arguments, masks)

    def _call(
        self, key: object, paths: Iterable[str], source: str, wanted: Iterable[str], x: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        function = self._functions.get(key)
        if function is None:
            function = self._functions[key] = self._trace(
                paths, lambda x: self._graph.run(paths, source, x, wanted), (x,)
            )
        return function(x)

    def _is_new(self, key: object) -> bool:
        """Whether this is the first call of `key`."""
        is_new = key not in self._functions
        self._functions.setdefault(key, None)
        return is_new

    def _trace(
        self,
        paths: Iterable[str],
        run: Callable[..., Any],
        arguments: tuple[Any, ...],
        masks: list[tf.Tensor] | None = None,
    ) -> Callable[..., Any]:
        """`run`, which calls `paths`, for any batch of such arguments and masks of any size."""
        if not can_trace(self._graph, paths):
            return run
        signature = list(
            tf.nest.map_structure(lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), arguments)
        )
        if masks is not None:
            signature.append([tf.TensorSpec((None,) * m.shape.rank, m.dtype) for m in masks])
        # A concrete function is never traced again, and called with less ado.
        return tf.function(run, input_signature=signature, autograph=False).get_concrete_function()
