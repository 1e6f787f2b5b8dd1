"""Names, labels and messages that would be markup: in the page they are text, and stay in place."""

from __future__ import annotations

import numpy as np
import pytest

from resnet_widgets.explorer import Explorer
from resnet_widgets.widgets import (
    ActivationMap,
    ChannelSlider,
    ExplainPanel,
    ImagePicker,
    LayerTree,
    StageViewer,
)

HOSTILE = [
    '<img src=x onerror="alert(1)">',
    "\"'><script>alert(1)</script>",
    "</script><svg onload=alert(1)>",
    "<style>* { display: none }</style>",
    "x" * 300,
    "\u202eright to left",
    "a\nb\tc",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘" * 5,
    "__proto__",
]


@pytest.fixture
def show_hostile(show):
    """An explorer in which every text that is not ours is `text`."""

    def show_it(text, width):
        rows = [
            {
                "path": f"{text}{i}",
                "name": text,
                "kind": text,
                "stage": "conv1",
                "block": "",
                "shape": [4, 4, 3],
                "dtype": "float32",
                "parameters": 0,
                "field": None,
                "inputs": [],
            }
            for i in range(2)
        ] + [
            {
                "path": text,
                "name": text,
                "kind": "Dense",
                "stage": "head",
                "block": "",
                "shape": [3],
                "dtype": "float32",
                "parameters": 0,
                "field": None,
                "inputs": [],
            }
        ]
        first = rows[0]["path"]
        array = np.random.default_rng(0).random((4, 4, 3), np.float32)
        frames = {f"{text}|{row['path']}": array for row in rows}
        common = {"photo": text}
        others = {
            "tree": ("layer_tree.js", LayerTree, {"layers": rows, "computing": first}),
            "map": (
                "activation_map.js",
                ActivationMap,
                {"values": False, "labels": [text] * 3, **common},
            ),
            "grid": (
                "activation_map.js",
                ActivationMap,
                {"values": False, "mode": "grid", **common},
            ),
            "slider": ("channel_slider.js", ChannelSlider, {"description": text, **common}),
            "stages": (
                "stage_viewer.js",
                StageViewer,
                {
                    "layers": [first],
                    "channels": [0],
                    "maps": ["anywidget:map0"],
                    "sliders": ["anywidget:slider0"],
                    **common,
                },
            ),
            "picker": ("image_picker.js", ImagePicker, {"samples": [text], "name": text}),
            "compare_picker": ("image_picker.js", ImagePicker, {}),
            "why": ("explain_panel.js", ExplainPanel, {}),
            "map0": ("activation_map.js", ActivationMap, {"values": False, "error": text}),
            "slider0": ("channel_slider.js", ChannelSlider, {}),
        }
        references = {name: f"anywidget:{name}" for name in others if hasattr(Explorer, name)}
        return show(
            "explorer.js",
            Explorer,
            frames,
            width=width,
            others=others,
            **references,
            photo=text,
            layer=first,
            picture={"name": text, "size": [60, 80], "box": [10, 0, 70, 60], "notes": [text]},
            predictions=[[text, 0.75], [text, 0.25]],
            about={"title": text, "note": text, "size": [32, 32]},
            memory={"nbytes": 1, "max_bytes": 2},
            error=text,
            status=text,
        )

    return show_it


@pytest.mark.parametrize("width", [480, 1000])
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_text_is_shown_as_it_is_and_moves_nothing(show_hostile, text, width):
    page = show_hostile(text, width)
    page.wait_for_selector(".rw-explorer-top canvas[data-shown]")
    found = page.evaluate(
        """() => {
          const root = document.querySelector(".rw-explorer");
          const all = [...root.querySelectorAll("*")];
          const edge = root.getBoundingClientRect().right + 1;
          const isCut = (el) => {
            for (let up = el.parentElement; up !== root.parentElement; up = up.parentElement) {
              if (getComputedStyle(up).overflowX !== "visible") return true;
            }
            return false;
          };
          return {
            width: root.getBoundingClientRect().width,
            height: root.getBoundingClientRect().height,
            made: all.filter((el) => el.matches("script, style, [onerror], [onload]")).length,
            outside: all
              .filter((el) => !(el instanceof SVGElement))
              .filter((el) => el.getBoundingClientRect().right > edge && !isCut(el))
              .map((el) => el.className),
            pageScrolls: document.documentElement.scrollWidth > innerWidth,
          };
        }"""
    )
    assert found["made"] == 0
    assert found["outside"] == []
    assert not found["pageScrolls"]
    assert found["width"] == width
    assert found["height"] > 300
    # It is there, letter by letter: in the alert, in the name of the photo, in the predictions.
    assert text in " ".join(page.locator(".rw-explorer [role=alert]").all_text_contents())
    assert text in page.locator(".rw-predictions").text_content()
