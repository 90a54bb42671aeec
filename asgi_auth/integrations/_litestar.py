"""How the middleware, its refusals and its guards stand in a Litestar application.

It is for the adapter; it guards nothing.
"""

from __future__ import annotations

from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from functools import partial
from http.cookies import Morsel
from typing import Any

from litestar import Litestar, Request, Response
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import (
    Components,
    OAuthFlow,
    OAuthFlows,
    OpenAPI,
    SecurityScheme,
)
from litestar.routes import HTTPRoute

from asgi_auth._asgi import Headers
from asgi_auth.errors import AuthError, ConfigurationError
from asgi_auth.guards.requires import Requirement
from asgi_auth.integrations._handed import Handed, PartitionedMorsel, morsels_of
from asgi_auth.integrations._mounted import Renewing
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.principal import AUTHENTICATED
from asgi_auth.responses.deny import deny
from asgi_auth.typing import ASGIApp, Receive, Scope, Send

__all__ = [
    "HANDED",
    "Installed",
    "answer_refusals",
    "bare",
    "describe",
    "extend_document",
    "wrap",
]

_WORDS = {"in": "security_scheme_in", "bearerFormat": "bearer_format"}


class Installed(AuthenticationMiddleware):
    """The middleware, which reads paths as Litestar does: slashes at the end are none.

    Else ``/docs/`` would be public below ``/docs/*``, and serve what is at ``/docs``.
    """

    __slots__ = ()

    def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> Coroutine[Any, Any, None]:
        """Identify the caller of the path that Litestar is going to look up."""
        path = scope.get("path", "")
        if path.endswith("/") and path != "/":
            root = (scope.get("root_path") or "").rstrip("/")
            scope["path"] = f"{root}/" if (cut := bare(path)) == root else cut

        # Plain, not async: one coroutine less for each request.
        return super().__call__(scope, receive, send)


def bare(path: str) -> str:
    """Return *path* without slashes at its end."""
    return path.rstrip("/") or "/"


def wrap(app: Litestar, make: Callable[[Any], ASGIApp]) -> None:
    """Put what *make* makes of an ASGI app around the router of *app*.

    Not among the middleware that is given to Litestar: that stands below the router,
    where a mount has lost its path, and unknown paths never come.

    Args:
        app: Whose CORS stays outside, for a refusal needs its headers too.
        make: Wraps an ASGI app.

    Raises:
        ConfigurationError: There is one already.
    """
    holder, name = _place(app)
    layers = (app.asgi_handler, getattr(holder, name))
    if any(isinstance(each, AuthenticationMiddleware | Renewing) for each in layers):
        msg = "The app has the middleware: call install(app, backend) once only."
        raise ConfigurationError(msg)

    setattr(holder, name, make(_rooted(getattr(holder, name))))


def _rooted(router: ASGIApp) -> ASGIApp:
    """Have the router begin where the middleware does.

    Litestar begins behind the first ``root_path`` in a path, wherever that is: with
    ``/api`` it would find ``/private`` in ``/public/api/private``.
    """

    def rooted(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        root = scope.get("root_path")
        if root:
            path, root = scope.get("path", ""), root.rstrip("/")
            if root and root in path and not f"{path}/".startswith(f"{root}/"):
                scope["path"] = root + path

        return router(scope, receive, send)

    return rooted


def _place(app: Litestar) -> tuple[Any, str]:
    layer: Any = None if app.cors_config is None else app.asgi_handler
    while layer is not None and getattr(layer, "config", None) is not app.cors_config:
        layer = getattr(layer, "app", None)

    return (app, "asgi_handler") if layer is None else (layer, "app")


def answer_refusals(app: Litestar) -> None:
    """Register what answers refusals, where *app* has nothing of its own for them."""
    app.exception_handlers.setdefault(AuthError, _refuse)
    if app.logging_config is not None:
        # In debug mode Litestar logs every exception as an error.
        app.logging_config.disable_stack_trace.update(_family(AuthError))


class _Refusal(Response[None]):
    def __init__(self, error: AuthError) -> None:
        super().__init__(None, status_code=error.status)
        self._error = error

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        return partial(deny, self._error)


def _refuse(_: Request[Any, Any, Any], error: AuthError) -> Response[None]:
    return _Refusal(error)


def _family(error: type[AuthError]) -> Iterator[type[AuthError]]:
    yield error
    for kind in error.__subclasses__():
        yield from _family(kind)


def describe(
    app: Litestar,
    schemes: Mapping[str, Mapping[str, Any]],
    guards_of: Callable[[HTTPRouteHandler], Iterable[Requirement]],
) -> None:
    """Say in the OpenAPI document how to authenticate, and what guards want.

    A handler with a ``security`` of its own keeps that.

    Args:
        app: Whose routes are there already.
        schemes: What the application accepts, by name, in OpenAPI's words.
        guards_of: Returns what the guards of a handler want.
    """
    if app.openapi_config is None:
        return

    scope_texts: dict[str, str] = {}
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            guards = [*guards_of(handler)]
            if guards and handler.security is None:
                scopes = _scopes_of(guards)
                handler.security = [{name: scopes} for name in schemes]
                scope_texts |= dict.fromkeys(scopes, "")

    components = app.openapi_config.components
    ours = {
        name: _scheme(description, scope_texts) for name, description in schemes.items()
    }
    app.openapi_config.components = [
        *(components if isinstance(components, list) else [components]),
        Components(security_schemes={**ours}),
    ]


def extend_document(
    app: Litestar, extend: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Have the OpenAPI document of *app* changed whenever it is made.

    Args:
        app: Its settings are ours from then on.
        extend: Changes a plain document, and returns it.
    """
    if app.openapi_config is None:
        return

    config: Any = app.openapi_config
    make = config.to_openapi_schema

    class Extended(OpenAPI):
        def to_schema(self) -> dict[str, Any]:
            return extend(super().to_schema())

    def make_document() -> OpenAPI:
        document: Any = make()
        document.__class__ = Extended
        return document  # type: ignore[no-any-return]

    config.to_openapi_schema = make_document


def _scopes_of(guards: Iterable[Requirement]) -> list[str]:
    # One of any scopes will do: no list of them would say that.
    scopes = [guard.scopes for guard in guards if not guard.any]
    return sorted(frozenset().union(*scopes) - {AUTHENTICATED})


def _scheme(description: Mapping[str, Any], scopes: dict[str, str]) -> SecurityScheme:
    words = {_WORDS.get(name, name): value for name, value in description.items()}
    if "flows" in words:
        url = words["flows"]["password"]["tokenUrl"]
        flow = OAuthFlow(token_url=url, scopes=scopes)
        words["flows"] = OAuthFlows(password=flow)

    return SecurityScheme(**words)


def _add(response: Response[Any], headers: Headers) -> None:
    response.cookies.extend(map(_cookie_of, morsels_of(headers)))


class _PartitionedCookie(Cookie):
    """A cookie with an attribute that Litestar does not know."""

    def to_header(self, **options: Any) -> str:
        """Return the header's value."""
        return super().to_header(**options) + "; Partitioned"


def _cookie_of(morsel: Morsel[str]) -> Cookie:
    age = morsel["max-age"]
    is_partitioned = isinstance(morsel, PartitionedMorsel)
    make = _PartitionedCookie if is_partitioned else Cookie
    return make(
        key=morsel.key,
        value=morsel.value,
        max_age=int(age) if age else None,
        path=morsel["path"],
        domain=morsel["domain"] or None,
        secure=bool(morsel["secure"]),
        httponly=bool(morsel["httponly"]),
        samesite=morsel["samesite"].lower(),
    )


HANDED = Handed(_add)
