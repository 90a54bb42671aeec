"""FastAPI: install the middleware, and use guards and users as dependencies.

It decides nothing: who is calling is for the middleware to find out, and who may do
what for :mod:`asgi_auth.guards`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Unpack

from fastapi import FastAPI
from fastapi.openapi.models import HTTPBearer
from fastapi.security import OAuth2, SecurityScopes
from starlette.requests import HTTPConnection

from asgi_auth import guards
from asgi_auth.guards.requires import Requirement
from asgi_auth.integrations import _starlette
from asgi_auth.integrations._common import Demands, InstallOptions, security_schemes
from asgi_auth.integrations._handed import LogIn, LogOut
from asgi_auth.integrations._openapi import complete, mark
from asgi_auth.principal import get_principal, get_user
from asgi_auth.sessions import TokenService
from asgi_auth.typing import Backend

__all__ = [
    "current_principal",
    "current_user",
    "install",
    "log_in",
    "log_out",
    "optional_user",
    "requires",
]


_NO_SCOPES = SecurityScopes()

log_in: LogIn = _starlette.HANDED.log_in
log_out: LogOut = _starlette.HANDED.log_out


def install(
    app: FastAPI,
    backend: Backend | TokenService,
    *,
    token_url: str | None = None,
    **options: Unpack[InstallOptions],
) -> None:
    """Identify the callers of *app*, and answer what its guards refuse.

    Routes may be added before and after. A handler of the app for ``AuthError``, or
    for a class above or below it, wins over ours, whenever it is added. The OpenAPI
    document says how to authenticate wherever a dependency of ours asks for it; an
    ``app.openapi`` of your own must be there before.

    Args:
        app: Has served no request yet.
        backend: Decides who is calling, or the service whose tokens do; its sources
            become security schemes.
        token_url: Where the Authorize button sends a password (RFC 6749, section
            4.3), without a slash before it: ``auth/login`` for log-in routes at
            ``/auth`` that answer in the body.
        options: Those of :class:`~asgi_auth.middleware.AuthenticationMiddleware`, and
            ``routes=..., at="/auth"``: the log-in routes, which the document then has.

    Raises:
        ConfigurationError: It is too late, it was done before, or the options do not
            fit together.
    """
    setup = _starlette.install(app, backend, **options)
    schemes = security_schemes(setup.backend.sources, token_url=token_url)
    describe = app.openapi
    app.openapi = lambda: setup.describe(  # type: ignore[method-assign]
        complete(describe(), schemes), schemes
    )


class _Dependency(OAuth2):
    """A guard that FastAPI calls; to its documents, a scheme with scopes.

    Args:
        answer: What the endpoint gets, from the scope.
        requirement: What is checked before; ``None``: nothing.
    """

    # By these, older releases resolve the annotations below.
    __globals__: dict[str, Any] = globals()

    def __init__(
        self,
        answer: Callable[[Mapping[str, Any]], Any],
        requirement: Requirement | None,
    ) -> None:
        # One of any scopes will do: no list of them would say that.
        scopes = () if requirement is None or requirement.any else requirement.scopes
        name, scheme = mark(scopes, optional=requirement is None)
        super().__init__(scheme_name=name)
        self.model: Any = HTTPBearer.model_validate(scheme)
        self._answer = answer
        self._requirement = requirement

    async def __call__(
        self,
        connection: HTTPConnection,
        security_scopes: SecurityScopes = _NO_SCOPES,
    ) -> Any:
        scope, requirement = connection.scope, self._requirement
        if requirement is not None:
            if requirement.policy is None:
                requirement.check(scope)
            else:
                await requirement.verify(scope)

        # Those of Security(..., scopes=[...]), here and wherever this is asked for.
        if security_scopes.scopes:
            wildcards = () if requirement is None else requirement.wildcards
            _holding(frozenset(security_scopes.scopes), wildcards).check(scope)

        return self._answer(scope)


@lru_cache
def _holding(scopes: frozenset[str], wildcards: frozenset[str]) -> Requirement:
    return guards.requires(*scopes, wildcards=wildcards)


def _user_or_none(scope: Mapping[str, Any]) -> Any:
    return get_user(scope) if get_principal(scope).is_authenticated else None


def requires(*scopes: str, **demands: Unpack[Demands]) -> _Dependency:
    """Make a guard for ``Depends`` and ``Security``; it gives the principal.

    It takes what :func:`asgi_auth.requires` takes, which is for decorators.
    """
    return _Dependency(get_principal, guards.requires(*scopes, **demands))


current_user: _Dependency = _Dependency(get_user, guards.requires())
"""Gives the application's own user, or refuses an unknown caller."""

current_principal: _Dependency = _Dependency(get_principal, guards.requires())
"""Gives the caller, or refuses an unknown one."""

optional_user: _Dependency = _Dependency(_user_or_none, None)
"""Gives the application's own user, or ``None`` for an unknown caller."""
