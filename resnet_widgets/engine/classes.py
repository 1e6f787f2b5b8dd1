"""The classes of a model: their names, what its last numbers say of them, what they depend on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .graph import LayerGraph
from .head import Head, reading_of


class Prediction(NamedTuple):
    """One class of the model's answer: its label, its index, its probability from 0 to 1."""

    label: str
    index: int  # type: ignore[assignment]  # tuple.index is of no use here
    probability: float


class ClassScore(NamedTuple):
    """What a model says about one class.

    Attributes:
        label: Its name.
        index: Its index.
        probability: From 0 to 1.
        logit: The number before softmax or sigmoid.
    """

    label: str
    index: int  # type: ignore[assignment]  # tuple.index is of no use here
    probability: float
    logit: float


class Classes:
    """What the numbers at the end of a network mean.

    Args:
        graph: The network.
        head: How to read its answer, or `None` if it is no classifier.
        labels: Names of the classes, or `None`.
    """

    def __init__(
        self, graph: LayerGraph, head: Head | None, labels: tuple[str, ...] | None
    ) -> None:
        self._graph, self._head = graph, head
        output = graph.find(graph.output)
        # Labels that are not as many as the units of the output are those of something else.
        self.labels = labels if labels and output.shape == (len(labels),) else None
        self._to_probabilities = None
        if len(output.shape) == 1:
            self._to_probabilities = reading_of(graph.operation(output.path))

    @property
    def are_readable(self) -> bool:
        """Whether the output of the model tells probabilities."""
        return self._to_probabilities is not None

    def label(self, index: int) -> str:
        """Name of a class: `"class 7"` where it has none."""
        return self.labels[index] if self.labels else f"class {index}"

    @property
    def classifier(self) -> Head:
        """How to read the logits; raises a `ValueError` if there are none."""
        if self._head is None:
            raise ValueError(
                "This model does not end in a classifier (Dense, softmax, sigmoid; not quantised), "
                "so there is no class to explain. "
                f"Received: a model that ends in {self._graph.output!r}"
            )
        return self._head

    def predictions(self, output: np.ndarray, top: int) -> list[Prediction]:
        """The most probable classes, of the output of the model for one photo."""
        if output.ndim > 1:
            raise ValueError(
                "`predictions` takes one image at a time. "
                f"Received: a batch of {output.shape[0]} images"
            )
        assert self._to_probabilities is not None
        values = self._to_probabilities(output)
        best = _greatest(values, top)
        return [Prediction(self.label(i), int(i), float(values[i])) for i in best]

    def scores(self, logits: np.ndarray, top: int | None) -> list[ClassScore]:
        """The most probable classes, or with `None` all in their own order, of one photo."""
        if logits.ndim != 1:
            raise ValueError(
                f"`scores` takes one image at a time. Received: a batch of {len(logits)} images"
            )
        probabilities = self.classifier.probabilities(logits)
        chosen = range(len(logits)) if top is None else _greatest(logits, top)
        return [
            ClassScore(self.label(i), int(i), float(probabilities[i]), float(logits[i]))
            for i in chosen
        ]

    def way_from(self, layer: str) -> tuple[str, tuple[str, ...]]:
        """Path of `layer`, and of the layers through which the classes depend on it.

        Raises:
            ValueError: If there is no such layer, or no class depends on it.
        """
        path, source = self._graph.find(layer).path, self.classifier.source
        way = set(self._graph.before(source))
        paths = tuple(p for p in self._graph.after([path]) if p in way)
        if not paths and path != source:
            raise ValueError(
                f"No class depends on this layer: choose one before {self._graph.output!r}. "
                f"Received: layer={layer!r}"
            )
        return path, paths


def _greatest(values: np.ndarray, top: int) -> np.ndarray:
    """Indices of the greatest values first, the first of equal ones; what is no number is last."""
    if not isinstance(top, (int, np.integer)) or top < 0:
        raise ValueError(f"`top` must be a number of classes, 0 or more. Received: top={top!r}")
    return np.argsort(-np.where(np.isnan(values), -np.inf, values), kind="stable")[:top]
