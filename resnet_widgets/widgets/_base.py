"""What every widget of this package is made from: its JS, its CSS, its error surface."""

from __future__ import annotations

import contextlib
import difflib
import functools
import json
import re
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from ipywidgets.widgets.trait_types import InstanceDict
from ipywidgets.widgets.widget import JUPYTER_WIDGETS_ECHO

# In which channels can stand; what each means is in `orders.js`.
ORDERS = ("index", "strength", "maximum", "variance", "zeros", "similarity")

# Letters of what a page calls a layer or a photo by. Paths of nested models are long.
LONGEST_NAME = 10_000

_HERE = Path(__file__).parent
_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.[\w./]+\.js)";\n', re.MULTILINE)


# Pages speak in one thread, results come from another. traitlets is not made for that: while one
# of them sets several traits, changes that the other makes can be lost on their way to the page.
traits_lock = threading.RLock()


@functools.cache
def _parts(path: Path) -> tuple[list[Path], str]:
    """The files that a module imports, and its own text without the lines that do."""
    text = path.read_text(encoding="utf-8")
    siblings = [(path.parent / found).resolve() for found in _IMPORT.findall(text)]
    return siblings, _IMPORT.sub("", text)


def module(name: str) -> str:
    """Source of the ES module `name` as anywidget can load it.

    anywidget imports a module from a blob, where relative imports cannot resolve, so the modules it
    imports from files beside it are pasted in front of it, each once, and the import lines dropped.

    Args:
        name: File name beside this one, such as `"layer_tree.js"`, or a path relative to it.

    Returns:
        The text of one self-contained ES module with one default export.
    """
    pasted: dict[Path, str] = {}

    def paste(path: Path) -> None:
        siblings, text = _parts(path)
        for sibling in siblings:
            if sibling not in pasted:
                paste(sibling)
        pasted[path] = text

    paste((_HERE / name).resolve())
    return "\n".join(pasted.values())


class Widget(anywidget.AnyWidget):
    """Base of all widgets: shared CSS, an error that can be seen, strict keywords.

    Attributes:
        error: Message shown in the widget with `role="alert"`; empty when all is well.
        last_error: The exception behind `error`, or `None`. Not synchronised.
    """

    _css = (_HERE / "widgets.css").read_text(encoding="utf-8")

    error = traitlets.Unicode("").tag(sync=True)
    last_error: BaseException | None = None
    _property_lock: dict[str, Any]

    def __init__(self, **kwargs: Any) -> None:
        known = sorted(n for n in self.traits(sync=True) if not n.startswith("_"))
        for name in sorted(set(kwargs) - set(self.trait_names())):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean `{close[0]}`?" if close else f"Expected some of {known}."
            raise TypeError(
                f"{type(self).__name__} has no keyword argument of this name. {hint} "
                f"Received: {name!r}"
            )
        super().__init__(**kwargs)

    def __repr__(self) -> str:
        if self._view_name is None:
            return object.__repr__(self)
        # What a saved notebook shows where the widget cannot live; Jupyter cuts it at 110 letters.
        shows = one_line(self._shows(), 56)
        return f"{type(self).__name__}{shows and f' of {shows}'}. Run the cell to bring it to life."

    def _shows(self) -> str:
        """What can be seen in it, in words."""
        layer = getattr(self, "layer", "")
        return f"{layer}, channel {self.channel}" if layer and self.has_trait("channel") else layer

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Takes over what the page has set, as far as `accepts` says it may and the traits agree.

        A page cannot be answered with an exception, and everything it sends could be made up. Of
        what it may not set it gets the kernel's own value back, so that both sides agree.
        """
        with traits_lock:
            # What is not shared is none of the page's business, to be sent back least of all.
            known = {name: value for name, value in sync_data.items() if name in self.keys}
            taken = {name: v for name, v in known.items() if self._may_take(name, v)}
            super().set_state(taken)
            refused = set(known) - set(taken)
            if refused:
                self._echo(refused)
                self.send_state(refused)

    def _may_take(self, name: str, value: Any) -> bool:
        trait = self.traits()[name]
        try:
            # ipywidgets sends back what it takes over: NaN or half an emoji would not arrive.
            if not _is_sendable(value) or not self.accepts(name, value):
                return False
            from_json = trait.metadata.get("from_json", self._trait_from_json)
            trait._validate(self, from_json(value, self))
        except Exception:
            return False
        return True

    def _echo(self, names: set[str]) -> None:
        """Answers for `names` as ipywidgets does for what it takes over.

        A page that has set a trait turns a deaf ear to it until this answer comes.
        """
        if JUPYTER_WIDGETS_ECHO:
            echoed = {n for n in names if self.trait_metadata(n, "echo_update", default=True)}
            state = self.get_state(echoed)
            if state:
                self._send({"method": "echo_update", "state": state, "buffer_paths": []})

    def accepts(self, name: str, value: Any) -> bool:
        """Whether the page may set trait `name` to `value`.

        Neither code nor the widgets that this one is made of, its layout among them; subclasses
        allow less.
        """
        trait = self.traits()[name]
        children = isinstance(trait, (anywidget.WidgetTrait, WidgetList, InstanceDict))
        return not children and (not name.startswith("_") or name == "_view_count")

    def get_state(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The state, made `sendable`."""
        return sendable(super().get_state(*args, **kwargs))

    def send(self, content: Any, buffers: Any = None) -> None:
        """Sends a message to the page, made `sendable`."""
        super().send(sendable(content), buffers)

    def update(self, **traits: Any) -> None:
        """Sets traits from a thread that is not the page's."""
        with traits_lock:
            for name, value in traits.items():
                setattr(self, name, value)

    def mirror(self, **traits: Any) -> None:
        """Sets traits to what the page gives its own copy of this widget, and sends nothing.

        A page that was cut off takes over all that the kernel has: what was older here would win
        over what a person chose. A value that does not fit yet is left out.
        """
        with traits_lock:
            # What else the page has just set is not to be sent back either.
            locked = self._property_lock
            with self._lock_property(**{**locked, **traits}):
                for name, value in traits.items():
                    with contextlib.suppress(ValueError, traitlets.TraitError):
                        self.set_trait(name, value)
            self._property_lock = locked

    def report(self, error: BaseException) -> None:
        """Shows `error` in the widget and keeps it on `last_error`."""
        self.last_error = error
        self.error = message_of(error)


def sendable(value: Any) -> Any:
    """`value` with `None` for numbers that JSON does not have, and � for half an emoji.

    A model's answer may be NaN, and the name of a file anything: the one would arrive as a text,
    the other as nothing at all.
    """
    if _is_sendable(value):
        return value
    if isinstance(value, float):
        return None
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {sendable(name): sendable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [sendable(item) for item in value]
    return value


def _is_sendable(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (RecursionError, TypeError, ValueError):
        return False
    return True


def message_of(error: BaseException) -> str:
    """What a person should read about `error`: its message, or its name where it has none."""
    if isinstance(error, CancelledError):
        return "Cancelled. Choose it again to compute it."
    return (str(error) or type(error).__name__).strip()


def one_line(text: Any, most: int) -> str:
    """`text` without line ends and whatever else cannot be printed, cut to `most` letters."""
    text = "".join(letter for letter in str(text) if letter.isprintable()).strip()
    return text if len(text) <= most else f"{text[: most - 1]}…"


def clamp_index(value: int, count: int | None = None) -> int:
    """`value` made a valid index: at least 0 and, where `count` is known, below it."""
    top = value if not count else count - 1
    return max(0, min(value, top))


def clamp_cursor(value: Any) -> list[float]:
    """`value` made a cursor: `[x0, y0, x1, y1]` within 0…1 and in order, else `[]`."""
    try:
        x0, y0, x1, y1 = (min(1.0, max(0.0, float(v))) for v in value)
    except (TypeError, ValueError, OverflowError):
        return []
    return [x0, y0, x1, y1] if x0 < x1 and y0 < y1 else []


class WidgetList(traitlets.List):
    """Child widgets, synchronised as the references that `host.getWidget` takes."""

    def __init__(self) -> None:
        super().__init__(anywidget.WidgetTrait())
        self.tag(
            sync=True,
            to_json=lambda children, _: [f"anywidget:{child.model_id}" for child in children],
        )
