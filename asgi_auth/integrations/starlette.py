"""Starlette: install the middleware, guard endpoints, and hand users to them.

It decides nothing: who is calling is for the middleware to find out, and who may do
what for :mod:`asgi_auth.guards`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from inspect import isawaitable, iscoroutinefunction, signature
from typing import Any, get_type_hints

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from asgi_auth.errors import ConfigurationError
from asgi_auth.guards import requires
from asgi_auth.integrations._handed import LogIn, LogOut
from asgi_auth.integrations._starlette import HANDED, install
from asgi_auth.principal import Principal, get_principal, get_user

__all__ = [
    "Depends",
    "current_principal",
    "current_user",
    "get_current_user",
    "inject",
    "install",
    "log_in",
    "log_out",
    "optional_user",
    "requires",
]

_KNOWN = requires()

log_in: LogIn = HANDED.log_in
log_out: LogOut = HANDED.log_out


async def current_user(connection: HTTPConnection) -> Any:
    """Return the application's own user, or refuse an unknown caller.

    Raises:
        AuthenticationError: The caller is unknown.
    """
    _KNOWN.check(connection.scope)
    return get_user(connection.scope)


get_current_user = current_user
"""The name that AuthX has for :func:`current_user`."""


async def current_principal(connection: HTTPConnection) -> Principal:
    """Return the caller, or refuse an unknown one.

    Raises:
        AuthenticationError: The caller is unknown.
    """
    return _KNOWN.check(connection.scope)


async def optional_user(connection: HTTPConnection) -> Any:
    """Return the application's own user, or ``None`` for an unknown caller."""
    is_known = get_principal(connection.scope).is_authenticated
    return get_user(connection.scope) if is_known else None


@dataclass(frozen=True, slots=True)
class _Dependency:
    call: Callable[[HTTPConnection], Any]


def Depends(call: Callable[[HTTPConnection], Any]) -> Any:  # noqa: N802  (FastAPI's word)
    """Ask :func:`inject` for what *call* returns; as a default, or in ``Annotated``."""
    return _Dependency(call)


def inject(handler: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """Hand an endpoint what its parameters ask for with :func:`Depends`.

    Args:
        handler: A function, or a method of an ``HTTPEndpoint``; sync or async.

    Raises:
        ConfigurationError: Its parameters ask for nothing.
    """
    hints = get_type_hints(handler, include_extras=True)
    calls = {
        name: marker.call
        for name, parameter in signature(handler).parameters.items()
        for marker in (parameter.default, *getattr(hints.get(name), "__metadata__", ()))
        if isinstance(marker, _Dependency)
    }
    if not calls:
        msg = f"{handler.__name__} asks for nothing: add a parameter with Depends()."
        raise ConfigurationError(msg)

    @wraps(handler)
    async def injected(*args: Any, **kwargs: Any) -> Any:
        connection = _connection_among(args)
        for name, call in calls.items():
            value = call(connection)
            kwargs[name] = await value if isawaitable(value) else value

        if iscoroutinefunction(handler):
            return await handler(*args, **kwargs)

        return await run_in_threadpool(handler, *args, **kwargs)

    return injected


def _connection_among(arguments: tuple[Any, ...]) -> HTTPConnection:
    for argument in arguments:
        if isinstance(argument, HTTPConnection):
            return argument

    msg = "A handler under inject must get the request: put it before what it asks for."
    raise ConfigurationError(msg)
