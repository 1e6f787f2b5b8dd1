"""Shows the activations of one layer: one channel, or all of them."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from ._base import ORDERS, clamp_cursor, clamp_index, module
from ._coloured import Coloured

_MOST_PINS = 6


class ActivationMap(Coloured):
    """One channel of a layer as a picture, or all its channels as a contact sheet.

    Colours are honest: the legend shows the numbers at the two ends of the colormap, cells outside
    them are marked with a corner, cells that are NaN or infinite with a sign and a colour that is
    on no colormap, and a channel that is constant says so. A layer that gives a vector shows as
    bars. Values read from the picture are within 1/504 of the channel's range.

    Attributes:
        store: The `FrameStore` to read from.
        photo: Key of the photo, as the source of the store knows it.
        layer: Path of the layer; `""` for none.
        channel: Index of the channel; one too large shows the last.
        mode: `"single"` or `"grid"`, all channels. Defaults to `"single"`.
        order: Of the channels in the grid, `"index"`, or the greatest first by `"strength"` (mean),
            `"maximum"`, `"variance"`, `"zeros"` (share of them), or `"similarity"` (correlation
            with channel `reference`, cell by cell). Defaults to `"index"`.
        reference: Channel that similarity is measured to; -1 for the one
            shown when it is asked for.
        zoom: How much larger than fitted the tiles of the grid are, 0.5…16. Defaults to 1.
        hide: Whether the grid, and the bars of pinned cells, leave out channels that are dead,
            constant, saturated (at their maximum in half of the cells or more) or not finite.
            Defaults to `False`.
        blend: What the ends of the colormap stand for: 0 for the range of each channel, 1 for the
            range of the layer, between them a mixture. Defaults to 0.
        symmetric: Whether that range is made symmetric around 0. Defaults to `False`.
        clip: Percent of the cells, 0…25, that are cut off at each end of the range, and marked.
            Defaults to 0.
        limits: `[low, high]` to use instead, so that maps can be compared; `[]` for none.
        colormap: `"viridis"`, `"magma"`, `"inferno"`, `"cividis"`, `"gray"`, `"coolwarm"`, or
            `"auto"`: viridis, and coolwarm where the range is symmetric. Defaults to `"auto"`.
        cursor: `[x0, y0, x1, y1]`, the cell under the pointer in 0…1 of the picture; `[]` for none.
        region: `[x0, y0, x1, y1]` in 0…1 of the picture, a box drawn with the pointer, or with
            Shift and the arrow keys; `[]` for none.
        outline: `[x0, y0, x1, y1]`, cells to frame with a dashed line; `[]` for none.
        pins: Cells that are pinned, each as `cursor`, 6 at most; a click or Enter adds one or takes
            it away. The numbers of all channels at each are shown as bars.
        values: Whether histogram, legend and controls are drawn with the map. Defaults to `True`.
        labels: Names of the entries of a vector, such as class names.

    Example:
        ```python
        store = FrameStore(lambda photo, layer: Frame.from_activation(arrays[layer]))
        ActivationMap(store=store, layer="conv1_relu", channel=3)
        ```
    """

    _esm = module("activation_map.js")

    # A container may have set these in the page already: an echo of an older value would undo that.
    store = anywidget.WidgetTrait().tag(sync=True)
    photo = traitlets.Unicode("").tag(sync=True, echo_update=False)
    layer = traitlets.Unicode("").tag(sync=True, echo_update=False)
    channel = traitlets.Int(0).tag(sync=True, echo_update=False)
    mode = traitlets.Enum(["single", "grid"], default_value="single").tag(sync=True)
    order = traitlets.Enum(ORDERS, default_value="index").tag(sync=True, echo_update=False)
    reference = traitlets.Int(-1).tag(sync=True, echo_update=False)
    zoom = traitlets.Float(1.0).tag(sync=True, echo_update=False)
    hide = traitlets.Bool(False).tag(sync=True, echo_update=False)
    cursor = traitlets.List(traitlets.Float()).tag(sync=True, echo_update=False)
    region = traitlets.List(traitlets.Float()).tag(sync=True, echo_update=False)
    outline = traitlets.List(traitlets.Float()).tag(sync=True, echo_update=False)
    pins = traitlets.List(traitlets.List()).tag(sync=True, echo_update=False)
    values = traitlets.Bool(True).tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, **kwargs: Any) -> None:
        # Alone in a cell a square as wide as the page would not fit on the screen.
        if kwargs.get("mode") != "grid":
            kwargs.setdefault("layout", {"max_width": "720px"})
        super().__init__(**kwargs)

    @traitlets.validate("pins")
    def _clamp_pins(self, proposal: dict[str, Any]) -> list[list[float]]:
        pins = [pin for pin in map(clamp_cursor, proposal["value"]) if pin]
        return [pin for i, pin in enumerate(pins) if pin not in pins[:i]][-_MOST_PINS:]

    @traitlets.validate("zoom")
    def _clamp_zoom(self, proposal: dict[str, Any]) -> float:
        return min(16.0, max(0.5, proposal["value"]))

    @traitlets.validate("reference")
    def _clamp_reference(self, proposal: dict[str, Any]) -> int:
        return max(-1, proposal["value"])

    @traitlets.validate("channel")
    def _clamp_channel(self, proposal: dict[str, Any]) -> int:
        return clamp_index(proposal["value"])

    @traitlets.validate("cursor", "region", "outline")
    def _clamp_box(self, proposal: dict[str, Any]) -> list[float]:
        return clamp_cursor(proposal["value"])
