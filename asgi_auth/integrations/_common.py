"""What adapters have in common: the options of their verbs, and OpenAPI's words.

It installs nothing, and knows no framework.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypedDict

from asgi_auth._asgi import Headers
from asgi_auth._clock import Clock
from asgi_auth.accounts import Account
from asgi_auth.credentials.site import Site
from asgi_auth.credentials.sources import (
    BearerHeader,
    Cookie,
    Header,
    QueryParam,
    Source,
    Ticket,
)
from asgi_auth.events import Events, Listener
from asgi_auth.guards import Policy, RoleHierarchy
from asgi_auth.lifetime.connection_policy import ConnectionPolicy
from asgi_auth.responses.people import OnRefusal
from asgi_auth.responses.refusal_policy import RefusalPolicy
from asgi_auth.scope_policy import ScopePolicy
from asgi_auth.typing import ASGIApp, Confirmation, Receive, Scope, Send, UserLoader

__all__ = [
    "Demands",
    "InstallOptions",
    "MiddlewareOptions",
    "MountableRoutes",
    "security_schemes",
]


class Demands(TypedDict, total=False):
    """What :func:`~asgi_auth.guards.requires` takes beside scopes."""

    roles: str | Iterable[str]
    any: bool
    backend: str | Iterable[str]
    max_age: int | None
    acr: str | Iterable[str]
    policy: Policy | Callable[..., Any] | None
    hierarchy: RoleHierarchy | None
    wildcards: str | Iterable[str]
    allow_actor: bool
    clock: Clock


class MiddlewareOptions(TypedDict, total=False):
    """The options of :class:`~asgi_auth.middleware.AuthenticationMiddleware`."""

    load_user: UserLoader | None
    required: bool
    public_paths: Iterable[str]
    site: Site
    connection_policy: ConnectionPolicy
    refusal_policy: RefusalPolicy
    scope_policy: ScopePolicy
    on_event: Listener | Events | None


class MountableRoutes(Protocol):
    """What :class:`~asgi_auth.routes.AuthRoutes` is to the adapters."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where callers put the tokens that the routes hand out."""
        ...

    @property
    def confirmations(self) -> tuple[Confirmation, ...]:
        """See to it that who sends a bound token has its key."""
        ...

    @property
    def site(self) -> Site:
        """The own origin, and whom to trust."""
        ...

    def public_paths(self, prefix: str) -> list[str]:
        """Return what callers need who are not known yet."""
        ...

    def openapi(self) -> dict[str, Any]:
        """Return the document of the routes."""
        ...

    async def log_in(
        self, scope: Scope, account: Account, *, remember: bool = True
    ) -> Headers:
        """Open a session; return the headers that make it known."""
        ...

    async def log_out(self, scope: Scope) -> Headers:
        """End the session of a request; return the headers that clear its cookies."""
        ...

    def renewing(
        self,
        app: ASGIApp,
        *,
        public_paths: Iterable[str] = (),
        on_refusal: OnRefusal | None = None,
    ) -> ASGIApp:
        """Put around an app what renews access cookies that have ended."""
        ...

    def refusals(self, at: str) -> OnRefusal | None:
        """Return what words refusals for people, where there are pages."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Answer one request."""
        ...


class InstallOptions(MiddlewareOptions, total=False):
    """Those of the middleware, and the log-in routes to have beside the app's own.

    With ``routes``, their paths are public and their cookies are read, their ``site``
    is that of the middleware, and they answer below ``at``, by default ``/auth``. With
    ``renew=True`` an access cookie that has ended is renewed before a handler runs.
    """

    routes: MountableRoutes
    at: str
    renew: bool


def security_schemes(
    sources: Sequence[Source],
    *,
    token_url: str | None = None,
    scopes: Mapping[str, str] | None = None,
) -> dict[str, dict[str, Any]]:
    """Describe where credentials come from (OpenAPI 3.1, section 4.8.27).

    Args:
        sources: Those of the backend. What only WebSockets use is left out: OpenAPI
            does not speak of them.
        token_url: Where a password becomes a token (RFC 6749, section 4.3).
        scopes: What they mean, by name.
    """
    schemes: dict[str, dict[str, Any]] = {}
    if token_url is not None:
        flow = {"tokenUrl": token_url, "scopes": dict(scopes or {})}
        schemes["password"] = {"type": "oauth2", "flows": {"password": flow}}

    for source in sources:
        description = _describe(source)
        if description is not None:
            schemes[_free_name(source.way, schemes)] = description

    return schemes


def _describe(source: Source) -> dict[str, Any] | None:
    match source:
        case BearerHeader(scheme) if scheme.lower() == "bearer":
            return {"type": "http", "scheme": "bearer"}
        case BearerHeader(scheme):
            description = f"`{scheme}`, a space, and the credential."
            name = "Authorization"
            return {
                "type": "apiKey",
                "in": "header",
                "name": name,
                "description": description,
            }
        case Header(name):
            return {"type": "apiKey", "in": "header", "name": name}
        case Cookie(name):
            return {"type": "apiKey", "in": "cookie", "name": name}
        case QueryParam(name, http=True) if type(source) is not Ticket:
            return {"type": "apiKey", "in": "query", "name": name}
        case _:
            return None


def _free_name(way: tuple[str, str], schemes: Mapping[str, Any]) -> str:
    """Return ``bearer`` for a header, ``cookie`` for a cookie, and so on."""
    kind, word = way
    name = word if kind == "header" else kind
    return f"{kind}-{word}" if name in schemes else name
