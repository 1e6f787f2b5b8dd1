"""What the tests of `resnet_widgets.explain` share: two small networks and plain references."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

RNG = np.random.default_rng(0)


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
    """What ResNet50 eats, preprocessed by Keras."""
    return keras.applications.resnet.preprocess_input(np.asarray(photo, np.float32)[None])


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
