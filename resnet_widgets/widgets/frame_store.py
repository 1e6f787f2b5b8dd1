"""The page's half of the cache: answers the page when it wants a frame it does not have."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import traitlets

from ..frame import Frame
from ._base import Widget, message_of, module

_LONGEST_NAME = 1024
_LARGEST_ID = 2**53


class FrameStore(Widget):
    """Where widgets get their frames from. It has no view.

    The page keeps the frames it has seen, within `page_bytes`, and asks for any other once. So ten
    widgets that show one layer cost one transfer, and a reloaded page refills itself.

    Args:
        source: Function of `(photo, layer)`, two strings, that returns a `Frame`, or a
            `concurrent.futures.Future` of one. What it raises is shown in the widgets that asked.
        page_bytes: Frames kept in the page, in bytes. Defaults to 64 MiB.

    Attributes:
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

    page_bytes = traitlets.Int(64 * 2**20).tag(sync=True)

    def __init__(
        self,
        source: Callable[[str, str], Frame | Future[Frame]],
        *,
        page_bytes: int = 64 * 2**20,
    ) -> None:
        if not callable(source):
            raise TypeError(
                "Argument `source` must be a function of (photo, layer) that returns a Frame. "
                f"Received: {source!r}"
            )
        self._source = source
        super().__init__(page_bytes=page_bytes)
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

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not _is_want(content):
            return
        want = {name: content[name] for name in ("id", "photo", "layer")}
        try:
            found = self._source(want["photo"], want["layer"])
        except Exception as error:
            self._refuse(want, error)
            return
        if isinstance(found, Future):
            found.add_done_callback(lambda done: self._answer(want, done.result))
        else:
            self._answer(want, lambda: found)

    def _answer(self, want: dict[str, Any], result: Callable[[], Any]) -> None:
        """Sends the frame, or why there is none. Runs in the thread that has the result."""
        try:
            frame = result()
            if not isinstance(frame, Frame):
                raise TypeError(
                    "The source of a FrameStore must return a Frame, or a Future of one. "
                    f"Use `Frame.from_activation(array)`. Received: {type(frame).__name__}"
                )
            header, buffer = frame.to_message()
        except Exception as error:
            self._refuse(want, error)
            return
        self.send({**header, **want, "kind": "frame"}, [buffer])

    def _refuse(self, want: dict[str, Any], error: Exception) -> None:
        self.last_error = error
        self.send({**want, "kind": "error", "message": message_of(error)})


def _is_want(content: Any) -> bool:
    """Whether `content` is a well-formed question; a page can send anything."""
    if not isinstance(content, dict) or content.get("kind") != "want":
        return False
    number, names = content.get("id"), (content.get("photo"), content.get("layer"))
    return (
        type(number) is int
        and 0 <= number < _LARGEST_ID
        and all(isinstance(name, str) and len(name) <= _LONGEST_NAME for name in names)
    )
