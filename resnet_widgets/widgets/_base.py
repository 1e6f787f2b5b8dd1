"""What every widget of this package is made from: its JS, its CSS, its error surface."""

from __future__ import annotations

import functools
import re
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

_IMPORT_SHARED = re.compile(r'^import \{[^}]*\} from "\./shared\.js";\n', re.MULTILINE)


@functools.cache
def _source(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def module(name: str) -> str:
    """Source of the ES module `name` as anywidget can load it.

    anywidget imports a module from a blob, where relative imports cannot resolve, so the text of
    `shared.js` is pasted in front of the module and its import line is dropped.

    Args:
        name: File name beside this one, such as `"layer_tree.js"`.

    Returns:
        The text of one self-contained ES module with one default export.
    """
    return _source("shared.js") + _IMPORT_SHARED.sub("", _source(name))


class Widget(anywidget.AnyWidget):
    """Base of all widgets: shared CSS, an error that can be seen, strict keywords.

    Attributes:
        error: Message shown in the widget with `role="alert"`; empty when all is well.
        last_error: The exception behind `error`, or `None`. Not synchronised.
    """

    _css = _source("widgets.css")

    error = traitlets.Unicode("").tag(sync=True)
    last_error: BaseException | None = None

    def __init__(self, **kwargs: Any) -> None:
        unknown = sorted(set(kwargs) - set(self.trait_names()))
        if unknown:
            known = sorted(n for n in self.traits(sync=True) if not n.startswith("_"))
            raise TypeError(
                f"{type(self).__name__} got an unknown keyword argument. "
                f"Expected some of {known}. Received: {unknown}"
            )
        super().__init__(**kwargs)

    def report(self, error: BaseException) -> None:
        """Shows `error` in the widget and keeps it on `last_error`."""
        self.last_error = error
        self.error = str(error) or type(error).__name__


def widget_list(**metadata: Any) -> traitlets.List:
    """A synchronised list of child widgets, sent as the references `host.getWidget` takes."""
    return traitlets.List(anywidget.WidgetTrait()).tag(
        sync=True,
        to_json=lambda children, _: [f"anywidget:{child.model_id}" for child in children],
        **metadata,
    )
