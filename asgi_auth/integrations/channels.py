"""Django and its Channels: the middleware around both, and guards for consumers.

It decides nothing. It does not touch Django's sessions: ``request.user`` stays what
Django's own middleware says, and the caller stands in ``scope["user"]``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, Unpack

from asgi_auth import guards
from asgi_auth.errors import ConfigurationError
from asgi_auth.guards.connection import scope_of
from asgi_auth.integrations._common import Demands, InstallOptions
from asgi_auth.integrations._django import (
    HANDED,
    RefusalMiddleware,
    Routed,
    cors_of,
    load_user,
)
from asgi_auth.integrations._handed import LogIn, LogOut
from asgi_auth.integrations._mounted import Renewing, settle
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.principal import Principal, get_principal, get_user
from asgi_auth.sessions import TokenService
from asgi_auth.typing import ASGIApp, Backend

__all__ = [
    "RefusalMiddleware",
    "current_principal",
    "current_user",
    "install",
    "load_user",
    "log_in",
    "log_out",
    "optional_user",
    "requires",
]

T = TypeVar("T", bound=Callable[..., Any])

_KNOWN = guards.requires()

log_in: LogIn = HANDED.log_in
log_out: LogOut = HANDED.log_out


def install(
    app: ASGIApp, backend: Backend | TokenService, **options: Unpack[InstallOptions]
) -> ASGIApp:
    """Return *app* with the middleware around it, to be served instead.

    Its refusals have the headers of django-cors-headers, where the settings name it.

    Args:
        app: A ``ProtocolTypeRouter``, or what stands where ``AuthMiddlewareStack``
            would: around a ``URLRouter``, or around Django's own application.
        backend: Decides who is calling; or the service whose tokens do.
        options: Of :class:`~asgi_auth.middleware.AuthenticationMiddleware`, and
            ``routes=..., at="/auth"``: the log-in routes, and where they are to be.

    Raises:
        ConfigurationError: It is installed already, or the options do not fit.
    """
    if isinstance(app, AuthenticationMiddleware | Renewing):
        msg = "The app has the middleware: call install(app, backend) once only."
        raise ConfigurationError(msg)

    setup = settle(backend, options)
    routed = Routed(app, setup.backend, cors_of, mount=setup.mount, **setup.options)
    return setup.around(routed)


def requires(*scopes: str, **demands: Unpack[Demands]) -> Callable[[T], T]:
    """Guard a consumer class, what its ``as_asgi()`` returns, or a Django view.

    Args:
        scopes: Scopes that the caller needs.
        demands: As for :func:`asgi_auth.guards.requires`.

    Raises:
        ConfigurationError: The demands do not fit together, or a class is no consumer.
    """
    requirement = guards.requires(*scopes, **demands)

    def guard(target: T) -> T:
        if not inspect.isclass(target):
            return requirement(target)

        # On the class: what as_asgi() or inheritance make of it later has it too.
        consumer: Any = target
        consumer.__call__ = requirement(_call_of(consumer))
        return target

    return guard


def _call_of(consumer: Any) -> Callable[..., Any]:
    """Return what serves a connection, as inheritance finds it when one comes."""
    if not any("__call__" in vars(base) for base in consumer.__mro__):
        # Django calls no view by its class: the guard would never be asked.
        msg = (
            f"{consumer.__name__} is no consumer: guard what its as_view() returns, or "
            "its methods."
        )
        raise ConfigurationError(msg)

    if "__call__" in vars(consumer):
        own: Callable[..., Any] = consumer.__call__
        return own

    # Not what is inherited now: a class below may have another guarded one beside it.
    async def __call__(self: Any, *way: Any, **named: Any) -> Any:  # noqa: N807
        return await super(consumer, self).__call__(*way, **named)

    return __call__


def current_principal(connection: Any) -> Principal:
    """Return who sent a request, or opened a socket; refuse an unknown caller.

    Args:
        connection: Django's request, a consumer, or an ASGI scope.

    Raises:
        AuthenticationError: The caller is unknown.
    """
    return _KNOWN.check(connection)


def current_user(connection: Any) -> Any:
    """Return the application's own user, or refuse an unknown caller.

    Args:
        connection: Django's request, a consumer, or an ASGI scope.

    Raises:
        AuthenticationError: The caller is unknown.
    """
    _KNOWN.check(connection)
    return get_user(scope_of(connection))


def optional_user(connection: Any) -> Any:
    """Return the application's own user, or ``None`` for an unknown caller.

    Args:
        connection: Django's request, a consumer, or an ASGI scope.
    """
    scope = scope_of(connection)
    return get_user(scope) if get_principal(scope).is_authenticated else None
