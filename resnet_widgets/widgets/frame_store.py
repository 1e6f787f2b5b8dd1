"""The page's half of the cache: answers the page when it wants a frame it does not have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import traitlets

from ..frame import Frame
from ._base import LONGEST_NAME, Widget, message_of, module

_LARGEST_ID = 2**53
# Columns of a StageViewer, pins, the large map and the footer, in one message.
_MOST_PARTS = 32


class FrameStore(Widget):
    """Where widgets get their frames from. It has no view.

    The page keeps the frames it has seen, within `page_bytes`, and asks for any other once. So ten
    widgets that show one layer cost one transfer, and a reloaded page refills itself.

    Args:
        source: Function of `(photo, layer)`, two strings, that returns a `Frame`, or a
            `concurrent.futures.Future` of one. What it raises is shown in the widgets that asked.
        exact: Function of `(photo, layer)` that returns the activation itself, `(H, W, C)`, or a
            `concurrent.futures.Future` of it. Then the page shows exact numbers of the cell that is
            pointed at, and all cells of a channel whose frame is reduced; without it, numbers from
            the bytes of a frame, marked ≈.
        page_bytes: Frames kept in the page, in bytes. Defaults to 64 MiB.

    Attributes:
        has_exact: Whether there is a function for exact numbers.
        page_bytes: As above. Frames on screen are kept even beyond it.
        last_error: What `source` raised last, or `None`.

    Example:
        ```python
        store = FrameStore(lambda photo, layer: Frame.from_activation(arrays[layer]))
        ActivationMap(store=store, layer="conv1_relu")
        ```
    """

    _esm = module("frame_store.js")
    _view_name = traitlets.Unicode(None, allow_none=True).tag(sync=True)  # type: ignore[assignment]

    has_exact = traitlets.Bool(False).tag(sync=True)
    page_bytes = traitlets.Int(64 * 2**20).tag(sync=True)

    def __init__(
        self,
        source: Callable[[str, str], Frame | Future[Frame]],
        *,
        exact: Callable[[str, str], Any] | None = None,
        page_bytes: int = 64 * 2**20,
    ) -> None:
        if not callable(source):
            raise TypeError(
                "Argument `source` must be a function of (photo, layer) that returns a Frame. "
                f"Received: {source!r}"
            )
        if exact is not None and not callable(exact):
            raise TypeError(
                "Argument `exact` must be a function of (photo, layer) that returns an array, or "
                f"None. Received: {exact!r}"
            )
        self._source = source
        self._exact = exact
        super().__init__(page_bytes=page_bytes, has_exact=exact is not None)
        self.on_msg(self._receive)

    @traitlets.validate("page_bytes")
    def _clamp_bytes(self, proposal: dict[str, Any]) -> int:
        return max(0, proposal["value"])

    def forget(self, photo: str | None = None) -> None:
        """Makes the pages drop frames, for instance because the model has changed.

        Widgets that show one of them ask for it again.

        Args:
            photo: Key of the photo whose frames to drop. Defaults to `None`, all photos.
        """
        self.send({"kind": "forget", "photo": photo})

    def accepts(self, name: str, value: Any) -> bool:
        """Whether there are exact numbers is for the kernel to say."""
        return name != "has_exact" and super().accepts(name, value)

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if _is_question(content):
            question = {name: content[name] for name in ("id", "photo", "layer")}
            self._reply(question, _frame_reply, *self._found(self._source, question))
        elif _are_parts(content) and self._exact is not None:
            name, _, answer = _PARTS[content["kind"]]
            # Parts of one layer are one look at it, however many they are.
            looks: dict[tuple[str, str], tuple[Any, Exception | None]] = {}
            for asked in content[content["kind"]]:
                question = {key: asked[key] for key in ("id", "photo", "layer", name)}
                key = question["photo"], question["layer"]
                if key not in looks:
                    looks[key] = self._found(self._exact, question)
                self._reply(question, functools.partial(answer, part=question[name]), *looks[key])

    def _found(
        self, source: Callable[[str, str], Any], question: dict[str, Any]
    ) -> tuple[Any, Exception | None]:
        try:
            return source(question["photo"], question["layer"]), None
        except Exception as error:
            return None, error

    def _reply(
        self,
        question: dict[str, Any],
        reply: Callable[[Any], tuple[dict[str, Any], bytes]],
        found: Any,
        error: Exception | None,
    ) -> None:
        if error is not None:
            self._refuse(question, error)
        elif isinstance(found, Future):
            found.add_done_callback(lambda done: self._answer(question, reply, done.result))
        else:
            self._answer(question, reply, lambda: found)

    def _answer(
        self,
        question: dict[str, Any],
        reply: Callable[[Any], tuple[dict[str, Any], bytes]],
        result: Callable[[], Any],
    ) -> None:
        """Sends the answer, or why there is none. Runs in the thread that has the result."""
        try:
            header, buffer = reply(result())
        except Exception as error:
            self._refuse(question, error)
            return
        self.send({**header, **question}, [buffer])

    def _refuse(self, want: dict[str, Any], error: Exception) -> None:
        self.last_error = error
        self.send({**want, "kind": "error", "message": message_of(error)})


def _frame_reply(frame: Any) -> tuple[dict[str, Any], bytes]:
    if not isinstance(frame, Frame):
        raise TypeError(
            "The source of a FrameStore must return a Frame, or a Future of one. "
            f"Use `Frame.from_activation(array)`. Received: {type(frame).__name__}"
        )
    header, buffer = frame.to_message()
    return {**header, "kind": "frame"}, buffer


def _cell_reply(array: Any, part: list[int]) -> tuple[dict[str, Any], bytes]:
    """All channels at one cell, exactly; or their means over a block of cells."""
    values = np.asarray(array)
    left, top, right, bottom = part
    if values.ndim != 3 or bottom > values.shape[0] or right > values.shape[1]:
        raise ValueError(f"No such cells in an array of shape {values.shape}. Received: {part}")
    cells = values[top:bottom, left:right].reshape(-1, values.shape[2])
    with np.errstate(all="ignore"):  # infinities have no mean
        numbers = cells[0] if len(cells) == 1 else cells.mean(axis=0, dtype=np.float64)
        return {"kind": "cell"}, numbers.astype("<f4").tobytes()


def _plane_reply(array: Any, part: int) -> tuple[dict[str, Any], bytes]:
    """One channel, every cell of it, in the bytes that a frame would have."""
    values = np.asarray(array)
    if values.ndim != 3 or part >= values.shape[2]:
        raise ValueError(f"No such channel in an array of shape {values.shape}. Received: {part}")
    return {"kind": "plane"}, Frame.from_activation(values[:, :, part : part + 1]).data.tobytes()


def _is_question(content: Any) -> bool:
    """Whether `content` is a well-formed question; a page can send anything."""
    return isinstance(content, dict) and content.get("kind") == "want" and _names_layer(content)


def _are_parts(content: Any) -> bool:
    """Whether `content` is a well-formed list of questions for cells, or for planes."""
    kind = content.get("kind") if isinstance(content, dict) else None
    if kind not in ("cells", "planes"):
        return False
    parts, (name, is_part, _) = content.get(kind), _PARTS[kind]
    return (
        isinstance(parts, list)
        and len(parts) <= _MOST_PARTS
        and all(isinstance(part, dict) and _names_layer(part) for part in parts)
        and all(is_part(part.get(name)) for part in parts)
    )


def _names_layer(content: dict[str, Any]) -> bool:
    number, names = content.get("id"), (content.get("photo"), content.get("layer"))
    return (
        type(number) is int
        and 0 <= number < _LARGEST_ID
        and all(isinstance(name, str) and len(name) <= LONGEST_NAME for name in names)
    )


def _is_block(block: Any) -> bool:
    if not isinstance(block, list) or len(block) != 4 or any(type(at) is not int for at in block):
        return False
    left, top, right, bottom = block
    return 0 <= left < right and 0 <= top < bottom


def _is_channel(channel: Any) -> bool:
    return type(channel) is int and channel >= 0


# What the page asks for parts of an activation: which name says which, what it may be, the answer.
_PARTS: dict[str, tuple[str, Callable[[Any], bool], Callable[..., Any]]] = {
    "cells": ("block", _is_block, _cell_reply),
    "planes": ("channel", _is_channel, _plane_reply),
}
