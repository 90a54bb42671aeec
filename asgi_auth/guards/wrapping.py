"""Put a check before an ASGI app, a handler or a class of either.

What is wrapped stays of its kind, so that a framework treats it as before. The check
comes before anything of the target runs; what it decides is not known here.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from asgi_auth._scopeless import scopeless
from asgi_auth.errors import AuthError, ConfigurationError
from asgi_auth.guards._calls import (
    gets_no_connection,
    is_app,
    is_async,
    name_of,
    place_of,
)
from asgi_auth.guards.connection import scope_among
from asgi_auth.responses.deny import deny

__all__ = ["MARK", "Check", "wrap"]

MARK = "__asgi_auth_guards__"
"""The attribute under which what is guarded names its guards."""

Target = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Check:
    """How a guard looks at a scope; it raises to refuse.

    Attributes:
        now: Without waiting.
        later: The same where something may have to be waited for, else ``None``.
        waits: Something is known to have to be waited for.
    """

    now: Callable[[Mapping[str, Any]], object]
    later: Callable[[Mapping[str, Any]], Awaitable[object]] | None = None
    waits: bool = False


def wrap(check: Check, target: Any) -> Any:
    """Return *target* with a check before it.

    Raises:
        ConfigurationError: It cannot be guarded as a whole, or not with this check.
    """
    # What is above in a class body: these unwrap when the class is made.
    if isinstance(target, staticmethod | classmethod):
        return type(target)(wrap(check, target.__func__))

    if inspect.isclass(target):
        return _wrap_class(check, target)

    if not callable(target):
        msg = f"Only what can be called is guarded, and {type(target).__name__} cannot."
        raise ConfigurationError(msg)

    if not is_app(target):
        return _wrap_handler(check, target)

    # Frameworks take a function for a handler, and an object for an app.
    return (
        _wrap_function(check, target)
        if inspect.isroutine(target)
        else GuardedApp(check, target)
    )


async def _serve(
    check: Check, app: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> Any:
    """Serve a caller who passes; answer one who does not."""
    if scope["type"] != "lifespan":
        try:
            if check.later is None:
                check.now(scope)
            else:
                await check.later(scope)
        except AuthError as error:
            await deny(error, scope, receive, send)
            return None

    return await app(scope, receive, send)


class GuardedApp:
    """An ASGI app behind a guard.

    It shows nothing of the app: a framework that copied the routes of a router out of
    it would leave the guard behind.
    """

    __slots__ = (MARK, "_app", "_check")

    def __init__(self, check: Check, app: ASGIApp) -> None:
        self._check = check
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve a caller who passes."""
        return await _serve(self._check, self._app, scope, receive, send)

    def __repr__(self) -> str:
        return f"<guarded {self._app!r}>"


def _wrap_function(check: Check, app: ASGIApp) -> ASGIApp:
    @wraps(app)
    async def guarded(scope: Scope, receive: Receive, send: Send) -> Any:
        return await _serve(check, app, scope, receive, send)

    return guarded


def _wrap_class(check: Check, endpoint: type) -> type:
    """Guard a class of which each request makes and awaits an instance.

    The result is a class: Starlette calls a function as a handler.
    """
    if not (is_app(endpoint) and hasattr(endpoint, "__await__")):
        msg = (
            f"{endpoint.__name__} is a class that is not an ASGI app by itself: "
            "guard its instances if they are, else its methods."
        )
        raise ConfigurationError(msg)

    def make(cls: type, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        async def app(*way: Any) -> None:
            await _instance(guarded, cls, way)

        # Not an instance: its constructor must not run before the check.
        return _serve(check, app, scope, receive, send)

    names = {name: getattr(endpoint, name) for name in ("__module__", "__doc__")}
    guarded = type(endpoint)(endpoint.__name__, (endpoint,), {**names, "__new__": make})
    guarded.__qualname__ = endpoint.__qualname__
    return guarded


def _instance(guarded: Any, cls: Any, way: tuple[Any, ...]) -> Any:
    """Make an instance of *cls* as without this guard: other guards come next."""
    # Not of the class that was guarded: *cls* may inherit from another guarded one,
    # whose guard stands further down the line.
    new = super(guarded, cls).__new__
    instance = new(cls) if new is object.__new__ else new(cls, *way)
    if isinstance(instance, cls):
        instance.__init__(*way)

    return instance


def _wrap_handler(check: Check, handler: Target) -> Target:
    if gets_no_connection(handler):
        scopeless.expect(place_of(handler))

    now, later = check.now, check.later
    if not is_async(handler):
        return _wrap_sync(check, handler)

    if later is None:

        @wraps(handler)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            now(scope_among((*args, *kwargs.values())))
            return await handler(*args, **kwargs)

        return guarded

    @wraps(handler)
    async def guarded_later(*args: Any, **kwargs: Any) -> Any:
        await later(scope_among((*args, *kwargs.values())))
        return await handler(*args, **kwargs)

    return guarded_later


def _wrap_sync(check: Check, handler: Target) -> Target:
    """Guard a plain function, also one that makes a generator.

    A generator is checked before it is made: when its first item is asked for, the
    response may have begun.
    """
    if check.waits:
        msg = (
            f"{name_of(handler)} is not async, and the policy of its guard is: make it "
            "async, or await guard.verify(request) where that can be done."
        )
        raise ConfigurationError(msg)

    now = check.now

    @wraps(handler)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        now(scope_among((*args, *kwargs.values())))
        return handler(*args, **kwargs)

    return guarded
