"""The widgets that an explorer is made of, and what they share with it."""

from __future__ import annotations

from collections.abc import Iterable

from .widgets import (
    ActivationMap,
    ChannelSlider,
    ExplainPanel,
    FrameStore,
    ImagePicker,
    LayerTree,
    StageViewer,
)
from .widgets._base import Widget

# What the explorer gives to its parts, and what it is called there: as in `explorer.js`, where the
# page binds them.
BOUND = {
    "layer": {
        "tree": "selected",
        "map": "layer",
        "grid": "layer",
        "slider": "layer",
        "stages": "selected",
        "why": "layer",
    },
    "channel": {
        "map": "channel",
        "grid": "channel",
        "slider": "value",
        "stages": "channel",
        "why": "channel",
    },
    "cursor": dict.fromkeys(("map", "stages", "why"), "cursor"),
    "region": dict.fromkeys(("map", "stages", "why"), "region"),
}


def make_parts(store: FrameStore, why: ExplainPanel, samples: Iterable[str]) -> dict[str, Widget]:
    """All parts by their names, the store first, because the others read from it.

    Args:
        store: What they read from.
        why: The panel that asks why.
        samples: Names of the photos that can be picked from the start.
    """
    return {
        "store": store,
        "tree": LayerTree(),
        "map": ActivationMap(store=store, order="strength", values=False),
        "grid": ActivationMap(store=store, mode="grid", order="strength", values=False),
        "slider": ChannelSlider(store=store, order="strength"),
        "stages": StageViewer(store=store),
        "picker": ImagePicker(samples),
        "compare_picker": ImagePicker(samples),
        "why": why,
    }


def close_parts(parts: dict[str, Widget]) -> None:
    """Closes what `make_parts` made, the store last."""
    for part in reversed(parts.values()):
        part.close()
