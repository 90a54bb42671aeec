"""What Quart is serving, and where its own paths begin.

It is for the adapter; it guards nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from quart import has_request_context, has_websocket_context, request, websocket

from asgi_auth.errors import ConfigurationError
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.typing import ASGIApp, Receive, Scope, Send

__all__ = ["Installed", "rooted", "serving"]


def rooted(inner: Any) -> ASGIApp:
    """Have Quart begin where the middleware does.

    Quart cuts ``root_path`` off within a segment: with ``/api`` it would find
    ``/private`` in ``/apiprivate``.
    """

    def begun(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        given = scope.get("root_path") or "/"
        if given != "/" and _is_cut(given.rstrip("/"), scope.get("path", "")):
            scope = {**scope, "path": given}  # Quart knows nothing there.

        awaited: Awaitable[None] = inner(scope, receive, send)
        return awaited

    return begun


class Installed(AuthenticationMiddleware):
    """The middleware, which reads paths as Quart does."""

    __slots__ = ()

    def _is_public(self, scope: Scope) -> bool:
        """Leave nothing public beside ``root_path``: Quart knows no path there.

        A handler that catches all would be served all the same. Nor is ``/docs/`` where
        ``/docs`` is not: with ``strict_slashes=False`` they are one.
        """
        root, path = scope.get("root_path") or "", scope["path"]
        if not path.startswith(root) or not super()._is_public(scope):
            return False

        bare = path.removesuffix("/")
        return bare in {path, root} or super()._is_public({**scope, "path": bare})


def _is_cut(root: str, path: str) -> bool:
    return path.startswith(root) and path[len(root) :][:1] not in {"", "/"}


def serving() -> Scope:
    """Return the scope of what is being served.

    Raises:
        ConfigurationError: Nothing is.
    """
    served: Any = websocket if has_websocket_context() else request
    if served is websocket or has_request_context():
        scope: Scope = served.scope
        return scope

    msg = "Nothing is being served here: ask within a request or a WebSocket."
    raise _NotServingError(msg)


class _NotServingError(ConfigurationError, RuntimeError):
    """What a proxy raises for nothing; its repr can recover from a RuntimeError."""
