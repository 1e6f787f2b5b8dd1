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

from .test_explain import CHANNEL, RESIDUAL, answer, asked_of, update

LONG = "x" * 300
HOSTILE = [
    '<img src=x onerror="alert(1)">',
    "\"'><script>alert(1)</script>",
    "</script><svg onload=alert(1)>",
    "<style>* { display: none }</style>",
    LONG,
    "\u202eright to left",
    "a\nb\tc",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘" * 5,
    "__proto__",
]
BOOKMARK = {"digest": "", "channel": 0, "region": [], "colours": {}, "edits": []}


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
        photos = (text, f"{text}2")
        frames = {f"{photo}|{row['path']}": array for photo in photos for row in rows}
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
            bookmarks=[
                {**BOOKMARK, "photo": text, "layer": first, "note": note} for note in (text, "")
            ],
            compare_photo=f"{text}2",
            compare_picture={
                "name": text,
                "size": [60, 80],
                "box": [10, 0, 70, 60],
                "notes": [text],
            },
            picture={"name": text, "size": [60, 80], "box": [10, 0, 70, 60], "notes": [text]},
            predictions=[[text, 0.75], [text, 0.25]],
            about={"title": text, "note": text, "size": [32, 32]},
            memory={"nbytes": 1, "max_bytes": 2},
            error=text,
            status=text,
        )

    return show_it


def assert_in_place(page, root, width):
    """Nothing of it became an element, and nothing is outside its frame."""
    found = page.evaluate(
        """(selector) => {
          const root = document.querySelector(selector);
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
        }""",
        root,
    )
    assert found["made"] == 0
    assert found["outside"] == []
    assert not found["pageScrolls"]
    assert found["width"] == width
    return found["height"]


@pytest.mark.parametrize("width", [480, 1000])
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_text_is_shown_as_it_is_and_moves_nothing(show_hostile, text, width):
    page = show_hostile(text, width)
    page.wait_for_selector(".rw-explorer-top canvas[data-shown]")
    assert assert_in_place(page, ".rw-explorer", width) > 300
    # It is there, letter by letter: in the alert, in the predictions, in the bookmarks.
    assert text in " ".join(page.locator(".rw-explorer [role=alert]").all_text_contents())
    assert text in page.locator(".rw-predictions").text_content()
    notes, names = page.locator(".rw-bookmark-go").all_text_contents()
    assert notes.startswith(text)
    assert f"{text}0 · ch 0" in names


@pytest.mark.parametrize(
    ("text", "width"),
    [("".join(HOSTILE[:4]), 480), (LONG, 480), (LONG, 1000), ("\0\x1b[31m".join(HOSTILE[5:]), 480)],
    ids=["markup", "long", "long and wide", "odd letters"],
)
def test_hostile_answers_are_text_in_every_section(show, text, width):
    maps = {f"m{i}": ("activation_map.js", ActivationMap, {"values": False}) for i in range(4)}
    layer = f"{text}layer"
    page = show(
        "explain_panel.js",
        ExplainPanel,
        {f"cat|{layer}": np.eye(4, dtype=np.float32)[..., None]},
        width=width,
        others=maps,
        maps=[f"anywidget:{name}" for name in maps],
        photo="cat",
        layer=layer,
        channel=0,
        opened=True,
        labelled=text,
    )
    scores = {"index": 3, "label": text, "before": [0.5, 2.0], "after": [0.4, 1.0]}
    rank = {"layer": layer, "target": 3, "label": text, "rows": [[9, -0.5]], "edits": []}
    block = {"block": text, "share": 0.1, "agreement": 0.1, "cut": 0.5, "out": layer}
    reading = {"layer": layer, "block": text, "nearest": text, "similarities": [0.5, 0.1]}
    facts = {**CHANNEL, **dict.fromkeys(("conv", "bn", "relu", "source"), text)}

    def is_there(place="[role=tabpanel]:not([hidden])"):
        page.wait_for_function(
            "([place, text]) => document.querySelector(place).textContent.includes(text)",
            arg=[place, text],
        )
        assert_in_place(page, ".rw-why", width)

    page.get_by_role("button", name="Which channels matter most?").click()
    answer(page, "rank", rank)
    answer(page, "scores", {"rows": [scores], "best": [3, 3], "names": [f"mute {text}"]})
    is_there()
    for section, what, data, *buffers in (
        (
            "Residual",
            "residual",
            {**RESIDUAL, "block": text, "layers": [layer] * 4, "blocks": [block]},
        ),
        (
            "Reading",
            "reading",
            {"labels": [text, "dog"], "forms": 0, "photos": 8, "blocks": [reading]},
        ),
        ("Channel", "channel", {"choices": [text]}),
    ):
        page.get_by_role("tab", name=section).click()
        answer(page, what, data, *buffers)
        is_there()
    trouble = {"kind": "trouble", "cancelled": False, "message": text}
    update(page, channel=7, layer=f"{text}other")
    asked_of(page, "channel", channel=7)
    answer(page, "channel", facts, np.zeros((3, 2, 2), "<f4"))
    is_there()
    # What went wrong is said in the words of the exception.
    update(page, channel=8)
    asked_of(page, "channel", channel=8)
    answer(page, "channel", None, **trouble)
    is_there()
    page.get_by_role("tab", name="CAM").click()
    answer(page, "photo", None, **trouble)
    is_there(".rw-why-trouble")
