"""The explorer as a person has it on the screen: where its parts are, and what they show."""

from __future__ import annotations

from lab_driver import Notebook
from playwright.sync_api import Locator

_CANVAS = ".rw-explorer-top canvas"


class ExplorerPage:
    """One explorer of a notebook that is open in JupyterLab; the first, unless told otherwise."""

    def __init__(self, notebook: Notebook, index: int = 0) -> None:
        self.page = notebook.page
        self.root: Locator = self.page.locator(".rw-explorer").nth(index)
        self.canvas: Locator = self.root.locator(f"{_CANVAS}[data-shown]").first
        self.slider: Locator = self.root.locator(
            ".rw-explorer-main > .rw-slider [role=slider]"
        ).first
        self.selected: Locator = self.root.locator("[role=treeitem][aria-selected=true]")

    @property
    def shown(self) -> tuple[str, int]:
        """Layer and channel whose pixels are in the large map."""
        layer, _, channel = (self.canvas.get_attribute("data-shown") or "").rpartition("#")
        return layer, int(channel)

    def wait_until_shown(self, layer: str, channel: int | None = None) -> None:
        """Waits until the pixels of this layer, or of this channel of it, are in the large map."""
        wanted = (
            f"[data-shown^='{layer}#']" if channel is None else f"[data-shown='{layer}#{channel}']"
        )
        self.root.locator(_CANVAS + wanted).first.wait_for()

    def drag_slider(self, start: float, end: float, steps: int = 20) -> None:
        """Drags along the slider with the mouse, from one share of its width to another."""
        drag(self.slider, start, end, steps)


def drag(track: Locator, start: float, end: float, steps: int = 20) -> None:
    """Drags along `track` with the mouse, from one share of its width to another."""
    # Hovering first waits until the track has stopped moving about the page.
    track.hover()
    box, mouse = track.bounding_box(), track.page.mouse
    assert box is not None
    y = box["y"] + box["height"] / 2
    mouse.move(box["x"] + start * box["width"], y)
    mouse.down()
    mouse.move(box["x"] + end * box["width"], y, steps=steps)
    mouse.up()
