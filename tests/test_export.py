"""Saved pages as files: what is in them, and what happens when they cannot be written."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html.parser
import io
import json
import re
import threading
import zlib

import keras
import numpy as np
import pytest
from PIL import Image

import resnet_widgets as rw
from resnet_widgets import export
from resnet_widgets.drawing import figure_of
from resnet_widgets.engine.choice import choose_layers
from resnet_widgets.widgets._base import traits_lock

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def network():
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(6, 3, strides=2, name="conv1_conv")(x)
    x = keras.layers.ReLU(name="conv1_relu")(x)
    for stage in (2, 3):
        name = f"conv{stage}_block1"
        y = keras.layers.Conv2D(6, 3, padding="same", name=f"{name}_1_conv")(x)
        y = keras.layers.Activation("relu", name=f"{name}_1_relu")(y)
        x = keras.layers.Add(name=f"{name}_add")([x, y])
        x = keras.layers.ReLU(name=f"{name}_out")(x)
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, keras.layers.Dense(4, "softmax", name="predictions")(x))


@pytest.fixture(scope="module")
def cache():
    return rw.ActivationCache(network())


@pytest.fixture
def explorer(cache):
    explorer = rw.Explorer(PHOTO, cache=cache, layer="conv3_block1_out")
    yield explorer
    explorer.close()


class Parts(html.parser.HTMLParser):
    """The text of every element that has an id, and of the scripts that run."""

    def __init__(self, text):
        super().__init__()
        self.by_id, self.scripts, self._at = {}, [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self._at = attrs.get("id")
        if tag == "script" and "type" not in attrs:
            self._at = "script"

    def handle_data(self, data):
        if self._at == "script":
            self.scripts.append(data)
        elif self._at:
            self.by_id[self._at] = self.by_id.get(self._at, "") + data

    def handle_endtag(self, tag):
        self._at = None


def unpacked(text):
    """The bytes behind a packed text, by another way than the page's own."""
    bits = "".join(f"{ord(letter) % 128:07b}" for letter in text)
    packed = int(bits, 2) >> len(bits) % 8
    return np.frombuffer(zlib.decompress(packed.to_bytes(len(bits) // 8), -15), np.uint8)


def script_of(text):
    """The script that makes the page, and the one that unpacks it."""
    parts = Parts(text)
    (boot,) = parts.scripts
    return unpacked(parts.by_id["rw-script"]).tobytes().decode(), boot


def test_frames_in_the_page_are_the_activations(explorer, cache, tmp_path):
    saved = explorer.to_html(tmp_path / "page.html")
    parts = Parts(saved.path.read_text(encoding="utf-8"))
    page = json.loads(parts.by_id["rw-page"])
    frames = page["frames"][explorer.photo]
    assert tuple(frames) == saved.layers
    for layer, stored in frames.items():
        frame = rw.Frame.from_activation(cache.activation(PHOTO, layer))
        statistics, planes = np.split(unpacked(parts.by_id[stored["id"]]), [16 * frame.shape[-1]])
        assert statistics.tobytes() == frame.to_message()[1][: statistics.size]
        np.testing.assert_array_equal(planes, nearest_level(frame.data.ravel()))
        assert tuple(stored["shape"]) == frame.shape
        # How far apart the levels are that a plane has beside its ends.
        assert stored["step"] == np.diff(nearest_level(np.arange(1, 252))).max()


def nearest_level(codes):
    """What a page has for each byte of a frame: the nearest of 3, 10, … 248, or one of the ends."""
    levels = np.arange(3, 252, 7)
    near = levels[np.abs(codes[:, None].astype(int) - levels).argmin(axis=1)]
    return np.where((codes == 0) | (codes >= 252), codes, near)


def test_the_levels_of_a_page():
    codes = np.arange(256)
    levels = export._LEVELS.astype(int)
    np.testing.assert_array_equal(levels, nearest_level(codes))
    assert len(set(levels[:253])) == 38
    assert np.abs(levels - codes).max() == 3
    # Nothing becomes zero or saturated, and what is not finite stays what it is.
    assert [*np.flatnonzero(levels == 0), *np.flatnonzero(levels == 252)] == [0, 252]
    np.testing.assert_array_equal(levels[252:], codes[252:])


def test_packed_text_is_what_html_leaves_alone():
    data = bytes(range(256)) * 20 + b"odd"
    text = export._packed(data)
    assert unpacked(text).tobytes() == data
    assert not set(text) & set("\0\r<")
    noise = np.random.default_rng(0).integers(0, 256, 70_000, dtype=np.uint8).tobytes()
    text = export._packed(noise)
    assert unpacked(text).tobytes() == noise
    assert len(text.encode()) < 1.18 * len(noise)


def test_each_module_once_however_many_widgets_use_it(explorer, tmp_path):
    saved = explorer.to_html(tmp_path / "page.html")
    text = saved.path.read_text(encoding="utf-8")
    script, boot = script_of(text)
    assert not re.search(r"^(import|export) ", boot, re.MULTILINE)
    for one in (script, boot):
        digest = base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in text
    assert script.count("function becomeRoot(") == 1
    assert script.count("function createStore(") == 1
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
    assert text.count("/* One quiet surface") == 1


def test_the_default_is_what_blocks_hand_on_and_the_vectors(cache):
    assert choose_layers(cache.graph) == (
        "conv1_relu",
        "conv2_block1_out",
        "conv3_block1_out",
        "avg_pool",
        "predictions",
    )


def test_the_layers_of_resnet50(random_resnet50):
    graph = rw.read_layers(random_resnet50)
    relus = choose_layers(graph, "all-relu")
    assert len(relus) == 49
    assert all(path.endswith(("_relu", "_out")) for path in relus)
    default = choose_layers(graph)
    blocks = [path for path in relus if path.endswith("_out")]
    assert default == ("conv1_relu", *blocks, "avg_pool", "predictions")


def test_layers_are_chosen_by_name_in_the_order_of_the_network(cache):
    chosen = choose_layers(cache.graph, ["predictions", "conv1_conv", "predictions"])
    assert chosen == ("conv1_conv", "predictions")


@pytest.mark.parametrize("layers", ["conv1_relu", [], 3])
def test_bad_choices_are_named(cache, layers):
    with pytest.raises(ValueError, match=r"`layers` must .* Received: layers="):
        choose_layers(cache.graph, layers)


def test_a_layer_that_does_not_exist(explorer, tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'conv1_relu'"):
        explorer.to_html(tmp_path / "page.html", layers=["conv1_rleu"])
    assert list(tmp_path.iterdir()) == []


def test_what_is_on_show_goes_along(explorer, tmp_path):
    saved = explorer.to_html(tmp_path / "page.html", layers=["conv1_conv"])
    assert "conv1_conv" in saved.layers
    assert explorer.layer in saved.layers
    assert set(explorer.stages.layers) <= set(saved.layers)
    assert "avg_pool" not in saved.layers


def test_it_says_how_large_it_is(explorer, tmp_path):
    saved = explorer.to_html(str(tmp_path / "page.html"))
    assert saved.nbytes == saved.path.stat().st_size
    megabytes = f"{saved.nbytes / 1e6:.1f} MB"
    expected = f"page.html: {megabytes}, 5 of {len(explorer.cache.layers)} layers>"
    assert repr(saved).endswith(expected)
    assert saved.nbytes < 250_000


def test_resnet50_and_a_photo_stay_below_four_megabytes(random_resnet50, photo_path, tmp_path):
    cache = rw.ActivationCache(random_resnet50)
    explorer = rw.Explorer(str(photo_path), cache=cache)
    saved = explorer.to_html(tmp_path / "page.html")
    explorer.close()
    assert len(saved.layers) == 19
    assert saved.nbytes < 4_000_000


def test_the_page_has_no_trace_of_the_cache_or_of_errors(explorer, tmp_path):
    explorer.wait()
    explorer.error = "something"
    saved = explorer.to_html(tmp_path / "page.html")
    page = json.loads(Parts(saved.path.read_text(encoding="utf-8")).by_id["rw-page"])
    state = page["widgets"][page["root"]]["state"]
    assert state["error"] == ""
    assert state["memory"] == {}
    tree = page["widgets"][state["tree"].removeprefix("anywidget:")]["state"]
    assert tuple(tree["cached"]) == saved.layers
    # The live one keeps both.
    assert explorer.error == "something"


def test_whatever_is_in_a_text_stays_in_its_element(explorer, tmp_path, monkeypatch):
    hostile = "</script></title><!--<script>\u2028]]>\"'&lt;\0\x1b\u202e\ud83d" + "x" * 500
    readable = hostile.replace("\ud83d", "\ufffd")
    explorer.wait()
    about = dataclasses.replace(explorer.cache.about, title=hostile)
    monkeypatch.setattr(explorer.cache, "about", about)
    explorer.image = dataclasses.replace(explorer.image, source=readable, notes=(hostile,))
    explorer.compare = dataclasses.replace(rw.load_image(PHOTO[::-1]), source=readable)
    explorer.wait().add_bookmark(readable)
    explorer.predictions = [[hostile, 0.5]]
    explorer.why.labelled = hostile
    saved = explorer.to_html(tmp_path / "page.html")
    parts = Parts(saved.path.read_text(encoding="utf-8"))
    assert len(parts.scripts) == 1
    widgets = json.loads(parts.by_id["rw-page"])["widgets"].values()
    states = [widget["state"] for widget in widgets]
    texts = json.dumps(states, ensure_ascii=False).count(
        json.dumps(readable, ensure_ascii=False)[1:-1]
    )
    # Two photos, both of them in a bookmark; a note of each; a class, and labels.
    assert texts == 8
    assert "\ud83d" not in json.dumps(states, ensure_ascii=False)


def test_numbers_that_json_lacks(explorer, tmp_path):
    explorer.wait().predictions = [["cat", float("nan")]]
    saved = explorer.to_html(tmp_path / "page.html")
    page = json.loads(Parts(saved.path.read_text(encoding="utf-8")).by_id["rw-page"])
    assert page["widgets"][page["root"]]["state"]["predictions"] == [["cat", None]]


def test_without_a_photo_it_says_what_to_do(cache, tmp_path):
    explorer = rw.Explorer(None, cache=cache)
    with pytest.raises(ValueError, match=r"set `explorer\.image`"):
        explorer.to_html(tmp_path / "page.html")
    explorer.close()


def test_without_a_model_it_says_why(tmp_path):
    explorer = rw.Explorer(PHOTO, str(tmp_path / "none.keras"))
    with pytest.raises(RuntimeError, match="No model was loaded: .*none"):
        explorer.to_html(tmp_path / "page.html")
    explorer.close()


def test_it_waits_for_the_model_and_not_for_ever(monkeypatch, tmp_path):
    from resnet_widgets.engine import models

    go_on, model = threading.Event(), network()
    monkeypatch.setattr(models, "load_model", lambda *a, **k: (go_on.wait(30), model)[1])
    explorer = rw.Explorer(PHOTO, model)
    with pytest.raises(TimeoutError, match="Wait longer with a larger `timeout`"):
        explorer.to_html(tmp_path / "page.html", timeout=0.01)
    assert list(tmp_path.iterdir()) == []
    go_on.set()
    assert explorer.to_html(tmp_path / "page.html").nbytes > 0
    explorer.close()


def test_a_second_photo_goes_along(explorer, cache, tmp_path):
    explorer.wait()
    there = threading.Event()
    explorer.observe(lambda change: there.set(), "compare_photo")
    explorer.compare = PHOTO[::-1]
    assert there.wait(30)
    saved = explorer.to_html(tmp_path / "page.html")
    page = json.loads(Parts(saved.path.read_text(encoding="utf-8")).by_id["rw-page"])
    both = {explorer.photo, explorer.compare_photo}
    assert len(both) == 2
    assert set(page["frames"]) == set(page["pictures"]) == both


def test_it_waits_for_the_photo_that_was_set_last(explorer, tmp_path):
    explorer.wait()
    first = explorer.photo
    explorer.image = PHOTO[::-1]
    saved = explorer.to_html(tmp_path / "page.html")
    page = json.loads(Parts(saved.path.read_text(encoding="utf-8")).by_id["rw-page"])
    assert list(page["frames"]) == [explorer.photo] != [first]


def test_a_png_of_the_present_view(explorer, cache, tmp_path):
    explorer.wait()
    explorer.channel = 3
    png = explorer.to_png(dpi=40)
    drawn = Image.open(io.BytesIO(png))
    assert (drawn.format, drawn.width) == ("PNG", 400)
    assert explorer.to_png(str(tmp_path / "view.png"), dpi=40) == tmp_path / "view.png"
    assert (tmp_path / "view.png").read_bytes() == png
    large = figure_of(explorer).axes[1]
    assert large.get_title(loc="left") == "conv3_block1_out, channel 3 of 6"
    expected = cache.activation(PHOTO, "conv3_block1_out")[..., 3]
    np.testing.assert_array_equal(large.images[0].get_array().filled(np.nan), expected)
    assert large.images[0].get_cmap().name == "viridis"
    explorer.map.symmetric = True
    large = figure_of(explorer).axes[1]
    assert large.images[0].get_clim() == pytest.approx((-expected.max(), expected.max()))
    assert large.images[0].get_cmap().name == "coolwarm"
    explorer.map.limits = [0.0, 2.0]
    assert figure_of(explorer).axes[1].images[0].get_clim() == (0, 2)


def test_the_figure_has_the_range_of_the_page(explorer, cache):
    explorer.wait()
    explorer.channel = 3
    values = np.array(cache.activation(PHOTO, explorer.layer), np.float64)
    plane = values[..., 3]

    def ends(**choice):
        explorer.map.update(blend=0, clip=0, symmetric=False)
        explorer.map.update(**choice)
        return pytest.approx(figure_of(explorer).axes[1].images[0].get_clim())

    own, of_all = (np.array([a.min(), a.max()]) for a in (plane, values))
    assert ends() == tuple(own)
    assert ends(blend=1) == tuple(of_all)
    assert ends(blend=0.25) == tuple(own + 0.25 * (of_all - own))
    assert ends(blend=1, symmetric=True) == (-of_all.max(), of_all.max())
    cut = int(0.1 * (plane.size - 1))
    cells = np.sort(plane.ravel())
    assert ends(clip=10) == (cells[cut], cells[-1 - cut])


def test_a_home_folder_is_found(explorer, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert explorer.to_png("~/view.png", dpi=20) == tmp_path / "view.png"
    assert explorer.to_html("~/page.html").path == tmp_path / "page.html"
    explorer.add_bookmark("here")
    explorer.save_bookmarks("~/b.json")
    explorer.load_bookmarks("~/b.json")
    assert len(explorer.bookmarks) == 2
    photo = rw.load_image(PHOTO)
    assert rw.save_activations("~/a.zip", explorer.cache, photo) == tmp_path / "a.zip"
    assert {path.name for path in tmp_path.iterdir()} == {
        "view.png",
        "page.html",
        "b.json",
        "a.zip",
    }


def test_states_and_photos_are_read_together(explorer, tmp_path, monkeypatch):
    real, held = export._state, []
    monkeypatch.setattr(
        export, "_state", lambda widget: held.append(traits_lock._is_owned()) or real(widget)
    )
    explorer.to_html(tmp_path / "page.html")
    assert held and all(held)


@pytest.mark.parametrize("dpi", [0, 5000, True, "100"])
def test_bad_dpi(explorer, dpi):
    with pytest.raises(ValueError, match="`dpi` must be a number from 20 to 1200. Received: dpi="):
        explorer.to_png(dpi=dpi)


def test_the_script_that_stands_in_the_page_stays_in_its_element(monkeypatch):
    monkeypatch.setattr(export, "_read", lambda path: 'const boot = () => "</script><!--";\n')
    script = export._boot()
    assert "</script" not in script
    assert "<!--" not in script
    assert r"<\/script><\!--" in script


def test_modules_with_equal_names_inside_do_not_meet(tmp_path):
    (tmp_path / "one.js").write_text(
        "const x = 1;\nexport function f() { return x; }\nexport default { f };\n"
    )
    (tmp_path / "two.js").write_text(
        'import { f as g } from "./one.js";\nconst x = 2;\nexport default { g, x };\n'
    )
    script = export._script([tmp_path / "two.js"])
    assert "const { f: g } = $0;" in script
    assert "return { f, default: $default };" in script
    assert script.index("const $0") < script.index("const $1")
