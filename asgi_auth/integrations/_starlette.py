"""How the middleware stands in the stack of a Starlette app.

It is for the adapters of Starlette and of what is built on it; it guards nothing.
"""

from __future__ import annotations

from typing import Any, Unpack

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import Response

from asgi_auth._asgi import Headers, Receive, Scope, Send
from asgi_auth.credentials.sources import QueryParam
from asgi_auth.errors import AsgiAuthError, AuthError, ConfigurationError
from asgi_auth.integrations._common import InstallOptions
from asgi_auth.integrations._handed import Handed
from asgi_auth.integrations._mounted import Mounted, Settled, settle
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.responses.deny import deny
from asgi_auth.responses.state import KEY, RequestState
from asgi_auth.sessions import TokenService
from asgi_auth.typing import Backend

__all__ = ["HANDED", "install"]


def install(
    app: Starlette,
    backend: Backend | TokenService,
    **options: Unpack[InstallOptions],
) -> Settled:
    """Identify the callers of *app*, and answer what its guards refuse.

    Routes may be added before and after. A handler of the app for ``AuthError``, or
    for a class above or below it, wins over ours, whenever it is added.

    Args:
        app: Has served no request yet.
        backend: Decides who is calling; or the service whose tokens do.
        options: Those of :class:`~asgi_auth.middleware.AuthenticationMiddleware`, and
            ``routes=..., at="/auth"``: the log-in routes, and where they are to be.

    Returns:
        What was derived from the options.

    Raises:
        ConfigurationError: It is too late, it was done before, or the options do not
            fit together.
    """
    if app.middleware_stack is not None:
        msg = "The app has begun to serve: call install(app, backend) where it is made."
        raise ConfigurationError(msg)

    if any(_is_a(AuthenticationMiddleware, layer) for layer in app.user_middleware):
        msg = "The app has the middleware: call install(app, backend) once only."
        raise ConfigurationError(msg)

    # Starlette makes the middleware at the first request. That is late for news.
    setup = settle(backend, options)
    backend = setup.backend
    choices = setup.sharing()
    choices["public_paths"] = tuple(choices.get("public_paths", ()))
    _Installed(app, backend=backend, **choices)

    place = _place(app, backend)
    if setup.routes is not None:
        mounted = Middleware(Mounted, routes=setup.routes, at=setup.at)
        app.user_middleware.insert(place, mounted)

    installed = Middleware(_Installed, backend=backend, **choices)
    app.user_middleware.insert(place, installed)
    if setup.renew:
        # Around all there is: what answers a crash must set the cookies as well.
        build = app.build_middleware_stack
        app.build_middleware_stack = lambda: setup.around(build())  # type: ignore[method-assign]

    # At the root of our errors: what the app adds comes before it, or replaces it.
    app.exception_handlers.setdefault(AsgiAuthError, _refuse)
    return setup


class _Installed(AuthenticationMiddleware):
    __slots__ = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await super().__call__(scope, receive, send)
        except RuntimeError as error:
            # A mounted app has made a 500 of a refusal, and that went out as what it
            # was. Then Starlette finds our handler, and that it comes too late.
            state = scope.get(KEY)
            late = isinstance(state, RequestState) and not state.started
            if not (late and isinstance(error.__cause__, AuthError)):
                raise

            return None


class _Refusal(Response):
    def __init__(self, error: AuthError) -> None:
        super().__init__(status_code=error.status)
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await deny(self._error, scope, receive, send)


async def _refuse(connection: HTTPConnection, error: Exception) -> _Refusal:
    if not isinstance(error, AuthError):
        raise error

    return _Refusal(error)


def _is_a(kind: type, middleware: Middleware) -> bool:
    target: Any = middleware.cls
    return isinstance(target, type) and issubclass(target, kind)


def _place(app: Starlette, backend: Backend) -> int:
    """Outermost but for CORS, whose headers a refusal must have too."""
    stack = app.user_middleware
    if any(isinstance(source, QueryParam) for source in backend.sources):
        # What stands further out sees the tokens in queries. CORS looks at none.
        stack.sort(key=_is_not_cors)

    cors = [not _is_not_cors(middleware) for middleware in stack]
    return len(cors) - cors[::-1].index(True) if True in cors else 0


def _is_not_cors(middleware: Middleware) -> bool:
    return not _is_a(CORSMiddleware, middleware)


def _add(response: Response, headers: Headers) -> None:
    response.raw_headers.extend(headers)


HANDED = Handed(_add)
