"""Picks a channel; the bars behind the thumb are the channels' strengths."""

from __future__ import annotations

from typing import Any

import anywidget
import ipywidgets
import traitlets

from ._base import ORDERS, Widget, clamp_index, module

_SLOWEST, _FASTEST = 0.1, 60.0


class ChannelSlider(Widget, ipywidgets.ValueWidget):
    """A slider over the channels of a layer that is at the same time their bar chart.

    With a `store` it shows the strength (mean activation) of each channel of `layer`. Alone it is a
    slider over `count` channels. Either way it goes where any `ipywidgets` slider goes: `observe`,
    `jslink`, `interact`.

    Attributes:
        store: The `FrameStore` to read from, or `None`.
        photo: Key of the photo, as the source of the store knows it.
        layer: Path of the layer; `""` for none.
        count: Number of channels where there is no store. Defaults to 0.
        value: Index of the channel, whatever the order. Where another layer has fewer channels it
            becomes the strongest of them.
        order: Of the channels along the slider, as in `ActivationMap`. Defaults to `"index"`.
        reference: Channel that similarity is measured to; -1 for the one
            shown when it is asked for.
        hide: Whether channels that are dead, constant, saturated or not finite are left out, as in
            `ActivationMap`; the one shown stays. Defaults to `False`.
        playing: Whether it is walking through the channels; stops at the last one.
        speed: Channels a second while playing, 0.1…60, but no more than 2 where the system asks for
            reduced motion. Defaults to 8.
        description: What is read out as its name. Defaults to `""`, "Channel".

    Example:
        ```python
        interact(plot, channel=ChannelSlider(count=64))
        ```
    """

    _esm = module("channel_slider.js")

    store = anywidget.WidgetTrait().tag(sync=True)
    photo = traitlets.Unicode("").tag(sync=True, echo_update=False)
    layer = traitlets.Unicode("").tag(sync=True, echo_update=False)
    count = traitlets.Int(0).tag(sync=True)
    value = traitlets.Int(0).tag(sync=True, echo_update=False)
    order = traitlets.Enum(ORDERS, default_value="index").tag(sync=True, echo_update=False)
    reference = traitlets.Int(-1).tag(sync=True, echo_update=False)
    hide = traitlets.Bool(False).tag(sync=True, echo_update=False)
    playing = traitlets.Bool(False).tag(sync=True)
    speed = traitlets.Float(8.0).tag(sync=True)
    description = traitlets.Unicode("").tag(sync=True)

    @traitlets.validate("value")
    def _clamp_value(self, proposal: dict[str, Any]) -> int:
        # With a store only the page knows how many channels the layer has, and clamps.
        return clamp_index(proposal["value"], None if self.store else self.count)

    @traitlets.observe("count")
    def _follow_count(self, _change: Any) -> None:
        self.value = clamp_index(self.value, None if self.store else self.count)

    @traitlets.validate("reference")
    def _clamp_reference(self, proposal: dict[str, Any]) -> int:
        return max(-1, proposal["value"])

    @traitlets.validate("count")
    def _clamp_count(self, proposal: dict[str, Any]) -> int:
        return max(0, proposal["value"])

    @traitlets.validate("speed")
    def _clamp_speed(self, proposal: dict[str, Any]) -> float:
        return min(_FASTEST, max(_SLOWEST, proposal["value"]))
