"""Ports for servers that are started by number, which nobody else takes meanwhile."""

from __future__ import annotations

import os
import random
import socket
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

# Where systems begin to take ports for connections of their own, if this is unknown.
_USUAL: Final = 32768
_FIRST: Final = 10240
_FEWEST: Final = 1000

# Each test is given the same seed, in all processes: it would lead to the same ports.
_chance = random.SystemRandom()
_mine: set[int] = set()


def free_port() -> int:
    """Find a port of the loopback interface that nobody listens on, by TCP or UDP.

    It stays with this process until that ends: no other call, here or in a process that
    runs other tests, gets it again; and no connection does that is made meanwhile.
    """
    while True:
        port = _chance.choice(_range())
        if port not in _mine and _is_free(port) and _is_reserved(port):
            _mine.add(port)
            return port


def _range() -> range:
    """Return the ports below those that the system gives to connections."""
    ceiling = _USUAL
    with suppress(OSError, ValueError):
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii")
        ceiling = int(text.split()[0])

    usable = range(_FIRST, ceiling)
    return usable if len(usable) >= _FEWEST else range(_FIRST, _USUAL)


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False

    return True


def _is_reserved(port: int) -> bool:
    """Lock the byte of that number in a file that all processes have."""
    import fcntl

    try:
        fcntl.lockf(_ledger(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False

    return True


@cache
def _ledger() -> int:
    """Return a file that stays open: to close it would give all locks back."""
    path = Path(tempfile.gettempdir(), f"asgi-auth-tests-{os.getuid()}.ports")
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
