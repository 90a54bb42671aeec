"""Quart: the middleware in its place, and guards for handlers without a request.

It decides nothing: it hands the request or the socket that Quart is serving to the
core, and its refusals to Quart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar, Unpack

from quart import Quart, Response, current_app, websocket
from werkzeug.datastructures import Headers
from werkzeug.local import LocalProxy

from asgi_auth import guards
from asgi_auth._asgi import Headers as ASGIHeaders
from asgi_auth.errors import AuthError, ConfigurationError
from asgi_auth.guards.wrapping import MARK
from asgi_auth.integrations._common import Demands, InstallOptions
from asgi_auth.integrations._handed import Handed, LogIn, LogOut
from asgi_auth.integrations._mounted import settle
from asgi_auth.integrations._quart import Installed, cors_of, rooted, serving
from asgi_auth.principal import Principal, get_principal, get_user
from asgi_auth.responses.deny import close_code, response_to
from asgi_auth.responses.state import state_of
from asgi_auth.sessions import TokenService
from asgi_auth.typing import Backend

__all__ = [
    "current_principal",
    "current_user",
    "install",
    "log_in",
    "log_out",
    "optional_user",
    "requires",
]

F = TypeVar("F", bound=Callable[..., Any])

_KNOWN = guards.requires()
_NAME = "asgi_auth"


def install(
    app: Quart, backend: Backend | TokenService, **options: Unpack[InstallOptions]
) -> None:
    """Identify the callers of *app*, and answer its refusals.

    Args:
        app: Whose ``asgi_app`` is wrapped. A handler that it registers for
            ``AuthError``, before or after, is left to answer instead. Its CORS, as all
            ``after_request`` functions, is asked for the headers of refusals too.
        backend: Decides who is calling; or the service whose tokens do.
        options: Of :class:`~asgi_auth.middleware.AuthenticationMiddleware`, and
            ``routes=..., at="/auth"``: the log-in routes, and where they are to be.

    Raises:
        ConfigurationError: It is installed already, or the options do not fit.
    """
    if _NAME in app.extensions:
        msg = "The app has the middleware: call install(app, backend) once only."
        raise ConfigurationError(msg)

    to_do = settle(backend, options)
    inner = rooted(app.asgi_app)
    wrapped: Any = Installed(
        inner, to_do.backend, cors_of(app), mount=to_do.mount, **to_do.options
    )
    renewing: Any = to_do.around(wrapped)
    app.asgi_app = renewing  # type: ignore[method-assign]
    app.extensions[_NAME] = wrapped
    handlers: Any = app.error_handler_spec[None][None]
    handlers.setdefault(AuthError, _refuse)


def requires(*scopes: str, **demands: Unpack[Demands]) -> Callable[[F], F]:
    """Guard a handler, or a function for ``before_request`` or ``before_websocket``.

    Args:
        scopes: Scopes that the caller needs.
        demands: As for :func:`asgi_auth.guards.requires`.

    Raises:
        ConfigurationError: The demands do not fit together.
    """
    requirement = guards.requires(*scopes, **demands)

    waits = requirement.policy is not None and requirement.policy.is_async

    def guard(handler: F) -> F:
        within = getattr(handler, MARK, ())
        here = replace(requirement, inner=within)
        is_async = iscoroutinefunction(handler)

        @wraps(handler)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            if waits:
                await here.verify(serving())
            else:
                here.check(serving())

            call = handler if is_async else current_app.ensure_async(handler)
            return await call(*args, **kwargs)

        setattr(guarded, MARK, (requirement, *within))
        return guarded  # type: ignore[return-value]

    return guard


def optional_user() -> Any:
    """Return the application's own user, or ``None`` for an unknown caller."""
    is_known = get_principal(serving()).is_authenticated
    return get_user(serving()) if is_known else None


def _principal() -> Principal:
    return _KNOWN.check(serving())


def _user() -> Any:
    _KNOWN.check(serving())
    return get_user(serving())


current_principal: Principal = LocalProxy(_principal)  # type: ignore[assignment]
"""Who is calling: a proxy, as Quart's own ``request`` is; it refuses the unknown."""

current_user: Any = LocalProxy(_user)
"""The application's own user: a proxy; it refuses an unknown caller."""


async def _refuse(error: AuthError) -> Response | None:
    """Answer with *error*; a socket is closed, or refused if that is still possible."""
    scope = serving()
    if scope["type"] == "websocket":
        # The middleware makes a proper refusal of the close before the accept.
        state_of(scope).refusal = error
        await websocket.close(close_code(error), error.code)
        return None

    status, headers, body = response_to(error, scope)
    response = Response(body, status=status)
    response.headers = Headers([(k.decode(), v.decode()) for k, v in headers])
    return response


def _add(response: Response, headers: ASGIHeaders) -> None:
    for name, value in headers:
        response.headers.add(name.decode(), value.decode())


_HANDED = Handed(_add)
log_in: LogIn = _HANDED.log_in
log_out: LogOut = _HANDED.log_out
