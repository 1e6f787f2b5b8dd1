"""How much memory there is, and giving some back."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

MIB = 2**20


def give_back() -> None:
    """Gives the system what was freed and is still held by the C library.

    glibc keeps freed memory for later: a fifth of a gigabyte after a few photos. Elsewhere nothing
    is done.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library, another system
        return
    trim(0)


def give_back_soon(seconds: float = 0) -> None:
    """As `give_back`, in a thread of its own: it takes a millisecond for each ten MiB.

    Args:
        seconds: How long to wait before.
    """
    timer = threading.Timer(seconds, give_back)
    timer.name, timer.daemon = "resnet_widgets memory", True
    # While Python ends no thread is started any more, and all memory is about to be given back.
    with contextlib.suppress(RuntimeError):
        timer.start()


@contextlib.contextmanager
def collecting_later() -> Iterator[None]:
    """Keeps Python from looking for cycles of objects that nobody needs any more.

    While TensorFlow is imported and a model is built, a million objects come that all stay. To walk
    over them again and again would take a tenth of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if not gc.get_freeze_count():
                # Puts all that is there among what is old, which is looked at rarely.
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def default_max_bytes(lasting: int) -> int:
    """Most bytes a cache holds unless told otherwise.

    Enough to look around in a photo: 160 MiB, or twice the bytes `lasting` from which all of it can
    be made again, if that is more; but at most 15 % of the memory this process may use.
    """
    return min(max(160 * MIB, 2 * lasting), int(0.15 * _memory_limit()))


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
