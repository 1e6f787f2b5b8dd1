"""The cache against Keras itself, in one process; what it runs, what it keeps, what it forgets."""

import hashlib
import math
import sys
import threading
import tracemalloc

import keras
import numpy as np
import pytest

from resnet_widgets.engine import memory
from resnet_widgets.engine.activations import ActivationCache, CacheInfo
from resnet_widgets.engine.images import load_image
from resnet_widgets.engine.memory import default_max_bytes
from resnet_widgets.engine.model_input import raw_input

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
OTHER = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)


def small_resnet():
    """ResNet50 with all its blocks for 64 × 64 pixels: quick to run, every layer there."""
    keras.utils.set_random_seed(3)
    model = keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3), classes=7)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # Statistics that are not 0 and 1 tell inference from training.
            layer.moving_mean.assign(RNG.normal(size=layer.moving_mean.shape) * 0.1)
            layer.moving_variance.assign(RNG.uniform(0.5, 2, layer.moving_variance.shape))
    return model


@pytest.fixture(scope="module")
def model():
    return small_resnet()


@pytest.fixture
def cache(model):
    cache = ActivationCache(model, max_bytes=64 * 2**20)
    yield cache
    cache.close()


@pytest.fixture(scope="module")
def expected(model):
    """Path → what Keras computes in graph mode for PHOTO and OTHER, preprocessed by Keras."""
    x = keras.applications.resnet.preprocess_input(np.array([PHOTO, OTHER], dtype="float32"))
    layers = model.layers[1:]
    outputs = keras.Model(model.inputs[0], [layer.output for layer in layers]).predict(x, verbose=0)
    return {layer.name: output for layer, output in zip(layers, outputs, strict=True)}


def assert_equal_to_keras(ours, theirs):
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * scale)


def test_every_layer_is_what_keras_computes(cache, expected):
    for path, theirs in expected.items():
        ours = cache.activation(PHOTO, path)
        assert ours.shape == theirs.shape[1:]
        assert ours.dtype == np.float32
        assert_equal_to_keras(ours, theirs[0])
    assert len(expected) == len(cache.layers) - 1


def test_all_layers_at_once_are_the_same(cache, expected):
    together = cache.activations(PHOTO, expected)
    assert list(together) == list(expected)
    for path, theirs in expected.items():
        assert_equal_to_keras(together[path], theirs[0])
    assert cache.info().surveys == 1
    assert cache.info().pieces == 0


def test_a_first_survey_by_pieces_that_are_traced_is_the_same(cache, expected):
    for piece in cache.graph.pieces[:4]:
        cache.trace(PHOTO, piece.index)
    cache.clear()
    relus = sorted(cache.graph.activations)
    for paths in (relus, list(expected)):
        found = cache.activations(PHOTO, paths)
        assert list(found) == paths
        for path in paths:
            assert_equal_to_keras(found[path], expected[path][0])
        cache.clear()
    assert cache.info().surveys == 2


def test_batches(cache, expected):
    path = "conv3_block2_2_relu"
    ours = cache.activation(np.stack([PHOTO, OTHER]), path)
    assert ours.shape == (2, 8, 8, 128)
    assert_equal_to_keras(ours, expected[path])
    np.testing.assert_array_equal(cache.activation([PHOTO, OTHER], path), ours)
    assert cache.activation(PHOTO[None], path).shape == (1, 8, 8, 128)
    with pytest.raises(ValueError, match="empty batch"):
        cache.activation([], path)


def test_stages_and_the_input(cache):
    stages = cache.stages(PHOTO)
    assert {path: array.shape for path, array in stages.items()} == {
        "conv1_relu": (32, 32, 64),
        "conv2_block3_out": (16, 16, 256),
        "conv3_block4_out": (8, 8, 512),
        "conv4_block6_out": (4, 4, 1024),
        "conv5_block3_out": (2, 2, 2048),
    }
    first = cache.layers[0].path
    expected = keras.applications.resnet.preprocess_input(PHOTO.astype("float32"))
    np.testing.assert_allclose(cache.activation(PHOTO, first), expected, atol=1e-4)


def test_only_the_pieces_on_the_way_are_run(cache):
    cache.activation(PHOTO, "conv1_relu")
    assert cache.info()[3:5] == (0, 1)
    cache.activation(PHOTO, "conv2_block2_1_relu")
    assert cache.info()[3:5] == (0, 3)
    cache.activation(PHOTO, "conv2_block2_out")
    assert cache.info()[3:5] == (0, 3)


def test_a_survey_runs_when_most_of_the_network_is_needed(cache):
    cache.activation(PHOTO, "conv5_block3_out")
    assert cache.info()[3:5] == (1, 0)
    cache.activation(PHOTO, "conv5_block3_1_relu")
    assert cache.info()[3:5] == (1, 1)
    cache.activation(PHOTO, "conv2_block1_out")
    assert cache.info()[3:5] == (1, 1)


def test_a_survey_hands_out_no_more_than_it_must(cache, expected):
    relus = [layer.path for layer in cache.layers if layer.kind == "Activation"]
    assert len(relus) == 49
    together = cache.activations(PHOTO, relus)
    for path in relus:
        assert_equal_to_keras(together[path], expected[path][0])
    assert cache.info()[3:5] == (1, 0)
    convolutions = {layer.path for layer in cache.layers if layer.kind == "Conv2D"}
    assert not cache.cached(PHOTO) & convolutions


@pytest.fixture
def runs(cache, monkeypatch):
    """What runs layer by layer in Python, because it is new or being traced."""
    runs = []
    run = cache.graph.run
    monkeypatch.setattr(cache.graph, "run", lambda *a: runs.append(a[0]) or run(*a))
    return runs


def test_what_is_asked_for_again_is_traced_once(cache, runs):
    counts = []
    for photo in (PHOTO, OTHER, PHOTO[::-1], OTHER[::-1]):
        cache.predictions(photo)
        cache.activation(photo, "conv3_block1_1_conv")
        counts.append(len(runs))
    pieces = len(cache.graph.pieces)
    assert counts == [pieces + 1, pieces + 1 + 2, pieces + 1 + 2, pieces + 1 + 2]


def test_traced_or_not_the_numbers_are_the_same(cache, expected):
    for asked in (["conv3_block1_1_conv"], list(expected)):
        for _ in range(2):
            cache.clear()
            for path, found in cache.activations(PHOTO, asked).items():
                assert_equal_to_keras(found, expected[path][0])


def test_tracing_ahead_is_done_once_and_keeps_what_it_computes(cache, runs):
    for _ in range(2):
        cache.trace(PHOTO, 3)
        cache.trace(PHOTO, None)
    # The pieces before it ran as they are.
    assert len(runs) == 3 + 1 + 1
    assert set(cache.graph.pieces[3].paths) <= cache.cached(PHOTO)
    before = len(runs)
    cache.predictions(OTHER)
    assert len(runs) == before


def test_counters(cache):
    cache.activation(PHOTO, "conv1_relu")
    cache.activation(PHOTO, "conv1_relu")
    cache.activation(load_image(PHOTO, (64, 64)), "conv1_conv")
    info = cache.info()
    assert (info.hits, info.misses) == (2, 1)
    assert isinstance(info, CacheInfo)
    held = cache.cached(PHOTO)
    assert held == {"conv1_pad", "conv1_conv", "conv1_bn", "conv1_relu", "pool1_pad", "pool1_pool"}
    arrays = cache.activations(PHOTO, held)
    assert info.nbytes == sum(array.nbytes for array in arrays.values())
    cache.clear()
    assert cache.info().nbytes == 0
    assert cache.cached(PHOTO) == frozenset()


def test_a_peek_computes_nothing_and_looks_at_the_weights_once_if_there_is_something(
    cache, monkeypatch
):
    assert cache.peek(PHOTO, "conv1_relu") is None
    assert cache.info()[:5] == (0, 0, 0, 0, 0)
    whole = cache.activation(PHOTO, "conv1_relu")
    looks = []
    changed = cache._watched._watch.changed
    monkeypatch.setattr(
        cache._watched._watch, "changed", lambda: bool(looks.append(1)) or changed()
    )
    assert cache.peek(PHOTO, "predictions") is None
    assert not looks
    assert np.shares_memory(cache.peek(PHOTO, "conv1_relu"), whole)
    assert (cache.info().hits, len(looks)) == (1, 1)


def test_photos_do_not_answer_for_each_other(cache):
    a = cache.activation(PHOTO, "conv1_relu")
    b = cache.activation(OTHER, "conv1_relu")
    assert np.abs(a - b).max() > 0


def test_insides_go_before_outputs_of_pieces(model):
    photos = [RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(2)]
    with_outputs = ActivationCache(model)
    with_outputs.predictions(photos[0])
    survey = with_outputs.info().nbytes
    cache = ActivationCache(model, max_bytes=int(2.8 * survey))
    cache.predictions(photos[0])
    cache.activation(photos[0], "conv5_block1_1_relu")
    assert "conv5_block1_1_relu" in cache.cached(photos[0])
    cache.predictions(photos[1])
    # Both surveys fit into their share; what lies inside pieces makes room for each other.
    assert {p.output for p in cache.graph.pieces} <= cache.cached(photos[0])
    cache.activation(photos[0], "conv2_block1_1_relu")
    assert {p.output for p in cache.graph.pieces} <= cache.cached(photos[0])
    assert {p.output for p in cache.graph.pieces} <= cache.cached(photos[1])
    assert cache.info().evictions > 0


def test_the_photo_used_longest_ago_goes_first(model):
    photos = [RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(3)]
    probe = ActivationCache(model)
    probe.predictions(photos[0])
    cache = ActivationCache(model, max_bytes=int(2.8 * probe.info().nbytes))
    for photo in (photos[0], photos[1]):
        cache.predictions(photo)
    cache.stages(photos[0])
    cache.predictions(photos[2])
    assert "conv2_block3_out" in cache.cached(photos[0])
    assert "predictions" in cache.cached(photos[2])
    assert "conv2_block1_out" not in cache.cached(photos[1])


def small_chain():
    """Eight residual blocks, quick to trace."""
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 3, padding="same", name="conv1_conv")(x)
    for block in range(1, 9):
        name = f"conv2_block{block}"
        y = keras.layers.Conv2D(4, 1, activation="relu", name=f"{name}_1_conv")(x)
        y = keras.layers.Conv2D(8, 3, padding="same", name=f"{name}_2_conv")(y)
        x = keras.layers.Add(name=f"{name}_add")([x, y])
        x = keras.layers.ReLU(name=f"{name}_out")(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize("max_bytes", [0, 40_000, 150_000, 500_000])
def test_bytes_never_exceed_the_limit_and_answers_stay_right(max_bytes):
    model = small_chain()
    photos = RNG.normal(size=(3, 32, 32, 3)).astype("float32")
    layers = model.layers[1:]
    outputs = keras.Model(model.inputs[0], [layer.output for layer in layers]).predict(
        photos, verbose=0
    )
    cache = ActivationCache(model, max_bytes=max_bytes)
    held = []
    for _ in range(60):
        index, photo = RNG.integers(len(layers)), RNG.integers(len(photos))
        ours = cache.activation(photos[photo], layers[index].name, preprocess=False)
        assert_equal_to_keras(ours, outputs[index][photo])
        held.append(cache.info().nbytes)
    assert max(held) <= max_bytes
    assert (max(held) > 0) == (max_bytes > 0)
    assert (cache.info().evictions > 0) == (max_bytes > 0)


@pytest.mark.parametrize("max_bytes", [40_000, 150_000, 300_000])
def test_several_layers_at_once_in_little_room(max_bytes):
    """Running one piece may evict what the next one starts from."""
    model = small_chain()
    cache = ActivationCache(model, max_bytes=max_bytes)
    photos = RNG.normal(size=(2, 32, 32, 3)).astype("float32")
    paths = ["conv2_block2_1_conv", "conv2_block5_2_conv", "conv2_block7_1_conv"]
    outputs = [model.get_layer(path).output for path in paths]
    expected = keras.Model(model.inputs[0], outputs).predict(photos, verbose=0)
    for _ in range(3):
        for index, photo in enumerate(photos):
            cache.activation(photo, "conv2_block8_out", preprocess=False)
            ours = cache.activations(photo, paths, preprocess=False)
            for path, theirs in zip(paths, expected, strict=True):
                assert_equal_to_keras(ours[path], theirs[index])
    assert cache.info().nbytes <= max_bytes


def test_there_is_always_room_for_the_block_that_is_looked_at():
    """However many photos have been seen before."""
    model = small_chain()
    cache = ActivationCache(model, max_bytes=600_000)
    photos = RNG.normal(size=(8, 32, 32, 3)).astype("float32")
    for photo in photos:
        cache.activation(photo, "conv2_block8_out", preprocess=False)
    cache.activation(photos[-1], "conv2_block8_1_conv", preprocess=False)
    assert "conv2_block8_1_conv" in cache.cached(photos[-1], preprocess=False)


def test_results_are_read_only_and_arguments_untouched(cache):
    photo = PHOTO.astype("float32")
    before = photo.copy()
    result = cache.activation(photo, "conv1_relu")
    with pytest.raises(ValueError, match="read-only"):
        result[0, 0, 0] = 1
    np.testing.assert_array_equal(photo, before)


def test_the_model_is_not_changed(model):
    weights = [w.copy() for w in model.get_weights()]
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    cache = ActivationCache(model)
    cache.predictions(PHOTO)
    cache.activation(PHOTO, "conv3_block1_0_bn")
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes


def test_without_preprocessing(cache, expected):
    x = keras.applications.resnet.preprocess_input(PHOTO.astype("float32"))
    theirs = expected["conv2_block1_out"][:1]
    assert_equal_to_keras(cache.activation(x, "conv2_block1_out", preprocess=False), theirs[0])
    assert_equal_to_keras(cache.activation(x[None], "conv2_block1_out", preprocess=False), theirs)
    with pytest.raises(
        ValueError, match=r"\(64, 64, 3\).*Received: an array of shape \(32, 64, 3\)"
    ):
        cache.activation(x[:32], "conv1_relu", preprocess=False)


def test_free_sizes_without_preprocessing():
    keras.utils.set_random_seed(0)
    model = keras.applications.ResNet50(weights=None, include_top=False)
    cache = ActivationCache(model)
    for size in (64, 96):
        x = RNG.normal(size=(size, size, 3)).astype("float32")
        shape = cache.activation(x, "conv2_block1_out", preprocess=False).shape
        assert shape == (size // 4, size // 4, 256)
    assert cache.predictions(PHOTO) is None


@pytest.mark.parametrize(
    "shape", [(20_000, 20_000, 3), (8000, 8000, 3), (1, 2048, 2049, 3), (2, 2**22, 2, 3)]
)
def test_sizes_are_free_within_reason(shape):
    """An array of one number takes no memory, but a copy of it would."""
    free = keras.layers.Conv2D(1, 1, name="conv1_conv")
    cache = ActivationCache(keras.Sequential([keras.Input((None, None, 3)), free]))
    huge = np.broadcast_to(np.uint8(1), shape)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=rf"at most 4194304 pixels.*Received: .*{shape[-3]}"):
            cache.activation(huge, "conv1_conv", preprocess=False)
        # As a photo it becomes the size that the model is shown with, or is no photo at all.
        if math.prod(shape[:2]) > 50_000_000:
            with pytest.raises(ValueError, match=r"at most 50 million pixels.*Received"):
                cache.activation(huge, "conv1_conv")
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("model_shape", "shape", "is_refused"),
    [
        ((224, None, 3), (224, 2**22, 3), True),
        ((None, 2**11, 3), (2**11 + 1, 2**11, 3), True),
        ((None, None, None), (2**11, 2**11, 3), False),
        ((2**11 + 1, 2**11, None), (2**11 + 1, 2**11, 3), False),
    ],
)
def test_what_is_counted_are_the_pixels(model_shape, shape, is_refused):
    huge = np.broadcast_to(np.uint8(1), shape)
    if is_refused:
        with pytest.raises(ValueError, match="at most 4194304 pixels"):
            raw_input(huge, model_shape)
    else:
        assert raw_input(huge, model_shape).tensor().shape == (1, *shape)


def test_a_photo_for_a_model_of_free_size_is_made_small():
    free = keras.layers.Conv2D(1, 1, name="conv1_conv")
    cache = ActivationCache(keras.Sequential([keras.Input((None, None, 3)), free]))
    photo = np.broadcast_to(np.uint8(1), (2100, 2000, 3))
    assert cache.activation(photo, "conv1_conv").shape == (224, 224, 1)


def test_predictions(cache, expected):
    ours = cache.predictions(PHOTO, top=3)
    theirs = expected["predictions"][0]
    assert [p.index for p in ours] == list(np.argsort(theirs)[::-1][:3])
    np.testing.assert_allclose([p.probability for p in ours], np.sort(theirs)[::-1][:3], rtol=1e-3)
    assert ours[0].label == f"class {ours[0].index}"
    with pytest.raises(ValueError, match="one image at a time"):
        cache.predictions([PHOTO, OTHER])
    for ask in (cache.predictions, cache.scores):
        assert ask(PHOTO, 0) == []
        for top in (-1, 2.5):
            with pytest.raises(ValueError, match=f"`top` must be .* Received: top={top}"):
                ask(PHOTO, top)


@pytest.mark.parametrize(
    ("head", "read"),
    [
        (keras.layers.Dense(5), lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum()),
        (keras.layers.Dense(5, "softmax"), lambda y: y),
        (keras.layers.Dense(5, "sigmoid"), lambda y: y),
        (keras.layers.Dense(1, "sigmoid"), lambda y: y),
        (keras.layers.Softmax(), lambda y: y),
    ],
)
def test_probabilities_are_read_as_the_head_means_them(head, read):
    x = keras.Input((16, 16, 3))
    y = head(keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(x)))
    cache = ActivationCache(keras.Model(x, y))
    expected = np.sort(read(cache.activation(PHOTO, cache.graph.output)))[::-1]
    got = [prediction.probability for prediction in cache.predictions(PHOTO)]
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "head", [keras.layers.Dense(1), keras.layers.Dense(4, "relu"), keras.layers.Identity()]
)
def test_what_is_no_classifier_predicts_nothing(head):
    x = keras.Input((16, 16, 3))
    y = head(keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(x)))
    assert ActivationCache(keras.Model(x, y)).predictions(PHOTO) is None


def test_logits_are_not_what_a_strange_last_layer_takes():
    x = keras.Input((16, 16, 3))
    y = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(x))
    y = keras.layers.EinsumDense("bi,ij->bj", 5, activation="softmax")(y)
    cache = ActivationCache(keras.Model(x, y))
    assert len(cache.predictions(PHOTO)) == 5
    with pytest.raises(ValueError, match="does not end in a classifier"):
        cache.logits(PHOTO)


def test_a_machine_without_sha1_for_security_has_keys(model, monkeypatch):
    sha1 = hashlib.sha1

    def only_for_other_uses(data=b"", *, usedforsecurity=True):
        if usedforsecurity:
            raise ValueError("disabled for FIPS")
        return sha1(data, usedforsecurity=False)

    monkeypatch.setattr(hashlib, "sha1", only_for_other_uses)
    cache = ActivationCache(model)
    assert cache.cached([PHOTO, OTHER]) == frozenset()
    assert cache.cached(PHOTO.astype(np.float32), preprocess=False) == frozenset()


def test_only_the_output_has_the_names_of_the_classes():
    x = keras.Input((16, 16, 3))
    y = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(1000, 3)(x))
    y = keras.layers.Dense(1000, name="hidden")(y)
    model = keras.Model(x, keras.layers.Dense(1000, "softmax", name="answer")(y))
    cache = ActivationCache(model)
    assert cache.labels("answer")[0] == "tench"
    assert cache.labels("hidden") is None
    assert cache.predictions(PHOTO)[0].label in cache.labels("answer")


def test_nested_models(model):
    keras.utils.set_random_seed(0)
    inner = keras.applications.ResNet50(weights=None, include_top=False, input_shape=(64, 64, 3))
    outer = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            keras.layers.Rescaling(1 / 255),
            inner,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3),
        ]
    )
    ours = ActivationCache(outer).activation(PHOTO, "resnet50/conv2_block1_out")
    by_hand = keras.Model(inner.inputs[0], inner.get_layer("conv2_block1_out").output)
    assert_equal_to_keras(ours, by_hand.predict(PHOTO[None] / np.float32(255), verbose=0)[0])


def test_low_precision_comes_as_float32():
    x = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(2, 3, dtype="mixed_bfloat16", name="conv")(x)
    cache = ActivationCache(keras.Model(x, y))
    assert cache.graph.find("conv").dtype == "bfloat16"
    assert cache.activation(PHOTO, "conv").dtype == np.float32


def test_threads_share_one_computation(cache):
    results, errors = [], []

    def ask():
        try:
            results.append(cache.activation(PHOTO, "conv4_block6_out"))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert cache.info().surveys == 1
    for result in results:
        np.testing.assert_array_equal(result, results[0])


def test_errors_say_what_to_do(cache, model):
    with pytest.raises(ValueError, match="Did you mean 'conv1_relu'"):
        cache.activation(PHOTO, "conv1_rleu")
    with pytest.raises(ValueError, match="use `activation`"):
        cache.activations(PHOTO, "conv1_relu")
    with pytest.raises(ValueError, match="Received: max_bytes=-1"):
        ActivationCache(model, max_bytes=-1)
    cache.close()
    with pytest.raises(RuntimeError, match="closed"):
        cache.activation(PHOTO, "conv1_relu")


def test_default_limit_follows_what_the_process_may_use(monkeypatch):
    monkeypatch.setenv("MEM_LIMIT", str(1000 * 2**20))
    assert default_max_bytes(0) == default_max_bytes(2**40) == 150 * 2**20
    monkeypatch.setenv("MEM_LIMIT", str(2**50))
    assert default_max_bytes(2**20) == min(160 * 2**20, default_max_bytes(2**40))


def test_default_limit_has_room_for_what_lasts_of_a_large_photo(monkeypatch):
    monkeypatch.setattr(memory, "_memory_limit", lambda: 2**40)
    photo = keras.Input((1024, 1024, 3))
    cache = ActivationCache(keras.Model(photo, keras.layers.Conv2D(64, 3, padding="same")(photo)))
    assert cache.info().max_bytes == 2 * (1024 * 1024 * 64 * 4)
    cache.close()


def test_repr_is_short(cache):
    assert len(repr(cache)) < 120
    assert "177 layers" in repr(cache)
    assert "tensorflow" in sys.modules


def test_a_piece_needs_no_photo_to_be_preprocessed_again(model):
    made = []

    def preprocess(pixels):
        made.append(len(pixels))
        return keras.applications.resnet.preprocess_input(pixels.copy())

    cache = ActivationCache(model, preprocess=preprocess)
    cache.predictions(PHOTO)
    cache.activation(PHOTO, "conv4_block2_1_conv")
    cache.activation(PHOTO, "conv5_block1_2_bn")
    assert made == [1]
    cache.activation(np.stack([PHOTO, OTHER]), "conv1_conv")
    assert made == [1, 2]
    cache.close()
