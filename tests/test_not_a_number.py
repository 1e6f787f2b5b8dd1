"""A model whose numbers are none: it is said, everywhere, and nothing breaks."""

from __future__ import annotations

import threading
import warnings

import keras
import numpy as np
import pytest
from stub_comm import StubComm

import resnet_widgets as rw
from resnet_widgets.answers import ANSWERS

LONG = 60  # seconds; reached only by a test that fails
PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def network(weight):
    """One residual block and a classifier, all of whose weights are `weight`."""
    x = inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="conv1_conv")(x)
    shortcut = x = keras.layers.ReLU(name="conv1_relu")(x)
    x = keras.layers.Conv2D(4, 3, padding="same", name="conv2_block1_1_conv")(x)
    x = keras.layers.Add(name="conv2_block1_add")([shortcut, x])
    x = keras.layers.ReLU(name="conv2_block1_out")(x)
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax", name="predictions")(x))
    model.set_weights([np.full_like(array, weight) for array in model.get_weights()])
    return model


@pytest.fixture(scope="module", params=[np.nan, np.inf, 1e30], ids=str)
def explorer(request):
    explorer = rw.Explorer(PHOTO, network(request.param))
    yield explorer.wait(LONG)
    explorer.close()


def test_there_are_no_predictions_and_the_page_is_told_why(explorer):
    assert explorer.predictions == []
    comm = StubComm(explorer)  # takes nothing that is no JSON
    explorer.send_state()
    assert comm.page_has()["predictions"] == []
    assert "not a number" in explorer.error


@pytest.mark.parametrize("symmetric", [False, True])
def test_it_can_be_drawn_and_saved(explorer, symmetric, tmp_path):
    explorer.map.symmetric = symmetric
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert explorer.to_png().startswith(b"\x89PNG")
    assert explorer.to_html(tmp_path / "page.html").path.stat().st_size > 10_000


@pytest.mark.parametrize("what", sorted(set(ANSWERS) - {"dream"}))
def test_every_question_has_an_answer_or_a_reason(explorer, what):
    comm, answered = StubComm(explorer.why), threading.Event()
    send = comm.send

    def listen(data=None, **kwargs):
        send(data, **kwargs)
        if data.get("content", {}).get("kind") in ("answer", "trouble"):
            answered.set()

    comm.send = listen
    options = {"layer": "conv1_relu", "channel": 1, "steps": 4, "method": "grad-cam"}
    if what == "pixels":
        options["method"] = "saliency"
    question = {"kind": "ask", "id": 1, "view": "a", "what": what, "options": options}
    comm.page_sends(question)
    assert answered.wait(LONG)
