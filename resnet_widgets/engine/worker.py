"""One background thread for slow work, so that no cell and no callback ever waits."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from typing import Any

# How long Python waits at its exit for a task to notice that it was cancelled, in seconds.
_PATIENCE = 10


class Task:
    """What a running function may say and ask; the worker hands it over as the only argument."""

    def __init__(self, kind: Hashable, on_progress: Callable[[float | None, str], None]) -> None:
        self.kind = kind
        self._on_progress = on_progress
        self._cancelled = threading.Event()

    def progress(self, fraction: float | None, text: str) -> None:
        """Says how far it is, `fraction` from 0 to 1 or `None`; ends the task if it was cancelled.

        Raises:
            CancelledError: If somebody cancelled the task or asked for a newer one of its kind.
        """
        self.check()
        self._on_progress(fraction, text)

    def check(self) -> None:
        """Ends the task if it was cancelled.

        Raises:
            CancelledError: As `progress`.
        """
        if self._cancelled.is_set():
            raise CancelledError

    def cancel(self) -> None:
        """Makes the next `check` or `progress` raise."""
        self._cancelled.set()


class Worker:
    """Runs functions one at a time in a thread of its own, the newest request first.

    A request of the same kind as an earlier one replaces it: one that waits is cancelled, one that
    runs is asked to stop. Results and errors go to whoever asked, through a
    `concurrent.futures.Future`.

    Args:
        on_progress: Called as `on_progress(fraction, text)`, in the worker's thread, when a running
            task says how far it is.
    """

    def __init__(self, on_progress: Callable[[float | None, str], None] | None = None) -> None:
        self._on_progress = on_progress or (lambda fraction, text: None)
        self._waiting: list[tuple[Task, Callable[[Task], Any], Future]] = []
        self._when_idle: list[tuple[Task, Callable[[Task], Any], Future]] = []
        self._running: Task | None = None
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(
        self,
        function: Callable[[Task], Any],
        *,
        kind: Hashable = None,
        when_idle: bool = False,
    ) -> Future:
        """Asks for `function(task)` to be run.

        Args:
            function: Takes a `Task`.
            kind: Requests of one kind replace each other; `None` replaces nothing.
            when_idle: Whether it waits for all requests that do not, also for those that come
                later.

        Returns:
            A `Future` of the result, cancelled if a newer request of its kind came first.

        Raises:
            RuntimeError: If the worker is closed.
        """
        task, future = Task(kind, self._on_progress), Future[Any]()
        with self._wake:
            if self._closed:
                raise RuntimeError("This worker is closed and takes no more requests.")
            replaced = self._drop(lambda other: kind is not None and other.kind == kind)
            line = self._when_idle if when_idle else self._waiting
            line.append((task, function, future))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="resnet_widgets", daemon=True
                )
                self._thread.start()
                _at_work.add(self)
            self._wake.notify()
        for old in replaced:
            old.cancel()
        return future

    def cancel(self, kind: Hashable = None) -> None:
        """Cancels what runs and what waits: all of it, or only the requests of one kind."""
        with self._wake:
            dropped = self._drop(lambda task: kind is None or task.kind == kind)
        for future in dropped:
            future.cancel()

    def close(self) -> None:
        """Cancels everything and lets the thread end. Further requests raise `RuntimeError`."""
        with self._wake:
            self._closed = True
            dropped = self._drop(lambda task: True)
            self._wake.notify()
        for future in dropped:
            future.cancel()

    def is_here(self) -> bool:
        """Whether it is called by the thread that does the work."""
        return threading.current_thread() is self._thread

    def _drop(self, matches: Callable[[Task], bool]) -> list[Future]:
        """Takes matching requests out of the line; returns their futures, to cancel unlocked."""
        if self._running and matches(self._running):
            self._running.cancel()
        dropped = []
        for line in (self._waiting, self._when_idle):
            dropped += [future for task, _, future in line if matches(task)]
            line[:] = [entry for entry in line if not matches(entry[0])]
        return dropped

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._when_idle or self._closed)
                if self._closed:
                    return
                task, function, future = (self._waiting or self._when_idle).pop()
                self._running = task
            try:
                if future.set_running_or_notify_cancel():
                    self._run(task, function, future)
            finally:
                with self._wake:
                    self._running = None
            # While it waits, this thread keeps nothing of what it has done.
            del task, function, future

    def _run(self, task: Task, function: Callable[[Task], Any], future: Future) -> None:
        try:
            result = function(task)
        except BaseException as error:
            future.set_exception(error)
            # The error knows this frame, and the future the error: what they hold, a model and its
            # activations, would stay until Python looks for cycles.
            del future, function
        else:
            future.set_result(result)


_at_work: weakref.WeakSet[Worker] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """A thread that Python tears down inside TensorFlow aborts the process: end them before."""
    workers = list(_at_work)
    for worker in workers:
        worker.close()
    for worker in workers:
        if worker._thread is not None:
            worker._thread.join(_PATIENCE)
