"""Give refusals the CORS headers of an app whose own CORS stands within the middleware.

It is for frameworks whose CORS is no ASGI middleware: it sees the answers of the app,
and not those of what stands around the app. It knows no framework, and allows nothing
that the app's CORS does not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Unpack

from anyio import fail_after

from asgi_auth._asgi import Headers
from asgi_auth._logs import package_logger
from asgi_auth.integrations._common import MiddlewareOptions
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.principal import without_caller
from asgi_auth.responses.kept import kept_of
from asgi_auth.responses.preflight import RefusedPreflights, is_cors_preflight
from asgi_auth.typing import ASGIApp, Backend, Message, Receive, Scope, Send

__all__ = ["AskForHeaders", "CorsWithin"]

AskForHeaders = Callable[[Scope, int], Awaitable[Headers]]
"""Returns the headers of an answer that the app has given with this status."""

_logger = package_logger(__name__)
_KEY = "asgi_auth.way"
_PATIENCE = 5.0
_ALLOWED = b"access-control-allow-origin"
_LISTS = frozenset({b"vary"})
_REFUSED = HTTPStatus.UNAUTHORIZED.value


class CorsWithin(AuthenticationMiddleware):
    """The middleware around an app whose CORS stands within.

    A preflight that is refused here is answered as the CORS of the app has it, as where
    CORS stands outside: the browser could not ask with a credential otherwise. So it is
    with the log-in routes, which stand around the app as well.

    Args:
        app: The application to wrap.
        backend: Decides who is calling.
        ask: Asks the app's CORS; called for what the app does not answer itself, where
            the request has an ``Origin``.
        mount: Puts the log-in routes around the app.
        options: Of :class:`~asgi_auth.middleware.AuthenticationMiddleware`.
    """

    __slots__ = ("_ask", "_warnings")

    def __init__(
        self,
        app: ASGIApp,
        backend: Backend,
        ask: AskForHeaders,
        *,
        mount: Callable[[ASGIApp], ASGIApp],
        **options: Unpack[MiddlewareOptions],
    ) -> None:
        super().__init__(mount(_noting(app)), backend, **options)
        self._ask = ask
        # Whether there is any CORS is known when it has been asked.
        self._warnings = self._preflights if self._pass_preflight else _Silent()
        self._preflights = _Silent()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Identify the caller, then call the app, and return what that does."""
        if scope["type"] != "http":
            return await super().__call__(scope, receive, send)

        way = scope[_KEY] = _Way(scope, send, self._ask, self._warnings)
        try:
            return await super().__call__(scope, receive, way.send)
        finally:
            scope.pop(_KEY, None)


class _Way:
    """The way out of one request, which knows whether the app was asked.

    Attributes:
        has_reached: The app was called, and answers with the headers of its own CORS.
    """

    __slots__ = ("_ask", "_is_over", "_scope", "_send", "_warnings", "has_reached")

    def __init__(
        self,
        scope: Scope,
        send: Send,
        ask: AskForHeaders,
        warnings: RefusedPreflights,
    ) -> None:
        self._scope = scope
        self._send = send
        self._ask = ask
        self._warnings = warnings
        self._is_over = False
        self.has_reached = False

    async def send(self, message: Message) -> None:
        """Pass *message* on, with the headers of CORS where the app was not asked."""
        if self.has_reached:
            await self._send(message)
        elif message["type"] == "http.response.start":
            await self._begin(message)
        elif not self._is_over:
            await self._send(message)

    async def _begin(self, start: Message) -> None:
        names = {name.lower() for name, _ in self._scope["headers"]}
        headers = (
            await self._cors_headers(start["status"]) if b"origin" in names else []
        )
        is_preflight = is_cors_preflight(self._scope)
        if is_preflight and _ALLOWED in {name.lower() for name, _ in headers}:
            self._is_over = True
            status = HTTPStatus.NO_CONTENT.value
            await self._send({**start, "status": status, "headers": headers})
            await self._send({"type": "http.response.body", "body": b""})
            return

        if is_preflight and not headers and start["status"] == _REFUSED:
            self._warnings.warn()

        own_names = {name.lower() for name, _ in start["headers"]} - _LISTS
        added = [each for each in headers if each[0].lower() not in own_names]
        await self._send({**start, "headers": [*start["headers"], *added]})

    async def _cors_headers(self, status: int) -> Headers:
        """Return the headers of the app's CORS, or none if it fails or hangs."""
        # CORS looks at no query, and frameworks fail on one that is not UTF-8.
        scope = {**without_caller(self._scope), "query_string": b""}
        try:
            with fail_after(_PATIENCE):
                headers = await self._ask(scope, status)
        except Exception:
            # Whatever it is, the caller is refused.
            _logger.debug("the app's CORS has failed on a refusal", exc_info=True)
            return []

        return kept_of({"headers": headers})


class _Silent(RefusedPreflights):
    __slots__ = ()

    def warn(self) -> None:
        """Leave it to who asks CORS."""


def _noting(app: ASGIApp) -> ASGIApp:
    """Have the way out of a request know when *app* is called."""

    def noting(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        way = scope.pop(_KEY, None)
        if way is not None:
            way.has_reached = True

        return app(scope, receive, send)

    return noting
