"""explore() and Explorer: the one place where the engine and the widgets meet."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.util
import io
import sys
import threading
import time
import weakref
from collections import OrderedDict
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import traitlets
from PIL import Image

from . import bookmarks
from .engine.edits import EditedRun, edit_from_dict, key_of, masks_of
from .engine.images import InputImage, load_image
from .engine.regions import region_channels
from .engine.worker import Task, Worker
from .explaining import Explainer, cropped
from .frame import Frame
from .still import Still
from .widgets import (
    ActivationMap,
    ChannelSlider,
    ExplainPanel,
    FrameStore,
    ImagePicker,
    LayerTree,
    StageViewer,
)
from .widgets._base import Widget, clamp_cursor, clamp_index, module, traits_lock

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .engine.activations import ActivationCache
    from .export import SavedPage

# Photos of which the page may still ask for frames; older ones are forgotten.
_MAX_PHOTOS = 8
# Largest activation, in bytes, that is turned into a frame in the thread that the page waits for.
_MAX_AT_ONCE = 4 * 2**20
# Longest side, in pixels, of the picture that is sent to be looked at.
_SHOWN_SIDE = 900

# Largest picture in a saved notebook, where it is a third larger.
_STILL_BYTES = 140_000

_PAGE_MAY_SET = frozenset(
    {"layer", "channel", "cursor", "pixel", "region", "overlay", "bookmarks", "error"}
    | {"_view_count"}
)
# Traits of the map that a bookmark keeps: what its colours mean.
_COLOURS = ("blend", "symmetric", "clip", "limits", "colormap")

_SAMPLES = ("chelsea.png", "astronaut.png", "coffee.png", "rocket.jpg")


def explore(
    image: Any = None,
    model: Any = "auto",
    *,
    layer: str | None = None,
    cache: ActivationCache | None = None,
) -> Explorer:
    """Shows what each layer of a network makes of a photo.

    Returns at once; TensorFlow and the model are loaded in the background.

    Args:
        image: Anything `load_image` takes. Defaults to a sample photo if scikit-image is installed.
        model: A `keras.Model`, or what `load_model` takes. Ignored if `cache` is given.
        layer: Path of the layer to show first. Defaults to the end of the middle stage.
        cache: An `ActivationCache` to share with other widgets and with your own code.

    Returns:
        An `Explorer`: display it by making it the last line of a cell.

    Raises:
        ImageError: If `image` is not a picture.
        FileNotFoundError: If `image` is a path where there is no file.

    Example:

    >>> explorer = rw.explore("cat.jpg")
    >>> explorer.layer = "conv4_block6_out"
    """
    samples = _sample_photos()
    if image is None and samples:
        image = next(iter(samples.values()))
    explorer = Explorer(image, model, layer=layer, cache=cache)
    _close_former_of_this_cell(explorer)
    return explorer


class Explorer(Widget):
    """Photo, layer tree, channel slider, maps, stages and predictions, all of one network.

    Args:
        image: Anything `load_image` takes, or `None`.
        model: A `keras.Model`, or what `load_model` takes. Ignored if `cache` is given.
        layer: Path of the layer to show first.
        cache: An `ActivationCache` to use.

    Attributes:
        image: The photo. Set anything `load_image` takes; read an `InputImage` (or `None`).
        layer: Path of the layer shown; `""` until there is a photo.
        channel: Index of the channel shown.
        cursor: The cell pointed at, `[x0, y0, x1, y1]` from 0 to 1 in the photo, or `[]`.
        pixel: The pixel of the model's input pointed at, `[x, y]`, or `[]`. The cells that see it
            are outlined in all maps.
        region: A box drawn on the photo or on a map, like `cursor`, or `[]`; see `region_channels`.
        overlay: How much of the map lies over the photo, 0…1.
        compare: A second photo for the same layer and channel. Set anything `load_image` takes, or
            `None`; read an `InputImage` (or `None`).
        bookmarks: List of `dict`, at most 200; see `add_bookmark` and `replay`.
        cache: The `ActivationCache`, or `None` until the model is there.
        predictions: `[label, probability]` pairs, the most probable first.
        status: What is going on, `""` when all is done.
        edits: What is changed in the network: `Mute`, `Solo`, `Scale`, `Erase` of
            `resnet_widgets.explain`, in order. All maps and the predictions follow.
        store, tree, map, grid, slider, stages, picker, compare_picker, why: The widgets it is made
            of. They follow in the page; in the kernel their own `layer`, `channel` or `value` may
            lag behind.
    """

    _esm = module("../explorer.js")

    image = traitlets.Any(None, allow_none=True)
    edits: traitlets.List[Any] = traitlets.List()
    layer = traitlets.Unicode("").tag(sync=True)
    channel = traitlets.Int(0).tag(sync=True)
    cursor = traitlets.List(traitlets.Float()).tag(sync=True, echo_update=False)

    pixel = traitlets.List(traitlets.Int()).tag(sync=True, echo_update=False)
    region = traitlets.List(traitlets.Float()).tag(sync=True, echo_update=False)
    overlay = traitlets.Float(0.0).tag(sync=True, echo_update=False)
    compare = traitlets.Any(None, allow_none=True)
    bookmarks: traitlets.List[Any] = traitlets.List().tag(sync=True)

    photo = traitlets.Unicode("").tag(sync=True)
    picture = traitlets.Dict().tag(sync=True)
    compare_photo = traitlets.Unicode("").tag(sync=True)
    compare_picture = traitlets.Dict().tag(sync=True)
    predictions: traitlets.List[Any] = traitlets.List().tag(sync=True)
    about = traitlets.Dict().tag(sync=True)
    memory = traitlets.Dict().tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)
    progress = traitlets.Float(-1.0).tag(sync=True)
    stopped = traitlets.Bool(False).tag(sync=True)

    store = anywidget.WidgetTrait().tag(sync=True)
    tree = anywidget.WidgetTrait().tag(sync=True)
    map = anywidget.WidgetTrait().tag(sync=True)
    grid = anywidget.WidgetTrait().tag(sync=True)
    slider = anywidget.WidgetTrait().tag(sync=True)
    stages = anywidget.WidgetTrait().tag(sync=True)
    picker = anywidget.WidgetTrait().tag(sync=True)
    compare_picker = anywidget.WidgetTrait().tag(sync=True)
    why = anywidget.WidgetTrait().tag(sync=True)

    cache: ActivationCache | None = None

    def __init__(
        self,
        image: Any = None,
        model: Any = "auto",
        *,
        layer: str | None = None,
        cache: ActivationCache | None = None,
        **kwargs: Any,
    ) -> None:
        self._worker = Worker(self._on_progress)
        self._explainer = Explainer(self._looked_at)
        self._still = Still(self._draw_still)
        # Before the children, because a picture that is none must not leave widgets behind.
        image = None if image is None else load_image(image)
        self._given_cache = cache
        self._model = model
        self._first_layer = layer
        self._photos: OrderedDict[str, _Photo] = OrderedDict()
        self._traced = False
        self._generation = 0
        self._samples = _sample_photos()
        store = FrameStore(self._frame, exact=self._exact)
        super().__init__(
            store=store,
            tree=LayerTree(),
            map=ActivationMap(store=store, order="strength", values=False),
            grid=ActivationMap(store=store, mode="grid", order="strength", values=False),
            slider=ChannelSlider(store=store, order="strength"),
            stages=StageViewer(store=store),
            picker=ImagePicker(self._samples),
            compare_picker=ImagePicker(self._samples),
            why=ExplainPanel(self._explainer.ask, self._explainer.cancel, store=store),
            status="Starting …",
            **kwargs,
        )
        self.map.observe(self._refresh_still, ["colormap", "limits", "symmetric"])
        self.stages.observe(self._refresh_still, "channels")
        self.picker.on_pick(functools.partial(self._on_pick, self.picker, "image"))
        self.compare_picker.on_pick(
            functools.partial(self._on_pick, self.compare_picker, "compare")
        )
        self.why.observe(self._on_page_edits, "edits")
        self.on_msg(self._on_message)
        self.image = image
        self._start()

    def __repr__(self) -> str:
        # What a saved notebook shows where the widget cannot live.
        name = self.image.source if self.image is not None else "no photo"
        return (
            f"Explorer of {name}, {self.layer or 'no layer yet'}. Run the cell to bring it to life."
        )

    def _ipython_display_(self) -> None:
        self._still.display(super()._repr_mimebundle_())

    def _draw_still(self) -> bytes | None:
        from .overview import overview_png

        if self.cache is None or self.image is None or not self._is_ready():
            return None
        return overview_png(self._figure(), dpi=90, most=_STILL_BYTES)

    @traitlets.observe("layer", "channel", "predictions")
    def _refresh_still(self, _change: Any) -> None:
        self._still.refresh()

    def close(self) -> None:
        """Ends the background work and closes all widgets; the cache goes with its last user."""
        self._worker.close()
        self._explainer.close()
        self._still.close()
        with traits_lock:
            for name in (
                "why",
                "stages",
                "grid",
                "map",
                "slider",
                "tree",
                "picker",
                "compare_picker",
                "store",
            ):
                child = getattr(self, name)
                if child is not None:
                    child.close()
            self._photos = OrderedDict()
            self.cache = self._given_cache = self._model = None
            self.image = self.compare = None
            super().close()

    def refresh(self) -> None:
        """Computes everything anew, for instance after a step of training.

        New weights are also noticed by themselves, when the next layer is chosen.
        """
        if self.cache is not None:
            self.cache.clear()
            self._submit(self._follow_weights, "weights")

    # -- what the user can save --------------------------------------------------------------------

    def wait(self, timeout: float = 300) -> Explorer:
        """Waits until photo, maps and predictions are there.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            The explorer itself.

        Raises:
            ValueError: If there is no photo to wait for.
            RuntimeError: If the model could not be loaded; the reason is its cause.
            TimeoutError: If it takes longer.
        """
        changed = threading.Event()
        names = ["image", "photo", "status", "stopped", "predictions"]
        wake = lambda _change: changed.set()  # noqa: E731
        self.observe(wake, names)
        end = time.monotonic() + timeout
        try:
            while not self._is_ready():
                if not changed.wait(max(0, end - time.monotonic())):
                    raise TimeoutError(
                        f"Not there after {timeout:g} s: {self.status or 'still computing'}. "
                        "Wait longer with a larger `timeout`."
                    )
                changed.clear()
        finally:
            self.unobserve(wake, names)
        return self

    def _is_ready(self) -> bool:
        """Whether all is there; raises if it will never be."""
        if self.image is None:
            raise ValueError(
                "There is no photo yet. Choose one in the page, or set `explorer.image`. "
                "Received: image=None"
            )
        if self.stopped:
            raise RuntimeError(
                f"No model was loaded: {self.error or 'it was cancelled'}"
            ) from self.last_error
        if self.cache is None or self.status:
            return False
        key = self.image.fit(self.cache.input_size).digest
        return (f"{key} {key_of(self.edits)}" if self.edits else key) == self.photo

    def to_html(self, path: Any, *, layers: Any = None, timeout: float = 300) -> SavedPage:
        """Saves a page in which the explorer works with no kernel and no network.

        Args:
            path: Name of the file. One that is there is replaced.
            layers: Paths of the layers to put in; `"all-relu"` for all that end in a ReLU; `None`
                for the ReLU of the stem, the output of every residual block, and the vectors of
                the head. Layers that are on show always go along.
            timeout: Seconds to wait for a model that is still loading.

        Returns:
            A `SavedPage`, which says how large it is.

        Raises:
            ValueError: If there is no photo yet, or no such layer.
            OSError: If the file cannot be written.

        Example:

        >>> rw.explore("cat.jpg").to_html("cat.html")
        <cat.html: 0.9 MB, 20 of 177 layers>
        """
        from .export import save_page

        self.wait(timeout)
        assert self.cache is not None
        with traits_lock:
            photos = dict(self._photos)
        return save_page(path, self, self.cache, photos, layers=layers)

    def to_png(self, path: Any = None, *, dpi: int = 150, timeout: float = 300) -> Path | bytes:
        """Draws the present view as one figure: photo, map, channels, stages, predictions.

        Args:
            path: Name of the file. One that is there is replaced. Defaults to `None`: no file.
            dpi: Dots an inch; the figure is 10 inches wide.
            timeout: Seconds to wait for what is still being computed.

        Returns:
            The path of the file, or where no path was given the PNG itself, as `bytes`.

        Raises:
            ValueError: If there is no photo yet, or `dpi` is not between 20 and 1200.
            OSError: If the file cannot be written.
        """
        from .files import replacing
        from .overview import overview_png

        if isinstance(dpi, bool) or not isinstance(dpi, (int, float)) or not 20 <= dpi <= 1200:
            raise ValueError(f"`dpi` must be a number from 20 to 1200. Received: dpi={dpi!r}")
        self.wait(timeout)
        if path is None:
            return overview_png(self._figure(), dpi=int(dpi))
        with replacing(path) as file:
            file.write(overview_png(self._figure(), dpi=int(dpi)))
        return Path(path)

    def _figure(self) -> Figure:
        """The present view; everything must be there."""
        from .overview import plot_overview

        with traits_lock:
            cache, image, layer, channel = self.cache, self.image, self.layer, self.channel
            view, stages = self.map, self.stages
            colormap, limits, symmetric = view.colormap, view.limits, view.symmetric
            columns = dict(zip(stages.layers, stages.channels, strict=False))
        assert cache is not None
        if colormap == "auto":
            colormap = "coolwarm" if symmetric else "viridis"
        if symmetric and not limits:
            most = float(np.nanmax(np.abs(cache.activation(image, layer)[..., channel])))
            limits = [-most, most]
        return plot_overview(
            cache, image, layer, channel, cmap=colormap, limits=limits or None, stages=columns
        )

    # -- what the user sets ------------------------------------------------------------------------

    @traitlets.validate("image", "compare")
    def _load(self, proposal: dict[str, Any]) -> InputImage | None:
        image = proposal["value"]
        if image is None:
            return None
        return load_image(image, self.cache.input_size) if self.cache else load_image(image)

    @traitlets.observe("image")
    def _look_at_image(self, _change: Any) -> None:
        self.error = ""
        if self.cache is not None:
            self._submit(self._look, "photo")

    @traitlets.observe("compare")
    def _look_at_second(self, _change: Any) -> None:
        self.error = ""
        if self.cache is not None:
            self._submit(self._compare, "compare")

    @traitlets.validate("edits")
    def _check_edits(self, proposal: dict[str, Any]) -> list[Any]:
        edits = list(proposal["value"])
        if self.cache is not None:
            masks_of(edits, self.cache.graph)
        return edits

    @traitlets.observe("edits")
    def _edit(self, _change: Any) -> None:
        self.error = ""
        self.why.edits = [edit.to_dict() for edit in self.edits]
        if self.cache is not None:
            self._submit(self._look, "photo")

    def _on_page_edits(self, change: Any) -> None:
        if change["new"] == [edit.to_dict() for edit in self.edits]:
            return
        try:
            self.edits = [edit_from_dict(edit) for edit in change["new"]]
        except ValueError as error:
            self.why.report(error)
            self.why.edits = [edit.to_dict() for edit in self.edits]
        else:
            self.why.error = ""

    def _looked_at(self) -> tuple[ActivationCache, Any, bytes]:
        """What is explained: the photo shown, with its edits."""
        shown = self._photos.get(self.photo)
        if shown is None or self.cache is None:
            raise ValueError("There is nothing to explain yet: pick a photo.")
        picture = cropped(shown.jpeg, shown.picture["size"], shown.picture["box"])
        return self.cache, shown.image, picture

    @traitlets.validate("layer")
    def _check_layer(self, proposal: dict[str, Any]) -> str:
        path = proposal["value"]
        if self.cache is not None and path:
            self.cache.graph.find(path)
        return path

    @traitlets.observe("layer")
    def _fit_to_layer(self, _change: Any) -> None:
        if self.cache is None or not self.layer:
            return
        self.map.labels = list(self.cache.labels(self.layer) or ())
        self._submit(self._follow_weights, "weights")
        # The new layer may have fewer channels.
        self.channel = self.channel

    @traitlets.validate("channel")
    def _clamp_channel(self, proposal: dict[str, Any]) -> int:
        count = None
        if self.cache is not None and self.layer:
            count = self.cache.graph.find(self.layer).shape[-1]
        return clamp_index(proposal["value"], count)

    @traitlets.validate("cursor", "region")
    def _clamp_box(self, proposal: dict[str, Any]) -> list[float]:
        return clamp_cursor(proposal["value"])

    @traitlets.validate("pixel")
    def _clamp_pixel(self, proposal: dict[str, Any]) -> list[int]:
        pixel = proposal["value"]
        if len(pixel) != 2 or self.cache is None:
            return []
        height, width = self.cache.input_size
        return [clamp_index(pixel[0], width), clamp_index(pixel[1], height)]

    @traitlets.validate("overlay")
    def _clamp_overlay(self, proposal: dict[str, Any]) -> float:
        value = proposal["value"]
        return min(1.0, max(0.0, value)) if value == value else 0.0

    @traitlets.validate("bookmarks")
    def _check_bookmarks(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        return bookmarks.check_bookmarks(proposal["value"])

    def accepts(self, name: str, value: Any) -> bool:
        """What a hand can set; a layer must be one that exists, a bookmark one that is whole."""
        if name == "layer" and not self._is_layer(value):
            return False
        if name == "bookmarks":
            try:
                bookmarks.check_bookmarks(value)
            except ValueError:
                return False
        return name in _PAGE_MAY_SET and super().accepts(name, value)

    def _is_layer(self, path: Any) -> bool:
        rows = self.cache.layers if self.cache else ()
        return path == "" or any(row.path == path for row in rows)

    # -- what the user asks for --------------------------------------------------------------------

    @property
    def selected_array(self) -> np.ndarray:
        """The activation of the selected channel: read-only `float32` of shape `(H, W)`.

        These are the model's own numbers, not those of the picture. Of a layer that gives a vector
        it is the one number of the channel, of shape `()`. Computed now if it is not in the cache.

        Raises:
            RuntimeError: If there is no photo yet, or no model.
        """
        activation = self._selected_activation()
        return activation[..., min(self.channel, activation.shape[-1] - 1)]

    def region_channels(self, n: int = 10) -> list[tuple[int, float]]:
        """The channels that fire most in `region`, against the rest of the picture.

        Args:
            n: How many at most. Defaults to 10.

        Returns:
            `(channel, score)` pairs, the highest score first, from the exact activations; see
            `resnet_widgets.region_scores` for the formula. `[]` if no region is drawn.

        Raises:
            RuntimeError: As `selected_array`.
            ValueError: If the layer has no places, or the region is the whole picture.
        """
        return region_channels(self._selected_activation(), self.region, n) if self.region else []

    def swap(self) -> None:
        """Makes the second photo the first, and the other way round."""
        if self.compare is not None:
            self.image, self.compare = self.compare, self.image

    def add_bookmark(self, note: str = "") -> None:
        """Keeps what is on show now: photo, layer, channel, colours, region, and a note.

        Raises:
            ValueError: If the note is longer than 2000 characters, or there are 200 bookmarks.
            RuntimeError: If there is nothing on show yet.
        """
        if not self.layer:
            raise RuntimeError("Nothing is on show yet, so there is nothing to keep.")
        entry = {
            "photo": self.picture.get("name", ""),
            "digest": self.photo,
            "layer": self.layer,
            "channel": self.channel,
            "region": self.region,
            "note": note,
            "colours": {name: getattr(self.map, name) for name in _COLOURS},
        }
        self.bookmarks = [*self.bookmarks, entry]

    def replay(self, bookmark: int | dict[str, Any]) -> None:
        """Shows again what a bookmark kept.

        A photo is found if it was shown lately, or is a sample. One that is not stays away: layer,
        channel and colours are shown for the photo that is there, and `error` says so.

        Args:
            bookmark: Its index in `bookmarks`, or a bookmark.

        Raises:
            IndexError: If there is none of this index.
            ValueError: If it is no bookmark, or there is no such layer.
            TraitError: If its colours are none that a map can have.
        """
        entry = self.bookmarks[bookmark] if isinstance(bookmark, int) else bookmark
        entry = bookmarks.check_bookmark(entry)
        known = {name: value for name, value in entry["colours"].items() if name in _COLOURS}
        self.map.update(**known)
        self.update(layer=entry["layer"], channel=entry["channel"], region=entry["region"])
        if entry["digest"] not in ("", self.photo):
            self._find_photo(entry["digest"], entry["photo"])

    def save_bookmarks(self, path: str | Path) -> None:
        """Writes all bookmarks to a JSON file. They hold no pictures, only names and digests."""
        Path(path).write_text(bookmarks.to_json(self.bookmarks), encoding="utf-8")

    def load_bookmarks(self, path: str | Path) -> None:
        """Adds the bookmarks of a file that `save_bookmarks` wrote to those that are there.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file holds something else, or there would be more than 200.
        """
        self.bookmarks = [*self.bookmarks, *bookmarks.from_json(Path(path).read_bytes())]

    def _selected_activation(self) -> np.ndarray:
        image, cache = self.image, self.cache
        if cache is None or image is None or not self.layer:
            missing = "model" if cache is None else "photo" if image is None else "layer"
            raise RuntimeError(
                f"There is no {missing} yet. Wait until `explorer.status` is empty, or look at "
                f"`explorer.error`. Received: status {self.status!r}, error {self.error!r}"
            )
        return cache.activation(image, self.layer)

    # -- in the background -------------------------------------------------------------------------

    def _start(self) -> None:
        self.stopped = False
        self.error = ""
        self._submit(self._open, "model")

    def _submit(self, function: Any, kind: str) -> None:
        """Runs `function(task)` in the worker; what it raises is shown here."""
        future = self._worker.submit(function, kind=kind)
        future.add_done_callback(self._on_done)

    def _on_done(self, future: Future) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            self.update(status="", stopped=self.cache is None)
        if error is not None and not isinstance(error, CancelledError):
            self.report(error)
        self.update(progress=-1.0)

    def _on_progress(self, fraction: float | None, text: str) -> None:
        self.update(status=text, progress=-1.0 if fraction is None else fraction)

    def _open(self, task: Task) -> None:
        """Loads TensorFlow and the model, then looks at the photo."""
        cache = self._given_cache
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
            self.cache = cache
            self._generation = cache.generation
            about = cache.about
            self.about = {"title": about.title, "note": about.note, "size": [*cache.input_size]}
            self.tree.layers = [layer.to_row() for layer in cache.layers]
        self._look(task)
        self._compare(task)

    def _first(self, cache: ActivationCache) -> str:
        """Path of the layer to begin with: the one asked for, or the end of the middle stage."""
        wanted, self._first_layer = self.layer or self._first_layer, None
        if wanted and not self._is_layer(wanted):
            try:
                cache.graph.find(wanted)
            except ValueError as error:
                self.report(error)
            wanted = None
        outputs = cache.graph.stage_outputs or (cache.graph.output,)
        return wanted or outputs[len(outputs) // 2]

    def _look(self, task: Task) -> None:
        """Makes the photo known to all widgets, then computes the rest of what they will ask."""
        image, cache = self.image, self.cache
        assert cache is not None
        if image is None:
            self.update(photo="", picture={}, predictions=[], status="")
            return
        task.progress(None, "Running the network …")
        photo = self._photo_of(image)
        if self.edits:
            photo = dataclasses.replace(photo, image=cache.run(photo.image, self.edits))
        if not self.photo:
            # Tracing the whole network takes a second: the way to the first map takes less.
            layer = self._first(cache)
            channel = self.channel or _strongest(cache.activation(photo.image, layer))
            self._show(photo, task, layer=layer, channel=channel)
        predictions = cache.predictions(photo.image) or []
        stages = cache.stages(photo.image)
        self._show(photo, task)
        if not any(self.stages.channels):
            strongest = [_strongest(stages[path]) for path in self.stages.layers]
            self.stages.update(channels=strongest)
        self.update(predictions=[[p.label, p.probability] for p in predictions], status="")
        self._update_memory()
        if not self._traced:
            self._traced = True
            self._trace_ahead(photo.image)

    def _compare(self, task: Task) -> None:
        """Makes the second photo known to the page; its frames are made when they are wanted."""
        image = self.compare
        if image is None:
            self.update(compare_photo="", compare_picture={})
            return
        photo = self._photo_of(image)
        self._keep(photo, task, beside=self.photo)
        self.update(compare_picture=photo.picture, compare_photo=photo.image.digest)

    def _photo_of(self, image: InputImage) -> _Photo:
        """What is kept of `image`; one that comes from there keeps its picture."""
        assert self.cache is not None
        fitted = image.fit(self.cache.input_size)
        kept = self._photos.get(fitted.digest)
        return kept if kept is not None and kept.image is fitted else _Photo.of(fitted)

    def _follow_weights(self, task: Task) -> None:
        """Looks at the photo again if the page may hold what older weights gave."""
        if self.cache is None or self.cache.generation == self._generation:
            return
        self._generation = self.cache.generation
        self.store.forget()
        self._look(task)

    def _trace_ahead(self, image: InputImage | EditedRun) -> None:
        """Runs each piece once, whenever nothing else is asked for.

        The first run of a piece is its slowest, by ten times. The newest request runs first, so
        whatever the page wants comes before these.
        """
        assert self.cache is not None

        def first_run(path: str) -> None:
            self._worker.submit(lambda task: self._compute(image, path))

        for piece in reversed(self.cache.graph.pieces):
            first_run(piece.paths[0])

    def _show(self, photo: _Photo, task: Task, **first_look: Any) -> None:
        with traits_lock:
            key = self._keep(photo, task, beside=self.compare_photo)
            self.picture = photo.picture
            self.photo = key
            for child in (self.map, self.grid, self.slider, self.stages, self.why):
                child.photo = key
            if self.cache and not self.stages.layers:
                self.stages.layers = list(self.cache.graph.stage_outputs[-4:])
            self.update(**first_look)

    def _keep(self, photo: _Photo, task: Task, *, beside: str) -> str:
        """Keeps a photo among the last few, and the one `beside` it on show; returns its key."""
        key = photo.image.digest
        with traits_lock:
            task.check()
            self._photos[key] = photo
            self._photos.move_to_end(key)
            for old in list(self._photos)[: len(self._photos) - _MAX_PHOTOS]:
                if old != beside:
                    del self._photos[old]
                    self.store.forget(old)
        return key

    def _find_photo(self, digest: str, name: str) -> None:
        """Shows a photo that was shown before, or a sample; says so if it is neither."""
        kept = self._photos.get(digest)
        if kept is not None:
            # Under the key of an edited photo lies what was done to it.
            if isinstance(kept.image, EditedRun):
                self.edits = list(kept.image.edits)
                self.image = kept.image.image
            else:
                self.edits = []
                self.image = kept.image
        else:
            self._submit(lambda task: self._find_sample(digest, name), "photo")

    def _find_sample(self, digest: str, name: str) -> None:
        assert self.cache is not None
        if name in self._samples:
            image = load_image(self._samples[name], self.cache.input_size)
            if image.digest == digest:
                self.update(image=image)
                return
        raise ValueError(
            f"The photo {name!r} of this bookmark is not here; layer and channel are shown for the "
            "present one. Open the photo, then go back to the bookmark."
        )

    def _find(self, photo: str, layer: str) -> tuple[InputImage | EditedRun, str]:
        """The photo and the layer that the page means."""
        shown, cache = self._photos.get(photo), self.cache
        if shown is None or cache is None:
            raise ValueError("This photo is no longer in memory. Pick it again to see it.")
        return shown.image, cache.graph.find(layer).path

    def _frame(self, photo: str, layer: str) -> Frame | Future[Frame]:
        """What the store asks for: at once if it is there and small, else from the worker."""
        image, path = self._find(photo, layer)
        activation = self._cached(image, path)
        if activation is not None and activation.nbytes <= _MAX_AT_ONCE:
            return Frame.from_activation(activation, layer=path)
        return self._worker.submit(
            lambda task: Frame.from_activation(self._compute(image, path), layer=path)
        )

    def _exact(self, photo: str, layer: str) -> np.ndarray | Future[np.ndarray]:
        """The activation whose numbers the page asks for."""
        image, path = self._find(photo, layer)
        activation = self._cached(image, path)
        if activation is not None:
            return activation
        return self._worker.submit(lambda task: self._compute(image, path))

    def _cached(self, image: InputImage | EditedRun, path: str) -> np.ndarray | None:
        cache = self.cache
        if cache is None or path not in cache.cached(image):
            return None
        return cache.activation(image, path)

    def _compute(self, image: InputImage | EditedRun, path: str) -> np.ndarray:
        assert self.cache is not None
        self.tree.update(computing=path)
        try:
            return self.cache.activation(image, path)
        finally:
            # Later, and once for many: the page waits for the frame, not for this.
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                self._worker.submit(lambda task: self._update_memory(), kind="memory")

    def _update_memory(self) -> None:
        self.tree.update(computing="")
        cache, shown = self.cache, self._photos.get(self.photo)
        if cache is None or shown is None:
            return
        info = cache.info()
        self.update(memory={"nbytes": info.nbytes, "max_bytes": info.max_bytes})
        # The input is there without being computed.
        self.tree.update(cached=sorted({cache.layers[0].path} | cache.cached(shown.image)))

    # -- what the page asks ------------------------------------------------------------------------

    def _on_pick(self, picker: ImagePicker, trait: str, name: str, data: bytes | None) -> None:
        source = self._samples.get(name) if data is None else data
        if source is None:
            return
        self.error = ""
        picker.busy = True
        notes = (picker.note,) if picker.note else ()
        self._submit(
            lambda task: self._open_picked(picker, trait, name, source, notes), f"pick {trait}"
        )

    def _open_picked(
        self, picker: ImagePicker, trait: str, name: str, source: Any, notes: tuple[str, ...]
    ) -> None:
        try:
            image = load_image(source)
            image = dataclasses.replace(image, source=name, notes=(*notes, *image.notes))
        finally:
            picker.update(busy=False)
        self.update(**{trait: image})

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "picture":
            self._send_picture(content.get("photo"))
        elif kind == "ping":
            self.send({"kind": "pong"})
        elif kind == "swap":
            self.swap()
        elif kind == "remove":
            self.compare = None
        elif kind == "show" and self.cache is not None:
            names = (content.get("photo"), content.get("name"))
            if all(isinstance(name, str) for name in names):
                self._find_photo(*names)
        elif kind == "cancel":
            self._worker.cancel()
        elif kind == "retry" and self.cache is None:
            self._start()

    def _send_picture(self, photo: Any) -> None:
        shown = self._photos.get(photo) if isinstance(photo, str) else None
        if shown is not None:
            self.send({"kind": "picture", "photo": photo}, [shown.jpeg])


@dataclasses.dataclass(frozen=True)
class _Photo:
    """What is kept of a photo: what the model sees, and a picture of it for the page."""

    image: InputImage | EditedRun
    picture: dict[str, Any]
    jpeg: bytes

    @classmethod
    def of(cls, image: InputImage) -> _Photo:
        height, width = image.original.shape[:2]
        picture = {
            "name": image.source,
            "size": [height, width],
            "box": list(image.box),
            "notes": list(image.notes),
        }
        shown = Image.fromarray(image.original)
        shown.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
        file = io.BytesIO()
        shown.save(file, "JPEG", quality=90)
        # The original can be 150 MB, and the last few photos are kept.
        return cls(dataclasses.replace(image, original=image.pixels), picture, file.getvalue())


def _strongest(activation: np.ndarray) -> int:
    """Index of the channel with the greatest mean: a better first look than channel 0."""
    means = activation.mean(axis=tuple(range(activation.ndim - 1)))
    return int(np.nanargmax(means)) if np.isfinite(means).any() else 0


def _sample_photos() -> dict[str, Path]:
    """Photos that come with scikit-image, by name; none where it is not installed."""
    found = importlib.util.find_spec("skimage")
    if found is None or not found.origin:
        return {}
    paths = [Path(found.origin).parent / "data" / name for name in _SAMPLES]
    return {path.name: path for path in paths if path.is_file()}


# The explorers that each notebook cell made last, with the number of that run.
_of_cell: dict[str, tuple[int, list[weakref.ref[Explorer]]]] = {}


def _close_former_of_this_cell(explorer: Explorer) -> None:
    """Closes the explorers that the same cell made when it ran before.

    ipywidgets keeps every widget alive until it is closed, so without this a cell that is run
    again and again would hold one explorer, with all its memory, for each time.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or not hasattr(shell, "get_parent"):
        return
    cell = shell.get_parent().get("metadata", {}).get("cellId")
    if not cell:
        return
    run, made = _of_cell.get(cell, (shell.execution_count, []))
    if run != shell.execution_count:
        for former in filter(None, (ref() for ref in made)):
            former.close()
        made = []
    _of_cell[cell] = (shell.execution_count, [*made, weakref.ref(explorer)])
