"""The mini: a small trained ResNet50 that comes with the package and needs no network.

Layer for layer it is the ResNet50 (v1) of Keras, `keras/src/applications/resnet.py`, after He et
al. 2015, https://arxiv.org/abs/1512.03385, with a quarter of the channels. What it was trained on
and how well it does is in `resnet_widgets/weights/README.md`; `tools/train_mini.py` trains it.
"""

from __future__ import annotations

import hashlib
import io
from importlib.resources import files
from typing import Any

import keras
import numpy as np
from keras import layers

MINI_LABELS = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
MINI_SIDE = 128
WEIGHTS = files("resnet_widgets") / "weights" / "mini.npz"
SHA256 = "58d16080f3741c9366e9568b5704457f77757f2d25de270c9f90ad74cf7d64b2"

# (first 1×1 and 3×3 channels, blocks, stride of the first block) of conv2 … conv5. ResNet50 has
# 64, 128, 256 and 512 channels here.
_STAGES = ((16, 3, 1), (32, 4, 2), (64, 6, 2), (128, 3, 2))
# The arrays are replaced on loading, so drawing random numbers would only take time. Both are set
# on every layer because a person may have chosen another policy or layout for models of their own.
_COMMON: dict[str, Any] = {"dtype": "float32"}
_CONV = {
    **_COMMON,
    "data_format": "channels_last",
    "kernel_initializer": "zeros",
}


def build_mini() -> keras.Model:
    """Returns the mini without trained weights: kernels are zero.

    Input: `float32` `(batch, 128, 128, 3)`, BGR, 0…255 minus (103.939, 116.779, 123.68), which is
    `keras.applications.resnet50.preprocess_input` of an RGB picture. Output: `float32`
    `(batch, 10)`, the probabilities of `MINI_LABELS`.
    """
    inputs = keras.Input((MINI_SIDE, MINI_SIDE, 3), dtype="float32", name="input_layer")
    x = layers.ZeroPadding2D(3, data_format="channels_last", name="conv1_pad", **_COMMON)(inputs)
    x = _conv_bn(x, "conv1", 16, 7, strides=2)
    x = layers.Activation("relu", name="conv1_relu", **_COMMON)(x)
    x = layers.ZeroPadding2D(1, data_format="channels_last", name="pool1_pad", **_COMMON)(x)
    x = layers.MaxPooling2D(
        3, strides=2, data_format="channels_last", name="pool1_pool", **_COMMON
    )(x)
    for stage, (filters, blocks, stride) in enumerate(_STAGES, start=2):
        for block in range(1, blocks + 1):
            x = _block(x, f"conv{stage}_block{block}", filters, stride, shortcut=block == 1)
            stride = 1
    x = layers.GlobalAveragePooling2D(data_format="channels_last", name="avg_pool", **_COMMON)(x)
    outputs = layers.Dense(
        len(MINI_LABELS),
        activation="softmax",
        kernel_initializer="zeros",
        name="predictions",
        **_COMMON,
    )(x)
    return keras.Model(inputs, outputs, name="resnet50_mini")


def load_mini() -> keras.Model:
    """Returns the mini with its trained weights; reads one file of the package, no network.

    Raises:
        ValueError: If the weights file is not the one this version was released with.
    """
    arrays = _read(WEIGHTS.read_bytes())
    model = build_mini()
    # `set_weights` wants the order of `model.weights`; it checks every shape.
    model.set_weights([arrays[weight.path] for weight in model.weights])
    return model


def _read(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a weights file, by the path of their Keras variable."""
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        raise ValueError(
            f"The weights of the mini, {WEIGHTS}, should have SHA-256 {SHA256}: the file is "
            f"damaged or belongs to another version; install resnet_widgets again. "
            f"Received: {digest} ({len(data)} bytes)"
        )
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _block(x: Any, name: str, filters: int, stride: int, *, shortcut: bool) -> Any:
    """Bottleneck block, version 1: the stride is in the first 1×1 convolution."""
    start = _conv_bn(x, f"{name}_0", 4 * filters, 1, strides=stride) if shortcut else x
    x = _conv_bn(x, f"{name}_1", filters, 1, strides=stride)
    x = layers.Activation("relu", name=f"{name}_1_relu", **_COMMON)(x)
    x = _conv_bn(x, f"{name}_2", filters, 3, padding="same")
    x = layers.Activation("relu", name=f"{name}_2_relu", **_COMMON)(x)
    x = _conv_bn(x, f"{name}_3", 4 * filters, 1)
    x = layers.Add(name=f"{name}_add", **_COMMON)([start, x])
    return layers.Activation("relu", name=f"{name}_out", **_COMMON)(x)


def _conv_bn(x: Any, name: str, filters: int, kernel: int, **options: Any) -> Any:
    x = layers.Conv2D(filters, kernel, name=f"{name}_conv", **options, **_CONV)(x)
    return layers.BatchNormalization(axis=3, epsilon=1.001e-5, name=f"{name}_bn", **_COMMON)(x)
