"""What residual means: shortcut + branch = sum → ReLU; and conv → batch norm → ReLU of one site.

He et al. 2015, https://arxiv.org/abs/1512.03385; batch norm: Ioffe and Szegedy 2015,
https://arxiv.org/abs/1502.03167.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..download import Progress
from ..relu import is_relu
from .pace import Pace
from .target import map_of

if TYPE_CHECKING:
    from ..activations import ActivationCache
    from ..graph import LayerGraph, LayerInfo


@dataclasses.dataclass(frozen=True)
class Residual:
    """One residual block. Energies are sums of squares over all cells.

    Attributes:
        block: Name of the block.
        shortcut, branch, add, out: Paths of the layers whose outputs they are; `out` is `""` where
            no ReLU follows the sum.
        shortcut_energy, branch_energy, sum_energy: float64 `(channels,)`.
        cut_energy: Of the negative cells of the sum, which ReLU cuts away.
        cut_share: Share of the cells of the sum below 0, `(channels,)`.
    """

    block: str
    shortcut: str
    branch: str
    add: str
    out: str
    shortcut_energy: np.ndarray
    branch_energy: np.ndarray
    sum_energy: np.ndarray
    cut_energy: np.ndarray
    cut_share: np.ndarray

    @property
    def branch_share(self) -> float:
        """The branch's part of the energy of both, 0 to 1, for the whole block; NaN stays NaN."""
        branch = float(self.branch_energy.sum())
        both = branch + float(self.shortcut_energy.sum())
        return branch / both if both != 0 else 0.0

    @property
    def channel_shares(self) -> np.ndarray:
        """The branch's part of the energy of both in each channel; 0 where there is none."""
        both = self.branch_energy + self.shortcut_energy
        return np.divide(self.branch_energy, both, out=np.zeros_like(both), where=both != 0)

    @property
    def agreement(self) -> float:
        """Cosine between shortcut and branch, -1 to 1: below 0 the branch takes away."""
        product = float(np.sum(self.sum_energy - self.shortcut_energy - self.branch_energy)) / 2
        size = float(self.shortcut_energy.sum() * self.branch_energy.sum()) ** 0.5
        return product / size if size != 0 else 0.0


@dataclasses.dataclass(frozen=True)
class Site:
    """One convolution with what follows it.

    Attributes:
        conv, bn, relu: Paths of the layers; `""` where there is none.
        scale, shift, mean, variance: Of the batch norm, float32 `(channels,)`; or `None`.
        gain, offset: What the batch norm comes to: output = gain · input + offset.
        cut: Share of the cells of each channel that are below 0 before the ReLU; or `None`.
    """

    conv: str
    bn: str
    relu: str
    scale: np.ndarray | None
    shift: np.ndarray | None
    mean: np.ndarray | None
    variance: np.ndarray | None
    gain: np.ndarray | None
    offset: np.ndarray | None
    cut: np.ndarray | None


def blocks_of(graph: LayerGraph) -> dict[str, tuple[str, str, str, str]]:
    """The residual blocks of a model, read from its graph.

    Returns:
        Block → paths of shortcut, branch, sum and the ReLU after it (`""` if there is none). Where
        several nested models have a block of one name, theirs comes before it: `"b/conv2_block1"`.
    """
    found = {}
    depths = _depths(graph)
    for layer in _sums(graph):
        first, second = layer.inputs
        # The branch is the longer way; both come from the end of the block before.
        if depths[first] > depths[second]:
            first, second = second, first
        after = [other for other in graph if layer.path in other.inputs]
        relu = after[0].path if len(after) == 1 and is_relu(graph, after[0].path) else ""
        found[block_around(graph, layer.path)] = (first, second, layer.path, relu)
    return found


def block_around(graph: LayerGraph, path: str) -> str:
    """Name of the block that a layer is in, as in `blocks_of`; `""` if there is none."""
    block = next((layer.block for layer in graph if layer.path == path), "")
    homes = {_home(layer.path) for layer in _sums(graph) if layer.block == block}
    return _home(path) + block if len(homes) > 1 else block


def _sums(graph: LayerGraph) -> list[LayerInfo]:
    return [one for one in graph if one.kind == "Add" and len(one.inputs) == 2 and one.block]


def _home(path: str) -> str:
    """The nested models around a layer, each with a `/` behind it."""
    return path[: path.rfind("/") + 1]


def residual(cache: ActivationCache, image: Any, block: str) -> Residual:
    """What shortcut and branch of one block bring.

    Args:
        cache: The `ActivationCache`.
        image: One photo, or an `EditedRun`.
        block: Name of the block, such as `"conv3_block2"`, or path of a layer inside it.

    Returns:
        A `Residual`.

    Raises:
        ValueError: If there is no such block, or `image` is a batch.
    """
    blocks = blocks_of(cache.graph)
    name = block if block in blocks else block_around(cache.graph, block)
    if name not in blocks:
        names = list(blocks)
        hint = f"{names[0]!r} to {names[-1]!r}" if names else "of this model: it has none"
        raise ValueError(
            f"`block` must be a residual block, {hint}, or a layer inside one. "
            f"Received: block={block!r}"
        )
    return _brought(cache, image, name, blocks[name])


def _brought(
    cache: ActivationCache, image: Any, name: str, paths: tuple[str, str, str, str]
) -> Residual:
    shortcut, branch, add, relu = paths
    tensors = cache.activations(image, [shortcut, branch, add])
    s, b, total = (tensors[path].astype(np.float64) for path in (shortcut, branch, add))
    if total.ndim > len(cache.graph.find(add).shape):
        raise ValueError(
            "`image` must be one photo: blocks are taken apart for one image at a time. "
            f"Received: a batch of {len(total)} images"
        )
    axes = tuple(range(total.ndim - 1))
    negative = np.minimum(total, 0)
    return Residual(
        name,
        shortcut,
        branch,
        add,
        relu,
        (s * s).sum(axis=axes),
        (b * b).sum(axis=axes),
        (total * total).sum(axis=axes),
        (negative * negative).sum(axis=axes),
        (total < 0).mean(axis=axes),
    )


def residual_shares(
    cache: ActivationCache, image: Any, *, progress: Progress | None = None
) -> list[Residual]:
    """All residual blocks of a model, in order.

    Args:
        cache: The `ActivationCache`.
        image: One photo, or an `EditedRun`.
        progress: Called with the share that is done and a text. What it raises ends the work.

    Returns:
        A `Residual` for each block; none where the model has none.

    Raises:
        ValueError: If `image` is a batch, or not a picture.
    """
    blocks, image = blocks_of(cache.graph), cache.open(image)
    pace = Pace("Taking blocks apart", len(blocks), progress)
    found = []
    for name, paths in blocks.items():
        found.append(_brought(cache, image, name, paths))
        pace.step()
    return found


def site(cache: ActivationCache, image: Any, layer: str) -> Site:
    """A convolution, its batch norm and its ReLU, from the path of any of them.

    Args:
        cache: The `ActivationCache`.
        image: One photo, or an `EditedRun`.
        layer: Path of one of the three layers.

    Returns:
        A `Site`.

    Raises:
        ValueError: If there is no convolution at this place, or `image` is a batch.
    """
    conv, bn, relu = site_paths(cache.graph, layer)
    scale = shift = mean = variance = gain = offset = None
    if bn:
        norm = cache.graph.operation(bn)
        mean, variance = (
            keras.ops.convert_to_numpy(norm.moving_mean),
            keras.ops.convert_to_numpy(norm.moving_variance),
        )
        scale = keras.ops.convert_to_numpy(norm.gamma) if norm.scale else np.ones_like(mean)
        shift = keras.ops.convert_to_numpy(norm.beta) if norm.center else np.zeros_like(mean)
        gain = scale / np.sqrt(variance + norm.epsilon)
        offset = shift - mean * gain
    cut = None
    if relu:
        before = map_of(cache, image, cache.graph.find(relu).inputs[0])
        cut = (before < 0).mean(axis=(0, 1)).astype(np.float32)
    return Site(conv, bn, relu, scale, shift, mean, variance, gain, offset, cut)


def site_paths(graph: LayerGraph, layer: str) -> tuple[str, str, str]:
    """Paths of convolution, batch norm and ReLU around `layer`, `""` where there is none."""
    path = graph.find(layer).path
    while path and not isinstance(_operation(graph, path), keras.layers.Conv2D):
        inputs = graph.find(path).inputs
        follows = is_relu(graph, path) or _is_norm(graph, path)
        path = inputs[0] if follows and len(inputs) == 1 else ""
    if not path:
        raise ValueError(
            "`layer` must be a convolution, or the batch norm or ReLU right after one. "
            f"Received: layer={layer!r}"
        )
    bn = _only_follower(graph, path, _is_norm)
    return path, bn, _only_follower(graph, bn or path, is_relu)


def _operation(graph: LayerGraph, path: str) -> Any:
    return None if path == graph.layers[0].path else graph.operation(path)


def _is_norm(graph: LayerGraph, path: str) -> bool:
    return isinstance(_operation(graph, path), keras.layers.BatchNormalization)


def _only_follower(graph: LayerGraph, path: str, fits: Any) -> str:
    after = [layer.path for layer in graph if path in layer.inputs]
    return after[0] if len(after) == 1 and fits(graph, after[0]) else ""


def _depths(graph: LayerGraph) -> dict[str, int]:
    """Path → length of the longest way to it from the input."""
    depths: dict[str, int] = {}
    for layer in graph:
        depths[layer.path] = 1 + max((depths[path] for path in layer.inputs), default=0)
    return depths
