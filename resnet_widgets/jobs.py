"""The background work of an explorer, and how the page hears of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

from .engine.worker import Task, Worker
from .explorer_state import ExplorerState


class Jobs:
    """Runs what takes time in one thread; progress and errors go to the explorer's traits."""

    def __init__(self, shown: ExplorerState) -> None:
        self._shown = shown
        self.worker = Worker(self._on_progress)

    def submit(
        self, function: Callable[[Task], Any], kind: str, *, when_idle: bool = False
    ) -> Future:
        """Runs `function(task)`; what it raises is shown. A newer one of its kind replaces it."""
        future = self.worker.submit(function, kind=kind, when_idle=when_idle)
        future.add_done_callback(self._on_done)
        return future

    def _on_done(self, future: Future) -> None:
        if future.cancelled() or self._shown.comm is None:  # closed meanwhile
            return
        error = future.exception()
        if error is not None:
            self._shown.update(status="", stopped=self._shown.cache is None)
        if error is not None and not isinstance(error, CancelledError):
            self._shown.report(error)
        self._shown.update(progress=-1.0)

    def _on_progress(self, fraction: float | None, text: str) -> None:
        self._shown.update(status=text, progress=-1.0 if fraction is None else fraction)
