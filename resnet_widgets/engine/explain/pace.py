"""How far a slow method is, and how long it will still take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ..download import Progress

if TYPE_CHECKING:
    from ..activations import ActivationCache


class Pace:
    """Counts steps and says so. What `progress` raises ends the method: that is how to cancel it.

    Args:
        what: Name of what is done, for people.
        total: Number of steps.
        progress: Called with the share that is done and a text; or `None`.
    """

    def __init__(self, what: str, total: int, progress: Progress | None) -> None:
        self.what = what
        self.total = total
        self.done = 0
        self._progress = progress
        # The first batch is traced: it tells nothing about those after it.
        self._first = 0
        self._start: float | None = None
        self._say(f"{what} …")

    def step(self, steps: int = 1) -> None:
        """Some more steps are done."""
        self.done += steps
        now = time.monotonic()
        if self._start is None:
            self._start, self._first = now, self.done
        left = self.seconds_left(now)
        after = f", about {max(1, round(left))} s left" if left is not None and left > 0.5 else ""
        self._say(f"{self.what}: {self.done} of {self.total}{after}")

    def seconds_left(self, now: float) -> float | None:
        """From the steps since the first; `None` while nothing is known."""
        if self._start is None or self.done <= self._first:
            return None
        return (now - self._start) / (self.done - self._first) * max(0, self.total - self.done)

    def _say(self, text: str) -> None:
        if self._progress is not None:
            self._progress(min(1.0, self.done / max(1, self.total)), text)


# Runs of the whole network that a method takes; one with a gradient counts three times.
_RUNS = {"saliency": 3, "smoothgrad": 96, "integrated gradients": 105, "occlusion": 225}


def seconds_for(cache: ActivationCache, image: Any, method: str, *, steps: int = 64) -> float:
    """About how long a slow method will take, from one run of the network.

    Args:
        cache: The `ActivationCache`.
        image: One photo, or an `EditedRun`.
        method: `"saliency"`, `"smoothgrad"`, `"integrated gradients"`, `"occlusion"`,
            `"score-cam"` (with `steps` channels) or `"visualise"` (with `steps` steps).
        steps: As above.

    Returns:
        Seconds. The very first time tracing comes on top of it.

    Raises:
        ValueError: If there is no such method, or the model has no classifier, which all but
            `"visualise"` need.
    """
    runs = {**_RUNS, "score-cam": steps, "visualise": 4 * steps}
    if method not in runs:
        raise ValueError(f"`method` must be one of {sorted(runs)}. Received: method={method!r}")
    source, image = cache.layers[0].path, cache.open(image)
    end = cache.graph.output if method == "visualise" else cache.classifier.source
    unchanged = np.ones((1, 1, 1, 1), np.float32)
    times = []
    for _ in range(2):  # the first may be traced
        start = time.perf_counter()
        cache.versions(image, source, unchanged, end)
        times.append(time.perf_counter() - start)
    return min(times) * runs[method]
