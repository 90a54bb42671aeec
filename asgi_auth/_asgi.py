"""ASGI's shapes, as loose as the specification leaves them.

Nothing here runs. The specification is that of ASGI 3.0.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ["ASGIApp", "Headers", "Message", "Receive", "Scope", "Send"]

Scope = MutableMapping[str, Any]
"""What a connection is: its type, path, headers and the like."""

Message = MutableMapping[str, Any]
"""What passes between server and application."""

Receive = Callable[[], Awaitable[Message]]
"""Returns the next message of the client."""

Send = Callable[[Message], Awaitable[None]]
"""Passes a message on to the client."""

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[Any]]  # None, says ASGI.
"""An application, or a middleware around one."""

Headers = list[tuple[bytes, bytes]]
