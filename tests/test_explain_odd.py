"""Explanations of models that are unusual: strange names, nested, not finite, no classes."""

import itertools

import keras
import numpy as np
import pytest
from test_explorer import network

import resnet_widgets as rw
from resnet_widgets import explain
from resnet_widgets.engine import model_input
from resnet_widgets.engine.graph_reader import read_layers
from resnet_widgets.engine.relu import ends_in_relu, is_relu

PHOTO = np.random.default_rng(4).integers(0, 256, (24, 24, 3), dtype=np.uint8)
NAMES = ["two words", 'a "quote"', "<img src=x onerror=alert(1)>", "größe", "conv2_block1_1_conv"]


def odd_model(name):
    """A block with a shortcut inside a nested model; one of its layers has this name."""
    keras.utils.set_random_seed(2)
    x = inner = keras.Input((12, 12, 4), name="inside")
    branch = keras.layers.Conv2D(4, 3, padding="same", name=name)(x)
    branch = keras.layers.BatchNormalization(name="conv2_block1_2_bn")(branch)
    x = keras.layers.Add(name="conv2_block1_add")([x, branch])
    nested = keras.Model(inner, keras.layers.ReLU(name="conv2_block1_out")(x), name="nested")
    inputs = keras.Input((24, 24, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="stem conv")(inputs)
    x = nested(keras.layers.ReLU(name="stem_relu")(x))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(3, "softmax", name="classes")(x))


@pytest.fixture(scope="module", params=NAMES)
def odd(request):
    cache = rw.ActivationCache(odd_model(request.param))
    yield cache, f"nested/{request.param}"
    cache.close()


def test_every_method_takes_any_name(odd):
    cache, layer = odd
    logits = cache.logits(PHOTO)
    run = cache.run(PHOTO, [explain.Mute(layer, 1)])
    assert layer in run.edits[0].name
    changes = explain.rank_channels(cache, PHOTO, layer, 0).changes
    np.testing.assert_allclose(cache.logits(run)[0] - logits[0], changes[1], atol=1e-5)
    shape = cache.graph.find(layer).shape[:2]
    for method in ("grad-cam", "grad-cam++", "layer-cam"):
        cam = explain.grad_cam(cache, PHOTO, layer, 1, method=method)
        assert cam.layer == layer and cam.map.shape == shape
    assert explain.score_cam(cache, PHOTO, layer, 1).map.shape == shape
    assert explain.saliency(cache, PHOTO, 1).map.any()
    assert explain.integrated_gradients(cache, PHOTO, 1).gap <= 0.01
    assert explain.occlusion(cache, PHOTO, 1, window=12).map.any()
    assert explain.inputs_of(cache, PHOTO, layer, 2).conv == layer
    assert explain.site(cache, PHOTO, layer).bn == "nested/conv2_block1_2_bn"
    assert len(explain.visualise(cache, layer, 0, steps=2).scores) == 2
    again = explain.edit_from_dict(explain.Solo(layer, [0, 3]).to_dict())
    assert again == explain.Solo(layer, [0, 3])
    photos = {"a": [PHOTO[::-1]], "b": [255 - PHOTO]}
    assert explain.early_reading(cache, PHOTO, photos)[-1].labels[0] in photos


def test_a_muted_layer_is_muted_whatever_its_name(odd):
    cache, layer = odd
    run = cache.run(PHOTO, [explain.Mute(layer, range(4))])
    assert not run.activation(layer).any()
    before = run.before(layer)
    assert before.any()


@pytest.fixture(scope="module")
def small():
    cache = rw.ActivationCache(network())
    yield cache
    cache.close()


@pytest.mark.parametrize(
    "call",
    [
        lambda c, file: explain.grad_cam(c, file, "conv1_relu"),
        lambda c, file: explain.score_cam(c, file, "conv3_block1_out"),
        lambda c, file: explain.rank_channels(c, file, "conv3_block1_out"),
        lambda c, file: explain.saliency(c, file),
        lambda c, file: explain.smooth_grad(c, file, samples=2),
        lambda c, file: explain.integrated_gradients(c, file, steps=2, most_steps=2),
        lambda c, file: explain.occlusion(c, file, window=16),
        lambda c, file: explain.residual_shares(c, file),
        lambda c, file: explain.inputs_of(c, file, "conv3_block1_1_conv", 0),
        lambda c, file: explain.early_reading(c, file, {"a": [PHOTO], "b": [255 - PHOTO]}),
        lambda c, file: explain.seconds_for(c, file, "saliency"),
        lambda c, file: explain.site(c, file, "conv1_conv"),
        lambda c, file: explain.residual(c, file, "conv3_block1"),
    ],
)
def test_every_method_reads_a_file_once(small, monkeypatch, photo_path, call):
    """It may be large, or change meanwhile."""
    load_image, read = model_input.load_image, []
    monkeypatch.setattr(
        model_input, "load_image", lambda *given: read.append(given[0]) or load_image(*given)
    )
    call(small, photo_path)
    assert read == [photo_path]


@pytest.fixture(scope="module")
def lost():
    """A network one of whose weights is NaN."""
    model = odd_model("conv2_block1_1_conv")
    layer = model.get_layer("nested").get_layer("conv2_block1_1_conv")
    layer.set_weights([np.full_like(w, np.nan) for w in layer.get_weights()])
    cache = rw.ActivationCache(model)
    yield cache
    cache.close()


@pytest.mark.parametrize(
    "call",
    [
        lambda c: explain.grad_cam(c, PHOTO, "stem_relu"),
        lambda c: explain.grad_cam(c, PHOTO, "stem_relu", 1, method="layer-cam"),
        lambda c: explain.score_cam(c, PHOTO, "stem_relu"),
        lambda c: explain.rank_channels(c, PHOTO, "stem_relu", 2),
        lambda c: explain.saliency(c, PHOTO),
        lambda c: explain.smooth_grad(c, PHOTO, samples=2),
        lambda c: explain.integrated_gradients(c, PHOTO),
        lambda c: explain.occlusion(c, PHOTO),
    ],
)
def test_where_the_answer_is_no_number_it_is_said(lost, call):
    with pytest.raises(ValueError, match=r"gives no number for this class.*nan"):
        call(lost)


def test_numbers_that_are_none_stay_none(lost):
    assert all(np.isnan(score.logit) for score in lost.scores(PHOTO))
    [found] = explain.residual_shares(lost, PHOTO)
    assert np.isnan(found.branch_share) and np.isnan(found.agreement)
    assert np.isnan(explain.inputs_of(lost, PHOTO, "nested/conv2_block1_1_conv", 0).value)


def test_classes_without_a_number_come_last():
    model = odd_model("conv")
    dense = model.get_layer("classes")
    kernel, bias = dense.get_weights()
    bias[1] = np.nan
    dense.set_weights([kernel, bias])
    scores = rw.ActivationCache(model).scores(PHOTO)
    assert scores[-1].index == 1
    assert scores[0].logit > scores[1].logit


def small_model(head, **conv):
    """A convolution `conv`, and the mean of its channels before `head`."""
    keras.utils.set_random_seed(5)
    inputs = keras.Input((24, 24, 3))
    x = keras.layers.Conv2D(4, 3, bias_initializer="ones", name="conv", **conv)(inputs)
    return keras.Model(inputs, head(keras.layers.GlobalAveragePooling2D(name="pool")(x)))


def test_of_classes_alike_the_first_comes_first():
    cache = rw.ActivationCache(
        small_model(keras.layers.Dense(4, "softmax", kernel_initializer="zeros"))
    )
    assert [one.index for one in cache.predictions(PHOTO)] == [0, 1, 2, 3]
    assert [one.index for one in cache.scores(PHOTO)] == [0, 1, 2, 3]
    assert explain.saliency(cache, PHOTO).target == 0


def test_logits_in_8_bits_are_refused_and_predictions_are_those_of_keras():
    model = small_model(keras.layers.Dense(3, "softmax"))
    model.quantize("int8")
    cache = rw.ActivationCache(model)
    expected = np.asarray(model(PHOTO[None].astype(np.float32)))[0]
    found = {one.index: one.probability for one in cache.predictions(PHOTO)}
    np.testing.assert_allclose([found[i] for i in range(3)], expected, rtol=1e-5)
    with pytest.raises(ValueError, match="quantised"):
        cache.scores(PHOTO)


def test_a_network_without_classes_is_timed_for_pictures_only():
    cache = rw.ActivationCache(small_model(keras.layers.Identity()))
    assert explain.seconds_for(cache, PHOTO, "visualise", steps=8) > 0
    with pytest.raises(ValueError, match="does not end in a classifier"):
        explain.seconds_for(cache, PHOTO, "occlusion")


@pytest.mark.parametrize("layer", ["conv", "classes"])
def test_a_picture_grows_in_mixed_precision(layer):
    head = keras.layers.Dense(3, "softmax", dtype="float32", name="classes")
    cache = rw.ActivationCache(small_model(head, dtype="mixed_float16"))
    assert np.isfinite(explain.visualise(cache, layer, 0, steps=2).scores).all()


def test_inputs_of_a_convolution_sum_up_before_its_own_relu_and_its_edits():
    cache = rw.ActivationCache(small_model(keras.layers.Identity(), activation="relu"))
    conv = cache.graph.operation("conv")
    x = cache.activation(PHOTO, cache.layers[0].path)[None]
    before = np.asarray(keras.ops.conv(x, conv.kernel) + conv.bias)[0]
    assert (before < 0).any() and (before > 0).any()
    run = cache.run(PHOTO, [explain.Mute("conv", range(4))])
    for channel in range(4):
        found = explain.inputs_of(cache, run, "conv", channel)
        assert found.bias == 1
        np.testing.assert_allclose(found.value, before[..., channel].mean(), rtol=1e-4)
        np.testing.assert_allclose(found.value, found.shares.sum() + 1, rtol=1e-4)


def test_a_network_without_a_map_is_not_read_early():
    inputs = keras.Input((24, 24, 3))
    x = keras.layers.Dense(3, "softmax")(keras.layers.Flatten()(inputs))
    cache = rw.ActivationCache(keras.Model(inputs, x))
    with pytest.raises(ValueError, match="no layer with a map"):
        explain.early_reading(cache, PHOTO, {"a": [PHOTO[::-1]], "b": [255 - PHOTO]})


def test_functions_for_edits_are_bounded(monkeypatch):
    monkeypatch.setattr("resnet_widgets.engine.program._MOST_OF_EDITS", 2)
    monkeypatch.setattr("resnet_widgets.engine.program._WORTH_TRACING", 0)
    monkeypatch.setattr("resnet_widgets.engine.program._MOST_COUNTED", 2)
    inputs = keras.Input((24, 24, 3), name="picture")
    x = keras.layers.ReLU(name="a")(inputs)
    for name in "bcd":
        x = keras.layers.ReLU(name=name)(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax", name="classes")(x))
    cache = rw.ActivationCache(model)
    expected = {name: cache.gradient(PHOTO, name, 1)[1] for name in "abcd"}
    [program] = cache._runner._programs.values()
    assert len(program._of_edits) == len(program._runs) == 2
    np.testing.assert_array_equal(cache.gradient(PHOTO, "a", 1)[1], expected["a"])


def test_functions_for_what_comes_after_edits_are_bounded_too(monkeypatch):
    """A stage of n pieces has n (n + 1) / 2 segments."""
    monkeypatch.setattr("resnet_widgets.engine.program._MOST_OF_EDITS", 2)
    monkeypatch.setattr("resnet_widgets.engine.program._WORTH_TRACING", 0)
    monkeypatch.setattr("resnet_widgets.engine.program._MOST_COUNTED", 2)
    x = inputs = keras.Input((24, 24, 3), name="picture")
    for number in range(1, 5):
        x = keras.layers.Conv2D(3, 1, name=f"conv2_block{number}_out")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    cache = rw.ActivationCache(
        keras.Model(inputs, keras.layers.Dense(3, "softmax", name="classes")(x))
    )
    cache.logits(PHOTO)
    [program] = cache._runner._programs.values()
    before = len(program._functions)
    for number in range(1, 4):
        run = cache.run(PHOTO, [explain.Mute(f"conv2_block{number}_out", 1)])
        assert run.scores() != run.scores_before()
    assert len(program._functions) == before
    assert len(program._of_edits) == 2


def test_blocks_of_a_dense_network_are_found_at_once():
    """Each sum doubles the ways to it: 2^40 of them."""
    inputs = keras.Input((8, 8, 2))
    x = keras.layers.Conv2D(2, 1, name="conv1_conv")(inputs)
    for number in range(40):
        branch = keras.layers.ReLU(name=f"conv2_block1_{number}_relu")(x)
        x = keras.layers.Add(name=f"conv2_block1_{number}_add")([branch, x])
    steps = itertools.count()
    graph = read_layers(keras.Model(inputs, x), (8, 8))
    find = graph.find

    def counted(path):
        assert next(steps) < 10_000
        return find(path)

    graph.find = counted
    assert explain.blocks_of(graph)["conv2_block1"][:3] == (
        "conv2_block1_38_add",
        "conv2_block1_39_relu",
        "conv2_block1_39_add",
    )


def test_blocks_of_one_name_in_two_nested_models_are_two():
    x = inputs = keras.Input((8, 8, 3))
    for name in ("a", "b"):
        inner = keras.Input((8, 8, 3))
        branch = keras.layers.Conv2D(3, 1, name="conv2_block1_1_conv")(inner)
        out = keras.layers.Add(name="conv2_block1_add")([inner, branch])
        x = keras.Model(inner, keras.layers.ReLU(name="conv2_block1_out")(out), name=name)(x)
    cache = rw.ActivationCache(keras.Model(inputs, x))
    found = explain.residual_shares(cache, PHOTO)
    assert [one.block for one in found] == ["a/conv2_block1", "b/conv2_block1"]
    assert [one.add for one in found] == ["a/conv2_block1_add", "b/conv2_block1_add"]
    for block in ("b/conv2_block1", "b/conv2_block1_1_conv"):
        one = explain.residual(cache, PHOTO, block)
        assert one.branch_share == found[1].branch_share != found[0].branch_share


def test_what_lets_something_through_below_0_is_no_relu():
    layers = {
        "relu": keras.layers.ReLU(),
        "relu6": keras.layers.ReLU(max_value=6),
        "activation": keras.layers.Activation("relu"),
        "leaky": keras.layers.ReLU(negative_slope=0.1),
        "threshold": keras.layers.ReLU(threshold=0.5),
        "tanh": keras.layers.Activation("tanh"),
        "inside": keras.layers.Conv2D(2, 1, activation="relu"),
    }
    x = inputs = keras.Input((8, 8, 2), name="picture")
    for name, layer in layers.items():
        layer.name = name
        x = layer(x)
    graph = read_layers(keras.Model(inputs, x), (8, 8))
    assert [p for p in layers if is_relu(graph, p)] == ["relu", "relu6", "activation"]
    assert [p for p in layers if ends_in_relu(graph, p)] == [
        "relu",
        "relu6",
        "activation",
        "inside",
    ]
    assert not is_relu(graph, "picture") and not ends_in_relu(graph, "picture")
