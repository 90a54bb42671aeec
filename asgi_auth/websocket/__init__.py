"""WebSocket applications: connections, endpoints, rooms, and rooms across processes.

Who is calling and how long a socket lives is decided below, for every WebSocket; what
is here is for those who want more than the bare protocol. What needs an extra is
imported when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._lazy import lazily
from asgi_auth.websocket.connection import WebSocketConnection
from asgi_auth.websocket.endpoint import WebSocketEndpoint
from asgi_auth.websocket.errors import (
    BadMessageError,
    ForbiddenRoomError,
)
from asgi_auth.websocket.fanout import Fanout
from asgi_auth.websocket.registry import Member
from asgi_auth.websocket.rooms import Rooms
from asgi_auth.websocket.strangers import FirstMessages

if TYPE_CHECKING:
    from asgi_auth.websocket.redis_fanout import RedisFanout
else:
    __getattr__ = lazily(__name__, {"redis_fanout": "RedisFanout"})

__all__ = [
    "BadMessageError",
    "Fanout",
    "FirstMessages",
    "ForbiddenRoomError",
    "Member",
    "RedisFanout",
    "Rooms",
    "WebSocketConnection",
    "WebSocketEndpoint",
]
