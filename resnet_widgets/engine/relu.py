"""Which layers are a ReLU, and which end in one."""

from __future__ import annotations

import keras

from .graph import LayerGraph


def is_relu(graph: LayerGraph, path: str) -> bool:
    """Whether the layer at `path` is a ReLU and nothing else: what is below 0 becomes 0."""
    if graph.find(path).kind == "InputLayer":
        return False
    operation = graph.operation(path)
    if isinstance(operation, keras.layers.ReLU):
        # With a slope or another threshold it cuts something else.
        return not operation.negative_slope and not operation.threshold
    is_bare = isinstance(operation, keras.layers.Activation) and _activation(operation) == "relu"
    return is_bare or type(operation).__name__ == "Relu"  # the last is `keras.ops.relu`


def ends_in_relu(graph: LayerGraph, path: str) -> bool:
    """Whether the output of the layer at `path` is that of a ReLU, its own or a layer's."""
    if is_relu(graph, path):
        return True
    return graph.find(path).kind != "InputLayer" and _activation(graph.operation(path)) == "relu"


def _activation(operation: object) -> str:
    return getattr(getattr(operation, "activation", None), "__name__", "")
