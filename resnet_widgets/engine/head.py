"""The last step of a classifier: from features to logits, from logits to probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from .graph import LayerGraph

# What these take are the logits.
_ONLY_SQUASH = (keras.layers.Softmax, keras.layers.Activation)


class Head(NamedTuple):
    """How to read the answer of a model.

    Attributes:
        source: Path of the layer whose output the logits are made of.
        logits: Takes a tensor of `source` with a batch axis, returns `(batch, classes)`.
        probabilities: Takes logits as an array, returns probabilities.
    """

    source: str
    logits: Callable[[Any], Any]
    probabilities: Callable[[np.ndarray], np.ndarray]


def head_of(graph: LayerGraph) -> Head | None:
    """How to read the answer of a model, or `None` if it is no classifier, or its logits are not
    to be had."""
    last = graph.find(graph.output)
    if len(last.shape) != 1:
        return None
    operation = graph.operation(last.path)
    squash = _squash(operation)
    to_probabilities = sigmoid if squash == "sigmoid" else softmax
    if isinstance(operation, keras.layers.Dense):
        if squash in ("softmax", "sigmoid"):
            # Its kernel is whole numbers, which Keras scales in a way of its own.
            if operation.quantization_mode:
                return None
            return Head(last.inputs[0], lambda x: _linear(operation, x), to_probabilities)
        if squash == "linear" and operation.units > 1:
            return Head(last.path, lambda x: tf.cast(x, tf.float32), softmax)
        return None
    if squash in ("softmax", "sigmoid") and isinstance(operation, _ONLY_SQUASH):
        return Head(last.inputs[0], lambda x: tf.cast(x, tf.float32), to_probabilities)
    return None


def reading_of(head: Any) -> Callable[[np.ndarray], np.ndarray] | None:
    """How to read the outputs of a model's last operation as probabilities, or `None`."""
    squash = _squash(head)
    if squash in ("softmax", "sigmoid"):
        return lambda values: values
    if isinstance(head, keras.layers.Dense) and squash == "linear" and head.units > 1:
        return softmax
    return None


def _squash(operation: Any) -> str:
    """Name of the function that an operation ends in."""
    if isinstance(operation, keras.layers.Softmax):
        return "softmax"
    return getattr(getattr(operation, "activation", None), "__name__", "")


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of classes that exclude each other."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities of classes that do not."""
    return 1 / (1 + np.exp(-logits))


def _linear(dense: Any, x: Any) -> Any:
    """What a Dense layer has before its activation."""
    result = tf.matmul(tf.cast(x, tf.float32), tf.cast(dense.kernel, tf.float32))
    return result + tf.cast(dense.bias, tf.float32) if dense.use_bias else result
