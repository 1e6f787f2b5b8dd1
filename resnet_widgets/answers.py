"""The answers to what an `ExplainPanel` asks: one function for each question."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .engine.worker import Task
from .widgets._base import clamp_cursor
from .widgets.explain_panel import Answer, Say

if TYPE_CHECKING:
    from .engine.activations import ActivationCache
    from .engine.classes import ClassScore
    from .engine.download import Progress
    from .engine.explain.reading import LabelledPhotos
    from .engine.explain.residual import Residual

# Makes a JPEG of the part of a photo that the model sees.
Picture = Callable[[], bytes]

# Lines in the chart of early reading.
MOST_READ = 6
# Classes in the table, however many edits bring in: what is below it stays where it is.
_CLASSES = 7
# Channels that are listed, and steps of the slider that adds them up.
_LISTED = 24
_PARTIAL_SUMS = 24
# Most channels of Score-CAM, one run of the network each, when it is asked for in the page.
_SCORED = 64
_MOST_STEPS = 1024


class Asked:
    """One question: what it is about, and what the page has chosen."""

    def __init__(
        self,
        cache: ActivationCache,
        image: Any,
        picture: Picture,
        blocks: Callable[[Progress], list[Residual]],
        labelled: LabelledPhotos | None,
        options: dict[str, Any],
        task: Task,
        say: Say,
    ) -> None:
        self.cache = cache
        self.image = image
        self.picture = picture
        self.blocks = blocks
        self.labelled = labelled
        self._options = options
        self._task = task
        self._say = say

    def progress(self, share: float | None, text: str) -> None:
        self.grow(share, text, [])

    def grow(self, share: float | None, text: str, buffers: list[bytes]) -> None:
        """As `progress`, with a picture that is not finished."""
        self._task.check()
        self._say(share, text, buffers)

    @property
    def layer(self) -> str:
        return self.cache.graph.find(self.text("layer")).path

    @property
    def target(self) -> int | None:
        """Index of a class, or `None` for the most probable one."""
        index = self.number("target", -1)
        count = self.cache.graph.find(self.cache.graph.output).shape[-1] or 0
        return index if 0 <= index < count else None

    def label(self, target: int) -> str:
        return self.cache.class_label(target)

    def text(self, name: str, default: str = "") -> str:
        value = self._options.get(name)
        return value if isinstance(value, str) else default

    def number(self, name: str, default: int = 0) -> int:
        value = self._options.get(name)
        return value if type(value) is int else default

    def channel_of(self, layer: str) -> int:
        count = self.cache.graph.find(layer).shape[-1] or 1
        return max(0, min(self.number("channel"), count - 1))

    def cell_of(self, layer: str) -> tuple[int, int] | None:
        """The cell in the middle of the cursor, or `None`."""
        cursor = clamp_cursor(self._options.get("cursor"))
        shape = self.cache.graph.find(layer).shape
        if not cursor or len(shape) != 3:
            return None
        height, width = shape[0] or 1, shape[1] or 1
        row, column = (cursor[1] + cursor[3]) / 2 * height, (cursor[0] + cursor[2]) / 2 * width
        return max(0, min(int(row), height - 1)), max(0, min(int(column), width - 1))


def _scores(asked: Asked) -> Answer:
    from .explain import EditedRun

    cache, image = asked.cache, asked.image
    edited = isinstance(image, EditedRun)
    after = cache.scores(image, None)
    before = cache.scores(image.image, None) if edited else after
    best = [max(scores, key=_rank_of).index for scores in (before, after)]
    # The first of what is and of what was, in turn.
    ranked = [sorted(scores, key=_rank_of, reverse=True) for scores in (after, before)]
    pinned = [asked.target] if asked.target is not None else []
    in_turn = [score.index for pair in zip(*ranked, strict=True) for score in pair]
    indices = list(dict.fromkeys([*pinned, *in_turn]))[:_CLASSES]
    rows = [
        {
            "index": i,
            "label": after[i].label,
            "before": [before[i].probability, before[i].logit],
            "after": [after[i].probability, after[i].logit],
        }
        for i in sorted(indices, key=lambda i: _rank_of(after[i]), reverse=True)
    ]
    names = [edit.name for edit in image.edits] if edited else []
    return {"rows": rows, "best": best, "names": names}, []


def _rank_of(score: ClassScore) -> float:
    """What scores are ordered by: what is no number comes last."""
    return -math.inf if math.isnan(score.logit) else score.logit


def _rank(asked: Asked) -> Answer:
    from .explain import rank_channels

    found = rank_channels(
        asked.cache, asked.image, asked.layer, asked.target, progress=asked.progress
    )
    rows = found.ranked()[:_LISTED]
    data = {
        "layer": found.layer,
        "target": found.target,
        "label": asked.label(found.target),
        "rows": [list(row) for row in rows],
    }
    return data, []


def _cam(asked: Asked) -> Answer:
    from .explain import grad_cam, score_cam

    method = asked.text("method", "grad-cam")
    if method == "score-cam":
        cam = score_cam(
            asked.cache,
            asked.image,
            asked.layer,
            asked.target,
            most=_SCORED,
            progress=asked.progress,
        )
    else:
        cam = grad_cam(asked.cache, asked.image, asked.layer, asked.target, method=method)
    count = len(cam.contributions)
    counts = np.unique(np.rint(np.geomspace(1, count, min(count, _PARTIAL_SUMS))).astype(int))
    sums = np.stack([cam.partial(int(n)) for n in counts]).astype("<f4")
    data = {
        "method": cam.method,
        "layer": cam.layer,
        "target": cam.target,
        "label": asked.label(cam.target),
        "shape": list(cam.map.shape),
        "counts": counts.tolist(),
        "channels": count,
        "rows": {
            by: [list(row) for row in cam.ranked(by)[:_LISTED]] for by in ("contribution", "weight")
        },
    }
    return data, [sums.tobytes()]


def _pixels(asked: Asked) -> Answer:
    from . import explain

    method = asked.text("method", "saliency")
    cache, image, target = asked.cache, asked.image, asked.target
    if method == "saliency":
        found = explain.saliency(cache, image, target)
    elif method == "smoothgrad":
        found = explain.smooth_grad(cache, image, target, progress=asked.progress)
    elif method == "integrated gradients":
        found = explain.integrated_gradients(cache, image, target, progress=asked.progress)
    elif method == "occlusion":
        found = explain.occlusion(cache, image, target, progress=asked.progress)
    else:
        raise ValueError(f"There is no such method. Received: method={method!r}")
    data = {
        "method": found.method,
        "target": found.target,
        "label": asked.label(found.target),
        "shape": list(found.map.shape),
        "gap": found.gap,
        "steps": found.steps,
    }
    return data, [found.map.astype("<f4").tobytes()]


def _residual(asked: Asked) -> Answer:
    from .engine.explain.residual import block_around

    cache, image = asked.cache, asked.image
    all_blocks = asked.blocks(asked.progress)
    if not all_blocks:
        raise ValueError("This model has no residual blocks.")
    layer = asked.layer
    around = block_around(cache.graph, layer)
    one = next((found for found in all_blocks if found.block == around), all_blocks[-1])
    channel = max(0, min(asked.number("channel"), len(one.sum_energy) - 1))
    parts = cache.activations(image, [one.shortcut, one.branch, one.add]).values()
    energies = (one.shortcut_energy, one.branch_energy, one.sum_energy, one.cut_energy)
    data = {
        "block": one.block,
        "layers": [one.shortcut, one.branch, one.add, one.out or one.add],
        "channel": channel,
        "limit": max(_largest(part[..., channel]) for part in parts),
        "of_channel": [float(energy[channel]) for energy in energies],
        "of_block": [float(energy.sum()) for energy in energies],
        "agreement": one.agreement,
        "blocks": [
            {
                "block": found.block,
                "share": found.branch_share,
                "agreement": found.agreement,
                "cut": float(found.cut_share.mean()),
                "out": found.out or found.add,
            }
            for found in all_blocks
        ],
    }
    return data, []


def _largest(values: np.ndarray) -> float:
    """The largest size of those that are numbers; 0 if none is."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0))


def _channel(asked: Asked) -> Answer:
    from .explain import inputs_of, kernels_of, site

    cache, image = asked.cache, asked.image
    layer = asked.layer
    try:
        place = site(cache, image, layer)
    except ValueError:
        block = cache.graph.find(layer).block
        convs = [one.path for one in cache.graph if one.block == block and one.kind == "Conv2D"]
        if not block or not convs:
            raise
        return {"choices": convs}, []
    channel = asked.channel_of(place.conv)
    made = inputs_of(cache, image, place.conv, channel, cell=asked.cell_of(place.conv))
    kernels = kernels_of(cache, place.conv, channel)
    rows = made.ranked()[:_LISTED]
    facts = {
        name: None if values is None else float(values[channel])
        for name, values in (
            ("scale", place.scale),
            ("shift", place.shift),
            ("mean", place.mean),
            ("variance", place.variance),
            ("gain", place.gain),
            ("offset", place.offset),
            ("cut", place.cut),
        )
    }
    best = [k for k, _ in rows]
    # A kernel of one cell is a number: there the map it weighs says more.
    flat = kernels.shape[:2] == (1, 1)
    shown = (cache.activation(image, made.source) if flat else kernels)[..., best]
    data = {
        "conv": place.conv,
        "bn": place.bn,
        "relu": place.relu,
        "channel": channel,
        "facts": facts,
        "source": made.source,
        "cell": made.cell,
        "bias": made.bias,
        "value": made.value,
        "inputs": len(made.shares),
        "rest": float(made.shares.sum() - sum(share for _, share in rows)),
        "rows": [list(row) for row in rows],
        "shown": "map" if flat else "kernel",
        "shape": list(shown.shape),
    }
    return data, [np.moveaxis(shown, 2, 0).astype("<f4").tobytes()]


def _dream(asked: Asked) -> Answer:
    from .explain import visualise

    layer = asked.layer
    steps = max(1, min(asked.number("steps", 128), _MOST_STEPS))
    height, width = asked.cache.input_size

    def grown(picture: np.ndarray, step: int) -> None:
        asked.grow(step / steps, f"Step {step} of {steps}", [picture.tobytes()])

    dream = visualise(
        asked.cache,
        layer,
        asked.channel_of(layer),
        steps=steps,
        seed=max(0, asked.number("seed")),
        progress=asked.progress,
        on_picture=grown,
    )
    data = {"size": [height, width], "settings": dream.settings, "scores": list(dream.scores)}
    return data, [dream.picture.tobytes()]


def _reading(asked: Asked) -> Answer:
    from .explain import early_reading, forms_at

    if asked.labelled is None:
        return {"blocks": []}, []
    readings = early_reading(asked.cache, asked.image, asked.labelled, progress=asked.progress)
    forms = forms_at(readings)
    # Those that are nearest somewhere, the later the block the more it matters; then the last's.
    nearest = [reading.labels[0] for reading in reversed(readings)]
    labels = list(dict.fromkeys([*nearest, *readings[-1].labels]))[:MOST_READ]
    blocks = []
    for reading in readings:
        near = dict(zip(reading.labels, reading.similarities, strict=True))
        blocks.append(
            {
                "layer": reading.layer,
                "block": asked.cache.graph.find(reading.layer).block or reading.layer,
                "nearest": reading.labels[0],
                "similarities": [near[label] for label in labels],
            }
        )
    count = len(asked.labelled.pairs)
    return {"blocks": blocks, "labels": labels, "forms": forms, "photos": count}, []


def _estimate(asked: Asked) -> Answer:
    from .explain import seconds_for

    method = asked.text("method")
    steps = max(1, min(asked.number("steps", 128), _MOST_STEPS))
    return {
        "method": method,
        "seconds": seconds_for(asked.cache, asked.image, method, steps=steps),
    }, []


def _classes(asked: Asked) -> Answer:
    return {"labels": [asked.label(i) for i in range(len(asked.cache.logits(asked.image)))]}, []


def _photo(asked: Asked) -> Answer:
    return {}, [asked.picture()]


ANSWERS: dict[str, Callable[[Asked], Answer]] = {
    "scores": _scores,
    "rank": _rank,
    "cam": _cam,
    "pixels": _pixels,
    "residual": _residual,
    "channel": _channel,
    "dream": _dream,
    "reading": _reading,
    "estimate": _estimate,
    "classes": _classes,
    "photo": _photo,
}
