"""Receptive fields: which pixels of the input one cell of a layer sees.

Carried forward layer by layer: kernel, stride, dilation and padding, exact through joins, where the
field is the hull of what the branches see. See Araujo, Norris & Sim,
"Computing Receptive Fields of Convolutional Neural Networks", Distill 2019, equations 1–4.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

Pair = tuple[int, int]

# Cell (i, j) of the output depends on cell (i, j) of each input, and on nothing beside it.
_POINTWISE = {
    *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "BatchNormalization"),
    *("Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout"),
    *("Rescaling", "Normalization", "LayerNormalization", "Identity", "ActivityRegularization"),
    *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dense"),
    *("Relu", "Relu6", "Silu", "Gelu", "Sigmoid", "HardSigmoid", "Tanh", "Divide", "Cast"),
    "TrueDivide",
}


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
    """What one cell sees, per axis `(rows, columns)`, in pixels of the model's input.

    Cell `(i, j)` sees the rows from `start[0] + i * stride[0]`, `size[0]` of them, and the columns
    likewise. Parts beyond the picture are padding. A cell that sees the whole picture wherever it
    lies has `stride == (0, 0)`.

    Attributes:
        size: Extent.
        stride: Step between the fields of neighbouring cells.
        start: Where the field of cell `(0, 0)` begins; negative where padding comes first.
    """

    size: Pair
    stride: Pair
    start: Pair


@dataclasses.dataclass(frozen=True)
class _Axis:
    """A receptive field along one axis."""

    size: int
    stride: int
    start: int


def see(
    operation: Any,
    taken: Sequence[tuple[ReceptiveField | None, Sequence[int | None]]],
    shape: Sequence[int | None],
    image: Sequence[int | None],
) -> ReceptiveField | None:
    """The receptive field of the output of `operation`.

    Args:
        operation: A Keras layer or operation.
        taken: Field and shape (without the batch) of each of its inputs.
        shape: Shape of its output, without the batch.
        image: Height and width of the model's input, in pixels.

    Returns:
        The field, or `None` where this kind of operation is not known: no number is better than a
        wrong one.
    """
    if not taken or any(field is None for field, _ in taken):
        return None
    axes = []
    for axis in (0, 1):
        inputs = [
            (_Axis(f.size[axis], f.stride[axis], f.start[axis]), s[axis] if len(s) == 3 else 1)
            for f, s in taken
            if f is not None
        ]
        whole = _Axis(image[axis] or 0, 0, 0)
        seen = _see_axis(operation, axis, inputs, shape, whole)
        if seen is None:
            return None
        axes.append(seen)
    rows, columns = axes
    return ReceptiveField(
        (rows.size, columns.size), (rows.stride, columns.stride), (rows.start, columns.start)
    )


def _see_axis(
    operation: Any,
    axis: int,
    inputs: list[tuple[_Axis, int | None]],
    shape: Sequence[int | None],
    whole: _Axis,
) -> _Axis | None:
    kind = type(operation).__name__
    field, extent = inputs[0]
    if window := _window(operation, axis):
        kernel, stride, same = window
        start = field.start
        if same:
            start -= _same_padding(extent, kernel, stride) * field.stride
        return _Axis(field.size + (kernel - 1) * field.stride, field.stride * stride, start)
    if kind == "ZeroPadding2D":
        return dataclasses.replace(
            field, start=field.start - operation.padding[axis][0] * field.stride
        )
    if kind == "Cropping2D":
        return dataclasses.replace(
            field, start=field.start + operation.cropping[axis][0] * field.stride
        )
    if kind.startswith("Global") or kind == "Flatten":
        return whole
    if kind == "Reshape":
        # Only a vector stays what it was: its one cell already sees everything it will ever see.
        return field if field.stride == 0 else None
    if kind == "GetItem":
        # A slice of channels, as in RGB to BGR, leaves the cells where they are.
        return field if len(shape) == 3 and shape[axis] == extent else None
    if kind in _POINTWISE and _along_channels(operation, shape):
        return _hull([f for f, _ in inputs], whole)
    return None


def _hull(fields: list[_Axis], whole: _Axis) -> _Axis | None:
    if any(f.stride == 0 for f in fields):
        return whole
    if len({f.stride for f in fields}) > 1:
        return None
    start = min(f.start for f in fields)
    end = max(f.start + f.size for f in fields)
    return _Axis(end - start, fields[0].stride, start)


def _window(operation: Any, axis: int) -> tuple[int, int, bool] | None:
    """Extent (with dilation), stride, and whether padding is "same", of a sliding window."""
    kind = type(operation).__name__
    if kind in ("Conv2D", "DepthwiseConv2D", "SeparableConv2D"):
        kernel, dilation = operation.kernel_size[axis], operation.dilation_rate[axis]
        kernel = (kernel - 1) * dilation + 1
    elif kind in ("MaxPooling2D", "AveragePooling2D"):
        kernel = operation.pool_size[axis]
    else:
        return None
    return kernel, operation.strides[axis], operation.padding == "same"


def _same_padding(extent: int | None, kernel: int, stride: int) -> int:
    """Cells of "same" padding before the first: TensorFlow puts the odd one behind the last."""
    rest = (extent or stride) % stride
    return max(kernel - (rest or stride), 0) // 2


def _along_channels(operation: Any, shape: Sequence[int | None]) -> bool:
    """Whether an operation that works along an axis, as Concatenate, takes that of the channels."""
    axes = getattr(operation, "axis", None)
    if axes is None:
        return True
    axes = axes if isinstance(axes, (list, tuple)) else [axes]
    return all(axis in (-1, len(shape)) for axis in axes)
