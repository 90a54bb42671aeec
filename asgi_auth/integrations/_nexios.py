"""How the middleware stands in the stack of a Nexios app, and who answers refusals.

It is for the adapter; it guards nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from nexios import NexiosApp
from nexios.auth.exceptions import (
    AuthenticationFailed,
    AuthErrorHandler,
    AuthException,
    PermissionDenied,
)
from nexios.http import Request, Response
from nexios.http.response import BaseResponse
from nexios.middleware import CORSMiddleware
from nexios.websockets import WebSocket

from asgi_auth.errors import AuthError, ConfigurationError
from asgi_auth.responses.deny import close_code, deny, response_to
from asgi_auth.responses.state import state_of
from asgi_auth.typing import ASGIApp, Receive, Scope, Send

__all__ = ["answer_refusals", "closing", "insert"]

T = TypeVar("T", bound=Callable[..., Any])

_NEXT = "asgi_auth.next"


def insert(app: NexiosApp, make: Callable[[Any], ASGIApp]) -> None:
    """Put what *make* makes of an ASGI app into the stack of *app*.

    What is added later stands around it, as always in Nexios; and so does CORS, for a
    refusal needs its headers too. Not with ``wrap_asgi``: that is below the exception
    handlers.

    Args:
        app: What has no middleware of ours yet.
        make: Wraps an ASGI app.

    Raises:
        ConfigurationError: There is one already.
    """
    stack: list[Any] = app.http_middleware
    if any(isinstance(layer, _Place) for layer, _, _ in stack):
        msg = "The app has the middleware: call install(app, backend) once only."
        raise ConfigurationError(msg)

    cors = [isinstance(kw.get("dispatch"), CORSMiddleware) for _, _, kw in stack]
    place = len(cors) - cors[::-1].index(True) if True in cors else 0
    stack.insert(place, (_Place(make(_go_on)), (), {}))


class _Place:
    """Puts one middleware into the stack that Nexios makes anew for each request."""

    def __init__(self, middleware: ASGIApp) -> None:
        self._middleware = middleware

    def __call__(self, app: ASGIApp) -> ASGIApp:
        # Plain, not async: one coroutine less for each request.
        def placed(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            scope[_NEXT] = app
            return self._middleware(scope, receive, send)

        return placed


def _go_on(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    awaited: Awaitable[None] = scope[_NEXT](scope, receive, send)
    return awaited


def answer_refusals(app: NexiosApp) -> None:
    """Register what answers refusals, where *app* has nothing of its own for them."""
    handlers: dict[Any, Any] = app.exceptions_handler._exception_handlers  # noqa: SLF001
    handlers.setdefault(AuthError, partial(_refuse, app))


class _Refusal(BaseResponse):
    """The answer to a refused request, as a response of Nexios."""

    def __init__(self, error: AuthError) -> None:
        super().__init__(status_code=error.status)
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await deny(self._error, scope, receive, send)


async def _refuse(
    app: NexiosApp, request: Request, response: Response, error: AuthError
) -> Any:
    """Answer with *error*, or let the handler that the application has do it."""
    own = _as_own(error, request.scope)
    handler = _handler_of(app, own)
    return _Refusal(error) if handler is None else await handler(request, response, own)


def _as_own(error: AuthError, scope: Scope) -> AuthException:
    """Say *error* in Nexios' words; ``__cause__`` keeps ours."""
    headers: dict[str, str] = {}
    for raw, value in response_to(error, scope)[1]:
        name = raw.decode()
        if not name.startswith("content-"):
            before = [headers[name]] if name in headers else []
            headers[name] = ", ".join([*before, value.decode()])

    make = _OWN.get(error.status, partial(AuthException, error.status))
    own = make(error.public_message, headers)
    own.__cause__ = error
    return own


_OWN = {401: AuthenticationFailed, 403: PermissionDenied}


def _handler_of(app: NexiosApp, error: AuthException) -> Callable[..., Any] | None:
    """Find the handler that the application registered; Nexios' own do not count."""
    registry = app.exceptions_handler
    if error.status_code in registry._status_handlers:  # noqa: SLF001
        return registry._status_handlers[error.status_code]  # noqa: SLF001

    handlers = map(registry._exception_handlers.get, type(error).__mro__)  # noqa: SLF001
    defaults = (None, AuthErrorHandler, registry.http_exception)
    return next((handler for handler in handlers if handler not in defaults), None)


def closing(handler: T) -> T:
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
