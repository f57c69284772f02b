"""Keeps a Python process on this machine: no connection, datagram or name look-up leaves it."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

ATTEMPTS: list[str] = []
"""What was tried, refused or not noticed by the code that tried it; conftest.py fails the test for it."""

_EVENTS = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"}


def _is_here(host: object) -> bool:
    """Whether a host is this machine; names other than localhost are not looked up, so they are not."""
    if host is None or host in ("", "localhost", b"localhost", "<broadcast>"):
        return host != "<broadcast>"
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        found = ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified


def _host(event: str, args: tuple[Any, ...]) -> object:
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        return args[0]
    address = args[1]
    return address[0] if isinstance(address, tuple) else None  # a path or None: a socket of this machine


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    if event in _EVENTS and not _is_here(host := _host(event, args)):
        ATTEMPTS.append(f"{event} {host!r}")
        raise OSError(f"tests may not use the network: {event} {host!r}")


def block() -> None:
    """Refuse every way out of this process, for good (an audit hook cannot be removed)."""
    sys.addaudithook(_refuse)
