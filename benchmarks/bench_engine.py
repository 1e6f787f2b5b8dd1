"""What does the cache cost, and what does it save? Ratios within one process, medians.

    python benchmarks/bench_engine.py [--model random] [--side 224] [--batch 1] [--runs 20]
                                      [--processes 1]

What is compared takes turns. Where memory comes from differs from process to process, and with it
the time that many outputs take, so figures may be of several processes. With PyTorch and
transformers installed (dependency group `bench`) their ResNet-50 with a hook on every module takes
its turn as well.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from measure import Row, Times, setting, table

import resnet_widgets as rw
from resnet_widgets.engine.images import InputImage

MODELS = {"resnet101": "ResNet101", "resnet152": "ResNet152"}


def photos(side: int, batch: int = 1) -> Iterator[InputImage | list[InputImage]]:
    """Pictures never seen before, one by one or in batches, loaded: reading a file is not what is
    measured."""
    rng = np.random.default_rng(0)
    while True:
        pixels = rng.integers(0, 256, (batch, side, side, 3), dtype=np.uint8)
        images = [rw.load_image(photo, (side, side)) for photo in pixels]
        sum(image.array.sum() for image in images)
        yield images if batch > 1 else images[0]


def prepared(cache: rw.ActivationCache, photo: InputImage | list[InputImage]) -> np.ndarray:
    """What the model eats."""
    images = photo if isinstance(photo, list) else [photo]
    return cache.about.preprocess(np.concatenate([image.array for image in images]))


def build(name: str, side: int) -> keras.Model:
    """A model by name; one with random weights for any side but 224."""
    keras.utils.set_random_seed(0)
    if name in MODELS or (name == "random" and side != 224):
        make = getattr(keras.applications, MODELS.get(name, "ResNet50"))
        return make(weights=None, input_shape=(side, side, 3))
    return rw.load_model(name)


def usual_way(model: keras.Model, layer: str, x: np.ndarray) -> np.ndarray:
    """The answer that tutorials give: a model for each look."""
    return keras.Model(model.inputs[0], model.get_layer(layer).output).predict(x, verbose=0)


def torch_forward(model: keras.Model, side: int, batch: int) -> Callable[[], int] | None:
    """PyTorch's network of the same size with a hook on every module; returns how many it kept."""
    depths = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}
    if model.name not in depths:
        return None
    try:
        import torch
        from transformers import ResNetConfig, ResNetModel
    except ImportError:
        return None
    on_gpu = torch.cuda.is_available()
    device = "cuda" if on_gpu else "cpu"
    twin = ResNetModel(ResNetConfig(depths=list(depths[model.name]))).eval().to(device)
    pixels = torch.rand(batch, 3, side, side, device=device)
    kept: dict[str, object] = {}
    for name, module in twin.named_modules():
        module.register_forward_hook(lambda _m, _i, out, name=name: kept.update({name: out}))

    def run() -> int:
        kept.clear()
        with torch.inference_mode():
            twin(pixels)
        if on_gpu:
            torch.cuda.synchronize()
        return len(kept)

    return run


def measure(model: keras.Model, side: int, runs: int, batch: int = 1) -> tuple[Times, list[str]]:
    cache = rw.ActivationCache(model, max_bytes=batch * 2**31)
    new = photos(side, batch)
    forward = tf.function(
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec((None, side, side, 3))],
        autograph=False,
    )
    blocks = [piece.output for piece in cache.graph.pieces]
    everything = [layer.path for layer in cache.layers[1:]]
    activations = sorted(cache.graph.activations)
    insides = [layer.path for layer in cache.layers[1:] if not layer.is_cut]
    torch = torch_forward(model, side, batch)
    times = Times()

    # Tracing is not what is compared; what is asked for twice is traced.
    seen = next(new)
    times.note("cold", lambda: cache.activation(seen, blocks[-2]))
    np.asarray(forward(tf.constant(prepared(cache, seen))))
    for layers in 2 * (blocks, activations, everything):
        cache.activations(next(new), layers)
    for piece in cache.graph.pieces:
        cache.trace(seen, piece.index)
    if torch:
        torch()

    for _ in range(runs):
        x = tf.constant(prepared(cache, next(new)))
        times.note("forward", lambda x=x: np.asarray(forward(x)))
        for name, layers in (
            ("blocks", blocks),
            ("activations", activations),
            ("everything", everything),
        ):
            image = next(new)
            times.note(name, lambda image=image, layers=layers: cache.activations(image, layers))
            cache.clear()
        if torch:
            times.note("torch", torch)

    # keract's way: every layer of the network for each look.
    all_outputs = keras.Model(
        model.inputs[0], [model.get_layer(path).output for path in everything]
    )
    all_layers = tf.function(lambda x: all_outputs(x, training=False), autograph=False)
    kept_model = keras.Model(model.inputs[0], model.get_layer(insides[-1]).output)
    kept = tf.function(lambda x: kept_model(x, training=False), autograph=False)
    x = prepared(cache, seen)
    kept(x), all_layers(x)
    unwatched = rw.ActivationCache(model, max_bytes=batch * 2**31, watch_weights=False)
    rng = np.random.default_rng(1)
    for layer in rng.choice(insides, runs):
        cache.clear()
        cache.activations(seen, blocks)
        times.note("usual way", lambda layer=layer: usual_way(model, layer, x))
        times.note("kept model", lambda: np.asarray(kept(x)))
        times.note("all each time", lambda: [np.asarray(a) for a in all_layers(x)])
        times.note("another layer", lambda layer=layer: cache.activation(seen, layer))
        times.note("cached", lambda layer=layer: cache.activation(seen, layer))
        unwatched.activation(seen, layer)
        times.note("unwatched", lambda layer=layer: unwatched.activation(seen, layer))
        unwatched.clear()

    seen_layers = cache.activations(seen, everything)
    expected = all_outputs.predict(x, verbose=0)
    pairs = [
        (seen_layers[path], theirs if batch > 1 else theirs[0])
        for path, theirs in zip(everything, expected, strict=True)
    ]
    equal = sum(np.array_equal(ours, theirs) for ours, theirs in pairs)
    # TensorFlow fuses a convolution with what follows it where nobody asks for what lies between.
    apart = max(np.abs(ours - theirs).max() / np.abs(theirs).max() for ours, theirs in pairs)

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    notes = [
        "Equal to `keras.Model.predict` bit for bit: "
        f"{equal} of {len(pairs)} layers; the others within {apart:.0e} of the largest value.",
        f"Peak memory: {peak:.0f} MiB.",
    ]
    return times, notes


def rows_of(times: Times, *, usual_size: bool = True) -> list[Row]:
    """The table; the aims in milliseconds are those of ResNet50 at its usual size, or less."""
    another, cached = ("≤ 15 ms", "≤ 1 ms") if usual_size else ("", "")
    rows = [
        times.row("new photo: plain `tf.function` forward", "forward", "forward"),
        times.row("new photo: all block outputs", "blocks", "forward", "≤ 1.05 ×"),
        times.row("new photo: all post-ReLU layers", "activations", "forward", "≤ 1.08 ×"),
        times.row("new photo: all layers", "everything", "forward", "≤ 1.25 ×"),
    ]
    if "torch" in times:
        rows.append(times.row("new photo: PyTorch, hooks on every module", "torch", "forward"))
    return [
        *rows,
        times.row("the very first look of each process", "cold", "forward"),
        times.row("seen photo: `Model(...).predict`, as in tutorials", "usual way", "usual way"),
        times.row("seen photo: the same model kept and traced", "kept model", "usual way"),
        times.row("seen photo: all layers every time", "all each time", "usual way"),
        times.row("seen photo: another layer", "another layer", "usual way", another),
        times.row("seen photo: a layer in the cache", "cached", "usual way", cached),
        times.row("… weights not watched for changes", "unwatched", "usual way", cached),
    ]


def run(name: str, side: int, runs: int, batch: int) -> tuple[str, Times, list[str]]:
    """What one process finds out, and the name of its model."""
    model = build(name, side)
    return model.name, *measure(model, side, runs, batch)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="random",
                        help="what load_model takes, or resnet101, resnet152")  # fmt: skip
    parser.add_argument("--side", type=int, default=0, help="of the input, in pixels")
    parser.add_argument("--batch", type=int, default=1, help="photos at once")
    parser.add_argument("--runs", type=int, default=20, help="in each process")
    parser.add_argument("--processes", type=int, default=1, help="one after the other")
    arguments = parser.parse_args()
    side = arguments.side or (128 if arguments.model == "mini" else 224)
    batch, runs, processes = arguments.batch, arguments.runs, arguments.processes
    times = Times()
    for _ in range(processes):
        # One after the other, each with memory of its own.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            name, its_times, notes = fresh.submit(run, arguments.model, side, runs, batch).result()
        times.add_all(its_times)
    size = f"{side} × {side} pixels" + (f", {batch} photos at once" if batch > 1 else "")
    many = f"medians of {runs} runs" + (
        f" in each of {processes} processes; what is not timed is of the last"
        if processes > 1
        else ""
    )
    print(f"{name}, {size}, {many}.", *notes)
    print(setting("torch", "transformers"), end="\n\n")
    usual_size = side * batch <= 224 and arguments.model not in MODELS
    print(table(rows_of(times, usual_size=usual_size)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
