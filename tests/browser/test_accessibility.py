"""Every widget and the whole explorer under axe-core, light and dark: not one violation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from resnet_widgets.widgets import (
    ActivationMap,
    ChannelSlider,
    ImagePicker,
    LayerTree,
    StageViewer,
)

from .test_explorer import STAGES, show_explorer, wait_shown  # noqa: F401
from .test_layer_tree import OUT
from .test_layer_tree import ROWS as TREE_ROWS

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
pytestmark = pytest.mark.skipif(
    not AXE.exists(), reason="axe-core is not installed: `npm ci` installs it"
)

# All of WCAG 2.2 up to AA, and what axe calls best practice; no rule is left out. Rules about whole
# pages (title, landmarks) do not apply, because only the widget is looked at.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

AUDIT = """async ([tags, scheme]) => {
  document.documentElement.style.colorScheme = scheme;
  document.body.style.background = scheme === "dark" ? "#15191e" : "#fff";
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const place = document.getElementById("place");
  const found = await axe.run(place, { runOnly: tags, resultTypes: ["violations"] });
  return {
    rules: found.passes.map(({ id }) => id),
    violations: found.violations.flatMap(({ id, nodes }) =>
      nodes.map((node) => [id, node.target.join(" "), node.any.map((one) => one.message).join()])),
  };
}"""


def audit(page):
    """Names and places of all violations, light and dark."""
    page.add_script_tag(path=AXE)
    found = []
    for scheme in ("light", "dark"):
        result = page.evaluate(AUDIT, [TAGS, scheme])
        assert "color-contrast" in result["rules"], "axe has looked at the colours"
        found += [(scheme, *violation) for violation in result["violations"]]
    return found


FRAMES = {
    "wide": np.random.default_rng(4).normal(size=(8, 8, 12)).astype(np.float32),
    "vector": np.random.default_rng(5).random(5, np.float32),
}
PARTS = {
    "tree": ("layer_tree.js", LayerTree, {"layers": TREE_ROWS, "selected": OUT, "cached": [OUT]}),
    "empty tree": ("layer_tree.js", LayerTree, {}),
    "map": ("activation_map.js", ActivationMap, {"layer": "wide", "cursor": [0, 0, 0.25, 0.25]}),
    "vector": ("activation_map.js", ActivationMap, {"layer": "vector"}),
    "grid": ("activation_map.js", ActivationMap, {"layer": "wide", "mode": "grid"}),
    "lost map": ("activation_map.js", ActivationMap, {"layer": "unknown"}),
    "slider": ("channel_slider.js", ChannelSlider, {"layer": "wide"}),
    "picker": (
        "image_picker.js",
        ImagePicker,
        {"samples": ["cat.jpg"], "name": "dog.png", "error": "no.txt: Not a picture."},
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_widget(show, name):
    module, widget, state = PARTS[name]
    page = show(module, widget, FRAMES, **state)
    if state.get("layer") in FRAMES:
        page.locator("canvas[data-shown], .rw-vector, .rw-track").locator(
            "visible=true"
        ).first.wait_for()
    assert audit(page) == []


def test_stages(show):
    others = {}
    for i in range(2):
        others[f"map{i}"] = ("activation_map.js", ActivationMap, {"layer": "wide", "values": False})
        others[f"slider{i}"] = ("channel_slider.js", ChannelSlider, {"layer": "wide"})
    page = show(
        "stage_viewer.js",
        StageViewer,
        FRAMES,
        others=others,
        layers=["wide", "wide"],
        channels=[0, 1],
        maps=["anywidget:map0", "anywidget:map1"],
        sliders=["anywidget:slider0", "anywidget:slider1"],
    )
    page.wait_for_selector(".rw-stage canvas[data-shown]")
    assert audit(page) == []


@pytest.mark.parametrize("width", [480, 1000])
def test_the_explorer(show_explorer, width):  # noqa: F811
    page = show_explorer(
        width=width,
        rows=TREE_ROWS[:2] + [{**TREE_ROWS[2], "path": path} for path in STAGES],
        cursor=[0, 0, 0.25, 0.25],
    )
    wait_shown(page, "conv2_block1_out", 2)
    assert audit(page) == []


@pytest.mark.parametrize(
    "state",
    [
        {"photo": "", "layer": "", "picture": {}, "predictions": []},
        {"rows": [], "photo": "", "layer": "", "status": "Loading …", "progress": 0.5},
        {"rows": [], "photo": "", "layer": "", "status": "", "stopped": True, "error": "No model."},
    ],
    ids=["no photo", "waiting", "stopped"],
)
def test_the_explorer_before_there_is_something_to_see(show_explorer, state):  # noqa: F811
    assert audit(show_explorer(**state)) == []


def test_the_help_card(show_explorer):  # noqa: F811
    page = show_explorer()
    wait_shown(page, "conv2_block1_out", 2)
    page.locator(".rw-explorer").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert audit(page) == []


def test_the_audit_bites(show):
    page = show("layer_tree.js", LayerTree, layers=TREE_ROWS)
    page.locator(".rw-tree-search").evaluate(
        "field => { field.removeAttribute('aria-label'); field.placeholder = ''; }"
    )
    page.locator(".rw-tree-figure").first.evaluate("figure => { figure.style.color = '#888'; }")
    rules = {(scheme, rule) for scheme, rule, *_ in audit(page)}
    assert {("light", "label"), ("light", "color-contrast"), ("dark", "label")} <= rules
