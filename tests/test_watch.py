"""Weights that change under the cache: however it happens, it is noticed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from stub_comm import StubComm

from resnet_widgets.engine import watch as watch_module
from resnet_widgets.engine.activations import ActivationCache
from resnet_widgets.engine.watch import WeightsWatch
from resnet_widgets.explorer import Explorer

PHOTO = np.random.default_rng(3).integers(0, 256, (16, 16, 3), np.uint8)


def small_model(dtype="float32"):
    keras.utils.set_random_seed(3)
    # So that no probability is 1, whatever is changed a little.
    faint = keras.initializers.RandomNormal(stddev=1e-3)
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(4, 3, kernel_initializer=faint, name="conv1_conv", dtype=dtype),
            keras.layers.BatchNormalization(name="conv1_bn", dtype=dtype),
            keras.layers.ReLU(name="conv1_relu", dtype=dtype),
            keras.layers.GlobalAveragePooling2D(name="avg_pool"),
            keras.layers.Dense(3, activation="softmax", name="predictions"),
        ]
    )


def train_a_step(jit_compile):
    def train(model, tmp_path):
        model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=jit_compile)
        model.fit(np.random.default_rng(0).random((4, 16, 16, 3)), np.arange(4) % 3, verbose=0)

    return train


def train_batch(model, tmp_path):
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(np.ones((4, 16, 16, 3)), np.arange(4) % 3)


def load_weights(model, tmp_path):
    other = small_model()
    other.set_weights([w + 1 for w in other.get_weights()])
    other.save_weights(tmp_path / "other.weights.h5")
    model.load_weights(tmp_path / "other.weights.h5")


CHANGES = {
    "fit": train_a_step(jit_compile=False),
    "fit with XLA": train_a_step(jit_compile=True),
    "train_on_batch": train_batch,
    "load_weights": load_weights,
    "set_weights": lambda model, _: model.layers[0].set_weights(
        [w + 1 for w in model.layers[0].get_weights()]
    ),
    "assign": lambda model, _: model.layers[1].moving_mean.assign(np.ones(4)),
    "assign_add": lambda model, _: model.layers[0].bias.assign_add(np.ones(4)),
    "one element": lambda model, _: model.layers[0].bias.value[1].assign(0.5),
    "scatter": lambda model, _: model.layers[0].bias.value.scatter_nd_add([[0]], [1.0]),
    "training=True": lambda model, _: model(np.ones((2, 16, 16, 3)), training=True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_noticed_and_the_cache_answers_with_the_new_weights(change, tmp_path):
    model = small_model()
    cache = ActivationCache(model)
    before = cache.activation(PHOTO, "predictions")
    assert not cache._weights.changed()
    CHANGES[change](model, tmp_path)
    after = cache.activation(PHOTO, "predictions")
    expected = model(PHOTO[None].astype(np.float32), training=False)[0]
    np.testing.assert_allclose(after, expected, atol=1e-6)
    assert not np.array_equal(after, before)
    hits = cache.info().hits
    cache.activation(PHOTO, "predictions")
    assert cache.info().hits == hits + 1


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "float16", "bfloat16"])
def test_what_changes_no_weight_is_no_change(dtype, tmp_path):
    model = small_model(dtype)
    watch = WeightsWatch(model)
    model(np.ones((2, 16, 16, 3)), training=False)
    model.predict(np.ones((2, 16, 16, 3)), verbose=0)
    model.save_weights(tmp_path / "model.weights.h5")
    keras.models.clone_model(model)
    assert not watch.changed()
    model.layers[0].bias.assign(np.ones(4))
    assert watch.changed()
    assert not watch.changed()


@pytest.mark.parametrize(
    ("name", "stand_in"), [("execute", None), ("_on_host", lambda variables: False)]
)
def test_what_makes_it_fast_is_not_what_makes_it_true(name, stand_in, monkeypatch):
    """A TensorFlow that cannot read all at once, and weights that are not in main memory."""
    monkeypatch.setattr(watch_module, name, stand_in)
    model = small_model()
    watch = WeightsWatch(model)
    assert not watch.changed()
    model.layers[1].gamma.assign(np.full(4, 3.0))
    assert watch.changed()
    assert not watch.changed()


def test_weights_that_went_and_came_back_are_a_change():
    """What was computed between would be wrong, and no old value may be taken for a new one."""
    model = small_model()
    watch = WeightsWatch(model)
    old = model.get_weights()
    for _ in range(50):
        model.set_weights([w + 1 for w in old])
        assert watch.changed()
        model.set_weights(old)
        assert watch.changed()


def test_holding_the_old_weights_lets_them_go_at_the_next_question():
    model = small_model()
    watch = WeightsWatch(model)
    model.layers[0].bias.assign(np.full(4, 7.0))
    assert watch.changed()
    held = [float(tf.reduce_max(value)) for value in watch._held]
    assert 7.0 in held


@pytest.mark.parametrize("how", ["a layer is chosen", "refresh"])
def test_an_explorer_shows_the_new_weights(how):
    """The page forgets its frames and gets the new predictions."""
    model = small_model()
    explorer = Explorer(PHOTO, model)

    def wait():
        # Twice: what runs may ask for more.
        for _ in range(2):
            explorer._jobs.worker.submit(lambda task: None, kind="last").result(timeout=60)

    try:
        wait()
        comm, stage = StubComm(explorer), StubComm(explorer.store)
        comm.page_sets(layer="conv1_conv")
        wait()
        assert stage.sent == []
        before = explorer.predictions
        model.layers[-1].set_weights([w * 3 + 1 for w in model.layers[-1].get_weights()])
        if how == "refresh":
            explorer.refresh()
        else:
            comm.page_sets(layer="conv1_relu")
        wait()
        assert [data["content"] for data, _ in stage.sent] == [{"kind": "forget", "photo": None}]
        assert explorer.predictions != before
    finally:
        explorer.close()
