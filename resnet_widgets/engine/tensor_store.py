"""Tensors in bounded memory."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

import tensorflow as tf

from .memory import MIB, give_back_soon

# Dropped bytes, and seconds since the last time, after which memory is given back. It has to be
# taken again, page by page: done for each photo of many, it would cost a fifth of their time.
_WORTH_GIVING_BACK = 64 * MIB
PAUSE = 10.0


class TensorStore:
    """Tensors by photo and layer, never more than `max_bytes`; thread-safe.

    Lasting tensors, the outputs of pieces, outlive the others: from them any other tensor of the
    photo can be made again by running a single piece. They take at most three quarters of the
    room, so that there is always some for the block that is being looked at.

    Attributes:
        generation: How often everything was forgotten. What was begun before that is not taken any
            more: it may be of old weights.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.evictions = 0
        self.generation = 0
        self._lasting = _Shelf(max_bytes * 3 // 4)
        self._passing = _Shelf(max_bytes)
        self._lock = threading.Lock()
        # Bytes that had been dropped when memory was last given back, or was promised to be; and
        # the time of that.
        self._given_back = (0, -math.inf)

    @property
    def nbytes(self) -> int:
        return self._lasting.nbytes + self._passing.nbytes

    def get(self, photo: str, paths: Iterable[str]) -> dict[str, tf.Tensor]:
        found = {}
        with self._lock:
            for path in paths:
                for shelf in (self._lasting, self._passing):
                    if (photo, path) in shelf.tensors:
                        shelf.tensors.move_to_end((photo, path))
                        found[path] = shelf.tensors[photo, path].tensor
        return found

    def paths(self, photo: str) -> frozenset[str]:
        with self._lock:
            keys = [*self._lasting.tensors, *self._passing.tensors]
        return frozenset(path for key, path in keys if key == photo)

    def put(
        self, photo: str, path: str, tensor: tf.Tensor, *, lasting: bool, generation: int
    ) -> None:
        with self._lock:
            if generation != self.generation:
                return
            if any((photo, path) in s.tensors for s in (self._lasting, self._passing)):
                return
            shelf = self._lasting if lasting else self._passing
            room = shelf.max_bytes - (0 if lasting else self._lasting.nbytes)
            size = int(tensor.shape.num_elements()) * tensor.dtype.size
            if size > room:
                return
            while shelf.nbytes + size > room:
                self.evictions += shelf.drop_oldest()
            shelf.add((photo, path), tensor, size)
            while self.nbytes > self.max_bytes:
                self.evictions += self._passing.drop_oldest()

    def give_back(self) -> None:
        """Gives the system the memory of what was dropped, once it is worth the time.

        After a pause, if the last time was not long ago: so never much is held for good.
        """
        with self._lock:
            dropped = self._lasting.dropped + self._passing.dropped
            before, when = self._given_back
            now = time.monotonic()
            if dropped - before < _WORTH_GIVING_BACK or now < when:
                return
            then = max(now, when + PAUSE)
            self._given_back = dropped, then
        give_back_soon(then - now)

    def clear(self) -> None:
        with self._lock:
            self.generation += 1
            for shelf in (self._lasting, self._passing):
                while shelf.tensors:
                    shelf.drop_oldest()


class _Kept(NamedTuple):
    tensor: tf.Tensor
    nbytes: int


class _Shelf:
    """Tensors in the order of their last use, the oldest first.

    Attributes:
        nbytes: Bytes held now.
        dropped: Bytes dropped so far.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.nbytes = self.dropped = 0
        self.tensors: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    def add(self, key: tuple[str, str], tensor: tf.Tensor, nbytes: int) -> None:
        self.tensors[key] = _Kept(tensor, nbytes)
        self.nbytes += nbytes

    def drop_oldest(self) -> int:
        """Returns how many went: one."""
        _, kept = self.tensors.popitem(last=False)
        self.nbytes -= kept.nbytes
        self.dropped += kept.nbytes
        return 1
