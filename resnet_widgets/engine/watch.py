"""Notices that the weights of a model have changed, and lets no answer be of the old ones."""

from __future__ import annotations

import ctypes
import operator
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .model_input import ModelInput
from .runner import Runner
from .tensor_store import TensorStore

# A function of our own: to set the types of `ctypes.pythonapi`'s would set them for every library.
_address_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


class WeightsWatch:
    """Tells whether the weights of a model have changed since it was last asked.

    It holds on to the values that the variables had. TensorFlow never writes into a value that
    somebody holds: an assignment or a step of training puts the new value elsewhere. So weights in
    the same place are the same weights, and a look at all 320 variables of ResNet50 takes one to
    three milliseconds. Holding costs no memory as long as nothing changes; from a change to the
    next question the old weights are kept beside the new ones.

    Args:
        model: A built model. Variables that it gets later are not watched.
    """

    def __init__(self, model: keras.Model) -> None:
        variables = [v.value for v in model.weights]
        variables = [v for v in variables if v.dtype.is_floating or v.dtype.is_integer]
        self._read = _reader(variables)
        # Numpy's views of what is in memory are made in half the time that an address takes.
        on_host = _on_host(variables)
        self._place: Callable[[Any], Any] = np.asarray if on_host else _address
        self._same: Callable[[Any, Any], bool] = np.may_share_memory if on_host else operator.eq
        self._held = self._read()
        self._places = list(map(self._place, self._held))

    def changed(self) -> bool:
        """Whether any weight has been written to since the last call, or since the beginning."""
        values = self._read()
        places = list(map(self._place, values))
        same = list(map(self._same, self._places, places))
        if all(same):
            return False
        # A variable of which single elements were once assigned is copied by each reading.
        moved = [i for i, is_same in enumerate(same) if not is_same]
        new = any(_bytes(values[i]) != _bytes(self._held[i]) for i in moved)
        self._held, self._places = values, places
        return new


class WatchedRunner:
    """Asks a `Runner` for tensors, and looks whether they are of the weights as they are now.

    Args:
        runner: What computes.
        store: Where it keeps what it has computed, which is forgotten once weights have changed.
        watch: What looks, or `None` if nothing should.
    """

    def __init__(self, runner: Runner, store: TensorStore, watch: WeightsWatch | None) -> None:
        self._runner = runner
        self._store = store
        self._watch = watch
        self._looking = threading.Lock()
        # Whether the weights had changed at the last look.
        self._is_changing = False
        self._beside = ThreadPoolExecutor(1, "resnet_widgets weights")

    def look(self) -> int:
        """Forgets all if the weights have changed; returns the store's generation from then on."""
        if self._watch is None:
            return self._store.generation
        # Under a lock: whoever asks meanwhile must not get what is about to be forgotten.
        with self._looking:
            self._is_changing = self._watch.changed()
            if self._is_changing:
                self._store.clear()
            return self._store.generation

    def tensors(self, photo: ModelInput, paths: Iterable[str]) -> dict[str, tf.Tensor]:
        """As `Runner.tensors`, of one state of the weights: the present one."""
        paths = dict.fromkeys(paths)
        # A look takes as long as a small piece of the network, so it is taken beside what has to
        # be computed: for nothing, if the weights turn out to have changed, so not twice in a row.
        is_stored = len(self._store.get(photo.key, paths)) == len(paths)
        if self._watch is None or self._is_changing or is_stored:
            self.look()
            return self._runner.tensors(photo, paths)
        before = self._store.generation
        try:
            looking = self._beside.submit(self.look)
        except RuntimeError:  # closed, or Python is about to end and starts no thread any more
            self.look()
            return self._runner.tensors(photo, paths)
        tensors = self._runner.tensors(photo, paths)
        if looking.result() == before:
            return tensors
        del tensors
        return self._runner.tensors(photo, paths)

    def close(self) -> None:
        """Gives tensors, functions and the thread back; nothing can be computed any more."""
        self._beside.shutdown(wait=False)
        self._runner.close()


def _reader(variables: Sequence[Any]) -> Callable[[], list[Any]]:
    """A function that returns the values of all variables, without copying them."""

    # One operation for all of them, run in this thread: on a busy machine five times as fast as a
    # traced function, which hands each variable to a thread of TensorFlow's.
    def read() -> list[Any]:
        return execute.execute(b"_ReadVariablesOp", len(handles), handles, attributes, runtime)

    try:
        from tensorflow.python.eager import context, execute

        handles = [v.handle for v in variables]
        types = [v.dtype.as_datatype_enum for v in variables]
        attributes = ("N", len(handles), "dtypes", types)
        runtime = context.context()
        read()
    except Exception:  # not public, so another version may not have it
        return tf.function(
            lambda: [v.read_value() for v in variables], autograph=False
        ).get_concrete_function()
    return read


def _on_host(variables: Sequence[Any]) -> bool:
    return all("CPU:" in v.device for v in variables)


def _bytes(tensor: tf.Tensor) -> bytes:
    return np.asarray(tensor).tobytes()


def _address(tensor: tf.Tensor) -> int:
    """Where the numbers of a tensor are: the first field of what DLPack hands over."""
    capsule = tf.experimental.dlpack.to_dlpack(tensor)
    return ctypes.c_void_p.from_address(_address_of(capsule, b"dltensor")).value or 0
