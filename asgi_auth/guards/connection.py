"""Find the ASGI scope in what a guard is given.

No framework is known here: whatever has a ``scope`` is a connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asgi_auth.errors import ConfigurationError
from asgi_auth.principal import Principal

__all__ = ["scope_among", "scope_of"]

_CONNECTIONS = frozenset({"http", "websocket"})


def scope_of(connection: Any) -> Mapping[str, Any]:
    """Return the scope that *connection* is, or has.

    Raises:
        ConfigurationError: It is neither a request nor a socket.
    """
    scope = getattr(connection, "scope", connection)
    if isinstance(scope, Mapping) and scope.get("type") in _CONNECTIONS:
        return scope

    # Also an ASGI scope of a type that no middleware of ours has looked at.
    msg = (
        "A guarded handler must get an ASGI scope, or a request that has one: "
        "add the request to its parameters."
    )
    raise ConfigurationError(msg)


def scope_among(arguments: tuple[Any, ...]) -> Mapping[str, Any]:
    """Return the scope of what a handler is called with.

    Raises:
        ConfigurationError: There is none.
    """
    found = None
    for argument in arguments:
        scope = getattr(argument, "scope", argument)
        if isinstance(scope, Mapping) and scope.get("type") in _CONNECTIONS:
            # A JSON body may look like a scope; a principal is not in it.
            if isinstance(scope.get("auth"), Principal):
                return scope

            found = found or scope

    return scope_of(found)
