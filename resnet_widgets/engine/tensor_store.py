"""Tensors in bounded memory, and how much memory there is."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import tensorflow as tf

MIB = 2**20


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
                        found[path] = shelf.tensors[photo, path]
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
            size = _nbytes(tensor)
            if size > room:
                return
            while shelf.nbytes + size > room:
                self.evictions += shelf.drop_oldest()
            shelf.add((photo, path), tensor)
            while self.nbytes > self.max_bytes:
                self.evictions += self._passing.drop_oldest()

    def clear(self) -> None:
        with self._lock:
            self.generation += 1
            for shelf in (self._lasting, self._passing):
                while shelf.tensors:
                    shelf.drop_oldest()


class _Shelf:
    """Tensors in the order of their last use, the oldest first."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.nbytes = 0
        self.tensors: OrderedDict[tuple[str, str], tf.Tensor] = OrderedDict()

    def add(self, key: tuple[str, str], tensor: tf.Tensor) -> None:
        self.tensors[key] = tensor
        self.nbytes += _nbytes(tensor)

    def drop_oldest(self) -> int:
        """Returns how many went: one."""
        _, tensor = self.tensors.popitem(last=False)
        self.nbytes -= _nbytes(tensor)
        return 1


def _nbytes(tensor: tf.Tensor) -> int:
    return int(tensor.shape.num_elements()) * tensor.dtype.size


def default_max_bytes() -> int:
    return min(256 * MIB, int(0.15 * _memory_limit()))


def _memory_limit() -> int:
    """Bytes this process may use: what the hub, the container or the machine grants."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")] if _has_sysconf() else []
    limits.append(_number(os.environ.get("MEM_LIMIT", "")))
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(_number(Path(file).read_text()))
        except OSError:
            continue
    return min((n for n in limits if n), default=2048 * MIB)


def _has_sysconf() -> bool:
    return "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {})


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0
