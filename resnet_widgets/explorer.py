"""Explorer: the one place where the engine and the widgets meet."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from . import bookmarks
from .engine.edits import edit_from_dict
from .engine.images import load_image
from .engine.regions import region_channels
from .explaining import Explainer
from .explorer_parts import close_parts, make_parts
from .explorer_state import ExplorerState
from .files import replacing
from .jobs import Jobs
from .looking import Looking
from .photos import Photos, sample_photos
from .serving import Serving
from .still import Still
from .widgets import ExplainPanel, FrameStore, ImagePicker
from .widgets._base import module, one_line, traits_lock
from .widgets._coloured import COLOURS

if TYPE_CHECKING:
    from .engine.activations import ActivationCache
    from .engine.images import InputImage
    from .export import SavedPage

# Largest picture in a saved notebook, where it is a third larger.
_STILL_BYTES = 140_000


def _forget_pick(picker: ImagePicker, image: InputImage | None) -> None:
    """Once another picture is shown than was picked, the same one can be picked again."""
    if image is None or image.source != picker.name:
        picker.update(name="", note="")


class Explorer(ExplorerState):
    """Photo, layer tree, channel slider, maps, stages and predictions, all of one network.

    Args:
        image: Anything `load_image` takes, or `None`.
        model: A `keras.Model`, or what `load_model` takes. Ignored if `cache` is given.
        layer: Path of the layer to show first.
        cache: An `ActivationCache` to use.

    Attributes:
        image: The photo. Set anything `load_image` takes; read an `InputImage` (or `None`).
        layer: Path of the layer shown; `""` until there is a photo.
        channel: Index of the channel shown. It stays when another layer is chosen; where that has
            fewer channels it is the last, and the strongest of them once that is known (`wait`).
        cursor: The cell pointed at, `[x0, y0, x1, y1]` from 0 to 1 in the photo, or `[]`.
        pixel: The pixel of the model's input pointed at, `[x, y]`, or `[]`. The cells that see it
            are outlined in all maps.
        region: A box drawn on the photo or on a map, like `cursor`, or `[]`; see `region_channels`.
        overlay: How much of the map lies over the photo, 0…1.
        whole: Whether the photo is shown whole, with the part that the model sees marked.
        help_open: Whether the card of keys is open.
        compare: A second photo for the same layer and channel. Set anything `load_image` takes, or
            `None`; read an `InputImage` (or `None`).
        bookmarks: List of `dict`, at most 200; see `add_bookmark` and `replay`.
        cache: The `ActivationCache`, or `None` until the model is there.
        predictions: `[label, probability]` pairs, the most probable first.
        status: What is going on, `""` when all is done.
        edits: What is changed in the network: `Mute`, `Solo`, `Scale`, `Erase` of
            `resnet_widgets.explain`, in order. All maps and the predictions follow.
        store, tree, map, grid, slider, stages, picker, compare_picker, why: The widgets it is made
            of. What they share with it is to be set here.
    """

    _esm = module("../explorer.js")
    # Whether the channel was made to fit the layer, and the page not told.
    _is_channel_unsaid = False

    def __init__(
        self,
        image: Any = None,
        model: Any = "auto",
        *,
        layer: str | None = None,
        cache: ActivationCache | None = None,
        **kwargs: Any,
    ) -> None:
        samples = sample_photos()
        self._jobs = Jobs(self)
        self._photos = Photos(lambda key: self.store.forget(key))
        self._serving = Serving(self, self._jobs.worker, self._photos)
        self._looking = Looking(
            self,
            self._jobs,
            self._photos,
            self._serving,
            samples,
            cache=cache,
            model=model,
            layer=layer,
        )
        self._explainer = Explainer(self._looking.looked_at)
        self._still = Still(self._draw_still)
        # Before the parts, because a picture that is none must not leave widgets behind.
        image = None if image is None else load_image(image)
        store = FrameStore(self._serving.frame, exact=self._serving.exact)
        why = ExplainPanel(self._explainer.ask, self._explainer.cancel, store=store)
        self._parts = make_parts(store, why, samples)
        try:
            super().__init__(**self._parts, status="Starting …", **kwargs)
        except Exception:
            close_parts(self._parts)
            raise
        self.map.observe(self._refresh_still, list(COLOURS))
        self.stages.observe(self._refresh_still, ["layers", "channels"])
        for picker, trait in ((self.picker, "image"), (self.compare_picker, "compare")):
            picker.on_pick(functools.partial(self._looking.pick, picker, trait))
        self.why.observe(self._on_page_edits, "edits")
        self.on_msg(self._on_message)
        self.image = image
        self._looking.start()

    def _shows(self) -> str:
        name = self.image.source if self.image is not None else "no photo"
        return f"{one_line(name, 32)}, {self.layer or 'no layer yet'}"

    def _ipython_display_(self) -> None:
        self._still.display(super()._repr_mimebundle_())

    def _draw_still(self) -> bytes | None:
        from .drawing import png_of

        if not self._looking.is_done():
            return None
        return png_of(self, dpi=90, most=_STILL_BYTES)

    # After each look the status is empty, also where nothing else is another.
    @traitlets.observe("layer", "channel", "status")
    def _refresh_still(self, _change: Any) -> None:
        self._still.refresh()

    def close(self) -> None:
        """Ends the background work and closes all widgets; the cache goes with its last user."""
        if self.comm is None:
            # ipywidgets closes once more when Python collects what is closed. That can be in any
            # thread, whatever locks it holds, so it must not wait for one.
            return
        self._jobs.worker.close()
        self._serving.close()
        self._explainer.close()
        self._still.close()
        with traits_lock:
            close_parts(self._parts)
            self._photos.clear()
            self._looking.close()
            self.cache = None
            self.image = self.compare = None
            super().close()

    def refresh(self) -> None:
        """Computes everything anew, for instance after a step of training.

        New weights are also noticed by themselves, when the next layer is chosen.
        """
        if self.cache is not None:
            self.cache.clear()
            self._looking.follow_weights()

    # -- what the user can save --------------------------------------------------------------------

    def wait(self, timeout: float = 300) -> Explorer:
        """Waits until both photos and the predictions are there, with edits and present weights.

        A photo of a bookmark is waited for too; where it is not found, `error` says so.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            The explorer itself.

        Raises:
            ValueError: If there is no photo to wait for.
            RuntimeError: If the model could not be loaded, or a photo not be shown, or somebody
                cancelled it; the reason is its cause. Or if it is called by an observer for which
                the explorer itself would have to wait.
            TimeoutError: If it takes longer.
        """
        self._looking.wait(timeout)
        return self

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
        <cat.html: 0.6 MB, 20 of 177 layers>
        """
        from .export import save_page

        self.wait(timeout)
        assert self.cache is not None
        return save_page(path, self, self.cache, self._photos.all, layers=layers)

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
        from .drawing import png_of

        if isinstance(dpi, bool) or not isinstance(dpi, (int, float)) or not 20 <= dpi <= 1200:
            raise ValueError(f"`dpi` must be a number from 20 to 1200. Received: dpi={dpi!r}")
        self.wait(timeout)
        png = png_of(self, dpi=int(dpi))
        if path is None:
            return png
        with replacing(path) as file:
            file.write(png)
        return Path(path).expanduser()

    # -- what the user sets ------------------------------------------------------------------------

    @traitlets.observe("image")
    def _look_at_image(self, _change: Any) -> None:
        _forget_pick(self.picker, self.image)
        self._looking.stop_picking("image")
        self._looking.look()

    @traitlets.observe("edits")
    def _edit(self, _change: Any) -> None:
        self.why.edits = [edit.to_dict() for edit in self.edits]
        self._looking.look()

    @traitlets.observe("compare")
    def _look_at_second(self, _change: Any) -> None:
        _forget_pick(self.compare_picker, self.compare)
        self._looking.stop_picking("compare")
        self._looking.compare()

    def _on_page_edits(self, change: Any) -> None:
        if change["new"] == [edit.to_dict() for edit in self.edits]:
            return
        try:
            self.edits = [edit_from_dict(edit) for edit in change["new"]]
        except (ValueError, OverflowError) as error:
            self.why.report(error)
            self.why.edits = [edit.to_dict() for edit in self.edits]
        else:
            self.why.error = ""

    @traitlets.observe("layer")
    def _fit_to_layer(self, _change: Any) -> None:
        if self.cache is None or not self.layer:
            return
        self.map.labels = list(self.cache.labels(self.layer) or ())
        self._looking.follow_weights()
        count = self.cache.graph.find(self.layer).shape[-1]
        if count is None or self.channel < count:
            self._say_channel()
        elif self.image is None:
            self.channel = count - 1
        else:
            # Unsaid: a page goes to the strongest by itself when it has the frame.
            self.mirror(channel=count - 1)
            self._is_channel_unsaid = True
            self._looking.go_strongest()

    @traitlets.validate("channel")
    def _clamp_channel(self, proposal: dict[str, Any]) -> int:
        self._looking.stop_choosing()
        channel = super()._clamp_channel(proposal)
        if channel == self.channel:
            self._say_channel()
        return channel

    @traitlets.observe("channel")
    def _channel_is_said(self, _change: Any) -> None:
        self._is_channel_unsaid = False

    def _say_channel(self) -> None:
        """Tells the page of a channel that it left alone, and that is to stay after all."""
        if self._is_channel_unsaid:
            self._is_channel_unsaid = False
            self.send_state("channel")

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

    def early_reading(self, photos: Any) -> None:
        """Shows in "Why?" which labelled photos each block thinks the photo is nearest to.

        Returns at once; the photos are opened, and run through the network, in the background. For
        the numbers themselves see `resnet_widgets.explain.early_reading`.

        Args:
            photos: `{"cat": [photo, …], "dog": [photo, …]}` or `(photo, label)` pairs: anything
                `load_image` takes, at most 512. `None` lets those go that were given before.

        Raises:
            ValueError: If it is something else, or there are fewer than two labels.

        Example:

        >>> explorer.early_reading({"cat": ["cat1.jpg", "cat2.jpg"], "dog": ["dog1.jpg"]})
        """
        words = self._explainer.read_with(photos)
        # Emptied first: other photos may be described by the same words.
        self.why.update(labelled="")
        self.why.update(labelled=words)
        if words:
            self.why.update(section="reading", opened=True)

    def swap(self) -> None:
        """Makes the second photo the first, and the other way round."""
        if self.compare is not None:
            self.image, self.compare = self.compare, self.image

    def add_bookmark(self, note: str = "") -> None:
        """Keeps what is on show now: both photos, edits, layer, channel, colours, region, a note.

        Raises:
            ValueError: If the note is longer than 2000 characters, there are 200 bookmarks, or more
                than 64 edits.
            RuntimeError: If there is no photo on show yet; `wait` for it.
        """
        if not self.photo:
            raise RuntimeError(
                "Nothing is on show yet, so there is nothing to keep: first `explorer.wait()`."
            )
        entry = bookmarks.bookmark_of(self, note)
        self.bookmarks = [*self.bookmarks, entry]

    def replay(self, bookmark: int | dict[str, Any]) -> None:
        """Shows again what a bookmark kept.

        A photo is found if it was shown lately, or is a sample. One that is not stays away: layer,
        channel, colours and edits are shown for the photo that is there, and `error` says so. A
        bookmark without a second photo leaves that as it is.

        Args:
            bookmark: Its index in `bookmarks`, or a bookmark.

        Raises:
            IndexError: If there is none of this index.
            ValueError: If it is no bookmark, or the model has no such layer, or none that such an
                edit fits.
            TraitError: If its colours are none that a map can have.
        """
        entry = self.bookmarks[bookmark] if isinstance(bookmark, int) else bookmark
        bookmarks.show_bookmark(self, entry, self._looking.find)

    def save_bookmarks(self, path: str | Path) -> None:
        """Writes all bookmarks to a JSON file. They hold no pictures, only names and digests."""
        with replacing(path) as file:
            file.write(bookmarks.to_json(self.bookmarks).encode())

    def load_bookmarks(self, path: str | Path) -> None:
        """Adds the bookmarks of a file that `save_bookmarks` wrote to those that are there.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file holds something else, or there would be more than 200.
        """
        text = Path(path).expanduser().read_bytes()
        self.bookmarks = [*self.bookmarks, *bookmarks.from_json(text)]

    def _selected_activation(self) -> np.ndarray:
        image, cache = self.image, self.cache
        if cache is None or image is None or not self.layer:
            missing = "model" if cache is None else "photo" if image is None else "layer"
            raise RuntimeError(
                f"There is no {missing} yet. Wait until `explorer.status` is empty, or look at "
                f"`explorer.error`. Received: status {self.status!r}, error {self.error!r}"
            )
        return cache.activation(self._looking.asked(), self.layer)

    # -- what the page asks ------------------------------------------------------------------------

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
                self._looking.find(*names, "compare" if content.get("second") else "image")
        elif kind == "cancel":
            self._looking.cancel()
        elif kind == "retry" and self.stopped:
            self._looking.start()

    def _send_picture(self, photo: Any) -> None:
        shown = self._photos.get(photo)
        if shown is not None:
            self.send({"kind": "picture", "photo": photo}, [shown.jpeg])
