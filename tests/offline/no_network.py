"""Cuts a Python process off from the network: sockets reach this machine only."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable
from typing import Any


def cut_off(put: Callable[[Any, str, Any], None] = setattr) -> None:
    """From now on whatever asks for another machine fails, as it would with no network.

    Args:
        put: Replaces an attribute of an object, as `setattr` does.
    """

    def guard(name: str) -> Callable:
        real = getattr(socket.socket, name)

        def connect(self: socket.socket, address: Any) -> Any:
            if self.family != getattr(socket, "AF_UNIX", None):
                _refuse(address[0])
            return real(self, address)

        return connect

    real_getaddrinfo = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse(host.decode() if isinstance(host, bytes) else host)
        return real_getaddrinfo(host, *args, **kwargs)

    for name in ("connect", "connect_ex"):
        put(socket.socket, name, guard(name))
    put(socket, "getaddrinfo", getaddrinfo)


def _refuse(host: object) -> None:
    if not _is_loopback(host):
        raise OSError(errno.ENETUNREACH, f"Tests have no network. Received: {host!r}")


def _is_loopback(host: object) -> bool:
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False
