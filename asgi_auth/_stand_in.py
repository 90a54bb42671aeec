"""The one way past the verdict on a credential, for tests: an object in the scope.

No server puts objects of an application's making into a scope, so no client gets here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final

from asgi_auth._asgi import Receive, Scope, Send

__all__ = ["STAND_IN", "StandIn"]

STAND_IN: Final = "asgi_auth.stand_in"
"""The scope's key under which one may stand."""


class StandIn(ABC):
    """Says in a middleware's place who is calling."""

    __slots__ = ()

    @abstractmethod
    async def serve(
        self, middleware: Any, scope: Scope, receive: Receive, send: Send
    ) -> Any:
        """Serve one connection as *middleware* would, but for its verdict.

        Args:
            middleware: What the connection has come to.
            scope: Of the connection.
            receive: The server's.
            send: The server's.
        """
