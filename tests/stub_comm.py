"""The page's end of a widget's comm: records what the kernel sends, sends what a page would."""

from __future__ import annotations

import json
from typing import Any

import ipywidgets


class StubComm:
    """Attached to a widget in place of its comm.

    Attributes:
        sent: Messages from the kernel, `(data, buffers)`, oldest first.
        refused: What no comm could have sent. ipywidgets only prints such errors.
    """

    comm_id = "stub"

    def __init__(self, widget: ipywidgets.Widget) -> None:
        self.sent: list[tuple[dict[str, Any], list[Any]]] = []
        self.refused: list[Any] = []
        widget.comm = self

    def on_msg(self, receive: Any) -> None:
        self._receive = receive

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        # What a comm cannot send is an error here too.
        try:
            json.dumps(data, allow_nan=False, ensure_ascii=False).encode()
        except (TypeError, ValueError):
            self.refused.append(data)
            raise
        self.sent.append((data, list(buffers or ())))

    def close(self, *args: Any, **kwargs: Any) -> None:
        pass

    def page_sets(self, **state: Any) -> None:
        """The page sets traits."""
        self._receive(_message({"method": "update", "state": state}))

    def page_sends(self, content: Any, buffers: Any = ()) -> None:
        """The page sends a custom message."""
        self._receive(_message({"method": "custom", "content": content}, buffers))

    def page_has(self) -> dict[str, Any]:
        """The traits as a page has them after all that was sent, echoes included."""
        state: dict[str, Any] = {}
        for data, _ in self.sent:
            state.update(data.get("state", {}))
        return state


def _message(data: dict[str, Any], buffers: Any = ()) -> dict[str, Any]:
    return {"content": {"data": data}, "buffers": [memoryview(buffer) for buffer in buffers]}
