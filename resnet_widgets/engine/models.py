"""`load_model`: a Keras model by a short name; `describe`: what to feed it and what it says."""

from __future__ import annotations

import csv
import functools
import math
import os
import random
import reprlib
import threading
import weakref
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from resnet_widgets.engine.memory import collecting_later

try:
    import keras
except ImportError as error:
    raise ImportError(
        "resnet_widgets needs Keras ≥ 3.13.2 with TensorFlow: pip install tensorflow (or "
        f"tensorflow-cpu, smaller, for machines without a GPU). Received: {error}"
    ) from error

from resnet_widgets.engine import download
from resnet_widgets.engine.download import HDF5_MAGIC, Progress, WeightsError

__all__ = ["ModelInfo", "WeightsError", "describe", "imagenet_labels", "load_model"]

NAMES = ("auto", "imagenet", "mini", "random")
OLDEST_KERAS = (3, 13, 2)
SEED = 50
DEFAULT_SIZE = (224, 224)


@dataclass(frozen=True)
class ModelInfo:
    """What is known about a model.

    Attributes:
        title: Name for people, e.g. `"ResNet50, ImageNet"`.
        note: What a person must know before believing what they see; `""` if nothing.
        labels: Name of every class, in the order of the model's output; `None` if unknown.
        preprocess: Turns RGB `float32` `(N, H, W, 3)`, 0…255, into a new array that the model
            takes. Its argument is not changed.
        input_size: `(height, width)` in pixels.
    """

    title: str
    note: str
    labels: tuple[str, ...] | None = field(repr=False)
    preprocess: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    input_size: tuple[int, int]


@dataclass(frozen=True)
class _Origin:
    """What only the loader knows about a model."""

    title: str
    note: str = ""
    labels: tuple[str, ...] | None = None


_origins: weakref.WeakKeyDictionary[keras.Model, _Origin] = weakref.WeakKeyDictionary()


def load_model(
    name: str | os.PathLike | keras.Model = "auto", *, progress: Progress | None = None
) -> keras.Model:
    """Load a model.

    Args:
        name: One of

            - `"imagenet"`: ResNet50 with ImageNet weights, from Keras' cache (`$KERAS_HOME` or
              `~/.keras`, folder `models`) or downloaded into it (103 MB).
            - `"mini"`: the embedded ResNet50 of quarter width, 10 classes; needs no network.
            - `"auto"`: `"imagenet"` if it is in the cache or its server answers within 3 seconds,
              else `"mini"`; `describe(model).note` says why. The environment variable
              `RESNET_WIDGETS_MODEL` can name another model to be taken for `"auto"`.
            - `"random"`: ResNet50 with seeded random weights, the same at every call.
            - a path: a model (`.keras`, `.h5`) or weights of ResNet50 (`.weights.h5`, `.h5`).
            - a `keras.Model`: returned as it is.
        progress: Called with the share that is done (0…1, or `None` if unknown) and a text. What
            it raises ends the loading. By default downloads print to `sys.stderr`.

    Returns:
        A `keras.Model`.

    Raises:
        WeightsError: If the ImageNet weights cannot be had.
        FileNotFoundError: If `name` is a path where there is no file.
        ValueError: If the file holds no model, or `name` is none of the above.
    """
    _check_keras()
    if isinstance(name, keras.Model):
        return name
    if name == "auto":
        name = os.environ.get("RESNET_WIDGETS_MODEL") or "auto"
    if name == "auto":
        return _load_auto(progress)
    if name == "imagenet":
        return _load_imagenet(progress)
    if name == "mini":
        return _load_mini()
    if name == "random":
        return _load_random()
    if isinstance(name, (str, os.PathLike)):
        return _load_file(name)
    raise ValueError(_accepted(name))


def describe(model: keras.Model) -> ModelInfo:
    """Say what a model takes and what its outputs mean.

    What `load_model` knows about its models is used; for others the family is recognised by its
    layers' names, which Keras' applications keep, also inside a nested model.

    Args:
        model: A built `keras.Model` with one image input.

    Returns:
        A `ModelInfo`.

    Raises:
        ValueError: If the model has no single 4-D input.
    """
    if not isinstance(model, keras.Model):
        raise ValueError(f"`model` should be a keras.Model. Received: {type(model)}")
    size, channels, channels_first = _input(model)
    origin = _origins.get(model) or _Origin(model.name)
    mode, note = _preprocessing(model, channels)
    labels = origin.labels
    if labels is None and _classes(model) == 1000:
        labels = imagenet_labels()
    preprocess: Callable[[np.ndarray], np.ndarray] = _MODES[mode]
    if channels != 3 or channels_first:
        preprocess = functools.partial(
            _adapted, preprocess, channels=channels, channels_first=channels_first
        )
    note = ". ".join(text for text in (origin.note, note) if text)
    return ModelInfo(origin.title, note, labels, preprocess, size)


@functools.cache
def imagenet_labels() -> tuple[str, ...]:
    """The 1000 class names of ImageNet's challenge, in the order of Keras' models."""
    table = files("resnet_widgets.engine") / "imagenet_labels.csv"
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return tuple(row["label"] for row in rows)


# ------------------------------------------------------------------------------------ loading
def _load_auto(progress: Progress | None) -> keras.Model:
    why = ""
    if not download.find_weights():
        if progress:
            progress(None, "Asking for the ImageNet weights …")
        why = download.probe()
    if not why:
        try:
            return _load_imagenet(progress)
        except WeightsError as error:
            why = error.why
    model = _load_mini()
    origin = _origins[model]
    note = f"{origin.note}. ImageNet weights were not reachable: {why}"
    _origins[model] = _Origin(origin.title, note, origin.labels)
    return model


def _load_imagenet(progress: Progress | None) -> keras.Model:
    path = download.imagenet_weights(progress)
    with _own_random_state(), collecting_later():
        model = keras.applications.ResNet50(weights=str(path))
    _origins[model] = _Origin("ResNet50, ImageNet", labels=imagenet_labels())
    return model


def _load_mini() -> keras.Model:
    from resnet_widgets.engine.mini import MINI_LABELS, load_mini

    with collecting_later():
        model = load_mini()
    note = f"embedded mini ResNet50, {len(MINI_LABELS)} classes"
    _origins[model] = _Origin("mini ResNet50, CIFAR-10", note, tuple(MINI_LABELS))
    return model


def _load_random() -> keras.Model:
    with _own_random_state(), collecting_later():
        model = keras.applications.ResNet50(weights=None)
    # Again, now with a seed: Keras' own way to seed a model, `set_random_seed`, is global. By
    # numpy, which takes a third of the time that Keras' initializers take.
    rng = np.random.default_rng(SEED)
    for weight in model.trainable_weights:
        if len(weight.shape) > 1:
            weight.assign(_glorot_uniform(rng, weight.shape))
    _origins[model] = _Origin("ResNet50, random weights", "random weights: activations are noise")
    return model


def _glorot_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """float32 from -a to a, `a² = 6 / (fan in + fan out)` (Glorot and Bengio 2010), as Keras'."""
    *window, taken, given = shape
    limit = np.float32(math.sqrt(6 / (math.prod(window) * (taken + given))))
    values = rng.random(shape, dtype=np.float32)
    values *= 2 * limit
    values -= limit
    return values


@contextmanager
def _own_random_state() -> Iterator[None]:
    """Keep the person's random numbers as they are while Keras draws seeds for initialisers.

    Keras takes them from Python's global generator. Putting the old state back is exact in the
    main thread; elsewhere it could undo a `random.seed` of a running cell, so it is not done.
    """
    state = random.getstate()
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            random.setstate(state)


def _load_file(name: str | os.PathLike) -> keras.Model:
    text = os.fspath(name)
    path = Path(text).expanduser()
    if text and path.is_dir():
        raise ValueError(
            "`name` should be a .keras or .h5 file: in a folder (SavedModel) there are no Keras "
            f"layers to look into. Received: {text!r}"
        )
    if path.suffix not in (".keras", ".h5", ".hdf5"):
        raise ValueError(_accepted(name))
    if not path.exists():
        raise FileNotFoundError(
            f"No such model file (the current folder is {os.getcwd()!r}). Received: {text!r}"
        )
    with path.open("rb") as file:
        start = file.read(len(HDF5_MAGIC))
    whole = zipfile.is_zipfile(path) if path.suffix == ".keras" else start == HDF5_MAGIC
    if not whole:
        raise ValueError(_damaged(path, start))
    try:
        with _own_random_state(), collecting_later():
            if path.suffix == ".keras":
                model = keras.models.load_model(path, compile=False)
            else:
                model = _load_hdf5(path)
    except OSError as error:
        raise ValueError(f"{_damaged(path, start)}. HDF5 says: {error}") from error
    except Exception as error:
        # Readers of zip, JSON and HDF5 raise a dozen types on damaged data; they become one.
        if "Received: " in str(error) and str(path) in str(error):
            raise
        raise ValueError(
            f"`name` should hold a model that Keras can load: {error or type(error).__name__}. "
            f"Received: {str(path)!r}"
        ) from error
    _origins[model] = _Origin(f"{model.name}, {path.name}")
    return model


def _load_hdf5(path: Path) -> keras.Model:
    """A whole model, or ResNet50 with the weights in the file."""
    with h5py.File(path, "r") as file:
        if "model_config" in file.attrs:
            return keras.models.load_model(path, compile=False)
        # Keras 2 wrote a list of layer names; Keras 3 writes groups, named by layer or by class.
        names = [*np.asarray(file.attrs.get("layer_names", ()), dtype=str), *file.get("layers", ())]
        top = any(layer.startswith(("predictions", "dense")) for layer in names)
    try:
        return keras.applications.ResNet50(weights=str(path), include_top=top)
    except ValueError as error:
        first = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"`name` should hold a model, or weights of ResNet50 with 1000 classes or without its "
            "top. Load other weights yourself (model.load_weights) and pass the model. "
            f"Received: {str(path)!r} ({first})"
        ) from error


def _damaged(path: Path, start: bytes) -> str:
    if not start:
        what = "is empty"
    elif start.lstrip()[:1] == b"<":
        what = "is a web page"
    elif start[:4] in (b"PK\x03\x04", HDF5_MAGIC[:4]):
        what = "is cut short, damaged or has the wrong ending"
    else:
        what = "is something else"
    size = path.stat().st_size
    return (
        "`name` should be a whole .keras (zip) or .h5 (HDF5) file: get it again. "
        f"Received: {str(path)!r}, which {what} ({size} bytes)"
    )


def _accepted(name: Any) -> str:
    return (
        "`name` should be one of "
        + ", ".join(map(repr, NAMES))
        + ", the path of a .keras or .h5 file, or a keras.Model. "
        f"Received: {reprlib.repr(name)} (of type {type(name).__name__})"
    )


def _check_keras() -> None:
    version = tuple(int(part) for part in keras.__version__.split(".")[:3] if part.isdigit())
    if version < OLDEST_KERAS:
        raise ImportError(
            "resnet_widgets needs Keras ≥ 3.13.2, which fixes holes in the loading of files: "
            f"pip install -U keras. Received: Keras {keras.__version__}"
        )
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "resnet_widgets needs Keras' TensorFlow backend: set the environment variable "
            "KERAS_BACKEND=tensorflow and restart Python. "
            f"Received: backend {keras.backend.backend()!r}"
        )


# -------------------------------------------------------------------------------- description
def _input(model: keras.Model) -> tuple[tuple[int, int], int, bool]:
    """`(height, width)`, channels, and whether the channels come first, of a model's one input."""
    try:
        inputs = model.inputs or []
    except AttributeError:
        inputs = []
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        shapes = [tuple(tensor.shape) for tensor in inputs] or "none (call the model once first)"
        raise ValueError(
            "`model` should be built and have one input of shape (batch, height, width, channels). "
            f"Received: {model.name!r} with inputs {shapes}"
        )
    _, *sides = inputs[0].shape
    channels_first = sides[0] in (1, 3) and sides[2] not in (1, 3)
    channels = sides.pop(0) if channels_first else sides.pop()
    height, width = (side or default for side, default in zip(sides, DEFAULT_SIZE, strict=True))
    return (height, width), channels or 3, channels_first


def _classes(model: keras.Model) -> int | None:
    shape = model.outputs[0].shape
    return shape[-1] if len(model.outputs) == 1 and len(shape) == 2 else None


# Layers that Keras names in a family of its applications, and the scaling that family wants.
_FAMILIES = (
    ("caffe", {"conv1_conv", "conv1_bn", "conv2_block1_out"}),  # ResNet
    ("tf", {"conv1_conv", "conv2_block1_preact_bn"}),  # ResNetV2
    ("torch", {"conv1_conv", "conv2_block1_concat"}),  # DenseNet
    ("tf", {"conv1", "conv_dw_1"}),  # MobileNet
    ("tf", {"Conv1", "expanded_conv_depthwise"}),  # MobileNetV2
    ("caffe", {"block1_conv1", "block1_conv2", "block1_pool"}),  # VGG
)


def _preprocessing(model: keras.Model, channels: int) -> tuple[str, str]:
    """Scaling that a model wants, and a note if that is a guess."""
    operations = list(_operations(model))
    for operation in operations:
        # Preprocessing inside the model: its layers, a Lambda, or plain operations on the input.
        if isinstance(operation, _OWN_PREPROCESSING) or not isinstance(operation, keras.Layer):
            return "none", ""
        if operation.weights:
            break
    names = {operation.name for operation in operations}
    for mode, family in _FAMILIES:
        # The means of the others are those of three colours.
        if family <= names and (channels != 1 or mode == "tf"):
            return mode, ""
    return "none", "preprocessing unknown: the model is fed 0…255 as they are"


_OWN_PREPROCESSING = (keras.layers.Rescaling, keras.layers.Normalization, keras.layers.Lambda)


def _operations(model: keras.Model) -> Iterator[Any]:
    """Everything that a model runs, in order, through nested models."""
    for operation in getattr(model, "operations", None) or model.layers:
        if isinstance(operation, keras.Model):
            yield from _operations(operation)
        else:
            yield operation


# ------------------------------------------------------------------------------ preprocessing
# Ours, because `preprocess_input` of Keras works in place; equal to it bit for bit.
def _plain(pixels: np.ndarray) -> np.ndarray:
    return np.array(pixels, dtype=np.float32)


def _caffe(pixels: np.ndarray) -> np.ndarray:
    """RGB to BGR, minus ImageNet's mean."""
    result = np.array(pixels[..., ::-1], dtype=np.float32, order="C")
    result -= np.array([103.939, 116.779, 123.68], dtype=np.float32)
    return result


def _tf(pixels: np.ndarray) -> np.ndarray:
    """0…255 to -1…1."""
    result = _plain(pixels)
    result /= 127.5
    result -= 1.0
    return result


def _torch(pixels: np.ndarray) -> np.ndarray:
    """0…255 to 0…1, minus ImageNet's mean, divided by its standard deviation."""
    result = _plain(pixels)
    result /= 255.0
    result -= np.array([0.485, 0.456, 0.406], dtype=np.float32)
    result /= np.array([0.229, 0.224, 0.225], dtype=np.float32)
    return result


_MODES = {"none": _plain, "caffe": _caffe, "tf": _tf, "torch": _torch}


def _adapted(
    preprocess: Callable[[np.ndarray], np.ndarray],
    pixels: np.ndarray,
    *,
    channels: int,
    channels_first: bool,
) -> np.ndarray:
    """`preprocess` for a model that takes grey pictures, or channels before rows."""
    if channels == 1:
        # The weights of ITU-R BT.601, as Pillow's mode "L".
        pixels = pixels @ np.array([[0.299], [0.587], [0.114]], dtype=np.float32)
    elif channels != 3:
        raise ValueError(
            f"`model` takes {channels} channels, and a picture has 3: prepare the tensor yourself "
            f"and pass preprocess=False. Received: shape {pixels.shape}"
        )
    result = preprocess(pixels)
    return np.ascontiguousarray(np.moveaxis(result, -1, 1)) if channels_first else result
