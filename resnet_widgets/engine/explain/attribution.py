"""Attribution to pixels: which parts of the photo an answer depends on.

Saliency: Simonyan et al. 2013, https://arxiv.org/abs/1312.6034. SmoothGrad: Smilkov et al. 2017,
https://arxiv.org/abs/1706.03825. Integrated gradients: Sundararajan et al. 2017,
https://arxiv.org/abs/1703.01365. Occlusion: Zeiler and Fergus 2013,
https://arxiv.org/abs/1311.2901.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from ..download import Progress
from .pace import Pace
from .target import class_index, map_of

if TYPE_CHECKING:
    from ..activations import ActivationCache


@dataclasses.dataclass(frozen=True, eq=False)
class Attribution:
    """How much each pixel has to do with a class.

    Attributes:
        method: Name of the method.
        target: Index of the class.
        map: float32 `(height, width)`, one number a pixel of the model's input.
        values: float32 `(height, width, channels)`, before colours were taken together.
        gap: Integrated gradients only: what is missing between the sum of all values and the
            difference of the logits, as a share of that difference.
        steps: How often the network ran.
    """

    method: str
    target: int
    map: np.ndarray
    values: np.ndarray
    gap: float | None = None
    steps: int = 1


def saliency(cache: ActivationCache, image: Any, target: int | str | None = None) -> Attribution:
    """How much a class would change with each pixel: the gradient of its logit.

    Args:
        cache: The `ActivationCache`.
        image: One photo, or an `EditedRun`.
        target: Index or label of the class. Defaults to the most probable one.

    Returns:
        An `Attribution`; its map is the greatest absolute gradient among the colours of a pixel.

    Raises:
        ValueError: If the model has no classifier or no such class, the network gives no number for
            it, or `image` is a batch.
    """
    image = cache.open(image)
    index = class_index(cache, image, target)
    values = cache.gradient(image, cache.layers[0].path, index)[1][0]
    return Attribution("saliency", index, np.abs(values).max(axis=2), values)


def smooth_grad(
    cache: ActivationCache,
    image: Any,
    target: int | str | None = None,
    *,
    samples: int = 32,
    noise: float = 0.15,
    seed: int = 0,
    progress: Progress | None = None,
) -> Attribution:
    """The mean gradient of many noisy copies of a photo: less speckled than one gradient.

    Args:
        cache: The `ActivationCache`.
        image: One photo, or an `EditedRun`.
        target: Index or label of the class. Defaults to the most probable one.
        samples: Number of copies.
        noise: Standard deviation of the noise, as a share of the range of the input.
        seed: Of the noise.
        progress: Called with the share that is done and a text. What it raises ends the work.

    Returns:
        An `Attribution`; its map is the greatest absolute mean among the colours of a pixel.

    Raises:
        ValueError: If the model has no classifier or no such class, the network gives no number for
            it, `image` is a batch, or `samples` is not 1 or more.
    """
    _check_count("samples", samples)
    image = cache.open(image)
    index = class_index(cache, image, target)
    source = cache.layers[0].path
    x = map_of(cache, image, source)
    deviation = noise * float(x.max() - x.min())
    rng = np.random.default_rng(seed)
    total = np.zeros(x.shape, np.float64)
    pace = Pace("SmoothGrad", samples, progress)
    for count in _batches(samples, cache.batch_size(_GRADIENTS_AT_ONCE)):
        noisy = x + deviation * rng.standard_normal((count, *x.shape), np.float32)
        total += cache.gradient(image, source, index, noisy)[1].sum(axis=0)
        pace.step(count)
    values = (total / samples).astype(np.float32)
    return Attribution("smoothgrad", index, np.abs(values).max(axis=2), values, steps=samples)


def integrated_gradients(
    cache: ActivationCache,
    image: Any,
    target: int | str | None = None,
    *,
    baseline: Any = 0.0,
    steps: int = 32,
    tolerance: float = 0.01,
    most_steps: int = 1024,
    progress: Progress | None = None,
) -> Attribution:
    """What each pixel adds to the logit of a class, on the way from a baseline to the photo.

    The values sum up to the difference of the two logits, but for the error of the sum over
    steps, which is shown as `gap`. Steps are doubled until it is small enough.

    Args:
        cache: The `ActivationCache`.
        image: One photo, or an `EditedRun`.
        target: Index or label of the class. Defaults to the most probable one.
        baseline: What to begin at, in numbers that the model eats: one, or an array of its input's
            shape. Defaults to 0, which is the mean colour for ResNet50.
        steps: Of the first sum.
        tolerance: Largest gap at which to stop.
        most_steps: Where to stop in any case.
        progress: Called with the share that is done and a text. What it raises ends the work.

    Returns:
        An `Attribution`; its map is the sum over the colours of a pixel.

    Raises:
        ValueError: If the model has no classifier or no such class, the network gives no number for
            it, `image` is a batch, `baseline` has another shape, or `steps` is not 1 or more.
    """
    _check_count("steps", steps)
    image = cache.open(image)
    index = class_index(cache, image, target)
    source = cache.layers[0].path
    x = map_of(cache, image, source)
    start = np.broadcast_to(np.asarray(baseline, np.float32), x.shape)
    pace = Pace("Integrated gradients", steps + 1, progress)

    def gradients(positions: np.ndarray) -> tuple[np.ndarray, list[float]]:
        """Sum of the gradients at these positions between 0 and 1, and the logits there."""
        scores: list[float] = []
        total, done = np.zeros(x.shape, np.float64), 0
        for count in _batches(len(positions), cache.batch_size(_GRADIENTS_AT_ONCE)):
            at = positions[done : done + count].astype(np.float32)[:, None, None, None]
            logits, found = cache.gradient(image, source, index, start + at * (x - start))
            total += found.sum(axis=0, dtype=np.float64)
            scores.extend(logits[:, index])
            done += count
            pace.step(count)
        return total, scores

    # The trapezoidal rule: the ends count half, and doubling the steps keeps all there is.
    ends, scores = gradients(np.array([0.0, 1.0]))
    inner, _ = gradients(np.arange(1, steps) / steps)
    difference = float(scores[1]) - float(scores[0])
    while True:
        values = (ends / 2 + inner) / steps * (x - start)
        missing = abs(float(values.sum()) - difference)
        gap = missing / abs(difference) if difference else missing
        if gap <= tolerance or 2 * steps > most_steps:
            break
        pace.total += steps
        inner = inner + gradients((np.arange(steps) + 0.5) / steps)[0]
        steps *= 2
    values = values.astype(np.float32)
    return Attribution(
        "integrated gradients", index, values.sum(axis=2), values, gap=gap, steps=steps + 1
    )


def occlusion(
    cache: ActivationCache,
    image: Any,
    target: int | str | None = None,
    *,
    window: int | None = None,
    stride: int | None = None,
    progress: Progress | None = None,
) -> Attribution:
    """How much the logit of a class falls when a square of the input is covered with zeros.

    Args:
        cache: The `ActivationCache`.
        image: One photo, or an `EditedRun`.
        target: Index or label of the class. Defaults to the most probable one.
        window: Side of the square in pixels of the input. Defaults to an eighth of it.
        stride: Step between squares. Defaults to half a window.
        progress: Called with the share that is done and a text. What it raises ends the work.

    Returns:
        An `Attribution`; each pixel of its map has the mean of the squares that cover it.

    Raises:
        ValueError: If the model has no classifier or no such class, the network gives no number for
            it, `image` is a batch, `window` or `stride` is not 1 or more, or `stride` is greater
            than `window`.
    """
    image = cache.open(image)
    index = class_index(cache, image, target)
    source = cache.layers[0].path
    height, width, colours = map_of(cache, image, source).shape
    window = max(2, min(height, width) // 8) if window is None else window
    stride = max(1, window // 2) if stride is None else stride
    _check_count("window", window)
    _check_count("stride", stride)
    if stride > window:
        raise ValueError(
            "`stride` must be at most `window`, or no square covers the pixels between. "
            f"Received: stride={stride!r}, window={window!r}"
        )
    corners = [
        (y, x) for y in _starts(height, window, stride) for x in _starts(width, window, stride)
    ]
    before = float(cache.logits(image)[index])
    total, covered = np.zeros((height, width)), np.zeros((height, width))
    pace = Pace("Occlusion", len(corners), progress)
    done = 0
    for count in _batches(len(corners), cache.batch_size(len(corners))):
        some = corners[done : done + count]
        masks = np.ones((count, height, width, 1), np.float32)
        for mask, (y, x) in zip(masks, some, strict=True):
            mask[y : y + window, x : x + window] = 0
        falls = before - cache.logits_with_masks(image, source, masks)[:, index]
        for (y, x), fall in zip(some, falls, strict=True):
            total[y : y + window, x : x + window] += fall
            covered[y : y + window, x : x + window] += 1
        done += count
        pace.step(count)
    result = (total / covered).astype(np.float32)
    values = np.repeat(result[..., None], colours, axis=2)
    return Attribution("occlusion", index, result, values, steps=len(corners))


# Gradients need the tensors of the whole network at once: three times the room of a mere run.
_GRADIENTS_AT_ONCE = 8


def _batches(total: int, size: int) -> list[int]:
    return [min(size, total - start) for start in range(0, total, size)]


def _starts(length: int, window: int, stride: int) -> list[int]:
    """Where windows begin so that every pixel is covered; the last one ends at the edge."""
    last = max(0, length - window)
    return sorted({*range(0, last + 1, stride), last})


def _check_count(name: str, value: int) -> None:
    if not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"`{name}` must be a whole number, 1 or more. Received: {name}={value!r}")
