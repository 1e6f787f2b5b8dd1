"""Explainer: what an `ExplainPanel` asks, answered in the background."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from .answers import ANSWERS, MOST_READ, Asked, Picture
from .engine.worker import Task, Worker
from .widgets.explain_panel import Answer, Say

if TYPE_CHECKING:
    from .engine.activations import ActivationCache
    from .engine.download import Progress
    from .engine.explain.reading import LabelledPhotos
    from .engine.explain.residual import Residual

# What takes long: the others must not wait for it. Of the CAMs only Score-CAM does.
_SLOW = frozenset({"rank", "pixels", "dream", "reading"})
# Views whose questions are answered. A page that was lost has asked for nothing more.
_MOST_VIEWS = 8


class Explainer:
    """Computes what a panel asks, in two threads, one of them for what takes long.

    So maps go on being drawn, and the classes follow an edit also while a picture grows.

    Args:
        looked_at: Returns the cache, the photo (an `InputImage` or `EditedRun`) and a function that
            makes a JPEG of the part that the model sees; raises `ValueError` while there is none.

    Attributes:
        labelled: The `LabelledPhotos` that blocks are read with, or `None`.
    """

    labelled: LabelledPhotos | None = None

    def __init__(self, looked_at: Callable[[], tuple[ActivationCache, Any, Picture]]) -> None:
        self._looked_at = looked_at
        # All blocks of one photo, which another channel asks for again.
        self._blocks: tuple[Any, list[Residual]] = (None, [])
        # The one that has asked last is the last.
        self._views: list[str] = []
        self._quick, self._slow = Worker(), Worker()

    def read_with(self, photos: Any) -> str:
        """Keeps labelled photos, or none; returns what they are, in words.

        Raises:
            ValueError: If they are none that `LabelledPhotos` takes.
        """
        from .engine.explain.reading import LabelledPhotos

        self.labelled = None if photos is None else LabelledPhotos(photos)
        if self.labelled is None:
            return ""
        labels = self.labelled.labels
        named = ", ".join(labels[:MOST_READ]) + (", …" if len(labels) > MOST_READ else "")
        return f"{len(self.labelled.pairs)} photos of {len(labels)} labels: {named}"

    def ask(self, what: str, options: dict[str, Any], say: Say, view: str) -> Future[Answer]:
        """Answers one question, in the background; a newer one of its kind and view replaces it.

        Every answer says in `edits` what it is of: the page may have others by then.

        Raises:
            ValueError: If there is nothing to ask about, or no such question.
        """
        if what not in ANSWERS:
            raise ValueError(f"`what` must be one of {sorted(ANSWERS)}. Received: {what!r}")
        cache, image, picture = self._looked_at()
        labelled = self.labelled
        edits = [edit.to_dict() for edit in getattr(image, "edits", ())]

        def run(task: Task) -> Answer:
            blocks = functools.partial(self._blocks_of, cache, image)
            asked = Asked(cache, image, picture, blocks, labelled, options, task, say)
            data, buffers = ANSWERS[what](asked)
            return {**data, "edits": edits}, buffers

        slow = what in _SLOW or options.get("method") == "score-cam"
        worker, other = (self._slow, self._quick) if slow else (self._quick, self._slow)
        other.cancel((what, view))
        self._remember(view)
        return worker.submit(run, kind=(what, view))

    def cancel(self, what: str, view: str) -> None:
        """Stops one question of a view."""
        for worker in (self._quick, self._slow):
            worker.cancel((what, view))

    def _remember(self, view: str) -> None:
        """Counts a view among those that ask; the one that was silent longest has to go."""
        views = [*(other for other in self._views if other != view), view]
        self._views = views[-_MOST_VIEWS:]
        for gone in views[:-_MOST_VIEWS]:
            for what in ANSWERS:
                self.cancel(what, gone)

    def close(self) -> None:
        """Ends the background work, and lets labelled photos go."""
        for worker in (self._quick, self._slow):
            worker.close()
        self.labelled = None

    def _blocks_of(self, cache: ActivationCache, image: Any, progress: Progress) -> list[Residual]:
        from .explain import residual_shares

        key = cache.key(image), cache.generation
        if self._blocks[0] != key:
            self._blocks = key, residual_shares(cache, image, progress=progress)
        return self._blocks[1]
