"""explore(): the explorer of a notebook cell. Running the cell again replaces it."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

from .explorer import Explorer
from .photos import sample_photos
from .widgets._base import Widget

if TYPE_CHECKING:
    from .engine.activations import ActivationCache

# The widgets that each notebook cell made last, with the number of that run.
_of_cell: dict[str, tuple[int, list[weakref.ref[Widget]]]] = {}


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
    samples = sample_photos()
    if image is None and samples:
        image = next(iter(samples.values()))
    explorer = Explorer(image, model, layer=layer, cache=cache)
    _close_former_of_this_cell(explorer)
    return explorer


def _close_former_of_this_cell(widget: Widget) -> None:
    """Closes the widgets that the same cell made when it ran before.

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
    _of_cell[cell] = (shell.execution_count, [*made, weakref.ref(widget)])
