"""Sphinx reads this: `make docs` builds the site, with no network, into build/docs."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import make_pages  # noqa: E402
import traitlets  # noqa: E402
from sphinx.util import inspect  # noqa: E402

import resnet_widgets  # noqa: E402

project = "resnet_widgets"
author = "The resnet_widgets developers"
copyright = f"2026, {author}"
release = resnet_widgets.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["generated/gallery.md"]  # part of gallery.md, no page of its own
html_theme = "furo"
html_title = f"resnet_widgets {release}"
html_extra_path = ["generated/site"]
html_copy_source = False
html_show_sphinx = False

myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "attrs_block"]

# Docstrings here are Markdown in Keras' manner: single backticks are code.
default_role = "code"
napoleon_use_ivar = True
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True


def _docstring(
    _app: Any, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]
) -> None:
    """Says in reStructuredText what our docstrings say in another way."""
    text = "\n".join(lines)
    block = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)

    def directive(match: re.Match[str]) -> str:
        indent, language, code = match.groups()
        body = re.sub(r"^(?=.)", "   ", code, flags=re.MULTILINE)
        return f"{indent}.. code-block:: {language}\n\n{body}"

    text = block.sub(directive, text)
    # Several attributes with one explanation: Sphinx would take all but the last for a type.
    several = re.compile(r"^    \w+(?:, \w+)+(?=: )", re.MULTILINE)
    text = several.sub(lambda match: match[0].replace(", ", "/"), text)
    lines[:] = text.split("\n")


def _signature(
    _app: Any, _what: str, _name: str, obj: Any, _options: Any, shown: str, returned: str
) -> tuple[str, str]:
    """Shows what a widget takes, and not the `**kwargs` of the class that makes all widgets."""
    if isinstance(obj, type) and issubclass(obj, traitlets.HasTraits):
        taken = inspect.signature(obj.__init__, bound_method=True)
        shown = inspect.stringify_signature(taken, unqualified_typehints=True)
    return shown, returned


make_pages.make_all(Path(__file__).parent / "generated")


def setup(app: Any) -> None:
    # Before napoleon, which reads what is left.
    app.connect("autodoc-process-docstring", _docstring, priority=400)
    app.connect("autodoc-process-signature", _signature)
