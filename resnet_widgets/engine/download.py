"""ImageNet's weights of ResNet50: found in Keras' cache, or downloaded into it, carefully.

Keras' own `get_file` waits for ever on a network that swallows packets, deletes a file it does not
like and writes to the final path. Here every wait ends, files that others placed are left alone,
and a file appears under its name only when it is whole.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import os
import socket
import ssl
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

Progress = Callable[[float | None, str], None]

BASE_URL = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
FILE_NAME = "resnet50_weights_tf_dim_ordering_tf_kernels.h5"
MD5 = "2cb95161c43110f7111970584f804107"
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
PROBE_SECONDS = 3.0
TIMEOUT = 10.0  # seconds, for the connection and for each read
_NO_WAY = {errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EHOSTDOWN}
MIN_SPEED = 10_000  # bytes per second, over `TIMEOUT`: below it nobody waits for 103 MB
LEFT_ALONE = 3600.0  # seconds after which an unfinished file is nobody's


class WeightsError(RuntimeError):
    """The ImageNet weights could not be had. The message says why and what to do.

    Attributes:
        why: The reason alone, for a banner.
    """

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            f"ResNet50's ImageNet weights could not be had: {why}. Put a copy of "
            f"{BASE_URL}{FILE_NAME} at {_folders()[0] / FILE_NAME}, or use load_model('mini'), "
            "which needs no network. Received: 'imagenet'"
        )


def find_weights() -> Path | None:
    """The weights file on this machine, whole, or `None`."""
    return next((path for path in _candidates() if _is_whole(path)), None)


def imagenet_weights(progress: Progress | None = None) -> Path:
    """Find the weights file or download it.

    Args:
        progress: Called with the share that is done (0…1, or `None` if unknown) and a text. What
            it raises ends the download. The default prints to `sys.stderr`.

    Returns:
        Path of a file with the right MD5.

    Raises:
        WeightsError: If it is not here and cannot be downloaded.
    """
    found = find_weights()
    if found:
        return found
    progress = progress or _print_progress()
    kept = ""
    problem: OSError | None = None
    for path in _candidates():
        if path.exists():
            # Somebody's file, perhaps other weights or half a download: not ours to replace.
            kept = f" ({path} is not the published file; it was left alone)"
            progress(None, f"Not the published weights, left alone: {path}")
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(path.parent)
            part = path.parent / f".{FILE_NAME}.{uuid.uuid4().hex}.part"
            file = open(part, "xb")  # noqa: SIM115  (closed below, once it is known to open)
        except OSError as error:
            problem = error
            continue
        try:
            with file:
                _download(file, progress)
            if not path.exists():
                os.replace(part, path)
            if not _is_whole(path):
                raise WeightsError(f"{path} appeared meanwhile and is not the published file")
            return path
        except WeightsError as error:
            raise WeightsError(error.why + kept) from error.__cause__
        except OSError as error:
            raise WeightsError(f"{path.parent} could not be written: {error}{kept}") from error
        finally:
            with contextlib.suppress(OSError):
                os.unlink(part)
    raise WeightsError(f"there is no folder to write them to ({problem}){kept}") from problem


def probe(seconds: float | None = None) -> str:
    """Ask the server for the first bytes of the weights.

    Args:
        seconds: Time for the whole answer. Defaults to `PROBE_SECONDS`.

    Returns:
        `""` if they are there, else why not.
    """
    seconds = PROBE_SECONDS if seconds is None else seconds
    answer = [_silence(seconds)]

    def ask() -> None:
        try:
            with _open(seconds, {"Range": f"bytes=0-{len(HDF5_MAGIC) - 1}"}) as response:
                _check_magic(response.read(len(HDF5_MAGIC)))
            answer[0] = ""
        except WeightsError as error:
            answer[0] = error.why
        except (OSError, http.client.HTTPException) as error:
            answer[0] = _explain(error, seconds)

    # In a thread because looking up a name knows no timeout.
    thread = threading.Thread(target=ask, name="resnet_widgets probe", daemon=True)
    thread.start()
    thread.join(seconds)
    return answer[0]


def _folders() -> tuple[Path, ...]:
    """Where the file may be: Keras' folder, ours in it, and one for a home without writing."""
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    models = Path(home) / "models"
    return models, models / "resnet_widgets", Path(tempfile.gettempdir()) / "resnet_widgets"


def _candidates() -> tuple[Path, ...]:
    return tuple(folder / FILE_NAME for folder in _folders())


def _sweep(folder: Path) -> None:
    """Removes what killed downloads have left; one that lives is never silent for this long."""
    for part in folder.glob(f".{FILE_NAME}.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > LEFT_ALONE:
                part.unlink()


def _is_whole(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, _md5).hexdigest() == MD5
    except OSError:
        return False


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)


def _open(timeout: float, headers: dict[str, str]) -> http.client.HTTPResponse:
    request = urllib.request.Request(BASE_URL + FILE_NAME, headers=headers)
    return urllib.request.urlopen(request, timeout=timeout)


def _download(file: BinaryIO, progress: Progress) -> None:
    """Write the published file to `file`, or raise `WeightsError` (`OSError` if writing fails)."""
    digest = _md5()
    received = 0
    try:
        response = _open(TIMEOUT, {})
    except (OSError, http.client.HTTPException) as error:
        raise WeightsError(_explain(error, TIMEOUT)) from error
    with response:
        total = int(response.headers.get("Content-Length") or 0)
        since, mark, told = time.monotonic(), 0, 0.0
        while True:
            try:
                # `read1` returns what has come, so a trickle cannot hide in one long read.
                chunk = response.read1(1 << 18)
            except (OSError, http.client.HTTPException) as error:
                raise WeightsError(_explain(error, TIMEOUT)) from error
            if not chunk:
                break
            if not received:
                _check_magic(chunk)
            file.write(chunk)
            digest.update(chunk)
            received += len(chunk)
            now = time.monotonic()
            if now - told > 0.1:
                told = now
                progress(received / total if total else None, _progress_text(received, total))
            if now - since > TIMEOUT:
                if received - mark < MIN_SPEED * (now - since):
                    raise WeightsError(f"the network is too slow ({received / 1e6:.1f} MB came)")
                since, mark = now, received
    if received < total:
        raise WeightsError(f"the download was cut short: {_progress_text(received, total)}")
    if digest.hexdigest() != MD5:
        raise WeightsError(
            f"what came is not the published file (MD5 {digest.hexdigest()} instead of {MD5})"
        )
    progress(1.0, _progress_text(received, total))


def _check_magic(start: bytes) -> None:
    if start and start[: len(HDF5_MAGIC)] == HDF5_MAGIC[: len(start)]:
        return
    if start.lstrip()[:1] == b"<":
        raise WeightsError("a web page came instead, as from a proxy or a login page")
    raise WeightsError("what came is not an HDF5 file")


def _progress_text(received: int, total: int) -> str:
    of = f" of {total / 1e6:.0f}" if total else ""
    return f"Downloading ImageNet weights: {received / 1e6:.0f}{of} MB"


def _explain(error: BaseException, seconds: float) -> str:
    """A network error in words."""
    host = urllib.parse.urlparse(BASE_URL).netloc
    if isinstance(error, urllib.error.HTTPError):
        return f"{host} answered HTTP {error.code} {error.reason}"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return _silence(seconds)
    if isinstance(reason, socket.gaierror):
        return f"offline ({host} is not found)"
    if isinstance(reason, OSError) and reason.errno in _NO_WAY:
        return f"offline ({host} cannot be reached)"
    if isinstance(reason, ConnectionRefusedError):
        return f"{host} refuses connections"
    if isinstance(reason, ssl.SSLError):
        return f"the connection to {host} is not trusted, as behind an inspecting proxy ({reason})"
    # "Connection reset by peer" without the number of the error in front.
    words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return f"the connection to {host} failed ({words})"


def _silence(seconds: float) -> str:
    return f"{urllib.parse.urlparse(BASE_URL).netloc} did not answer within {seconds:g} s"


def _print_progress() -> Progress:
    """A progress function that prints a line at every tenth."""
    last = -1

    def show(share: float | None, text: str) -> None:
        nonlocal last
        tenth = -1 if share is None else int(share * 10)
        if share is None or tenth > last:
            last = max(last, tenth)
            print(text, file=sys.stderr, flush=True)

    return show
