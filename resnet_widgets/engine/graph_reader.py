"""Reads the graph of a Keras model: stage → block → layer, receptive fields, cut points.

A CNN is a chain. At the end of every residual block one tensor carries everything: cut there, and
the network falls into *pieces* that can be run one by one. `read_layers` finds those cut points in
the graph itself, steps into nested models, and never changes the model it reads.

This is the one file that touches Keras' graph nodes (`_nodes_by_depth`, `node.operation`,
`node.arguments`); `Step` runs them as `keras.src.ops.function.Function` does.
"""

from __future__ import annotations

import inspect
import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from .graph import LayerGraph, LayerInfo, Piece, Step
from .receptive_field import ReceptiveField, see

_BLOCK_NAME = re.compile(r"^conv(\d+)_block(\d+)_")
_STEM_NAME = re.compile(r"^(?:conv|pool)(\d+)_")


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
