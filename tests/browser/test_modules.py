"""What anywidget gets: each widget's modules pasted into one, which a browser must take."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext

import resnet_widgets as rw
from resnet_widgets.widgets._base import Widget
from resnet_widgets.widgets.explain_panel import ExplainPanel

WIDGETS = (
    rw.Explorer,
    rw.ActivationMap,
    rw.ChannelSlider,
    rw.FrameStore,
    rw.ImagePicker,
    rw.LayerTree,
    rw.StageViewer,
    ExplainPanel,
)

IMPORT = """
async (source) => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  return Object.keys(widget).filter((name) => typeof widget[name] === "function").sort();
}
"""


@pytest.mark.browser
@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.__name__)
def test_pasted_modules_are_one_that_a_browser_imports(context: BrowserContext, widget):
    """Names at the top of modules that are pasted together must differ: a clash, and the widget
    never starts."""
    page = context.new_page()
    functions = page.evaluate(IMPORT, str(widget._esm))
    page.close()
    assert set(functions) <= {"initialize", "render"}
    assert functions


def test_these_are_all_widgets():
    def classes(parent: type) -> set[type]:
        return {c for child in parent.__subclasses__() for c in (child, *classes(child))}

    # Those with others below them are only what these have in common.
    ours = {c for c in classes(Widget) if not c.__subclasses__()}
    assert {c for c in ours if c.__module__.startswith("resnet_widgets")} == set(WIDGETS)
