"""Asks why: edits, class activation maps, attribution, residual blocks, made by a function."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

import anywidget
import traitlets

from ._base import LONGEST_NAME, Widget, WidgetList, clamp_cursor, clamp_index, message_of, module
from .activation_map import ActivationMap

_LARGEST_ID = 2**53
_LONGEST_VIEW = 64
# What a page may hand over: some names and numbers, and never more edits than a person makes, of
# no more channels in all (they go there and back with each step of a scale).
_MOST_OPTIONS = 16
_MOST_EDITS = 64
_MOST_CHANNELS = 8192

Answer = tuple[dict[str, Any], list[bytes]]
Say = Callable[[float | None, str, list[bytes]], None]


class ExplainPanel(Widget):
    """Why the network says what it says: knobs to turn, and what its answer is made of.

    It draws; what it shows is asked of `source`, and nothing of that is a trait.

    Args:
        source: Function of `(what, options, say, view)`: a name such as `"cam"`, a `dict`, a
            function `say(share, text, buffers)` that shows progress, and the name of the view that
            asks: one panel can be drawn in several places. Returns a `concurrent.futures.Future` of
            a JSON `dict` and a list of buffers. What it raises is shown.
        cancel: Function of `(what, view)`: what to stop, and who had asked for it.

    Attributes:
        store: The `FrameStore` that maps are read from.
        photo, layer, channel, cursor: What is looked at, as in `ActivationMap`.
        target: Index of the class to explain; -1 for the most probable one.
        edits: What is changed in the network, as `Edit.to_dict` gives it.
        region: `[x0, y0, x1, y1]` in 0…1 of the map, what "Erase" erases; `[]` for none.
        live: Whether there is a kernel that answers; without one there is no panel.
        opened: Whether it is unfolded.
        section: Name of the section in front.
        size: Height and width of the model's input, in pixels; `[]` until it is known.
        labelled: What labelled photos there are to read blocks with, in words; `""` for none.
        maps: Four `ActivationMap` widgets, for a residual block.
    """

    _esm = module("explain_panel.js")

    store = anywidget.WidgetTrait().tag(sync=True)
    photo = traitlets.Unicode("").tag(sync=True, echo_update=False)
    layer = traitlets.Unicode("").tag(sync=True, echo_update=False)
    channel = traitlets.Int(0).tag(sync=True, echo_update=False)
    cursor = traitlets.List(traitlets.Float()).tag(sync=True, echo_update=False)
    region = traitlets.List(traitlets.Float()).tag(sync=True, echo_update=False)
    live = traitlets.Bool(True).tag(sync=True)
    target = traitlets.Int(-1).tag(sync=True)
    edits: traitlets.List[Any] = traitlets.List().tag(sync=True)
    opened = traitlets.Bool(False).tag(sync=True)
    section = traitlets.Unicode("knobs").tag(sync=True)
    size = traitlets.List(traitlets.Int()).tag(sync=True)
    labelled = traitlets.Unicode("").tag(sync=True)
    maps = WidgetList()

    def __init__(
        self,
        source: Callable[[str, dict[str, Any], Say, str], Future[Answer]],
        cancel: Callable[[str, str], None] | None = None,
        **kwargs: Any,
    ) -> None:
        self._source = source
        self._cancel = cancel or (lambda what, view: None)
        super().__init__(**kwargs)
        self.on_msg(self._receive)

    @traitlets.validate("channel")
    def _clamp_channel(self, proposal: dict[str, Any]) -> int:
        return clamp_index(proposal["value"])

    @traitlets.validate("cursor", "region")
    def _clamp_cursor(self, proposal: dict[str, Any]) -> list[float]:
        return clamp_cursor(proposal["value"])

    @traitlets.validate("target")
    def _clamp_target(self, proposal: dict[str, Any]) -> int:
        return max(-1, proposal["value"])

    def accepts(self, name: str, value: Any) -> bool:
        """A page gets no more edits than a person makes, each a `dict`; photos come from Python."""
        if name in ("labelled", "size"):
            return False
        if name == "edits":
            return _are_edits(value) and self._has_room_for(value)
        return super().accepts(name, value)

    def _has_room_for(self, edits: list[dict[str, Any]]) -> bool:
        """Whether these are few enough; if not, the page says so."""
        lists = [edit["channels"] for edit in edits if isinstance(edit.get("channels"), list)]
        channels = sum(map(len, lists))
        if len(edits) <= _MOST_EDITS and channels <= _MOST_CHANNELS:
            return True
        self.report(
            ValueError(
                f"`edits` must be at most {_MOST_EDITS} edits of {_MOST_CHANNELS} channels in all. "
                f"Received: {len(edits)} edits of {channels} channels"
            )
        )
        return False

    @traitlets.observe("opened", "store")
    def _make_maps(self, _change: Any) -> None:
        """Maps cost a comm each, so there are none until somebody looks."""
        if self.opened and self.store and not self.maps:
            self.maps = [ActivationMap(store=self.store, values=False) for _ in range(4)]

    def close(self) -> None:
        """Closes the panel and the maps in it."""
        for child in self.maps:
            child.close()
        super().close()

    # -- questions and answers ---------------------------------------------------------------------

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "cancel" and isinstance(content.get("what"), str) and _is_view(content):
            self._cancel(content["what"], content["view"])
        elif kind == "ask" and _is_question(content):
            self._ask(*(content[name] for name in ("id", "what", "options", "view")))

    def _ask(self, number: int, what: str, options: dict[str, Any], view: str) -> None:
        about = {"id": number, "what": what}

        def say(share: float | None, text: str, buffers: list[bytes]) -> None:
            self.send({**about, "kind": "progress", "share": share, "text": text}, buffers)

        def answer(done: Future[Answer]) -> None:
            try:
                data, buffers = done.result()
            except BaseException as error:
                refuse(error)
            else:
                self.send({**about, "kind": "answer", "data": data}, buffers)

        def refuse(error: BaseException) -> None:
            cancelled = isinstance(error, CancelledError)
            if not cancelled:
                self.last_error = error
            message = "Cancelled." if cancelled else message_of(error)
            self.send({**about, "kind": "trouble", "cancelled": cancelled, "message": message})

        try:
            self._source(what, options, say, view).add_done_callback(answer)
        except Exception as error:
            refuse(error)


def _are_edits(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(edit, dict) for edit in value)


def _is_question(content: dict[str, Any]) -> bool:
    """Whether `content` is well formed; a page can send anything."""
    number, what, options = (content.get(name) for name in ("id", "what", "options"))
    return (
        type(number) is int
        and 0 <= number < _LARGEST_ID
        and isinstance(what, str)
        and _is_view(content)
        and isinstance(options, dict)
        and len(options) <= _MOST_OPTIONS
        and all(_is_small(value) for value in options.values())
    )


def _is_view(content: dict[str, Any]) -> bool:
    """Whether `content` says which view of the panel it is from."""
    view = content.get("view")
    return isinstance(view, str) and len(view) <= _LONGEST_VIEW


def _is_small(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_NAME
    if isinstance(value, list):
        return len(value) <= 4 and all(isinstance(v, (int, float)) for v in value)
    return value is None or isinstance(value, (bool, int, float))
