"""What Quart is serving, where its own paths begin, and what its CORS says.

It is for the adapter; it guards nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from quart import (
    Quart,
    Response,
    has_request_context,
    has_websocket_context,
    request,
    websocket,
)
from werkzeug.datastructures import Headers

from asgi_auth.errors import ConfigurationError
from asgi_auth.integrations._cors import AskForHeaders, CorsWithin
from asgi_auth.typing import ASGIApp, Receive, Scope, Send

__all__ = ["Installed", "cors_of", "rooted", "serving"]


def rooted(inner: Any) -> ASGIApp:
    """Have Quart begin where the middleware does.

    Quart cuts ``root_path`` off within a segment: with ``/api`` it would find
    ``/private`` in ``/apiprivate``.
    """

    def begun(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        root = scope.get("root_path") or "/"
        if root != "/" and _is_cut(root.rstrip("/"), scope.get("path", "")):
            scope = {**scope, "path": root}  # Quart knows nothing there.

        awaited: Awaitable[None] = inner(scope, receive, send)
        return awaited

    return begun


class Installed(CorsWithin):
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


def cors_of(app: Quart) -> AskForHeaders:
    """Return what asks the ``after_request`` functions of *app*, of which CORS is one.

    Each works for itself: one that needs what ``before_request`` has left is passed
    over. No session is opened or saved, and no handler runs.
    """

    async def ask(scope: Scope, status: int) -> list[tuple[bytes, bytes]]:
        asked = _request_of(app, scope)
        session = await app.session_interface.make_null_session(app)
        # Not set afterwards: since Quart 0.23 that is refused.
        make: Any = type(app.request_context(asked))
        async with make(app, request=asked, session=session) as context:
            response = Response(status=status)
            for name in (*context.request.blueprints, None):
                for function in reversed(app.after_request_funcs[name]):
                    with suppress(Exception):
                        replacement: Any = await app.ensure_async(function)(response)
                        response = replacement or response

        return [(n.lower().encode(), v.encode()) for n, v in response.headers]

    return ask


def _request_of(app: Quart, scope: Scope) -> Any:
    headers = Headers()
    for name, value in scope["headers"]:
        headers.add(name.decode("latin1"), value.decode("latin1"))

    root = scope.get("root_path", "")
    request = app.request_class(
        scope["method"],
        scope.get("scheme", "http"),
        scope["path"].removeprefix(root) or "/",
        scope["query_string"],
        headers,
        root,
        scope.get("http_version", "1.1"),
        scope=scope,  # type: ignore[arg-type]
        send_push_promise=_push_nothing,
    )
    # Whoever reads the body would wait for it: it is the middleware's to drop.
    request.body.set_complete()
    return request


async def _push_nothing(path: str, headers: Headers) -> None:
    """Push nothing to any client."""


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
