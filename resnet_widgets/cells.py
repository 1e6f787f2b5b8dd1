"""What the cells of a notebook made, so that running one again replaces it."""

from __future__ import annotations

import sys
import weakref

from .widgets._base import Widget

# The widgets that each notebook cell made last, with the number of that run.
_of_cell: dict[str, tuple[int, list[weakref.ref[Widget]]]] = {}


def close_former_of_this_cell(widget: Widget) -> None:
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
