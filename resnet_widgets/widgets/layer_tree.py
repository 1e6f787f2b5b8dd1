"""LayerTree: the layers of a model by stage and block."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import traitlets

from ._base import Widget, module

_LONGEST_SEARCH = 200
# Letters of all names together.
_MOST_OPEN = 100_000


def _row(layer: Any) -> dict[str, Any]:
    """One layer as the page needs it: every key there, plain JSON values."""
    row = layer.to_row() if hasattr(layer, "to_row") else layer
    if not isinstance(row, Mapping) or not isinstance(row.get("path"), str) or not row["path"]:
        raise ValueError(
            "`layers` must hold layer descriptions: objects with `to_row()` or mappings with a "
            f"non-empty string `path`. Received: {row!r:.200}"
        )
    return {
        "path": row["path"],
        "name": str(row.get("name") or row["path"].rpartition("/")[2]),
        "kind": str(row.get("kind", "")),
        "detail": str(row.get("detail", "")),
        "stage": str(row.get("stage", "")),
        "block": str(row.get("block", "")),
        "shape": [-1 if size is None else int(size) for size in row.get("shape", ())],
        "dtype": str(row.get("dtype", "")),
        "parameters": int(row.get("parameters", 0)),
        "field": row.get("field"),
        "inputs": [str(path) for path in row.get("inputs", ())],
    }


def _rows(layers: Iterable[Any]) -> list[dict[str, Any]]:
    rows = [_row(layer) for layer in layers]
    paths = [row["path"] for row in rows]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise ValueError(f"`layers` must have different paths. Received: {twice!r} more than once")
    return rows


class LayerTree(Widget):
    """A searchable tree of layers: stage, block, layer.

    Inside a block the layers stand as people draw them: convolution, normalisation and activation
    of one place in one row, and beside the rows a line for each way through the block, so that a
    shortcut and the addition it leads to can be seen. A click on a stage or a block opens it and
    selects what it hands on, its last layer; one on its triangle only opens it.

    Whoever writes Python gets a `ValueError` for a layer that does not exist. The page cannot be
    answered with an exception, so an unknown path from there is refused: the previous selection
    stays, and the page is told so.

    Args:
        layers: Layers in model order: `LayerInfo`s (any object with `to_row()`), or mappings with
            at least `path`, and as far as known `name`, `kind`, `detail` (kernel and stride, or
            activation), `stage`, `block`, `shape` (without the batch; -1 or `None` where unknown),
            `dtype`, `parameters`, `field` (the receptive field: `size` and `stride`, each height
            and width in pixels) and `inputs` (paths; they say which ways lead through a block).
        selected: Path of the selected layer, `""` for none.
        cached: Paths of the layers whose activations are in the cache.
        computing: Path of the layer that is being computed, `""` for none.
        open_groups: Names of the stages and blocks that are open, such as `"conv3"` and
            `"conv3_block1"`; the way to the selected layer is open as well.
        search: What is searched for, at most 200 letters; `""` shows all.
        **kwargs: Other traits of a Jupyter widget, such as `layout`.

    Raises:
        ValueError: If a layer has no path, a path occurs twice, `selected` is not among them, or
            `open_groups` or `search` is too long.

    Example:
        >>> tree = LayerTree([{"path": "conv1_relu", "stage": "conv1", "shape": (112, 112, 64)}])
        >>> tree.selected = "conv1_relu"
    """

    _esm = module("layer_tree.js")

    layers: traitlets.List[Any] = traitlets.List().tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True, echo_update=False)
    cached = traitlets.List(traitlets.Unicode()).tag(sync=True)
    computing = traitlets.Unicode("").tag(sync=True)
    open_groups = traitlets.List(traitlets.Unicode()).tag(sync=True, echo_update=False)
    search = traitlets.Unicode("").tag(sync=True, echo_update=False)

    def __init__(
        self,
        layers: Iterable[Any] = (),
        *,
        selected: str = "",
        cached: Iterable[str] = (),
        computing: str = "",
        open_groups: Iterable[str] = (),
        search: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            layers=_rows(layers),
            selected=selected,
            cached=list(cached),
            computing=computing,
            open_groups=list(open_groups),
            search=search,
            **kwargs,
        )

    def accepts(self, name: str, value: Any) -> bool:
        """The layers are the kernel's to say, and a selection must be one of them."""
        allowed = name != "layers" and (name != "selected" or self._is_choice(value))
        return allowed and super().accepts(name, value)

    def _is_choice(self, path: object) -> bool:
        return path == "" or any(row["path"] == path for row in self.layers)

    @traitlets.validate("layers")
    def _check_layers(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        return _rows(proposal["value"])

    @traitlets.validate("selected")
    def _check_selected(self, proposal: dict[str, Any]) -> str:
        path = proposal["value"]
        if self._is_choice(path):
            return path
        paths = [row["path"] for row in self.layers]
        near = difflib.get_close_matches(path, paths, n=3, cutoff=0.5)
        expected = f"Did you mean one of {near}?" if near else f"There are {len(paths)} layers."
        raise ValueError(
            f"`selected` must be the path of one of `layers`, or '' for none. {expected} "
            f"Received: {path!r}"
        )

    @traitlets.validate("open_groups")
    def _check_open_groups(self, proposal: dict[str, Any]) -> list[str]:
        names = list(dict.fromkeys(proposal["value"]))
        if sum(map(len, names)) > _MOST_OPEN:
            raise ValueError(
                f"`open_groups` must be names of at most {_MOST_OPEN} letters together. "
                f"Received: {len(names)} names of {sum(map(len, names))} letters"
            )
        return names

    @traitlets.validate("search")
    def _check_search(self, proposal: dict[str, Any]) -> str:
        if len(proposal["value"]) > _LONGEST_SEARCH:
            raise ValueError(
                f"`search` must be text of at most {_LONGEST_SEARCH} letters. "
                f"Received: {len(proposal['value'])} letters"
            )
        return proposal["value"]

    @traitlets.observe("layers")
    def _drop_stale_selection(self, _change: dict[str, Any]) -> None:
        if not self._is_choice(self.selected):
            self.selected = ""
