"""Activations as a file of numbers, for programs that have neither Keras nor this package."""

from __future__ import annotations

import csv
import datetime
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

import resnet_widgets

from .engine.choice import choose_layers
from .engine.edits import EditedRun
from .engine.images import InputImage, load_image
from .files import replacing

_COLUMNS = ("layer", "shape", "min", "max", "mean", "std", "zeros", "not_finite")


def save_activations(path: Any, cache: Any, image: Any, *, layers: Any = None) -> Path:
    """Saves activations of one photo as `.npz`, with where they come from and a summary.

    One layer after the other is computed and written, so no more than one is in memory beside what
    the cache keeps. The file takes the place of one that is there only when it is whole.

    Args:
        path: Name of the file, such as `"cat.npz"`.
        cache: An `ActivationCache`.
        image: One photo, as `load_image` takes it, or an `EditedRun`.
        layers: Paths of layers; `"all-relu"` for all that end in a ReLU; `None` for the ReLU of the
            stem, the output of every residual block, and the vectors of the head.

    Returns:
        The path of the file. `numpy.load` opens it, without pickle: under the path of each layer
        lies its activation, float32 `(height, width, channels)` or `(units,)`. `summary.csv` in it
        has for each layer shape, min, max, mean and standard deviation of its finite cells, the
        share of cells that are 0, and the number of those that are not finite. `origin.json` has
        photo, its height and width, crop (left, top, right, bottom, in pixels), edits, model and
        versions.

    Raises:
        ValueError: If there is no such layer, or `image` is not one picture.
        RuntimeError: If the cache is closed.
        OSError: If the file cannot be written.

    Example:

    >>> rw.save_activations("cat.npz", cache, "cat.jpg", layers=["conv1_relu"])
    >>> np.load("cat.npz")["conv1_relu"].shape
    (64, 64, 16)
    """
    paths = choose_layers(cache.graph, layers)
    run = image if isinstance(image, EditedRun) else load_image(image, cache.input_size)
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(_COLUMNS)
    with (
        replacing(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive,
    ):
        for layer in paths:
            values = cache.activation(run, layer)
            with archive.open(f"{layer}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, values, allow_pickle=False)
            rows.writerow([layer, *_summary(values)])
        archive.writestr("summary.csv", table.getvalue())
        archive.writestr("origin.json", json.dumps(_origin(cache, run), indent=1))
    return Path(path).expanduser()


def _summary(values: np.ndarray) -> list[Any]:
    """What a row says of a layer: exact numbers as Python writes them."""
    shape = "x".join(map(str, values.shape))
    finite = values[np.isfinite(values)].astype(np.float64)
    lost = values.size - finite.size
    zeros = float(np.mean(values == 0))
    if not finite.size:
        return [shape, "", "", "", "", zeros, lost]
    numbers = (finite.min(), finite.max(), finite.mean(), finite.std())
    return [shape, *(float(number) for number in numbers), zeros, lost]


def _origin(cache: Any, run: InputImage | EditedRun) -> dict[str, Any]:
    photo, edits = (run.image, run.edits) if isinstance(run, EditedRun) else (run, ())
    height, width = photo.original.shape[:2]
    return {
        "photo": photo.source,
        "photo_size": [height, width],
        "crop": list(photo.box),
        "crop_sha1": photo.digest,
        "notes": list(photo.notes),
        "edits": [edit.to_dict() for edit in edits],
        "model": cache.about.title,
        "model_note": cache.about.note,
        "input_size": list(cache.input_size),
        "saved": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {
            "resnet_widgets": resnet_widgets.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
    }
