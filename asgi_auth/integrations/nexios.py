"""Nexios: the middleware among its own, ``@auth``, and its exception handlers.

It decides nothing: it hands refusals to the handlers that the application has for
Nexios' own exceptions, and answers them where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar, Unpack

from nexios import NexiosApp
from nexios.http import Request
from nexios.routing import Router
from nexios.websockets import WebSocket

from asgi_auth import guards
from asgi_auth.errors import AuthError
from asgi_auth.integrations import _nexios
from asgi_auth.integrations._common import Demands, MiddlewareOptions
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.principal import Principal, get_principal, get_user
from asgi_auth.responses.deny import close_code
from asgi_auth.responses.state import state_of
from asgi_auth.typing import ASGIApp, Backend, Receive, Scope, Send

__all__ = [
    "auth",
    "current_principal",
    "current_user",
    "install",
    "optional_user",
    "requires",
]

T = TypeVar("T", bound=Callable[..., Any])

_KNOWN = guards.requires()


def install(
    app: NexiosApp, backend: Backend, **options: Unpack[MiddlewareOptions]
) -> None:
    """Identify the callers of *app*, and answer its refusals.

    Middleware that is added later stands around this one, as always in Nexios; so
    does CORS, whenever it is added.

    Args:
        app: A handler that it has for our errors, or for Nexios' own
            ``AuthenticationFailed`` and ``PermissionDenied``, answers instead.
        backend: Decides who is calling.
        options: Of :class:`~asgi_auth.middleware.AuthenticationMiddleware`.

    Raises:
        ConfigurationError: It is installed already, or the options do not fit.
    """
    # Middleware further out looks for what handlers leave in the one scope it knows.
    chosen: dict[str, Any] = {"share_scope": True, **options}
    _nexios.insert(app, partial(AuthenticationMiddleware, backend=backend, **chosen))
    _nexios.answer_refusals(app)


def auth(backends: str | Iterable[str] = ()) -> Callable[[T], T]:
    """Guard a handler as Nexios' own ``@auth(["jwt"])`` does, for any known caller.

    Args:
        backends: Names of those that may have identified the caller; none: anybody.
    """
    return requires(backend=backends)


def requires(*scopes: str, **demands: Unpack[Demands]) -> Callable[[T], T]:
    """Guard a handler of requests or of WebSockets, or all that a router has.

    Args:
        scopes: Scopes that the caller needs.
        demands: As for :func:`asgi_auth.guards.requires`.

    Raises:
        ConfigurationError: The demands do not fit together.
    """
    requirement = guards.requires(*scopes, **demands)

    def guard(target: T) -> T:
        if isinstance(target, Router):
            inner: ASGIApp = target.app

            async def guarded(scope: Scope, receive: Receive, send: Send) -> Any:
                await requirement.verify(scope)
                return await inner(scope, receive, send)

            target.app = guarded  # type: ignore[method-assign]
            return target

        return _closing(requirement(target))

    return guard


def current_principal(request: Request | WebSocket) -> Principal:
    """Return who sent *request*, or refuse an unknown caller.

    Raises:
        AuthenticationError: The caller is unknown.
    """
    return _KNOWN.check(request)


def current_user(request: Request | WebSocket) -> Any:
    """Return the application's own user, or refuse an unknown caller.

    Raises:
        AuthenticationError: The caller is unknown.
    """
    _KNOWN.check(request)
    return get_user(request.scope)


def optional_user(request: Request | WebSocket) -> Any:
    """Return the application's own user, or ``None`` for an unknown caller."""
    known = get_principal(request.scope).is_authenticated
    return get_user(request.scope) if known else None


def _closing(handler: T) -> T:
    """Close a socket that is refused: Nexios would log the exception as a crash."""
    if not iscoroutinefunction(handler):
        return handler

    @wraps(handler)
    async def closing(*args: Any, **kwargs: Any) -> Any:
        try:
            return await handler(*args, **kwargs)
        except AuthError as error:
            for socket in args:
                if isinstance(socket, WebSocket):
                    # The middleware refuses properly where this is not accepted yet.
                    state_of(socket.scope).refusal = error
                    await socket.close(close_code(error), error.code)
                    return None

            raise

    return closing  # type: ignore[return-value]
