"""The graph of a network: its layers, and the chain of pieces that runs them."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras

from .receptive_field import ReceptiveField

_ACTIVATIONS = frozenset({"Activation", "ELU", "LeakyReLU", "PReLU", "ReLU"})


@dataclasses.dataclass(frozen=True)
class LayerInfo:
    """One row of the layer tree.

    Attributes:
        name: Keras name, such as `"conv3_block4_out"`.
        path: `name`, behind the names of the nested models around it and `/`. Unique.
        kind: Class of the layer or operation, such as `"Conv2D"`.
        detail: What the kind leaves open: kernel and stride (`"3×3/2"`), or activation (`"relu"`).
        stage: `"conv1"` … `"conv5"`, `"head"`, or `"stage1"` … where names follow no scheme.
        block: `"conv3_block4"`, or `""` for a layer outside of any block.
        shape: Shape of the output without the batch, `(height, width, channels)` or `(units,)`;
            `None` where it is not known before the model runs.
        dtype: dtype of the output.
        parameters: Number of weights.
        receptive_field: What one cell of the output sees of the input, or `None` if not known.
        inputs: Paths of the layers whose outputs this layer takes.
        piece: Index of the piece of the chain that computes it.
        is_cut: Whether the output alone determines all that follows, and a piece ends here.
    """

    name: str
    path: str
    kind: str
    detail: str
    stage: str
    block: str
    shape: tuple[int | None, ...]
    dtype: str
    parameters: int
    receptive_field: ReceptiveField | None
    inputs: tuple[str, ...]
    piece: int
    is_cut: bool

    @property
    def nbytes(self) -> int:
        """Bytes of the output for one photo, as float32; unknown sizes count as 1."""
        return 4 * math.prod(n or 1 for n in self.shape)

    def to_row(self) -> dict[str, Any]:
        """This layer as JSON for a page; unknown sizes are -1."""
        field = self.receptive_field
        return {
            "path": self.path,
            "name": self.name,
            "kind": self.kind,
            "detail": self.detail,
            "stage": self.stage,
            "block": self.block,
            "shape": [-1 if n is None else n for n in self.shape],
            "dtype": self.dtype,
            "parameters": self.parameters,
            "field": field and {k: list(v) for k, v in dataclasses.asdict(field).items()},
            "inputs": list(self.inputs),
        }


@dataclasses.dataclass(frozen=True)
class Step:
    """One call of one operation: which values it takes and which ones it makes."""

    path: str
    operation: Any
    arguments: Any
    feeds: tuple[tuple[int, int], ...]
    outputs: tuple[int, ...]
    takes_training: bool
    shape: tuple[int | None, ...]
    dtype: str

    def run(self, values: dict[int, Any]) -> None:
        """Computes this step's outputs from `values`, by slot, and adds them to it."""
        args, kwargs = self.arguments.fill_in({key: values[slot] for key, slot in self.feeds})
        if self.takes_training:
            kwargs["training"] = False
        result = keras.tree.flatten(self.operation(*args, **kwargs))
        values.update(zip(self.outputs, result, strict=True))


@dataclasses.dataclass(frozen=True)
class Piece:
    """The steps between two cut points.

    Attributes:
        index: Position in the chain.
        source: Path of the layer whose output it takes.
        output: Path of the layer whose output the next piece takes.
        paths: Paths of the layers it computes, in the order of the graph.
    """

    index: int
    source: str
    output: str
    paths: tuple[str, ...]


class LayerGraph(Sequence[LayerInfo]):
    """The layers of a model in the order they run; a sequence of `LayerInfo`.

    Attributes:
        layers: All rows.
        pieces: The chain: `pieces[i + 1].source == pieces[i].output`.
        output: Path of the layer whose output is the model's (first) output.
        input_shape: `(height, width, channels)` of the input, `None` where free.
    """

    def __init__(
        self,
        layers: tuple[LayerInfo, ...],
        pieces: tuple[Piece, ...],
        steps: dict[str, Step],
        slots: dict[str, int],
        output: str,
        input_shape: tuple[int | None, ...],
    ) -> None:
        self.layers = layers
        self.pieces = pieces
        self.output = output
        self.input_shape = input_shape
        self._by_path = {layer.path: layer for layer in layers}
        self._steps = steps
        self._slots = slots

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: Any) -> Any:
        return self.layers[index]

    def __iter__(self) -> Iterator[LayerInfo]:
        return iter(self.layers)

    def find(self, path: str) -> LayerInfo:
        """The layer at `path`.

        Raises:
            ValueError: If there is none; the message names the nearest ones.
        """
        if layer := self._by_path.get(path):
            return layer
        endings = [p for p in self._by_path if p.endswith(f"/{path}")]
        near = endings or difflib.get_close_matches(str(path), self._by_path, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else "See `cache.layers`."
        raise ValueError(f"No such layer in this model. {hint} Received: layer={path!r}")

    def operation(self, path: str) -> Any:
        """The Keras layer or operation at `path`; the one behind a nested model's output too."""
        return self._steps[self.find(path).path].operation

    @property
    def activations(self) -> frozenset[str]:
        """Paths of the layers that only apply an activation function: `Activation`, `ReLU` …."""
        return frozenset(layer.path for layer in self.layers if layer.kind in _ACTIVATIONS)

    @property
    def stage_outputs(self) -> tuple[str, ...]:
        """Path of what each stage hands to the next: `conv1_relu`, `conv2_block3_out` ….

        The last cut point of each stage, or, where a stage ends in mere pooling, the layer that the
        pooling takes.
        """
        last: dict[str, LayerInfo] = {}
        for layer in self.layers:
            if len(layer.shape) != 3 or layer.stage == "head" or layer.kind == "InputLayer":
                continue
            # Pooling and padding behind the last weights prepare the next stage: not its own look.
            if "Pool" in layer.kind or "Padding" in layer.kind:
                continue
            if layer.is_cut or not layer.block:
                last[layer.stage] = layer
        return tuple(layer.path for layer in last.values())

    def run(self, paths: Iterable[str], source: str, tensor: Any, wanted: Iterable[str]) -> dict:
        """Runs the layers `paths` on `tensor`, the output of `source`; not traced by itself.

        Args:
            paths: Paths in the order of the graph, all that lies between `source` and `wanted`.
            source: Path of the layer whose output `tensor` is.
            tensor: Backend tensor with a batch axis.
            wanted: Paths to return.

        Returns:
            Path → tensor.
        """
        return self.run_from({source: tensor}, paths, wanted)

    def run_from(
        self,
        known: Mapping[str, Any],
        paths: Iterable[str],
        wanted: Iterable[str],
        change: Callable[[str, Any], Any] | None = None,
    ) -> dict[str, Any]:
        """Runs the layers `paths` on any outputs that are `known`; not traced by itself.

        Args:
            known: Path → tensor with a batch axis; all that `paths` take from outside of them.
            paths: Paths in the order of the graph.
            wanted: Paths to return, of `paths` or of `known`.
            change: Called as `change(path, tensor)` on each output, as soon as it is there, those
                that are `known` included; what it returns takes its place.

        Returns:
            Path → tensor.
        """
        values = {
            self._slots[path]: change(path, tensor) if change else tensor
            for path, tensor in known.items()
        }
        for path in paths:
            self._steps[path].run(values)
            if change:
                values[self._slots[path]] = change(path, values[self._slots[path]])
        return {path: values[self._slots[path]] for path in wanted}

    def after(self, changed: Iterable[str]) -> tuple[str, ...]:
        """Paths of the layers that take, directly or not, what one of `changed` makes, in order."""
        reached = {self.find(path).path for path in changed}
        found = []
        for layer in itertools.dropwhile(lambda layer: layer.path not in reached, self.layers):
            if not reached.isdisjoint(layer.inputs):
                reached.add(layer.path)
                found.append(layer.path)
        return tuple(found)

    def before(self, path: str) -> tuple[str, ...]:
        """Paths of the layers that `path` depends on, in order, itself at the end."""
        needed = {self.find(path).path}
        for layer in reversed(self.layers):
            if layer.path in needed:
                needed.update(layer.inputs)
        return tuple(layer.path for layer in self.layers[1:] if layer.path in needed)

    def taken_by(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Paths of the layers outside of `paths` whose outputs these take."""
        inside = set(paths)
        taken = dict.fromkeys(source for path in inside for source in self.find(path).inputs)
        return tuple(sorted(set(taken) - inside))
