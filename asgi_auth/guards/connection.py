"""Find the ASGI scope in what a guard is given.

No framework is known here: whatever has a ``scope`` is a connection. Where nothing has
one, as in the tools of MCP or behind a bridge to WSGI, the tracked one is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asgi_auth.errors import ConfigurationError
from asgi_auth.principal import Principal
from asgi_auth.tracking import tracked_scope

__all__ = ["scope_among", "scope_of"]

_CONNECTIONS = frozenset({"http", "websocket"})


def scope_of(connection: Any) -> Mapping[str, Any]:
    """Return the scope that *connection* is, or has; otherwise the tracked one.

    Raises:
        ConfigurationError: It is neither a request nor a socket, and none is tracked.
    """
    scope = _scope_in(connection)
    # Also for an ASGI scope of a type that no middleware of ours has looked at.
    return _tracked() if scope is None else scope


def scope_among(arguments: tuple[Any, ...]) -> Mapping[str, Any]:
    """Return the scope of what a handler is called with; otherwise the tracked one.

    Raises:
        ConfigurationError: There is none.
    """
    candidate = None
    for argument in arguments:
        scope = _scope_in(argument)
        if scope is not None:
            # A JSON body may look like a scope; a principal is not in it.
            if isinstance(scope.get("auth"), Principal):
                return scope

            candidate = candidate or scope

    try:
        return _tracked()
    except ConfigurationError:
        if candidate is None:
            raise

        return candidate


def _scope_in(connection: Any) -> Mapping[str, Any] | None:
    scope = getattr(connection, "scope", connection)
    is_scope = isinstance(scope, Mapping) and scope.get("type") in _CONNECTIONS
    return scope if is_scope else None


def _tracked() -> Mapping[str, Any]:
    try:
        return tracked_scope()
    except ConfigurationError as error:
        msg = (
            "A guarded handler must get an ASGI scope, or a request that has one: "
            f"add the request to its parameters. Or have it tracked: {error}"
        )
        raise ConfigurationError(msg) from None
