"""The widgets without a browser: what travels over the comm, what is clamped, what is refused."""

import math
import re
import shutil
import subprocess
from concurrent.futures import Future
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
import traitlets
from stub_comm import StubComm

import resnet_widgets.widgets
from resnet_widgets.frame import Frame
from resnet_widgets.widgets import ActivationMap, ChannelSlider, FrameStore, StageViewer
from resnet_widgets.widgets._base import module

HERE = Path(resnet_widgets.widgets.__file__).parent
MODULES = sorted(path.name for path in HERE.glob("*.js") if "export default" in path.read_text())
FRAME = Frame.from_activation(np.arange(12, dtype=np.float32).reshape(2, 2, 3), layer="conv")


def make_store(source=lambda photo, layer: FRAME):
    store = FrameStore(source)
    return store, StubComm(store)


def want(number=1, photo="cat", layer="conv", kind="want", **other):
    return {"kind": kind, "id": number, "photo": photo, "layer": layer, **other}


def cells(*blocks, **other):
    asked = [want(number, block=block, **other) for number, block in enumerate(blocks, 1)]
    return {"kind": "cells", "cells": asked}


def messages(comm):
    """Custom messages from the kernel, `(content, buffers)`."""
    sent = [(data, buffers) for data, buffers in comm.sent if data["method"] == "custom"]
    return [(data["content"], buffers) for data, buffers in sent]


def updates(comm):
    return [data["state"] for data, _ in comm.sent if data["method"] == "update"]


class TestModules:
    def test_there_is_one_for_each_widget(self):
        assert {"activation_map.js", "channel_slider.js", "frame_store.js"} < set(MODULES)

    @pytest.mark.parametrize("name", MODULES)
    def test_pasting_makes_one_module_without_imports(self, name):
        text = module(name)
        assert not re.search(r"^\s*import\b", text, re.MULTILINE)
        assert len(re.findall(r"^export default ", text, re.MULTILINE)) == 1
        # anywidget would take an export of this name for a widget of the old kind.
        assert not re.search(r"export (async )?function render\b", text)
        functions = re.findall(r"^(?:export )?(?:async )?function (\w+)", text, re.MULTILINE)
        assert len(functions) == len(set(functions))

    @pytest.mark.parametrize("name", MODULES)
    def test_the_pasted_module_is_valid(self, name, tmp_path):
        assert shutil.which("node"), "this test needs Node.js: install it, version 20 or later"
        path = tmp_path / "pasted.mjs"
        path.write_text(module(name), encoding="utf-8")
        # Two modules with a name in common would be a syntax error here.
        subprocess.run(["node", "--check", path], check=True, capture_output=True)

    def test_a_module_is_pasted_once_and_before_those_that_use_it(self):
        text = module("activation_map.js")
        assert text.count("export function barChart(") == 1
        assert text.index("export function element(") < text.index("export function barChart(")
        assert text.index("export function barChart(") < text.index("export function valuePanel(")


class TestFrameStore:
    def test_a_want_is_answered_with_one_message_and_one_buffer(self):
        asked = []
        store, comm = make_store(lambda *names: asked.append(names) or FRAME)
        comm.page_sends(want(7))
        [(content, [buffer])] = messages(comm)
        assert content == {
            "kind": "frame",
            "id": 7,
            "photo": "cat",
            "layer": "conv",
            "shape": [2, 2, 3],
            "reduction": 1,
            "muted": [],
        }
        assert bytes(buffer) == FRAME.to_message()[1]
        assert asked == [("cat", "conv")]
        assert updates(comm) == []
        assert store.last_error is None

    def test_the_answer_names_the_layer_that_was_asked_for(self):
        _, comm = make_store()
        comm.page_sends(want(layer="model/conv"))
        assert messages(comm)[0][0]["layer"] == "model/conv"

    def test_an_exception_is_an_answer(self):
        def source(photo, layer):
            raise ValueError(f"No such layer. Received: {layer!r}")

        store, comm = make_store(source)
        comm.page_sends(want(3))
        assert messages(comm) == [
            (
                {
                    "kind": "error",
                    "id": 3,
                    "photo": "cat",
                    "layer": "conv",
                    "message": "No such layer. Received: 'conv'",
                },
                [],
            )
        ]
        assert isinstance(store.last_error, ValueError)

    def test_a_source_that_returns_something_else_is_an_error(self):
        _, comm = make_store(lambda photo, layer: np.zeros((2, 2, 1)))
        comm.page_sends(want())
        [(content, _)] = messages(comm)
        assert content["kind"] == "error"
        assert re.search(r"must return a Frame.*Received: ndarray$", content["message"])

    def test_a_future_is_answered_when_it_is_done(self):
        future = Future()
        _, comm = make_store(lambda photo, layer: future)
        comm.page_sends(want(5))
        assert messages(comm) == []
        future.set_result(FRAME)
        [(content, buffers)] = messages(comm)
        assert (content["kind"], content["id"], len(buffers)) == ("frame", 5, 1)

    @pytest.mark.parametrize("end", ["fail", "cancel"])
    def test_a_future_that_fails_or_is_cancelled_is_answered_too(self, end):
        future = Future()
        _, comm = make_store(lambda photo, layer: future)
        comm.page_sends(want())
        if end == "fail":
            future.set_exception(RuntimeError("out of memory"))
        else:
            future.cancel()
        [(content, _)] = messages(comm)
        assert content["kind"] == "error"
        assert content["message"].startswith({"fail": "out of mem", "cancel": "Cancelled."}[end])

    @pytest.mark.parametrize(
        "garbage",
        [
            None,
            "want",
            {},
            want(kind="other"),
            want(number="1"),
            want(number=True),
            want(number=1.5),
            want(number=-1),
            want(number=2**60),
            want(photo=None),
            want(layer=["conv"]),
            want(layer="x" * 10_001),
        ],
    )
    def test_what_is_not_a_want_is_ignored(self, garbage):
        asked = []
        _, comm = make_store(lambda *names: asked.append(names) or FRAME)
        comm.page_sends(garbage)
        assert (asked, comm.sent) == ([], [])

    def test_a_cell_is_answered_with_the_exact_numbers_of_all_channels(self):
        array = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
        store = FrameStore(print, exact=lambda photo, layer: array)
        comm = StubComm(store)
        assert store.has_exact
        comm.page_sends(cells([2, 1, 3, 2]))
        [(content, [buffer])] = messages(comm)
        assert content == {
            "kind": "cell",
            "id": 1,
            "photo": "cat",
            "layer": "conv",
            "block": [2, 1, 3, 2],
        }
        np.testing.assert_array_equal(np.frombuffer(buffer, "<f4"), array[1, 2])

    def test_a_block_of_cells_is_answered_with_means(self):
        array = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
        array[0, 0, 1] = np.inf
        future = Future()
        store = FrameStore(print, exact=lambda photo, layer: future)
        comm = StubComm(store)
        comm.page_sends(cells([0, 0, 2, 4]))
        assert messages(comm) == []
        future.set_result(array)
        [(_, [buffer])] = messages(comm)
        wanted = array[:4, :2].mean((0, 1), dtype=np.float64).astype(np.float32)
        np.testing.assert_array_equal(np.frombuffer(buffer, "<f4"), wanted)

    def test_cells_of_one_layer_are_one_look_at_it(self):
        looks = []
        array = np.arange(40, dtype=np.float32).reshape(4, 5, 2)
        future = Future()
        exact = lambda *names: looks.append(names) or future  # noqa: E731
        comm = StubComm(FrameStore(print, exact=exact))
        comm.page_sends(cells([0, 0, 1, 1], [4, 3, 5, 4], [0, 0, 6, 1]))
        future.set_result(array)
        assert looks == [("cat", "conv")]
        kinds = [(content["id"], content["kind"]) for content, _ in messages(comm)]
        assert kinds == [(1, "cell"), (2, "cell"), (3, "error")]
        numbers = [np.frombuffer(buffer, "<f4").tolist() for _, [buffer] in messages(comm)[:2]]
        assert numbers == [[0, 1], [38, 39]]

    def test_a_look_that_fails_is_told_for_each_of_its_cells(self):
        def exact(photo, layer):
            raise ValueError("gone")

        comm = StubComm(FrameStore(print, exact=exact))
        comm.page_sends(cells([0, 0, 1, 1], [1, 0, 2, 1]))
        assert [(c["id"], c["message"]) for c, _ in messages(comm)] == [(1, "gone"), (2, "gone")]

    def test_more_cells_than_a_page_shows_are_ignored(self):
        comm = StubComm(FrameStore(print, exact=lambda photo, layer: np.zeros((4, 5, 3))))
        comm.page_sends(cells(*[[0, 0, 1, 1]] * 33))
        comm.page_sends({"kind": "cells"})
        assert comm.sent == []
        comm.page_sends(cells(*[[0, 0, 1, 1]] * 32))
        assert len(comm.sent) == 32

    def test_a_plane_is_answered_with_every_cell_of_it_as_in_a_whole_frame(self):
        array = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
        looks = []
        store = FrameStore(
            lambda photo, layer: FRAME, exact=lambda *names: looks.append(names) or array
        )
        comm = StubComm(store)
        comm.page_sends({"kind": "planes", "planes": [want(7, channel=1), want(8, channel=3)]})
        [(content, [buffer]), (refused, _)] = messages(comm)
        assert content == {"kind": "plane", "id": 7, "photo": "cat", "layer": "conv", "channel": 1}
        assert bytes(buffer) == Frame.from_activation(array).data[1].tobytes()
        assert (refused["kind"], refused["id"], refused["channel"]) == ("error", 8, 3)
        assert looks == [("cat", "conv")]

    @pytest.mark.parametrize("channel", [-1, True, 1.0, "1", None])
    def test_what_is_no_channel_is_ignored(self, channel):
        comm = StubComm(FrameStore(lambda photo, layer: FRAME, exact=lambda *_: np.ones((1, 1, 9))))
        comm.page_sends({"kind": "planes", "planes": [want(channel=channel)]})
        comm.page_sends({"kind": "planes", "planes": [want(block=[0, 0, 1, 1])]})
        assert comm.sent == []

    @pytest.mark.parametrize("block", [[0, 0, 6, 1], [0, 0, 1, 5]])
    def test_cells_that_are_not_there_are_an_error(self, block):
        store = FrameStore(print, exact=lambda photo, layer: np.zeros((4, 5, 3)))
        comm = StubComm(store)
        comm.page_sends(cells(block))
        [(content, _)] = messages(comm)
        assert content["kind"] == "error"
        assert content["message"].endswith(f"of shape (4, 5, 3). Received: {block}")

    @pytest.mark.parametrize(
        "block", [None, [], [0, 0, 1], [1, 0, 1, 1], [0, 0, 1.0, 1], [-1, 0, 1, 1], ["0", 0, 1, 1]]
    )
    def test_what_is_not_a_block_is_ignored(self, block):
        store = FrameStore(print, exact=lambda photo, layer: np.zeros((4, 5, 3)))
        comm = StubComm(store)
        comm.page_sends(cells(block))
        assert comm.sent == []

    def test_without_a_function_for_it_there_is_no_exact_number(self):
        store, comm = make_store()
        comm.page_sets(has_exact=True)
        assert not store.has_exact
        comm.page_sends(cells([0, 0, 1, 1]))
        assert messages(comm) == []
        with pytest.raises(TypeError, match=r"Argument `exact` must be .* Received: 3$"):
            FrameStore(print, exact=3)

    def test_forget_tells_the_page(self):
        store, comm = make_store()
        store.forget("cat")
        store.forget()
        assert [content for content, _ in messages(comm)] == [
            {"kind": "forget", "photo": "cat"},
            {"kind": "forget", "photo": None},
        ]

    def test_an_answer_after_closing_goes_nowhere(self):
        future = Future()
        store, comm = make_store(lambda photo, layer: future)
        comm.page_sends(want())
        store.close()
        future.set_result(FRAME)
        assert messages(comm) == []

    def test_it_has_no_view_and_holds_no_frames(self):
        store = FrameStore(lambda photo, layer: FRAME)
        assert store._repr_mimebundle_() is None
        assert not [name for name in store.keys if "frame" in name.lower()]

    def test_the_source_must_be_a_function(self):
        with pytest.raises(TypeError, match=r"Argument `source` must be a function.*Received: 3$"):
            FrameStore(3)
        with pytest.raises(TypeError):
            FrameStore()

    def test_page_bytes_are_not_negative(self):
        assert FrameStore(print, page_bytes=-5).page_bytes == 0


@pytest.mark.parametrize("widget", [ActivationMap, ChannelSlider, StageViewer])
class TestAll:
    def test_an_unknown_keyword_is_an_error_with_a_hint(self, widget):
        message = r"Did you mean `photo`\? Received: 'foto'$"
        with pytest.raises(TypeError, match=message):
            widget(foto="cat")
        with pytest.raises(TypeError, match=r"Expected some of \[.*'layout'.*\]\. Received: "):
            widget(zzzzzz=1)

    def test_every_trait_is_documented(self, widget):
        known = ipywidgets.DOMWidget.class_trait_names()
        own = [n for n in widget.class_trait_names(sync=True) if n[0] != "_" and n not in known]
        documented = re.findall(r"^ {8}(\w+): ", widget.__doc__, re.MULTILINE)
        assert set(own) - {"error"} == set(documented)

    def test_no_trait_holds_anything_heavy(self, widget):
        store = FrameStore(lambda photo, layer: FRAME)
        state = widget(store=store, photo="cat").get_state()
        text = {"_esm", "_css"}
        assert sum(len(repr(value)) for name, value in state.items() if name not in text) < 2000

    def test_an_error_can_be_seen(self, widget):
        shown = widget()
        error = ValueError("no such photo")
        shown.report(error)
        assert (shown.error, shown.last_error) == ("no such photo", error)
        shown.report(KeyboardInterrupt())
        assert shown.error == "KeyboardInterrupt"


class TestActivationMap:
    def test_values_from_the_page_are_clamped(self):
        shown = ActivationMap()
        comm = StubComm(shown)
        comm.page_sets(channel=-4, cursor=[-1, 0.25, 0.5, 9])
        assert (shown.channel, shown.cursor) == (0, [0, 0.25, 0.5, 1])
        comm.page_sets(cursor=[0.5, 0, 0.25, 1])
        assert shown.cursor == []
        assert comm.page_has() == {"channel": 0, "cursor": []}

    def test_a_cursor_is_not_echoed(self):
        shown = ActivationMap()
        comm = StubComm(shown)
        comm.page_sets(cursor=[0, 0, 0.5, 0.5])
        assert comm.sent == []

    def test_what_a_page_may_not_set_is_echoed_before_it_is_put_right(self):
        """A page turns a deaf ear to what it has set until the echo comes."""
        comm = StubComm(ActivationMap())
        comm.page_sets(error=3, cursor="none")
        said = [(data["method"], data["state"]) for data, _ in comm.sent]
        assert said == [
            ("echo_update", {"error": ""}),
            ("update", {"error": "", "cursor": []}),
        ]

    @pytest.mark.parametrize("limits", [[1], [1, 1], [2, 1], [1, 2, 3], [0, math.inf]])
    def test_limits_that_are_no_range_are_refused(self, limits):
        with pytest.raises(traitlets.TraitError, match=r"low < high. Received: \["):
            ActivationMap(limits=limits)

    @pytest.mark.parametrize("limits", [[2, 1], ["0", 1], None, [None, 1]])
    def test_a_page_gets_the_range_back_that_it_may_not_set(self, limits):
        shown = ActivationMap(limits=[0, 1])
        comm = StubComm(shown)
        comm.page_sets(limits=limits, colormap="jet")
        assert (shown.limits, shown.colormap) == ([0, 1], "auto")
        assert comm.page_has() == {"limits": [0, 1], "colormap": "auto"}

    def test_blend_and_clip_stay_in_their_ranges(self):
        shown = ActivationMap(blend=3, clip=80)
        assert (shown.blend, shown.clip) == (1, 25)
        shown.blend, shown.clip = -1, math.nan
        assert (shown.blend, shown.clip) == (0, 0)

    def test_pins_are_clamped_each_once_and_the_last_six(self):
        pin = [0, 0, 0.5, 0.5]
        shown = ActivationMap(pins=[[0, -1, 0.5, 0.5], pin, [1, 0, 0, 1], [3], pin])
        assert shown.pins == [pin]
        shown.pins = [[0, 0, 1 / n, 1 / n] for n in range(1, 10)]
        assert shown.pins == [[0, 0, 1 / n, 1 / n] for n in range(4, 10)]

    def test_a_single_map_alone_is_not_as_wide_as_the_page(self):
        assert ActivationMap().layout.max_width == "720px"
        assert ActivationMap(mode="grid").layout.max_width is None
        assert ActivationMap(layout={"max_width": "300px"}).layout.max_width == "300px"


class TestChannelSlider:
    def test_it_goes_where_sliders_go(self):
        slider = ChannelSlider(count=8, value=3)
        # To call the function as well, the oldest ipywidgets needs a kernel.
        (taken,) = ipywidgets.interactive(lambda x: x, x=slider).kwargs_widgets
        assert taken is slider
        assert taken.get_interact_value() == 3

    def test_alone_the_value_stays_below_the_count(self):
        slider = ChannelSlider(count=8, value=30)
        assert slider.value == 7
        slider.value = -1
        assert slider.value == 0
        slider.value = 6
        slider.count = 4
        assert slider.value == 3

    def test_with_a_store_the_page_knows_the_count(self):
        slider = ChannelSlider(store=FrameStore(print))
        slider.value = 1500
        assert slider.value == 1500

    def test_values_from_the_page_are_clamped(self):
        slider = ChannelSlider(count=8)
        comm = StubComm(slider)
        comm.page_sets(value=99, speed=1e9)
        assert (slider.value, slider.speed) == (7, 60)
        comm.page_sets(value=-2, speed=0, count=-3)
        assert (slider.value, slider.speed, slider.count) == (0, 0.1, 0)
        assert comm.page_has() == {"value": 0, "speed": 0.1, "count": 0}


class TestStageViewer:
    @pytest.fixture
    def viewer(self):
        store = FrameStore(lambda photo, layer: FRAME)
        return StageViewer(store=store, photo="cat", layers=["a", "b"], channels=[3])

    def test_there_is_one_map_and_one_slider_a_layer(self, viewer):
        assert (len(viewer.maps), len(viewer.sliders)) == (2, 2)
        assert all(isinstance(child, ActivationMap) for child in viewer.maps)
        assert all(isinstance(child, ChannelSlider) for child in viewer.sliders)
        assert all(child.store is viewer.store for child in (*viewer.maps, *viewer.sliders))
        assert not any(shown.values for shown in viewer.maps)
        assert viewer.channels == [3, 0]

    def test_other_layers_keep_the_widgets_and_cost_one_message(self, viewer):
        before = (viewer.maps, viewer.sliders)
        comm = StubComm(viewer)
        viewer.layers = ["c", "d"]
        assert (viewer.maps, viewer.sliders) == before
        assert updates(comm) == [{"layers": ["c", "d"]}]

    def test_more_layers_add_columns_in_one_message(self, viewer):
        first = viewer.maps[0]
        comm = StubComm(viewer)
        viewer.layers = ["a", "b", "c"]
        assert viewer.maps[0] is first
        assert (len(viewer.maps), viewer.channels) == (3, [3, 0, 0])
        assert [sorted(state) for state in updates(comm)] == [
            ["layers"],
            ["channels", "maps", "sliders"],
        ]
        assert updates(comm)[1]["maps"] == [f"anywidget:{m.model_id}" for m in viewer.maps]

    def test_fewer_layers_close_the_rest(self, viewer):
        last = (viewer.maps[1], viewer.sliders[1])
        viewer.layers = ["a"]
        assert [child.comm for child in last] == [None, None]
        assert viewer.maps[0].comm is not None
        assert viewer.channels == [3]

    def test_closing_closes_the_columns(self, viewer):
        children = (*viewer.maps, *viewer.sliders)
        viewer.close()
        assert [child.comm for child in children] == [None] * 4

    def test_values_from_the_page_are_clamped(self, viewer):
        comm = StubComm(viewer)
        comm.page_sets(channels=[-2, 5, 9], cursor=[0, 0, 2, 2])
        assert (viewer.channels, viewer.cursor) == ([0, 5], [0, 0, 1, 1])
        assert comm.page_has()["channels"] == [0, 5]

    @pytest.mark.parametrize(
        ("layers", "received"),
        [
            (["a"] * 13, "13 paths, the longest of 1 letters: "),
            (["a", "b" * 10_001], "2 paths, the longest of 10001 letters: "),
        ],
    )
    def test_too_many_layers_and_too_long_paths_are_told_apart(self, viewer, layers, received):
        with pytest.raises(traitlets.TraitError, match=f"at most 12 .*10000.* {received}"):
            viewer.layers = layers
        assert viewer.layers == ["a", "b"]
        viewer.layers = ["b" * 10_000] * 12
        assert len(viewer.maps) == 12

    def test_without_a_store_there_are_no_columns(self):
        assert StageViewer(layers=["a"]).maps == []


def test_a_saved_notebook_says_what_was_in_a_widget():
    store, _ = make_store()
    shown = ActivationMap(store=store, layer="conv1_relu", channel=3)
    data, _ = shown._repr_mimebundle_()
    invitation = "Run the cell to bring it to life."
    assert data["text/plain"] == f"ActivationMap of conv1_relu, channel 3. {invitation}"
    stages = StageViewer(store=store, layers=["conv1_relu", "pool1_pool"])
    assert repr(stages) == f"StageViewer of conv1_relu, pool1_pool. {invitation}"
    assert repr(ActivationMap(store=store)) == f"ActivationMap. {invitation}"
    assert repr(ChannelSlider(count=4)) == f"ChannelSlider. {invitation}"


@pytest.mark.parametrize("layer", ["a\nb\x1b[31m\u202e", "half \ud83d", "x" * 3000], ids=ascii)
def test_what_a_saved_notebook_says_is_one_whole_line(layer):
    shown = ActivationMap(store=make_store()[0], layer=layer, channel=3)
    text = shown._repr_mimebundle_()[0]["text/plain"]
    assert text.startswith(f"ActivationMap of {layer[0]}")
    assert text.endswith(". Run the cell to bring it to life.")
    assert text.isprintable()


def test_half_an_emoji_and_nan_from_the_kernel_reach_the_page():
    widget = ActivationMap(store=make_store()[0])
    comm = StubComm(widget)
    widget.error = "half \ud83d, whole \ud83d\ude00"
    assert comm.page_has()["error"] == "half �, whole 😀"
    widget.send({"\ud83d": ["\ud83d", float("nan"), float("inf"), 0.5]})
    assert comm.sent[-1][0]["content"] == {"�": ["�", None, None, 0.5]}


def test_a_page_may_set_neither_code_nor_what_a_widget_is():
    widget = ActivationMap(store=make_store()[0])
    comm = StubComm(widget)
    own = [name for name in widget.keys if name.startswith("_") and name != "_view_count"]
    assert {"_esm", "_css", "_view_name", "_dom_classes"} <= set(own)
    before = widget.get_state(own)
    for name in own:
        comm.page_sets(**{name: ["x"] if isinstance(before[name], (list, tuple)) else "x"})
    assert widget.get_state(own) == before
    assert comm.page_has() == before


def test_numbers_that_are_too_large_are_refused():
    widget = ActivationMap(store=make_store()[0])
    comm = StubComm(widget)
    huge = 10**400
    comm.page_sets(limits=[0, huge], cursor=[0, 0, 1, huge], clip=huge, channel=2)
    assert (widget.limits, widget.cursor, widget.clip, widget.channel) == ([], [], 0, 2)
    assert comm.page_has()["limits"] == []


def test_columns_have_in_the_kernel_what_they_have_in_the_page_and_no_word_is_said():
    viewer = StageViewer(store=FrameStore(print), photo="cat", layers=["a", "b"])
    comms = [StubComm(child) for child in (*viewer.maps, *viewer.sliders)]
    box = [0.25, 0.25, 0.5, 0.5]
    StubComm(viewer).page_sets(channels=[3, 5], cursor=box, outlines=[box], colormap="gray")
    assert [(m.photo, m.layer, m.channel) for m in viewer.maps] == [
        ("cat", "a", 3),
        ("cat", "b", 5),
    ]
    assert [(s.photo, s.layer, s.value) for s in viewer.sliders] == [
        ("cat", "a", 3),
        ("cat", "b", 5),
    ]
    assert [(m.cursor, m.outline, m.colormap) for m in viewer.maps] == [
        (box, box, "gray"),
        (box, [], "gray"),
    ]
    assert [comm.sent for comm in comms] == [[]] * 4
    viewer.layers = ["a", "b", "c"]
    assert [m.layer for m in viewer.maps] == ["a", "b", "c"]
