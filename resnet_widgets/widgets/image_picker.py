"""ImagePicker: a picture from the user's machine, or one of a few samples."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import traitlets

from ._base import Widget, module, one_line

# The page sends no more than 7.5 MB, and Jupyter takes no message above 10 MiB.
_MAX_BYTES = 8_000_000
_LONGEST = 200  # letters of a name or a note

_Callback = Callable[[str, bytes | None], Any]


def _clean(name: Any) -> str:
    """A file name from the page as a name to show: no folders, nothing unprintable, short."""
    return one_line(re.split(r"[/\\]", str(name))[-1], _LONGEST) or "picture"


class ImagePicker(Widget):
    """A button to pick a picture; it can also be dropped or pasted.

    The picture travels as one message, not as a trait, so nothing heavy is ever saved with a
    notebook. Large ones are made smaller by the page, to at most 2048 pixels a side. Only `error`
    can be set by the page.

    Args:
        samples: Names of pictures that the kernel has itself, offered in a menu.
        **kwargs: Other traits of a Jupyter widget, such as `layout`.

    Attributes:
        name: What was picked last: the name of a file or a sample; `""` at first.
        note: What the page did to it: `"reduced from 6000 × 4000 to 2048 × 1365"`; `""` if nothing.
        busy: Whether the picture is being worked on; for whoever takes it to set.

    Example:
        >>> picker = ImagePicker(["cat.jpg"])
        >>> picker.on_pick(lambda name, data: print(name, data and len(data)))
    """

    _esm = module("image_picker.js")

    samples = traitlets.List(traitlets.Unicode()).tag(sync=True)
    name = traitlets.Unicode("").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)

    def __init__(self, samples: Iterable[str] = (), **kwargs: Any) -> None:
        self._callbacks: list[_Callback] = []
        super().__init__(samples=list(samples), **kwargs)
        self.on_msg(lambda _widget, content, buffers: self._receive(content, buffers))

    def on_pick(self, callback: _Callback, remove: bool = False) -> None:
        """Calls `callback(name, data)` whenever a picture is picked.

        Args:
            callback: Takes the name and the encoded file as `bytes`; `None` for a sample. What it
                raises is shown in the widget. It must return at once: slow work goes to a worker.
            remove: Whether to stop calling it instead.
        """
        if remove:
            self._callbacks.remove(callback)
        else:
            self._callbacks.append(callback)

    def close(self) -> None:
        self._callbacks.clear()
        super().close()

    def accepts(self, name: str, value: Any) -> bool:
        """`samples`, `name`, `note` and `busy` are the kernel's to say."""
        return name not in ("samples", "name", "note", "busy") and super().accepts(name, value)

    def _receive(self, content: Any, buffers: list[Any]) -> None:
        """Answers a message of the page, and tells it when that is done."""
        self.error = ""
        try:
            self.name, data = self._read(content, buffers)
            self.note = one_line(content.get("note") or "", _LONGEST)
        except ValueError as error:
            self.report(error)
        else:
            for callback in list(self._callbacks):
                try:
                    callback(self.name, data)
                except Exception as error:
                    self.report(error)
        # The page has shown itself busy since it began; from here on it shows what is true.
        self.send_state("busy")

    def _read(self, content: Any, buffers: list[Any]) -> tuple[str, bytes | None]:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "sample":
            if content.get("name") not in self.samples:
                raise ValueError(
                    f"The sample must be one of {self.samples}. Received: {content.get('name')!r}"
                )
            return content["name"], None
        if kind != "photo" or len(buffers) != 1:
            raise ValueError(
                "A message of the page must be a photo with one buffer, or a sample. "
                f"Received: {kind!r} with {len(buffers)}"
            )
        data = bytes(buffers[0])
        if not 0 < len(data) <= _MAX_BYTES:
            raise ValueError(
                f"A photo must have between 1 and {_MAX_BYTES:,} bytes. Received: {len(data):,}"
            )
        return _clean(content.get("name")), data
