"""What the tests of `resnet_widgets.explain` share: two small networks and plain references."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import resnet_widgets as rw

_PHOTOS = {
    size: np.random.default_rng(size).integers(0, 256, (size, size, 3), dtype=np.uint8)
    for size in (64, 128)
}


def both_networks():
    """Two fixtures: a cache of the mini and of a seeded ResNet50 in turn, and a photo of noise."""

    @pytest.fixture(scope="module", params=["mini", "seeded ResNet50"])
    def cache(request):
        model = rw.load_model("mini") if request.param == "mini" else seeded_resnet50()
        cache = rw.ActivationCache(model)
        yield cache
        cache.close()

    @pytest.fixture(scope="module")
    def photo(cache):
        return _PHOTOS[cache.input_size[0]]

    return cache, photo


def said_until_ended(count, work):
    """Ends `work(progress)` when it has said `count` things; returns these `(share, text)`."""
    said = []

    def progress(share, text):
        said.append((share, text))
        if len(said) == count:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        work(progress)
    return said


def seeded_resnet50():
    """ResNet50 with all its blocks for 64 × 64 pixels, and batch norms that do something."""
    keras.utils.set_random_seed(3)
    model = keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3), classes=7)
    rng = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(rng.normal(size=layer.moving_mean.shape) * 0.1)
            layer.moving_variance.assign(rng.uniform(0.5, 2, layer.moving_variance.shape))
    # Else all classes are nearly alike.
    head = model.layers[-1]
    head.kernel.assign(rng.normal(size=head.kernel.shape) * 0.2)
    return model


def model_input(photo):
    """What ResNet50 eats, preprocessed by Keras, of one photo or a list of them."""
    photos = np.asarray(photo, np.float32)
    photos = photos if photos.ndim == 4 else photos[None]
    return keras.applications.resnet.preprocess_input(photos.copy())


def run_edited(model, x, masks):
    """Outputs of all layers, by name: layer after layer, some of them multiplied by masks."""
    values = {model.layers[0].name: tf.constant(x)}
    for layer in model.layers[1:]:
        taken = [values[t._keras_history.operation.name] for t in keras.tree.flatten(layer.input)]
        output = layer(taken if len(taken) > 1 else taken[0], training=False)
        values[layer.name] = output * masks[layer.name] if layer.name in masks else output
    return {name: np.asarray(value)[0] for name, value in values.items()}


def plain_gradient(model, x, layer, target):
    """Activation of `layer`, the gradient of a logit by it, and all logits, from one tape."""
    head = model.layers[-1]
    both = keras.Model(model.inputs, [model.get_layer(layer).output, head.input])
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        activation, features = both(x, training=False)
        logits = features @ head.kernel + head.bias
        score = logits[:, target]
    by = x if layer == model.layers[0].name else activation
    return np.asarray(by)[0], np.asarray(tape.gradient(score, by))[0], np.asarray(logits)[0]


def close(ours, theirs, tolerance):
    """Equal within `tolerance` of the largest number."""
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale)
