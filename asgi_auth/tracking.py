"""Remember which request or socket is being served, for code that gets no scope.

It follows Python's contexts, which tasks and threads inherit. What a request has
started and left behind serves it no more, and has no caller either.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from asgi_auth.errors import ConfigurationError
from asgi_auth.principal import Principal, get_principal

__all__ = ["current_principal", "track", "tracked_scope", "tracking"]

_CONNECTIONS = frozenset({"http", "websocket"})


class _Serving:
    """One request or socket, for as long as it is served.

    Attributes:
        scope: That the application got; ``None`` where nobody calls, or no more.
    """

    __slots__ = ("scope",)

    def __init__(self, scope: Scope | None) -> None:
        self.scope = scope


_current: ContextVar[_Serving | None] = ContextVar("asgi_auth_serving", default=None)


def tracked_scope() -> Scope:
    """Return the scope of the request or socket that this code serves.

    It is the one that the application got: what routers write into copies of it, as
    ``path_params``, is not in it.

    Raises:
        ConfigurationError: The middleware was made without
            ``ScopePolicy(track_current=True)``, or this code serves no request.
    """
    serving = _current.get()
    if serving is None:
        msg = (
            "No principal is tracked here: give AuthenticationMiddleware "
            "scope_policy=ScopePolicy(track_current=True), and ask only while it "
            "serves a request."
        )
        raise ConfigurationError(msg)

    if serving.scope is None:
        msg = (
            "This code serves no request: its task was started by lifespan, or by a "
            "request that has ended. Hand the principal over with the work."
        )
        raise ConfigurationError(msg)

    return serving.scope


def current_principal() -> Principal:
    """Return the caller of the request that this code runs in.

    A task has the caller of the request that started it, and no longer than that is
    served. What works for many callers, as a queue does, must get each with the work.

    Raises:
        ConfigurationError: The middleware was made without
            ``ScopePolicy(track_current=True)``, or no request is being served, as in a
            task that lifespan started.
    """
    return get_principal(tracked_scope())


class track:  # noqa: N801  (a context manager reads as a verb)
    """Make *scope* the one that is served within a ``with`` block.

    Args:
        scope: Of a request or socket; ``None`` where there is no caller.
    """

    __slots__ = ("_serving", "_token")

    def __init__(self, scope: Scope | None) -> None:
        self._serving = _Serving(scope)

    def __enter__(self) -> None:
        self._token = _current.set(self._serving)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
        # Also for the tasks that were started within, and go on.
        self._serving.scope = None


def tracking(app: ASGIApp) -> ASGIApp:
    """Return *app*, run with its scope tracked."""

    async def tracked(scope: Scope, receive: Receive, send: Send) -> Any:
        with track(scope if scope["type"] in _CONNECTIONS else None):
            return await app(scope, receive, send)

    return tracked
