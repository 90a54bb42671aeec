"""End a WebSocket or a stream with its token or session, whatever framework runs.

No caller is identified here. Timers and revocations need asyncio; on another event loop
each still ends at its expiry, while it is received from or sent to.
"""

from __future__ import annotations

from asgi_auth.lifetime.closable import SocketClosedError
from asgi_auth.lifetime.connection_policy import ConnectionPolicy
from asgi_auth.lifetime.lifetime import extend
from asgi_auth.lifetime.stranger import identify
from asgi_auth.lifetime.stream import StreamClosedError

__all__ = [
    "ConnectionPolicy",
    "SocketClosedError",
    "StreamClosedError",
    "extend",
    "identify",
]
