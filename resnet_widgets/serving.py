"""What the page asks an explorer for while it is looked at: frames and exact numbers."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future

import numpy as np

from .engine.edits import EditedRun, muted_channels
from .engine.images import InputImage
from .engine.worker import Worker
from .explorer_state import ExplorerState
from .frame import Frame
from .photos import Photos
from .widgets._base import traits_lock

# Largest activation, in bytes, that is turned into a frame in the thread that the page waits for.
_MAX_AT_ONCE = 4 * 2**20
# Planes of more bytes than this travel reduced; the page asks for the whole one that it shows.
_MOST_BYTES = 4 * 2**20
# Seconds that a computation goes on, or is over, until the page hears of it. A frame is there
# sooner than that, and to draw such marks would only keep the page from drawing it.
_LATER = 0.2


class Serving:
    """Answers a `FrameStore`: at once what is in the cache, the rest from the worker."""

    def __init__(self, shown: ExplorerState, worker: Worker, photos: Photos) -> None:
        self._shown, self._worker, self._photos = shown, worker, photos
        # Frames that are on their way, by photo and layer: a page that waits asks again and again.
        self._frames: dict[tuple[str, str], Future[Frame]] = {}
        # Path of the layer that is being computed, and what will tell the page how things stand.
        self._computing = ""
        self._timer = threading.Timer(_LATER, self._tell, [""])

    def frame(self, photo: str, layer: str) -> Frame | Future[Frame]:
        """One layer of one photo for the page: at once if it is there and small."""
        image, path = self._find(photo, layer)
        activation = self._cached(image, path)
        if activation is not None and activation.nbytes <= _MAX_AT_ONCE:
            return self._frame(image, activation, path)
        key = photo, path
        frame = self._frames.get(key)
        if frame is None:
            frame = self._worker.submit(
                lambda task: self._frame(image, self._compute(image, path), path)
            )
            self._frames[key] = frame
            frame.add_done_callback(lambda _: self._frames.pop(key, None))
        return frame

    def exact(self, photo: str, layer: str) -> np.ndarray | Future[np.ndarray]:
        """The activation whose numbers the page asks for."""
        image, path = self._find(photo, layer)
        activation = self._cached(image, path)
        if activation is not None:
            return activation
        return self._worker.submit(lambda task: self._compute(image, path))

    def trace_ahead(self, image: InputImage | EditedRun) -> None:
        """Traces the pieces and the whole network, whenever nothing else is asked for."""
        cache = self._shown.cache
        if cache is None:  # closed meanwhile
            return

        def trace(index: int | None) -> None:
            self._worker.submit(lambda task: cache.trace(image, index), when_idle=True)

        with contextlib.suppress(RuntimeError):  # closed meanwhile
            # The newest request runs first.
            self._worker.submit(lambda task: self.show_memory(), when_idle=True)
            trace(None)
            for piece in reversed(cache.graph.pieces):
                trace(piece.index)

    def show_memory(self) -> None:
        """Tells the page what is cached, and how full the cache is."""
        shown = self._shown
        cache, photo = shown.cache, self._photos.get(shown.photo)
        if cache is None or photo is None:
            return
        info = cache.info()
        shown.update(memory={"nbytes": info.nbytes, "max_bytes": info.max_bytes})
        # The input is there without being computed.
        shown.tree.update(cached=sorted({cache.layers[0].path} | cache.cached(photo.image)))

    def _frame(self, image: InputImage | EditedRun, activation: np.ndarray, path: str) -> Frame:
        muted = muted_channels(image, path)
        return Frame.from_activation(activation, layer=path, most_bytes=_MOST_BYTES, muted=muted)

    def _find(self, photo: str, layer: str) -> tuple[InputImage | EditedRun, str]:
        """The photo and the layer that the page means."""
        kept, cache = self._photos.get(photo), self._shown.cache
        if kept is None or cache is None:
            raise ValueError("This photo is no longer in memory. Pick it again to see it.")
        return kept.image, cache.graph.find(layer).path

    def _cached(self, image: InputImage | EditedRun, path: str) -> np.ndarray | None:
        cache = self._shown.cache
        return cache.peek(image, path) if cache else None

    def _compute(self, image: InputImage | EditedRun, path: str) -> np.ndarray:
        assert self._shown.cache is not None
        try:
            self._work_on(path)
            return self._shown.cache.activation(image, path)
        finally:
            self._work_on("")

    def close(self) -> None:
        """Tells the page nothing more."""
        self._timer.cancel()

    def _work_on(self, path: str) -> None:
        self._computing = path
        self._timer.cancel()
        # A mark that is there goes at once.
        pause = 0 if self._shown.tree.computing and not path else _LATER
        self._timer = threading.Timer(pause, self._tell, [path])
        self._timer.daemon = True
        # A Python that is about to end starts no threads.
        with contextlib.suppress(RuntimeError):
            self._timer.start()

    def _tell(self, path: str) -> None:
        """Tells the page what is computed, if that is still `path`, and what the cache has."""
        with traits_lock:
            self._shown.tree.computing = path if path == self._computing else ""
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            self._worker.submit(lambda task: self.show_memory(), kind="memory", when_idle=True)
