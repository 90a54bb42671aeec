"""Nexios: the middleware among its own, ``@auth``, and its exception handlers.

It decides nothing: it hands refusals to the handlers that the application has for
Nexios' own exceptions, and answers them where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, Unpack

from nexios import NexiosApp
from nexios.http import Request, Response
from nexios.routing import Router
from nexios.websockets import WebSocket

from asgi_auth import guards
from asgi_auth._asgi import Headers
from asgi_auth.integrations import _nexios
from asgi_auth.integrations._common import Demands, InstallOptions
from asgi_auth.integrations._handed import Handed, LogIn, LogOut
from asgi_auth.integrations._mounted import settle
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.principal import Principal, get_principal, get_user
from asgi_auth.sessions import TokenService
from asgi_auth.typing import ASGIApp, Backend, Receive, Scope, Send

__all__ = [
    "auth",
    "current_principal",
    "current_user",
    "install",
    "log_in",
    "log_out",
    "optional_user",
    "requires",
]

T = TypeVar("T", bound=Callable[..., Any])

_KNOWN = guards.requires()


def install(
    app: NexiosApp,
    backend: Backend | TokenService,
    **options: Unpack[InstallOptions],
) -> None:
    """Identify the callers of *app*, and answer its refusals.

    Middleware that is added later stands around this one, as always in Nexios; so
    does CORS, whenever it is added.

    Args:
        app: A handler that it has for our errors, or for Nexios' own
            ``AuthenticationFailed`` and ``PermissionDenied``, answers instead.
        backend: Decides who is calling; or the service whose tokens do.
        options: Of :class:`~asgi_auth.middleware.AuthenticationMiddleware`, and
            ``routes=..., at="/auth"``: the log-in routes, and where they are to be.

    Raises:
        ConfigurationError: It is installed already, or the options do not fit.
    """
    # Middleware further out looks for what handlers leave in the one scope it knows.
    setup = settle(backend, options)
    choices = setup.sharing()

    def make(inner: ASGIApp) -> ASGIApp:
        app = setup.mount(inner)
        return setup.around(AuthenticationMiddleware(app, setup.backend, **choices))

    _nexios.insert(app, make)
    _nexios.answer_refusals(app)


def auth(backends: str | Iterable[str] = ()) -> Callable[[T], T]:
    """Guard a handler as Nexios' own ``@auth(["jwt"])`` does, for any known caller.

    Args:
        backends: Names of those that may have identified the caller; none: any.
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

        return _nexios.closing(requirement(target))

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
    is_known = get_principal(request.scope).is_authenticated
    return get_user(request.scope) if is_known else None


def _add(response: Response, headers: Headers) -> None:
    for name, value in headers:
        response.set_header(name.decode(), value.decode())


_HANDED = Handed(_add)
log_in: LogIn = _HANDED.log_in
log_out: LogOut = _HANDED.log_out
