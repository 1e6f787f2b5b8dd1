"""Random users of one cache: its bytes stay within their limit, its numbers are the model's."""

from __future__ import annotations

import ctypes
import functools
import gc
import itertools
import threading
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from resnet_widgets.engine import activations, memory, tensor_store
from resnet_widgets.engine.activations import ActivationCache
from resnet_widgets.engine.memory import MIB, collecting_later, give_back
from resnet_widgets.engine.tensor_store import TensorStore

PHOTOS = np.random.default_rng(8).integers(0, 256, (6, 16, 16, 3), np.uint8)


def tiny_resnet():
    """Stem, three residual blocks, head; the insides of a block are larger than its end."""
    keras.utils.set_random_seed(8)
    x = inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="conv1_relu")(x)
    for number in (2, 3, 4):
        name = f"conv{number}_block1"
        side = keras.layers.Conv2D(6, 1, strides=2, name=f"{name}_0_conv")(x)
        x = keras.layers.Conv2D(12, 3, strides=2, padding="same", name=f"{name}_1_conv")(x)
        x = keras.layers.BatchNormalization(name=f"{name}_1_bn")(x)
        x = keras.layers.Conv2D(6, 1, name=f"{name}_2_conv")(x)
        x = keras.layers.Add(name=f"{name}_add")([x, side])
        x = keras.layers.ReLU(name=f"{name}_out")(x)
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="predictions")(x))


MODEL = tiny_resnet()
WEIGHTS = MODEL.get_weights()
LAYERS = [layer.name for layer in MODEL.layers]
EVERYTHING = keras.Model(MODEL.input, [layer.output for layer in MODEL.layers])


class Cache(RuleBasedStateMachine):
    """What a program may do with a cache, in any order."""

    photo = st.integers(0, len(PHOTOS) - 1)
    layer = st.sampled_from(LAYERS)

    @initialize(max_bytes=st.sampled_from([0, 1, 3000, 10_000, 40_000, 200_000, 10**7]))
    def begin(self, max_bytes):
        MODEL.set_weights(WEIGHTS)
        self.cache = ActivationCache(MODEL, max_bytes=max_bytes)
        self.expected = functools.cache(
            lambda photo: dict(
                zip(LAYERS, EVERYTHING(PHOTOS[[photo]].astype(np.float32)), strict=True)
            )
        )

    def check(self, photo, layer, array, tolerance=1e-5):
        expected = self.expected(photo)[layer][0]
        np.testing.assert_allclose(array, expected, atol=tolerance, err_msg=layer)
        assert not array.flags.writeable

    @rule(photo=photo, layer=layer)
    def ask_for_a_layer(self, photo, layer):
        self.check(photo, layer, self.cache.activation(PHOTOS[photo], layer))

    @rule(photo=photo, layers=st.lists(layer, max_size=6))
    def ask_for_several(self, photo, layers):
        found = self.cache.activations(PHOTOS[photo], layers)
        assert set(found) == set(layers)
        for layer, array in found.items():
            self.check(photo, layer, array)

    @rule(photo=photo)
    def ask_for_all(self, photo):
        for layer, array in self.cache.activations(PHOTOS[photo], LAYERS).items():
            self.check(photo, layer, array)

    @rule(photo=photo)
    def ask_for_stages_and_predictions(self, photo):
        for layer, array in self.cache.stages(PHOTOS[photo]).items():
            self.check(photo, layer, array)
        best = self.cache.predictions(PHOTOS[photo], top=1)[0]
        expected = self.expected(photo)["predictions"][0]
        assert abs(best.probability - float(np.max(expected))) < 1e-5

    @rule(photos=st.lists(photo, min_size=1, max_size=4), layer=layer)
    def ask_for_a_batch(self, photos, layer):
        batch = self.cache.activation(PHOTOS[photos], layer)
        assert len(batch) == len(photos)
        for photo, array in zip(photos, batch, strict=True):
            self.check(photo, layer, array)

    @rule(photo=photo, layer=layer)
    def ask_without_preprocessing(self, photo, layer):
        array = np.asarray(
            self.cache.activation(PHOTOS[photo].astype(np.float32), layer, preprocess=False)
        )
        np.testing.assert_allclose(
            array, self.raw(photo)[LAYERS.index(layer)][0], atol=1e-5, err_msg=layer
        )

    @staticmethod
    def raw(photo):
        return EVERYTHING(PHOTOS[[photo]].astype(np.float32))

    @rule(photo=photo, layer=layer)
    def keep_what_was_given(self, photo, layer):
        """An array stays as it was, whatever the cache forgets or computes afterwards."""
        array = self.cache.activation(PHOTOS[photo], layer)
        copy = array.copy()
        self.cache.clear()
        self.cache.activations(PHOTOS[(photo + 1) % len(PHOTOS)], LAYERS)
        np.testing.assert_array_equal(array, copy)

    @rule(nonsense=st.sampled_from(["no such layer", "", "conv2_block1"]))
    def ask_for_what_is_not_there(self, nonsense):
        before = self.cache.info()
        with pytest.raises(ValueError, match="No such layer"):
            self.cache.activation(PHOTOS[0], nonsense)
        assert self.cache.info() == before

    @rule()
    def clear(self):
        self.cache.clear()
        assert self.cache.info().nbytes == 0

    @rule(layer=st.sampled_from([layer for layer in MODEL.layers if layer.weights]))
    def change_a_weight(self, layer):
        """As a step of training does: only what is asked for afterwards counts."""
        layer.set_weights([w * 0.9 + 0.01 for w in layer.get_weights()])
        self.expected.cache_clear()

    @rule(photo=photo)
    def ask_what_is_there(self, photo):
        assert self.cache.cached(PHOTOS[photo]) <= set(LAYERS)

    @precondition(lambda self: hasattr(self, "cache"))
    @invariant()
    def bytes_are_within_the_limit(self):
        info = self.cache.info()
        store = self.cache._store
        held = [
            int(kept.tensor.shape.num_elements()) * kept.tensor.dtype.size
            for shelf in (store._lasting, store._passing)
            for kept in shelf.tensors.values()
        ]
        assert sum(held) == info.nbytes <= info.max_bytes

    def teardown(self):
        if hasattr(self, "cache"):
            self.cache.close()
            assert self.cache.info().nbytes == 0


Cache.TestCase.settings = settings(max_examples=6, stateful_step_count=25, deadline=None)
TestCache = Cache.TestCase


class Clock:
    """Stands for the module `time` of the store, and notes when memory is to be given back."""

    def __init__(self, monkeypatch):
        self.now, self.given_back = 100.0, []
        monkeypatch.setattr(tensor_store, "time", self)
        monkeypatch.setattr(
            tensor_store, "give_back_soon", lambda wait: self.given_back.append(self.now + wait)
        )

    def monotonic(self):
        return self.now


def drop(store, mebibytes):
    """As a question does that drops as much."""
    for _ in range(mebibytes // 16):
        store.put("photo", f"layer {next(NAMES)}", tf.zeros(4 * MIB), lasting=False, generation=0)
    store.give_back()


NAMES = itertools.count()


def test_dropped_bytes_are_given_back_once_they_are_many(monkeypatch):
    clock, store = Clock(monkeypatch), TensorStore(32 * MIB)
    drop(store, 32 + 48)
    assert clock.given_back == []
    drop(store, 16)
    assert clock.given_back == [100.0]
    store.give_back()
    assert clock.given_back == [100.0]


def test_what_was_dropped_soon_after_is_given_back_after_a_pause(monkeypatch):
    """Once, however many questions drop something until then, and never twice within a pause."""
    clock, store = Clock(monkeypatch), TensorStore(32 * MIB)
    drop(store, 32 + 64)
    for clock.now in (101.0, 103.0, 109.0):
        drop(store, 64)
    assert clock.given_back == [100.0, 110.0]
    clock.now = 111.0
    drop(store, 64)
    assert clock.given_back == [100.0, 110.0, 120.0]
    clock.now = 150.0
    drop(store, 64)
    assert clock.given_back == [100.0, 110.0, 120.0, 150.0]


def test_whoever_asks_does_not_wait_until_memory_is_given_back(monkeypatch):
    asked, done = threading.get_ident(), threading.Event()
    monkeypatch.setattr(memory, "give_back", lambda: asked != threading.get_ident() and done.set())
    memory.give_back_soon()
    assert done.wait(10)


def test_memory_is_given_back_after_the_time_that_was_asked_for(monkeypatch):
    timer = mock.Mock()
    monkeypatch.setattr(memory.threading, "Timer", timer)
    memory.give_back_soon(7.5)
    assert timer.mock_calls == [mock.call(7.5, give_back), mock.call().start()]
    # Python does not wait for it when it ends.
    assert timer.return_value.daemon is True
    timer.return_value.start.side_effect = RuntimeError("can't create new thread")
    memory.give_back_soon(7.5)


@pytest.mark.parametrize("library", [None, 3], ids=["none", "without the function"])
def test_memory_is_left_alone_where_the_c_library_cannot_give_it_back(monkeypatch, library):
    def load(name):
        if library is None:
            raise OSError("there is none")
        return library

    monkeypatch.setattr(ctypes, "CDLL", load)
    give_back()


def test_what_comes_and_stays_is_walked_over_neither_then_nor_soon_after():
    walks = []

    def heard(phase, info):
        walks.append(info["generation"])

    gc.callbacks.append(heard)
    try:
        with collecting_later():
            kept = [[] for _ in range(100_000)]
            assert not walks
        assert gc.isenabled()
        assert any(one is kept for one in gc.get_objects(generation=2))
    finally:
        gc.callbacks.remove(heard)


def test_what_somebody_else_has_frozen_stays_so():
    gc.freeze()
    try:
        with collecting_later():
            pass
        assert gc.isenabled()
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()


def test_who_never_looks_for_cycles_is_left_at_that():
    gc.disable()
    try:
        with pytest.raises(OSError), collecting_later():
            raise OSError
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_cache_that_is_closed_gives_its_memory_back(monkeypatch):
    calls = []
    monkeypatch.setattr(activations, "give_back_soon", lambda: calls.append(cache.info().nbytes))
    cache = ActivationCache(MODEL)
    cache.activation(PHOTOS[0], LAYERS[-1])
    cache.close()
    assert calls == [0]
