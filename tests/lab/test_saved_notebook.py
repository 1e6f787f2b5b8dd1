"""What a saved notebook shows: a picture beside the widget, never instead of it."""

from __future__ import annotations

import nbconvert
import nbformat
from playwright.sync_api import expect

STILL = """
import io
import numpy as np
from PIL import Image
from resnet_widgets.frame import Frame
from resnet_widgets.still import Still
from resnet_widgets.widgets import ActivationMap, FrameStore

def png(colour):
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "PNG")
    return file.getvalue()

array = np.random.default_rng(7).random((6, 5, 40), np.float32)
store = FrameStore(lambda photo, layer: Frame.from_activation(array, layer=layer))
view = ActivationMap(store=store, layer="noise")
now = {"png": png("red")}
still = Still(lambda: now["png"], pause=0)
still.display(view._repr_mimebundle_())
"""
PICTURES = """jupyterapp.shell.currentWidget.context.model.toJSON().cells[0].outputs
  .map((output) => output.data?.["image/png"]).filter(Boolean)"""


def test_the_picture_is_saved_and_seen_when_the_widget_is_not(open_notebook):
    notebook = open_notebook(STILL)
    page = notebook.page
    notebook.run_all()
    page.wait_for_selector("canvas[data-shown]")
    page.wait_for_function(f"() => ({PICTURES}).length === 1")
    # While the widget lives it is all there is to see.
    picture, line = page.locator(".jp-RenderedImage"), page.locator(".rw-still")
    expect(picture).to_be_hidden()
    expect(line).to_be_hidden()
    assert page.locator(".jp-OutputArea-child:visible").count() == 1

    # A new picture does not draw the widget anew.
    page.locator("canvas[data-shown]").evaluate("(canvas) => { canvas.id = 'same'; }")
    (before,) = page.evaluate(PICTURES)
    notebook.evaluate("[now.update(png=png('blue')), still.refresh()]")
    page.wait_for_function(f"(before) => ({PICTURES})[0] !== before", arg=before)
    expect(page.locator("canvas#same")).to_be_visible()
    (after,) = page.evaluate(PICTURES)

    notebook.save()
    path = notebook.server.root / notebook.path
    outputs = nbformat.read(path, as_version=4).cells[0].outputs
    assert len(outputs) == 3
    assert outputs[0].data["image/png"].strip() == after.strip()
    html, _ = nbconvert.HTMLExporter().from_filename(str(path))
    assert after.strip() in html.replace("\n", "")
    assert "Run this cell to bring it to life." in html

    # Opened again, with another kernel that knows nothing of it.
    notebook.server.request("DELETE", f"/api/kernels/{notebook.kernel_id}")
    notebook.reload()
    notebook.kernel_id = page.evaluate(
        "() => jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.id"
    )
    expect(picture).to_be_visible()
    expect(line).to_be_visible()
    expect(page.get_by_text("model not found")).to_be_hidden()
    assert page.locator(".jp-OutputArea-child:visible").count() == 2

    notebook.run_all()
    expect(picture).to_be_hidden()
    page.wait_for_selector("canvas[data-shown]")
