"""Have a framework answer refusals where it answers its own errors.

An exception that it does not know runs through all that stands within the middleware:
counters and tracers take it for a crash, and CORS has no answer to mark. Nothing is
imported here; what a framework leaves in the scope is all that is known of it.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from asgi_auth.errors import AsgiAuthError, AuthError
from asgi_auth.responses.deny import deny

__all__ = ["lend_handler"]

_STARLETTE = "starlette.exception_handlers"
"""Where Starlette, and what is built on it, keeps the handlers of one app."""


def lend_handler(scope: Mapping[str, Any]) -> None:
    """Give the app of *scope* a handler for refusals, unless it has one.

    Without ``install`` nobody else does. The app's own, for ``AuthError`` or a class
    above or below it, wins: it is nearer, or it was there before.
    """
    match scope.get(_STARLETTE):
        case (MutableMapping() as handlers, _):
            handlers.setdefault(AsgiAuthError, _refuse)
        case _:
            pass


async def _refuse(connection: object, error: Exception) -> ASGIApp:
    if not isinstance(error, AuthError):
        raise error

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await deny(error, scope, receive, send)

    return respond
