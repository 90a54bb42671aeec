"""Litestar: install the middleware, and guard handlers, controllers and routers.

It decides nothing: who is calling is for the middleware to find out, and who may do
what for :mod:`asgi_auth.guards`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Unpack

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from asgi_auth import guards
from asgi_auth.guards.requires import Requirement
from asgi_auth.integrations import _litestar
from asgi_auth.integrations._common import Demands, InstallOptions, security_schemes
from asgi_auth.integrations._handed import LogIn, LogOut
from asgi_auth.integrations._mounted import settle
from asgi_auth.principal import Principal, get_principal, get_user
from asgi_auth.sessions import TokenService
from asgi_auth.typing import ASGIApp, Backend

__all__ = [
    "Guard",
    "current_principal",
    "current_user",
    "install",
    "log_in",
    "log_out",
    "optional_user",
    "requires",
]

Connection = ASGIConnection[Any, Any, Any, Any]

_KNOWN = guards.requires()

log_in: LogIn = _litestar.HANDED.log_in
log_out: LogOut = _litestar.HANDED.log_out


def install(
    app: Litestar,
    backend: Backend | TokenService,
    *,
    token_url: str | None = None,
    **options: Unpack[InstallOptions],
) -> None:
    """Identify the callers of *app*, and answer what its guards refuse.

    A handler of the app for ``AuthError``, or for a class below it, wins over ours.
    The OpenAPI document says how to authenticate wherever a guard of ours stands.

    Args:
        app: With its routes; those that are registered later are guarded as well, but
            not described.
        backend: Decides who is calling, or the service whose tokens do; its sources
            become security schemes.
        token_url: Where the Authorize button sends a password (RFC 6749, section
            4.3): ``/auth/login`` for log-in routes at ``/auth`` that answer in the
            body.
        options: Those of :class:`~asgi_auth.middleware.AuthenticationMiddleware`; a
            slash at the end of a path means nothing here, as in Litestar. And
            ``routes=..., at="/auth"``: the log-in routes, which the document then has.

    Raises:
        ConfigurationError: It was done before, or the options do not fit together.
    """
    # Litestar's hooks look for what handlers leave in the one scope that they know.
    setup = settle(backend, options)
    choices = setup.sharing()
    public = choices.get("public_paths", ())
    if not isinstance(public, str):
        choices["public_paths"] = [_litestar.bare(path) for path in public]

    def make(router: ASGIApp) -> ASGIApp:
        app = setup.mount(router)
        return _litestar.Installed(app, backend=setup.backend, **choices)

    _litestar.wrap(app, make)
    handler: Any = app.asgi_handler
    renewing: Any = setup.around(handler)
    app.asgi_handler = renewing
    _litestar.answer_refusals(app)
    schemes = security_schemes(setup.backend.sources, token_url=token_url)
    _litestar.describe(app, schemes, _requirements_of)
    if setup.routes is not None:
        _litestar.extend_document(
            app, lambda document: setup.describe(document, schemes)
        )


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard as Litestar has them: for handlers, controllers, routers and apps.

    Attributes:
        requirement: What a caller must bring.
    """

    requirement: Requirement

    async def __call__(self, connection: Connection, _: BaseRouteHandler) -> None:
        """Let the caller pass, or raise what is wrong."""
        await self.requirement.verify(connection)


def requires(*scopes: str, **demands: Unpack[Demands]) -> Guard:
    """Make a guard: ``guards=[requires("orders:read")]``.

    Args:
        scopes: Scopes that the caller needs.
        demands: As for :func:`asgi_auth.guards.requires`.

    Raises:
        ConfigurationError: The demands do not fit together.
    """
    return Guard(guards.requires(*scopes, **demands))


def current_principal(scope: Scope) -> Principal:
    """Return the caller, or refuse an unknown one; as a dependency, or by a call.

    Raises:
        AuthenticationError: The caller is unknown.
    """
    return _KNOWN.check(scope)


def current_user(scope: Scope) -> Any:
    """Return the application's own user, or refuse; as a dependency, or by a call.

    Raises:
        AuthenticationError: The caller is unknown.
    """
    _KNOWN.check(scope)
    return get_user(scope)


def optional_user(scope: Scope) -> Any:
    """Return the application's own user, or ``None`` for an unknown caller."""
    return get_user(scope) if get_principal(scope).is_authenticated else None


def _requirements_of(handler: BaseRouteHandler) -> list[Requirement]:
    guards: list[Any] = handler.resolve_guards()
    return [guard.requirement for guard in guards if isinstance(guard, Guard)]
