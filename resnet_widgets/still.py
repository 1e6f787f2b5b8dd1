"""The picture that a saved notebook shows where a widget cannot live."""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from uuid import uuid4

from .engine.worker import Worker

# Before the widget lie a picture and this line. Styles alone decide which of them is seen: the
# widget while it lives; where the output that should hold it has none, picture and line. Nothing
# has to be told that a notebook was opened again.
_LINE = """<style>
.jp-OutputArea-child:has(+ .jp-OutputArea-child .rw-still):has(~ .jp-OutputArea-child .rw),
.jp-OutputArea-child:has(.rw-still):has(+ .jp-OutputArea-child .rw),
.jp-OutputArea-child:has(.rw-still) + .jp-OutputArea-child:not(:has(.rw)) { display: none; }
.rw-still { animation: rw-still 1s steps(1, end); }
@keyframes rw-still { from { visibility: hidden; } }
</style>
<p class="rw-still">Run this cell to bring it to life.</p>"""
_WORDS = "Run this cell to bring it to life."


class Still:
    """Keeps a picture of a widget beside it in the notebook, up to date but never in the way.

    JupyterLab draws a widget anew when its own output is updated, so the picture is an output of
    its own.

    Args:
        draw: Returns the present picture as PNG, or `None` where there is none yet. Called in a
            thread of its own.
        pause: Seconds without a change before the picture is drawn again.

    Attributes:
        picture: The picture shown last, or `None`.
    """

    def __init__(self, draw: Callable[[], bytes | None], *, pause: float = 2.0) -> None:
        self._draw, self._pause = draw, pause
        # Not the thread that computes frames: a person waits for those.
        self._worker = Worker()
        self._outputs: list[str] = []
        self._lock = threading.Lock()
        self._due: float | None = None
        self.picture: bytes | None = None

    def display(self, bundle: Any) -> None:
        """Displays the widget, `bundle`, with its picture before it where that will be saved."""
        from IPython.display import display

        data, metadata = bundle
        if _saves_outputs():
            output = uuid4().hex
            display({"text/plain": ""}, raw=True, display_id=output)
            display({"text/html": _LINE, "text/plain": _WORDS}, raw=True)
            with self._lock:
                # The same widget may be displayed again and again.
                self._outputs = [*self._outputs[-7:], output]
            if self.picture:
                _send(output, self.picture)
            self.refresh(0)
        elif self.picture:
            data = {**data, "image/png": base64.b64encode(self.picture).decode()}
        display(data, metadata=metadata, raw=True)

    def refresh(self, pause: float | None = None) -> None:
        """Draws the picture anew once nothing has changed for a while."""
        with self._lock:
            if not self._outputs:
                return
            is_waiting = self._due is not None
            self._due = time.monotonic() + (self._pause if pause is None else pause)
            if not is_waiting:
                self._wait(self._due)

    def _wait(self, until: float) -> None:
        timer = threading.Timer(max(0, until - time.monotonic()), self._ring)
        timer.daemon = True
        timer.start()

    def _ring(self) -> None:
        with self._lock:
            if self._due is None:
                return
            if time.monotonic() < self._due:
                self._wait(self._due)
                return
            self._due = None
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            self._worker.submit(lambda task: self._publish()).add_done_callback(_log)

    def _publish(self) -> None:
        picture = self._draw()
        if picture is None or picture == self.picture:
            return
        with self._lock:
            outputs, self.picture = list(self._outputs), picture
        for output in outputs:
            _send(output, picture)

    def close(self) -> None:
        """No further pictures; the last one stays in the notebook."""
        self._worker.close()
        with self._lock:
            self._due = None
            self._outputs = []


def _send(output: str, picture: bytes) -> None:
    from IPython.display import update_display

    png = base64.b64encode(picture).decode()
    update_display({"image/png": png, "text/plain": ""}, raw=True, display_id=output)


def _log(done: Future) -> None:
    """A picture that could not be drawn is no reason to disturb whoever looks at the widget."""
    if not done.cancelled() and done.exception():
        logging.getLogger(__name__).warning(
            "No picture for the notebook", exc_info=done.exception()
        )


def _saves_outputs() -> bool:
    """Whether outputs go to a notebook whose page hides the picture while the widget lives.

    Others show all outputs of a cell: there the widget would be seen twice.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or not hasattr(shell, "kernel"):
        return False
    return "VSCODE_PID" not in os.environ and "google.colab" not in sys.modules
