"""Which layers to save, where a person does not name each of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .graph import LayerGraph
from .relu import ends_in_relu


def choose_layers(graph: LayerGraph, layers: Any = None) -> tuple[str, ...]:
    """Paths of layers, in the order of the network, each once.

    Args:
        graph: The layers of a model.
        layers: Paths of layers, or `"all-relu"` for every layer that ends in a ReLU. `None` for
            what each piece of the network hands on: the ends of the residual blocks, before them
            the ReLU of the stem, behind them the vectors of the head.

    Returns:
        Paths.

    Raises:
        ValueError: If a layer does not exist, or none is named.
    """
    if layers is None:
        wanted = _landmarks(graph)
    elif isinstance(layers, str) and layers == "all-relu":
        wanted = {row.path for row in graph if ends_in_relu(graph, row.path)}
    elif isinstance(layers, str) or not isinstance(layers, Iterable):
        raise ValueError(
            "`layers` must be a list of paths, 'all-relu', or None for the ends of the blocks. "
            f"Received: layers={layers!r}"
        )
    else:
        wanted = {graph.find(path).path for path in layers}
    if not wanted:
        raise ValueError(f"`layers` must name at least one layer. Received: layers={layers!r}")
    return tuple(row.path for row in graph if row.path in wanted)


def _landmarks(graph: LayerGraph) -> set[str]:
    stem, *rest = graph.pieces
    relus = [path for path in stem.paths if ends_in_relu(graph, path)]
    vectors = {row.path for row in graph if len(row.shape) == 1}
    return {relus[-1] if relus else stem.output, *(piece.output for piece in rest), *vectors}
