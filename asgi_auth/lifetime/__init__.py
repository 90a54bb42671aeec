"""End a WebSocket with its token or its session, whatever framework runs in it.

Nobody is identified here. Timers and revocations need asyncio; on another event loop
a socket still ends at its expiry, while it is received from or sent to.
"""

from __future__ import annotations

from asgi_auth.lifetime.closable import ClosableSocket, SocketClosedError
from asgi_auth.lifetime.guard import SocketGuard
from asgi_auth.lifetime.lifetime import Lifetime, extend, lifetime_of

__all__ = [
    "ClosableSocket",
    "Lifetime",
    "SocketClosedError",
    "SocketGuard",
    "extend",
    "lifetime_of",
]
