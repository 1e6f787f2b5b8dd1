"""What does the cache cost, and what does it save? Ratios within one process, medians.

    python benchmarks/bench_engine.py [--model random] [--runs 20]

Each figure is the median of `--runs` runs; the things compared take turns, so that a machine that
gets slower half-way slows all of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

import resnet_widgets as rw


def milliseconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start)


def photos(size: tuple[int, int], seed: int = 0):
    """Pictures never seen before, loaded: reading a file is not what is measured."""
    rng = np.random.default_rng(seed)
    while True:
        image = rw.load_image(rng.integers(0, 256, (*size, 3), dtype=np.uint8), size)
        image.array.sum()
        yield image


def usual_way(model: keras.Model, layer: str, x: np.ndarray) -> np.ndarray:
    """The answer that tutorials give: a model for each look."""
    return keras.Model(model.inputs[0], model.get_layer(layer).output).predict(x, verbose=0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="random", help="what load_model takes")
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()

    model = rw.load_model(arguments.model)
    cache = rw.ActivationCache(model)
    size = cache.input_size
    new = photos(size)
    forward = tf.function(
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec((None, *size, 3))],
        autograph=False,
    )
    blocks = [piece.output for piece in cache.graph.pieces]
    everything = [layer.path for layer in cache.layers[1:]]
    insides = [layer.path for layer in cache.layers[1:] if not layer.is_cut]

    def prepared() -> tf.Tensor:
        return tf.constant(cache.about.preprocess(next(new).array))

    times: dict[str, list[float]] = {}

    def note(name: str, run: Callable[[], object]) -> None:
        times.setdefault(name, []).append(milliseconds(run))

    # Tracing is not what is compared: everything once before.
    seen = next(new)
    first_look = milliseconds(lambda: cache.activation(seen, "conv5_block3_out"))
    np.asarray(forward(prepared()))
    cache.activations(next(new), everything)
    for layer in insides:
        cache.activation(seen, layer)

    for _ in range(arguments.runs):
        x, image = prepared(), next(new)
        note("forward", lambda x=x: np.asarray(forward(x)))
        note("blocks", lambda image=image: cache.activations(image, blocks))
        image = next(new)
        note("everything", lambda image=image: cache.activations(image, everything))

    rng = np.random.default_rng(1)
    for layer in rng.choice(insides, arguments.runs):
        cache.clear()
        cache.activations(seen, blocks)
        x = cache.about.preprocess(seen.array)
        note("usual way", lambda layer=layer, x=x: usual_way(model, layer, x))
        note("another layer", lambda layer=layer: cache.activation(seen, layer))
        note("cached", lambda layer=layer: cache.activation(seen, layer))

    seen_layers = cache.activations(seen, everything)
    reference = keras.Model(model.inputs[0], [model.get_layer(p).output for p in everything])
    expected = reference.predict(cache.about.preprocess(seen.array), verbose=0)
    equal = sum(
        np.array_equal(seen_layers[path], theirs[0])
        for path, theirs in zip(everything, expected, strict=True)
    )

    median = {name: statistics.median(values) for name, values in times.items()}
    spread = {name: f"{min(values):.2f}–{max(values):.2f}" for name, values in times.items()}
    plain, usual = median["forward"], median["usual way"]
    rows = [
        ("plain tf.function forward", "forward", "1", ""),
        ("new photo, all block outputs", "blocks", f"{median['blocks'] / plain:.2f} ×", "≤ 1.1 ×"),
        (
            f"new photo, all {len(everything)} layers",
            "everything",
            f"{median['everything'] / plain:.2f} ×",
            "≤ 1.4 ×",
        ),
        ("seen photo, Model(...).predict", "usual way", "1", ""),
        (
            "seen photo, another layer",
            "another layer",
            f"1 / {usual / median['another layer']:.0f}",
            "≤ 1 / 25",
        ),
        (
            "seen photo, layer in the cache",
            "cached",
            f"1 / {usual / median['cached']:.0f}",
            "< 1 ms",
        ),
    ]
    versions = (
        f"Python {sys.version.split()[0]}, TensorFlow {tf.__version__}, Keras {keras.__version__}"
    )
    print(f"{cache.about.title}, {size[0]}×{size[1]}, {os.cpu_count()} cores. {versions}.")
    print(f"Medians of {arguments.runs} runs. The very first look took {first_look:.0f} ms.")
    print(f"Equal to keras.Model.predict bit for bit: {equal} of {len(everything)} layers.\n")
    print(f"| {'what':32} | {'ms':>7} | {'min–max':>16} | {'ratio':>8} | target |")
    print(f"|{'-' * 34}|{'-' * 8}:|{'-' * 17}:|{'-' * 9}:|--------|")
    for title, name, ratio, target in rows:
        print(f"| {title:32} | {median[name]:7.2f} | {spread[name]:>16} | {ratio:>8} | {target} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
