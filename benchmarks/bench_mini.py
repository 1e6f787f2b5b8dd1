"""How good and how fast is the mini? One run prints everything the model card claims.

    python benchmarks/bench_mini.py --data cifar10.zip [photo.jpg …]

`--data` is a zip of JPEGs `test/<class>/*.jpg`; without it the CIFAR-10 test images come from
`keras.datasets.cifar10`. Photos are named on the command line, after two of scikit-image's.
"""

from __future__ import annotations

import argparse
import io
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from resnet_widgets.engine.images import load_image
from resnet_widgets.engine.mini import MINI_LABELS, MINI_SIDE, load_mini

preprocess = keras.applications.resnet50.preprocess_input


def read_test(path: str | None) -> tuple[list[Image.Image], np.ndarray]:
    """The 10 000 test pictures, 32×32 RGB, and their classes."""
    if path is None:
        _, (pixels, classes) = keras.datasets.cifar10.load_data()
        return [Image.fromarray(p) for p in pixels], classes.ravel()
    with zipfile.ZipFile(path) as archive:
        names = sorted(n for n in archive.namelist() if n.startswith("test/") and n.endswith("jpg"))
        pictures = [Image.open(io.BytesIO(archive.read(n))).convert("RGB") for n in names]
    return pictures, np.array([MINI_LABELS.index(n.split("/")[1]) for n in names])


def print_accuracy(model: keras.Model, path: str | None) -> None:
    """Top-1 accuracy at 128×128, per class, and what each class is mostly mistaken for."""
    pictures, classes = read_test(path)
    forward = tf.function(lambda x: model(x, training=False))
    guesses = []
    for start in range(0, len(pictures), 100):
        batch = [
            np.asarray(p.resize((MINI_SIDE, MINI_SIDE), Image.Resampling.BICUBIC), "float32")
            for p in pictures[start : start + 100]
        ]
        guesses.append(forward(preprocess(np.stack(batch))).numpy().argmax(1))
    table = np.zeros((10, 10), int)
    np.add.at(table, (classes, np.concatenate(guesses)), 1)
    print(f"accuracy on {table.sum()} test images: {np.trace(table) / table.sum():.2%}")
    for i, label in enumerate(MINI_LABELS):
        others = table[i].copy()
        others[i] = 0
        worst = others.argmax()
        share = table[i, i] / table[i].sum()
        print(f"  {label:<10} {share:.1%}, mistaken for {MINI_LABELS[worst]} {others[worst]} times")


def print_speed(model: keras.Model, repeats: int = 50) -> None:
    """Time of one photo, with the outputs of all layers as NumPy arrays."""
    outputs = [layer.output for layer in model.layers[1:]]
    survey = keras.Model(model.input, outputs)
    forward = tf.function(lambda x: survey(x, training=False))
    photo = tf.random.normal((1, MINI_SIDE, MINI_SIDE, 3), stddev=50.0)
    seconds = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        arrays = [tensor.numpy() for tensor in forward(photo)]
        seconds.append(time.perf_counter() - start)
    size = sum(a.nbytes for a in arrays) / 2**20
    print(
        f"all {len(arrays)} tensors of a photo ({size:.1f} MiB): "
        f"median {np.median(seconds[3:]) * 1e3:.1f} ms, best {min(seconds) * 1e3:.1f} ms"
    )


def print_photos(model: keras.Model, paths: list[Path]) -> None:
    """The three likeliest classes of some real photographs."""
    import skimage.data

    sources = [(name, getattr(skimage.data, name)()) for name in ("chelsea", "rocket")]
    for name, source in [*sources, *((path.name, path) for path in paths)]:
        image = load_image(source, size=(MINI_SIDE, MINI_SIDE))
        shares = model(preprocess(image.array.copy()), training=False).numpy()[0]
        top = [f"{MINI_LABELS[i]} {shares[i]:.0%}" for i in np.argsort(-shares)[:3]]
        print(f"  {name:<24} {', '.join(top)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="zip of JPEGs; default: keras.datasets.cifar10")
    parser.add_argument("--quick", action="store_true", help="leave out the 10 000 test images")
    parser.add_argument("photos", nargs="*", type=Path)
    args = parser.parse_args()
    start = time.perf_counter()
    model = load_mini()
    print(f"load_mini: {time.perf_counter() - start:.2f} s after importing TensorFlow")
    print_speed(model)
    print_photos(model, args.photos)
    if not args.quick:
        print_accuracy(model, args.data)


if __name__ == "__main__":
    main()
