"""Ports for servers that are started by number, which nobody else takes meanwhile."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

# Where systems begin to take ports for connections of their own, if this is unknown.
_USUAL: Final = 32768
_FIRST: Final = 10240
_FEWEST: Final = 1000

# A seed, as Hypothesis sets one, would lead all processes to the same ports.
_chance = random.SystemRandom()


def free_port() -> int:
    """Find a TCP port of the loopback interface that nobody listens on.

    It stays with this process until that ends: no other call, here or in a process that
    runs other tests, gets it again; and no connection does that is made meanwhile.
    """
    while True:
        port = _chance.choice(_range())
        if _is_free(port) and _is_reserved(port):
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
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False

    return True


def _is_reserved(port: int) -> bool:
    """Take the UDP port of that number, which no server here needs, as a sign."""
    sign = socket.socket(type=socket.SOCK_DGRAM)
    try:
        sign.bind(("127.0.0.1", port))
    except OSError:
        sign.close()
        return False

    sign.detach()  # Left open, as long as this process is.
    return True
