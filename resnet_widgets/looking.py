"""How an explorer comes to show something: it loads a model, looks at photos, fills its widgets."""

from __future__ import annotations

import dataclasses
import math
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .answers import Picture
from .bookmarks import NotHereError
from .engine.edits import EditedRun
from .engine.images import InputImage, load_image
from .engine.memory import collecting_later
from .engine.regions import strongest
from .engine.worker import Task
from .explorer_state import ExplorerState
from .jobs import Jobs
from .photos import Photo, Photos, photo_of
from .serving import Serving
from .widgets import ImagePicker
from .widgets._base import message_of, traits_lock

if TYPE_CHECKING:
    from .engine.activations import ActivationCache


class Looking:
    """The jobs behind `Explorer.image`, `compare` and `edits`, and behind its first view.

    Args:
        shown: The explorer whose traits are set.
        jobs: Where the work is done.
        photos: Where photos are kept.
        serving: Told what will be asked for next.
        samples: Photos that are there from the start, by name.
        cache: An `ActivationCache`, or `None` to load a model.
        model: What `load_model` takes.
        layer: Path of the layer to show first, or `None`.
    """

    def __init__(
        self,
        shown: ExplorerState,
        jobs: Jobs,
        photos: Photos,
        serving: Serving,
        samples: dict[str, Path],
        *,
        cache: ActivationCache | None,
        model: Any,
        layer: str | None,
    ) -> None:
        self._shown, self._jobs, self._photos, self._serving = shown, jobs, photos, serving
        self._samples = samples
        self._given_cache, self._model, self._first_layer = cache, model, layer
        self._traced = False
        # Whether somebody has set a channel, maybe 0.
        self._is_channel_chosen = False
        # Photos of a bookmark by trait, key and name: not to be found before there is a model.
        self._sought: dict[str, tuple[str, str]] = {}
        # Layers of columns whose channels are still to be chosen.
        self._new_columns: list[str] = []
        # Jobs by their kind, the newest of each, in the order in which they were asked for.
        self._newest: dict[str, Future] = {}
        # A condition gives the lock away while it is waited for, also that of a caller.
        self._ended = threading.Condition(traits_lock)
        # What the predictions are of: a photo, edits, and the generation of the weights.
        self._seen: tuple[Any, list[Any], int] | None = None
        self._compared: Any = None
        self._generation: int | None = None

    def start(self) -> None:
        """Loads the model, then looks at the photos that are there."""
        self._shown.stopped = False
        self._shown.error = ""
        self._submit(self._open, "model")

    def look(self) -> None:
        """Shows the explorer's photo with its edits, once there is a model."""
        self._shown.error = ""
        if self._shown.cache is not None:
            self._submit(self._look, "photo")

    def compare(self) -> None:
        """Shows the explorer's second photo, once there is a model."""
        self._shown.error = ""
        if self._shown.cache is not None:
            self._submit(self._compare, "compare")

    def follow_weights(self) -> None:
        """Looks at the photo again if what the page has of it is not that of the weights now."""
        # After the frames that a page waits for.
        self._submit(self._follow_weights, "weights", when_idle=True)

    def go_strongest(self) -> None:
        """Shows the strongest channel of the layer, unless one is chosen before it is known."""
        image, layer = self.asked(), self._shown.layer

        def choose(task: Task) -> None:
            assert self._shown.cache is not None
            channel = strongest(self._shown.cache.activation(image, layer))
            with traits_lock:
                task.check()
                # Before the rest, whose observers may wait for what is chosen.
                self._newest.pop("channel", None)
                if self._shown.layer == layer:
                    self._shown.channel = channel

        self._submit(choose, "channel", when_idle=True)

    def stop_choosing(self) -> None:
        """Leaves the channel as it is: somebody has chosen one."""
        self._is_channel_chosen = True
        self._jobs.worker.cancel("channel")

    def cancel(self) -> None:
        """Ends all that is going on. What was to be traced ahead is so after the next photo."""
        self._jobs.worker.cancel()
        self._traced = False

    def pick(self, picker: ImagePicker, trait: str, name: str, data: bytes | None) -> None:
        """Opens what was picked in the page, a file or a sample, and sets `trait` to it."""
        source = self._samples.get(name) if data is None else data
        if source is None:
            return
        self._shown.error = ""
        notes = (picker.note,) if picker.note else ()
        kind = f"pick {trait}"

        def open_picked(task: Task) -> None:
            image = load_image(source)
            image = dataclasses.replace(image, source=name, notes=(*notes, *image.notes))
            with traits_lock:
                task.check()
                self._shown.update(**{trait: image})

        def rest(future: Future) -> None:
            if self._newest.get(kind) is future:
                picker.update(busy=False)

        with traits_lock:
            future = self._submit(open_picked, kind)
            picker.busy = True
        future.add_done_callback(rest)

    def stop_picking(self, trait: str) -> None:
        """Forgets what is still being opened for `trait`: something newer was set."""
        self._jobs.worker.cancel(f"pick {trait}")
        self._jobs.worker.cancel(f"find {trait}")
        self._sought.pop(trait, None)

    def find(self, digest: str, name: str, trait: str = "image") -> None:
        """Shows a photo that was shown before, or a sample; says so if it is neither."""
        if trait == "image":
            self._shown.error = ""
        photo = photo_of(digest)
        kept = self._photos.get(digest)
        if trait == "image" and kept is not None and isinstance(kept.image, EditedRun):
            self._shown.edits = list(kept.image.edits)
        image = self._here(photo, trait)
        if image is not None:
            self._show_found(trait, image)
            return
        with traits_lock:
            if self._shown.cache is None:
                self._sought[trait] = digest, name
                return
        self._submit(lambda task: self._find_sample(task, photo, name, trait), f"find {trait}")

    def asked(self) -> Any:
        """The photo that was set last, with its edits, for `cache.activation` and the like."""
        cache, image, edits = self._shown.cache, self._shown.image, tuple(self._shown.edits)
        return EditedRun(cache, image, edits) if edits and cache is not None else image

    def is_done(self) -> bool:
        """Whether all that was asked for last is there."""
        # Outside the lock: the cache has one of its own.
        is_seen = self._is_seen()
        with traits_lock:
            return is_seen and self._compared is self._shown.compare

    def _is_settled(self) -> bool:
        """Whether it is, and neither the channel nor a photo of a bookmark is still to come."""
        with traits_lock:
            coming = [self._newest.get(kind) for kind in ("channel", "find image", "find compare")]
            is_coming = self._sought or any(job and not job.done() for job in coming)
        return not is_coming and self.is_done()

    def wait(self, timeout: float) -> None:
        """Waits until all is there, or until it is known that it will not be.

        See `Explorer.wait`. An observer may wait, too: meanwhile others have the lock it holds.
        """
        shown, end = self._shown, time.monotonic() + min(timeout, threading.TIMEOUT_MAX / 2)
        with traits_lock:
            is_sought = "image" in self._sought or "find image" in self._newest
        if shown.image is None and not is_sought:
            raise ValueError(
                "There is no photo yet. Choose one in the page, or set `explorer.image`. "
                "Received: image=None"
            )
        if shown.cache is not None and not self.is_done():
            self.follow_weights()
        while not self._is_settled():
            if self._jobs.worker.is_here():
                raise RuntimeError(
                    "An observer that is called by the thread which computes cannot wait for what "
                    "that will compute later. Wait in a thread of your own."
                )
            with traits_lock:
                newest = dict(self._newest)
            failures: dict[str, BaseException] = {}
            for kind, job in newest.items():
                with self._ended:
                    if not self._ended.wait_for(job.done, max(0, end - time.monotonic())):
                        raise TimeoutError(
                            f"Not there after {timeout:g} s: {shown.status or 'still computing'}. "
                            "Wait longer with a larger `timeout`."
                        )
                try:
                    error = job.exception()
                except CancelledError as cancelled:
                    error = cancelled
                if error is not None:
                    failures[kind] = error
            with traits_lock:
                is_over = newest == self._newest
            if is_over and not self._is_settled():
                raise self._failure(failures)

    def _failure(self, failures: dict[str, BaseException]) -> RuntimeError:
        """What to raise for what is not there, now that all jobs have ended."""
        if self._shown.cache is None:
            what, kinds = "No model was loaded", []
        elif not self._is_seen():
            what, kinds = "The photo could not be shown", ["photo", "weights", "find image"]
        else:
            what, kinds = "The second photo could not be shown", ["compare", "find compare"]
        errors = [error for kind, error in failures.items() if kind in ("model", *kinds)]
        cause = errors[-1] if errors else CancelledError()
        why = "it was cancelled" if isinstance(cause, CancelledError) else message_of(cause)
        failure = RuntimeError(f"{what}: {why}")
        failure.__cause__ = cause
        return failure

    def looked_at(self) -> tuple[ActivationCache, Any, Picture]:
        """What is explained: the photo shown, with the edits, also while their maps are made."""
        cache, photo = self._shown.cache, self._photos.get(self._shown.photo)
        if photo is None or cache is None:
            raise ValueError("There is nothing to explain yet: pick a photo.")
        image: Any = photo.image
        if isinstance(image, EditedRun):
            image = image.image
        edits = tuple(self._shown.edits)
        return cache, EditedRun(cache, image, edits) if edits else image, photo.seen

    def close(self) -> None:
        """Lets the model go."""
        self._given_cache = self._model = self._seen = self._compared = None
        self._newest.clear()

    def _submit(
        self, function: Callable[[Task], Any], kind: str, *, when_idle: bool = False
    ) -> Future:
        # Under the lock, so that nobody waits for the job that this one has replaced.
        with traits_lock:
            future = self._jobs.submit(function, kind, when_idle=when_idle)
            self._newest.pop(kind, None)
            self._newest[kind] = future
        future.add_done_callback(self._tell)
        return future

    def _tell(self, _future: Future) -> None:
        with self._ended:
            self._ended.notify_all()

    def _key(self, image: InputImage | None) -> str:
        """The key of a photo as the model sees it; `""` for none."""
        cache = self._shown.cache
        return "" if image is None or cache is None else image.fit(cache.input_size).digest

    def _is_seen(self) -> bool:
        """Whether the predictions are of the photo and the edits that were set last."""
        shown, seen = self._shown, self._seen
        return (
            seen is not None
            and shown.cache is not None
            and seen[0] is shown.image
            and seen[1:] == (shown.edits, shown.cache.generation)
        )

    def _here(self, digest: str, trait: str) -> Any:
        """The photo of this key if it is on show or was lately, else `None`."""
        # The photo on show is whole; what is kept of others is what the model sees.
        image = getattr(self._shown, trait)
        if image is not None and digest == self._key(image):
            return image
        kept = self._photos.get(digest)
        return None if kept is None else kept.image

    def _find_sample(self, task: Task, digest: str, name: str, trait: str) -> None:
        assert self._shown.cache is not None
        if name in self._samples:
            image = load_image(self._samples[name], self._shown.cache.input_size)
            if image.digest == digest:
                with traits_lock:
                    task.check()
                    self._show_found(trait, image)
                return
        former = self._shown.last_error if self._shown.error else None
        raise NotHereError(name, trait, former)

    def _show_found(self, trait: str, image: Any) -> None:
        """Shows one photo of a bookmark; what is said of the other stays."""
        with traits_lock:
            said = self._shown.error
            if image is not getattr(self._shown, trait):
                self._shown.update(**{trait: image})
            self._shown.error = said

    def _open(self, task: Task) -> None:
        """Loads TensorFlow and the model, then looks at the photo."""
        cache, shown = self._given_cache, self._shown
        if cache is None:
            if "tensorflow" not in sys.modules:
                task.progress(None, "Loading TensorFlow …")
            with collecting_later():
                # Before the rest of the engine, because it says how to install TensorFlow.
                from .engine.models import load_model

            task.progress(None, "Loading the model …")
            model = load_model(self._model, progress=task.progress)
            task.check()
            from .engine.activations import ActivationCache

            cache = ActivationCache(model)
        with traits_lock:
            # Closed meanwhile? Under the lock, so that it cannot be closed half-way.
            task.check()
            shown.cache = cache
            shown.stopped = False
            about = cache.about
            shown.about = {"title": about.title, "note": about.note, "size": [*cache.input_size]}
            shown.why.size = [*cache.input_size]
            shown.tree.layers = [layer.to_row() for layer in cache.layers]
            sought, self._sought = self._sought, {}
        for trait, (digest, name) in sought.items():
            self.find(digest, name, trait)
        self._look(task)
        self._compare(task)

    def _look(self, task: Task) -> None:
        """Makes the photo known to all widgets, then computes the rest of what they will ask."""
        shown = self._shown
        image, cache, edits = shown.image, shown.cache, list(shown.edits)
        assert cache is not None
        generation = cache.generation
        if self._generation not in (None, generation):
            shown.store.forget()
        self._generation = generation
        if image is None:
            shown.update(photo="", picture={}, predictions=[], status="")
            return
        task.progress(None, "Running the network …")
        photo = self._photos.of(image, cache.input_size)
        if edits:
            photo = dataclasses.replace(photo, image=cache.run(photo.image, edits))
        if not shown.photo:
            # Tracing the whole network takes a second: the way to the first map takes less.
            asked = shown.layer
            layer, channel = self._first(cache), shown.channel
            if not self._is_channel_chosen:
                channel = strongest(cache.activation(photo.image, layer))
            with traits_lock:
                self._show(photo, task)
                # What was asked for meanwhile stays, and of another layer nothing is known.
                if self._is_channel_chosen or shown.layer != asked:
                    channel = shown.channel
                if shown.layer != asked:
                    layer = shown.layer
                shown.update(layer=layer, channel=channel)
        predictions = cache.predictions(photo.image) or []
        stages = cache.stages(photo.image)
        self._show(photo, task)
        first = [strongest(stages[path]) for path in self._new_columns]
        with traits_lock:
            # Columns that somebody has chosen keep the channels that they have.
            if shown.stages.layers == self._new_columns and not any(shown.stages.channels):
                shown.stages.update(channels=first)
            self._new_columns = []
        if any(not math.isfinite(p.probability) for p in predictions):
            # JSON has no word for them, and bars of them would say nothing.
            predictions = []
            shown.report(
                ValueError(
                    "The network's answer to this photo is not a number (NaN or infinity), so "
                    "there are no predictions. Look in its weights and in the edits."
                )
            )
        with traits_lock:
            task.check()
            # Before the rest, whose observers may ask whether all is there.
            self._seen = image, edits, generation
            shown.predictions = [[p.label, p.probability] for p in predictions]
            shown.status = ""
        self._serving.show_memory()
        if not self._traced:
            self._traced = True
            self._serving.trace_ahead(photo.image)

    def _follow_weights(self, task: Task) -> None:
        if self._shown.cache is not None and not self._is_seen():
            self._look(task)

    def _first(self, cache: ActivationCache) -> str:
        """Path of the layer to begin with: the one asked for, or the end of the middle stage."""
        wanted, self._first_layer = self._shown.layer or self._first_layer, None
        if wanted and not self._shown.is_layer(wanted):
            try:
                cache.graph.find(wanted)
            except ValueError as error:
                self._shown.report(error)
            wanted = None
        outputs = cache.graph.stage_outputs or (cache.graph.output,)
        return wanted or outputs[len(outputs) // 2]

    def _show(self, photo: Photo, task: Task) -> None:
        shown = self._shown
        with traits_lock:
            key = self._photos.keep(photo, task, beside=shown.compare_photo)
            shown.picture = photo.picture
            shown.photo = key
            for child in (shown.map, shown.grid, shown.slider, shown.stages, shown.why):
                child.photo = key
            if shown.cache and not shown.stages.layers:
                self._new_columns = list(shown.cache.graph.stage_outputs[-4:])
                shown.stages.layers = self._new_columns

    def _compare(self, task: Task) -> None:
        """Makes the second photo known to the page; its frames are made when they are wanted."""
        shown = self._shown
        image = shown.compare
        if image is None:
            shown.update(compare_photo="", compare_picture={})
            self._compared = None
            return
        assert shown.cache is not None
        photo = self._photos.of(image, shown.cache.input_size)
        key = self._photos.keep(photo, task, beside=shown.photo)
        with traits_lock:
            task.check()
            shown.update(compare_picture=photo.picture, compare_photo=key)
            self._compared = image
