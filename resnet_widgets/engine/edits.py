"""Edits of activations: mute, solo, scale, erase; and what a network makes of them.

Every edit is a product of one activation and a mask, so edits can be listed, combined, undone and
written down, and a batch of them is a batch of masks.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from .activations import ActivationCache
    from .classes import ClassScore
    from .graph import LayerGraph
    from .images import InputImage

Box = tuple[float, float, float, float]

# As many names as still can be read in one line.
_NAMED = 4


@dataclasses.dataclass(frozen=True)
class Edit:
    """One change to the output of one layer. See `Mute`, `Solo`, `Scale`, `Erase`.

    Attributes:
        layer: Path of the layer.
    """

    layer: str
    kind: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """What it does, for people."""
        raise NotImplementedError

    def mask(self, shape: Sequence[int | None]) -> np.ndarray:
        """What the output is multiplied with.

        Args:
            shape: Of the layer's output, without the batch.

        Returns:
            A float32 array of as many axes as `shape`, each as long as that of `shape` or 1.

        Raises:
            ValueError: If the layer has no such channel, or no such region.
        """
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """This edit as JSON: `edit_from_dict` makes it again."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        as_lists = {n: list(v) if isinstance(v, tuple) else v for n, v in values.items()}
        return {"kind": self.kind, **as_lists}


@dataclasses.dataclass(frozen=True)
class _ChannelEdit(Edit):
    channels: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", _indices(self.channels))
        if not self.channels:
            raise ValueError(
                "`channels` must name at least one channel: an index or a list of them. "
                f"Received: channels={self.channels!r}"
            )

    def _factors(self, shape: Sequence[int | None], inside: float, outside: float) -> np.ndarray:
        return _channel_mask(self.layer, shape, self.channels, inside, outside)


class Mute(_ChannelEdit):
    """Sets some channels of a layer to zero.

    Args:
        layer: Path of the layer.
        channels: Index of a channel, or several.
    """

    kind = "mute"

    @property
    def name(self) -> str:
        return f"mute {_list_of(self.channels)} of {self.layer}"

    def mask(self, shape: Sequence[int | None]) -> np.ndarray:
        return self._factors(shape, 0, 1)


class Solo(_ChannelEdit):
    """Sets all channels of a layer to zero but some.

    Args:
        layer: Path of the layer.
        channels: Index of a channel, or several.
    """

    kind = "solo"

    @property
    def name(self) -> str:
        return f"only {_list_of(self.channels)} of {self.layer}"

    def mask(self, shape: Sequence[int | None]) -> np.ndarray:
        return self._factors(shape, 1, 0)


@dataclasses.dataclass(frozen=True)
class Scale(_ChannelEdit):
    """Multiplies some channels of a layer.

    Args:
        layer: Path of the layer.
        channels: Index of a channel, or several.
        factor: 0 mutes them, 1 changes nothing, -1 turns them around.
    """

    factor: float
    kind = "scale"

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            factor = float(self.factor)
        except (TypeError, ValueError, OverflowError):
            factor = math.nan
        if not abs(factor) <= float(np.finfo(np.float32).max):
            raise ValueError(
                "`factor` must be a number that is finite in float32. "
                f"Received: factor={self.factor!r}"
            )
        object.__setattr__(self, "factor", factor)

    @property
    def name(self) -> str:
        return f"{_list_of(self.channels)} × {self.factor:g} of {self.layer}"

    def mask(self, shape: Sequence[int | None]) -> np.ndarray:
        return self._factors(shape, self.factor, 1)


@dataclasses.dataclass(frozen=True)
class Erase(Edit):
    """Sets a region of a layer's map to zero, in all channels or in some.

    Args:
        layer: Path of the layer. In the input, zero is what the model's preprocessing makes of the
            mean colour (ResNet50), or of black.
        box: `(x0, y0, x1, y1)`, left, top, right and bottom from 0 to 1 of the map, as the cursor
            of the widgets has it. Every cell it touches is erased.
        channels: Index of a channel, or several. Defaults to `()`, all.
    """

    box: Box
    channels: tuple[int, ...] = ()
    kind = "erase"

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", _indices(self.channels))
        try:
            x0, y0, x1, y1 = (float(value) for value in self.box)
        except (TypeError, ValueError, OverflowError):
            x0 = y0 = x1 = y1 = math.nan
        if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
            raise ValueError(
                "`box` must be (x0, y0, x1, y1) with 0 ≤ x0 < x1 ≤ 1 and 0 ≤ y0 < y1 ≤ 1: a part "
                f"of the map. Received: box={self.box!r}"
            )
        object.__setattr__(self, "box", (x0, y0, x1, y1))

    @property
    def name(self) -> str:
        left, top, right, bottom = (round(100 * edge) for edge in self.box)
        where = f"{left}–{right} %, {top}–{bottom} %"
        what = f" in {_list_of(self.channels)}" if self.channels else ""
        return f"erase {where}{what} of {self.layer}"

    def mask(self, shape: Sequence[int | None]) -> np.ndarray:
        if len(shape) != 3 or None in shape[:2]:
            raise ValueError(
                f"Only a map of known height and width has a region: choose a layer before the "
                f"pooling. Received: layer={self.layer!r} of shape {tuple(shape)}"
            )
        height, width = int(shape[0] or 0), int(shape[1] or 0)
        x0, y0, x1, y1 = self.box
        slack = 1e-6  # a cell edge such as 3/7 does not survive a product exactly
        columns = slice(math.floor(x0 * width + slack), math.ceil(x1 * width - slack))
        rows = slice(math.floor(y0 * height + slack), math.ceil(y1 * height - slack))
        erased = np.zeros((height, width, 1), np.float32)
        erased[rows, columns] = 1
        if not self.channels:
            return 1 - erased
        return 1 - erased * _channel_mask(self.layer, shape, self.channels, 1, 0)


_KINDS: dict[str, type[Edit]] = {kind.kind: kind for kind in (Mute, Solo, Scale, Erase)}


def edit_from_dict(data: Mapping[str, Any]) -> Edit:
    """Makes an edit again from what its `to_dict` gave.

    Raises:
        ValueError: If `data` is something else.
    """
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(
            f"`data` must be what `Edit.to_dict` returns, with a kind of {sorted(_KINDS)}. "
            f"Received: {data!r}"
        )
    values = {name: value for name, value in data.items() if name != "kind"}
    if not isinstance(values.get("layer"), str):
        raise ValueError(
            f"`data` does not describe a {kind!r} edit: `layer` must be the path of a layer. "
            f"Received: {data!r}"
        )
    try:
        return _KINDS[kind](**values)
    except TypeError as error:
        raise ValueError(
            f"`data` does not describe a {kind!r} edit: {error}. Received: {data!r}"
        ) from None


def masks_of(edits: Iterable[Edit], graph: LayerGraph) -> dict[str, np.ndarray]:
    """What to multiply the output of which layer with; edits of one layer are multiplied.

    Raises:
        ValueError: If an edit does not fit the model.
    """
    masks: dict[str, np.ndarray] = {}
    for edit in edits:
        if not isinstance(edit, Edit):
            raise ValueError(
                "`edits` must be a list of edits: Mute, Solo, Scale or Erase of "
                f"`resnet_widgets.explain`. Received: {edit!r}"
            )
        layer = graph.find(edit.layer)
        if layer.path == graph.output:
            raise ValueError(
                "Nothing runs after the model's output: edit a layer before it. "
                f"Received: layer={edit.layer!r}"
            )
        masks[layer.path] = masks.get(layer.path, np.float32(1)) * edit.mask(layer.shape)
    return masks


def key_of(edits: Sequence[Edit]) -> str:
    """A short text that is equal for equal edits, and for no others."""
    text = json.dumps([edit.to_dict() for edit in edits])
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:16]


class EditedRun:
    """A photo's way through a network some of whose activations were edited.

    What comes before the first edit is that of the photo itself; what comes after it is computed
    when asked for, and kept in the cache beside all else. `ActivationCache.run` makes it. All that
    takes a cache and a photo takes an `EditedRun` too.

    Attributes:
        edits: The edits, in the order they were made.
        image: The photo, an `InputImage`.
    """

    def __init__(self, cache: ActivationCache, image: InputImage, edits: tuple[Edit, ...]) -> None:
        self.cache = cache
        self.image = image
        self.edits = edits
        self.masks = masks_of(edits, cache.graph)

    def __repr__(self) -> str:
        return f"<EditedRun: {'; '.join(edit.name for edit in self.edits) or 'no edits'}>"

    @property
    def digest(self) -> str:
        """Equal for equal pictures with equal edits, as `InputImage.digest`."""
        return self.cache.key(self)

    @property
    def source(self) -> str:
        """Name of the photo, as `InputImage.source`."""
        return self.image.source

    def activation(self, layer: str) -> np.ndarray:
        """Output of one layer after the edits, as `ActivationCache.activation`."""
        return self.cache.activation(self, layer)

    def before(self, layer: str) -> np.ndarray:
        """Output of one layer without any edit."""
        return self.cache.activation(self.image, layer)

    def scores(self, top: int | None = 5) -> list[ClassScore]:
        """The most probable classes after the edits, as `ActivationCache.scores`."""
        return self.cache.scores(self, top)

    def scores_before(self, top: int | None = 5) -> list[ClassScore]:
        """The most probable classes without any edit."""
        return self.cache.scores(self.image, top)

    def with_edits(self, *edits: Edit) -> EditedRun:
        """This run with more edits, made after the others."""
        return self.cache.run(self.image, (*self.edits, *edits))

    def without(self, index: int = -1) -> EditedRun:
        """This run without one of its edits: by default without the last.

        Raises:
            IndexError: If there is no such edit.
        """
        kept = list(self.edits)
        del kept[index]
        return self.cache.run(self.image, kept)


def muted_channels(image: Any, layer: str) -> tuple[int, ...]:
    """Indices of the channels of a layer that the edits of `image` set to zero in every place."""
    mask = image.masks.get(layer) if isinstance(image, EditedRun) else None
    if mask is None:
        return ()
    kept = np.any(mask, axis=tuple(range(mask.ndim - 1)))
    channels = image.cache.graph.find(layer).shape[-1:]
    return tuple(np.flatnonzero(np.broadcast_to(~kept, channels)).tolist())


def _indices(channels: Any) -> tuple[int, ...]:
    try:
        found = [channels] if np.ndim(channels) == 0 else list(channels)
        return tuple(sorted({operator.index(channel) for channel in found}))
    except TypeError:
        raise ValueError(
            "`channels` must be the index of a channel, or a list of such. "
            f"Received: channels={channels!r}"
        ) from None


def _channel_mask(
    layer: str,
    shape: Sequence[int | None],
    channels: tuple[int, ...],
    inside: float,
    outside: float,
) -> np.ndarray:
    count = int(shape[-1] or 0)
    if channels[0] < 0 or channels[-1] >= count:
        raise ValueError(
            f"{layer} has {count} channels, 0 to {count - 1}. Received: channels={channels}"
        )
    mask = np.full(count, outside, np.float32)
    mask[list(channels)] = inside
    return mask.reshape((1,) * (len(shape) - 1) + (count,))


def _list_of(channels: tuple[int, ...]) -> str:
    some = ", ".join(map(str, channels[:_NAMED]))
    more = f" and {len(channels) - _NAMED} more" if len(channels) > _NAMED else ""
    return f"{'channels' if len(channels) > 1 else 'channel'} {some}{more}"
