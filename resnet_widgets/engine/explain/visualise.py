"""Feature visualisation: a picture that pleases a channel, or a class, most.

Olah, Mordvintsev and Schubert 2017, https://distill.pub/2017/feature-visualization: the picture is
held as a spectrum whose frequencies weigh alike, and moved, turned and scaled a little before every
step, so that no fine pattern wins that only one position has. Colours are held as brightness and
two oppositions, after Ohta, Kanade and Sakai 1980, which are nearly independent in photos.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from ..download import Progress
from ..program import can_trace
from ..relu import is_relu
from .pace import Pace

if TYPE_CHECKING:
    from ..activations import ActivationCache

# Rows: brightness, red against blue, green against both; how much each varies in photos.
_COLOURS = np.array([[1, 1, 1], [1, 0, -1], [-0.5, 1, -0.5]], np.float32)
_COLOURS /= np.linalg.norm(_COLOURS, axis=1, keepdims=True)
_COLOURS *= np.array([[1.0], [0.35], [0.2]], np.float32)

# How much a number below a ReLU counts beside one above it.
_REVIVAL = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class Dream:
    """A picture that was made to please, and how.

    Attributes:
        picture: uint8 `(height, width, 3)`, RGB.
        scores: What was maximised, after each step.
        settings: Everything it takes to make it again.
    """

    picture: np.ndarray
    scores: tuple[float, ...]
    settings: dict[str, Any]


def visualise(
    cache: ActivationCache,
    layer: str,
    channel: int,
    *,
    steps: int = 128,
    rate: float = 0.05,
    robust: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
    on_picture: Callable[[np.ndarray, int], None] | None = None,
) -> Dream:
    """Makes a picture, from noise, that a channel of a layer answers to most.

    Args:
        cache: The `ActivationCache`.
        layer: Path of the layer. For a class take the model's output: its logit is maximised.
        channel: Index of the channel, or of the class.
        steps: Of the optimiser (Adam).
        rate: Its learning rate.
        robust: Whether the picture is moved, turned and scaled a little before each step.
        seed: Of the first picture and of these moves.
        progress: Called with the share that is done and a text. What it raises ends the work.
        on_picture: Called as `on_picture(picture, step)` now and then, while the picture grows.

    Returns:
        A `Dream`.

    Raises:
        ValueError: If there is no such layer or channel.
    """
    info = cache.graph.find(layer)
    count = info.shape[-1] or 0
    if not 0 <= channel < count:
        raise ValueError(
            f"{info.path} has {count} channels, 0 to {count - 1}. Received: channel={channel!r}"
        )
    if steps < 1:
        raise ValueError(f"`steps` must be 1 or more. Received: steps={steps!r}")
    height, width = cache.input_size
    painter = _Painter(height, width, seed)
    objective = _objective(cache, info.path, channel)
    to_input = _as_affine(cache)
    optimizer = keras.optimizers.Adam(rate)
    rng = np.random.default_rng(seed)

    # Adam stays outside: traced, it would leave a copy of the network in TensorFlow's registry of
    # gradients, which forgets nothing.
    def step(transform: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            picture = painter.paint()
            if robust:
                picture = _moved(picture, transform)
            score, revival = objective(to_input(picture))
            loss = -score - revival
        return score, tape.gradient(loss, painter.spectrum)

    if can_trace(cache.graph, [layer.path for layer in cache.graph][1:]):
        step = tf.function(step, input_signature=[tf.TensorSpec((8,))], autograph=False)
    scores: list[float] = []
    pace = Pace("Making a picture", steps, progress)
    for number in range(steps):
        score, gradient = step(tf.constant(_random_move(rng, height, width)))
        optimizer.apply_gradients([(gradient, painter.spectrum)])
        scores.append(float(score))
        last = number == steps - 1
        if on_picture is not None and (last or number % max(1, steps // 32) == 0):
            on_picture(painter.pixels(), number + 1)
        pace.step()
    settings = {
        "layer": info.path,
        "channel": channel,
        "steps": steps,
        "rate": rate,
        "robust": robust,
        "seed": seed,
    }
    return Dream(painter.pixels(), tuple(scores), settings)


class _Painter:
    """A picture held as the spectrum of its three colours."""

    def __init__(self, height: int, width: int, seed: int) -> None:
        self.size = (height, width)
        rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
        frequency = np.maximum(np.hypot(rows, columns), 1 / max(height, width))
        rng = np.random.default_rng(seed)
        # Two numbers, real and imaginary, for each frequency of each colour.
        start = 0.01 * rng.standard_normal((2, 3, *frequency.shape), np.float32)
        self.spectrum = tf.Variable(start)
        self._scale = tf.constant(np.sqrt(height * width) / frequency, tf.float32)

    def paint(self) -> tf.Tensor:
        """The picture, RGB from 0 to 1, `(1, height, width, 3)`."""
        parts = self.spectrum * self._scale
        planes = tf.signal.irfft2d(tf.complex(parts[0], parts[1]), self.size)
        colours = tf.einsum("chw,ck->hwk", planes / 4, tf.constant(_COLOURS))
        return tf.sigmoid(colours)[None]

    def pixels(self) -> np.ndarray:
        return np.rint(255 * np.asarray(self.paint()[0])).astype(np.uint8)


def _objective(
    cache: ActivationCache, path: str, channel: int
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """What to maximise: the mean of a channel, or a logit; and what brings a dead channel to life.

    Where a ReLU gives zero everywhere it has no gradient, so what it takes, as far as that is
    below zero, counts a little, too.
    """
    graph = cache.graph
    head = cache.head if path == graph.output else None
    end = head.source if head else path
    before, source = graph.before(end), graph.layers[0].path
    into = graph.find(path).inputs[0] if before and is_relu(graph, path) else ""

    def score(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values = graph.run(before, source, x, [end, into] if into else [end])
        value = head.logits(values[end]) if head else values[end]
        below = tf.minimum(values[into][..., channel], 0) if into else tf.zeros(1)
        return _mean(value[..., channel]), _REVIVAL * _mean(below)

    return score


def _mean(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(values, tf.float32))


def _as_affine(cache: ActivationCache) -> Callable[[tf.Tensor], tf.Tensor]:
    """The model's preprocessing as a function that has a gradient: it is affine in the colours."""
    corners = 255 * np.concatenate([np.zeros((1, 3)), np.eye(3)]).astype(np.float32)
    made = np.asarray(cache.preprocess(corners[:, None, None, :].repeat(2, 1).repeat(2, 2)))
    made = made[:, 0, 0]
    matrix, offset = made[1:] - made[0], made[0]
    probe = np.array([[[[12.0, 200.0, 77.0]]]], np.float32)
    expected = np.asarray(cache.preprocess(probe.copy()))[0, 0, 0]
    if not np.allclose(probe[0, 0, 0] / 255 @ matrix + offset, expected, atol=1e-2):
        raise ValueError(
            "`preprocess` of this cache is not affine in the colours of a pixel, so no picture can "
            f"be optimised through it. Received: {cache.preprocess!r}"
        )
    return lambda picture: tf.einsum("bhwc,ck->bhwk", picture, tf.constant(matrix)) + offset


def _random_move(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A small turn, change of size and shift, as the eight numbers of a projective transform."""
    angle = np.deg2rad(rng.uniform(-8, 8))
    size = rng.uniform(0.9, 1.1)
    cosine, sine = np.cos(angle) / size, np.sin(angle) / size
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    shift_x, shift_y = rng.uniform(-1, 1, 2) * (width / 16, height / 16)
    x0 = middle_x - cosine * middle_x + sine * middle_y + shift_x
    y0 = middle_y - sine * middle_x - cosine * middle_y + shift_y
    return np.array([cosine, -sine, x0, sine, cosine, y0, 0, 0], np.float32)


def _moved(picture: tf.Tensor, transform: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=picture,
        transforms=transform[None],
        output_shape=tf.shape(picture)[1:3],
        interpolation="BILINEAR",
        fill_mode="REFLECT",
        fill_value=0.0,
    )
