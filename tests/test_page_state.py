"""A page that sends anything at all: the kernel's side neither breaks nor works for it.

`RW_EXAMPLES=10` tries ten times as many.
"""

from __future__ import annotations

import builtins
import itertools
import json
import os
import threading

import ipywidgets
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from stub_comm import StubComm
from test_budget import PHOTOS, tiny_resnet

import resnet_widgets as rw
from resnet_widgets import answers
from resnet_widgets.engine.activations import ActivationCache
from resnet_widgets.frame import Frame
from resnet_widgets.widgets import (
    ActivationMap,
    ChannelSlider,
    ExplainPanel,
    FrameStore,
    ImagePicker,
    LayerTree,
    StageViewer,
)
from resnet_widgets.widgets._base import Widget
from resnet_widgets.widgets.explain_panel import _is_question

LONG = 60  # seconds; reached only by a test that fails
TIMES = int(os.environ.get("RW_EXAMPLES", "1"))
HALF = "\ud83d"  # of an emoji: JSON can have it, UTF-8 cannot, so it cannot be sent back
FRAME = Frame.from_activation(np.random.default_rng(0).random((4, 4, 3)))
ROWS = [{"path": name, "stage": "conv1", "shape": (4, 4, 3)} for name in ("first", "second")]

WIDGETS = {
    "FrameStore": lambda store: store,
    "LayerTree": lambda store: LayerTree(ROWS, selected="first"),
    "ChannelSlider": lambda store: ChannelSlider(store=store, layer="first"),
    "ActivationMap": lambda store: ActivationMap(store=store, layer="first"),
    "StageViewer": lambda store: StageViewer(store=store, layers=["first", "second"]),
    "ImagePicker": lambda store: ImagePicker(["cat.jpg"]),
    "ExplainPanel": lambda store: ExplainPanel(lambda *asked: None),
    "Explorer": lambda store: EXPLORER,
}
EXPLORER: rw.Explorer

numbers = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**31, -(2**31), 2**53, 2**63, -(2**63), 10**30, 1e308, 1e-308, 0.5]),
    st.floats(),
)
texts = st.one_of(
    st.sampled_from(
        [
            "first",
            "conv1_relu",
            "predictions",
            "__proto__",
            "<img src=x onerror=alert(1)>",
            "/etc/passwd",
            "file:///etc/passwd",
            "http://127.0.0.1:9/",
            "IPY_MODEL_0",
            "anywidget:0",
            "x" * 5000,
            HALF,
            "\udfff",
            "first\udc80",
        ]
    ),
    st.text(st.characters(codec=None), max_size=20),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
kinds = st.sampled_from(
    ["want", "picture", "photo", "sample", "cancel", "retry", "frame", "error", "forget", "cells"]
)
messages = st.one_of(
    values,
    st.dictionaries(texts, values, max_size=3),
    st.fixed_dictionaries(
        {"kind": kinds},
        optional=dict.fromkeys(
            ("id", "photo", "layer", "name", "edit", "spec", "path", "size"), values
        ),
    ),
)
buffers = st.lists(st.binary(max_size=50), max_size=3)


@pytest.fixture(scope="module", autouse=True)
def explorer():
    global EXPLORER
    EXPLORER = rw.Explorer(PHOTOS[0], cache=ActivationCache(tiny_resnet()))
    settle(EXPLORER)
    assert EXPLORER.predictions
    yield EXPLORER
    EXPLORER.close()


def settle(explorer):
    """Waits until the worker has done all that it was asked, and what that asked for."""
    idle = threading.Event()

    def look():
        worker = explorer._jobs.worker
        while worker._running or worker._waiting:
            worker.submit(lambda task: None).exception(timeout=LONG)
        idle.set()

    threading.Thread(target=look, daemon=True).start()
    assert idle.wait(LONG)


class Watch:
    """Notes what must not happen: a file that is opened, a widget too many, a big message."""

    def __init__(self, patch):
        self.opened = []
        real = builtins.open

        def spy(file, *args, **kwargs):
            if isinstance(file, str) and ("/etc/" in file or "x" * 100 in file):
                self.opened.append(file)
            return real(file, *args, **kwargs)

        patch.setattr(builtins, "open", spy)


def make(name):
    store = FrameStore(lambda photo, layer: FRAME)
    widget = WIDGETS[name](store)
    return widget, StubComm(widget)


def same(page, kernel):
    """Whether both sides have the same value; NaN, which is no JSON, is as good as any."""
    page, kernel = (json.loads(json.dumps(value)) for value in (page, kernel))
    return page == kernel or page != page


def sizes(widget):
    """How much the kernel holds for a widget: items in its lists and texts, and child widgets."""

    def count(value):
        if isinstance(value, dict):
            return 1 + sum(map(count, value.values()))
        if isinstance(value, (list, tuple)):
            return 1 + sum(map(count, value))
        return 1

    return sum(count(value) for value in widget.get_state().values())


TRAITS = {
    "FrameStore": FrameStore,
    "LayerTree": LayerTree,
    "ChannelSlider": ChannelSlider,
    "ActivationMap": ActivationMap,
    "StageViewer": StageViewer,
    "ImagePicker": ImagePicker,
    "ExplainPanel": ExplainPanel,
    "Explorer": rw.Explorer,
}
SYNCED = [
    (name, trait) for name, cls in TRAITS.items() for trait in sorted(cls.class_traits(sync=True))
]


def test_every_widget_is_here():
    """A new widget must be tried too."""
    import resnet_widgets.explorer

    def below(cls):
        return itertools.chain([cls], *map(below, cls.__subclasses__()))

    public = {
        cls.__name__
        for cls in below(Widget)
        if "_esm" in vars(cls) and cls.__module__.startswith("resnet_widgets.")
    }
    assert resnet_widgets.explorer
    assert public == set(WIDGETS)


def still_works(name, widget, comm):
    """The widget does what it is for, after all that."""
    if name == "LayerTree":
        comm.page_sets(selected="second")
        assert widget.selected == "second"
        comm.page_sets(selected="first")
    elif name == "ChannelSlider":
        comm.page_sets(value=2, order="index")
        assert (widget.value, widget.order) == (2, "index")
    elif name == "ActivationMap":
        comm.page_sets(channel=2, mode="grid")
        assert (widget.channel, widget.mode) == (2, "grid")
        comm.page_sets(mode="single")
    elif name == "StageViewer":
        comm.page_sets(layers=["first", "second"], channels=[1, 2])
        assert widget.channels == [1, 2]
        assert len(widget.maps) == 2
    elif name == "ImagePicker":
        picked = []
        widget.on_pick(lambda name, data: picked.append((name, data)))
        comm.page_sends({"kind": "photo", "name": "a.png"}, [b"data"])
        assert picked == [("a.png", b"data")]
    elif name == "FrameStore":
        comm.sent.clear()
        comm.page_sends({"kind": "want", "id": 1, "photo": "cat", "layer": "first"})
        assert comm.sent[-1][0]["content"]["kind"] == "frame"
    elif name == "Explorer":
        comm.page_sets(layer="conv1_relu", channel=1)
        assert (widget.layer, widget.channel) == ("conv1_relu", 1)
        settle(widget)
        assert len(widget.predictions) == 3


@pytest.mark.parametrize(("name", "trait"), SYNCED, ids=lambda value: value)
@settings(max_examples=30 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=values)
@example(value=HALF)
@example(value=[HALF])
@example(value={HALF: [{"layer": HALF}]})
def test_any_trait_set_to_any_value(name, trait, value):
    with pytest.MonkeyPatch.context() as patch:
        watch = Watch(patch)
        widget, comm = make(name)
        before = sizes(widget)
        code = (widget._esm, widget._css)
        try:
            children = len(ipywidgets.widgets.widget._instances)
            comm.page_sets(**{trait: value})
            settled = {trait: value, **comm.page_has()}[trait]
            assert same(settled, widget.get_state(trait)[trait])
            if name != "StageViewer":
                assert len(ipywidgets.widgets.widget._instances) == children
            assert (widget._esm, widget._css) == code
            assert watch.opened == comm.refused == []
            # What the page sends may be kept, but must not be multiplied.
            assert sizes(widget) <= before + 60
            still_works(name, widget, comm)
        finally:
            if name != "Explorer":
                widget.close()


@pytest.mark.parametrize("name", WIDGETS)
def test_what_is_not_shared_with_a_page_is_neither_taken_from_it_nor_shown_to_it(name):
    widget, comm = make(name)
    try:
        for trait in set(widget.trait_names()) - set(widget.keys):
            comm.page_sets(**{trait: 3})
            assert getattr(widget, trait) != 3
        assert comm.sent == comm.refused == []
        still_works(name, widget, comm)
    finally:
        if name != "Explorer":
            widget.close()


@pytest.mark.parametrize("name", WIDGETS)
@settings(max_examples=60 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=messages, buffers=buffers)
@example(content=HALF, buffers=[])
@example(content={"kind": "want", "id": 1, "photo": HALF, "layer": HALF}, buffers=[])
@example(content={"kind": "sample", "name": HALF}, buffers=[])
@example(content={"kind": "photo", "name": HALF, "note": HALF}, buffers=[b"data"])
@example(content={"kind": "show", "photo": HALF, "name": HALF}, buffers=[])
@example(content={"kind": "ask", "id": HALF, "view": HALF, "what": HALF, "options": {}}, buffers=[])
@example(
    content={"kind": "ask", "id": 1, "view": HALF, "what": "cam", "options": {"layer": HALF}},
    buffers=[],
)
def test_any_message(name, content, buffers):
    with pytest.MonkeyPatch.context() as patch:
        watch = Watch(patch)
        widget, comm = make(name)
        before = sizes(widget)
        try:
            comm.page_sends(content, buffers)
            if name == "Explorer":
                settle(widget)
            assert watch.opened == comm.refused == []
            assert sizes(widget) <= before + 60
            assert len(comm.sent) < 20
            still_works(name, widget, comm)
        finally:
            if name != "Explorer":
                widget.close()


@pytest.mark.parametrize("what", [*answers.ANSWERS, "bake"])
@settings(max_examples=12 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_question_has_an_answer_or_a_worded_error(what, data):
    paths = st.sampled_from([row.path for row in EXPLORER.cache.layers])
    methods = ["grad-cam", "score-cam", "saliency", "smoothgrad", "integrated", "occlusion"]
    options = data.draw(
        st.fixed_dictionaries(
            {"layer": paths | values},
            optional={
                "method": st.sampled_from(methods) | values,
                "cursor": st.lists(numbers, min_size=4, max_size=4) | values,
                **dict.fromkeys(("channel", "target", "steps", "seed", "size"), numbers | values),
            },
        )
    )
    comm = StubComm(EXPLORER.why)
    answered, send = threading.Event(), comm.send

    def listen(data, **kwargs):
        send(data, **kwargs)
        if data.get("content", {}).get("kind") in ("answer", "trouble"):
            answered.set()

    comm.send = listen
    question = {"kind": "ask", "id": 1, "view": "a", "what": what, "options": options}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "_MOST_STEPS", 2)
        comm.page_sends(question)
        if not _is_question(question):
            assert comm.sent == []
            return
        assert answered.wait(LONG)
    said = [message["content"] for message, _ in comm.sent]
    # However large a number is, no more than a few steps were made of it.
    assert len(said) < 40
    assert said[-1]["kind"] == "answer" or "Received: " in said[-1]["message"], said[-1]
