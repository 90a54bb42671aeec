"""Django without Channels: the middleware around it, guards for views, and users.

It decides nothing. What Django and its packages ask about ``request.user`` is answered
by ``UserMiddleware``; what they make of a refusal, by ``RefusalMiddleware``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, Unpack

from asgi_auth import guards
from asgi_auth.errors import ConfigurationError
from asgi_auth.guards.connection import scope_of
from asgi_auth.integrations._common import Demands, InstallOptions
from asgi_auth.integrations._cors import CorsWithin
from asgi_auth.integrations._django import (
    HANDED,
    RefusalMiddleware,
    UserMiddleware,
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
    "UserMiddleware",
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
        app: What ``get_asgi_application()`` returns, or what stands around it.
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
    within = CorsWithin(app, setup.backend, cors_of, mount=setup.mount, **setup.options)
    return setup.around(within)


def requires(*scopes: str, **demands: Unpack[Demands]) -> Callable[[T], T]:
    """Guard a view, sync or async, or a method of a view.

    Args:
        scopes: Scopes that the caller needs.
        demands: As for :func:`asgi_auth.guards.requires`.

    Raises:
        ConfigurationError: The demands do not fit together, or it is a class.
    """
    requirement = guards.requires(*scopes, **demands)

    def guard(view: T) -> T:
        if inspect.isclass(view):
            # Django calls no view by its class: the guard would never be asked.
            msg = (
                f"{view.__name__} is a class: guard what its as_view() returns, or its "
                "methods."
            )
            raise ConfigurationError(msg)

        return requirement(view)

    return guard


def current_principal(connection: Any) -> Principal:
    """Return who sent a request, or refuse an unknown caller.

    Args:
        connection: Django's request, one of Django REST framework, or an ASGI scope.

    Raises:
        AuthenticationError: The caller is unknown.
    """
    return _KNOWN.check(connection)


def current_user(connection: Any) -> Any:
    """Return the application's own user, or refuse an unknown caller.

    Args:
        connection: Django's request, one of Django REST framework, or an ASGI scope.

    Raises:
        AuthenticationError: The caller is unknown.
    """
    _KNOWN.check(connection)
    return get_user(scope_of(connection))


def optional_user(connection: Any) -> Any:
    """Return the application's own user, or ``None`` for an unknown caller.

    Args:
        connection: Django's request, one of Django REST framework, or an ASGI scope.
    """
    scope = scope_of(connection)
    return get_user(scope) if get_principal(scope).is_authenticated else None
