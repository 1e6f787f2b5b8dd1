"""Weights that change under the cache: however it happens, it is noticed."""

from __future__ import annotations

import ctypes
import gc
import importlib
import sys
import threading

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
    assert not cache._watched._watch.changed()
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


def without_private_parts(monkeypatch):
    """A TensorFlow that has moved or renamed what is not public."""
    monkeypatch.setitem(sys.modules, "tensorflow.python.eager", None)
    importlib.reload(watch_module)


def not_in_main_memory(monkeypatch):
    monkeypatch.setattr(watch_module, "_on_host", lambda variables: False)


@pytest.mark.parametrize("hinder", [without_private_parts, not_in_main_memory])
def test_what_makes_it_fast_is_not_what_makes_it_true(hinder, monkeypatch):
    model = small_model()
    hinder(monkeypatch)
    watch = watch_module.WeightsWatch(model)
    monkeypatch.undo()
    assert not watch.changed()
    model.layers[1].gamma.assign(np.full(4, 3.0))
    assert watch.changed()
    assert not watch.changed()


def test_functions_of_python_are_left_to_all_libraries_as_they_are():
    importlib.reload(watch_module)
    assert ctypes.pythonapi.PyCapsule_GetPointer.argtypes is None


class Held:
    """A lock in the place of another one, that tells when somebody waits for it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.waited_for = threading.Event()

    def __enter__(self):
        self.waited_for.set()
        return self.lock.__enter__()

    def __exit__(self, *error):
        return self.lock.__exit__(*error)


def in_a_thread(function):
    """Starts `function`; returns what waits for its result."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()), daemon=True)
    thread.start()

    def result(timeout=60):
        thread.join(timeout)
        assert not thread.is_alive(), "it waits for the computation"
        return results[0]

    return result


@pytest.mark.parametrize("ask", ["peek", "cached", "generation", "clear"])
def test_what_is_asked_on_the_way_does_not_wait_for_a_computation(ask):
    model = small_model()
    cache = ActivationCache(model)
    cache.activation(PHOTO, "predictions")
    questions = {
        "peek": lambda: cache.peek(PHOTO, "predictions"),
        "cached": lambda: cache.cached(PHOTO),
        "generation": lambda: cache.generation,
        "clear": cache.clear,
    }
    with cache._runner._computing:
        model.layers[-1].bias.assign([3, 2, 1])
        answer = in_a_thread(questions[ask])(timeout=10)
    assert answer == {"peek": None, "cached": frozenset(), "generation": 1, "clear": None}[ask]


def test_the_weights_are_looked_at_beside_a_computation_and_before_what_is_stored(monkeypatch):
    cache = ActivationCache(small_model())
    computing, looking, waited, looks = threading.Event(), threading.Event(), [], []
    compute = cache._runner._compute

    # Each waits for the other to have begun: neither may come first.
    def compute_and_tell(*arguments):
        computing.set()
        waited.append(looking.wait(30))
        return compute(*arguments)

    def look():
        looking.set()
        looks.append((computing.wait(30), threading.current_thread() is threading.main_thread()))
        return False

    monkeypatch.setattr(cache._runner, "_compute", compute_and_tell)
    monkeypatch.setattr(cache._watched._watch, "changed", look)
    cache.activation(PHOTO, "predictions")
    cache.activation(PHOTO, "predictions")
    assert looks == [(True, False), (True, True)]
    assert waited == [True]


def test_while_the_weights_keep_changing_nothing_is_computed_for_nothing():
    model = small_model()
    cache = ActivationCache(model)
    cache.activation(PHOTO, "predictions")
    # The first change may be seen before the computation has begun.
    for step, misses in enumerate([{1, 2}, {1}, {1}]):
        model.layers[-1].bias.assign(np.full(3, step + 1))
        before = cache.info().misses
        photo = PHOTO + step + 1
        np.testing.assert_allclose(
            cache.activation(photo, "predictions"),
            model(photo[None].astype(np.float32), training=False)[0],
            atol=1e-6,
        )
        assert cache.info().misses - before in misses


def test_a_question_is_answered_while_python_ends(monkeypatch):
    model = small_model()
    cache = ActivationCache(model)
    before = cache.activation(PHOTO, "predictions")
    # What concurrent.futures sets once the main thread has ended.
    monkeypatch.setattr("concurrent.futures.thread._shutdown", True)
    np.testing.assert_array_equal(cache.activation(PHOTO, "predictions"), before)
    cache.clear()
    model.layers[-1].bias.assign([3, 2, 1])
    assert not np.allclose(cache.activation(PHOTO, "predictions"), before)


@pytest.mark.parametrize("end", ["close", "forget"])
def test_the_thread_that_looks_ends_with_the_cache(end):
    before = set(threading.enumerate())
    cache = ActivationCache(small_model())
    cache.activation(PHOTO, "predictions")
    new = set(threading.enumerate()) - before
    (started,) = (thread for thread in new if thread.name.startswith("resnet_widgets weights"))
    if end == "close":
        cache.close()
    else:
        del cache
        gc.collect()
    started.join(30)
    assert not started.is_alive()


def test_an_error_of_the_look_is_an_error_of_the_question(monkeypatch):
    def fail():
        raise MemoryError("no room to look")

    cache = ActivationCache(small_model())
    monkeypatch.setattr(cache._watched._watch, "changed", fail)
    with pytest.raises(MemoryError, match="no room to look"):
        cache.activation(PHOTO, "predictions")
    # The next look is a look again.
    monkeypatch.undo()
    assert in_a_thread(lambda: cache.activation(PHOTO, "predictions"))().shape == (3,)


def test_weights_that_are_not_watched_are_new_after_clear():
    model = small_model()
    cache = ActivationCache(model, watch_weights=False)
    before = cache.activation(PHOTO, "predictions")
    model.layers[-1].bias.assign([3, 2, 1])
    np.testing.assert_array_equal(cache.activation(PHOTO, "predictions"), before)
    cache.clear()
    assert cache.generation == 1
    expected = model(PHOTO[None].astype(np.float32), training=False)[0]
    np.testing.assert_allclose(cache.activation(PHOTO, "predictions"), expected, atol=1e-6)


def test_what_was_begun_with_old_weights_is_not_kept(monkeypatch):
    model = small_model()
    cache = ActivationCache(model)
    computed, go_on = threading.Event(), threading.Event()
    keep = cache._runner._keep

    def keep_later(*arguments):
        computed.set()
        assert go_on.wait(60)
        keep(*arguments)

    monkeypatch.setattr(cache._runner, "_keep", keep_later)
    old = in_a_thread(lambda: cache.activation(PHOTO, "predictions"))
    assert computed.wait(60)
    model.layers[-1].bias.assign([3, 2, 1])
    assert in_a_thread(lambda: cache.generation)(timeout=10) == 1
    go_on.set()
    assert not np.allclose(old(), model(PHOTO[None].astype(np.float32))[0])
    assert cache.info().nbytes == 0
    np.testing.assert_allclose(
        cache.activation(PHOTO, "predictions"), model(PHOTO[None].astype(np.float32))[0], atol=1e-6
    )


def test_one_answer_is_of_one_state_of_the_weights():
    model = small_model()
    cache = ActivationCache(model)
    old = cache.activation(PHOTO, "conv1_conv")
    cache._store.clear()
    cache._runner._computing = held = Held()
    cache.activation(PHOTO, "conv1_conv")
    held.waited_for.clear()
    with held.lock:
        both = in_a_thread(lambda: cache.activations(PHOTO, ["conv1_conv", "predictions"]))
        assert held.waited_for.wait(60)
        model.layers[0].bias.assign([4, 3, 2, 1])
        assert in_a_thread(lambda: cache.peek(PHOTO, "conv1_conv"))(timeout=10) is None
    found = both()
    np.testing.assert_allclose(
        found["conv1_conv"] - old, np.broadcast_to([4, 3, 2, 1], old.shape), atol=1e-5
    )
    np.testing.assert_allclose(
        found["predictions"], model(PHOTO[None].astype(np.float32))[0], atol=1e-6
    )


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
