"""Put the log-in routes into an application, and derive what the middleware must know.

It is for the adapters: what is said to the routes need not be said a second time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from asgi_auth.backends.jwt import JWTBackend
from asgi_auth.credentials.sources import BearerHeader
from asgi_auth.errors import ConfigurationError
from asgi_auth.integrations._common import InstallOptions, MountableRoutes
from asgi_auth.responses.refusal_policy import RefusalPolicy
from asgi_auth.responses.state import MOUNT, MountPoint
from asgi_auth.scope_policy import ScopePolicy
from asgi_auth.sessions import TokenService
from asgi_auth.typing import ASGIApp, Backend, Receive, Scope, Send

__all__ = ["Mounted", "Renewing", "Settled", "routes_beside", "settle"]

_HIDDEN = frozenset({"/openapi.json", "/client.js"})
_PASSWORD = "password"  # noqa: S105  (the name of a scheme)
_SCHEMAS = "#/components/schemas/"


def routes_beside(scope: Scope) -> MountableRoutes:
    """Return the routes that stand beside the handler of a request.

    Raises:
        ConfigurationError: There are none.
    """
    point = scope.get(MOUNT)
    if isinstance(point, MountPoint):
        routes: Any = point.routes
        return cast("MountableRoutes", routes)

    msg = (
        "There are no log-in routes here: install(app, tokens, routes=AuthRoutes(...))."
    )
    raise ConfigurationError(msg)


class Mounted:
    """An app, and the log-in routes below one of its paths.

    Args:
        app: Gets all else.
        routes: The log-in routes.
        at: Where they are, for instance ``/auth``.
    """

    __slots__ = ("_app", "_at", "_routes")

    def __init__(self, app: ASGIApp, *, routes: MountableRoutes, at: str) -> None:
        self._app = app
        self._routes = routes
        self._at = at

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Hand a request or a socket to the one or to the other.

        A socket too: the paths of the routes are public, and what the app has for any
        path would be so, too.
        """
        if scope["type"] not in {"http", "websocket"}:
            return await self._app(scope, receive, send)

        root = str(scope.get("root_path") or "").rstrip("/")
        path: str = scope["path"]
        below = path[len(root) :] if root and path.startswith(f"{root}/") else path
        mount = root + self._at
        if not below.startswith(f"{self._at}/"):
            # Ours to write into: the middleware has made it, or was told to share it.
            scope[MOUNT] = MountPoint(self._routes, mount)
            return await self._app(scope, receive, send)

        child = {**scope, "root_path": mount, "path": root + below}
        return await self._routes(child, receive, send)


@dataclass(frozen=True, slots=True)
class Renewing:
    """What stands around an application whose access cookies are renewed.

    Attributes:
        app: It, with the authentication within.
    """

    app: ASGIApp

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        """Pass a request or a socket on."""
        return self.app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Settled:
    """What an adapter's ``install`` is to do.

    Attributes:
        backend: Decides who is calling.
        options: For the middleware.
        routes: The log-in routes, if there are any.
        at: Where they are to be.
        renew: Renew access cookies that have ended.
    """

    backend: Backend
    options: dict[str, Any]
    routes: MountableRoutes | None = None
    at: str = ""
    renew: bool = False

    def sharing(self) -> dict[str, Any]:
        """Return the options, with the scope shared where they do not say otherwise."""
        policy = self.options.get("scope_policy", ScopePolicy())
        if policy.share is None:
            policy = replace(policy, share=True)

        return {**self.options, "scope_policy": policy}

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return *app*, with its access cookies renewed if that is wanted."""
        if self.routes is None or not self.renew:
            return app

        renewing = self.routes.renewing(
            app,
            public_paths=self.options["public_paths"],
            on_refusal=self.options["refusal_policy"].on_refusal,
        )
        return Renewing(renewing)

    def mount(self, app: ASGIApp) -> ASGIApp:
        """Return *app* with the routes, if there are any."""
        if self.routes is None:
            return app

        return Mounted(app, routes=self.routes, at=self.at)

    def describe(
        self, document: dict[str, Any], schemes: Mapping[str, dict[str, Any]]
    ) -> dict[str, Any]:
        """Add the routes to an OpenAPI document, once, and return it.

        Args:
            document: The application's.
            schemes: Its security schemes, by name.
        """
        if self.routes is None:
            return document

        ours = _renamed(self.routes.openapi(), document)
        if _PASSWORD in schemes:
            ours = _with_password(ours, schemes[_PASSWORD])

        paths = document.setdefault("paths", {})
        for path, item in ours["paths"].items():
            if path not in _HIDDEN:
                paths.setdefault(self.at + path, item)

        components = document.setdefault("components", {})
        for kind, parts in ours["components"].items():
            components[kind] = {**parts, **components.get(kind, {})}

        return document


def settle(
    backend: Backend | TokenService, options: InstallOptions, at: str = "/auth"
) -> Settled:
    """Derive from the routes what the middleware must know.

    Args:
        backend: Decides who is calling; or the service whose tokens do.
        options: Of the adapter's ``install``.
        at: Where the routes are by default.

    Raises:
        ConfigurationError: The backend does not read what the routes give out, or the
            place is no path.
    """
    choices: dict[str, Any] = {**options}
    routes: MountableRoutes | None = choices.pop("routes", None)
    at = choices.pop("at", at)
    renew = choices.pop("renew", False)
    if routes is None:
        if renew:
            msg = "renew=True needs the log-in routes: install(..., routes=...)."
            raise ConfigurationError(msg)

        return Settled(_backend_of(backend, None), choices)

    if not at.startswith("/") or at.endswith("/"):
        msg = f"at must look like /auth, and not like {at!r}."
        raise ConfigurationError(msg)

    decides = _backend_of(backend, routes)
    ways = {source.way for source in decides.sources}
    bound = [BearerHeader(each.scheme) for each in routes.confirmations]
    missing = [each for each in (*routes.sources, *bound) if each.way not in ways]
    if missing:
        msg = (
            f"The routes hand out tokens for {missing[0]!r}, which the backend "
            "does not read: give install() the TokenService itself."
        )
        raise ConfigurationError(msg)

    paths = choices.get("public_paths", ())
    if not isinstance(paths, str):
        choices["public_paths"] = [*paths, *routes.public_paths(at)]

    choices.setdefault("site", routes.site)
    policy = choices.get("refusal_policy", RefusalPolicy())
    if policy.wording is None:
        policy = replace(policy, on_refusal=routes.refusals(at))

    choices["refusal_policy"] = policy

    settled = Settled(decides, choices, routes, at, renew)
    settled.around(_nothing)  # Where it cannot be, that is said here.
    return settled


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Be an app that answers nothing."""


def _backend_of(
    backend: Backend | TokenService, routes: MountableRoutes | None
) -> Backend:
    if not isinstance(backend, TokenService):
        return backend

    if routes is None:
        return JWTBackend(backend)

    confirmations = routes.confirmations
    return JWTBackend(backend, sources=routes.sources, confirmations=confirmations)


def _renamed(ours: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Return our document with other names for schemas that an app has too."""
    own_schemas = document.get("components", {}).get("schemas", {})
    schemas = ours["components"]["schemas"]
    names = {
        name: f"Auth{name}"
        for name, schema in schemas.items()
        if name in own_schemas and own_schemas[name] != schema
    }
    return _with_names(ours, names) if names else ours


def _with_password(ours: dict[str, Any], scheme: dict[str, Any]) -> dict[str, Any]:
    """Return our document with what a password has brought as another way in."""
    paths = {
        path: {method: _opened(operation) for method, operation in item.items()}
        for path, item in ours["paths"].items()
    }
    components = ours["components"]
    # The application's says more: it knows the scopes.
    known = {_PASSWORD: scheme, **components["securitySchemes"]}
    return {
        **ours,
        "paths": paths,
        "components": {**components, "securitySchemes": known},
    }


def _opened(operation: dict[str, Any]) -> dict[str, Any]:
    if "security" not in operation:
        return operation

    return {**operation, "security": [{_PASSWORD: []}, *operation["security"]]}


def _with_names(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_with_names(item, names) for item in value]

    if isinstance(value, dict):
        return {names.get(k, k): _with_names(v, names) for k, v in value.items()}

    if isinstance(value, str) and value.startswith(_SCHEMAS):
        name = value.removeprefix(_SCHEMAS)
        return _SCHEMAS + names.get(name, name)

    return value
