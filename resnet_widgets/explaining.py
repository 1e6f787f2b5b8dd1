"""What an `ExplainPanel` asks, answered with `resnet_widgets.explain`."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from .engine.worker import Task, Worker
from .widgets._base import clamp_cursor
from .widgets.explain_panel import Answer, Say

if TYPE_CHECKING:
    from .engine.activations import ActivationCache
    from .engine.download import Progress
    from .engine.edits import ClassScore
    from .engine.explain.reading import LabelledPhotos
    from .engine.explain.residual import Residual

Picture = Callable[[], bytes]

# Channels that are listed, and steps of the slider that adds them up.
_LISTED = 24
_PARTIAL_SUMS = 24
# Most channels of Score-CAM, one run of the network each, when it is asked for in the page.
_SCORED = 64
_MOST_STEPS = 1024
# Lines in the chart of early reading.
_MOST_READ = 6
# What takes long: the others must not wait for it. Of the CAMs only Score-CAM does.
_SLOW = frozenset({"rank", "pixels", "dream", "reading"})


class Explainer:
    """Computes what a panel asks, in two threads, one of them for what takes long.

    So maps go on being drawn, and the classes follow an edit also while a picture grows.

    Args:
        looked_at: Returns the cache, the photo (an `InputImage` or `EditedRun`) and a function that
            makes a JPEG of the part that the model sees; raises `ValueError` while there is none.

    Attributes:
        labelled: The `LabelledPhotos` that blocks are read with, or `None`.
    """

    labelled: LabelledPhotos | None = None

    def __init__(self, looked_at: Callable[[], tuple[ActivationCache, Any, Picture]]) -> None:
        self._looked_at = looked_at
        # All blocks of one photo, which another channel asks for again.
        self._blocks: tuple[Any, list[Residual]] = (None, [])
        self._quick, self._slow = Worker(), Worker()

    def read_with(self, photos: Any) -> str:
        """Keeps labelled photos, or none; returns what they are, in words.

        Raises:
            ValueError: If they are none that `LabelledPhotos` takes.
        """
        from .engine.explain.reading import LabelledPhotos

        self.labelled = None if photos is None else LabelledPhotos(photos)
        if self.labelled is None:
            return ""
        labels = self.labelled.labels
        named = ", ".join(labels[:_MOST_READ]) + (", …" if len(labels) > _MOST_READ else "")
        return f"{len(self.labelled.pairs)} photos of {len(labels)} labels: {named}"

    def ask(self, what: str, options: dict[str, Any], say: Say) -> Future[Answer]:
        """Answers one question, in the background; a newer one of its kind takes its place.

        Every answer says in `edits` what it is of: the page may have others by then.

        Raises:
            ValueError: If there is nothing to ask about, or no such question.
        """
        if what not in _ANSWERS:
            raise ValueError(f"`what` must be one of {sorted(_ANSWERS)}. Received: {what!r}")
        cache, image, picture = self._looked_at()
        labelled = self.labelled
        edits = [edit.to_dict() for edit in getattr(image, "edits", ())]

        def run(task: Task) -> Answer:
            blocks = functools.partial(self._blocks_of, cache, image)
            asked = _Asked(cache, image, picture, blocks, labelled, options, task, say)
            data, buffers = _ANSWERS[what](asked)
            return {**data, "edits": edits}, buffers

        slow = what in _SLOW or options.get("method") == "score-cam"
        worker, other = (self._slow, self._quick) if slow else (self._quick, self._slow)
        other.cancel(what)
        return worker.submit(run, kind=what)

    def cancel(self, what: str) -> None:
        """Stops one question."""
        for worker in (self._quick, self._slow):
            worker.cancel(what)

    def close(self) -> None:
        """Ends the background work, and lets labelled photos go."""
        for worker in (self._quick, self._slow):
            worker.close()
        self.labelled = None

    def _blocks_of(self, cache: ActivationCache, image: Any, progress: Progress) -> list[Residual]:
        from .explain import residual_shares

        key = cache.key(image), cache.generation
        if self._blocks[0] != key:
            self._blocks = key, residual_shares(cache, image, progress=progress)
        return self._blocks[1]


class _Asked:
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


def _scores(asked: _Asked) -> Answer:
    from .explain import EditedRun

    cache, image = asked.cache, asked.image
    edited = isinstance(image, EditedRun)
    after = cache.scores(image, None)
    before = cache.scores(image.image, None) if edited else after
    best = [max(scores, key=_rank_of).index for scores in (before, after)]
    listed = [s for scores in (before, after) for s in sorted(scores, key=_rank_of)[:-6:-1]]
    pinned = [asked.target] if asked.target is not None else []
    indices = dict.fromkeys([s.index for s in listed] + pinned)
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


def _rank(asked: _Asked) -> Answer:
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


def _cam(asked: _Asked) -> Answer:
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


def _pixels(asked: _Asked) -> Answer:
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


def _residual(asked: _Asked) -> Answer:
    cache, image = asked.cache, asked.image
    all_blocks = asked.blocks(asked.progress)
    if not all_blocks:
        raise ValueError("This model has no residual blocks.")
    layer = asked.layer
    around = cache.graph.find(layer).block
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


def _channel(asked: _Asked) -> Answer:
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


def _dream(asked: _Asked) -> Answer:
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


def _reading(asked: _Asked) -> Answer:
    from .explain import early_reading, forms_at

    if asked.labelled is None:
        return {"blocks": []}, []
    readings = early_reading(asked.cache, asked.image, asked.labelled, progress=asked.progress)
    forms = forms_at(readings)
    # Those that are nearest somewhere, the later the block the more it matters; then the last's.
    nearest = [reading.labels[0] for reading in reversed(readings)]
    labels = list(dict.fromkeys([*nearest, *readings[-1].labels]))[:_MOST_READ]
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


def _estimate(asked: _Asked) -> Answer:
    from .explain import seconds_for

    method = asked.text("method")
    steps = max(1, min(asked.number("steps", 128), _MOST_STEPS))
    return {
        "method": method,
        "seconds": seconds_for(asked.cache, asked.image, method, steps=steps),
    }, []


def _classes(asked: _Asked) -> Answer:
    return {"labels": [asked.label(i) for i in range(len(asked.cache.logits(asked.image)))]}, []


def _photo(asked: _Asked) -> Answer:
    return {}, [asked.picture()]


_ANSWERS: dict[str, Callable[[_Asked], Answer]] = {
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


def cropped(jpeg: bytes, size: list[int], box: list[int]) -> bytes:
    """The part `box` of a photo of `size` (height, width); `jpeg` may be a smaller copy of it."""
    shown = Image.open(io.BytesIO(jpeg))
    scale = shown.width / size[1], shown.height / size[0]
    edges = [round(edge * scale[i % 2]) for i, edge in enumerate(box)]
    file = io.BytesIO()
    shown.crop((edges[0], edges[1], edges[2], edges[3])).save(file, "JPEG", quality=90)
    return file.getvalue()
