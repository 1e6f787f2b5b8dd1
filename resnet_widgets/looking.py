"""How an explorer comes to show something: it loads a model, looks at photos, fills its widgets."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .engine.edits import EditedRun, key_of
from .engine.images import load_image
from .engine.worker import Task
from .explaining import cropped
from .explorer_state import ExplorerState
from .jobs import Jobs
from .photos import Photo, Photos
from .serving import Serving
from .widgets import ImagePicker
from .widgets._base import traits_lock

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
        self._generation = 0

    def start(self) -> None:
        """Loads the model, then looks at the photos that are there."""
        self._shown.stopped = False
        self._shown.error = ""
        self._jobs.submit(self._open, "model")

    def look(self) -> None:
        """Shows the explorer's photo with its edits, once there is a model."""
        self._shown.error = ""
        if self._shown.cache is not None:
            self._jobs.submit(self._look, "photo")

    def compare(self) -> None:
        """Shows the explorer's second photo, once there is a model."""
        self._shown.error = ""
        if self._shown.cache is not None:
            self._jobs.submit(self._compare, "compare")

    def follow_weights(self) -> None:
        """Looks at the photo again if the page may hold what older weights gave."""
        self._jobs.submit(self._follow_weights, "weights")

    def pick(self, picker: ImagePicker, trait: str, name: str, data: bytes | None) -> None:
        """Opens what was picked in the page, a file or a sample, and sets `trait` to it."""
        source = self._samples.get(name) if data is None else data
        if source is None:
            return
        self._shown.error = ""
        picker.busy = True
        notes = (picker.note,) if picker.note else ()

        def open_picked(task: Task) -> None:
            try:
                image = load_image(source)
                image = dataclasses.replace(image, source=name, notes=(*notes, *image.notes))
            finally:
                picker.update(busy=False)
            self._shown.update(**{trait: image})

        self._jobs.submit(open_picked, f"pick {trait}")

    def find(self, digest: str, name: str) -> None:
        """Shows a photo that was shown before, or a sample; says so if it is neither."""
        # The key of an edited photo is that of the photo, and one of the edits.
        photo = digest.partition(" ")[0]
        kept = self._photos.get(digest) or self._photos.get(photo)
        if kept is None:
            self._jobs.submit(lambda task: self._find_sample(photo, name), "photo")
        elif isinstance(kept.image, EditedRun):
            self._shown.edits = list(kept.image.edits)
            self._shown.image = kept.image.image
        else:
            self._shown.image = kept.image

    def is_done(self) -> bool:
        """Whether all is there; raises if it will never be.

        Raises:
            ValueError: If there is no photo.
            RuntimeError: If there is no model; the reason is its cause.
        """
        shown = self._shown
        if shown.image is None:
            raise ValueError(
                "There is no photo yet. Choose one in the page, or set `explorer.image`. "
                "Received: image=None"
            )
        if shown.stopped:
            raise RuntimeError(
                f"No model was loaded: {shown.error or 'it was cancelled'}"
            ) from shown.last_error
        if shown.cache is None or shown.status:
            return False
        key = shown.image.fit(shown.cache.input_size).digest
        return (f"{key} {key_of(shown.edits)}" if shown.edits else key) == shown.photo

    def looked_at(self) -> tuple[ActivationCache, Any, bytes]:
        """What is explained: the photo shown, with the edits, also while their maps are made."""
        cache, photo = self._shown.cache, self._photos.get(self._shown.photo)
        if photo is None or cache is None:
            raise ValueError("There is nothing to explain yet: pick a photo.")
        picture = cropped(photo.jpeg, photo.picture["size"], photo.picture["box"])
        image: Any = photo.image
        if isinstance(image, EditedRun):
            image = image.image
        edits = tuple(self._shown.edits)
        return cache, EditedRun(cache, image, edits) if edits else image, picture

    def close(self) -> None:
        """Lets the model go."""
        self._given_cache = self._model = None

    def _find_sample(self, digest: str, name: str) -> None:
        assert self._shown.cache is not None
        if name in self._samples:
            image = load_image(self._samples[name], self._shown.cache.input_size)
            if image.digest == digest:
                self._shown.update(image=image)
                return
        raise ValueError(
            f"The photo {name!r} of this bookmark is not here; layer and channel are shown for the "
            "present one. Open the photo, then go back to the bookmark."
        )

    def _open(self, task: Task) -> None:
        """Loads TensorFlow and the model, then looks at the photo."""
        cache, shown = self._given_cache, self._shown
        if cache is None:
            if "tensorflow" not in sys.modules:
                task.progress(None, "Loading TensorFlow …")
            from .engine.activations import ActivationCache
            from .engine.models import load_model

            task.progress(None, "Loading the model …")
            model = load_model(self._model, progress=task.progress)
            task.check()
            cache = ActivationCache(model)
        with traits_lock:
            # Closed meanwhile? Under the lock, so that it cannot be closed half-way.
            task.check()
            shown.cache = cache
            self._generation = cache.generation
            about = cache.about
            shown.about = {"title": about.title, "note": about.note, "size": [*cache.input_size]}
            shown.why.size = [*cache.input_size]
            shown.tree.layers = [layer.to_row() for layer in cache.layers]
        self._look(task)
        self._compare(task)

    def _look(self, task: Task) -> None:
        """Makes the photo known to all widgets, then computes the rest of what they will ask."""
        shown = self._shown
        image, cache = shown.image, shown.cache
        assert cache is not None
        if image is None:
            shown.update(photo="", picture={}, predictions=[], status="")
            return
        task.progress(None, "Running the network …")
        photo = self._photos.of(image, cache.input_size)
        if shown.edits:
            photo = dataclasses.replace(photo, image=cache.run(photo.image, shown.edits))
        if not shown.photo:
            # Tracing the whole network takes a second: the way to the first map takes less.
            layer = self._first(cache)
            channel = shown.channel or _strongest(cache.activation(photo.image, layer))
            self._show(photo, task, layer=layer, channel=channel)
        predictions = cache.predictions(photo.image) or []
        stages = cache.stages(photo.image)
        self._show(photo, task)
        if not any(shown.stages.channels):
            strongest = [_strongest(stages[path]) for path in shown.stages.layers]
            shown.stages.update(channels=strongest)
        if any(not math.isfinite(p.probability) for p in predictions):
            # JSON has no word for them, and bars of them would say nothing.
            predictions = []
            shown.report(
                ValueError(
                    "The network's answer to this photo is not a number (NaN or infinity), so "
                    "there are no predictions. Look in its weights and in the edits."
                )
            )
        shown.update(predictions=[[p.label, p.probability] for p in predictions], status="")
        self._serving.show_memory()
        if not self._traced:
            self._traced = True
            self._serving.trace_ahead(photo.image)

    def _follow_weights(self, task: Task) -> None:
        cache = self._shown.cache
        if cache is None or (generation := cache.generation) == self._generation:
            return
        self._generation = generation
        self._shown.store.forget()
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

    def _show(self, photo: Photo, task: Task, **first_look: Any) -> None:
        shown = self._shown
        with traits_lock:
            key = self._photos.keep(photo, task, beside=shown.compare_photo)
            shown.picture = photo.picture
            shown.photo = key
            for child in (shown.map, shown.grid, shown.slider, shown.stages, shown.why):
                child.photo = key
            if shown.cache and not shown.stages.layers:
                shown.stages.layers = list(shown.cache.graph.stage_outputs[-4:])
            shown.update(**first_look)

    def _compare(self, task: Task) -> None:
        """Makes the second photo known to the page; its frames are made when they are wanted."""
        shown = self._shown
        if shown.compare is None:
            shown.update(compare_photo="", compare_picture={})
            return
        assert shown.cache is not None
        photo = self._photos.of(shown.compare, shown.cache.input_size)
        key = self._photos.keep(photo, task, beside=shown.photo)
        shown.update(compare_picture=photo.picture, compare_photo=key)


def _strongest(activation: np.ndarray) -> int:
    """Index of the channel with the greatest mean: a better first look than channel 0."""
    means = activation.mean(axis=tuple(range(activation.ndim - 1)))
    return int(np.nanargmax(means)) if np.isfinite(means).any() else 0
