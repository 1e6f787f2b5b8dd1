"""Models that people have: every layer of each is what Keras computes, or a refusal says why."""

from __future__ import annotations

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from resnet_widgets.engine.activations import ActivationCache
from resnet_widgets.engine.models import load_model

PHOTO = np.random.default_rng(5).integers(0, 256, (32, 32, 3), np.uint8)
conv, relu = keras.layers.Conv2D, keras.layers.ReLU


def block(x, name, filters, **kwargs):
    """A residual block of the kind that ResNet has, with Keras' names."""
    shortcut = conv(filters, 1, strides=2, name=f"{name}_0_conv", **kwargs)(x)
    x = conv(filters, 3, strides=2, padding="same", name=f"{name}_1_conv", **kwargs)(x)
    x = keras.layers.BatchNormalization(name=f"{name}_1_bn", **kwargs)(x)
    x = keras.layers.Add(name=f"{name}_add", **kwargs)([x, shortcut])
    return relu(name=f"{name}_out", **kwargs)(x)


def small(name="resnet50", **kwargs):
    x = inputs = keras.Input((32, 32, 3))
    x = conv(4, 3, padding="same", activation="relu", name="conv1_conv", **kwargs)(x)
    x = block(x, "conv2_block1", 6, **kwargs)
    return keras.Model(inputs, block(x, "conv3_block1", 8, **kwargs), name=name)


def nested(depth):
    """A model in a model in a model …, each with layers of its own around it."""
    model = small()
    for level in range(depth):
        layers = [keras.layers.Rescaling(1 / 2), model, conv(5, 1, name=f"after_{level}")]
        model = keras.Sequential([keras.Input((32, 32, 3)), *layers], name=f"level_{level}")
    return model


def nested_functional():
    """Inner models that are called inside a branch, one of them twice."""
    inputs = keras.Input((32, 32, 3))
    inner = small("shared_model")
    flipped = keras.layers.Rescaling(-1.0)(inputs)
    joined = keras.layers.Concatenate(name="both")([inner(inputs), inner(flipped)])
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pool")(joined))


def shared_layers():
    inputs = keras.Input((32, 32, 3))
    same = conv(3, 3, padding="same", name="same")
    x = same(inputs)
    for _ in range(3):
        x = keras.layers.Add()([same(x), x])
    return keras.Model(inputs, x)


def several_outputs():
    base = small()
    middle = base.get_layer("conv2_block1_out").output
    return keras.Model(base.inputs[0], {"end": base.output, "middle": middle})


def layer_with_several_outputs():
    inputs = keras.Input((32, 32, 3))
    left, right = keras.ops.split(conv(6, 3, name="first")(inputs), 2, axis=-1)
    return keras.Model(inputs, keras.layers.Add(name="sum")([left, right]))


def v2_block():
    """Pre-activation: the ends of blocks are sums, and can be negative."""
    x = inputs = keras.Input((32, 32, 3))
    x = conv(6, 3, padding="same", name="conv1_conv")(x)
    for name in ("conv2_block1", "conv2_block2"):
        side = keras.layers.BatchNormalization(name=f"{name}_preact_bn")(x)
        side = relu(name=f"{name}_preact_relu")(side)
        side = conv(6, 3, padding="same", name=f"{name}_1_conv")(side)
        x = keras.layers.Add(name=f"{name}_out")([x, side])
    return keras.Model(inputs, relu(name="post_relu")(x))


def odd_names():
    """Names that mean something to a dictionary, a page or a path, but not to Keras."""
    x = inputs = keras.Input((32, 32, 3), name="__proto__")
    for name in ("constructor", "<img src=x onerror=alert(1)>", "a.b", "a:1", "a\nb", "'\"`", " "):
        x = conv(3, 1, name=name)(x)
    return keras.Model(inputs, x)


def quantized():
    """Dense weights in 8 bits; convolutions keep their floats."""
    x = inputs = keras.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(conv(8, 3, name="first")(x))
    model = keras.Model(inputs, keras.layers.Dense(4, name="scores")(x))
    model.quantize("int8")
    return model


def one_cell_and_lambda():
    """Maps of 1 × 1, and a layer that is a function of Python."""
    x = inputs = keras.Input((32, 32, 3))
    x = keras.layers.GlobalMaxPooling2D(keepdims=True, name="cell")(conv(4, 3, name="first")(x))
    x = keras.layers.Lambda(lambda x: x * 2, name="twice")(x)
    return keras.Model(inputs, conv(5, 1, name="last")(x))


def only_an_input():
    """Keras 3.13 does not make such a model."""
    inputs = keras.Input((32, 32, 3), name="nothing_else")
    return keras.Model(inputs, inputs)


def augmented():
    """Layers that would be random in training, and would change what they have learned."""
    layers = [
        keras.layers.RandomFlip(),
        keras.layers.Dropout(0.5, name="dropout"),
        keras.layers.GaussianNoise(1.0, name="noise"),
        conv(4, 3, name="conv"),
        keras.layers.BatchNormalization(name="bn"),
        keras.layers.SpectralNormalization(conv(4, 1), name="spectral"),
    ]
    return keras.Sequential([keras.Input((32, 32, 3)), *layers])


ZOO = {
    "flat": small,
    "nested once": lambda: nested(1),
    "nested four times": lambda: nested(4),
    "nested in a branch, twice": nested_functional,
    "shared layers": shared_layers,
    "several outputs": several_outputs,
    "a layer with several outputs": layer_with_several_outputs,
    "V2": v2_block,
    "quantized": quantized,
    "one cell, Lambda": one_cell_and_lambda,
    "odd names": odd_names,
    "training is random": augmented,
    "float16": lambda: small(dtype="float16"),
    "mixed_float16": lambda: small(dtype="mixed_float16"),
    "mixed_bfloat16": lambda: small(dtype="mixed_bfloat16"),
    "float64": lambda: small(dtype="float64"),
}
with contextlib.suppress(ValueError):
    only_an_input()
    ZOO["only an input"] = only_an_input


def everything(model, x):
    """What Keras computes in every call of every layer of `model`, nested or not, in order.

    Each layer's `__call__` is listened to while the model runs; no graph is read.
    """
    seen = []
    real = keras.Operation.__call__

    def layers_of(model):
        for layer in model.layers:
            if isinstance(layer, keras.Model):
                yield from layers_of(layer)
            else:
                yield layer

    watched = {id(layer) for layer in layers_of(model)}
    real = keras.Layer.__call__

    def listen(self, *args, **kwargs):
        result = real(self, *args, **kwargs)
        if id(self) in watched:
            first = keras.tree.flatten(result)[0]
            seen.append((self.name, np.asarray(tf.cast(first, tf.float32))[0]))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Layer, "__call__", listen)
        model(x, training=False)
    return seen


@pytest.mark.parametrize("name", ZOO)
def test_every_layer_is_what_keras_computes(name):
    keras.utils.set_random_seed(2)
    model = ZOO[name]()
    weights = [np.array(w) for w in model.get_weights()]
    cache = ActivationCache(model)
    given = cache.about.preprocess(PHOTO[None].astype(np.float32))
    expected = everything(model, given)
    # Coarse types are rounded elsewhere in a traced function than in an eager one.
    tolerance = 0.05 if "16" in name else 1e-4
    ours: dict[str, list] = {}
    for row in cache.layers:
        ours.setdefault(row.name, []).append(row.path)
    checked = 0
    for layer, array in expected:
        if not ours.get(layer):
            continue
        found = [cache.activation(PHOTO, path) for path in ours[layer]]
        scale = max(1.0, float(np.abs(array).max()))
        assert any(
            a.shape == array.shape and np.abs(a - array).max() < tolerance * scale for a in found
        ), f"no row of {layer} has the values that Keras computes"
        assert all(a.dtype == np.float32 for a in found)
        checked += 1
    assert checked >= len(model.layers) - 1
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_path_names_every_model_on_the_way():
    cache = ActivationCache(nested(3))
    path = "level_1/level_0/resnet50/conv3_block1_out"
    assert cache.graph.find(path).block == "conv3_block1"
    assert cache.activation(PHOTO, path).shape == (8, 8, 8)
    with pytest.raises(ValueError, match=f"Did you mean '{path}'"):
        cache.activation(PHOTO, "conv3_block1_out")


def test_the_end_of_a_block_of_v2_can_be_negative():
    keras.utils.set_random_seed(2)
    assert ActivationCache(v2_block()).activation(PHOTO, "conv2_block1_out").min() < 0


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("ResNet101", "conv4_block23_out"),
        ("ResNet152", "conv5_block3_out"),
        ("ResNet50V2", "conv4_block6_out"),
    ],
)
def test_a_deep_network_of_keras(name, end):
    model = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    cache = ActivationCache(model)
    given = cache.about.preprocess(PHOTO[None].astype(np.float32))
    expected = keras.Model(model.inputs[0], model.get_layer(end).output)(given, training=False)
    np.testing.assert_allclose(cache.activation(PHOTO, end), expected[0], atol=1e-3, rtol=1e-3)


# ------------------------------------------------------------------------------------ refusals
def two_inputs():
    a, b = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    return keras.Model([a, b], keras.layers.Add()([a, b]))


def channels_first():
    inputs = keras.Input((3, 32, 32))
    return keras.Model(inputs, conv(2, 3, data_format="channels_first")(inputs))


class Subclassed(keras.Model):
    def call(self, x):
        return x


def vector():
    return keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])


def sequence():
    return keras.Sequential([keras.Input((8, 3)), keras.layers.Conv1D(2, 3)])


def volume():
    return keras.Sequential([keras.Input((8, 8, 8, 3)), keras.layers.Conv3D(2, 3)])


def unbuilt():
    return keras.Sequential([conv(2, 3)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (two_inputs, "one input of shape.*Received"),
        (channels_first, "channels last.*Received"),
        (Subclassed, "one input of shape.*call the model once first|Functional or Sequential"),
        (vector, "one input of shape.*Received"),
        (sequence, "one input of shape.*Received"),
        (volume, "one input of shape.*Received"),
        (unbuilt, "built.*Received"),
    ],
)
def test_models_that_cannot_be_shown_are_refused_at_once(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ActivationCache(make())


@pytest.mark.parametrize("thing", [None, 3, [], object(), keras.layers.ReLU(), keras.Model])
def test_what_is_no_model_is_refused_at_once(thing):
    with pytest.raises(ValueError, match="`name` should be one of.*Received"):
        ActivationCache(thing)


# ------------------------------------------------------------------------------------ files
@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small model, saved in each way there is."""
    folder = tmp_path_factory.mktemp("saved")
    model = small()
    for name in ("model.keras", "model.h5"):
        model.save(folder / name)
    model.save_weights(folder / "model.weights.h5")
    return folder


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.weights.h5"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
@pytest.mark.filterwarnings("ignore")
def test_cut_files_are_refused_with_their_name(saved, name, share, tmp_path):
    data = (saved / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError) as info:
        load_model(tmp_path / name)
    assert str(tmp_path / name) in str(info.value)
    assert "Received: " in str(info.value)


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.weights.h5"])
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.filterwarnings("ignore")
def test_changed_files_load_or_are_refused_with_their_name(saved, name, seed, tmp_path):
    """Eight bytes anywhere are other ones: numbers that are wrong cannot be told, the rest can."""
    rng = np.random.default_rng(seed)
    data = bytearray((saved / name).read_bytes())
    for at in rng.integers(0, len(data), 8):
        data[at] = rng.integers(0, 256)
    (tmp_path / name).write_bytes(data)
    try:
        model = load_model(tmp_path / name)
    except ValueError as error:
        assert str(tmp_path / name) in str(error)
        assert "Received: " in str(error)
    else:
        assert isinstance(model, keras.Model)
