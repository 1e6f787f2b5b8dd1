"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO


@contextlib.contextmanager
def replacing(path: Any) -> Iterator[BinaryIO]:
    """A file to write to, that takes the place of `path` once all is written.

    Whatever goes wrong on the way, the file that was there before stays as it was.

    Args:
        path: A `str` or `pathlib.Path`; its folder must exist.

    Raises:
        TypeError: If `path` is no path.
        FileNotFoundError: If there is no such folder.
        IsADirectoryError: If `path` is a folder.
    """
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise TypeError(
            f"`path` must be the name of a file, such as 'cat.html'. Received: path={path!r}"
        )
    target = Path(path).expanduser()
    if target.is_dir():
        raise IsADirectoryError(
            f"`path` must be the name of a file, and this is a folder. Received: path={path!r}"
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {str(target.parent)!r}. Make it first, or save somewhere else. "
            f"Received: path={path!r}"
        )
    # Not from `tempfile`, whose files only their owner may read. A letter may be four bytes.
    part = target.with_name(f".{target.name[:50]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
