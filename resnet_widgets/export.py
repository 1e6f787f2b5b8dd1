"""Pages that live without a kernel: widgets, their frames and their JavaScript in one HTML file."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import html
import json
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import ipywidgets
import numpy as np

from .engine.activations import ActivationCache
from .engine.choice import choose_layers
from .engine.edits import muted_channels
from .files import replacing
from .frame import Frame
from .widgets._base import sendable, traits_lock

_HERE = Path(__file__).parent
_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.[\w./]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:default|((?:async )?(?:function\*?|class|const) (\w+)))", re.M)
# Traits of every Jupyter widget that mean nothing to ours.
_NOT_STATE = frozenset({"layout", "tabbable", "tooltip"})


@dataclasses.dataclass(frozen=True)
class SavedPage:
    """A page that was written.

    Attributes:
        path: Where it is.
        nbytes: Its size in bytes.
        layers: Paths of the layers it has.
        of: How many layers the model has.
    """

    path: Path
    nbytes: int
    layers: tuple[str, ...]
    of: int

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def __repr__(self) -> str:
        megabytes = f"{self.nbytes / 1e6:.1f} MB"
        return f"<{self.path}: {megabytes}, {len(self.layers)} of {self.of} layers>"


def save_page(
    path: Any,
    root: ipywidgets.Widget,
    cache: ActivationCache,
    photos: Callable[[], Mapping[str, Any]],
    *,
    layers: Any = None,
) -> SavedPage:
    """Writes an explorer as one HTML file that needs neither network nor kernel.

    The page has the same JavaScript as the notebook, each module once, and the frames of the chosen
    layers in 38 levels, all deflated. Its content security policy names scripts and style sheet by
    their hashes, so nothing else in it can run, and nothing can be fetched.

    Args:
        path: Name of the file.
        root: The explorer; the widgets it is made of go along.
        cache: Where its activations come from.
        photos: Returns photos by key, objects with `image` and `jpeg`; those on show are saved.
        layers: As in `choose_layers`. Whatever is on show goes along.

    Returns:
        A `SavedPage`.
    """
    widgets = {widget.model_id: widget for widget in _with_children(root)}
    # Together, else a state could name a photo that is not here.
    with traits_lock:
        states = {key: _state(widget) for key, widget in widgets.items()}
        kept = photos()
    on_show = {
        str(state.get(name)) for state in states.values() for name in ("photo", "compare_photo")
    }
    shown = [key for key in kept if key in on_show]
    wanted = {*choose_layers(cache.graph, layers), *_layers_on_show(states.values())}
    chosen = tuple(row.path for row in cache.layers if row.path in wanted)
    for state in states.values():
        state.update({name: value for name, value in _AT_REST.items() if name in state})
        if "cached" in state:
            state["cached"] = list(chosen)
    states[root.model_id]["status"] = "saved page, no kernel"

    files = {key: _module_of(widget) for key, widget in widgets.items()}
    script, boot = _script(dict.fromkeys(files.values())), _boot()
    style = "\n".join(_read(_HERE / name) for name in ("widgets/widgets.css", "export.css"))
    about = cache.about.title
    names = ", ".join(kept[key].image.source for key in shown)
    page: dict[str, Any] = {
        "root": root.model_id,
        "widgets": {
            key: {"module": files[key].stem, "state": state} for key, state in states.items()
        },
        "labels": {layer: units for layer in chosen if (units := cache.labels(layer))},
        "pictures": {},
        "frames": {key: {} for key in shown},
    }
    with replacing(path) as file:
        _write(file, _head(f"{names} · {about}", style, scripts=(boot, script)))
        for number, key in enumerate(shown):
            page["pictures"][key] = _store(file, f"rw-picture-{number}", kept[key].jpeg)
            for layer in chosen:
                image = kept[key].image
                activation = cache.activation(image, layer)
                frame = Frame.from_activation(activation, muted=muted_channels(image, layer))
                header, message = _coarse(frame).to_message()
                name = f"rw-frame-{number}-{len(page['frames'][key])}"
                stored = {**header, "step": _STEP, "id": _store(file, name, message)}
                page["frames"][key][layer] = stored
        today = datetime.date.today().isoformat()
        foot = (
            f"Saved on {today} from {about}, {names}: {len(chosen)} of {len(cache.layers)} layers, "
            "those with a green dot. This page needs no kernel and no network. Its maps have "
            f"{len(set(_LEVELS)) - 3} levels, so numbers read from them are within 1/72 of the "
            "channel's range; the notebook has them exactly."
        )
        _write(file, f'<footer class="rw rw-page-foot">{html.escape(foot)}</footer>\n')
        _write(file, f'<script type="application/json" id="rw-page">{_json(page)}</script>\n')
        _store(file, "rw-script", script.encode())
        _write(file, f"<script>{boot}</script>\n</body>\n</html>\n")
        nbytes = file.tell()
    return SavedPage(Path(path).expanduser(), nbytes, chosen, len(cache.layers))


# What a page that nobody computes for says of itself, in the traits that have another say.
_AT_REST = {
    "error": "",
    "progress": -1.0,
    "memory": {},
    "busy": False,
    "computing": "",
    "live": False,
    "has_exact": False,
    "help_open": False,
}


def _with_children(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """The widget and those it holds, each once, whatever they are called."""
    found: dict[str, ipywidgets.Widget] = {}

    def visit(one: ipywidgets.Widget) -> None:
        if one.model_id in found or not hasattr(one, "_esm"):
            return
        found[one.model_id] = one
        for name in one.keys:
            value = getattr(one, name)
            for child in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(child, ipywidgets.Widget):
                    visit(child)

    visit(widget)
    return iter(found.values())


def _state(widget: ipywidgets.Widget) -> dict[str, Any]:
    state = widget.get_state()
    return {
        name: value
        for name, value in state.items()
        if name not in _NOT_STATE and not name.startswith("_")
    }


def _layers_on_show(states: Iterable[Mapping[str, Any]]) -> set[str]:
    """Layers that widgets show: those in a `layer`, and in the `layers` of a stage viewer."""
    named = {state.get("layer") for state in states}
    listed = {path for state in states for path in state.get("layers", ()) if isinstance(path, str)}
    return {path for path in named | listed if path}


def _module_of(widget: ipywidgets.Widget) -> Path:
    """The JavaScript of a widget: it lies beside its Python."""
    for cls in type(widget).__mro__:
        source = getattr(sys.modules.get(cls.__module__), "__file__", None)
        if source and (path := Path(source).with_suffix(".js")).is_file():
            return path
    raise TypeError(f"A page can only hold widgets of this package. Received: {widget!r}")


# -- the page --------------------------------------------------------------------------------------


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _write(file: BinaryIO, text: str) -> None:
    # A file name may hold what UTF-8 cannot.
    file.write(text.encode("utf-8", "replace"))


def _head(title: str, style: str, *, scripts: Iterable[str]) -> str:
    policy = "; ".join(
        (
            "default-src 'none'",
            "script-src " + " ".join(f"'{_hash(script)}'" for script in scripts),
            f"style-src '{_hash(style)}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{style}</style>
</head>
<body>
<main id="rw-place"></main>
<noscript>This page draws itself with JavaScript, which is switched off.</noscript>
"""


def _hash(text: str) -> str:
    """What a content security policy takes for the name of a script or a style sheet."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(value: Any) -> str:
    """JSON that stays inside its element, whatever is in its strings."""
    text = json.dumps(sendable(value), ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


# The levels of a frame that a page keeps, by byte: 38 of 253. Lowest and highest stay as they are,
# so no cell becomes zero or saturated, and all others move by no more than 3/252 of the range.
_STEP = 7
_LEVELS = np.arange(256, dtype=np.uint8)
_LEVELS[1:252] = _LEVELS[1:252] // _STEP * _STEP + _STEP // 2


def _coarse(frame: Frame) -> Frame:
    return dataclasses.replace(frame, data=_LEVELS[frame.data])


def _store(file: BinaryIO, name: str, data: bytes) -> str:
    """Writes `data` as an element with the id `name`; `packed.js` reads it. Returns `name`."""
    _write(file, f'<script type="text/plain" id="{name}">{_packed(data)}</script>\n')
    return name


def _packed(data: bytes) -> str:
    """`data`, deflated, as text that HTML leaves as it is.

    Seven bits make one character, the one of that number. Three of these HTML would change or read
    as its own, so they get 256 more: 1.17 bytes a byte, where base64 has 1.33.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_FILTERED)
    packed = np.frombuffer(packer.compress(data) + packer.flush(), np.uint8)
    bits = np.unpackbits(packed)
    sevens = np.pad(bits, (0, -len(bits) % 7)).reshape(-1, 7)
    text = (np.packbits(sevens, axis=1)[:, 0] >> 1).tobytes().decode("ascii")
    return text.translate({ord(letter): ord(letter) + 256 for letter in "\0\r<"})


def _boot() -> str:
    """The script that unpacks the other one and lets it run."""
    unpack = _EXPORT.sub(lambda found: found[1], _read(_HERE / "packed.js"))
    # Nothing in a script may end its element; the other one is packed.
    inside = unpack.replace("</", "<\\/").replace("<!--", "<\\!--")
    return f'"use strict";\n(() => {{\n{inside}\nboot();\n}})();'


def _script(modules: Iterable[Path]) -> str:
    """One script of all modules and what they import, each in a function of its own, once.

    A page on disk may not import files, and names of one module must not meet those of another.
    """
    names: dict[Path, str] = {}
    parts: list[str] = []

    def add(path: Path) -> str:
        if path in names:
            return names[path]
        text = _read(path)

        def fetch(found: re.Match[str]) -> str:
            source = add((path.parent / found[2]).resolve())
            return f"const {{{found[1].replace(' as ', ': ')}}} = {source};\n"

        text = _IMPORT.sub(fetch, text)
        exported = [
            f"{found[2]}" if found[2] else "default: $default" for found in _EXPORT.finditer(text)
        ]
        text = _EXPORT.sub(lambda found: found[1] or "const $default =", text)
        names[path] = f"${len(names)}"
        end = f"return {{ {', '.join(exported)} }};"
        parts.append(f"const {names[path]} = (() => {{\n{text}\n{end}\n}})();")
        return names[path]

    table = ", ".join(f'"{path.stem}": {add(path.resolve())}.default' for path in modules)
    runtime = add(_HERE / "export.js")
    start = f"""
const textOf = (id) => document.getElementById(id).textContent;
const place = document.createElement("div");
document.getElementById("rw-place").append(place);
{runtime}.start(JSON.parse(textOf("rw-page")), {{ {table} }}, place, textOf);
"""
    inside = "\n".join([*parts, start])
    return f'"use strict";\n(() => {{\n{inside}\n}})();'
