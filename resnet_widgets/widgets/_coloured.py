"""What a widget that shows activations as colours has in common with the others."""

from __future__ import annotations

import math
from typing import Any

import traitlets

from ._base import Widget

COLORMAPS = ("auto", "viridis", "magma", "inferno", "cividis", "gray", "coolwarm")

# The traits of `Coloured`: what a bookmark keeps of the colours.
COLOURS = ("blend", "symmetric", "clip", "limits", "colormap")

_MOST_CLIPPED = 25.0


class Coloured(Widget):
    """The traits that say which numbers the colours stand for; see `ActivationMap`."""

    # A container may have set these in the page already: an echo of an older value would undo that.
    blend = traitlets.Float(0.0).tag(sync=True, echo_update=False)
    symmetric = traitlets.Bool(False).tag(sync=True, echo_update=False)
    clip = traitlets.Float(0.0).tag(sync=True, echo_update=False)
    limits = traitlets.List(traitlets.Float()).tag(sync=True, echo_update=False)
    colormap = traitlets.Enum(COLORMAPS, default_value="auto").tag(sync=True, echo_update=False)

    def accepts(self, name: str, value: Any) -> bool:
        """No limits that are no range, and no colormap that is none."""
        if name == "limits" and not _is_range(value):
            return False
        if name == "colormap" and value not in COLORMAPS:
            return False
        return super().accepts(name, value)

    @traitlets.validate("blend")
    def _clamp_blend(self, proposal: dict[str, Any]) -> float:
        return _clamp(proposal["value"], 1.0)

    @traitlets.validate("clip")
    def _clamp_clip(self, proposal: dict[str, Any]) -> float:
        return _clamp(proposal["value"], _MOST_CLIPPED)

    @traitlets.validate("limits")
    def _check_limits(self, proposal: dict[str, Any]) -> list[float]:
        limits = proposal["value"]
        if not _is_range(limits):
            raise traitlets.TraitError(
                "Expected `limits` to be [] or [low, high], two finite numbers with low < high. "
                f"Received: {limits}"
            )
        return limits


def _clamp(value: float, top: float) -> float:
    """`value` made one within 0…`top`; NaN is 0."""
    return min(top, max(0.0, value)) if value == value else 0.0


def _is_range(limits: Any) -> bool:
    if limits == []:
        return True
    numbers = isinstance(limits, list) and all(type(value) in (int, float) for value in limits)
    return bool(
        numbers and len(limits) == 2 and all(map(math.isfinite, limits)) and limits[0] < limits[1]
    )
