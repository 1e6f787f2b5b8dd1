"""Reads the graph of a Keras model: stage → block → layer, receptive fields, cut points.

A CNN is a chain. At the end of every residual block one tensor carries everything: cut there, and
the network falls into *pieces* that can be run one by one. `read_layers` finds those cut points in
the graph itself, steps into nested models, and never changes the model it reads.

This is the one file that touches Keras' graph nodes (`_nodes_by_depth`, `node.operation`,
`node.arguments`), which is also how `keras.src.ops.function.Function` runs a model.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras

from .receptive_field import ReceptiveField, see

_BLOCK_NAME = re.compile(r"^conv(\d+)_block(\d+)_")
_ACTIVATIONS = frozenset({"Activation", "ELU", "LeakyReLU", "PReLU", "ReLU"})
_STEM_NAME = re.compile(r"^(?:conv|pool)(\d+)_")


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
        for layer in self.layers:
            if reached.intersection(layer.inputs):
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


def read_layers(model: keras.Model, input_size: tuple[int, int] = (224, 224)) -> LayerGraph:
    """Reads layers, receptive fields and cut points from the graph of `model`.

    Args:
        model: A built Functional or Sequential model with one image input. Nested models are
            stepped into: their layers have paths such as `"resnet50/conv2_block1_out"`.
        input_size: Height and width in pixels assumed where the model leaves them free.

    Returns:
        A `LayerGraph`, a sequence of `LayerInfo` in the order the layers run.

    Raises:
        TypeError: If `model` is not a Keras model whose graph can be read.
        ValueError: If `model` does not take one image, or has its channels first.
    """
    function = _function(model)
    if function is None:
        raise TypeError(
            "`model` must be a built Functional or Sequential keras.Model: only those have a graph "
            "that can be read. Build a Sequential first with `model.build(...)`; wrap the layers "
            f"of a subclassed model in a Functional one. Received: model={model!r}"
        )
    if len(function.inputs) != 1 or len(function.inputs[0].shape) != 4:
        shapes = [tuple(x.shape) for x in function.inputs]
        raise ValueError(
            "`model` must take one batch of images, (batch, height, width, channels). "
            f"Received: inputs of shape {shapes}"
        )
    reader = _Reader(input_size)
    reader.read(function)
    return reader.graph(function)


def _function(operation: Any) -> Any:
    """The Function behind a Functional or Sequential model, or None where there is none to read."""
    if isinstance(operation, keras.Sequential):
        operation = operation._functional
    elif "call" in vars(type(operation)) and type(operation).__module__.split(".")[0] != "keras":
        # A Functional model whose class overrides `call` may do more than its graph says.
        return None
    return operation if hasattr(operation, "_nodes_by_depth") else None


class _Reader:
    """Flattens a model into steps, then groups them."""

    def __init__(self, input_size: tuple[int, int]) -> None:
        self.input_size = input_size
        self.steps: dict[str, Step] = {}
        self.slots: dict[str, int] = {}
        self.makers: dict[int, str] = {}
        self.shapes: dict[int, tuple[int | None, ...]] = {}
        self.count = 0

    # -- flattening --------------------------------------------------------------------------------

    def read(self, function: Any) -> None:
        tensor = function.inputs[0]
        operation = tensor._keras_history.operation
        _, *size, channels = tensor.shape
        size = [n if n is not None else m for n, m in zip(size, self.input_size, strict=True)]
        slot = self._new_slot(operation.name, (*size, channels))
        self.input_path = operation.name
        self.input_dtype = tensor.dtype
        self.dynamic = None in tensor.shape[1:3]
        slots = self._walk(function, {id(tensor): slot}, "")
        self.outputs = [slots[id(x)] for x in keras.tree.flatten(function.outputs)]

    def _new_slot(self, path: str, shape: Sequence[int | None]) -> int:
        slot = self.count
        self.count += 1
        self.makers[slot] = path
        self.slots.setdefault(path, slot)
        self.shapes[slot] = tuple(shape)
        return slot

    def _walk(self, function: Any, slots: dict[int, int], prefix: str) -> dict[int, int]:
        """Adds the steps of `function`; `slots` maps ids of its KerasTensors to values."""
        for depth in sorted(function._nodes_by_depth, reverse=True):
            for node in function._nodes_by_depth[depth]:
                if node.is_input:
                    continue
                inner = _function(node.operation)
                path = prefix + node.operation.name
                if inner is not None:
                    taken = [slots[id(x)] for x in node.input_tensors]
                    inside = {id(x): s for x, s in zip(inner.inputs, taken, strict=True)}
                    inside = self._walk(inner, inside, f"{self._unused(path)}/")
                    made = [inside[id(x)] for x in keras.tree.flatten(inner.outputs)]
                else:
                    made = self._add_step(node, slots, self._unused(path))
                outputs = node.output_tensors
                slots.update((id(x), slot) for x, slot in zip(outputs, made, strict=True))
        return slots

    def _unused(self, path: str) -> str:
        """`path`, or `path:1` … where a shared layer is called again."""
        calls = 0
        unique = path
        while unique in self.steps or any(p.startswith(f"{unique}/") for p in self.steps):
            calls += 1
            unique = f"{path}:{calls}"
        return unique

    def _add_step(self, node: Any, slots: Mapping[int, int], path: str) -> list[int]:
        operation = node.operation
        if getattr(operation, "data_format", None) == "channels_first":
            raise ValueError(
                "`model` must have its channels last, (batch, height, width, channels): build it "
                "with keras.config.set_image_data_format('channels_last'). "
                f"Received: layer {path!r} with data_format='channels_first'"
            )
        feeds = tuple((id(x), slots[id(x)]) for x in node.input_tensors)
        shapes = [tuple(x.shape[1:]) for x in node.output_tensors]
        if self.dynamic and len(feeds) >= 1 and any(None in shape for shape in shapes):
            shapes = self._shapes_at_size(node, feeds) or shapes
        made = [self._new_slot(path, shape) for shape in shapes]
        call = operation.call if isinstance(operation, keras.Layer) else None
        self.steps[path] = Step(
            path=path,
            operation=operation,
            arguments=node.arguments,
            feeds=feeds,
            outputs=tuple(made),
            takes_training=call is not None and "training" in inspect.signature(call).parameters,
            shape=shapes[0],
            dtype=str(keras.backend.standardize_dtype(node.output_tensors[0].dtype)),
        )
        return made

    def _shapes_at_size(self, node: Any, feeds: Sequence[tuple[int, int]]) -> list[tuple] | None:
        dtypes = [x.dtype for x in node.input_tensors]
        inputs = {
            key: keras.KerasTensor((None, *self.shapes[slot]), dtype=dtype)
            for (key, slot), dtype in zip(feeds, dtypes, strict=True)
        }
        args, kwargs = node.arguments.fill_in(inputs)
        specs = node.operation.compute_output_spec(*args, **kwargs)
        return [tuple(x.shape[1:]) for x in keras.tree.flatten(specs)]

    # -- grouping ----------------------------------------------------------------------------------

    def graph(self, function: Any) -> LayerGraph:
        paths = list(self.steps)
        self.named = any(map(_block_of, paths))
        fields = self._receptive_fields()
        cuts = self._cuts(paths)
        pieces: list[Piece] = []
        source, start = self.input_path, 0
        for cut in cuts:
            end = paths.index(cut, start) + 1
            pieces.append(Piece(len(pieces), source, cut, tuple(paths[start:end])))
            source, start = cut, end
        names = self._stages_and_blocks(pieces)
        rows = [self._input_row(names)]
        for piece in pieces:
            for path in piece.paths:
                step = self.steps[path]
                stage, block = names[path]
                inputs = dict.fromkeys(self.makers[slot] for _, slot in step.feeds)
                is_layer = isinstance(step.operation, keras.Layer)
                rows.append(
                    LayerInfo(
                        name=step.operation.name,
                        path=path,
                        kind=type(step.operation).__name__,
                        detail=_detail(step.operation),
                        stage=stage,
                        block=block,
                        shape=step.shape,
                        dtype=step.dtype,
                        parameters=step.operation.count_params() if is_layer else 0,
                        receptive_field=fields[path],
                        inputs=tuple(inputs),
                        piece=piece.index,
                        is_cut=path == piece.output,
                    )
                )
        output = self.makers[self.outputs[0]]
        free = tuple(function.inputs[0].shape[1:])
        return LayerGraph(tuple(rows), tuple(pieces), self.steps, self.slots, output, free)

    def _input_row(self, names: Mapping[str, tuple[str, str]]) -> LayerInfo:
        first = next(iter(self.steps), None)
        return LayerInfo(
            name=self.input_path,
            path=self.input_path,
            kind="InputLayer",
            detail="",
            stage=names[first][0] if first else "conv1",
            block="",
            shape=self.shapes[self.slots[self.input_path]],
            dtype=self.input_dtype,
            parameters=0,
            receptive_field=ReceptiveField((1, 1), (1, 1), (0, 0)),
            inputs=(),
            piece=0,
            is_cut=True,
        )

    def _receptive_fields(self) -> dict[str, ReceptiveField | None]:
        image = self.shapes[self.slots[self.input_path]][:2]
        fields: dict[int, ReceptiveField | None] = {
            self.slots[self.input_path]: ReceptiveField((1, 1), (1, 1), (0, 0))
        }
        result = {}
        for path, step in self.steps.items():
            taken = [(fields[slot], self.shapes[slot]) for _, slot in step.feeds]
            field = see(step.operation, taken, step.shape, image)
            fields.update((slot, field) for slot in step.outputs)
            result[path] = field
        return result

    def _cuts(self, paths: list[str]) -> list[str]:
        """Paths after which to cut the chain, in order; the last one ends the model."""
        legal = self._legal_cuts(paths)
        wanted = set()
        for index, (path, following) in enumerate(itertools.pairwise(legal)):
            if self._scale(path) != self._scale(following):
                # Padding belongs to the convolution or pooling that it prepares.
                while index and "Padding" in type(self.steps[legal[index]].operation).__name__:
                    index -= 1
                wanted.add(legal[index])
            elif _block_of(path) != _block_of(following) or (not self.named and self._forks(path)):
                wanted.add(path)
        # A piece without weights (mere padding, say) is not worth a trace of its own.
        cuts, weights = [], 0
        for path in paths:
            operation = self.steps[path].operation
            weights += operation.count_params() if isinstance(operation, keras.Layer) else 0
            if path == paths[-1] or (path in wanted and weights):
                cuts.append(path)
                weights = 0
        return cuts

    def _scale(self, path: str) -> int:
        """How often the picture has been halved, about; -1 for a vector.

        Where blocks have names, these tell the rest: only maps and vectors are told apart.
        """
        shape = self.steps[path].shape
        if len(shape) < 3:
            return -1
        image = self.shapes[self.slots[self.input_path]][0]
        return 0 if self.named or not image or not shape[0] else round(math.log2(image / shape[0]))

    def _legal_cuts(self, paths: list[str]) -> list[str]:
        """Paths whose output alone determines all that runs after them."""
        last_use: dict[int, int] = {}
        for index, path in enumerate(paths):
            for _, slot in self.steps[path].feeds:
                last_use[slot] = index
        live = {self.slots[self.input_path]}
        legal = []
        for index, path in enumerate(paths):
            live.update(self.steps[path].outputs)
            live = {slot for slot in live if last_use.get(slot, -1) > index}
            if live == {self.slots[path]} or (not live and index == len(paths) - 1):
                legal.append(path)
        return legal

    def _forks(self, path: str) -> bool:
        slot = self.slots[path]
        return sum(slot in {s for _, s in step.feeds} for step in self.steps.values()) > 1

    def _stages_and_blocks(self, pieces: Sequence[Piece]) -> dict[str, tuple[str, str]]:
        """Path → (stage, block), from Keras' names where they say so, else from the pieces."""
        return self._by_name(pieces) if self.named else self._by_resolution(pieces)

    def _by_name(self, pieces: Sequence[Piece]) -> dict[str, tuple[str, str]]:
        result: dict[str, tuple[str, str]] = {}
        stage = next(filter(None, map(_stage_of, self.steps)), "conv1")
        for piece in pieces:
            blocks = Counter(block for path in piece.paths if (block := _block_of(path)))
            only_block = blocks.most_common(1)[0][0] if len(blocks) == 1 else ""
            for path in piece.paths:
                stage = _stage_of(path) or stage
                block = _block_of(path) or only_block
                if len(self.steps[path].shape) < 3:
                    result[path] = ("head", "")
                else:
                    result[path] = (block.partition("_block")[0] or stage, block)
        return result

    def _by_resolution(self, pieces: Sequence[Piece]) -> dict[str, tuple[str, str]]:
        result: dict[str, tuple[str, str]] = {}
        number, scale, blocks = 0, None, 0
        for piece in pieces:
            if len(self.steps[piece.output].shape) < 3 and number:
                result.update((path, ("head", "")) for path in piece.paths)
                continue
            new_scale = self._scale(piece.output)
            if new_scale != scale:
                number, scale, blocks = number + 1, new_scale, 0
            blocks += 1
            stage = f"stage{number}"
            block = f"{stage}_block{blocks}" if len(piece.paths) > 1 else ""
            result.update((path, (stage, block)) for path in piece.paths)
        return result


def _detail(operation: Any) -> str:
    """Kernel, stride and activation of `operation`, as far as it has them: `"3×3/2 relu"`."""
    window = getattr(operation, "kernel_size", None) or getattr(operation, "pool_size", None)
    strides = getattr(operation, "strides", None)
    words = []
    if isinstance(window, tuple) and window:
        words.append("×".join(map(str, window)))
        if isinstance(strides, tuple) and any(stride != 1 for stride in strides):
            words[0] += "/" + "×".join(map(str, dict.fromkeys(strides)))
    activation = getattr(getattr(operation, "activation", None), "__name__", "linear")
    if activation != "linear":
        words.append(activation)
    return " ".join(words)


def _leaf(path: str) -> str:
    return path.rpartition("/")[2]


def _block_of(path: str) -> str:
    match = _BLOCK_NAME.match(_leaf(path))
    return match[0].rstrip("_") if match else ""


def _stage_of(path: str) -> str:
    match = _BLOCK_NAME.match(_leaf(path)) or _STEM_NAME.match(_leaf(path))
    return f"conv{match[1]}" if match else ""
