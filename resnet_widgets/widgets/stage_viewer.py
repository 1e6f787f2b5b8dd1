"""Several layers side by side, each with its own channel, under one cursor."""

from __future__ import annotations

import reprlib
from typing import Any

import anywidget
import traitlets

from ._base import LONGEST_NAME, WidgetList, clamp_cursor, clamp_index, module
from ._coloured import COLOURS, Coloured
from .activation_map import ActivationMap
from .channel_slider import ChannelSlider

_MOST_COLUMNS = 12

# What all columns have from the viewer, as in `stage_viewer.js`.
_FOR_ALL = ("photo", *COLOURS, "cursor", "region")


class StageViewer(Coloured):
    """Columns of an `ActivationMap` and a small `ChannelSlider`, one a layer.

    Columns can be added, moved and removed in the page, 12 at most; one layer can have several.

    The warm square is the same part of the photo in every column. Where a map has smaller cells it
    covers a block of them, and the number under the map is their mean.

    What a column shows follows the traits of the viewer: set them here, not in `maps` or `sliders`.

    Attributes:
        store: The `FrameStore` to read from.
        photo: Key of the photo, as the source of the store knows it.
        layers: Paths of the layers, from left to right.
        channels: Index of the channel in each column.
        blend: As in `ActivationMap`, for all columns.
        symmetric: As in `ActivationMap`, for all columns.
        clip: As in `ActivationMap`, for all columns.
        limits: As in `ActivationMap`, for all columns.
        colormap: As in `ActivationMap`, for all columns.
        cursor: `[x0, y0, x1, y1]`, the cell under the pointer in 0…1 of the picture; `[]` for none.
        region: As in `ActivationMap`, for all columns.
        outlines: `outline` of the map in each column.
        selected: Path of the layer whose name was clicked last, and which a new column shows; `""`
            for none.
        channel: Index of the channel that goes with `selected`.
        maps: The `ActivationMap` of each column.
        sliders: The `ChannelSlider` of each column.

    Example:
        ```python
        StageViewer(store=store, photo="cat", layers=["conv2_block3_out", "conv5_block3_out"])
        ```
    """

    _esm = module("stage_viewer.js")

    store = anywidget.WidgetTrait().tag(sync=True)
    photo = traitlets.Unicode("").tag(sync=True)
    layers = traitlets.List(traitlets.Unicode()).tag(sync=True)
    channels = traitlets.List(traitlets.Int()).tag(sync=True)
    cursor = traitlets.List(traitlets.Float()).tag(sync=True, echo_update=False)
    region = traitlets.List(traitlets.Float()).tag(sync=True, echo_update=False)
    outlines: traitlets.List[Any] = traitlets.List().tag(sync=True, echo_update=False)
    # Echoes of what a container has set anew since would undo that.
    selected = traitlets.Unicode("").tag(sync=True, echo_update=False)
    channel = traitlets.Int(0).tag(sync=True, echo_update=False)
    maps = WidgetList()
    sliders = WidgetList()

    def _shows(self) -> str:
        return ", ".join(self.layers)

    def accepts(self, name: str, value: Any) -> bool:
        """Columns cost two widgets each, so a page gets no more than there is room for."""
        if name == "layers" and not _are_layers(value):
            return False
        if name == "channels" and not _are_channels(value):
            return False
        return super().accepts(name, value)

    @traitlets.validate("layers")
    def _check_layers(self, proposal: dict[str, Any]) -> list[str]:
        layers = proposal["value"]
        if not _are_layers(layers):
            lengths = f"{len(layers)} paths, the longest of {max(map(len, layers))} letters"
            raise traitlets.TraitError(
                f"Expected `layers` to be at most {_MOST_COLUMNS} paths of at most {LONGEST_NAME} "
                f"letters. Received: {lengths}: {reprlib.repr(layers)}"
            )
        return layers

    @traitlets.validate("outlines")
    def _clamp_outlines(self, proposal: dict[str, Any]) -> list[list[float]]:
        return [clamp_cursor(outline) for outline in proposal["value"][:_MOST_COLUMNS]]

    @traitlets.validate("channel")
    def _clamp_channel(self, proposal: dict[str, Any]) -> int:
        return clamp_index(proposal["value"])

    @traitlets.validate("channels")
    def _fit_channels(self, proposal: dict[str, Any]) -> list[int]:
        channels = [clamp_index(channel) for channel in proposal["value"]]
        return (channels + [0] * len(self.layers))[: len(self.layers)]

    @traitlets.validate("cursor", "region")
    def _clamp_box(self, proposal: dict[str, Any]) -> list[float]:
        return clamp_cursor(proposal["value"])

    @traitlets.observe("layers", "store")
    def _fit_columns(self, _change: Any) -> None:
        """One map and one slider a layer. Those there are stay, because each costs a comm."""
        count = len(self.layers) if self.store else 0
        surplus = [*self.maps[count:], *self.sliders[count:]]
        missing = range(len(self.maps), count)
        with self.hold_sync():
            self.maps = self.maps[:count] + [
                ActivationMap(store=self.store, values=False) for _ in missing
            ]
            self.sliders = self.sliders[:count] + [ChannelSlider(store=self.store) for _ in missing]
            self.channels = self.channels[: len(self.layers)]
        for child in surplus:
            child.close()

    @traitlets.observe("layers", "channels", "outlines", "sliders", *_FOR_ALL)
    def _mirror_in_columns(self, _change: Any) -> None:
        shared = {name: getattr(self, name) for name in _FOR_ALL}
        outlines = [*self.outlines, *[[] for _ in self.layers]]
        columns = zip(self.maps, self.sliders, self.layers, self.channels, outlines, strict=False)
        for shown, slider, layer, channel, outline in columns:
            shown.mirror(**shared, layer=layer, channel=channel, outline=outline)
            slider.mirror(photo=self.photo, layer=layer, value=channel)

    def close(self) -> None:
        """Closes the viewer and the widgets in its columns."""
        for child in (*self.maps, *self.sliders):
            child.close()
        super().close()


def _are_layers(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= _MOST_COLUMNS
        and all(isinstance(path, str) and len(path) <= LONGEST_NAME for path in value)
    )


def _are_channels(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= _MOST_COLUMNS
        and all(type(channel) is int for channel in value)
    )
