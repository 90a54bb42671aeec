"""The one way past the verdict on a credential, for tests: an object in the scope.

No server puts objects of an application's making into a scope, so no client gets here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

from asgi_auth._asgi import Receive, Scope, Send
from asgi_auth.errors import ConfigurationError

__all__ = ["STAND_IN", "StandIn", "unmet"]

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

    @abstractmethod
    def unmet(self, scope: Mapping[str, Any]) -> ConfigurationError:
        """Return the error for who asks who is calling where no middleware ran.

        Args:
            scope: Of the connection, as who asks has it.
        """


def unmet(scope: Mapping[str, Any]) -> ConfigurationError:
    """Return the error for who asks who is calling where no middleware ran."""
    stand_in = scope.get(STAND_IN)
    if isinstance(stand_in, StandIn):
        return stand_in.unmet(scope)

    return ConfigurationError(
        "The scope has no principal: call the install(app, backend) of your "
        "framework, or wrap the app in AuthenticationMiddleware(app, backend)."
    )
