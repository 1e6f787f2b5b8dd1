"""The state of an explorer: its traits, what values they take, and which of them a page may set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from . import bookmarks
from .engine.edits import masks_of
from .engine.images import InputImage, load_image
from .explorer_parts import BOUND
from .widgets._base import Widget, clamp_cursor, clamp_index

if TYPE_CHECKING:
    from .engine.activations import ActivationCache

_PAGE_MAY_SET = frozenset(
    {"layer", "channel", "cursor", "pixel", "region", "overlay", "whole", "bookmarks", "error"}
    | {"help_open", "_view_count"}
)


class ExplorerState(Widget):
    """What an `Explorer` shares with its page and with those who observe it; described there."""

    image = traitlets.Any(None, allow_none=True)
    compare = traitlets.Any(None, allow_none=True)
    edits: traitlets.List[Any] = traitlets.List()

    layer = traitlets.Unicode("").tag(sync=True)
    channel = traitlets.Int(0).tag(sync=True)
    cursor = traitlets.List(traitlets.Float()).tag(sync=True, echo_update=False)
    pixel = traitlets.List(traitlets.Int()).tag(sync=True, echo_update=False)
    region = traitlets.List(traitlets.Float()).tag(sync=True, echo_update=False)
    overlay = traitlets.Float(0.0).tag(sync=True, echo_update=False)
    whole = traitlets.Bool(False).tag(sync=True, echo_update=False)
    help_open = traitlets.Bool(False).tag(sync=True, echo_update=False)
    bookmarks: traitlets.List[Any] = traitlets.List().tag(sync=True)

    photo = traitlets.Unicode("").tag(sync=True)
    picture = traitlets.Dict().tag(sync=True)
    compare_photo = traitlets.Unicode("").tag(sync=True)
    compare_picture = traitlets.Dict().tag(sync=True)
    predictions: traitlets.List[Any] = traitlets.List().tag(sync=True)
    about = traitlets.Dict().tag(sync=True)
    memory = traitlets.Dict().tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)
    progress = traitlets.Float(-1.0).tag(sync=True)
    stopped = traitlets.Bool(False).tag(sync=True)

    store = anywidget.WidgetTrait().tag(sync=True)
    tree = anywidget.WidgetTrait().tag(sync=True)
    map = anywidget.WidgetTrait().tag(sync=True)
    grid = anywidget.WidgetTrait().tag(sync=True)
    slider = anywidget.WidgetTrait().tag(sync=True)
    stages = anywidget.WidgetTrait().tag(sync=True)
    picker = anywidget.WidgetTrait().tag(sync=True)
    compare_picker = anywidget.WidgetTrait().tag(sync=True)
    why = anywidget.WidgetTrait().tag(sync=True)

    cache: ActivationCache | None = None

    def accepts(self, name: str, value: Any) -> bool:
        """What a hand can set; a layer must be one that exists, a bookmark one that is whole."""
        if name == "layer" and not self.is_layer(value):
            return False
        if name == "bookmarks":
            try:
                bookmarks.check_bookmarks(value)
            except ValueError:
                return False
        return name in _PAGE_MAY_SET and super().accepts(name, value)

    def is_layer(self, path: Any) -> bool:
        """Whether `layer` can be this: a layer of the model, or none."""
        rows = self.cache.layers if self.cache else ()
        return path == "" or any(row.path == path for row in rows)

    @traitlets.observe(*BOUND, "photo")
    def _mirror_in_parts(self, change: Any) -> None:
        # With the first photo the tree has the layers that a layer was chosen from.
        name = change["name"] if change["name"] in BOUND else "layer"
        for part, trait in BOUND[name].items():
            if getattr(self, part) is not None:
                getattr(self, part).mirror(**{trait: getattr(self, name)})

    @traitlets.validate("image", "compare")
    def _load(self, proposal: dict[str, Any]) -> InputImage | None:
        image = proposal["value"]
        if image is None:
            return None
        return load_image(image, self.cache.input_size) if self.cache else load_image(image)

    @traitlets.validate("edits")
    def _check_edits(self, proposal: dict[str, Any]) -> list[Any]:
        edits = list(proposal["value"])
        if self.cache is not None:
            masks_of(edits, self.cache.graph)
        return edits

    @traitlets.validate("layer")
    def _check_layer(self, proposal: dict[str, Any]) -> str:
        path = proposal["value"]
        if self.cache is not None and path:
            self.cache.graph.find(path)
        return path

    @traitlets.validate("channel")
    def _clamp_channel(self, proposal: dict[str, Any]) -> int:
        count = None
        if self.cache is not None and self.layer:
            count = self.cache.graph.find(self.layer).shape[-1]
        return clamp_index(proposal["value"], count)

    @traitlets.validate("cursor", "region")
    def _clamp_box(self, proposal: dict[str, Any]) -> list[float]:
        return clamp_cursor(proposal["value"])

    @traitlets.validate("pixel")
    def _clamp_pixel(self, proposal: dict[str, Any]) -> list[int]:
        pixel = proposal["value"]
        if len(pixel) != 2 or self.cache is None:
            return []
        height, width = self.cache.input_size
        return [clamp_index(pixel[0], width), clamp_index(pixel[1], height)]

    @traitlets.validate("overlay")
    def _clamp_overlay(self, proposal: dict[str, Any]) -> float:
        value = proposal["value"]
        return min(1.0, max(0.0, value)) if value == value else 0.0

    @traitlets.validate("bookmarks")
    def _check_bookmarks(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        return bookmarks.check_bookmarks(proposal["value"])
