"""Widgets in a bare page: their real JS and CSS, stub models, and no kernel."""

from __future__ import annotations

import base64
import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

import resnet_widgets.widgets
from resnet_widgets.frame import Frame
from resnet_widgets.widgets import ActivationMap, ExplainPanel

_WIDGETS = Path(resnet_widgets.widgets.__file__).parent
_STUB = Path(__file__).with_name("stub.js")
# What a panel shows.
LAYER = "conv5_block3_out"
_PAGE = b"""<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/widgets.css">
<body style="margin: 20px"><div id="place"></div>"""


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """Address at which this machine serves the widgets' files, and an empty page."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # one connection for all files

        def do_GET(self) -> None:
            if self.path != "/":
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(_PAGE)))
            self.end_headers()
            self.wfile.write(_PAGE)
            return None

        def translate_path(self, path: str) -> str:
            # The explorer lies one folder higher, and finds the others in `./widgets/`.
            if path == "/explorer.js":
                return str(_WIDGETS.parent / "explorer.js")
            return super().translate_path(path.replace("/widgets/", "/", 1))

        def log_message(self, *_args: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=_WIDGETS)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def frame_for_page(
    array: Any, most_bytes: int | None = None, muted: tuple[int, ...] = ()
) -> dict[str, Any]:
    """An activation as the stub kernel keeps it."""
    frame = Frame.from_activation(array, most_bytes=most_bytes, muted=muted)
    header, buffer = frame.to_message()
    exact = np.asarray(array, "<f4").tobytes()
    planes = Frame.from_activation(array).data.tobytes() if most_bytes else b""
    return {
        "shape": header["shape"],
        "reduction": header["reduction"],
        "muted": header["muted"],
        "data": base64.b64encode(buffer).decode(),
        "exact": base64.b64encode(exact).decode(),
        "planes": base64.b64encode(planes).decode(),
    }


def default_state(widget: type) -> dict[str, Any]:
    """The synchronised traits of a widget class as a page first has them."""
    traits = widget.class_traits(sync=True)
    return {name: trait.default() for name, trait in traits.items() if not name.startswith("_")} | {
        "layout": None
    }


@pytest.fixture(scope="session")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1040, "height": 800})
    context.set_default_timeout(5_000)
    yield context
    context.close()


@pytest.fixture
def show(context: BrowserContext, site: str) -> Iterator[Callable[..., Page]]:
    """Opens a page that shows one widget, beside whatever it is connected to.

    At the end of the test nothing must have gone wrong in the page.
    """
    pages: list[Page] = []
    problems: list[str] = []

    def show_widget(
        module: str,
        widget: type,
        frames: dict[str, Any] | None = None,
        *,
        width: int = 480,
        exact: bool = False,
        most_bytes: int | None = None,
        muted: tuple[int, ...] = (),
        others: dict[str, tuple[str, type, dict[str, Any]]] | None = None,
        **state: Any,
    ) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(error.message))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
        pages.append(page)
        page.goto(site)
        page.add_script_tag(path=_STUB, type="module")
        widgets = {
            "store": {
                "module": "frame_store.js",
                "state": {"page_bytes": 64 * 2**20, "has_exact": exact},
            },
            "shown": {"module": module, "state": _state(widget, state)},
        }
        for name, (other_module, other, other_state) in (others or {}).items():
            widgets[name] = {"module": other_module, "state": _state(other, other_state)}
        kernel = {
            name if "|" in name else f"|{name}": frame_for_page(array, most_bytes, muted)
            for name, array in (frames or {}).items()
        }
        page.wait_for_function("() => !!window.startWidgets")
        page.evaluate(
            "options => startWidgets(options)",
            {"widgets": widgets, "frames": kernel, "root": "shown", "width": width},
        )
        return page

    yield show_widget
    for page in pages:
        page.close()
    assert problems == []


@pytest.fixture
def show_panel(show: Callable[..., Page]) -> Callable[..., Page]:
    """Opens a page that shows the panel that asks why, of a photo `cat`."""

    def show_it(width: int = 760, **state: Any) -> Page:
        maps = {f"m{i}": ("activation_map.js", ActivationMap, {"values": False}) for i in range(4)}
        state = {"photo": "cat", "layer": LAYER, "channel": 7, "opened": True, **state}
        references = [f"anywidget:m{i}" for i in range(4)]
        frames = {f"cat|{name}": np.eye(4, dtype=np.float32)[..., None] for name in "abcd"}
        frames[f"cat|{LAYER}"] = np.ones((1, 1, 512), np.float32)
        frames["cat|wide"] = np.ones((1, 1, 2048), np.float32)
        return show(
            "explain_panel.js",
            ExplainPanel,
            frames,
            width=width,
            others=maps,
            maps=references,
            **state,
        )

    return show_it


def _state(widget: type, state: dict[str, Any]) -> dict[str, Any]:
    return {**default_state(widget), "store": "anywidget:store", **state}
