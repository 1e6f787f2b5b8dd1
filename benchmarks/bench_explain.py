"""What does an explanation cost? Ratios within one process, medians.

    python benchmarks/bench_explain.py [--model random] [--runs 30]

Ablation is compared with a plain traced function of what comes after the layer: its share of a
forward. It is measured after the first and after the last block of each stage. While an edited run
computes, the cache looks whether any weight has changed, so it is measured without that too: after
the last block, where only pooling and one Dense layer follow, the look takes longer than they do.
And as in the explorer, where pieces are traced ahead: the first edits of a layer run by them.
Grad-CAM from the cached activation is compared with one from the photo on, by a model with two
outputs in a `tf.function`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from measure import Times, setting, table

import resnet_widgets as rw
from resnet_widgets.explain import Mute, grad_cam

LAST = ("conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out")
FIRST = tuple(f"conv{stage}_block1_out" for stage in range(2, 6))
# What is edited or explained is traced once it has been run some times.
WARM_UP = 8
LAYERS = tuple(layer for pair in zip(FIRST, LAST, strict=True) for layer in pair)


def rest_of(model: keras.Model, layer: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """What comes after `layer`, as one traced function."""
    rest = keras.Model(model.get_layer(layer).output, model.output)
    return tf.function(
        lambda x: rest(x, training=False),
        input_signature=[tf.TensorSpec((None, *rest.input_shape[1:]))],
        autograph=False,
    )


def cam_from_scratch(model: keras.Model, layer: str, size: tuple[int, int]) -> Callable:
    """Grad-CAM as it is usually written, but traced."""
    head = model.layers[-1]
    both = keras.Model(model.inputs, [model.get_layer(layer).output, head.input])

    @tf.function(input_signature=[tf.TensorSpec((None, *size, 3))], autograph=False)
    def run(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            activation, features = both(x, training=False)
            score = (features @ head.kernel + head.bias)[:, 0]
        weights = tf.reduce_mean(tape.gradient(score, activation), (1, 2), keepdims=True)
        return tf.nn.relu(tf.reduce_sum(weights * activation, -1))

    return run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="random", help="what load_model takes")
    parser.add_argument("--runs", type=int, default=30)
    arguments = parser.parse_args()

    model = rw.load_model(arguments.model)
    cache = rw.ActivationCache(model)
    unwatched = rw.ActivationCache(model, watch_weights=False)
    ahead = rw.ActivationCache(model)
    size = cache.input_size
    rng = np.random.default_rng(0)
    photo = rw.load_image(rng.integers(0, 256, (*size, 3), dtype=np.uint8), size)
    x = tf.constant(cache.about.preprocess(photo.array))
    forward = tf.function(
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec((None, *size, 3))],
        autograph=False,
    )
    rest = {layer: rest_of(model, layer) for layer in LAYERS}
    scratch = {layer: cam_from_scratch(model, layer, size) for layer in LAST}
    values = {layer: tf.constant(cache.activation(photo, layer)[None]) for layer in LAYERS}
    for one in (unwatched, ahead):
        one.activations(photo, LAYERS)
    for piece in ahead.graph.pieces:
        ahead.trace(photo, piece.index)
    times = Times()
    for turn in range(arguments.runs + WARM_UP):
        if turn == WARM_UP:
            times = Times()
        times.note("forward", lambda: np.asarray(forward(x)))
        for layer in LAYERS:
            # Another channel each time: an edit that was made before is in the cache.
            edit = [Mute(layer, turn)]
            value = values[layer]
            times.note(f"rest {layer}", lambda r=rest[layer], v=value: np.asarray(r(v)))
            times.note(f"mute {layer}", lambda edit=edit: cache.run(photo, edit))
            times.note(f"unwatched {layer}", lambda edit=edit: unwatched.run(photo, edit))
            times.note(f"pieces {layer}", lambda edit=edit: ahead.run(photo, edit))
            times.note("weights", lambda: cache.generation)
        for layer in LAST:
            times.note(f"scratch {layer}", lambda run=scratch[layer]: np.asarray(run(x)))
            times.note(f"cam {layer}", lambda at=layer: grad_cam(cache, photo, at, 0).map)

    rows = [
        times.row("plain forward", "forward", "forward"),
        times.row("a look at all weights", "weights", "forward"),
    ]
    for layer in LAYERS:
        rows += [
            times.row(f"what comes after {layer}", f"rest {layer}", "forward"),
            times.row("… with a channel muted, for each of that", f"mute {layer}", f"rest {layer}",
                      "≤ 1.1 ×"),
            times.row("… weights not watched for changes", f"unwatched {layer}", f"rest {layer}",
                      "≤ 1.1 ×"),
            times.row("… by pieces", f"pieces {layer}", f"rest {layer}"),
        ]  # fmt: skip
    for layer in LAST:
        rows += [
            times.row(f"Grad-CAM at {layer}, from the photo", f"scratch {layer}", "forward"),
            times.row("… from the cache, for each of that", f"cam {layer}", f"scratch {layer}",
                      "< 1 ×"),
        ]  # fmt: skip
    print(
        f"{cache.about.title}, {size[0]} × {size[1]} pixels, medians of {arguments.runs} runs "
        f"after {WARM_UP} others."
    )
    print(setting(), end="\n\n")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
