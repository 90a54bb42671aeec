"""End a WebSocket or a stream with its token or session, whatever framework runs.

No caller is identified here. Timers and revocations need asyncio; on another event loop
each still ends at its expiry, while it is received from or sent to.
"""

from __future__ import annotations

from asgi_auth.lifetime.closable import ClosableSocket, SocketClosedError
from asgi_auth.lifetime.guard import SocketGuard
from asgi_auth.lifetime.lifetime import Lifetime, extend, lifetime_of
from asgi_auth.lifetime.stranger import identify, stranger_of
from asgi_auth.lifetime.stream import StreamClosedError
from asgi_auth.lifetime.streams import EVENTS, StreamGuard

__all__ = [
    "EVENTS",
    "ClosableSocket",
    "Lifetime",
    "SocketClosedError",
    "SocketGuard",
    "StreamClosedError",
    "StreamGuard",
    "extend",
    "identify",
    "lifetime_of",
    "stranger_of",
]
